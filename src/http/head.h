/*
 * http/head.h - what the head of a request says, and whether it may be said.
 *
 * Refused with 400: any Host but exactly one (none on 1.0), Transfer-Encoding that is not exactly
 * `chunked`, on 1.0 or beside Content-Length, a Content-Length that is not plain digits, a header
 * of those that must not come twice, a target in absolute form for another host, a path that is not
 * in normal form or would not be once decoded.  Expect but 100-continue is 417.  Pure.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http/parse.h"
#include "http/request.h"

struct head_facts {
    bool keep;    /* the connection may serve another request */
    bool expects; /* the client waits for 100 Continue */
};

/* Fills method, target, path, query and headers of `r`; -1 and the fault. */
int head_judge(const struct parse_head *head, bool has_body, struct http_request *r,
               struct head_facts *ret, struct parse_fault *ret_fault) MUSTCHECK;

#endif
