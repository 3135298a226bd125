/*
 * http/route.h - the table of routes and the router made from it.
 *
 * One line a route: the router, the OpenAPI document, the scope checks and the authorisation tests
 * are all made from the same table.  Paths are literal segments and {names}, at most
 * HTTP_PARAMS_MAX of these; a literal wins over a name.
 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "http/request.h"

/* Answers the request (http/request.h); `ctx` is the router's. */
typedef void route_handler_fn(void *ctx, struct http_request *r);

enum route_flags {
    ROUTE_BODY = 1,     /* has a body: the handler is called once it is here, within body_max */
    ROUTE_CREATES = 2,  /* takes Idempotency-Key */
    ROUTE_LONG = 4,     /* waits or streams: the timeout interceptor leaves it alone */
    ROUTE_HIDDEN = 8,   /* not in the OpenAPI document */
    ROUTE_ANY_BODY = 16 /* with ROUTE_BODY: not only application/json */
};
enum { ROUTE_PUBLIC = -1, ROUTE_ANY_KEY = -2 }; /* in place of a scope */

struct route {
    enum http_method method; /* a GET also answers HEAD */
    const char *path;        /* "/v1/executions/{id}" */
    int scope;               /* api/scope.h, or ROUTE_PUBLIC: no key needed */
    unsigned flags;
    route_handler_fn *handler;
    const char *id;       /* operationId, and the name in metrics, logs and the chain's settings */
    const char *tag;      /* group in the document */
    const char *summary;  /* one line */
    const char *query;    /* names of query parameters, separated by spaces; NULL: none */
    const char *request;  /* name of its schema in openapi.json; NULL: no body */
    const char *response; /* name of the schema of a success; NULL: none */
    int success;          /* 200, 201, 202 or 204 */
};

struct router;

/* The table must outlive the router.  Two routes that match the same, two with the same id and a
 * path that breaks the rules are bugs (asserted). */
int router_open(const struct route *const *tables, const size_t *counts, size_t n,
                struct router **ret, struct err *e) MUSTCHECK;
void router_close(struct router *r); /* NULL is fine */
/* Finds the route and decodes its params into the request's arena.  IFP_ENOTFOUND: no such path;
 * IFP_EINVALID: the path cannot be decoded; IFP_ECONFLICT: the path is there with other methods,
 * which `ret_allow` names ("GET, HEAD, POST"; in the arena) for a 405; IFP_ENOMEM. */
int router_find(const struct router *r, struct http_request *req, const char **ret_allow) MUSTCHECK;

/* The routes in the order of their tables; NULL behind the last. */
const struct route *router_at(const struct router *r, size_t i);
/* The route with this id, or NULL. */
const struct route *router_named(const struct router *r, struct slice id);
/* "GET" */
const char *route_method_name(enum http_method m);

#endif
