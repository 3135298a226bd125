/*
 * core/zone_parse.c - reads a TZif file: header, changes, types, and the POSIX rule at its end.
 *
 * A file of version 2 or later holds everything twice, first with 32-bit times for old readers;
 * that half is stepped over.  Every count is checked against the length before anything is read.
 */
#include "core/zone.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

enum { HEADER_SIZE = 44, CHANGES_MAX = 20000, TYPES_MAX = 256, TYPE_SIZE = 6 };
enum { RULE_SIZE_MAX = 128, RULE_HOUR_MAX = 167 };

struct header {
    uint32_t utc_flags, standard_flags, leaps, changes, types, characters;
    char version;
};

struct reader {
    const unsigned char *data;
    size_t len, at;
};

static int refuse(struct err *e, const char *why)
{
    return err_set(e, IFP_EINVALID, "not a time zone file: %s", why);
}

/* ---- the binary part ------------------------------------------------------------------------ */

static int64_t big_endian(const unsigned char *at, size_t size)
{
    uint64_t value = size == 4 && at[0] & 0x80 ? UINT64_MAX : 0;

    assert(size == 1 || size == 4 || size == 8);
    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    return (int64_t)value;
}

static bool read_header(struct reader *r, struct header *ret)
{
    const unsigned char *at = r->data + r->at;
    uint32_t counts[6];

    assert(r->at <= r->len);
    if (r->len - r->at < HEADER_SIZE || memcmp(at, "TZif", 4) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        counts[i] = (uint32_t)big_endian(at + 20 + 4 * i, 4);
    *ret = (struct header){ counts[0], counts[1], counts[2],  counts[3],
                            counts[4], counts[5], (char)at[4] };
    r->at += HEADER_SIZE;
    return ret->changes <= CHANGES_MAX && ret->types >= 1 && ret->types <= TYPES_MAX &&
           ret->leaps <= CHANGES_MAX && ret->characters <= CHANGES_MAX &&
           ret->utc_flags <= TYPES_MAX && ret->standard_flags <= TYPES_MAX;
}

/* Bytes that follow a header. */
static size_t body_size(const struct header *h, size_t time_size)
{
    assert(time_size == 4 || time_size == 8);
    return h->changes * (time_size + 1) + h->types * TYPE_SIZE + h->characters +
           h->leaps * (time_size + 4) + h->standard_flags + h->utc_flags;
}

static int read_changes(const unsigned char *at, const struct header *h, size_t time_size,
                        struct zone *z, struct err *e)
{
    const unsigned char *indexes = at + h->changes * time_size, *types = indexes + h->changes;

    assert(h->types >= 1 && h->types <= TYPES_MAX && h->changes <= CHANGES_MAX);
    z->changes = mem_resize(NULL, h->changes + 1, sizeof(*z->changes));
    z->offsets = mem_resize(NULL, h->changes + 1, sizeof(*z->offsets));
    if (!z->changes || !z->offsets)
        return err_set(e, IFP_ENOMEM, "out of memory");
    z->offsets[0] = (int32_t)big_endian(types, 4);
    for (size_t i = 0; i < h->changes; i++) {
        if (indexes[i] >= h->types)
            return refuse(e, "a change has an unknown type");
        z->changes[i] = big_endian(at + i * time_size, time_size);
        z->offsets[i + 1] = (int32_t)big_endian(types + indexes[i] * TYPE_SIZE, 4);
        if (i > 0 && z->changes[i] <= z->changes[i - 1])
            return refuse(e, "the changes are not in order");
    }
    z->count = h->changes;
    for (size_t i = 0; i <= z->count; i++)
        if (z->offsets[i] < -93599 || z->offsets[i] > 93599)
            return refuse(e, "an offset is over 26 hours");
    return 0;
}

/* ---- the rule ------------------------------------------------------------------------------- */

static bool read_number(const char **at, int max, int *ret)
{
    int number = 0;

    assert(max >= 1 && max < 1000); /* so the sum cannot overflow */
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; ++*at)
        if ((number = number * 10 + (**at - '0')) > max)
            return false;
    *ret = number;
    return true;
}

