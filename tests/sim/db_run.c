/*
 * tests/sim/db_run.c - claim, owned, journal and flush as sql/schema has them, over the model.
 * The mutations of these are here, each one line.
 */
#include "sim/check.h"
#include "sim/db_private.h"
#include "sim/sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The parameters of inferpipe.flush, by place. */
enum {
    P_WORKER,
    P_EXEC,
    P_FENCE,
    P_MOVE,
    P_STATE,
    P_STATUS,
    P_WAKE_AT,
    P_WAKE_MS,
    P_CODEC,
    P_OUTPUT,
    P_ERROR_CODE,
    P_ERROR,
    P_WAIT_KEY,
    P_WAIT_INTENT,
    P_WAIT_SEQ,
    P_WAIT_NAME,
    P_WAIT_MS,
    R_EXEC,
    R_KEY,
    R_SEQ,
    R_KIND,
    R_STATUS,
    R_ATTEMPTS,
    R_NAME,
    R_CODEC,
    R_RESULT,
    R_ERROR_CODE,
    R_ERROR,
    R_TOOK_US,
    R_WAKE_MS,
    A_EXEC,
    A_KEY,
    A_SEQ,
    A_ATTEMPT,
    A_ERROR_CODE,
    A_ERROR,
    A_NEXT_MS,
    PARAMETERS
};
enum { KEEP = 0, PARK = 1, END = 2, RECEIVE = 3, BACK = 4, CONTINUE = 6 };
enum {
    KIND_SLEEP = 2,
    KIND_MESSAGE = 3,
    KIND_TX = 6,
    KIND_ATTEMPTS = 8,
    KIND_INTENT = 9,
    KIND_CONTINUED = 14
};
enum { WRITTEN = 0, LOCKED = 1, NOT_OURS = 2, CONFLICT = 3 };
enum { GOT_MESSAGE = 1, GOT_TIMEOUT = 2, TIMED_OUT = 2 };
enum { CLAIM_DEADLINE = 9, CLAIM_INPUT = 12, CLAIM_TEXTS = 14, CLAIM_COLUMNS = 16 };
#define HINT_AHEAD_US INT64_C(1000000)
#define FAR_US INT64_C(3155760000000000)
#define STALE_US INT64_C(2000000)

static void copy_item(char *to, size_t size, const struct wire_array *a, int i)
{
    to[0] = '\0';
    if (i >= a->count || !a->items[i].text)
        return;
    (void)snprintf(to, size, "%.*s", a->items[i].len, a->items[i].text);
}

/* ---- claims ---------------------------------------------------------------------------------- */

static void add_claimed(struct pgres *r, const struct db_exec *x)
{
    wire_row(r);
    wire_add_int(r, x->id);
    wire_add_int(r, x->fence);
    wire_add_int(r, DB_LANE);
    wire_add_int(r, x->id % DB_SHARDS);
    wire_add_int(r, x->prio);
    wire_add_int(r, x->ready_us);
    wire_add_int(r, x->flags);
    wire_add_int(r, x->crashes);
    wire_add_int(r, x->has_journal);
    wire_add_null(r);
    wire_add_int(r, x->created_us);
    wire_add_int(r, x->seed);
    wire_add_text(r, x->input);
    wire_add_int(r, db_now());
    wire_add_null(r); /* neither options nor a trace context */
    wire_add_null(r);
}

static bool may_take(const struct db_exec *x, int shard, int prio, int64_t from_us)
{
    return x->live && !x->owner && x->held_until <= sim.now_us && x->id % DB_SHARDS == shard &&
           x->prio == prio && x->ready_us >= from_us && x->ready_us <= db_now();
}

