/*
 * api/buckets.c - leases of tokens, and the one statement that renews them.
 *
 *   take: a token in hand?  -> used, and when few are left the bucket is marked
 *         known to be empty -> refused, with the time of the next token
 *         else              -> waits, and the bucket is marked
 *   turn:  marked buckets -> rates_take -> tokens: who waits first, the rest is the lease
 *   sweep: leases that are too old are marked, to be given back; idle buckets are dropped
 *
 * What a statement asks for is what waits and the new lease, less what will be in hand: below zero
 * it gives back.  A bucket in flight is marked again only after its answer.  Failure: who waited
 * gets the error; the tokens of that statement are lost, as it may have been carried out.
 */
#include "api/buckets.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/statements.h"

#include <assert.h>
#include <string.h>

enum { BATCH = 500, PERCENT = 100, IDLE_US = 60000000, SWEEP_US = BUCKETS_LEASE_US / 2 };

struct bucket {
    struct list link; /* in `marked` or `flight`; else in none */
    struct list waits;
    int64_t key, burst;
    bool flying;
    int wait_count;
    int32_t want;             /* of the statement in flight */
    int64_t tokens;           /* in hand */
    int64_t used;             /* since the last statement left: what a lease is measured by */
    int64_t lease_us;         /* when the last lease was asked for */
    int64_t remaining;        /* in the database, then */
    int64_t full_us, next_us; /* when it will be full; when the next token comes, 0: there are */
    int64_t touched_us;
    bool no_limit; /* the database knows of none (any more) */
};

struct buckets {
    struct front *front; /* borrowed */
    struct map map;      /* key -> bucket, owned */
    struct list marked, flight;
    struct pgreq req;
    struct timer turn, sweep;
    int64_t lease_percent, sent_us;
    int waiting;
    struct buckets_stats stats;
    bool closing;
    loop_fn *closed;
    void *closed_ctx;
};

/* ---- a bucket ------------------------------------------------------------------------------- */

/* When no memory is left for the timer, the sweep sends what is marked. */
static void arm(struct buckets *b)
{
    int64_t wait = b->sent_us + BUCKETS_PACE_US - clock_mono_us();

    if (!list_empty(&b->marked) && !pgreq_busy(&b->req) && !timer_armed(&b->turn) && !b->closing)
        (void)!timer_start(&b->turn, MAX(wait, 0));
}

static void mark(struct buckets *b, struct bucket *x)
{
    if (x->flying || !list_empty(&x->link))
        return;
    list_push(&b->marked, &x->link);
    arm(b);
}

static int64_t lease_max(const struct buckets *b, const struct bucket *x)
{
    return MAX(1, x->burst * b->lease_percent / PERCENT);
}

static bool is_old(const struct bucket *x, int64_t now)
{
    return now - x->lease_us >= BUCKETS_LEASE_US;
}

/* What to ask for, beside what waits: twice of what was used since the last statement left, less
 * what will be left in hand when that much is used while this one is on its way.  For a key that
 * was not used, all goes back. */
static int64_t lease_wanted(const struct buckets *b, const struct bucket *x)
{
    int64_t left = MAX(0, x->tokens - x->used), most = lease_max(b, x);

    if (x->used == 0 && x->wait_count == 0 && is_old(x, clock_mono_us()))
        return -x->tokens;
    return MIN(MIN(most, 2 * x->used + 1) - left, most - x->tokens);
}

static struct buckets_state state_of(const struct bucket *x, bool granted)
{
    int64_t now = clock_mono_us();

    return (struct buckets_state){
        .granted = granted,
        .limit = x->burst,
        .remaining = MIN(x->burst, x->remaining + x->tokens),
        .reset_ms = MAX(0, x->full_us - now + 999) / 1000,
        .retry_ms = granted ? 0 : MAX(1, (x->next_us - now + 999) / 1000),
    };
}

static struct bucket *bucket_of(struct buckets *b, int64_t key, int64_t burst)
{
    struct bucket *x = map_get(&b->map, (uint64_t)key);

    if (!x) {
        x = mem_zalloc(sizeof(*x));
        if (!x)
            return NULL;
        list_init(&x->link);
        list_init(&x->waits);
        x->key = key;
        if (map_put(&b->map, (uint64_t)key, x) != 0) {
            mem_free(x);
            return NULL;
        }
    }
    x->burst = burst;
    x->touched_us = clock_mono_us();
    return x;
}

/* Tokens of a process that stood still are too old to be used: others may have had them since. */
static bool in_hand(const struct bucket *x)
{
    return x->tokens > 0 && clock_mono_us() - x->lease_us < 2 * (int64_t)BUCKETS_LEASE_US;
}

