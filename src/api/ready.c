/*
 * api/ready.c - one question to the database at a time, and a list of the requests that wait.
 *
 *   ready_answer -> draining? no connection? -> 503 at once
 *                -> wait for the question under way, or ask -> all that wait are answered
 *
 * Who is not known to us may ask: so the answer names the check and never the reason, which may
 * hold names of hosts.  A change of the reason is logged.
 */
#include "api/ready.h"

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/migrate.h"
#include "store/statements.h"

#include <assert.h>
#include <string.h>

enum check { CHECK_NONE, CHECK_DRAINING, CHECK_DATABASE, CHECK_SCHEMA, CHECK_ENGINE };
static const char *const check_names[] = {
    [CHECK_NONE] = "",         [CHECK_DRAINING] = "draining", [CHECK_DATABASE] = "database",
    [CHECK_SCHEMA] = "schema", [CHECK_ENGINE] = "engine",
};

struct waiter {
    struct list link; /* in ready.waiters */
    struct http_request *request;
};

struct ready {
    struct ready_options o;
    struct pgreq req; /* busy exactly while somebody waits */
    struct list waiters;
    enum check said; /* what was logged last */
};

/* ---- the answer ----------------------------------------------------------------------------- */

static void note(struct ready *y, enum check failing, const struct err *why)
{
    if (failing == y->said)
        return;
    y->said = failing;
    if (failing == CHECK_NONE)
        LOG_INFO("ready");
    else if (why)
        LOG_WARN("not ready", LOG_STR("check", check_names[failing]), LOG_ERR(why));
    else
        LOG_INFO("not ready", LOG_STR("check", check_names[failing]));
}

static void answer(struct http_request *r, enum check failing)
{
    char *text = failing == CHECK_NONE
                     ? arena_printf(&r->arena, "{\"status\":\"ready\"}")
                     : arena_printf(&r->arena, "{\"status\":\"unavailable\",\"failing\":\"%s\"}",
                                    check_names[failing]);
    struct err e;

    if (!text) {
        err_set(&e, IFP_ENOMEM, "out of memory");
        http_answer_error(r, &e);
        return;
    }
    http_answer(r, failing == CHECK_NONE ? 200 : 503, "application/json",
                (struct slice){ text, strlen(text) });
}

static enum check judge(const struct ready *y, int err, const struct pgres *res)
{
    if (err == IFP_EUNAVAILABLE || err == IFP_ETIMEOUT || err == IFP_ERATELIMITED)
        return CHECK_DATABASE;
    if (err != 0 || pgres_int4(res, 0, 0) != migrate_latest())
        return CHECK_SCHEMA;
    if (y->o.engine && !y->o.engine(y->o.engine_ctx))
        return CHECK_ENGINE;
    return *y->o.draining ? CHECK_DRAINING : CHECK_NONE;
}

static void on_database(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct ready *y = CONTAINER_OF(req, struct ready, req);
    enum check failing = judge(y, err, res);
    struct list *link;
    struct list told;

    note(y, failing, err != 0 ? e : NULL);
    list_init(&told);
    list_splice(&told, &y->waiters);
    while ((link = list_pop(&told)))
        answer(CONTAINER_OF(link, struct waiter, link)->request, failing);
}

void ready_answer(struct ready *y, struct http_request *request)
{
    enum check at_once = *y->o.draining             ? CHECK_DRAINING
                         : !front_ready(y->o.front) ? CHECK_DATABASE
                                                    : CHECK_NONE;
    struct waiter *w;

    if (at_once != CHECK_NONE) {
        note(y, at_once, NULL);
        answer(request, at_once);
        return;
    }
    w = arena_alloc(&request->arena, sizeof(*w));
    if (!w) {
        answer(request, CHECK_DATABASE);
        return;
    }
    list_init(&w->link);
    w->request = request;
    list_push(&y->waiters, &w->link);
    if (!pgreq_busy(&y->req))
        front_exec(y->o.front, &y->req);
}

/* ---- open and close ------------------------------------------------------------------------- */

int ready_open(const struct ready_options *o, struct ready **ret, struct err *e)
{
    struct ready *y = mem_zalloc(sizeof(*y));

    if (!y)
        return err_set(e, IFP_ENOMEM, "out of memory");
    y->o = *o;
    list_init(&y->waiters);
    pgreq_init(&y->req);
    y->req.stmt = statements_get(STATEMENT_READY);
    y->req.done = on_database;
    *ret = y;
    return 0;
}

void ready_close(struct ready *y)
{
    if (!y)
        return;
    assert(list_empty(&y->waiters));
    pgreq_release(&y->req);
    mem_free(y);
}
