/*
 * tests/sim/check.c - the invariants.
 *
 * Promises are what a worker was told to be durable; they stay whatever happens to the database.
 * A body that begins in a worker which has lost the execution meanwhile is no fault: nobody can
 * stop user code, and the fence drops what it gives.
 */
#include "sim/check.h"

#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

enum { PROMISES_MAX = 2048, KIND_INTENT = 9, KIND_SLEEP = 2, KIND_TX = 6, KIND_CONTINUED = 14 };

static struct {
    struct promise {
        int64_t exec_id, key;
        char result[DB_TEXT_SIZE];
    } promises[PROMISES_MAX];
    int promise_count;
    char sent[DB_EXECS_MAX][DB_MESSAGES_MAX][DB_TEXT_SIZE];
    int sent_count[DB_EXECS_MAX];
    bool canceled[DB_EXECS_MAX];
    int got[DB_EXECS_MAX], effects[DB_EXECS_MAX]; /* in generations before the present one */
} seen;

void check_open(void)
{
    memset(&seen, 0, sizeof(seen));
}

/* ---- while it runs --------------------------------------------------------------------------- */

void check_write(const struct db_exec *x, int64_t worker, int64_t fence)
{
    if (!x->live || x->owner != worker || x->fence != fence)
        sim_violation("execution %lld: a write of an owner that lost it was accepted",
                      (long long)x->id);
}

void check_row(const struct db_exec *x, const struct db_row *row)
{
    for (int i = 0; i < x->row_count; i++)
        if (&x->rows[i] != row && (x->rows[i].key == row->key ||
                                   (x->rows[i].seq == row->seq && x->rows[i].kind != KIND_INTENT)))
            sim_violation("execution %lld: two rows of call %d", (long long)x->id, row->seq);
    for (int i = 0; i < x->row_count; i++)
        if (x->rows[i].kind == KIND_SLEEP && x->rows[i].seq < row->seq &&
            x->rows[i].wake_us > row->done_us)
            sim_violation("execution %lld: call %d before its sleep was over", (long long)x->id,
                          row->seq);
}

void check_database(void)
{
    for (int i = 0; i < db.exec_count; i++) {
        const struct db_exec *x = &db.execs[i];

        if (x->live && (x->owner != 0) != (x->state == DB_RUNNING))
            sim_violation("execution %lld: state %d with owner %lld", (long long)x->id, x->state,
                          (long long)x->owner);
        if (!x->live && x->status == 0)
            sim_violation("execution %lld: neither live nor ended", (long long)x->id);
    }
}

static struct promise *find_promise(int64_t exec_id, int64_t key)
{
    for (int i = 0; i < seen.promise_count; i++)
        if (seen.promises[i].exec_id == exec_id && seen.promises[i].key == key)
            return &seen.promises[i];
    return NULL;
}

void check_promise(int64_t exec_id, int64_t key, const char *result)
{
    struct promise *p = find_promise(exec_id, key);

    if (p && strcmp(p->result, result) != 0)
        sim_violation("execution %lld: a recorded result changed", (long long)exec_id);
    if (p || seen.promise_count == PROMISES_MAX)
        return;
    p = &seen.promises[seen.promise_count++];
    p->exec_id = exec_id;
    p->key = key;
    (void)snprintf(p->result, sizeof(p->result), "%s", result);
}

void check_sent(int exec, const char *payload)
{
    if (seen.sent_count[exec] < DB_MESSAGES_MAX)
        (void)snprintf(seen.sent[exec][seen.sent_count[exec]++], DB_TEXT_SIZE, "%s", payload);
}

void check_canceled(int exec)
{
    seen.canceled[exec] = true;
}

void check_body(const struct check_body *b)
{
    const struct db_exec *x = db_find(b->exec_id);

    world_note("body", b->exec_id, b->key, b->fence);
    if (x && x->live && x->owner == b->worker && x->fence == b->fence &&
        find_promise(b->exec_id, b->key))
        sim_violation("execution %lld: a completed step ran again", (long long)b->exec_id);
}

/* ---- at the end ------------------------------------------------------------------------------ */

static const struct db_row *row_of_call(const struct db_exec *x, int32_t seq)
{
    for (int i = 0; i < x->row_count; i++)
        if (x->rows[i].seq == seq && x->rows[i].kind != KIND_INTENT)
            return &x->rows[i];
    return NULL;
}

