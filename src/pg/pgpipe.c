/*
 * pg/pgpipe.c - statements and answers on one connection in libpq's pipeline mode.
 *
 * Happy path: pgpipe_send puts [DEALLOCATE] [PREPARE] statement Sync on the wire and takes a slot;
 * answers come in the order of the slots; the Sync's answer completes the first slot.  As each
 * request has its own Sync it is its own transaction, and an error skips only what is left of it.
 *
 * Prepared statements, per connection:
 *   NONE --PREPARE--> PENDING --answer--> DONE --0A000--> STALE --DEALLOCATE, PREPARE--> PENDING
 * While PENDING other requests go unnamed, since the PREPARE that they would rely on may still
 * fail.  A statement that the server lost (26000) is NONE again; one whose plan can no longer be
 * used (0A000) must be dropped before it can be prepared anew.  The table is only a memory of what
 * saves work: when there is none for it, statements go unnamed.
 *
 * Invariant: `count` slots from `first` on are in flight, at most PGPIPE_DEPTH; a slot whose
 * request was abandoned stays until its answer came.
 */
#include "base/fault.h"
#include "base/mem.h"
#include "pg/pginternal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void pgpipe_init(struct pgpipe *p)
{
    memset(p, 0, sizeof(*p));
}

void pgpipe_release(struct pgpipe *p)
{
    assert(p->count == 0);
    mem_free(p->preps);
    p->preps = NULL;
    p->prep_count = p->prep_cap = 0;
}

void pgpipe_attach(struct pgpipe *p, PGconn *pg)
{
    assert(!p->pg && p->count == 0);
    p->pg = pg;
    p->prep_count = 0;
}

void pgpipe_detach(struct pgpipe *p)
{
    assert(p->count == 0);
    p->pg = NULL;
}

bool pgpipe_full(const struct pgpipe *p)
{
    return p->count == PGPIPE_DEPTH;
}

static struct pgslot *slot_at(struct pgpipe *p, unsigned i)
{
    return &p->slots[(p->first + i) % PGPIPE_DEPTH];
}

static void pop(struct pgpipe *p)
{
    assert(p->count > 0);
    p->first = (p->first + 1) % PGPIPE_DEPTH;
    p->count--;
}

struct pgreq *pgpipe_drop(struct pgpipe *p)
{
    while (p->count > 0) {
        struct pgslot *s = slot_at(p, 0);

        PQclear(s->res);
        s->res = NULL;
        pop(p);
        if (s->req && !s->internal)
            return s->req;
    }
    return NULL;
}

bool pgpipe_abandon(struct pgpipe *p, const struct pgreq *req)
{
    for (unsigned i = 0; i < p->count; i++) {
        if (slot_at(p, i)->req == req) {
            slot_at(p, i)->req = NULL;
            return true;
        }
    }
    return false;
}

static bool has_name(const struct pgpipe *p, const char *name)
{
    for (int i = 0; i < p->prep_count; i++) {
        if (strcmp(p->preps[i].stmt->name, name) == 0)
            return true;
    }
    return false;
}

/* The place of the statement in `preps`, or -1 when it is to go unnamed. */
static int find_prep(struct pgpipe *p, const struct pgstmt *stmt)
{
    for (int i = 0; i < p->prep_count; i++) {
        if (p->preps[i].stmt == stmt)
            return p->preps[i].state == PGPREP_PENDING ? -1 : i;
    }
    assert(!has_name(p, stmt->name)); /* two statements of one name would run each other's text */
    if (p->prep_count == p->prep_cap) {
        int cap = p->prep_cap ? p->prep_cap * 2 : 32;
        struct pgprep *preps = mem_resize(p->preps, (size_t)cap, sizeof(*preps));

        if (!preps)
            return -1;
        p->preps = preps;
        p->prep_cap = cap;
    }
    p->preps[p->prep_count] = (struct pgprep){ stmt, PGPREP_NONE };
    return p->prep_count++;
}

static bool send_deallocate(struct pgpipe *p, const char *name)
{
    char sql[96];
    int len = snprintf(sql, sizeof(sql), "deallocate \"%s\"", name);

    assert(len > 0 && (size_t)len < sizeof(sql) && !strchr(name, '"'));
    return PQsendQueryParams(p->pg, sql, 0, NULL, NULL, NULL, NULL, 1);
}

/* Everything of one request but its Sync.  False: libpq has no memory or the connection is gone. */
static bool send_statement(struct pgpipe *p, struct pgslot *s, const struct pgstmt *stmt,
                           const struct pgparam *a)
{
    struct pgprep *prep;

    if (s->prep < 0)
        return PQsendQueryParams(p->pg, stmt->sql, a->count, a->types, a->values, a->lengths,
                                 a->formats, 1);
    prep = &p->preps[s->prep];
    if (prep->state == PGPREP_STALE) {
        if (!send_deallocate(p, stmt->name))
            return false;
        s->lead++;
        prep->state = PGPREP_NONE;
    }
    if (prep->state == PGPREP_NONE) {
        if (!PQsendPrepare(p->pg, stmt->name, stmt->sql, a->count, a->types))
            return false;
        s->lead++;
        s->prepares = true;
        prep->state = PGPREP_PENDING;
    }
    return PQsendQueryPrepared(p->pg, stmt->name, a->count, a->values, a->lengths, a->formats, 1);
}

