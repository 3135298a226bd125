/*
 * http/problem.h - an error as an answer, with all that may be said of it (RFC 9457).
 *
 * {type, title, status, detail, instance, code, message, requestId, executionId?, errors?}: type,
 * title and code are the same for every error of a kind, detail and message are this one's.
 */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "http/request.h"

/* NULL and zero: not there, or made from the status. */
struct http_problem {
    int status;
    const char *code;         /* "NOT_FOUND" */
    const char *title;        /* the same for all of this code */
    const char *detail;       /* UTF-8 or not: it is repaired */
    const char *execution_id; /* "exe_..." */
    struct slice errors;      /* JSON: [{"pointer":...,"message":...}] */
};
/* Finishes the request with it. */
void http_answer_problem(struct http_request *r, const struct http_problem *p);

#endif
