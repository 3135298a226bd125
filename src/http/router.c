/*
 * http/router.c - a tree of path segments, made once from the tables.
 *
 * A request's path is cut at its slashes and walked down: the literal child of that name first, the
 * child for any name after it.  When the way over the literal ends without this method, the way
 * over the name is tried, so a literal never hides the other methods of a name beside it; with
 * HTTP_PARAMS_MAX names a path that is sixteen ways at most.  Siblings are few and looked through
 * one by one.
 *
 * Segments are compared and handed out decoded, once: what a handler gets is what was matched.  A
 * segment that decodes to a slash, a control character or no UTF-8 is refused, as the next one to
 * look at it might read it otherwise.  Nothing is normalised: "/v1/keys/" is not "/v1/keys".
 */
#include "http/route.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

enum { ROUTER_DEPTH_MAX = 12, ALLOW_SIZE = 64 };

struct node {
    struct node *next;                        /* in the list of its siblings */
    struct node *literals;                    /* in the router's arena: children with a text */
    struct node *any;                         /* the same: the child for {name} */
    struct slice text;                        /* borrowed from the table */
    const struct route *routes[HTTP_METHODS]; /* borrowed; of paths that end here */
};

struct router {
    struct arena arena; /* all nodes */
    struct node root;
    const struct route **all; /* in the arena, by table */
    size_t count;
};

struct path {
    struct slice segments[ROUTER_DEPTH_MAX]; /* decoded */
    size_t count;
};

/* One way down the tree. */
struct walk {
    const struct path *path;
    enum http_method method;
    size_t params[HTTP_PARAMS_MAX]; /* which segments went to names */
    size_t param_count;
    unsigned allowed; /* 1 << method, of all ends that were reached */
};

static const char *const method_names[HTTP_METHODS] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
    [HTTP_OPTIONS] = "OPTIONS", [HTTP_OTHER] = "OTHER",
};

const char *route_method_name(enum http_method m)
{
    assert((int)m >= 0 && m < HTTP_METHODS);
    return method_names[m];
}

static bool slice_is(struct slice a, struct slice b)
{
    return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

/* Cuts off the first segment of *rest, which begins with its slash. */
static struct slice next_segment(struct slice *rest)
{
    struct slice segment = { rest->text + 1, 0 };
    const char *end;

    assert(rest->len > 0 && rest->text[0] == '/');
    end = memchr(segment.text, '/', rest->len - 1);
    segment.len = end ? (size_t)(end - segment.text) : rest->len - 1;
    *rest = (struct slice){ segment.text + segment.len, rest->len - 1 - segment.len };
    return segment;
}

/* ---- building ------------------------------------------------------------------------------- */

static struct node *literal_child(const struct node *n, struct slice text)
{
    for (struct node *child = n->literals; child; child = child->next)
        if (slice_is(child->text, text))
            return child;
    return NULL;
}

/* The child for this segment of a table's path, made when it is new; NULL when memory is out. */
static struct node *grow(struct router *r, struct node *n, struct slice text)
{
    bool name = text.len > 0 && text.text[0] == '{';
    struct node *child = name ? n->any : literal_child(n, text);

    assert(text.len > 0 && (!name || (text.len > 2 && text.text[text.len - 1] == '}')));
    if (child)
        return child;
    child = arena_zalloc(&r->arena, sizeof(*child));
    if (!child)
        return NULL;
    child->text = text;
    if (name) {
        n->any = child;
    } else {
        child->next = n->literals;
        n->literals = child;
    }
    return child;
}

static int plant(struct router *r, const struct route *route)
{
    struct slice rest = { route->path, strlen(route->path) };
    struct node *n = &r->root;
    size_t depth = 0, names = 0;

    assert(rest.len > 0 && route->method < HTTP_OTHER && route->method != HTTP_HEAD);
    assert(route->handler && route->id);
    while (rest.len > 0 && !(depth == 0 && rest.len == 1)) {
        struct slice segment = next_segment(&rest);

        names += segment.text[0] == '{';
        depth++;
        n = grow(r, n, segment);
        if (!n)
            return IFP_ENOMEM;
    }
    assert(depth <= ROUTER_DEPTH_MAX && names <= HTTP_PARAMS_MAX);
    assert(!n->routes[route->method]); /* two routes match the same */
    assert(!router_named(r, (struct slice){ route->id, strlen(route->id) }));
    n->routes[route->method] = route;
    r->all[r->count++] = route;
    return 0;
}

int router_open(const struct route *const *tables, const size_t *counts, size_t n,
                struct router **ret, struct err *e)
{
    struct router *r = mem_zalloc(sizeof(*r));
    size_t total = 0;

    *ret = NULL;
    if (!r)
        return err_set(e, IFP_ENOMEM, "router: out of memory");
    arena_init(&r->arena, 0);
    for (size_t i = 0; i < n; i++)
        total += counts[i];
    r->all = arena_zalloc(&r->arena, (total + 1) * sizeof(struct route *));
    if (!r->all)
        goto fail;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < counts[i]; j++)
            if (plant(r, &tables[i][j]) < 0)
                goto fail;
    *ret = r;
    return 0;

fail:
    router_close(r);
    return err_set(e, IFP_ENOMEM, "router: out of memory");
}

