/*
 * base/config.c - values are kept as their text and, but for texts, as a number.
 *
 * A value is checked when it is set, so a stored one is always in range.  config_set is the only
 * writer; it decides by source, so flags, environment and file may be loaded in any order.  A value
 * that a stronger source hides is not looked at: nobody is told off for a setting without effect.
 *
 * Secrets never appear in an error text.  An environment variable that is empty counts as not set,
 * as container tools set empty ones for what their user left out.
 */
#include "base/config.h"

#include "base/buf.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { CONFIG_FILE_MAX = 1 << 20, CONFIG_SECRET_FILE_MAX = 64 << 10, ENV_NAME_MAX = 64 };

#define CONFIG_ROW(id, flag, env, type, def, min, max, doc)                                        \
    [CONFIG_##id] = { flag, env, type, def, min, max, doc },
static const struct config_option options[CONFIG_COUNT] = { CONFIG_MAP(CONFIG_ROW) };
#undef CONFIG_ROW

const struct config_option *config_option(enum config_id id)
{
    assert((unsigned)id < CONFIG_COUNT);
    return &options[id];
}

int config_find(const char *flag)
{
    for (int id = 0; id < CONFIG_COUNT; id++)
        if (strcmp(options[id].flag, flag) == 0)
            return id;
    return -1;
}

/* ---- One value ------------------------------------------------------------------------------ */

static bool is_text(enum config_type type)
{
    return type == CONFIG_TEXT || type == CONFIG_SECRET;
}

/* Reads an optional minus and digits, and gives what stands behind; NULL when that is no number. */
static const char *parse_digits(const char *text, int64_t *ret)
{
    bool negative = *text == '-';
    int64_t v = 0;

    text += negative;
    if (*text < '0' || *text > '9')
        return NULL;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *text - '0', &v))
            return NULL;
    if (!negative && __builtin_sub_overflow(0, v, &v))
        return NULL;
    *ret = v;
    return text;
}

static bool parse_int(const char *text, int64_t *ret)
{
    const char *rest = parse_digits(text, ret);

    return rest && *rest == '\0';
}

static bool parse_size(const char *text, int64_t *ret)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = { { "", 1 }, { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 } };
    int64_t number;
    const char *rest = parse_digits(text, &number);

    for (size_t i = 0; rest && i < ARRAY_LEN(units); i++)
        if (strcmp(rest, units[i].name) == 0)
            return !__builtin_mul_overflow(number, units[i].bytes, ret);
    return false;
}

static bool parse_bool(const char *text, int64_t *ret)
{
    static const char *const words[][2] = {
        { "off", "on" }, { "false", "true" }, { "no", "yes" }, { "0", "1" }
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        for (int v = 0; v <= 1; v++) {
            if (strcasecmp(text, words[i][v]) == 0) {
                *ret = v;
                return true;
            }
        }
    }
    return false;
}

static bool parse_value(enum config_type type, const char *text, int64_t *ret)
{
    struct err ignored;

    switch (type) {
    case CONFIG_INT:
        return parse_int(text, ret);
    case CONFIG_DURATION:
        return duration_parse(text, ret, &ignored) == 0;
    case CONFIG_SIZE:
        return parse_size(text, ret);
    case CONFIG_BOOL:
        return parse_bool(text, ret);
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        break;
    }
    *ret = (int64_t)strlen(text);
    return true;
}

static int refuse(const struct config_option *o, const char *text, struct err *e)
{
    static const char *const kinds[] = {
        [CONFIG_INT] = "a number",
        [CONFIG_DURATION] = "a duration like 1m30s,",
        [CONFIG_SIZE] = "a size like 64KiB,",
        [CONFIG_TEXT] = "a text with a length",
        [CONFIG_SECRET] = "a text with a length",
        [CONFIG_BOOL] = "on or off:",
    };
    char low[32], high[32];

    if (o->type == CONFIG_BOOL)
        return err_set(e, IFP_EINVALID, "%s: \"%.64s\": want on or off", o->flag, text);
    if (o->type == CONFIG_DURATION) {
        duration_format(o->min, low, sizeof(low));
        duration_format(o->max, high, sizeof(high));
    } else {
        (void)snprintf(low, sizeof(low), "%lld", (long long)o->min);
        (void)snprintf(high, sizeof(high), "%lld", (long long)o->max);
    }
    if (o->type == CONFIG_SECRET)
        text = "[redacted]";
    return err_set(e, IFP_EINVALID, "%s: \"%.64s\": want %s from %s to %s", o->flag, text,
                   kinds[o->type], low, high);
}