int buckets_take(struct buckets *b, int64_t key, int64_t burst, struct buckets_wait *w,
                 enum buckets_verdict *ret_said, struct buckets_state *ret, struct err *e)
{
    struct bucket *x = bucket_of(b, key, burst);

    assert(!b->closing && burst > 0);
    if (!x || (!timer_armed(&b->sweep) && timer_start(&b->sweep, SWEEP_US) != 0))
        return err_set(e, IFP_ENOMEM, "out of memory");
    *ret_said = BUCKETS_SAID;
    if (x->no_limit || in_hand(x)) {
        x->tokens -= x->tokens > 0;
        x->used++;
        if (!x->no_limit && x->tokens <= lease_max(b, x) / 2)
            mark(b, x);
        *ret = state_of(x, true);
        return 0;
    }
    if (x->next_us > clock_mono_us() && list_empty(&x->waits)) {
        *ret = state_of(x, false);
        return 0;
    }
    if (b->waiting >= BUCKETS_WAITS_MAX)
        return err_set(e, IFP_EUNAVAILABLE, "too many requests wait for their rate limit");
    b->waiting++;
    x->wait_count++;
    list_init(&w->link);
    list_push(&x->waits, &w->link);
    mark(b, x);
    *ret_said = BUCKETS_WAITING;
    return 0;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void tell(struct buckets *b, struct bucket *x, struct list *it, int err, const struct err *e)
{
    struct buckets_wait *w = CONTAINER_OF(it, struct buckets_wait, link);
    bool granted = !err && (x->no_limit || x->tokens > 0);
    struct buckets_state s;

    b->waiting--;
    x->wait_count--;
    if (granted) {
        x->tokens -= x->tokens > 0;
        x->used++;
    }
    s = state_of(x, granted);
    w->done(w, err, &s, e);
}

/* Those that waited when the answer came, as far as it goes: who came after the statement had left
 * waits for the next, unless the bucket is known to be empty. */
static void tell_all(struct buckets *b, struct bucket *x, int err, const struct err *e)
{
    for (int n = x->wait_count; n > 0; n--) {
        if (!err && !x->no_limit && x->tokens == 0 && x->next_us == 0)
            return;
        tell(b, x, list_pop(&x->waits), err, e);
    }
}

static void take_row(struct buckets *b, const struct pgres *res, int row)
{
    enum { KEY, GRANTED, REMAINING, BURST, NEXT_MS, FULL_MS };
    struct bucket *x = map_get(&b->map, (uint64_t)pgres_int8(res, row, KEY));
    int32_t granted = pgres_int4(res, row, GRANTED);
    int64_t now = clock_mono_us();

    assert(x && x->flying);
    x->no_limit = pgres_null(res, row, BURST);
    x->lease_us = b->sent_us;
    b->stats.taken += MAX(granted, 0);
    b->stats.given_back += MAX(-granted, 0);
    if (x->no_limit)
        return;
    x->tokens += MAX(granted, 0);
    x->burst = pgres_int4(res, row, BURST);
    x->remaining = pgres_int4(res, row, REMAINING);
    x->full_us = now + pgres_int8(res, row, FULL_MS) * 1000;
    x->next_us = granted < x->want ? now + pgres_int8(res, row, NEXT_MS) * 1000 : 0;
}

static void on_taken(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct buckets *b = CONTAINER_OF(req, struct buckets, req);
    struct list done;
    struct list *it;

    for (int i = 0; !err && i < pgres_rows(res); i++)
        take_row(b, res, i);
    list_init(&done);
    list_splice(&done, &b->flight);
    while ((it = list_pop(&done))) {
        struct bucket *x = CONTAINER_OF(it, struct bucket, link);

        tell_all(b, x, err, e);
        x->flying = false;
        if (!list_empty(&x->waits))
            mark(b, x);
    }
    arm(b);
}

/* ---- the statement -------------------------------------------------------------------------- */

/* Into flight, unless there is nothing to ask for. */
static void launch(struct buckets *b, struct bucket *x, struct pgarray *keys, struct pgarray *wants)
{
    int64_t n = x->wait_count + lease_wanted(b, x);

    if (n == 0 && x->wait_count == 0) {
        x->lease_us = clock_mono_us();
        return;
    }
    x->want = (int32_t)MAX(MIN(n, INT32_MAX), -INT32_MAX);
    x->tokens += MIN(x->want, 0);
    x->used = 0;
    x->flying = true;
    list_push(&b->flight, &x->link);
    pgarray_int8(keys, x->key);
    pgarray_int4(wants, x->want);
}

static void on_turn(void *ctx)
{
    struct buckets *b = ctx;
    struct pgarray keys, wants;

    if (pgreq_busy(&b->req) || b->closing)
        return;
    pgarray_init(&keys, PGTYPE_INT8);
    pgarray_init(&wants, PGTYPE_INT4);
    while (keys.count < BATCH && !list_empty(&b->marked))
        launch(b, CONTAINER_OF(list_pop(&b->marked), struct bucket, link), &keys, &wants);
    if (keys.count > 0) {
        pgargs_reset(&b->req.args);
        pgargs_array(&b->req.args, &keys);
        pgargs_array(&b->req.args, &wants);
        b->sent_us = clock_mono_us();
        b->stats.statements++;
        front_exec(b->front, &b->req);
    }
    pgarray_release(&keys);
    pgarray_release(&wants);
}

/* ---- old leases ----------------------------------------------------------------------------- */

static bool is_idle(const struct bucket *x, int64_t now)
{
    return now - x->touched_us > IDLE_US && x->tokens == 0 && !x->flying && list_empty(&x->link) &&
           list_empty(&x->waits);
}

/* One a sweep: the map may not change while it is walked. */
static void drop_idle(struct buckets *b, struct bucket *x)
{
    (void)map_del(&b->map, (uint64_t)x->key);
    mem_free(x);
}

static void on_sweep(void *ctx)
{
    struct buckets *b = ctx;
    struct bucket *x, *idle = NULL;
    int64_t now = clock_mono_us();
    size_t pos = 0;
    uint64_t key;

    while ((x = map_next(&b->map, &pos, &key))) {
        if (is_idle(x, now))
            idle = x;
        else if (x->tokens > 0 && is_old(x, now))
            mark(b, x);
        x->no_limit = x->no_limit && now - x->lease_us < (int64_t)BUCKETS_LEASE_US * 2;
    }
    if (idle)
        drop_idle(b, idle);
    if (!list_empty(&b->marked))
        arm(b);
    if (b->map.count > 0)
        (void)!timer_start(&b->sweep, SWEEP_US); /* no memory: the next take starts it */
}

/* ---- open and close ------------------------------------------------------------------------- */

int buckets_open(struct loop *l, const struct config *config, struct front *front,
                 struct buckets **ret, struct err *e)
{
    struct buckets *b = mem_zalloc(sizeof(*b));

