/*
 * http/access_log.h - the interceptor "logging": one line for each request that was answered.
 *
 *   time=... level=info msg=request method=POST route=executions.start path=/v1/... status=202
 *   bytes=91 ms=1.204 request=req_... peer=10.0.0.7 key=ci
 *
 * Level error for a status of 500 and more, debug for what public routes answer well (probes come
 * each second), info for the rest.  No header, query or body is ever printed.
 */
#ifndef HTTP_ACCESS_LOG_H
#define HTTP_ACCESS_LOG_H

#include "http/chain.h"

/* Its `self`. */
struct access_log {
    /* The name of who asks, or NULL; may itself be NULL. */
    const char *(*caller)(const struct http_request *r);
};

extern const struct interceptor access_log_interceptor;

#endif