/* A name is three letters or more, or anything in <...>. */
static bool read_name(const char **at)
{
    size_t len;

    if (**at == '<') {
        len = strcspn(*at, ">");
        *at += len;
        return *(*at)++ == '>';
    }
    len = strspn(*at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    *at += len;
    return len >= 3;
}

/* [+-]hh[:mm[:ss]] as seconds. */
static bool read_time(const char **at, int32_t *ret)
{
    int sign = **at == '-' ? -1 : 1, hours, minutes = 0, seconds = 0;

    if (**at == '-' || **at == '+')
        ++*at;
    if (!read_number(at, RULE_HOUR_MAX, &hours))
        return false;
    if (**at == ':') {
        ++*at;
        if (!read_number(at, 59, &minutes))
            return false;
    }
    if (**at == ':') {
        ++*at;
        if (!read_number(at, 59, &seconds))
            return false;
    }
    *ret = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool read_month_day(const char **at, struct zone_day *d)
{
    d->kind = ZONE_MONTH;
    if (!read_number(at, 12, &d->month) || d->month < 1 || *(*at)++ != '.')
        return false;
    if (!read_number(at, 5, &d->week) || d->week < 1 || *(*at)++ != '.')
        return false;
    return read_number(at, 6, &d->day);
}

/* ,Jn or ,n or ,Mm.w.d and perhaps /time. */
static bool read_day(const char **at, struct zone_day *ret)
{
    struct zone_day d = { .kind = ZONE_DAY_OF_YEAR, .seconds = 7200 };
    bool good;

    if (*(*at)++ != ',')
        return false;
    if (**at == 'M') {
        ++*at;
        good = read_month_day(at, &d);
    } else if (**at == 'J') {
        ++*at;
        d.kind = ZONE_JULIAN;
        good = read_number(at, 365, &d.day) && d.day >= 1;
    } else {
        good = read_number(at, 365, &d.day);
    }
    if (good && **at == '/') {
        ++*at;
        good = read_time(at, &d.seconds);
    }
    *ret = d;
    return good;
}

/* POSIX counts west of Greenwich.  "" is allowed: nothing is known of the future. */
static bool read_rule(const char *at, struct zone *z)
{
    int32_t west;

    if (*at == '\0')
        return true;
    if (!read_name(&at) || !read_time(&at, &west))
        return false;
    z->has_rule = true;
    z->standard = -west;
    z->summer = z->standard + 3600;
    if (*at == '\0')
        return true;
    if (!read_name(&at))
        return false;
    if (*at != ',') {
        if (!read_time(&at, &west))
            return false;
        z->summer = -west;
    }
    z->has_summer = true;
    return read_day(&at, &z->starts) && read_day(&at, &z->ends) && *at == '\0';
}

static int read_footer(const struct reader *r, struct zone *z, struct err *e)
{
    const char *from = (const char *)r->data + r->at;
    size_t left = r->len - r->at;
    const char *end = left > 1 && *from == '\n' ? memchr(from + 1, '\n', left - 1) : NULL;
    char text[RULE_SIZE_MAX];
    size_t len;

    assert(r->at <= r->len);
    if (!end)
        return refuse(e, "it has no rule at its end");
    len = (size_t)(end - from) - 1;
    if (len >= sizeof(text))
        return refuse(e, "its rule is too long");
    memcpy(text, from + 1, len);
    text[len] = '\0';
    return read_rule(text, z) ? 0 : refuse(e, "its rule cannot be read");
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int read_zone(struct reader *r, struct zone *z, struct err *e)
{
    size_t time_size = 4;
    struct header h;
    int rc;

    if (!read_header(r, &h))
        return refuse(e, "its header is wrong");
    if (h.version >= '2') {
        if (r->len - r->at < body_size(&h, time_size))
            return refuse(e, "it is cut short");
        r->at += body_size(&h, time_size);
        time_size = 8;
        if (!read_header(r, &h))
            return refuse(e, "its second header is wrong");
    }
    if (r->len - r->at < body_size(&h, time_size))
        return refuse(e, "it is cut short");
    if (h.leaps > 0)
        return refuse(e, "it counts leap seconds");
    rc = read_changes(r->data + r->at, &h, time_size, z, e);
    r->at += body_size(&h, time_size);
    assert(r->at <= r->len);
    if (rc == 0 && time_size == 8)
        rc = read_footer(r, z, e);
    return rc;
}

int zone_parse(const void *data, size_t len, struct zone *ret, struct err *e)
{
    struct reader r = { .data = data, .len = len };
    struct zone z = { .changes = NULL };
    int rc = read_zone(&r, &z, e);

    if (rc != 0) {
        zone_release(&z);
        return rc;
    }
    assert(z.offsets && z.count <= CHANGES_MAX);
    assert(z.has_rule || !z.has_summer);
    *ret = z;
    return 0;
}