/* A spot where something will be due within a second, and nothing is yet: when. */
static void add_hint(struct pgres *r, int shard, int prio, int64_t from_us)
{
    int64_t next = db_now() + HINT_AHEAD_US + 1;

    for (int k = 0; k < db.exec_count; k++) {
        const struct db_exec *x = &db.execs[k];

        if (x->live && !x->owner && x->id % DB_SHARDS == shard && x->prio == prio &&
            x->ready_us >= from_us)
            next = MIN(next, x->ready_us);
    }
    if (next <= db_now() || next > db_now() + HINT_AHEAD_US)
        return;
    wire_row(r);
    for (int i = 0; i < CLAIM_COLUMNS; i++) {
        const int64_t values[CLAIM_COLUMNS] = {
            [2] = DB_LANE, [3] = shard, [4] = prio, [5] = next, [10] = db_now(), [13] = db_now()
        };

        if (i == CLAIM_DEADLINE || i == CLAIM_INPUT || i >= CLAIM_TEXTS)
            wire_add_null(r);
        else
            wire_add_int(r, values[i]);
    }
}

const struct pgres *db_claim(const struct wire_call *c, struct err *e)
{
    int64_t worker = wire_int(c, 0), limit = wire_int(c, 5);
    struct wire_array shard = wire_array(c, 2), prio = wire_array(c, 3), from = wire_array(c, 4);
    const struct db_worker *w = db_worker_find(worker);
    struct pgres *r = wire_answer(CLAIM_COLUMNS);

    for (int i = 0; i < shard.count && limit > 0; i++) {
        add_hint(r, (int)wire_int_at(&shard, i, 0), (int)wire_int_at(&prio, i, 0),
                 wire_time_at(&from, i, INT64_MIN));
        for (int k = 0; k < db.exec_count && limit > 0; k++) {
            struct db_exec *x = &db.execs[k];

            if (!may_take(x, (int)wire_int_at(&shard, i, 0), (int)wire_int_at(&prio, i, 0),
                          wire_time_at(&from, i, INT64_MIN)))
                continue;
            if (!w || w->state != 0) {
                err_set(e, IFP_ELEASE, "the lease of the worker is lost");
                return NULL;
            }
            x->owner = worker;
            x->fence++;
            x->state = DB_RUNNING;
            limit--;
            add_claimed(r, x);
            world_note("claimed", x->id, worker, x->fence);
        }
    }
    return r;
}

const struct pgres *db_owned(const struct wire_call *c)
{
    struct pgres *r = wire_answer(CLAIM_COLUMNS);

    for (int i = 0; i < db.exec_count; i++)
        if (db.execs[i].live && db.execs[i].owner == wire_int(c, 0))
            add_claimed(r, &db.execs[i]);
    return r;
}

/* ---- journals -------------------------------------------------------------------------------- */

static void add_journal_row(struct pgres *r, const struct db_exec *x, const struct db_row *row)
{
    wire_row(r);
    wire_add_int(r, x->id);
    wire_add_int(r, row->key);
    wire_add_int(r, row->seq);
    wire_add_int(r, row->kind);
    wire_add_int(r, row->status);
    wire_add_int(r, row->attempts);
    wire_add_int(r, row->done_us);
    if (row->wake_us)
        wire_add_int(r, row->wake_us);
    else
        wire_add_null(r);
    wire_add_text(r, row->name);
    wire_add_text(r, row->has_result ? row->result : NULL);
    wire_add_text(r, row->error_code[0] ? row->error_code : NULL);
    wire_add_text(r, row->error_code[0] ? "it failed" : NULL);
}

/* The row with the lowest key above `after`, and the next one after that ... */
static const struct db_row *next_row(const struct db_exec *x, int64_t after, bool any)
{
    const struct db_row *best = NULL;

    for (int i = 0; i < x->row_count; i++) {
        const struct db_row *row = &x->rows[i];

        if (sim.o.mutation == MUTATION_STALE_JOURNAL && row->committed_us > sim.now_us - STALE_US)
            continue;
        if ((any || row->key > after) && (!best || row->key < best->key))
            best = row;
    }
    return best;
}

