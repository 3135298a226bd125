/*
 * store/flush.c - builds the columns of the group commit and reads its answer.
 *
 *   flush_add_run, flush_add_row ..., flush_add_run, ... -> flush_send -> done -> flush_answer_at
 *                                                            ^ again after a lost answer
 *
 * A payload above the inline limit travels as its SHA-256 in the row and once in the `large`
 * columns (codec 1), so that rows stay narrow and a value repeated in an execution is kept once.
 *
 * Failure: memory that runs out breaks a column stickily and a failed hash sets `failed`; then
 * flush_send finishes with IFP_ENOMEM and nothing was sent.  What cannot be stored is the engine's
 * to prevent: texts here are valid UTF-8 without zero bytes.
 *
 * Invariant: all columns of one group have the same number of elements.
 */
#include "store/flush.h"

#include "store/payload.h"
#include "store/store_private.h"

#include <assert.h>

/* The columns in the order of the parameters of inferpipe.flush. */
enum run_column {
    RUN_EXEC,
    RUN_FENCE,
    RUN_MOVE,
    RUN_STATE,
    RUN_STATUS,
    RUN_WAKE_AT,
    RUN_WAKE_MS,
    RUN_CODEC,
    RUN_OUTPUT,
    RUN_ERROR_CODE,
    RUN_ERROR,
    RUN_WAIT_KEY,
    RUN_WAIT_INTENT,
    RUN_WAIT_SEQ,
    RUN_WAIT_NAME,
    RUN_WAIT_MS,
};
enum row_column {
    ROW_EXEC,
    ROW_KEY,
    ROW_SEQ,
    ROW_KIND,
    ROW_STATUS,
    ROW_ATTEMPTS,
    ROW_NAME,
    ROW_CODEC,
    ROW_RESULT,
    ROW_ERROR_CODE,
    ROW_ERROR,
    ROW_TOOK_US,
    ROW_WAKE_MS,
};
enum attempt_column {
    ATTEMPT_EXEC,
    ATTEMPT_KEY,
    ATTEMPT_SEQ,
    ATTEMPT_NUMBER,
    ATTEMPT_ERROR_CODE,
    ATTEMPT_ERROR,
    ATTEMPT_NEXT_MS,
};
enum large_column { LARGE_EXEC, LARGE_HASH, LARGE_DATA };
enum note_column {
    NOTE_EXEC,
    NOTE_WHAT,
    NOTE_KEY,
    NOTE_SEQ,
    NOTE_ATTEMPT,
    NOTE_NUMBER,
    NOTE_NAME,
    NOTE_KIND,
    NOTE_DATA,
    NOTE_TOKENS,
    NOTE_USD,
};
enum child_column {
    CHILD_EXEC,
    CHILD_KEY,
    CHILD_SEQ,
    CHILD_NAME,
    CHILD_WORKFLOW,
    CHILD_VERSION,
    CHILD_QUEUE,
    CHILD_QUEUE_KEY,
    CHILD_PRIO,
    CHILD_DELAY_MS,
    CHILD_DEADLINE_MS,
    CHILD_FLAGS,
    CHILD_CODEC,
    CHILD_INPUT,
    CHILD_LARGE,
    CHILD_METADATA,
};