int pgpipe_send(struct pgpipe *p, struct pgreq *req, bool prepare, bool internal, struct err *e)
{
    struct pgparam params;
    struct pgslot *s = slot_at(p, p->count);

    assert(p->pg && !pgpipe_full(p));
    IFP_TRY(pgparam_bind(&req->args, &params, e));
    *s = (struct pgslot){ .req = req, .prep = -1, .internal = internal };
    p->count++;
    req->sent = true;
    if (prepare && req->stmt->name)
        s->prep = find_prep(p, req->stmt);
    if (!send_statement(p, s, req->stmt, &params))
        return pgerr_from_conn(p->pg, e);
    if (!internal && fault_hit(FAULT_WRITE))
        return err_set(e, IFP_EUNAVAILABLE, "the socket failed (injected fault)");
    if (!PQpipelineSync(p->pg))
        return pgerr_from_conn(p->pg, e);
    return 0;
}

/* What an error tells about the slot's prepared statement. */
static void note_failed_prep(struct pgpipe *p, const struct pgslot *s, const char *state)
{
    struct pgprep *prep;
    bool unknown = strcmp(state, "26000") == 0;

    if (s->prep < 0)
        return;
    prep = &p->preps[s->prep];
    if (s->lead > 0) /* the DEALLOCATE or the PREPARE failed */
        prep->state =
            (s->lead == 2 && !unknown) || strcmp(state, "42P05") == 0 ? PGPREP_STALE : PGPREP_NONE;
    else if (prep->state == PGPREP_DONE && unknown)
        prep->state = PGPREP_NONE;
    else if (prep->state == PGPREP_DONE && strcmp(state, "0A000") == 0)
        prep->state = PGPREP_STALE;
}

/* An answer within the first slot; takes `res`. */
static void take_result(struct pgpipe *p, struct pgslot *s, PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    if (status == PGRES_FATAL_ERROR) {
        note_failed_prep(p, s, state ? state : "");
        s->lead = 0;
    } else if (status != PGRES_PIPELINE_ABORTED && s->lead > 0) {
        s->lead--;
        if (s->lead == 0 && s->prepares)
            p->preps[s->prep].state = PGPREP_DONE;
        PQclear(res);
        return;
    }
    if (s->res || status == PGRES_PIPELINE_ABORTED)
        PQclear(res);
    else
        s->res = res;
}

/* The first slot has got its Sync. */
static int complete(struct pgpipe *p, struct pganswer *ret, struct err *e)
{
    struct pgslot *s = slot_at(p, 0);

    if (!s->internal && fault_hit(FAULT_REPLY))
        return err_set(e, IFP_EUNAVAILABLE, "the answer was lost (injected fault)");
    if (!s->res)
        return err_set(e, IFP_EUNAVAILABLE, "the database gave no answer to a statement");
    ret->req = s->req;
    ret->res = s->res;
    ret->err = 0;
    if (PQresultStatus(s->res) == PGRES_FATAL_ERROR)
        ret->err = pgerr_from_result(s->res, e);
    s->res = NULL;
    pop(p);
    return 1;
}

/* Why the pipeline cannot go on after `res` (may be NULL), or 0. */
static int check_alive(struct pgpipe *p, const PGresult *res, struct err *e)
{
    ExecStatusType status = res ? PQresultStatus(res) : PGRES_COMMAND_OK;

    if (res && pgerr_fatal(res)) {
        pgerr_from_result(res, e);
        return e->code = IFP_EUNAVAILABLE;
    }
    if (PQstatus(p->pg) == CONNECTION_BAD)
        return pgerr_from_conn(p->pg, e);
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
        return err_set(e, IFP_EUNAVAILABLE, "COPY is not possible on this connection");
    return 0;
}

int pgpipe_next(struct pgpipe *p, struct pganswer *ret, struct err *e)
{
    int ends = 0; /* NULLs in a row: one ends each statement's answers, two are no protocol */

    while (p->count > 0 && !PQisBusy(p->pg)) {
        PGresult *res = PQgetResult(p->pg);
        int rc = check_alive(p, res, e);

        if (rc == 0 && !res && ++ends > 2)
            rc = err_set(e, IFP_EUNAVAILABLE, "the connection is out of step");
        if (rc < 0) {
            PQclear(res);
            return rc;
        }
        if (!res)
            continue;
        ends = 0;
        if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
            PQclear(res);
            return complete(p, ret, e);
        }
        take_result(p, slot_at(p, 0), res);
    }
    return PQstatus(p->pg) == CONNECTION_BAD ? pgerr_from_conn(p->pg, e) : 0;
}
