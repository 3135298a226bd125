/*
 * tests/fuzz/router.c - paths: whatever is asked, what a handler gets of it is clean text.
 *
 * The first byte chooses the method, the rest is the path.
 */
#include "http/route.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void handler(void *ctx, struct http_request *r)
{
    (void)ctx;
    (void)r;
}

#define ROUTE(m, p)                                                                                \
    {                                                                                              \
        .method = (m), .path = (p), .id = #m p, .handler = handler                                 \
    }
static const struct route routes[] = {
    ROUTE(HTTP_GET, "/"),
    ROUTE(HTTP_GET, "/health"),
    ROUTE(HTTP_GET, "/v1/executions"),
    ROUTE(HTTP_POST, "/v1/executions"),
    ROUTE(HTTP_GET, "/v1/executions/{id}"),
    ROUTE(HTTP_DELETE, "/v1/executions/{id}"),
    ROUTE(HTTP_POST, "/v1/executions/{id}/messages/{name}"),
    ROUTE(HTTP_GET, "/v1/executions/latest"),
    ROUTE(HTTP_GET, "/{a}/{b}/{c}/{d}"),
    ROUTE(HTTP_PUT, "/v1/executions/latest/steps"),
};

static size_t names_of(const char *path)
{
    size_t n = 0;

    for (; *path; path++)
        n += *path == '{';
    return n;
}

static void check(const struct http_request *r, int rc, const char *allow)
{
    size_t names = r->route ? names_of(r->route->path) : 0;

    assert((rc == 0) == (r->route != NULL));
    assert((rc == IFP_ECONFLICT) == (allow != NULL));
    assert(rc == 0 || rc == IFP_ENOTFOUND || rc == IFP_EINVALID || rc == IFP_ECONFLICT);
    for (size_t i = 0; i < HTTP_PARAMS_MAX; i++) {
        struct slice p = r->params[i];

        assert((i < names) == (p.text != NULL));
        if (!p.text)
            continue;
        assert(p.len > 0 && p.len == strlen(p.text) && jsonscan_utf8_ok(p.text, p.len));
        for (size_t k = 0; k < p.len; k++)
            assert((unsigned char)p.text[k] >= 0x20 && p.text[k] != '/' && p.text[k] != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct router *router;
    const struct route *tables[] = { routes };
    size_t counts[] = { ARRAY_LEN(routes) };
    struct http_request r = { 0 };
    const char *allow;
    struct err e;
    int rc;

    if (!router && router_open(tables, counts, 1, &router, &e) < 0)
        abort();
    if (size == 0)
        return 0;
    arena_init(&r.arena, 0);
    r.method = (enum http_method)(data[0] % HTTP_METHODS);
    r.path = (struct slice){ (const char *)data + 1, size - 1 };
    rc = router_find(router, &r, &allow);
    check(&r, rc, allow);
    arena_release(&r.arena);
    return 0;
}
