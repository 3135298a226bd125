/*
 * store/txstep.c - begin, record, commit of a transactional step, on a blocking connection.
 *
 * The transaction id taken at BEGIN is sent along with the step's row: PostgreSQL refuses the row
 * (IFP_EINVALID) when the user committed or rolled back meanwhile, because the statement then runs
 * in another transaction.
 *
 * Failure: when the connection breaks before the user's code has begun, everything is tried once
 * more on a new one: nothing has happened yet.  From then on nothing is repeated: the caller rolls
 * back, and after a COMMIT whose answer was lost asks the journal.
 */
#include "store/txstep.h"

#include "store/payload.h"
#include "store/statements.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BEGIN "begin isolation level read committed read write"

static int take_xid(struct pgsync *db, struct txstep *t, struct err *e)
{
    struct pgres *res;
    int err = pgsync_exec(db, statements_get(STATEMENT_TX_ID), NULL, &res, e);

    assert(sizeof(t->xid) > 20); /* 64 bits in decimal */
    if (err)
        return err;
    assert(pgres_rows(res) == 1);
    (void)snprintf(t->xid, sizeof(t->xid), "%s", pgres_text(res, 0, 0));
    pgsync_free_result(res);
    return 0;
}

static int open_transaction(struct pgsync *db, struct txstep *t, struct err *e)
{
    int err = pgsync_revive(db, e);

    if (!err)
        err = pgsync_script(db, BEGIN, e);
    if (!err)
        err = take_xid(db, t, e);
    return err;
}

int txstep_begin(struct pgsync *db, struct txstep *t, struct err *e)
{
    int err;

    assert(t->worker > 0 && t->exec_id && t->fence > 0 && t->name);
    assert(!pgsync_in_transaction(db));
    t->xid[0] = '\0';
    err = open_transaction(db, t, e);
    if (err == IFP_EUNAVAILABLE)
        err = open_transaction(db, t, e);
    if (err) {
        txstep_rollback(db);
        return err_wrap(e, "begin");
    }
    assert(t->xid[0]);
    return 0;
}

static void build_record(struct pgargs *args, const struct txstep *t, const struct payload *result)
{
    assert(t->attempts > 0 && t->attempts <= INT16_MAX);
    pgargs_int8(args, t->worker);
    pgargs_int8(args, t->exec_id);
    pgargs_int4(args, t->fence);
    pgargs_int8(args, t->step_key);
    pgargs_int4(args, t->seq);
    pgargs_text(args, t->name);
    pgargs_int2(args, (int16_t)t->attempts);
    pgargs_int8(args, t->took_us);
    pgargs_int2(args, result->codec);
    pgargs_bytes(args, result->column.text, result->column.len);
    pgargs_bytes(args, result->large.text, result->large.len);
    pgargs_text(args, t->xid);
}

int txstep_record(struct pgsync *db, const struct txstep *t, struct slice result, struct err *e)
{
    struct payload payload;
    struct pgargs args;
    struct pgres *res;
    bool ours;
    int err;

    assert(t->xid[0]);
    err = payload_split(&payload, result, t->inline_max);
    if (err)
        return err_set(e, err, "record: the result cannot be hashed");
    pgargs_init(&args);
    build_record(&args, t, &payload);
    err = pgsync_exec(db, statements_get(STATEMENT_TX_RECORD), &args, &res, e);
    pgargs_release(&args);
    if (err)
        return err_wrap(e, "record");
    assert(pgres_rows(res) == 1);
    ours = pgres_bool(res, 0, 0);
    pgsync_free_result(res);
    if (!ours)
        return err_set(e, IFP_ELEASE, "record: another worker owns this execution now");
    return 0;
}

int txstep_send(struct pgsync *db, const struct txstep *t, int64_t to, const char *name,
                struct slice message, struct err *e)
{
    struct payload payload;
    struct pgargs args;
    struct pgres *res;
    bool large;
    int err;

    assert(pgsync_in_transaction(db));
    err = payload_split(&payload, message, t->inline_max);
    if (err)
        return err_set(e, err, "send: the message cannot be hashed");
    large = payload.codec == PAYLOAD_LARGE;
    pgargs_init(&args);
    pgargs_int8(&args, t->exec_id);
    pgargs_int8(&args, to);
    pgargs_text(&args, name);
    pgargs_bytes(&args, message.text, message.len);
    pgargs_bytes(&args, large ? payload.hash : NULL, sizeof(payload.hash));
    err = pgsync_exec(db, statements_get(STATEMENT_TX_SEND), &args, &res, e);
    pgargs_release(&args);
    if (err)
        return err_wrap(e, "send");
    pgsync_free_result(res);
    return 0;
}

int txstep_commit(struct pgsync *db, struct err *e)
{
    assert(pgsync_in_transaction(db));
    if (pgsync_script(db, "commit", e) != 0)
        return err_wrap(e, "commit");
    return 0;
}

void txstep_rollback(struct pgsync *db)
{
    struct err ignored;

    /* Outside a transaction it is a mere warning; on a broken connection it is done already. */
    if (pgsync_alive(db))
        (void)!pgsync_script(db, "rollback", &ignored);
}
