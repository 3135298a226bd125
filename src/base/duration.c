/*
 * base/duration.c - one table of units drives both directions.  The order "largest first, each at
 * most once" makes a mistyped "5m1h" an error instead of a surprise.
 */
#include "base/duration.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {
    { "w", 604800000 }, { "d", 86400000 }, { "h", 3600000 },
    { "m", 60000 },     { "s", 1000 },     { "ms", 1 },
};

/* Reads digits; a number over the limit stays just above it.  NULL when there is none. */
static const char *parse_number(const char *at, int64_t *ret)
{
    int64_t number = 0;

    if (*at < '0' || *at > '9')
        return NULL;
    for (; *at >= '0' && *at <= '9'; at++)
        number = MIN(number * 10 + (*at - '0'), DURATION_MAX_MS + 1);
    *ret = number;
    return at;
}

/* The unit at `at` among those from `first` on, or -1. */
static int parse_unit(const char *at, int first)
{
    size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz");

    for (int i = first; i < (int)ARRAY_LEN(units); i++)
        if (strlen(units[i].name) == len && memcmp(units[i].name, at, len) == 0)
            return i;
    return -1;
}

int duration_parse(const char *text, int64_t *ret_ms, struct err *e)
{
    const char *at;
    int64_t total = 0, number;
    int unit = -1;

    assert(text != NULL && e != NULL);
    at = text;
    do {
        at = parse_number(at, &number);
        unit = at ? parse_unit(at, unit + 1) : -1;
        if (unit < 0)
            return err_set(e, IFP_EINVALID,
                           "\"%.64s\" is no duration: want numbers with the units w d h m s ms, "
                           "each once, largest first, as in 1h30m",
                           text);
        if (number > DURATION_MAX_MS / units[unit].ms)
            goto too_long;
        total += number * units[unit].ms;
        if (total > DURATION_MAX_MS)
            goto too_long;
        at += strlen(units[unit].name);
    } while (*at != '\0');
    *ret_ms = total;
    return 0;

too_long:
    return err_set(e, IFP_EINVALID, "\"%.64s\" is longer than 100 years", text);
}

void duration_format(int64_t ms, char *ret, unsigned long size)
{
    size_t len = 0;

    assert(ms >= 0 && size >= 32);
    if (ms == 0) {
        memcpy(ret, "0s", 3);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        int64_t number = ms / units[i].ms;

        ms %= units[i].ms;
        if (number > 0)
            len +=
                (size_t)snprintf(ret + len, size - len, "%lld%s", (long long)number, units[i].name);
        assert(len < size);
    }
}
