/*
 * api/openapi.c - writes the document route after route.
 *
 * What schemas.json holds is copied as raw text, so it is written by hand in the very form in which
 * it leaves.  Its members:
 *
 *   schemas       the components of this kind, by name
 *   components    those of all other kinds
 *   path, query   parameters: what "in" and "name" leave open; "tag.name" before "name"
 *   tags          descriptions by name
 *   webhooks      what the server sends, as it stands in the document
 *   operations    by id: "description", more "parameters", and "responses" and "requestBody" that
 *                 win over ours
 *
 * A path is written where its first method stands, with all methods of it.
 */
#include "api/openapi.h"

#include "api/openapi_page.h"
#include "api/scope.h"
#include "base/mem.h"

#include <assert.h>
#include <inferpipe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 128 };

struct openapi {
    char *text; /* owned */
    size_t len;
    char etag[OPENAPI_ETAG_SIZE];
    struct openapi_page page;
};

#define DOCUMENT_TYPE "application/json"
#define PAGE_TYPE "text/html; charset=utf-8"
/* May be kept, and is asked for again each time. */
#define CACHE "no-cache"

struct writer {
    struct buf b;
    const struct router *routes;
    struct slice schemas; /* all of schemas.json */
    struct err *e;
    int rc; /* the first thing that is missing */
};

/* ---- schemas.json --------------------------------------------------------------------------- */

/* The member of a member of schemas.json; text NULL when it is not there. */
static struct slice look(const struct writer *w, const char *kind, const char *name, size_t len)
{
    char pointer[NAME_SIZE];
    struct slice found;
    int n = snprintf(pointer, sizeof(pointer), "/%s/%.*s", kind, (int)len, name);

    if (n < 0 || (size_t)n >= sizeof(pointer) || jsonscan_find(w->schemas, pointer, &found) < 0)
        return (struct slice){ 0 };
    return found;
}

static void missing(struct writer *w, const struct route *route, const char *kind, const char *name,
                    size_t len)
{
    if (w->rc == 0)
        w->rc = err_set(w->e, IFP_ESERVER, "schemas.json: %s has no \"%.*s\", used by %s", kind,
                        (int)len, name, route->id);
}

static void put_slice(struct writer *w, struct slice s)
{
    buf_put(&w->b, s.text, s.len);
}

static void put_text(struct writer *w, const char *s)
{
    if (!jsonscan_quote(&w->b, s, strlen(s)))
        w->b.broken = true;
}

/* ---- parameters ----------------------------------------------------------------------------- */

static void put_parameter(struct writer *w, const struct route *route, const char *in,
                          const char *name, size_t len)
{
    char special[NAME_SIZE];
    struct slice found;

    (void)snprintf(special, sizeof(special), "%s.%.*s", route->tag, (int)len, name);
    found = look(w, in, special, strlen(special));
    if (!found.text)
        found = look(w, in, name, len);
    if (!found.text) {
        missing(w, route, in, name, len);
        return;
    }
    buf_printf(&w->b, "{\"name\":\"%.*s\",\"in\":\"%s\",", (int)len, name, in);
    if (strcmp(in, "path") == 0)
        buf_puts(&w->b, "\"required\":true,");
    buf_put(&w->b, found.text + 1, found.len - 1); /* its members, and the closing brace */
    buf_putc(&w->b, ',');
}

static void put_reference(struct writer *w, const char *name)
{
    buf_printf(&w->b, "{\"$ref\":\"#/components/parameters/%s\"},", name);
}

static void put_parameters(struct writer *w, const struct route *route, struct slice own)
{
    struct slice more;

    buf_puts(&w->b, "\"parameters\":[");
    for (const char *at = strchr(route->path, '{'); at; at = strchr(at, '{')) {
        size_t len = strcspn(++at, "}");

        put_parameter(w, route, "path", at, len);
    }
    for (const char *at = route->query; at && *at;) {
        size_t len = strcspn(at, " ");

        put_parameter(w, route, "query", at, len);
        at += len + strspn(at + len, " ");
    }
    if (route->flags & ROUTE_CREATES)
        put_reference(w, "IdempotencyKey");
    if (route->scope != ROUTE_PUBLIC)
        put_reference(w, "Workspace");
    if (own.text && jsonscan_find(own, "/parameters", &more) == 0)
        buf_put(&w->b, more.text + 1, more.len - 2);
    else if (!w->b.broken && w->b.data[w->b.len - 1] == ',')
        w->b.len--;
    buf_puts(&w->b, "],");
}

/* ---- bodies and answers --------------------------------------------------------------------- */

static void put_content(struct writer *w, const struct route *route, const char *schema)
{
    if (!look(w, "schemas", schema, strlen(schema)).text)
        missing(w, route, "schemas", schema, strlen(schema));
    buf_printf(&w->b,
               "\"content\":{\"application/json\":{\"schema\":"
               "{\"$ref\":\"#/components/schemas/%s\"}}}",
               schema);
}

