/*
 * tests/sim/db.c - the tables, what callers do, and the statements of a worker's life; those that
 * run executions are in db_run.c.
 *
 * Under the mutation "early-ack" commits are answered before they are durable: `durable` is a copy
 * made now and then, and a restart goes back to it.
 */
#include "sim/db.h"

#include "sim/check.h"
#include "sim/db_private.h"
#include "sim/schedule.h"
#include "sim/sim.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define EPOCH_US INT64_C(1767225600000000) /* the database's clock at the beginning */
#define DURABLE_EVERY_US INT64_C(400000)

enum { BACKENDS_MAX = 1 << 14, PEERS_MAX = 32 };

struct db db;

static struct {
    struct db durable;
    int64_t durable_us, started_us, last_id;
    bool backends[BACKENDS_MAX];
} server;

void db_open(void)
{
    memset(&db, 0, sizeof(db));
    memset(&server, 0, sizeof(server));
    server.started_us = EPOCH_US;
    server.last_id = INT64_C(1) << 40;
}

int64_t db_now(void)
{
    return EPOCH_US + sim.now_us;
}

void db_backend(int64_t backend, bool there)
{
    assert(backend >= 0 && backend < BACKENDS_MAX);
    server.backends[backend] = there && backend > 0;
}

void db_restart(void)
{
    memset(server.backends, 0, sizeof(server.backends));
    server.started_us = db_now();
    if (sim.o.mutation == MUTATION_EARLY_ACK)
        db = server.durable;
}

static void make_durable(void)
{
    if (sim.o.mutation != MUTATION_EARLY_ACK || sim.now_us < server.durable_us)
        return;
    server.durable = db;
    server.durable_us = sim.now_us + DURABLE_EVERY_US;
}

struct db_exec *db_find(int64_t exec_id)
{
    for (int i = 0; i < db.exec_count; i++)
        if (db.execs[i].id == exec_id)
            return &db.execs[i];
    return NULL;
}

void db_wake(void)
{
    for (int i = 0; i < db.worker_count; i++)
        if (db.workers[i].state == 0 && db.workers[i].hungry) {
            schedule_notify(DB_LANE);
            return;
        }
}

/* ---- callers --------------------------------------------------------------------------------- */

int db_start(const char *workflow, const char *input)
{
    struct db_exec *x = &db.execs[db.exec_count];

    assert(db.exec_count < DB_EXECS_MAX);
    memset(x, 0, sizeof(*x));
    x->id = ++server.last_id;
    x->created_us = x->ready_us = db_now();
    x->seed = (int64_t)world_random();
    x->prio = 3;
    x->live = true;
    (void)snprintf(x->workflow, sizeof(x->workflow), "%s", workflow);
    (void)snprintf(x->input, sizeof(x->input), "%s", input);
    world_note("start", x->id, 0, 0);
    db_wake();
    return db.exec_count++;
}

void db_send(int exec, const char *name, const char *payload)
{
    struct db_exec *x = &db.execs[exec];
    struct db_message *m = &x->messages[x->message_count];

    if (!x->live || x->message_count == DB_MESSAGES_MAX)
        return;
    (void)snprintf(m->name, sizeof(m->name), "%s", name);
    (void)snprintf(m->payload, sizeof(m->payload), "%s", payload);
    x->message_count++;
    world_note("send", x->id, x->state, x->owner);
    if (x->owner || x->state != DB_MESSAGE || strcmp(x->waits_for, name) != 0 ||
        sim.o.mutation == MUTATION_LOST_WAKE)
        return;
    x->state = DB_READY;
    x->ready_us = db_now();
    db_wake();
}

void db_cancel(int exec)
{
    struct db_exec *x = &db.execs[exec];

    if (!x->live)
        return;
    world_note("cancel", x->id, x->state, x->owner);
    if (!x->owner && !x->has_journal) {
        x->live = false;
        x->status = DB_CANCELED;
        return;
    }
    x->cancel_for = x->owner;
    x->flags |= DB_FLAG_CANCEL;
    if (x->owner)
        return;
    x->state = DB_READY;
    x->ready_us = db_now();
    db_wake();
}

void db_hold(int exec, int64_t us)
{
    db.execs[exec].held_until = sim.now_us + us;
}

