/*
 * base/log.c - builds one line on the stack and writes it with one write(2).
 *
 * No memory is allocated, so out of memory can be logged.  The limits follow from that: a value is
 * cut at VALUE_MAX bytes, a field that does not fit in the line any more is left out, and
 * truncated=true says that something is missing.  A line that the descriptor does not take is lost:
 * the runtime never waits for its log.
 *
 * Secrets are hidden twice: by the key's name, and inside any value wherever a URL or a conninfo
 * has a password.  When in doubt, too much is hidden.
 *
 * Process-wide state: level, format and descriptor, set once at start.  Any thread.
 */
#define _GNU_SOURCE 1 /* strcasestr, memrchr */
#include "base/log.h"

#include "base/clock.h"
#include "base/jsontext.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8192, LINE_RESERVE = 32, VALUE_MAX = 1024 };

static const char redacted[] = "[redacted]";
static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_OFF] = "off",
};

static atomic_int min_level = LOG_LEVEL_INFO;
static atomic_int line_format = LOG_FORMAT_LOGFMT;
static atomic_int out_fd = STDERR_FILENO;

struct line {
    char data[LINE_MAX_BYTES];
    size_t len;
    size_t limit; /* of len */
    bool full;    /* something did not fit */
    bool json;
};

void log_open(enum log_level level, enum log_format format, int fd)
{
    assert(level >= LOG_LEVEL_DEBUG && level <= LOG_LEVEL_OFF && fd >= 0);
    atomic_store(&min_level, (int)level);
    atomic_store(&line_format, (int)format);
    atomic_store(&out_fd, fd);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&min_level, memory_order_relaxed);
}

int log_level_parse(const char *text, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    }
    return IFP_EINVALID;
}

/* ---- The line ------------------------------------------------------------------------------- */

static void put(struct line *l, const char *data, size_t len)
{
    if (l->full || len > l->limit - l->len) {
        l->full = true;
        return;
    }
    memcpy(l->data + l->len, data, len);
    l->len += len;
}

static void puts_to(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

/* Text inside quotes; both formats escape as JSON does. */
static void put_quoted(struct line *l, const char *s, size_t len)
{
    char escape[8];

    puts_to(l, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        char letter = c == 0x7f ? 'u' : jsontext_escape(c);

        if (!letter) {
            put(l, s + i, 1);
            continue;
        }
        (void)snprintf(escape, sizeof(escape), letter == 'u' ? "\\u%04x" : "\\%c",
                       letter == 'u' ? c : (unsigned char)letter);
        puts_to(l, escape);
    }
    puts_to(l, "\"");
}

/* logfmt needs quotes only around what a reader would split or misread. */
static bool needs_quotes(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f || strchr("=\"\\", s[i]))
            return true;
    return len == 0;
}

static void put_text(struct line *l, const char *s, size_t len)
{
    if (l->json || needs_quotes(s, len))
        put_quoted(l, s, len);
    else
        put(l, s, len);
}

/* ---- Secrets -------------------------------------------------------------------------------- */

static bool names_secret(const char *key)
{
    static const char *const words[] = { "password",      "passwd", "secret",  "token",
                                         "authorization", "cookie", "api_key", "apikey" };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasestr(key, words[i]))
            return true;
    return false;
}

struct span {
    const char *start, *end; /* borrowed; start is NULL when there is none */
};

/* The value behind "password" and an equals sign, as conninfo strings and query strings have it. */
static struct span find_assigned(const char *s)
{
    static const char word[] = "password";
    const char *at = s;

    while ((at = strcasestr(at, word)) != NULL) {
        const char *end;

        at += sizeof(word) - 1;
        end = at + strspn(at, " \t");
        if (*end != '=')
            continue;
        end += 1 + strspn(end + 1, " \t");
        at = end;
        if (*end == '\'') {
            for (end++; *end && *end != '\''; end++)
                if (*end == '\\' && end[1])
                    end++;
            if (*end)
                end++;
        } else {
            for (; *end && !strchr(" \t\r\n&\"", *end); end++)
                if (*end == '\\' && end[1])
                    end++;
        }
        return (struct span){ at, end };
    }
    return (struct span){ 0 };
}

/* The password of user:password@ in a URL: from the first colon to the last at sign before white
 * space, as people forget to escape an at sign or a slash in passwords. */
static struct span find_userinfo(const char *s)
{
    while ((s = strstr(s, "://")) != NULL) {
        const char *stop, *colon, *at;

        s += 3;
        stop = s + strcspn(s, " \t\r\n\"");
        colon = memchr(s, ':', (size_t)(stop - s));
        if (!colon)
            continue;
        at = memrchr(colon, '@', (size_t)(stop - colon));
        if (at)
            return (struct span){ colon + 1, at };
    }
    return (struct span){ 0 };
}

