/*
 * http/chain.c - runs a request through its interceptors, each of which may end the way.
 *
 *   ENTERING --CHAIN_WAIT--> WAITING --chain_resume--> ENTERING --last one--> HANDLING
 *
 * The way of one request is an invocation: which interceptors its route has, where it is, and their
 * slots, all in one piece of memory from a pool.  It ends with the request's `finished`, which may
 * come from inside any call that answers.  So nothing here touches an invocation after calling out,
 * but in two states that keep it: `busy` (`enter` is on the stack) and WAITING (the interceptor
 * will call chain_resume, also for a request that was answered early meanwhile: that call finishes
 * it for its owner, which is us).
 *
 * An interceptor that answers and goes on nevertheless is a bug of its own: the request is not
 * answered twice, the bug is logged and counted as its failure.
 */
#include "http/chain.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "http/chain_select.h"

#include <assert.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

enum state { ENTERING, WAITING, HANDLING };

struct member {
    const struct interceptor *i; /* borrowed */
    void *self;                  /* borrowed */
    size_t slot;                 /* offset in the invocation's slots */
    int64_t calls, failures, ns;
};

struct chain {
    struct chain_options options;
    struct member members[CHAIN_MAX];
    size_t count, slots_size;
    struct chain_plans plans;
    struct invocation *free; /* owned, linked by `next` */
    size_t free_count, live;
    struct chain_stats stats;
};

struct invocation {
    struct invocation *next; /* in the chain's free ones */
    struct chain *chain;     /* borrowed */
    struct http_request *r;  /* borrowed */
    route_handler_fn *handler;
    void *ctx; /* borrowed, of the handler */
    enum state state;
    uint32_t plan, entered; /* bits: members around this route, those of them that were called */
    size_t at;              /* the member whose turn it is */
    bool busy;              /* `enter` is on the stack */
    bool answered;          /* an answer has begun; the request may be gone */
    bool finished;          /* only `busy` or WAITING keeps the memory */
    bool resumed;           /* chain_resume came from inside `enter` */
    enum chain_verdict verdict;
    struct err err;
    alignas(max_align_t) char slots[];
};

/* ---- opening -------------------------------------------------------------------------------- */

int chain_open(const struct chain_options *o, struct chain **ret, struct err *e)
{
    struct chain *c = mem_zalloc(sizeof(*c));

    *ret = c;
    if (!c)
        return err_set(e, IFP_ENOMEM, "chain: out of memory");
    c->options = *o;
    chain_plans_init(&c->plans);
    return 0;
}

void chain_close(struct chain *c)
{
    if (!c)
        return;
    assert(c->live == 0);
    while (c->free) {
        struct invocation *inv = c->free;

        c->free = inv->next;
        mem_free(inv);
    }
    chain_plans_release(&c->plans);
    mem_free(c);
}