/* ---- a worker's life ------------------------------------------------------------------------- */

struct db_worker *db_worker_find(int64_t id)
{
    for (int i = 0; i < db.worker_count; i++)
        if (db.workers[i].id == id)
            return &db.workers[i];
    return NULL;
}

static bool beat(const struct wire_call *c, int64_t backend)
{
    int64_t id = wire_int(c, 0);
    struct db_worker *w = db_worker_find(id);

    if (!w) {
        assert(db.worker_count < DB_WORKERS_MAX);
        w = &db.workers[db.worker_count++];
        *w = (struct db_worker){ .id = id };
    } else if (w->state != 0) {
        return false;
    } else {
        w->beats++;
    }
    w->backend = backend;
    w->backend_start = backend; /* any number that no other backend has */
    w->hungry = wire_int(c, 3) != 0;
    return true;
}

static void add_tick_row(struct pgres *r, int kind, int64_t id, int64_t n, int64_t m, int64_t at_us)
{
    wire_row(r);
    wire_add_int(r, kind);
    wire_add_int(r, id);
    wire_add_int(r, n);
    wire_add_int(r, m);
    if (at_us == INT64_MIN)
        wire_add_null(r);
    else
        wire_add_int(r, at_us);
}

/* Rows of kinds 4 and 6: what is due in each shard and priority, and what comes next. */
static void sweep(struct pgres *r)
{
    int64_t now = db_now();
    int64_t due[DB_SHARDS], next[DB_SHARDS];

    for (int s = 0; s < DB_SHARDS; s++)
        due[s] = next[s] = INT64_MAX;
    for (int i = 0; i < db.exec_count; i++) {
        const struct db_exec *x = &db.execs[i];

        if (!x->live || x->owner)
            continue;
        if (x->ready_us <= now)
            due[x->id % DB_SHARDS] = MIN(due[x->id % DB_SHARDS], x->ready_us);
        else
            next[x->id % DB_SHARDS] = MIN(next[x->id % DB_SHARDS], x->ready_us);
    }
    for (int s = 0; s < DB_SHARDS; s++) {
        if (due[s] != INT64_MAX)
            add_tick_row(r, 4, DB_LANE, s, 3, due[s]);
        if (next[s] != INT64_MAX)
            add_tick_row(r, 6, DB_LANE, s, 3, next[s]);
    }
}

static int64_t backend_there(const struct db_worker *w)
{
    return w->backend > 0 && server.backends[w->backend];
}

static const struct pgres *tick(const struct wire_call *c, int64_t backend)
{
    struct pgres *r = wire_answer(5);
    int64_t id = wire_int(c, 0);
    bool alive = beat(c, backend);

    add_tick_row(r, 1, id, alive, server.started_us, db_now());
    if (!alive)
        return r;
    for (int i = 0, peers = 0; i < db.worker_count && peers < PEERS_MAX; i++) {
        const struct db_worker *w = &db.workers[i];

        if (w->state != 0 || w->id == id)
            continue;
        peers++;
        add_tick_row(r, 2, w->id, w->beats, backend_there(w), w->backend_start);
    }
    for (int i = 0; i < db.exec_count; i++) {
        if (db.execs[i].cancel_for != id)
            continue;
        db.execs[i].cancel_for = 0;
        add_tick_row(r, 3, db.execs[i].id, 0, 0, INT64_MIN);
    }
    add_tick_row(r, 5, DB_LANE, DB_SHARDS, 0, INT64_MIN);
    for (int i = 0; i < db.worker_count; i++)
        if (db.workers[i].state == 1)
            add_tick_row(r, 7, db.workers[i].id, 0, 0, INT64_MIN);
    if (wire_int(c, 9))
        sweep(r);
    return r;
}

static const struct pgres *one_number(int64_t n)
{
    struct pgres *r = wire_answer(1);

    wire_row(r);
    wire_add_int(r, n);
    return r;
}

static const struct pgres *reap_mark(const struct wire_call *c)
{
    struct db_worker *w = db_worker_find(wire_int(c, 0));
    bool marked = w && w->state == 0 && w->beats == wire_int(c, 1);

    if (marked)
        w->state = 1;
    sim.result.takeovers += marked;
    return one_number(marked);
}