    if (!b)
        return err_set(e, IFP_ENOMEM, "out of memory");
    b->front = front;
    b->lease_percent = config_int(config, CONFIG_RATE_LEASE);
    map_init(&b->map);
    list_init(&b->marked);
    list_init(&b->flight);
    pgreq_init(&b->req);
    b->req.stmt = statements_get(STATEMENT_RATES_TAKE);
    b->req.done = on_taken;
    timer_init(&b->turn, l, on_turn, b);
    timer_init(&b->sweep, l, on_sweep, b);
    *ret = b;
    return 0;
}

void buckets_discard(struct buckets *b)
{
    if (!b)
        return;
    assert(b->map.count == 0 && !pgreq_busy(&b->req));
    map_release(&b->map);
    pgreq_release(&b->req);
    mem_free(b);
}

static void close_part(void *ctx)
{
    struct buckets *b = ctx;
    loop_fn *closed = b->closed;
    void *closed_ctx = b->closed_ctx;
    struct bucket *x;
    size_t pos = 0;
    uint64_t key;

    if (pgreq_busy(&b->req)) {
        (void)!timer_start(&b->turn, 1000);
        return;
    }
    timer_stop(&b->sweep);
    while ((x = map_next(&b->map, &pos, &key))) {
        assert(list_empty(&x->waits));
        mem_free(x);
    }
    map_release(&b->map);
    pgreq_release(&b->req);
    mem_free(b);
    if (closed)
        closed(closed_ctx);
}

void buckets_close(struct buckets *b, loop_fn *closed, void *ctx)
{
    assert(!b->closing && b->waiting == 0);
    b->closing = true;
    b->closed = closed;
    b->closed_ctx = ctx;
    timer_stop(&b->turn);
    timer_stop(&b->sweep);
    timer_init(&b->turn, b->turn.loop, close_part, b);
    if (pgreq_busy(&b->req))
        pgreq_cancel(&b->req);
    (void)!timer_start(&b->turn, 0);
}

struct buckets_stats buckets_stats(const struct buckets *b)
{
    struct buckets_stats s = b->stats;
    struct bucket *x;
    size_t pos = 0;
    uint64_t key;

    while ((x = map_next(&b->map, &pos, &key)))
        s.held += x->tokens;
    return s;
}