void router_close(struct router *r)
{
    if (!r)
        return;
    arena_release(&r->arena);
    mem_free(r);
}

const struct route *router_at(const struct router *r, size_t i)
{
    return i < r->count ? r->all[i] : NULL;
}

const struct route *router_named(const struct router *r, struct slice id)
{
    for (size_t i = 0; i < r->count; i++)
        if (slice_is((struct slice){ r->all[i]->id, strlen(r->all[i]->id) }, id))
            return r->all[i];
    return NULL;
}

/* ---- decoding ------------------------------------------------------------------------------- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes a segment to `to`, with a zero behind it.  False: no route may ever see this. */
static bool decode(struct slice raw, char *to, struct slice *ret)
{
    size_t len = 0;

    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.text[i];

        if (c == '%') {
            int high = i + 2 < raw.len ? hex(raw.text[i + 1]) : -1;
            int low = high >= 0 ? hex(raw.text[i + 2]) : -1;

            if (low < 0)
                return false;
            c = (unsigned char)(high * 16 + low);
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || c == '/')
            return false;
        to[len++] = (char)c;
    }
    to[len] = '\0';
    *ret = (struct slice){ to, len };
    return jsonscan_utf8_ok(to, len);
}

/* Cuts and decodes the path, in one piece of memory: each zero takes the place of a slash.
 * IFP_ENOTFOUND: deeper than any route. */
static int cut(struct arena *a, struct slice rest, struct path *ret)
{
    char *to;

    ret->count = 0;
    if (rest.len == 0 || rest.text[0] != '/')
        return IFP_EINVALID;
    to = arena_alloc(a, rest.len);
    if (!to)
        return IFP_ENOMEM;
    while (rest.len > 0) {
        if (ret->count == ROUTER_DEPTH_MAX)
            return IFP_ENOTFOUND;
        if (!decode(next_segment(&rest), to, &ret->segments[ret->count]))
            return IFP_EINVALID;
        to += ret->segments[ret->count++].len + 1;
    }
    if (ret->count == 1 && ret->segments[0].len == 0)
        ret->count = 0; /* "/" alone */
    return 0;
}

/* ---- finding -------------------------------------------------------------------------------- */

static unsigned methods_of(const struct node *n)
{
    unsigned set = 0;

    for (unsigned m = 0; m < HTTP_METHODS; m++)
        if (n->routes[m])
            set |= 1U << m;
    if (n->routes[HTTP_GET])
        set |= 1U << HTTP_HEAD;
    return set;
}

static const struct route *descend(struct walk *w, const struct node *n, size_t depth)
{
    const struct route *found;
    const struct node *child;

    if (depth == w->path->count) {
        w->allowed |= methods_of(n);
        return n->routes[w->method == HTTP_HEAD ? HTTP_GET : w->method];
    }
    child = literal_child(n, w->path->segments[depth]);
    found = child ? descend(w, child, depth + 1) : NULL;
    if (found || !n->any || w->path->segments[depth].len == 0)
        return found;
    w->params[w->param_count++] = depth;
    found = descend(w, n->any, depth + 1);
    if (!found)
        w->param_count--;
    return found;
}

static const char *allow_text(struct arena *a, unsigned methods)
{
    char *text = arena_alloc(a, ALLOW_SIZE);
    size_t len = 0;

    if (!text)
        return NULL;
    for (unsigned m = 0; m < HTTP_METHODS; m++) {
        size_t need = strlen(method_names[m]);

        if (!(methods & 1U << m))
            continue;
        assert(len + need + 3 <= ALLOW_SIZE);
        if (len > 0) {
            text[len++] = ',';
            text[len++] = ' ';
        }
        memcpy(text + len, method_names[m], need);
        len += need;
    }
    text[len] = '\0';
    return text;
}

int router_find(const struct router *r, struct http_request *req, const char **ret_allow)
{
    struct path path;
    struct walk w = { .path = &path, .method = req->method };
    int rc = cut(&req->arena, req->path, &path);

    *ret_allow = NULL;
    req->route = NULL;
    if (rc < 0)
        return rc;
    req->route = descend(&w, &r->root, 0);
    if (!req->route) {
        if (!w.allowed)
            return IFP_ENOTFOUND;
        *ret_allow = allow_text(&req->arena, w.allowed);
        return *ret_allow ? IFP_ECONFLICT : IFP_ENOMEM;
    }
    for (size_t i = 0; i < w.param_count; i++)
        req->params[i] = path.segments[w.params[i]];
    return 0;
}