static struct span find_secret(const char *s)
{
    struct span a = find_assigned(s);
    struct span b = find_userinfo(s);

    if (!a.start || (b.start && b.start < a.start)) {
        if (a.start && b.end > a.start) /* they overlap: hide both */
            b.end = MAX(a.end, b.end);
        return b;
    }
    if (b.start && a.end > b.start)
        a.end = MAX(a.end, b.end);
    return a;
}

/* Appends the bytes from s to end with invalid UTF-8 replaced; false when `out` is full. */
static bool copy_clean(const char *s, const char *end, char out[VALUE_MAX], size_t *len)
{
    while (s < end) {
        size_t bytes = jsontext_utf8(s, (size_t)(end - s));
        const char *from = bytes ? s : "\xef\xbf\xbd";
        size_t n = bytes ? bytes : 3;

        if (*len + n > VALUE_MAX)
            return false;
        memcpy(out + *len, from, n);
        *len += n;
        s += bytes ? bytes : 1;
    }
    return true;
}

/* A value as it may be seen; gives its length. */
static size_t clean_value(const char *s, char out[VALUE_MAX], bool *ret_cut)
{
    const char *end = s + strlen(s);
    size_t len = 0;
    bool fits = true;

    while (fits && s < end) {
        struct span secret = find_secret(s);

        fits = copy_clean(s, secret.start ? secret.start : end, out, &len);
        if (fits && secret.start)
            fits = copy_clean(redacted, redacted + sizeof(redacted) - 1, out, &len);
        s = secret.start ? secret.end : end;
    }
    *ret_cut = *ret_cut || !fits;
    return len;
}

/* ---- Fields --------------------------------------------------------------------------------- */

static void put_key(struct line *l, const char *key)
{
    if (l->json) {
        puts_to(l, l->len > 1 ? "," : "");
        put_quoted(l, key, strlen(key));
        puts_to(l, ":");
    } else {
        puts_to(l, l->len > 0 ? " " : "");
        puts_to(l, key);
        puts_to(l, "=");
    }
}

static void put_float(struct line *l, double v)
{
    char text[40];
    char *comma;

    (void)snprintf(text, sizeof(text), "%.15g", v);
    comma = strchr(text, ','); /* a locale of the host program's */
    if (comma)
        *comma = '.';
    puts_to(l, isfinite(v) ? text : "null");
}

static void put_value(struct line *l, const struct log_field *field, bool *ret_cut)
{
    char text[VALUE_MAX];
    size_t len;

    if (names_secret(field->key)) {
        put_text(l, redacted, sizeof(redacted) - 1);
        return;
    }
    switch (field->kind) {
    case LOG_FIELD_STR:
        if (!field->str) {
            puts_to(l, "null");
            return;
        }
        len = clean_value(field->str, text, ret_cut);
        put_text(l, text, len);
        return;
    case LOG_FIELD_INT:
        (void)snprintf(text, sizeof(text), "%lld", (long long)field->num);
        puts_to(l, text);
        return;
    case LOG_FIELD_FLOAT:
        put_float(l, field->real);
        return;
    case LOG_FIELD_BOOL:
        puts_to(l, field->num ? "true" : "false");
        return;
    }
}

/* Puts a whole field or nothing. */
static void put_field(struct line *l, const struct log_field *field, bool *ret_cut)
{
    size_t before = l->len;

    assert(field->key[0] != '\0');
    put_key(l, field->key);
    put_value(l, field, ret_cut);
    if (l->full) {
        l->len = before;
        l->full = false;
        *ret_cut = true;
    }
}

static void write_line(const struct line *l)
{
    ssize_t rc;

    do {
        rc = write(atomic_load(&out_fd), l->data, l->len);
    } while (rc < 0 && errno == EINTR);
}

void log_emit(enum log_level level, const char *msg, const struct log_field *fields)
{
    struct line l;
    int saved_errno = errno;
    bool cut = false;
    char time[32];

    if (!log_enabled(level) || level >= LOG_LEVEL_OFF)
        return;
    l.len = 0;
    l.limit = LINE_MAX_BYTES - LINE_RESERVE;
    l.full = false;
    l.json = atomic_load(&line_format) == LOG_FORMAT_JSON;
    clock_format_utc(clock_real_us(), time, sizeof(time));
    puts_to(&l, l.json ? "{" : "");
    put_field(&l, &LOG_STR("time", time), &cut);
    put_field(&l, &LOG_STR("level", level_names[level]), &cut);
    put_field(&l, &LOG_STR("msg", msg), &cut);
    for (; fields->key; fields++)
        put_field(&l, fields, &cut);
    l.limit = LINE_MAX_BYTES;
    if (cut)
        put_field(&l, &LOG_BOOL("truncated", true), &cut);
    puts_to(&l, l.json ? "}\n" : "\n");
    assert(!l.full);
    write_line(&l);
    errno = saved_errno;
}
