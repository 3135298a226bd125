/*
 * http/chain_select.c - reads the text of CONFIG_HTTP_CHAIN into one set of bits a route.
 *
 * Everything is tried on new plans, which take the place of the old ones when all of the text was
 * good.  A mistake names the setting and the word: the text is written by hand, in a file.
 */
#include "http/chain_select.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

struct reader {
    struct chain_plans plans; /* under construction */
    const struct interceptor *const *all;
    size_t count;
    const struct router *routes;
    struct err *e;
};

void chain_plans_init(struct chain_plans *p)
{
    *p = (struct chain_plans){ .others = UINT32_MAX };
    map_init(&p->by_route);
}

void chain_plans_release(struct chain_plans *p)
{
    map_release(&p->by_route);
    mem_free(p->bits);
    chain_plans_init(p);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_space(s.text[0]))
        s = (struct slice){ s.text + 1, s.len - 1 };
    while (s.len > 0 && is_space(s.text[s.len - 1]))
        s.len--;
    return s;
}

/* Cuts off what is before the first `c`, or all; false when nothing is left. */
static bool next_part(struct slice *rest, char c, struct slice *ret)
{
    const char *end;
    size_t len;

    if (!rest->text)
        return false;
    end = memchr(rest->text, c, rest->len);
    len = end ? (size_t)(end - rest->text) : rest->len;
    *ret = trim((struct slice){ rest->text, len });
    *rest = end ? (struct slice){ end + 1, rest->len - len - 1 } : (struct slice){ 0 };
    return true;
}

static bool is(struct slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.text, text, s.len) == 0;
}

/* A setting applies to the plan of a route. */
static int apply_word(struct reader *in, struct slice word, uint32_t *bits)
{
    bool away = word.len > 0 && word.text[0] == '-';
    struct slice name = word;

    if (is(word, "all") || is(word, "none")) {
        *bits = is(word, "all") ? UINT32_MAX : 0;
        return 0;
    }
    if (away || (word.len > 0 && word.text[0] == '+'))
        name = (struct slice){ word.text + 1, word.len - 1 };
    for (size_t k = 0; k < in->count; k++) {
        if (!is(name, in->all[k]->name))
            continue;
        *bits = away ? *bits & ~(UINT32_C(1) << k) : *bits | UINT32_C(1) << k;
        return 0;
    }
    return err_set(in->e, IFP_EINVALID, "there is no interceptor \"%.*s\"", (int)name.len,
                   name.text);
}

static int apply_words(struct reader *in, struct slice words, uint32_t *bits)
{
    struct slice word;
    int rc = 0;

    while (rc == 0 && next_part(&words, ',', &word))
        rc = apply_word(in, word, bits);
    return rc;
}

static bool matches(struct slice pattern, const char *id)
{
    if (pattern.len > 0 && pattern.text[pattern.len - 1] == '*')
        return strncmp(pattern.text, id, pattern.len - 1) == 0;
    return is(pattern, id);
}

static int apply_setting(struct reader *in, struct slice setting)
{
    struct slice words = setting, routes;
    const struct route *route;
    bool found = false;
    int rc = 0;

    (void)next_part(&words, '=', &routes);
    if (!words.text)
        return err_set(in->e, IFP_EINVALID, "\"%.*s\" has no \"=\"", (int)setting.len,
                       setting.text);
    if (is(routes, "*")) {
        rc = apply_words(in, words, &in->plans.others);
        found = true;
    }
    for (size_t i = 0; rc == 0 && (route = router_at(in->routes, i)) != NULL; i++) {
        if (!matches(routes, route->id))
            continue;
        rc = apply_words(in, words, &in->plans.bits[i]);
        found = true;
    }
    if (rc == 0 && !found)
        return err_set(in->e, IFP_EINVALID, "there is no route \"%.*s\"", (int)routes.len,
                       routes.text);
    return rc;
}

/* A guard stays around each route that needs a key, and around what has no route. */
static int check_guards(struct reader *in)
{
    const struct route *route;

    for (size_t k = 0; k < in->count; k++) {
        if (!in->all[k]->guard)
            continue;
        for (size_t i = 0; (route = router_at(in->routes, i)) != NULL; i++)
            if (route->scope != ROUTE_PUBLIC && !(in->plans.bits[i] & UINT32_C(1) << k))
                return err_set(in->e, IFP_EINVALID,
                               "\"%s\" cannot be taken from \"%s\", which needs a key",
                               in->all[k]->name, route->id);
    }
    return 0;
}

static int open_plans(struct reader *in)
{
    const struct route *route;
    size_t n = 0;

    while (router_at(in->routes, n))
        n++;
    in->plans.bits = mem_alloc((n + 1) * sizeof(*in->plans.bits));
    if (!in->plans.bits)
        return err_set(in->e, IFP_ENOMEM, "out of memory");
    for (size_t i = 0; (route = router_at(in->routes, i)) != NULL; i++) {
        in->plans.bits[i] = UINT32_MAX;
        if (map_put(&in->plans.by_route, (uintptr_t)route, &in->plans.bits[i]) < 0)
            return err_set(in->e, IFP_ENOMEM, "out of memory");
    }
    return 0;
}

int chain_plans_read(struct chain_plans *p, const char *text, const struct interceptor *const *all,
                     size_t count, const struct router *routes, struct err *e)
{
    struct reader in = { .all = all, .count = count, .routes = routes, .e = e };
    struct slice rest = { text, strlen(text) }, setting;
    int rc;

    assert(count <= CHAIN_MAX);
    chain_plans_init(&in.plans);
    rc = open_plans(&in);
    while (rc == 0 && next_part(&rest, ';', &setting))
        if (setting.len > 0)
            rc = apply_setting(&in, setting);
    if (rc == 0)
        rc = check_guards(&in);
    if (rc < 0) {
        chain_plans_release(&in.plans);
        return err_wrap(e, "interceptors of routes (--http-chain)");
    }
    chain_plans_release(p);
    *p = in.plans;
    return 0;
}