static const enum pgtype run_types[FLUSH_RUN_COLUMNS] = {
    [RUN_EXEC] = PGTYPE_INT8,        [RUN_FENCE] = PGTYPE_INT4,
    [RUN_MOVE] = PGTYPE_INT2,        [RUN_STATE] = PGTYPE_INT2,
    [RUN_STATUS] = PGTYPE_INT2,      [RUN_WAKE_AT] = PGTYPE_TIMESTAMPTZ,
    [RUN_WAKE_MS] = PGTYPE_INT8,     [RUN_CODEC] = PGTYPE_INT2,
    [RUN_OUTPUT] = PGTYPE_BYTEA,     [RUN_ERROR_CODE] = PGTYPE_TEXT,
    [RUN_ERROR] = PGTYPE_TEXT,       [RUN_WAIT_KEY] = PGTYPE_INT8,
    [RUN_WAIT_INTENT] = PGTYPE_INT8, [RUN_WAIT_SEQ] = PGTYPE_INT4,
    [RUN_WAIT_NAME] = PGTYPE_TEXT,   [RUN_WAIT_MS] = PGTYPE_INT8,
};
static const enum pgtype row_types[FLUSH_ROW_COLUMNS] = {
    [ROW_EXEC] = PGTYPE_INT8,       [ROW_KEY] = PGTYPE_INT8,    [ROW_SEQ] = PGTYPE_INT4,
    [ROW_KIND] = PGTYPE_INT2,       [ROW_STATUS] = PGTYPE_INT2, [ROW_ATTEMPTS] = PGTYPE_INT2,
    [ROW_NAME] = PGTYPE_TEXT,       [ROW_CODEC] = PGTYPE_INT2,  [ROW_RESULT] = PGTYPE_BYTEA,
    [ROW_ERROR_CODE] = PGTYPE_TEXT, [ROW_ERROR] = PGTYPE_TEXT,  [ROW_TOOK_US] = PGTYPE_INT8,
    [ROW_WAKE_MS] = PGTYPE_INT8,
};
static const enum pgtype attempt_types[FLUSH_ATTEMPT_COLUMNS] = {
    [ATTEMPT_EXEC] = PGTYPE_INT8,       [ATTEMPT_KEY] = PGTYPE_INT8,
    [ATTEMPT_SEQ] = PGTYPE_INT4,        [ATTEMPT_NUMBER] = PGTYPE_INT2,
    [ATTEMPT_ERROR_CODE] = PGTYPE_TEXT, [ATTEMPT_ERROR] = PGTYPE_TEXT,
    [ATTEMPT_NEXT_MS] = PGTYPE_INT8,
};
static const enum pgtype large_types[FLUSH_LARGE_COLUMNS] = {
    [LARGE_EXEC] = PGTYPE_INT8, [LARGE_HASH] = PGTYPE_BYTEA, [LARGE_DATA] = PGTYPE_BYTEA
};
static const enum pgtype note_types[FLUSH_NOTE_COLUMNS] = {
    [NOTE_EXEC] = PGTYPE_INT8,   [NOTE_WHAT] = PGTYPE_INT2,    [NOTE_KEY] = PGTYPE_INT8,
    [NOTE_SEQ] = PGTYPE_INT4,    [NOTE_ATTEMPT] = PGTYPE_INT2, [NOTE_NUMBER] = PGTYPE_INT4,
    [NOTE_NAME] = PGTYPE_TEXT,   [NOTE_KIND] = PGTYPE_TEXT,    [NOTE_DATA] = PGTYPE_BYTEA,
    [NOTE_TOKENS] = PGTYPE_INT8, [NOTE_USD] = PGTYPE_INT8,
};
static const enum pgtype child_types[FLUSH_CHILD_COLUMNS] = {
    [CHILD_EXEC] = PGTYPE_INT8,        [CHILD_KEY] = PGTYPE_INT8,
    [CHILD_SEQ] = PGTYPE_INT4,         [CHILD_NAME] = PGTYPE_TEXT,
    [CHILD_WORKFLOW] = PGTYPE_TEXT,    [CHILD_VERSION] = PGTYPE_TEXT,
    [CHILD_QUEUE] = PGTYPE_TEXT,       [CHILD_QUEUE_KEY] = PGTYPE_TEXT,
    [CHILD_PRIO] = PGTYPE_INT2,        [CHILD_DELAY_MS] = PGTYPE_INT8,
    [CHILD_DEADLINE_MS] = PGTYPE_INT8, [CHILD_FLAGS] = PGTYPE_INT2,
    [CHILD_CODEC] = PGTYPE_INT2,       [CHILD_INPUT] = PGTYPE_BYTEA,
    [CHILD_LARGE] = PGTYPE_BYTEA,      [CHILD_METADATA] = PGTYPE_TEXT,
};

/* ---- life ----------------------------------------------------------------------------------- */

static void init_columns(struct pgarray *columns, const enum pgtype *types, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert(types[i] != 0);
        pgarray_init(&columns[i], types[i]);
    }
}

static void release_columns(struct pgarray *columns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pgarray_release(&columns[i]);
}

static void reset_columns(struct pgarray *columns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pgarray_reset(&columns[i]);
}