static void add_attempts(struct pgres *r, const struct db_exec *x)
{
    for (int i = 0; i < x->attempt_count; i++) {
        const struct db_attempt *last = &x->attempts[i];
        bool newest = true;

        for (int k = 0; k < x->attempt_count; k++)
            newest &= x->attempts[k].key != last->key || x->attempts[k].attempt <= last->attempt;
        if (!newest)
            continue;
        wire_row(r);
        wire_add_int(r, x->id);
        wire_add_int(r, last->key);
        wire_add_int(r, last->seq);
        wire_add_int(r, KIND_ATTEMPTS);
        wire_add_int(r, 0);
        wire_add_int(r, last->attempt);
        wire_add_null(r);
        wire_add_int(r, last->next_us);
        for (int k = 0; k < 4; k++)
            wire_add_null(r);
    }
}

const struct pgres *db_journal(const struct wire_call *c)
{
    struct wire_array ids = wire_array(c, 0), after = wire_array(c, 1);
    struct pgres *r = wire_answer(12);

    for (int i = 0; i < ids.count; i++) {
        const struct db_exec *x = db_find(wire_int_at(&ids, i, 0));
        bool first = !after.items[i].text;
        int64_t at = wire_int_at(&after, i, 0), left = wire_int(c, 2);
        const struct db_row *row;

        if (!x)
            continue;
        for (bool any = first; left > 0 && (row = next_row(x, at, any)) != NULL; any = false) {
            add_journal_row(r, x, row);
            at = row->key;
            left--;
        }
        if (first)
            add_attempts(r, x);
    }
    return r;
}

/* ---- flush ----------------------------------------------------------------------------------- */

struct flushing {
    const struct wire_call *c;
    struct wire_array p[PARAMETERS];
    int64_t worker;
    /* of the execution at hand */
    struct db_exec *x;
    int at;
    bool progress;
    int64_t wake_us, got;
    const char *payload;
};

static int64_t value(const struct flushing *f, int parameter, int i, int64_t null)
{
    return wire_int_at(&f->p[parameter], i, null);
}

static struct db_row *find_row(struct db_exec *x, int64_t key)
{
    for (int i = 0; i < x->row_count; i++)
        if (x->rows[i].key == key)
            return &x->rows[i];
    return NULL;
}

/* Adds a row unless its key is taken; NULL then. */
static struct db_row *add_row(struct db_exec *x, int64_t key, int32_t seq, int16_t kind)
{
    struct db_row *row = &x->rows[x->row_count];

    if (find_row(x, key) && sim.o.mutation != MUTATION_NO_UNIQUE)
        return NULL;
    if (x->row_count == DB_ROWS_MAX) {
        sim_violation("the journal of %lld grows without end", (long long)x->id);
        return NULL;
    }
    x->row_count++;
    *row = (struct db_row){ .key = key,
                            .seq = seq,
                            .kind = kind,
                            .fence = x->fence,
                            .done_us = db_now(),
                            .committed_us = sim.now_us };
    return row;
}

static bool is_conflict(const struct flushing *f)
{
    for (int i = 0; i < f->p[R_EXEC].count; i++) {
        const struct db_row *row;

        if (value(f, R_EXEC, i, 0) != f->x->id)
            continue;
        row = find_row(f->x, value(f, R_KEY, i, 0));
        if (row && sim.o.mutation != MUTATION_NO_UNIQUE &&
            (row->seq != value(f, R_SEQ, i, 0) || row->fence != f->x->fence))
            return true;
    }
    return false;
}