int config_set(struct config *c, enum config_id id, const char *text, enum config_source source,
               struct err *e)
{
    const struct config_option *o = config_option(id);
    int64_t num;
    char *copy;

    assert(text != NULL && e != NULL);
    if (c->values[id].text && source < c->values[id].source)
        return 0;
    if (!parse_value(o->type, text, &num) || num < o->min || num > o->max)
        return refuse(o, text, e);
    copy = mem_strdup(text);
    if (!copy)
        return err_set(e, IFP_ENOMEM, "%s: out of memory", o->flag);
    mem_free(c->values[id].text);
    c->values[id].text = copy;
    c->values[id].num = num;
    c->values[id].source = source;
    return 0;
}

int config_init(struct config *c, struct err *e)
{
    int rc = 0;

    memset(c, 0, sizeof(*c));
    for (int id = 0; id < CONFIG_COUNT && rc == 0; id++)
        rc = config_set(c, (enum config_id)id, options[id].def, CONFIG_FROM_DEFAULT, e);
    if (rc != 0)
        config_release(c);
    return rc;
}

void config_release(struct config *c)
{
    for (int id = 0; id < CONFIG_COUNT; id++) {
        mem_free(c->values[id].text);
        c->values[id].text = NULL;
    }
}

/* ---- Files ---------------------------------------------------------------------------------- */

/* Appends the whole of an open file; fails over `max` bytes. */
static int read_fd(int fd, size_t max, struct buf *b, struct err *e)
{
    char chunk[4096];
    ssize_t got;

    do {
        got = read(fd, chunk, sizeof(chunk));
        if (got < 0 && errno != EINTR)
            return err_set(e, IFP_EINVALID, "%m");
        if (got > 0)
            buf_put(b, chunk, (size_t)got);
        if (b->len > max)
            return err_set(e, IFP_EINVALID, "more than %zu bytes", max);
    } while (got != 0);
    if (!buf_cstr(b))
        return err_set(e, IFP_ENOMEM, "out of memory");
    if (memchr(b->data, '\0', b->len))
        return err_set(e, IFP_EINVALID, "a zero byte");
    return 0;
}

/* Reads a file into `b`, zero-terminated and without zero bytes. */
static int read_file(const char *path, size_t max, struct buf *b, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return err_set(e, IFP_EINVALID, "%s: %m", path);
    rc = read_fd(fd, max, b, e);
    (void)close(fd);
    return rc == 0 ? 0 : err_wrap(e, "%s", path);
}

static char *trim(char *s)
{
    size_t len;

    s += strspn(s, " \t\r");
    len = strlen(s);
    while (len > 0 && strchr(" \t\r", s[len - 1]))
        len--;
    s[len] = '\0';
    return s;
}

static int load_line(struct config *c, char *line, struct err *e)
{
    char *equals;
    int id;

    line = trim(line);
    if (*line == '\0' || *line == '#')
        return 0;
    equals = strchr(line, '=');
    if (!equals)
        return err_set(e, IFP_EINVALID, "want \"name = value\"");
    *equals = '\0';
    line = trim(line);
    id = config_find(line);
    if (id < 0)
        return err_set(e, IFP_EINVALID, "there is no option \"%.64s\"", line);
    return config_set(c, (enum config_id)id, trim(equals + 1), CONFIG_FROM_FILE, e);
}

int config_load_file(struct config *c, const char *path, struct err *e)
{
    struct buf b;
    int line_number = 0;
    int rc;

    buf_init(&b);
    rc = read_file(path, CONFIG_FILE_MAX, &b, e);
    for (char *line = b.data, *next; rc == 0 && line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        line_number++;
        rc = load_line(c, line, e);
        if (rc != 0)
            rc = err_wrap(e, "%s:%d", path, line_number);
    }
    buf_release(&b);
    return rc;
}