int chain_add(struct chain *c, const struct interceptor *i, void *self, struct err *e)
{
    assert(c->stats.runs == 0 && i->name && i->name[0]);
    if (c->count == CHAIN_MAX)
        return err_set(e, IFP_EINVALID, "interceptor \"%s\": there are %d already", i->name,
                       CHAIN_MAX);
    if (i->slot_size > CHAIN_SLOT_MAX)
        return err_set(e, IFP_EINVALID, "interceptor \"%s\": its slot has over %d bytes", i->name,
                       CHAIN_SLOT_MAX);
    for (size_t k = 0; k < c->count; k++)
        if (strcmp(c->members[k].i->name, i->name) == 0)
            return err_set(e, IFP_ECONFLICT, "interceptor \"%s\" is there twice", i->name);
    c->members[c->count++] = (struct member){ .i = i, .self = self, .slot = c->slots_size };
    c->slots_size += (i->slot_size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    return 0;
}

int chain_select(struct chain *c, const char *text, const struct router *routes, struct err *e)
{
    const struct interceptor *all[CHAIN_MAX];

    assert(c->stats.runs == 0);
    for (size_t k = 0; k < c->count; k++)
        all[k] = c->members[k].i;
    return chain_plans_read(&c->plans, text, all, c->count, routes, e);
}

/* ---- invocations ---------------------------------------------------------------------------- */

static struct invocation *take(struct chain *c)
{
    struct invocation *inv = c->free;

    c->stats.runs++;
    if (inv) {
        c->free = inv->next;
        c->free_count--;
        c->stats.reused++;
    } else {
        inv = mem_alloc(sizeof(*inv) + c->slots_size);
        if (!inv)
            return NULL;
        inv->chain = c;
        c->stats.created++;
        metrics_add(METRIC_HTTP_INVOCATIONS, NULL, 1);
    }
    c->live++;
    return inv;
}

static void give_back(struct invocation *inv)
{
    struct chain *c = inv->chain;

    assert(c->live > 0);
    c->live--;
    if (c->free_count >= c->options.pool_max) {
        mem_free(inv);
        return;
    }
    inv->next = c->free;
    c->free = inv;
    c->free_count++;
}

static void on_answering(void *ctx, struct http_request *r)
{
    struct invocation *inv = ctx;

    inv->answered = true;
    for (size_t k = inv->chain->count; k-- > 0;) {
        const struct member *m = &inv->chain->members[k];

        if (inv->entered & UINT32_C(1) << k && m->i->answering)
            m->i->answering(m->self, r, inv->slots + m->slot);
    }
}

static void on_finished(void *ctx, struct http_request *r)
{
    struct invocation *inv = ctx;

    assert(!inv->finished);
    inv->answered = true;
    inv->finished = true;
    for (size_t k = inv->chain->count; k-- > 0;) {
        const struct member *m = &inv->chain->members[k];

        if (inv->entered & UINT32_C(1) << k && m->i->finished)
            m->i->finished(m->self, r, inv->slots + m->slot);
    }
    if (inv->busy || inv->state == WAITING)
        return;
    r->invocation = NULL;
    give_back(inv);
}

/* ---- the way -------------------------------------------------------------------------------- */

static void handle(struct invocation *inv)
{
    inv->state = HANDLING;
    inv->handler(inv->ctx, inv->r); /* inv and r may be gone */
}

static void on_body(void *ctx, struct http_request *r)
{
    (void)r;
    handle(ctx);
}

static void complain(struct member *m, const struct http_request *r, const char *what,
                     const struct err *e)
{
    m->failures++;
    metrics_add(METRIC_HTTP_INTERCEPTOR_FAILURES, m->i->name, 1);
    LOG_ERROR("interceptor failed", LOG_STR("interceptor", m->i->name), LOG_STR("reason", what),
              LOG_STR("detail", e ? e->text : ""), LOG_STR("request", r ? r->id : ""));
}

/* What the client is told: whether to come again, not what broke inside. */
static void answer_failure(struct http_request *r, const struct member *m, const struct err *e)
{
    bool again = e->code == IFP_EUNAVAILABLE || e->code == IFP_ENOMEM;
    struct err told;

    (void)err_set(&told, again ? e->code : IFP_ESERVER, "the interceptor \"%s\" failed",
                  m->i->name);
    http_answer_error(r, &told);
}

static enum chain_verdict enter(struct invocation *inv, struct member *m)
{
    bool metered = inv->chain->options.metered;
    int64_t start = metered ? clock_mono_ns() : 0;
    void *slot = inv->slots + m->slot;
    enum chain_verdict verdict;

    m->calls++;
    if (m->i->slot_size > 0)
        memset(slot, 0, m->i->slot_size);
    if (!m->i->enter)
        return CHAIN_NEXT;
    inv->err.code = 0;
    inv->err.text[0] = '\0';
    inv->busy = true;
    verdict = m->i->enter(m->self, inv->r, slot, &inv->err);
    inv->busy = false;
    if (metered)
        m->ns += clock_mono_ns() - start;
    return verdict;
}

/* `enter` has answered: the way ends here, whatever it says. */
static void end_answered(struct invocation *inv, struct member *m, enum chain_verdict verdict)
{
    if (verdict != CHAIN_ANSWERED)
        complain(m, NULL, "it answered and did not say so", NULL);
    inv->state = HANDLING;
    if (inv->finished)
        give_back(inv); /* the request is gone */
}

/* What a verdict means for the way: true, the next one may come. */
static bool settle(struct invocation *inv, struct member *m, enum chain_verdict verdict)
{
    if (verdict == CHAIN_NEXT)
        return true;
    if (verdict == CHAIN_WAIT) {
        inv->state = WAITING;
        return false;
    }
    if (verdict == CHAIN_FAILED) {
        complain(m, inv->r, "it said so", &inv->err);
        if (m->i->optional)
            return true;
    }
    inv->state = HANDLING;
    if (verdict == CHAIN_FAILED)
        answer_failure(inv->r, m, &inv->err);
    return false;
}

/* Takes the request back from who waited; true: it goes on. */
static bool take_back(struct invocation *inv, enum chain_verdict verdict)
{
    struct http_request *r = inv->r;

    assert(inv->state == WAITING && verdict != CHAIN_WAIT);
    inv->state = ENTERING;
    if (inv->finished) {
        r->invocation = NULL;
        give_back(inv);
        http_answer(r, err_http_status(IFP_ETIMEOUT), NULL, (struct slice){ 0 }); /* dropped */
        return false;
    }
    if (verdict == CHAIN_ANSWERED) {
        struct err told = inv->err;

        inv->state = HANDLING;
        http_answer_error(r, &told);
        return false;
    }
    return settle(inv, &inv->chain->members[inv->at - 1], verdict);
}

static void go_on(struct invocation *inv)
{
    struct chain *c = inv->chain;
    struct http_request *r = inv->r;

    while (inv->at < c->count) {
        size_t k = inv->at++;
        enum chain_verdict verdict;

        if (!(inv->plan & UINT32_C(1) << k))
            continue;
        inv->entered |= UINT32_C(1) << k;
        verdict = enter(inv, &c->members[k]);
        if (inv->answered) {
            end_answered(inv, &c->members[k], verdict);
            return;
        }
        if (!settle(inv, &c->members[k], verdict) &&
            !(verdict == CHAIN_WAIT && inv->resumed && take_back(inv, inv->verdict)))
            return;
        inv->resumed = false;
    }
    if (r->route && r->route->flags & ROUTE_BODY)
        http_body(r, c->options.body_max, on_body, inv);
    else
        handle(inv);
}

void chain_run(struct chain *c, struct http_request *r, route_handler_fn *fallback, void *ctx)
{
    struct invocation *inv = take(c);

    if (!inv) {
        struct err e;

        (void)err_set(&e, IFP_ENOMEM, "out of memory");
        http_answer_error(r, &e);
        return;
    }
    inv->r = r;
    inv->handler = r->route ? r->route->handler : fallback;
    inv->ctx = ctx;
    inv->state = ENTERING;
    inv->plan = chain_plans_get(&c->plans, r->route);
    inv->entered = 0;
    inv->at = 0;
    inv->busy = inv->answered = inv->finished = inv->resumed = false;
    r->invocation = inv;
    r->watch = (struct http_watch){ on_answering, on_finished, inv };
    go_on(inv);
}

void chain_resume(struct http_request *r, enum chain_verdict verdict, const struct err *e)
{
    struct invocation *inv = r->invocation;

    assert(inv && inv->r == r && (inv->busy || inv->state == WAITING));
    assert(e || verdict == CHAIN_NEXT);
    if (e)
        inv->err = *e;
    if (inv->busy) { /* before `enter` could say that it waits */
        inv->resumed = true;
        inv->verdict = verdict;
    } else if (take_back(inv, verdict)) {
        go_on(inv);
    }
}

/* ---- looking -------------------------------------------------------------------------------- */

struct chain_stats chain_stats(const struct chain *c)
{
    return c->stats;
}

size_t chain_metrics(const struct chain *c, struct chain_metric *ret, size_t max)
{
    size_t n = MIN(c->count, max);

    for (size_t k = 0; k < n; k++) {
        const struct member *m = &c->members[k];

        ret[k] = (struct chain_metric){ m->i->name, m->calls, m->failures, m->ns };
    }
    return n;
}

void chain_describe(const struct chain *c, const struct route *route, char *ret, size_t size)
{
    uint32_t plan = chain_plans_get(&c->plans, route);
    size_t len = 0;

    assert(size > 0);
    ret[0] = '\0';
    for (size_t k = 0; k < c->count && len < size; k++)
        if (plan & UINT32_C(1) << k)
            len += (size_t)snprintf(ret + len, size - len, "%s%s", len > 0 ? "," : "",
                                    c->members[k].i->name);
}