static void write_row(struct flushing *f, int i)
{
    struct db_exec *x = f->x;
    int64_t key = value(f, R_KEY, i, 0), wake_ms = value(f, R_WAKE_MS, i, -1);
    struct db_row *row =
        add_row(x, key, (int32_t)value(f, R_SEQ, i, 0), (int16_t)value(f, R_KIND, i, 0));

    if (row) {
        f->progress = true;
        row->status = (int16_t)value(f, R_STATUS, i, 0);
        row->attempts = (int16_t)value(f, R_ATTEMPTS, i, 1);
        row->wake_us = wake_ms >= 0 ? db_now() + wake_ms * 1000 : 0;
        row->has_result = f->p[R_RESULT].items[i].text != NULL;
        copy_item(row->name, sizeof(row->name), &f->p[R_NAME], i);
        copy_item(row->result, sizeof(row->result), &f->p[R_RESULT], i);
        copy_item(row->error_code, sizeof(row->error_code), &f->p[R_ERROR_CODE], i);
        check_row(x, row);
    }
    row = find_row(x, key);
    if (row && row->kind == KIND_SLEEP)
        f->wake_us = f->wake_us ? MIN(f->wake_us, row->wake_us) : row->wake_us;
}

static void write_attempts(struct flushing *f)
{
    struct db_exec *x = f->x;

    for (int i = 0; i < f->p[A_EXEC].count; i++) {
        struct db_attempt *a = &x->attempts[x->attempt_count];

        if (value(f, A_EXEC, i, 0) != x->id || x->attempt_count == DB_ATTEMPTS_MAX)
            continue;
        x->attempt_count++;
        f->progress = true;
        *a = (struct db_attempt){ .key = value(f, A_KEY, i, 0),
                                  .seq = (int32_t)value(f, A_SEQ, i, 0),
                                  .attempt = (int16_t)value(f, A_ATTEMPT, i, 0),
                                  .fence = x->fence,
                                  .next_us = db_now() + MAX(value(f, A_NEXT_MS, i, 0), 0) * 1000 };
    }
}

static void let_go(struct flushing *f, int16_t state, int64_t ready_us)
{
    struct db_exec *x = f->x;

    x->owner = 0;
    x->state = state;
    x->ready_us = x->flags & DB_FLAG_CANCEL ? db_now() : ready_us;
    if (f->progress)
        x->crashes = 0;
    f->wake_us = f->wake_us ? MIN(f->wake_us, x->ready_us) : x->ready_us;
    if (x->ready_us <= db_now())
        db_wake();
}

static void park(struct flushing *f)
{
    int64_t at_us = wire_time_at(&f->p[P_WAKE_AT], f->at, INT64_MAX);
    int64_t ms = value(f, P_WAKE_MS, f->at, -1);

    if (ms >= 0)
        at_us = MIN(at_us, db_now() + ms * 1000);
    let_go(f, (int16_t)value(f, P_STATE, f->at, 0), at_us == INT64_MAX ? db_now() : at_us);
}

static bool take_message(struct flushing *f, const char *name, int64_t key, int32_t seq)
{
    struct db_exec *x = f->x;

    for (int i = 0; i < x->message_count; i++) {
        struct db_message *m = &x->messages[i];
        struct db_row *row;

        if (strcmp(m->name, name) != 0)
            continue;
        row = add_row(x, key, seq, KIND_MESSAGE);
        if (!row)
            return false;
        row->has_result = true;
        row->attempts = 1;
        (void)snprintf(row->name, sizeof(row->name), "%s", name);
        (void)snprintf(row->result, sizeof(row->result), "%s", m->payload);
        x->message_count--;
        memmove(m, m + 1, (size_t)(x->message_count - i) * sizeof(*m));
        check_row(x, row);
        return true;
    }
    return false;
}

