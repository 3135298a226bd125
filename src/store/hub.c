/*
 * store/hub.c - the watches of a server, by execution and by state.
 *
 * A map finds the watches of an execution that was told of; lists say what each of them is doing:
 *
 *   UNMARKED   the execution was started by somebody else and must be flagged first
 *   READY      to be looked at by the next statement of its kind
 *   FLIGHT     is being looked at: in a slot of that statement's look
 *   IDLE       waits to be told, or for its time: the list is in order of the last look
 *   PAUSED     its owner wants nothing now
 *
 * An end may be told of before its waiter is here (the answer to the start comes on another
 * connection): the newest of those ids are kept in a small table, which hub_wait looks into.
 *
 * Failure: a statement that fails makes its watches IDLE again, and their time comes.  A watch that
 * left while in FLIGHT leaves an empty slot behind.
 * Invariant: count is the number of watches in the map.
 */
#include "store/hub.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/statements.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum state { UNMARKED, READY_ENDS, READY_STREAMS, IDLE, PAUSED, LISTS, FLIGHT = LISTS };
enum { LOOK_MARK, LOOK_ENDS, LOOK_STREAMS, LOOKS };
enum { TOLD_EARLY = 8192 };
#define POLL_US INT64_C(500000)
#define POLL_DEAF_US INT64_C(100000)

struct look {
    struct hub *hub; /* borrowed */
    struct pgreq req;
    struct hub_watch *slots[HUB_BATCH]; /* borrowed; NULL: it left */
    int count;
};

struct hub {
    struct front *front; /* borrowed */
    struct map watches;  /* execution -> one of its watches */
    struct list lists[LISTS];
    int count, count_max;
    struct look looks[LOOKS];
    struct front_sub ended, events;
    int64_t told_early[TOLD_EARLY]; /* by its lowest bits, which go round */
    struct deferred turn;
    struct timer poll;
    bool closing;
    loop_fn *closed;
    void *closed_ctx;
};

static void turn(void *ctx);
static void on_poll(void *ctx);
static void on_marked(struct pgreq *req, int err, const struct pgres *res, const struct err *e);
static void on_ended(struct pgreq *req, int err, const struct pgres *res, const struct err *e);
static void on_followed(struct pgreq *req, int err, const struct pgres *res, const struct err *e);

/* ---- watches -------------------------------------------------------------------------------- */

static void move(struct hub_watch *w, int to)
{
    struct hub *h = w->hub;

    assert(h && to >= 0 && to <= FLIGHT);
    list_del(&w->link);
    w->state = to;
    if (to == FLIGHT)
        return;
    list_push(&h->lists[to], &w->link);
    if (to != IDLE && to != PAUSED)
        deferred_call(&h->turn);
}

static void make_ready(struct hub_watch *w)
{
    move(w, w->stream ? READY_STREAMS : READY_ENDS);
}

void hub_leave(struct hub_watch *w)
{
    struct hub *h = w->hub;
    struct hub_watch *other;
    int rc;

    if (!h)
        return;
    assert(h->count > 0);
    if (w->state == FLIGHT)
        for (int i = 0; i < LOOKS; i++)
            if (w->slot < h->looks[i].count && h->looks[i].slots[w->slot] == w)
                h->looks[i].slots[w->slot] = NULL;
    if (list_empty(&w->same)) {
        map_del(&h->watches, (uint64_t)w->exec_id);
    } else {
        other = CONTAINER_OF(w->same.next, struct hub_watch, same);
        rc = map_put(&h->watches, (uint64_t)w->exec_id, other);
        assert(rc == 0); /* replaces */
    }
    list_del(&w->same);
    list_del(&w->link);
    h->count--;
    w->hub = NULL;
}

static int enter(struct hub *h, struct hub_watch *w, int64_t exec_id)
{
    struct hub_watch *other = map_get(&h->watches, (uint64_t)exec_id);

    assert(!h->closing && exec_id > 0);
    list_init(&w->link);
    list_init(&w->same);
    w->exec_id = exec_id;
    w->looked_us = 0;
    w->hub = NULL;
    if (other)
        list_push(&other->same, &w->same);
    else if (map_put(&h->watches, (uint64_t)exec_id, w) != 0)
        return IFP_ENOMEM;
    w->hub = h;
    h->count++;
    return 0;
}

