/*
 * base/log.h - structured log lines on stderr, as logfmt or JSON.
 *
 *   LOG_INFO("execution taken over", LOG_STR("execution", id), LOG_INT("fence", fence));
 *   time=2026-11-20T15:30:00.123Z level=info msg="execution taken over" execution=exe_... fence=3
 *
 * One line is one write(2).  Values under a key that names a secret (password, secret, token,
 * authorization, cookie, api_key, and conninfo's password) are printed as "[redacted]".
 * Any thread.  Strings are borrowed for the call; invalid UTF-8 is replaced.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_OFF };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *key;
    enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_FLOAT, LOG_FIELD_BOOL } kind;
    const char *str;
    int64_t num;
    double real;
};

#define LOG_STR(k, v) ((struct log_field){ .key = (k), .kind = LOG_FIELD_STR, .str = (v) })
#define LOG_INT(k, v) ((struct log_field){ .key = (k), .kind = LOG_FIELD_INT, .num = (v) })
#define LOG_FLOAT(k, v) ((struct log_field){ .key = (k), .kind = LOG_FIELD_FLOAT, .real = (v) })
#define LOG_BOOL(k, v) ((struct log_field){ .key = (k), .kind = LOG_FIELD_BOOL, .num = (v) })
/* error=NAME and detail="text" of a struct err. */
#define LOG_ERR(e) LOG_STR("error", ifp_error_name((e)->code)), LOG_STR("detail", (e)->text)

void log_open(enum log_level level, enum log_format format, int fd);
bool log_enabled(enum log_level level);
/* Fields end with one whose key is NULL; use the macros. */
void log_emit(enum log_level level, const char *msg, const struct log_field *fields);
int log_level_parse(const char *text, enum log_level *ret) MUSTCHECK;

#define LOG_AT(level, msg, ...)                                                                    \
    do {                                                                                           \
        if (log_enabled(level))                                                                    \
            log_emit((level), (msg),                                                               \
                     (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } });               \
    } while (0)
#define LOG_DEBUG(msg, ...) LOG_AT(LOG_LEVEL_DEBUG, msg __VA_OPT__(, ) __VA_ARGS__)
#define LOG_INFO(msg, ...) LOG_AT(LOG_LEVEL_INFO, msg __VA_OPT__(, ) __VA_ARGS__)
#define LOG_WARN(msg, ...) LOG_AT(LOG_LEVEL_WARN, msg __VA_OPT__(, ) __VA_ARGS__)
#define LOG_ERROR(msg, ...) LOG_AT(LOG_LEVEL_ERROR, msg __VA_OPT__(, ) __VA_ARGS__)

#endif
