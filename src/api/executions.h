/* api/executions.h - what the files of the routes of executions share: handlers, and how an
 * idempotency key is given. */
#ifndef API_EXECUTIONS_H
#define API_EXECUTIONS_H

#include "api/api.h"
#include "api/runs.h"

route_handler_fn executions_start;
route_handler_fn executions_bulk;
route_handler_fn executions_list;
route_handler_fn executions_get;
route_handler_fn executions_steps;
route_handler_fn executions_events;

/* The key of the header, or of the body (may be NULL); NULL: there is none.  Both and different, or
 * one that is no key, is noted in b. */
const char *executions_key(struct http_request *r, struct body *b, const char *in_body);
/* What was refused, told with all its pointers. */
void executions_refuse(struct http_request *r, const struct body *b, const struct err *e);
/* The context that the request came in, as it is stored; NULL: none. */
const char *executions_trace(struct http_request *r);

#endif