/* An empty body reads as {}: it will do when nothing in the object is required. */
static bool needs_body(const struct writer *w, const struct route *route)
{
    struct slice schema = look(w, "schemas", route->request, strlen(route->request)), found;

    return schema.text && (jsonscan_find(schema, "/required", &found) == 0 ||
                           jsonscan_find(schema, "/properties", &found) != 0);
}

static void put_request(struct writer *w, const struct route *route, struct slice own)
{
    struct slice body;

    if (own.text && jsonscan_find(own, "/requestBody", &body) == 0) {
        buf_puts(&w->b, "\"requestBody\":");
        put_slice(w, body);
        buf_putc(&w->b, ',');
    } else if (route->request) {
        buf_printf(&w->b, "\"requestBody\":{\"required\":%s,",
                   needs_body(w, route) ? "true" : "false");
        put_content(w, route, route->request);
        buf_puts(&w->b, "},");
    }
}

static const char *meaning_of(int status)
{
    return status == 201   ? "Created."
           : status == 202 ? "Accepted."
           : status == 204 ? "Done."
                           : "OK.";
}

static void put_success(struct writer *w, const struct route *route)
{
    buf_printf(&w->b, "\"%d\":{\"description\":\"%s\"", route->success, meaning_of(route->success));
    if (route->response) {
        buf_putc(&w->b, ',');
        put_content(w, route, route->response);
    }
    buf_puts(&w->b, "},");
}

/* Those of the operation itself, then the success unless it says that one, then the refusals. */
static void put_responses(struct writer *w, const struct route *route, struct slice own)
{
    struct slice all, key, value;
    size_t pos = 0;
    bool told = false;

    buf_puts(&w->b, "\"responses\":{");
    if (own.text && jsonscan_find(own, "/responses", &all) == 0) {
        while (jsonscan_each(all, &pos, &key, &value)) {
            told = told || (int)strtol(key.text, NULL, 10) == route->success;
            buf_printf(&w->b, "\"%.*s\":", (int)key.len, key.text);
            put_slice(w, value);
            buf_putc(&w->b, ',');
        }
    }
    if (!told)
        put_success(w, route);
    if (route->scope != ROUTE_PUBLIC)
        buf_puts(&w->b, "\"401\":{\"$ref\":\"#/components/responses/Unauthorized\"},"
                        "\"403\":{\"$ref\":\"#/components/responses/Forbidden\"},"
                        "\"429\":{\"$ref\":\"#/components/responses/RateLimited\"},");
    else
        buf_puts(&w->b, "\"4XX\":{\"$ref\":\"#/components/responses/Problem\"},");
    buf_puts(&w->b, "\"default\":{\"$ref\":\"#/components/responses/Problem\"}}");
}

/* ---- operations ----------------------------------------------------------------------------- */

static void put_security(struct writer *w, const struct route *route)
{
    if (route->scope == ROUTE_PUBLIC)
        buf_puts(&w->b, "\"security\":[],");
    else if (route->scope >= 0)
        buf_printf(&w->b, "\"security\":[{\"key\":[]}],\"x-inferpipe-scope\":\"%s\",",
                   scope_name((enum scope)route->scope));
    else
        buf_puts(&w->b, "\"security\":[{\"key\":[]}],");
}

static void put_operation(struct writer *w, const struct route *route)
{
    static const char *const methods[HTTP_METHODS] = {
        [HTTP_GET] = "get",     [HTTP_POST] = "post",     [HTTP_PUT] = "put",
        [HTTP_PATCH] = "patch", [HTTP_DELETE] = "delete", [HTTP_OPTIONS] = "options",
    };
    struct slice own = look(w, "operations", route->id, strlen(route->id)), text;

    buf_printf(&w->b, "\"%s\":{\"operationId\":\"%s\",\"tags\":[\"%s\"],\"summary\":",
               methods[route->method], route->id, route->tag);
    put_text(w, route->summary);
    if (own.text && jsonscan_find(own, "/description", &text) == 0) {
        buf_puts(&w->b, ",\"description\":");
        put_slice(w, text);
    }
    buf_putc(&w->b, ',');
    put_security(w, route);
    put_parameters(w, route, own);
    put_request(w, route, own);
    put_responses(w, route, own);
    buf_puts(&w->b, "},");
}

/* Is it the first of those routes with its path that are shown? */
static bool is_first(const struct writer *w, const struct route *route)
{
    for (size_t i = 0;; i++) {
        const struct route *other = router_at(w->routes, i);

        assert(other);
        if (!(other->flags & ROUTE_HIDDEN) && strcmp(other->path, route->path) == 0)
            return other == route;
    }
}

static void put_path(struct writer *w, const struct route *first)
{
    const struct route *route;

    put_text(w, first->path);
    buf_puts(&w->b, ":{");
    for (size_t i = 0; (route = router_at(w->routes, i)) != NULL; i++)
        if (!(route->flags & ROUTE_HIDDEN) && strcmp(route->path, first->path) == 0)
            put_operation(w, route);
    w->b.len -= !w->b.broken;
    buf_puts(&w->b, "},");
}

/* ---- the document --------------------------------------------------------------------------- */