static void send_columns(struct pgargs *args, const struct pgarray *columns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert(columns[i].count == columns[0].count);
        pgargs_array(args, &columns[i]);
    }
}

void flush_init(struct flush *f, struct store *s, int64_t inline_max)
{
    assert(inline_max >= 0);
    store_op_init(&f->op, s);
    init_columns(f->run, run_types, FLUSH_RUN_COLUMNS);
    init_columns(f->row, row_types, FLUSH_ROW_COLUMNS);
    init_columns(f->attempt, attempt_types, FLUSH_ATTEMPT_COLUMNS);
    init_columns(f->large, large_types, FLUSH_LARGE_COLUMNS);
    init_columns(f->note, note_types, FLUSH_NOTE_COLUMNS);
    init_columns(f->child, child_types, FLUSH_CHILD_COLUMNS);
    f->inline_max = inline_max;
    f->exec_id = 0;
    f->runs = 0;
    f->bytes = 0;
    f->failed = false;
}

void flush_release(struct flush *f)
{
    store_op_release(&f->op);
    release_columns(f->run, FLUSH_RUN_COLUMNS);
    release_columns(f->row, FLUSH_ROW_COLUMNS);
    release_columns(f->attempt, FLUSH_ATTEMPT_COLUMNS);
    release_columns(f->large, FLUSH_LARGE_COLUMNS);
    release_columns(f->note, FLUSH_NOTE_COLUMNS);
    release_columns(f->child, FLUSH_CHILD_COLUMNS);
}

void flush_reset(struct flush *f)
{
    assert(!store_op_busy(&f->op));
    reset_columns(f->run, FLUSH_RUN_COLUMNS);
    reset_columns(f->row, FLUSH_ROW_COLUMNS);
    reset_columns(f->attempt, FLUSH_ATTEMPT_COLUMNS);
    reset_columns(f->large, FLUSH_LARGE_COLUMNS);
    reset_columns(f->note, FLUSH_NOTE_COLUMNS);
    reset_columns(f->child, FLUSH_CHILD_COLUMNS);
    f->exec_id = 0;
    f->runs = 0;
    f->bytes = 0;
    f->failed = false;
}

/* ---- building ------------------------------------------------------------------------------- */

static void add_payload(struct flush *f, struct pgarray *codec, struct pgarray *column,
                        struct slice text)
{
    struct payload p;

    assert(f->exec_id);
    f->bytes += text.len;
    if (payload_split(&p, text, f->inline_max) != 0)
        f->failed = true;
    pgarray_int2(codec, p.codec);
    pgarray_bytes(column, p.column.text, p.column.len);
    if (p.codec == PAYLOAD_INLINE)
        return;
    pgarray_int8(&f->large[LARGE_EXEC], f->exec_id);
    pgarray_bytes(&f->large[LARGE_HASH], p.hash, sizeof(p.hash));
    pgarray_bytes(&f->large[LARGE_DATA], p.large.text, p.large.len);
}

/* Negative stands for SQL null. */
static void add_ms(struct pgarray *column, int64_t ms)
{
    if (ms < 0)
        pgarray_null(column);
    else
        pgarray_int8(column, ms);
}

void flush_add_run(struct flush *f, const struct flush_run *run)
{
    struct pgarray *c = f->run;

    assert(!store_op_busy(&f->op));
    assert(run->exec_id && run->fence > 0);
    assert(run->move != FLUSH_END || (run->status == FLUSH_COMPLETED) == !run->error_code);
    assert(run->move != FLUSH_RECEIVE || (run->wait_name && run->wait_key != run->wait_intent));
    f->exec_id = run->exec_id;
    f->runs++;
    pgarray_int8(&c[RUN_EXEC], run->exec_id);
    pgarray_int4(&c[RUN_FENCE], run->fence);
    pgarray_int2(&c[RUN_MOVE], (int16_t)run->move);
    pgarray_int2(&c[RUN_STATE], (int16_t)run->state);
    pgarray_int2(&c[RUN_STATUS], (int16_t)run->status);
    if (run->wake_us)
        pgarray_timestamptz(&c[RUN_WAKE_AT], run->wake_us);
    else
        pgarray_null(&c[RUN_WAKE_AT]);
    add_ms(&c[RUN_WAKE_MS],
           run->move == FLUSH_PARK || run->move == FLUSH_AWAIT ? run->wake_ms : -1);
    add_payload(f, &c[RUN_CODEC], &c[RUN_OUTPUT], run->output);
    pgarray_text(&c[RUN_ERROR_CODE], run->error_code);
    pgarray_text(&c[RUN_ERROR], run->error);
    pgarray_int8(&c[RUN_WAIT_KEY], run->wait_key);
    pgarray_int8(&c[RUN_WAIT_INTENT], run->wait_intent);
    pgarray_int4(&c[RUN_WAIT_SEQ], run->wait_seq);
    pgarray_text(&c[RUN_WAIT_NAME], run->wait_name);
    add_ms(&c[RUN_WAIT_MS], run->move == FLUSH_RECEIVE ? run->wait_ms : -1);
}