int hub_wait(struct hub *h, struct hub_watch *w, int64_t exec_id, bool told)
{
    int rc = enter(h, w, exec_id);

    if (rc != 0)
        return rc;
    assert(w->ended);
    w->stream = false;
    w->looked_us = clock_mono_us();
    if (!told)
        move(w, UNMARKED);
    else if (h->told_early[exec_id % TOLD_EARLY] == exec_id)
        move(w, READY_ENDS);
    else
        move(w, IDLE);
    return 0;
}

int hub_follow(struct hub *h, struct hub_watch *w, int64_t exec_id, int32_t after, bool told)
{
    int rc = enter(h, w, exec_id);

    if (rc != 0)
        return rc;
    assert(w->event && w->page);
    w->stream = true;
    w->after = after;
    move(w, told ? READY_STREAMS : UNMARKED);
    return 0;
}

void hub_resume(struct hub_watch *w)
{
    if (!w->hub || w->state != PAUSED)
        return;
    assert(w->stream); /* who waits for an end is never paused */
    move(w, READY_STREAMS);
}

bool hub_full(const struct hub *h)
{
    return h->count >= h->count_max;
}

int hub_count(const struct hub *h)
{
    return h->count;
}

/* ---- notifications -------------------------------------------------------------------------- */

static void tell(struct hub *h, int64_t exec_id, bool ended)
{
    struct hub_watch *first = map_get(&h->watches, (uint64_t)exec_id), *w = first;

    if (ended && exec_id > 0)
        h->told_early[exec_id % TOLD_EARLY] = exec_id;
    while (w) {
        assert(w->hub == h && w->exec_id == exec_id);
        if (w->state == IDLE && (ended || w->stream))
            make_ready(w);
        else if (w->state == FLIGHT)
            w->looked_us = INT64_MIN; /* once more after this look */
        w = CONTAINER_OF(w->same.next, struct hub_watch, same);
        if (w == first)
            break;
    }
}

static void tell_all(struct hub *h, const char *payload, bool ended)
{
    char *end;

    while (*payload) {
        errno = 0;
        tell(h, strtoll(payload, &end, 10), ended);
        if (errno || end == payload)
            return; /* anybody may notify */
        payload = end + strspn(end, " ");
    }
}

static void ended_told(void *ctx, const char *payload)
{
    tell_all(ctx, payload, true);
}

static void events_told(void *ctx, const char *payload)
{
    tell_all(ctx, payload, false);
}

/* Whatever was told meanwhile is lost: everybody's time has come, a page of them a look. */
static void told_missed(void *ctx)
{
    struct hub *h = ctx;

    LIST_EACH(it, &h->lists[IDLE])
        CONTAINER_OF(it, struct hub_watch, link)->looked_us = INT64_MIN;
    on_poll(h);
}

static int64_t poll_us(const struct hub *h)
{
    return front_listening(h->front) ? POLL_US : POLL_DEAF_US;
}

/* When memory is out the next turn tries again. */
static void arm(struct hub *h)
{
    if (timer_start(&h->poll, poll_us(h)) != 0)
        deferred_call(&h->turn);
}

static void on_poll(void *ctx)
{
    struct hub *h = ctx;
    int64_t before = clock_mono_us() - poll_us(h);

    for (int i = 0; i < HUB_POLL && !list_empty(&h->lists[IDLE]); i++) {
        struct hub_watch *w = CONTAINER_OF(h->lists[IDLE].next, struct hub_watch, link);

        assert(w->state == IDLE);
        if (w->looked_us > before)
            break;
        make_ready(w);
    }
    arm(h);
}

/* ---- looks ---------------------------------------------------------------------------------- */

static void send(struct hub *h, struct look *look, enum state from)
{
    struct pgarray ids, after;
    bool streams = from == READY_STREAMS;

    assert(from < IDLE);
    if (pgreq_busy(&look->req) || list_empty(&h->lists[from]))
        return;
    assert(look->count == 0); /* its last answer was taken in */
    pgarray_init(&ids, PGTYPE_INT8);
    pgarray_init(&after, PGTYPE_INT4);
    while (look->count < HUB_BATCH && !list_empty(&h->lists[from])) {
        struct hub_watch *w = CONTAINER_OF(h->lists[from].next, struct hub_watch, link);

        move(w, FLIGHT);
        w->slot = look->count;
        w->looked_us = clock_mono_us();
        look->slots[look->count++] = w;
        pgarray_int8(&ids, w->exec_id);
        pgarray_int4(&after, w->after);
    }
    assert(look->count >= 1 && look->count <= HUB_BATCH);
    pgargs_reset(&look->req.args);
    pgargs_array(&look->req.args, &ids);
    if (streams) {
        pgargs_array(&look->req.args, &after);
        pgargs_int4(&look->req.args, HUB_PAGE);
        pgargs_int8(&look->req.args, HUB_PAGE_BYTES);
    }
    pgarray_release(&after);
    pgarray_release(&ids);
    front_exec(h->front, &look->req);
}

