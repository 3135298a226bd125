/*
 * tests/sim/tx.c - stands for src/pg/pgsync.c: the blocking connections of transactional steps.
 *
 * A step's function runs at one instant, so its transaction does too: nobody comes in between, as
 * the row's lock would have it.  The server may be out of reach at each statement; at the commit
 * the connection may break, and then it has happened or not.
 */
#include "sim/tx.h"

#include "pg/pgsync.h"
#include "sim/db.h"
#include "sim/sim.h"
#include "sim/worker.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct pgsync {
    struct sim_worker *worker;
    bool alive, open; /* connected; in a transaction */
    int effects;      /* written in it */
    struct db_tx_row row;
};

static int64_t transactions; /* any number that is not used twice in a process */

static int lose(struct pgsync *c, struct err *e)
{
    c->alive = c->open = false;
    return err_set(e, IFP_EUNAVAILABLE, "the connection is lost");
}

static bool breaks(const struct pgsync *c)
{
    return !c->alive || !net_reachable(c->worker) || world_chance(10);
}

int pgsync_open(const struct pgsync_options *options, struct pgsync **ret_conn, struct err *e)
{
    struct pgsync *c;

    (void)options;
    assert(sim.at);
    if (!net_reachable(sim.at))
        return err_set(e, IFP_EUNAVAILABLE, "out of reach");
    c = world_alloc(sizeof(*c));
    *c = (struct pgsync){ .worker = sim.at, .alive = true };
    *ret_conn = c;
    return 0;
}

void pgsync_close(struct pgsync *c)
{
    if (c)
        c->alive = false;
}

bool pgsync_alive(const struct pgsync *c)
{
    return c->alive;
}

bool pgsync_in_transaction(const struct pgsync *c)
{
    return c->alive && c->open;
}

int pgsync_revive(struct pgsync *c, struct err *e)
{
    if (!net_reachable(c->worker))
        return lose(c, e);
    c->alive = true;
    return 0;
}

struct pg_conn *pgsync_raw(struct pgsync *c)
{
    return (struct pg_conn *)(void *)c;
}

void tx_effect(struct pg_conn *conn)
{
    ((struct pgsync *)(void *)conn)->effects++;
}

static int commit(struct pgsync *c, struct err *e)
{
    bool broken = breaks(c);

    if (broken && (!c->alive || !net_reachable(c->worker) || world_chance(500))) {
        if (sim.o.mutation == MUTATION_TORN_TX)
            db_find(c->row.exec_id)->effects += c->effects;
        return lose(c, e);
    }
    db_tx_commit(&c->row, c->effects, !broken);
    c->open = false;
    return broken ? lose(c, e) : 0;
}

int pgsync_script(struct pgsync *c, const char *sql, struct err *e)
{
    if (strcmp(sql, "commit") == 0)
        return commit(c, e);
    if (breaks(c))
        return lose(c, e);
    c->open = strcmp(sql, "rollback") != 0;
    c->effects = 0;
    return 0;
}

int pgsync_exec(struct pgsync *c, const struct pgstmt *stmt, const struct pgargs *args,
                struct pgres **ret_res, struct err *e)
{
    struct pgres *res = wire_answer(1);
    char xid[24];
    int rc = 0;

    if (breaks(c))
        return lose(c, e);
    assert(c->open);
    wire_row(res);
    if (strcmp(stmt->name, "tx_id") == 0) {
        (void)snprintf(xid, sizeof(xid), "%lld", (long long)++transactions);
        wire_add_text(res, xid);
    } else {
        bool ours = false;

        assert(strcmp(stmt->name, "tx_record") == 0);
        rc = db_tx_record(wire_copy(stmt->name, args), &c->row, &ours, e);
        wire_add_int(res, ours);
    }
    *ret_res = res;
    return rc;
}

int pgsync_wait_notify(struct pgsync *c, int64_t timeout_ms, struct err *e)
{
    (void)timeout_ms; /* nobody is told anything here */
    return c->alive ? 0 : lose(c, e);
}

void pgsync_free_result(struct pgres *res)
{
    (void)res; /* the schedule's */
}