void flush_add_row(struct flush *f, const struct flush_row *row)
{
    struct pgarray *c = f->row;

    assert(f->exec_id);
    assert(row->name && row->attempts >= 0 && row->attempts <= INT16_MAX);
    pgarray_int8(&c[ROW_EXEC], f->exec_id);
    pgarray_int8(&c[ROW_KEY], row->step_key);
    pgarray_int4(&c[ROW_SEQ], row->seq);
    pgarray_int2(&c[ROW_KIND], (int16_t)row->kind);
    pgarray_int2(&c[ROW_STATUS], (int16_t)row->status);
    pgarray_int2(&c[ROW_ATTEMPTS], (int16_t)row->attempts);
    pgarray_text(&c[ROW_NAME], row->name);
    add_payload(f, &c[ROW_CODEC], &c[ROW_RESULT], row->result);
    pgarray_text(&c[ROW_ERROR_CODE], row->error_code);
    pgarray_text(&c[ROW_ERROR], row->error);
    pgarray_int8(&c[ROW_TOOK_US], row->took_us);
    add_ms(&c[ROW_WAKE_MS], row->wake_ms);
}

void flush_add_attempt(struct flush *f, const struct flush_attempt *attempt)
{
    struct pgarray *c = f->attempt;

    assert(f->exec_id);
    assert(attempt->attempt > 0 && attempt->attempt <= INT16_MAX);
    pgarray_int8(&c[ATTEMPT_EXEC], f->exec_id);
    pgarray_int8(&c[ATTEMPT_KEY], attempt->step_key);
    pgarray_int4(&c[ATTEMPT_SEQ], attempt->seq);
    pgarray_int2(&c[ATTEMPT_NUMBER], (int16_t)attempt->attempt);
    pgarray_text(&c[ATTEMPT_ERROR_CODE], attempt->error_code);
    pgarray_text(&c[ATTEMPT_ERROR], attempt->error);
    add_ms(&c[ATTEMPT_NEXT_MS], attempt->next_ms);
}

void flush_add_note(struct flush *f, const struct flush_note *note)
{
    struct pgarray *c = f->note;

    assert(f->exec_id);
    assert(note->what >= FLUSH_COST && note->name && note->attempt <= INT16_MAX);
    f->bytes += note->data.len;
    pgarray_int8(&c[NOTE_EXEC], f->exec_id);
    pgarray_int2(&c[NOTE_WHAT], (int16_t)note->what);
    pgarray_int8(&c[NOTE_KEY], note->step_key);
    pgarray_int4(&c[NOTE_SEQ], note->seq);
    pgarray_int2(&c[NOTE_ATTEMPT], (int16_t)note->attempt);
    pgarray_int4(&c[NOTE_NUMBER], note->number);
    pgarray_text(&c[NOTE_NAME], note->name);
    pgarray_text(&c[NOTE_KIND], note->kind);
    pgarray_bytes(&c[NOTE_DATA], note->data.text, note->data.len);
    pgarray_int8(&c[NOTE_TOKENS], note->tokens);
    pgarray_int8(&c[NOTE_USD], note->nanos);
}