/* ---- Environment ---------------------------------------------------------------------------- */

static const char *get_env(const char *name)
{
    const char *text = getenv(name);

    return text && *text ? text : NULL;
}

/* The secret in a file: all of it but line ends behind. */
static int load_secret_file(struct config *c, enum config_id id, const char *path, struct err *e)
{
    struct buf b;
    int rc;

    buf_init(&b);
    rc = read_file(path, CONFIG_SECRET_FILE_MAX, &b, e);
    if (rc == 0) {
        while (b.len > 0 && (b.data[b.len - 1] == '\n' || b.data[b.len - 1] == '\r'))
            b.data[--b.len] = '\0';
        rc = config_set(c, id, b.data, CONFIG_FROM_ENV, e);
        explicit_bzero(b.data, b.len);
    }
    buf_release(&b);
    return rc == 0 ? 0 : err_wrap(e, "%s_FILE", options[id].env);
}

static int load_env_option(struct config *c, enum config_id id, struct err *e)
{
    const struct config_option *o = &options[id];
    const char *text = get_env(o->env);
    const char *path = NULL;
    char name[ENV_NAME_MAX];

    if (o->type == CONFIG_SECRET) {
        int len = snprintf(name, sizeof(name), "%s_FILE", o->env);

        assert(len > 0 && len < ENV_NAME_MAX);
        (void)len;
        path = get_env(name);
    }
    if (text && path)
        return err_set(e, IFP_EINVALID, "%s and %s are both set", o->env, name);
    if (path)
        return load_secret_file(c, id, path, e);
    if (!text)
        return 0;
    return config_set(c, id, text, CONFIG_FROM_ENV, e) == 0 ? 0 : err_wrap(e, "%s", o->env);
}

int config_load_env(struct config *c, struct err *e)
{
    int rc = 0;

    for (int id = 0; id < CONFIG_COUNT && rc == 0; id++)
        rc = load_env_option(c, (enum config_id)id, e);
    return rc;
}

/* ---- All values ----------------------------------------------------------------------------- */

int config_check(const struct config *c, struct err *e)
{
    const char *format = config_text(c, CONFIG_LOG_FORMAT);
    const char *trace_url = config_text(c, CONFIG_TRACE_URL);
    enum log_level level;

    if (*trace_url && !strstr(trace_url, CONFIG_TRACE_ID))
        return err_set(e, IFP_EINVALID, "trace-url: \"%s\": must have " CONFIG_TRACE_ID " in it",
                       trace_url);
    if (config_int(c, CONFIG_TICK) > config_int(c, CONFIG_LEASE) / 4)
        return err_set(e, IFP_EINVALID, "tick: %s is more than a quarter of the lease, %s",
                       c->values[CONFIG_TICK].text, c->values[CONFIG_LEASE].text);
    if (config_int(c, CONFIG_PAYLOAD_INLINE) > config_int(c, CONFIG_PAYLOAD_MAX))
        return err_set(e, IFP_EINVALID, "payload-inline: %s is more than payload-max, %s",
                       c->values[CONFIG_PAYLOAD_INLINE].text, c->values[CONFIG_PAYLOAD_MAX].text);
    if (log_level_parse(config_text(c, CONFIG_LOG_LEVEL), &level) != 0)
        return err_set(e, IFP_EINVALID, "log-level: \"%s\": want debug, info, warn, error or off",
                       config_text(c, CONFIG_LOG_LEVEL));
    if (strcmp(format, "logfmt") != 0 && strcmp(format, "json") != 0)
        return err_set(e, IFP_EINVALID, "log-format: \"%s\": want logfmt or json", format);
    return 0;
}

int64_t config_int(const struct config *c, enum config_id id)
{
    assert((unsigned)id < CONFIG_COUNT && !is_text(options[id].type));
    assert(c->values[id].text != NULL);
    return c->values[id].num;
}

const char *config_text(const struct config *c, enum config_id id)
{
    assert((unsigned)id < CONFIG_COUNT && c->values[id].text != NULL);
    return c->values[id].text;
}