/* sql/schema/flush_receive.sql, in its order. */
static void receive(struct flushing *f)
{
    struct db_exec *x = f->x;
    int64_t key = value(f, P_WAIT_KEY, f->at, 0), ms = value(f, P_WAIT_MS, f->at, -1);
    int32_t seq = (int32_t)value(f, P_WAIT_SEQ, f->at, 0);
    char name[DB_NAME_SIZE];
    struct db_row *row = find_row(x, key), *intent;
    int64_t intent_key = value(f, P_WAIT_INTENT, f->at, 0);

    copy_item(name, sizeof(name), &f->p[P_WAIT_NAME], f->at);
    x->has_journal = true;
    if (row || take_message(f, name, key, seq)) {
        row = find_row(x, key);
        f->got = row->status == TIMED_OUT ? GOT_TIMEOUT : GOT_MESSAGE;
        f->payload = row->status == TIMED_OUT ? NULL : row->result;
        return;
    }
    intent = find_row(x, intent_key);
    if (!intent && (intent = add_row(x, intent_key, seq, KIND_INTENT)) != NULL) {
        f->progress = true;
        intent->wake_us = ms >= 0 ? db_now() + ms * 1000 : 0;
        (void)snprintf(intent->name, sizeof(intent->name), "%s", name);
    }
    if (intent && intent->wake_us && intent->wake_us <= db_now()) {
        row = add_row(x, key, seq, KIND_MESSAGE);
        if (row) {
            row->status = TIMED_OUT;
            row->attempts = 1;
            (void)snprintf(row->name, sizeof(row->name), "%s", name);
            (void)snprintf(row->error_code, sizeof(row->error_code), "TIMEOUT");
        }
        f->got = GOT_TIMEOUT;
        return;
    }
    (void)snprintf(x->waits_for, sizeof(x->waits_for), "%s", name);
    let_go(f, DB_MESSAGE, intent && intent->wake_us ? intent->wake_us : db_now() + FAR_US);
}

/* sql/schema/flush_continue.sql: the journal of the next generation. */
static void renew(struct flushing *f)
{
    struct db_exec *x = f->x;
    const struct db_row *last = find_row(x, KIND_CONTINUED);
    int generation = last ? (int)strtol(last->name, NULL, 10) + 1 : 1;
    char input[DB_TEXT_SIZE];
    struct db_row *row;

    copy_item(input, sizeof(input), &f->p[P_OUTPUT], f->at);
    check_continued(x, input);
    x->row_count = x->attempt_count = 0;
    x->crashes = 0;
    x->has_journal = true;
    x->fence++;
    row = add_row(x, KIND_CONTINUED, 0, KIND_CONTINUED);
    row->attempts = 1;
    row->has_result = true;
    (void)snprintf(row->name, sizeof(row->name), "%d", generation);
    (void)snprintf(row->result, sizeof(row->result), "%s", input);
}

static void end(struct flushing *f)
{
    struct db_exec *x = f->x;

    x->live = false;
    x->owner = 0;
    x->state = DB_READY;
    x->status = (int16_t)value(f, P_STATUS, f->at, 0);
    copy_item(x->output, sizeof(x->output), &f->p[P_OUTPUT], f->at);
    copy_item(x->error_code, sizeof(x->error_code), &f->p[P_ERROR_CODE], f->at);
}

static int write_run(struct flushing *f, int64_t fence)
{
    struct db_exec *x = f->x;
    bool ours = x && x->live && x->owner == f->worker && x->fence == fence;

    if (sim.o.mutation == MUTATION_CONTINUED_TWICE && x && x->fence == fence + 1 &&
        value(f, P_MOVE, f->at, KEEP) == CONTINUE && x->live && x->owner == f->worker) {
        fence = x->fence;
        ours = true;
    }
    if (!ours && !(sim.o.mutation == MUTATION_NO_FENCE && x && x->live))
        return NOT_OURS;
    if (x->held_until > sim.now_us)
        return LOCKED;
    if (is_conflict(f))
        return CONFLICT;
    check_write(x, f->worker, fence);
    for (int i = 0; i < f->p[R_EXEC].count; i++)
        if (value(f, R_EXEC, i, 0) == x->id)
            write_row(f, i);
    write_attempts(f);
    x->has_journal |= f->progress;
    switch (value(f, P_MOVE, f->at, KEEP)) {
    case PARK:
        park(f);
        break;
    case END:
        end(f);
        break;
    case RECEIVE:
        receive(f);
        break;
    case BACK:
        let_go(f, DB_READY, db_now());
        break;
    case CONTINUE:
        renew(f);
        break;
    default:
        break;
    }
    return WRITTEN;
}