static void put_tags(struct writer *w)
{
    struct slice tags, key, value;
    size_t pos = 0;

    buf_puts(&w->b, "\"tags\":[");
    if (jsonscan_find(w->schemas, "/tags", &tags) == 0) {
        while (jsonscan_each(tags, &pos, &key, &value)) {
            buf_printf(&w->b, "{\"name\":\"%.*s\",\"description\":", (int)key.len, key.text);
            put_slice(w, value);
            buf_puts(&w->b, "},");
        }
        w->b.len -= !w->b.broken;
    }
    buf_puts(&w->b, "],");
}

static void put_document(struct writer *w, const char *url)
{
    struct slice part;
    const struct route *route;

    buf_puts(&w->b,
             "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"InferPipe\",\"version\":\"" IFP_VERSION
             "\",\"summary\":\"Durable workflows: start, follow and steer them.\","
             "\"license\":{\"name\":\"Apache 2.0\",\"identifier\":\"Apache-2.0\"}},"
             "\"servers\":[{\"url\":");
    put_text(w, url[0] ? url : "/");
    buf_puts(&w->b, "}],");
    put_tags(w);
    buf_puts(&w->b, "\"paths\":{");
    for (size_t i = 0; (route = router_at(w->routes, i)) != NULL; i++) {
        if (route->flags & ROUTE_HIDDEN)
            continue;
        if (!look(w, "tags", route->tag, strlen(route->tag)).text)
            missing(w, route, "tags", route->tag, strlen(route->tag));
        if (is_first(w, route))
            put_path(w, route);
    }
    w->b.len -= !w->b.broken && w->b.data[w->b.len - 1] == ',';
    buf_puts(&w->b, "},\"webhooks\":");
    if (jsonscan_find(w->schemas, "/webhooks", &part) == 0)
        put_slice(w, part);
    buf_puts(&w->b, ",\"components\":{\"schemas\":");
    if (jsonscan_find(w->schemas, "/schemas", &part) == 0)
        put_slice(w, part);
    if (jsonscan_find(w->schemas, "/components", &part) == 0) {
        buf_putc(&w->b, ',');
        buf_put(&w->b, part.text + 1, part.len - 2); /* its members */
    }
    buf_puts(&w->b, "}}");
}

/* ---- opening and answering ------------------------------------------------------------------ */

static int make_text(struct openapi *o, const struct router *routes, const char *url, struct err *e)
{
    struct writer w = { .routes = routes, .e = e };

    w.schemas = (struct slice){ openapi_schemas, strlen(openapi_schemas) };
    w.rc = jsonscan_check(w.schemas.text, w.schemas.len, e);
    if (w.rc < 0)
        return err_wrap(e, "schemas.json");
    buf_init(&w.b);
    put_document(&w, url);
    o->len = w.b.len;
    o->text = buf_take(&w.b);
    buf_release(&w.b);
    if (!o->text)
        return err_set(e, IFP_ENOMEM, "openapi: out of memory");
    return w.rc;
}

int openapi_open(const struct router *routes, const char *url, struct openapi **ret, struct err *e)
{
    struct openapi *o = mem_zalloc(sizeof(*o));
    int rc;

    *ret = NULL;
    if (!o)
        return err_set(e, IFP_ENOMEM, "openapi: out of memory");
    rc = make_text(o, routes, url, e);
    if (rc == 0)
        rc = openapi_page_etag(openapi_text(o), o->etag, e);
    if (rc == 0)
        rc = openapi_page_open(&o->page, openapi_page, openapi_text(o), e);
    if (rc < 0) {
        openapi_close(o);
        return rc;
    }
    *ret = o;
    return 0;
}

void openapi_close(struct openapi *o)
{
    if (!o)
        return;
    openapi_page_release(&o->page);
    mem_free(o->text);
    mem_free(o);
}

struct slice openapi_text(const struct openapi *o)
{
    return (struct slice){ o->text, o->len };
}

/* If-None-Match holds our tag, or any (RFC 9110, 13.1.2: weak comparison). */
static bool still_holds(const struct http_request *r, const char *etag)
{
    struct slice tags = http_header(r, "if-none-match");
    size_t len = strlen(etag);

    if (tags.len == 1 && tags.text[0] == '*')
        return true;
    for (size_t i = 0; i + len <= tags.len; i++)
        if (memcmp(tags.text + i, etag, len) == 0)
            return true;
    return false;
}

static void answer(struct http_request *r, const char *type, const char *etag, struct slice text)
{
    http_answer_header(r, "cache-control", CACHE);
    http_answer_header(r, "etag", etag);
    if (still_holds(r, etag))
        http_answer(r, 304, NULL, (struct slice){ 0 });
    else
        http_answer(r, 200, type, text);
}

void openapi_answer(const struct openapi *o, struct http_request *r)
{
    answer(r, DOCUMENT_TYPE, o->etag, openapi_text(o));
}

void openapi_answer_docs(const struct openapi *o, struct http_request *r)
{
    http_answer_header(r, "content-security-policy", o->page.policy);
    answer(r, PAGE_TYPE, o->page.etag, (struct slice){ o->page.text, o->page.len });
}