/* What the workflow must have given, seeing each result as it was recorded. */
static void check_output(const struct db_exec *x)
{
    char wanted[sizeof(x->output)] = "0", longer[sizeof(x->output)];
    const struct db_row *row;

    for (int32_t seq = 1; (row = row_of_call(x, seq)) != NULL; seq++) {
        if (row->kind == KIND_SLEEP || row->status != 0)
            continue;
        (void)snprintf(longer, sizeof(longer), "[%.*s,%s]", (int)sizeof(longer) - DB_TEXT_SIZE - 8,
                       wanted, row->result);
        memcpy(wanted, longer, sizeof(wanted));
    }
    if (strcmp(wanted, x->output) != 0)
        sim_violation("execution %lld: gave %.60s where %.60s was recorded", (long long)x->id,
                      x->output, wanted);
}

/* Transactional steps that its journal has. */
static int count_tx(const struct db_exec *x)
{
    int rows = 0;

    for (int i = 0; i < x->row_count; i++)
        rows += x->rows[i].kind == KIND_TX && x->rows[i].status == 0;
    return rows;
}

static void check_effects(int exec)
{
    const struct db_exec *x = &db.execs[exec];
    int rows = seen.effects[exec] + count_tx(x);

    if (rows != x->effects)
        sim_violation("execution %lld: %d effects of %d transactional steps", (long long)x->id,
                      x->effects, rows);
}

/* The messages in its journal are the ones to come next; gives how many there were so far. */
static int check_received(int exec)
{
    const struct db_exec *x = &db.execs[exec];
    const struct db_row *row;
    int got = seen.got[exec];

    for (int32_t seq = 1; (row = row_of_call(x, seq)) != NULL; seq++) {
        if (strcmp(row->name, "go") != 0)
            continue;
        if (got >= seen.sent_count[exec] || strcmp(row->result, seen.sent[exec][got]) != 0)
            sim_violation("execution %lld: message %d is not the one that was sent",
                          (long long)x->id, got + 1);
        got++;
    }
    return got;
}

/* What was promised of the journal ends with it; its effects and messages are counted on.  No two
 * generations of an execution have the same input. */
void check_continued(const struct db_exec *x, const char *input)
{
    int exec = (int)(x - db.execs);

    for (int i = 0; i < x->row_count; i++)
        if (x->rows[i].kind == KIND_CONTINUED && strcmp(x->rows[i].result, input) == 0)
            sim_violation("execution %lld: continued twice", (long long)x->id);
    seen.got[exec] = check_received(exec);
    seen.effects[exec] += count_tx(x);
    for (int i = 0; i < seen.promise_count; i++)
        if (seen.promises[i].exec_id == x->id)
            seen.promises[i--] = seen.promises[--seen.promise_count];
}

static void check_messages(int exec)
{
    const struct db_exec *x = &db.execs[exec];
    int got = check_received(exec);

    if (x->message_count != 0 || got != seen.sent_count[exec])
        sim_violation("execution %lld: %d of %d messages were received", (long long)x->id, got,
                      seen.sent_count[exec]);
}

static void check_ended(int exec)
{
    const struct db_exec *x = &db.execs[exec];

    check_effects(exec);
    if (x->live) {
        sim_violation("execution %lld (%s): still in state %d, owner %lld", (long long)x->id,
                      x->input, x->state, (long long)x->owner);
    } else if (x->status == DB_COMPLETED) {
        check_output(x);
        check_messages(exec);
        sim.result.completed++;
    } else if (x->status == DB_CANCELED && seen.canceled[exec]) {
        sim.result.canceled++;
    } else {
        sim.result.failed++;
        sim_violation("execution %lld (%s): ended with %s", (long long)x->id, x->input,
                      x->error_code);
    }
}

static void check_kept(const struct promise *p)
{
    const struct db_exec *x = db_find(p->exec_id);
    bool kept = false;

    for (int i = 0; x && i < x->row_count; i++)
        kept |= x->rows[i].key == p->key && strcmp(x->rows[i].result, p->result) == 0;
    if (!kept)
        sim_violation("execution %lld: a row that was acknowledged is gone", (long long)p->exec_id);
}

void check_end(void)
{
    for (int i = 0; i < seen.promise_count; i++)
        check_kept(&seen.promises[i]);
    for (int i = 0; i < db.exec_count; i++)
        check_ended(i);
}
