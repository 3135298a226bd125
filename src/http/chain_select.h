/*
 * http/chain_select.h - for chain.c: which interceptors surround which route, read from a text.
 *
 *   settings = setting *( ";" setting )      setting = routes "=" word *( "," word )
 *   routes   = "*" / id / prefix "*"         word    = "all" / "none" / ["+" / "-"] name
 *
 * Settings apply in their order, each to what the routes had before; all interceptors at first.
 * "*" is also the answer to paths without a route.  White space around any part is nothing.
 */
#ifndef HTTP_CHAIN_SELECT_H
#define HTTP_CHAIN_SELECT_H

#include "base/map.h"
#include "http/chain.h"

struct chain_plans {
    struct map by_route; /* of const struct route * to a uint32_t of `bits` */
    uint32_t *bits;      /* owned, one for each route of the router */
    uint32_t others;     /* of paths without a route, and of routes not known */
};

void chain_plans_init(struct chain_plans *p);
void chain_plans_release(struct chain_plans *p);
/* Keeps what it had when the text is refused. */
int chain_plans_read(struct chain_plans *p, const char *text, const struct interceptor *const *all,
                     size_t count, const struct router *routes, struct err *e) MUSTCHECK;
/* Bit k: the k-th interceptor. */
static inline uint32_t chain_plans_get(const struct chain_plans *p, const struct route *route)
{
    const uint32_t *bits = p->bits ? map_get(&p->by_route, (uintptr_t)route) : NULL;

    return bits ? *bits : p->others;
}

#endif