static void turn(void *ctx)
{
    struct hub *h = ctx;

    assert(!h->closing); /* it would arm the timer again */
    send(h, &h->looks[LOOK_MARK], UNMARKED);
    send(h, &h->looks[LOOK_ENDS], READY_ENDS);
    send(h, &h->looks[LOOK_STREAMS], READY_STREAMS);
    if (!timer_armed(&h->poll))
        arm(h);
}

/* After its look: it waits again, unless it was told of meanwhile. */
static void settle(struct hub_watch *w)
{
    assert(w->state == FLIGHT);
    if (w->looked_us == INT64_MIN)
        make_ready(w);
    else
        move(w, IDLE);
}

/* Those still in the look go on. */
static void settle_all(struct look *look)
{
    for (int i = 0; i < look->count; i++) {
        struct hub_watch *w = look->slots[i];

        look->slots[i] = NULL;
        if (w)
            settle(w);
    }
    look->count = 0;
}

static void close_when_idle(struct hub *h);

static void on_marked(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct look *look = CONTAINER_OF(req, struct look, req);
    struct hub *h = look->hub;

    (void)res;
    (void)e;
    (void)err; /* those that could not be flagged are looked at in their time */
    if (h->closing) {
        close_when_idle(h);
        return;
    }
    for (int i = 0; i < look->count; i++) {
        struct hub_watch *w = look->slots[i];

        look->slots[i] = NULL;
        if (w)
            make_ready(w); /* it may have ended before the flag */
    }
    look->count = 0;
    turn(h);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static int64_t time_or_0(const struct pgres *res, int row, int col)
{
    return pgres_null(res, row, col) ? 0 : pgres_timestamptz(res, row, col);
}

static struct hub_end end_at(const struct pgres *res, int row)
{
    return (struct hub_end){
        .exec_id = pgres_int8(res, row, 1),
        .status = (enum hub_status)pgres_int2(res, row, 2),
        .workflow = pgres_text(res, row, 3),
        .version = pgres_text(res, row, 4),
        .traceparent = pgres_text(res, row, 5),
        .created_us = pgres_timestamptz(res, row, 6),
        .started_us = time_or_0(res, row, 7),
        .finished_us = pgres_timestamptz(res, row, 8),
        .output = pgres_bytes(res, row, 9),
        .error_code = pgres_text(res, row, 10),
        .error = pgres_text(res, row, 11),
        .tokens = pgres_null(res, row, 12) ? -1 : pgres_int8(res, row, 12),
        .usd = pgres_text(res, row, 13),
    };
}

static void on_ended(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct look *look = CONTAINER_OF(req, struct look, req);
    struct hub *h = look->hub;

    (void)e;
    if (h->closing) {
        close_when_idle(h);
        return;
    }
    for (int row = 0; !err && row < pgres_rows(res); row++) {
        int64_t slot = pgres_int8(res, row, 0) - 1;
        struct hub_end end = end_at(res, row);
        struct hub_watch *w;

        assert(slot >= 0 && slot < look->count);
        w = look->slots[slot];
        if (!w)
            continue; /* it has left */
        assert(w->exec_id == end.exec_id);
        hub_leave(w);
        w->ended(w, &end);
    }
    settle_all(look);
    turn(h);
}

/* ---- streams -------------------------------------------------------------------------------- */

/* The rows of one follower, from `row` on; gives the next one's. */
static int give_page(struct look *look, const struct pgres *res, int row)
{
    int slot = (int)pgres_int8(res, row, 0) - 1, rows = pgres_rows(res), given = 0;
    bool over = pgres_bool(res, row, 1), go_on;
    int64_t total = pgres_null(res, row, 6) ? 0 : pgres_int8(res, row, 6);
    struct hub_watch *w;

    assert(slot >= 0 && slot < look->count);
    for (; row < rows && (int)pgres_int8(res, row, 0) - 1 == slot; row++) {
        struct hub_event event;

        w = look->slots[slot];
        if (!w || pgres_null(res, row, 2))
            continue;
        event = (struct hub_event){ .seq = pgres_int4(res, row, 2),
                                    .at_us = pgres_timestamptz(res, row, 3),
                                    .kind = pgres_text(res, row, 4),
                                    .data = pgres_bytes(res, row, 5) };
        assert(event.seq > w->after); /* in order, nothing twice */
        w->after = event.seq;
        given++;
        w->event(w, &event);
    }
    w = look->slots[slot];
    if (!w)
        return row;
    w->last = pgres_int4(res, row - 1, 7);
    assert(given <= total && total <= HUB_PAGE);
    over = over && given == total && total < HUB_PAGE;
    if (given < total || total == HUB_PAGE)
        w->looked_us = INT64_MIN; /* there is more */
    go_on = w->page(w, over);
    w = look->slots[slot]; /* it may have left */
    if (w && (!go_on || over)) {
        look->slots[slot] = NULL;
        move(w, PAUSED);
    }
    return row;
}

static void on_followed(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct look *look = CONTAINER_OF(req, struct look, req);
    struct hub *h = look->hub;
    int row = 0;

    (void)e;
    if (h->closing) {
        close_when_idle(h);
        return;
    }
    while (!err && row < pgres_rows(res))
        row = give_page(look, res, row);
    settle_all(look);
    turn(h);
}

/* ---- open and close ------------------------------------------------------------------------- */

static void look_init(struct hub *h, int which, enum statement statement, pgreq_done_fn *done)
{
    struct look *look = &h->looks[which];

    look->hub = h;
    pgreq_init(&look->req);
    look->req.stmt = statements_get(statement);
    look->req.done = done;
}

static void subscribe(struct hub *h, struct front_sub *sub, const char *channel,
                      void (*notified)(void *, const char *))
{
    *sub = (struct front_sub){
        .channel = channel, .notified = notified, .missed = told_missed, .ctx = h
    };
    front_subscribe(h->front, sub);
}

int hub_open(struct front *f, struct hub **ret, struct err *e)
{
    struct hub *h = mem_zalloc(sizeof(*h));

    if (!h)
        return err_set(e, IFP_ENOMEM, "hub: out of memory");
    h->front = f;
    h->count_max = (int)config_int(front_config(f), CONFIG_WAITS_MAX);
    map_init(&h->watches);
    for (int i = 0; i < LISTS; i++)
        list_init(&h->lists[i]);
    look_init(h, LOOK_MARK, STATEMENT_AWAIT, on_marked);
    look_init(h, LOOK_ENDS, STATEMENT_ENDED, on_ended);
    look_init(h, LOOK_STREAMS, STATEMENT_FOLLOW, on_followed);
    deferred_init(&h->turn, front_loop(f), turn, h);
    timer_init(&h->poll, front_loop(f), on_poll, h);
    if (timer_start(&h->poll, POLL_DEAF_US) != 0) {
        map_release(&h->watches);
        mem_free(h);
        return err_set(e, IFP_ENOMEM, "hub: out of memory");
    }
    subscribe(h, &h->ended, "inferpipe_ended", ended_told);
    subscribe(h, &h->events, "inferpipe_events", events_told);
    *ret = h;
    return 0;
}

static void close_when_idle(struct hub *h)
{
    loop_fn *closed = h->closed;
    void *ctx = h->closed_ctx;

    for (int i = 0; i < LOOKS; i++)
        if (pgreq_busy(&h->looks[i].req))
            return;
    assert(h->closing && h->count == 0 && !timer_armed(&h->poll));
    deferred_cancel(&h->turn);
    for (int i = 0; i < LOOKS; i++)
        pgreq_release(&h->looks[i].req);
    map_release(&h->watches);
    mem_free(h);
    if (closed)
        closed(ctx);
}

static void close_turn(void *ctx)
{
    close_when_idle(ctx);
}

void hub_close(struct hub *h, loop_fn *closed, void *ctx)
{
    assert(!h->closing && h->count == 0);
    h->closing = true;
    h->closed = closed;
    h->closed_ctx = ctx;
    front_unsubscribe(h->front, &h->ended);
    front_unsubscribe(h->front, &h->events);
    timer_stop(&h->poll);
    for (int i = 0; i < LOOKS; i++)
        pgreq_cancel(&h->looks[i].req);
    deferred_cancel(&h->turn);
    deferred_init(&h->turn, front_loop(h->front), close_turn, h);
    deferred_call(&h->turn);
}