const struct pgres *db_flush(const struct wire_call *c)
{
    struct flushing f = { .c = c, .worker = wire_int(c, P_WORKER) };
    struct pgres *r = wire_answer(6);

    for (int i = P_EXEC; i < PARAMETERS; i++)
        f.p[i] = wire_array(c, i);
    for (f.at = 0; f.at < f.p[P_EXEC].count; f.at++) {
        int verdict;

        f.x = db_find(value(&f, P_EXEC, f.at, 0));
        f.progress = false;
        f.wake_us = f.got = 0;
        f.payload = NULL;
        verdict = write_run(&f, value(&f, P_FENCE, f.at, 0));
        wire_row(r);
        wire_add_int(r, value(&f, P_EXEC, f.at, 0));
        wire_add_int(r, verdict);
        wire_add_int(r, f.x && verdict == WRITTEN ? f.x->flags : 0);
        if (f.wake_us)
            wire_add_int(r, f.wake_us);
        else
            wire_add_null(r);
        wire_add_int(r, f.got);
        wire_add_text(r, f.payload);
    }
    return r;
}

void db_flush_heard(const struct wire_call *c, const struct pgres *res)
{
    struct wire_array exec = wire_array(c, R_EXEC), key = wire_array(c, R_KEY);
    struct wire_array result = wire_array(c, R_RESULT);

    for (int i = 0; i < exec.count; i++)
        for (int row = 0; row < pgres_rows(res); row++) {
            char text[DB_TEXT_SIZE];

            if (pgres_int8(res, row, 0) != wire_int_at(&exec, i, 0) ||
                pgres_int2(res, row, 1) != WRITTEN)
                continue;
            copy_item(text, sizeof(text), &result, i);
            check_promise(wire_int_at(&exec, i, 0), wire_int_at(&key, i, 0), text);
        }
}

/* ---- transactional steps --------------------------------------------------------------------- */

static void copy_arg(char *to, size_t size, const struct wire_call *c, int arg)
{
    (void)snprintf(to, size, "%.*s", MAX(c->args[arg].len, 0), (const char *)c->args[arg].data);
}

int db_tx_record(const struct wire_call *c, struct db_tx_row *ret, bool *ret_ours, struct err *e)
{
    struct db_exec *x;

    *ret = (struct db_tx_row){ .worker = wire_int(c, 0),
                               .exec_id = wire_int(c, 1),
                               .fence = (int32_t)wire_int(c, 2),
                               .key = wire_int(c, 3),
                               .seq = (int32_t)wire_int(c, 4),
                               .attempts = (int16_t)wire_int(c, 6) };
    copy_arg(ret->name, sizeof(ret->name), c, 5);
    copy_arg(ret->result, sizeof(ret->result), c, 9);
    x = db_find(ret->exec_id);
    if (x && x->held_until > sim.now_us)
        return err_set(e, IFP_ETIMEOUT, "canceling statement due to lock timeout");
    *ret_ours = x && x->live && x->owner == ret->worker && x->fence == ret->fence;
    if (sim.o.mutation == MUTATION_NO_FENCE && x && x->live)
        *ret_ours = true;
    if (*ret_ours && find_row(x, ret->key) && sim.o.mutation != MUTATION_NO_UNIQUE)
        return err_set(e, IFP_ECONFLICT, "it is recorded already");
    return 0;
}

void db_tx_commit(const struct db_tx_row *row, int effects, bool heard)
{
    struct db_exec *x = db_find(row->exec_id);
    struct db_row *added;

    check_write(x, row->worker, row->fence);
    added = add_row(x, row->key, row->seq, KIND_TX);
    if (!added)
        return;
    added->attempts = row->attempts;
    added->has_result = true;
    (void)snprintf(added->name, sizeof(added->name), "%s", row->name);
    (void)snprintf(added->result, sizeof(added->result), "%s", row->result);
    x->has_journal = true;
    x->effects += effects;
    check_row(x, added);
    world_note("tx", x->id, row->key, heard);
    if (heard)
        check_promise(x->id, row->key, row->result);
}
