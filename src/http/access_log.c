/*
 * http/access_log.c - the line is written when the last byte has left, so that its time and its
 * bytes are those of the client.  A client that went before it had an answer has status 0.
 */
#include "http/access_log.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

enum { PATH_SHOWN = 200 };

static enum log_level level_of(const struct http_request *r)
{
    if (r->status >= 500)
        return LOG_LEVEL_ERROR;
    if (r->status >= 200 && r->status < 400 && r->route && r->route->scope == ROUTE_PUBLIC)
        return LOG_LEVEL_DEBUG;
    return LOG_LEVEL_INFO;
}

static void on_finished(void *self, struct http_request *r, void *slot)
{
    const struct access_log *log = self;
    enum log_level level = level_of(r);
    const char *caller = log->caller ? log->caller(r) : NULL;
    char path[PATH_SHOWN + 1], trace[TRACE_ID_SIZE];
    size_t len = MIN(r->path.len, (size_t)PATH_SHOWN);

    (void)slot;
    if (!log_enabled(level))
        return;
    if (len > 0)
        memcpy(path, r->path.text, len);
    path[len] = '\0';
    traceparent_trace_id(&r->trace, trace); /* zeros without the interceptor `tracing` */
    LOG_AT(level, "request", LOG_STR("method", route_method_name(r->method)),
           LOG_STR("route", r->route ? r->route->id : "none"), LOG_STR("path", path),
           LOG_INT("status", r->status), LOG_INT("bytes", r->answer_bytes),
           LOG_FLOAT("ms", (double)(clock_mono_us() - r->start_us) / 1000),
           LOG_STR("request", r->id), LOG_STR("peer", r->peer),
           LOG_STR("key", caller ? caller : "none"), LOG_STR("trace_id", trace));
}

const struct interceptor access_log_interceptor = { .name = "logging", .finished = on_finished };