void flush_add_child(struct flush *f, const struct flush_child *child)
{
    struct pgarray *c = f->child;
    struct payload p;

    assert(f->exec_id && child->seq >= 1 && child->name && child->workflow);
    f->bytes += child->input.len;
    if (payload_split(&p, child->input, f->inline_max) != 0)
        f->failed = true;
    pgarray_int8(&c[CHILD_EXEC], f->exec_id);
    pgarray_int8(&c[CHILD_KEY], child->step_key);
    pgarray_int4(&c[CHILD_SEQ], child->seq);
    pgarray_text(&c[CHILD_NAME], child->name);
    pgarray_text(&c[CHILD_WORKFLOW], child->workflow);
    pgarray_text(&c[CHILD_VERSION], child->version);
    pgarray_text(&c[CHILD_QUEUE], child->queue);
    pgarray_text(&c[CHILD_QUEUE_KEY], child->queue_key);
    if (child->priority == 0)
        pgarray_null(&c[CHILD_PRIO]);
    else
        pgarray_int2(&c[CHILD_PRIO], (int16_t)child->priority);
    pgarray_int8(&c[CHILD_DELAY_MS], child->delay_ms);
    if (child->deadline_ms == 0)
        pgarray_null(&c[CHILD_DEADLINE_MS]);
    else
        pgarray_int8(&c[CHILD_DEADLINE_MS], child->deadline_ms);
    pgarray_int2(&c[CHILD_FLAGS], child->left_alone ? STORE_FLAG_LEFT_ALONE : 0);
    pgarray_int2(&c[CHILD_CODEC], p.codec);
    pgarray_bytes(&c[CHILD_INPUT], p.column.text, p.column.len);
    if (p.codec == PAYLOAD_INLINE)
        pgarray_null(&c[CHILD_LARGE]);
    else
        pgarray_bytes(&c[CHILD_LARGE], p.large.text, p.large.len);
    pgarray_text(&c[CHILD_METADATA], child->metadata);
}

/* ---- sending -------------------------------------------------------------------------------- */

void flush_send(struct flush *f, int64_t worker, store_done_fn *done)
{
    struct pgargs *args = store_begin(&f->op, STATEMENT_FLUSH, done);

    assert(worker > 0 && f->runs > 0);
    pgargs_int8(args, worker);
    send_columns(args, f->run, FLUSH_RUN_COLUMNS);
    send_columns(args, f->row, FLUSH_ROW_COLUMNS);
    send_columns(args, f->attempt, FLUSH_ATTEMPT_COLUMNS);
    send_columns(args, f->large, FLUSH_LARGE_COLUMNS);
    send_columns(args, f->note, FLUSH_NOTE_COLUMNS);
    send_columns(args, f->child, FLUSH_CHILD_COLUMNS);
    if (f->failed)
        args->data.broken = true; /* one way to refuse: as when memory is out */
    store_on_pool(&f->op);
}

struct flush_answer flush_answer_at(const struct flush *f, int row)
{
    const struct pgres *res = f->op.res;

    assert(res && row < f->op.rows);
    return (struct flush_answer){
        .exec_id = pgres_int8(res, row, 0),
        .verdict = (enum flush_verdict)pgres_int2(res, row, 1),
        .flags = pgres_int2(res, row, 2),
        .wake_us = pgres_null(res, row, 3) ? 0 : pgres_timestamptz(res, row, 3),
        .got = (enum flush_got)pgres_int2(res, row, 4),
        .payload = pgres_bytes(res, row, 5),
    };
}

void flush_send_notes(struct flush *f, int64_t worker, store_done_fn *done)
{
    struct pgargs *args = store_begin(&f->op, STATEMENT_NOTES, done);

    assert(worker > 0 && f->runs > 0);
    pgargs_int8(args, worker);
    pgargs_array(args, &f->run[RUN_EXEC]);
    pgargs_array(args, &f->run[RUN_FENCE]);
    send_columns(args, f->note, FLUSH_NOTE_COLUMNS);
    store_on_pool(&f->op);
}

struct flush_told flush_told_at(const struct flush *f, int row)
{
    const struct pgres *res = f->op.res;

    assert(res && row < f->op.rows);
    return (struct flush_told){
        .exec_id = pgres_int8(res, row, 0),
        .verdict = (enum flush_verdict)pgres_int2(res, row, 1),
        .events = pgres_int4(res, row, 2),
    };
}
