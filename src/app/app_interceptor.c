/*
 * app/app_interceptor.c - ifp_interceptor: a program's own interceptors, and requests as they see
 * them.
 *
 * The program's functions cannot answer by themselves, they say what the answer is to be: so none
 * can answer twice.  What they ask for is copied into memory of that one call, never into the
 * request's: when `finished` comes, a thread may still be at work with that (http_answer_early).
 */
#include "app/app.h"

#include "http/chain.h"
#include "store/client.h"

#include <string.h>

enum { APP_INTERCEPTORS_MAX = 16 };

struct app_interceptor {
    struct app_interceptor *next; /* in the app's */
    struct interceptor i;
    ifp_enter_fn *enter;
    ifp_finished_fn *finished;
    void *user; /* borrowed */
};

/* Of one call. */
struct ifp_request {
    struct http_request *http; /* borrowed */
    struct arena texts;
    struct err *refusal; /* borrowed; NULL in `finished` */
};

/* ---- requests ------------------------------------------------------------------------------- */

/* Without memory the empty text: the call is a look, not a decision. */
static const char *text_of(const ifp_request *r, struct slice s)
{
    const char *text = arena_strndup(&((ifp_request *)(uintptr_t)r)->texts, s.text, s.len);

    return text ? text : "";
}

const char *ifp_request_method(const ifp_request *r)
{
    return route_method_name(r->http->method);
}

const char *ifp_request_path(const ifp_request *r)
{
    return text_of(r, r->http->path);
}

const char *ifp_request_route(const ifp_request *r)
{
    return r->http->route ? r->http->route->id : "";
}

const char *ifp_request_id(const ifp_request *r)
{
    return r->http->id;
}

const char *ifp_request_header(ifp_request *r, const char *name)
{
    struct slice value = { 0 };

    if (strcmp(name, "authorization") != 0 && strcmp(name, "cookie") != 0)
        value = http_header(r->http, name);
    return value.text ? text_of(r, value) : NULL;
}

int ifp_request_status(const ifp_request *r)
{
    return r->http->status;
}

void ifp_request_answer_header(ifp_request *r, const char *name, const char *value)
{
    size_t len = strlen(name);

    /* Anything but a token would end the head, or begin another. */
    if (r->refusal && len > 0 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len)
        http_answer_header(r->http, name, value);
}

int ifp_request_refuse(ifp_request *r, int error, const char *message)
{
    if (r->refusal)
        (void)err_set(r->refusal, error, "%s", message);
    return error;
}

/* ---- interceptors --------------------------------------------------------------------------- */

static bool is_error(int rc)
{
    return rc < 0 && err_from_name(ifp_error_name(rc)) == rc;
}

static enum chain_verdict on_enter(void *self, struct http_request *r, void *slot, struct err *e)
{
    const struct app_interceptor *one = self;
    struct ifp_request request = { .http = r, .refusal = e };
    int rc;

    (void)slot;
    arena_init(&request.texts, 0);
    rc = one->enter(&request, one->user);
    arena_release(&request.texts);
    if (rc == 0)
        return CHAIN_NEXT;
    if (!is_error(rc)) {
        (void)err_set(e, IFP_ESERVER, "it gave %d, which is no error", rc);
        return CHAIN_FAILED;
    }
    if (e->code != rc)
        (void)err_set(e, rc, "refused by \"%s\"", one->i.name);
    http_answer_error(r, e);
    return CHAIN_ANSWERED;
}

static void on_finished(void *self, struct http_request *r, void *slot)
{
    const struct app_interceptor *one = self;
    struct ifp_request request = { .http = r };

    (void)slot;
    arena_init(&request.texts, 0);
    one->finished(&request, one->user);
    arena_release(&request.texts);
}

/* ---- registration --------------------------------------------------------------------------- */

static int check(const ifp_app *app, const char *name, struct err *e)
{
    size_t count = 0;
    int rc = client_check_slug("name", name, e);

    for (const struct app_interceptor *one = app->interceptors; one; one = one->next) {
        count++;
        if (rc == 0 && strcmp(one->i.name, name) == 0)
            rc = err_set(e, IFP_EINVALID, "it is there twice");
    }
    if (rc == 0 && count == APP_INTERCEPTORS_MAX)
        rc = err_set(e, IFP_EINVALID, "more than %d interceptors", APP_INTERCEPTORS_MAX);
    return rc;
}

/* NULL: `e` says why. */
static struct app_interceptor *make(ifp_app *app, const char *name, struct err *e)
{
    struct app_interceptor *one;

    if (check(app, name, e) != 0)
        return NULL;
    one = arena_zalloc(&app->texts, sizeof(*one));
    if (one)
        one->i.name = arena_strndup(&app->texts, name, strlen(name));
    if (one && one->i.name)
        return one;
    (void)err_set(e, IFP_ENOMEM, "out of memory");
    return NULL;
}

void ifp_interceptor(ifp_app *app, const char *name, ifp_enter_fn *enter, ifp_finished_fn *finished,
                     void *user)
{
    const char *shown = name ? name : "";
    struct app_interceptor **end, *one;
    struct err e;

    if (!app || app->mistake.code != 0)
        return;
    one = make(app, shown, &e);
    if (!one) {
        (void)err_wrap(&e, "interceptor \"%s\"", shown);
        app->mistake = e;
        return;
    }
    one->i.enter = enter ? on_enter : NULL;
    one->i.finished = finished ? on_finished : NULL;
    one->enter = enter;
    one->finished = finished;
    one->user = user;
    for (end = &app->interceptors; *end;)
        end = &(*end)->next;
    *end = one;
}

int app_interceptor_add(const void *app, struct chain *c, struct err *e)
{
    int rc = 0;

    for (struct app_interceptor *one = ((const ifp_app *)app)->interceptors; rc == 0 && one;
         one = one->next)
        rc = chain_add(c, &one->i, one, e);
    return rc;
}