static bool wrote(const struct db_exec *x)
{
    for (int i = 0; i < x->row_count; i++)
        if (x->rows[i].fence == x->fence)
            return true;
    return false;
}

static void release(struct db_exec *x)
{
    bool progress = wrote(x);

    x->owner = 0;
    x->state = DB_READY;
    x->ready_us = db_now();
    x->crashes = progress ? 1 : (int16_t)(x->crashes + 1);
    x->has_journal |= progress;
}

static const struct pgres *reap_release(void)
{
    struct pgres *r = wire_answer(2);
    int released = 0, remaining = 0;

    for (int i = 0; i < db.worker_count; i++) {
        int left = 0;

        if (db.workers[i].state != 1)
            continue;
        for (int k = 0; k < db.exec_count; k++) {
            struct db_exec *x = &db.execs[k];
            bool its = x->live && x->owner == db.workers[i].id;

            left += its && x->held_until > sim.now_us;
            if (!its || x->held_until > sim.now_us || sim.o.mutation == MUTATION_LOST_RUN)
                continue;
            release(x);
            x->cancel_for = 0;
            released++;
        }
        remaining += left;
        db.workers[i].state = left > 0 ? 1 : 2;
    }
    if (released > 0)
        db_wake();
    wire_row(r);
    wire_add_int(r, released);
    wire_add_int(r, remaining);
    return r;
}

static const struct pgres *leave(const struct wire_call *c)
{
    struct db_worker *w = db_worker_find(wire_int(c, 0));
    int left = 0, freed = 0;

    if (!w || w->state != 0)
        return one_number(0);
    for (int i = 0; i < db.exec_count; i++) {
        struct db_exec *x = &db.execs[i];

        if (!x->live || x->owner != w->id)
            continue;
        if (x->held_until > sim.now_us) {
            left++;
            continue;
        }
        x->owner = 0;
        x->state = DB_READY;
        x->ready_us = db_now();
        freed++;
    }
    w->state = left > 0 ? 1 : 2;
    if (freed > 0)
        db_wake();
    return one_number(freed);
}

/* One lane for each workflow would only multiply the probes; all have one name in the registry. */
static const struct pgres *lanes(const struct wire_call *c)
{
    struct wire_array names = wire_array(c, 1);
    struct pgres *r = wire_answer(4);

    assert(names.count == 1);
    wire_row(r);
    wire_add_int(r, DB_LANE);
    wire_add_text(r, arena_strndup(&sim.arena, names.items[0].text, (size_t)names.items[0].len));
    wire_add_text(r, "1");
    wire_add_text(r, "default");
    return r;
}

/* ---- the statements -------------------------------------------------------------------------- */

static const struct pgres *run(const struct wire_call *c, int64_t backend, struct err *e)
{
    const char *name = c->name;

    if (strcmp(name, "tick") == 0)
        return tick(c, backend);
    if (strcmp(name, "flush") == 0)
        return db_flush(c);
    if (strcmp(name, "claim") == 0)
        return db_claim(c, e);
    if (strcmp(name, "owned") == 0)
        return db_owned(c);
    if (strcmp(name, "journal") == 0)
        return db_journal(c);
    if (strcmp(name, "beat") == 0)
        return one_number(beat(c, backend));
    if (strcmp(name, "register") == 0)
        return one_number(1);
    if (strcmp(name, "maintain") == 0)
        return one_number(0); /* no more of it */
    if (strcmp(name, "lanes") == 0)
        return lanes(c);
    if (strcmp(name, "reap_mark") == 0)
        return reap_mark(c);
    if (strcmp(name, "reap_release") == 0)
        return reap_release();
    if (strcmp(name, "leave") == 0)
        return leave(c);
    if (strncmp(name, "listen ", 7) == 0)
        return one_number(0);
    err_set(e, IFP_EUNAVAILABLE, "%s: the model has no such statement", name);
    return NULL;
}

const struct pgres *db_run(const struct wire_call *c, int64_t backend, struct err *e)
{
    const struct pgres *r;

    err_clear(e);
    make_durable();
    r = run(c, backend, e);
    check_database();
    return r;
}
