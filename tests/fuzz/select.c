/*
 * tests/fuzz/select.c - the text of --http-chain: whatever it says, a guard stays around a route
 * that needs a key, and a text that is refused changes nothing.
 */
#include "http/chain_select.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void handler(void *ctx, struct http_request *r)
{
    (void)ctx;
    (void)r;
}

static const struct route routes[] = {
    { .method = HTTP_GET, .path = "/h", .id = "h", .handler = handler, .scope = ROUTE_PUBLIC },
    { .method = HTTP_GET, .path = "/a", .id = "a.b", .handler = handler, .scope = 1 },
    { .method = HTTP_PUT, .path = "/a", .id = "a.c", .handler = handler, .scope = ROUTE_ANY_KEY },
};
static const struct interceptor x = { .name = "x" }, guard = { .name = "g", .guard = true };
enum { GUARD_BIT = 2, OURS = 3 };

static uint32_t bits(const struct chain_plans *p, int route)
{
    return chain_plans_get(p, route < 0 ? NULL : &routes[route]) & OURS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct router *router;
    const struct interceptor *const all[] = { &x, &guard };
    const struct route *tables[] = { routes };
    size_t counts[] = { ARRAY_LEN(routes) };
    char *text = malloc(size + 1);
    struct chain_plans p;
    struct err e;
    int rc;

    if (!text || (!router && router_open(tables, counts, 1, &router, &e) < 0))
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    chain_plans_init(&p);
    rc = chain_plans_read(&p, text, all, ARRAY_LEN(all), router, &e);
    assert(rc == 0 || (rc == IFP_EINVALID && e.text[0]));
    for (int i = -1; i < (int)ARRAY_LEN(routes); i++)
        assert(rc == 0 || bits(&p, i) == OURS);
    assert((bits(&p, 1) & GUARD_BIT) && (bits(&p, 2) & GUARD_BIT));
    chain_plans_release(&p);
    free(text);
    return 0;
}
