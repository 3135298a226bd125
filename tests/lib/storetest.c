/*
 * tests/lib/storetest.c - see the header.  The fixture in use is a static: callbacks of the store
 * carry no test of their own.
 */
#include "lib/storetest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GUARD_US = 20 * 1000 * 1000, PROBE_US = 1000, SHARDS = 8 };

const struct store_workflow storetest_workflows[2] = {
    { .name = "echo", .version = "1", .queue = "default" },
    { .name = "wait", .version = "1", .queue = "default", .deadline_ms = 3600000 },
};

static struct storetest *current;

static void guard(void *ctx)
{
    (void)ctx;
    fprintf(stderr, "storetest: no answer within 20 seconds\n");
    exit(1);
}

static void on_up(void *ctx)
{
    ((struct storetest *)ctx)->ups++;
}

static void on_down(void *ctx, const struct err *e)
{
    assert_int_not_equal(e->code, 0);
    ((struct storetest *)ctx)->downs++;
}

static void on_wake(void *ctx, int32_t lane)
{
    struct storetest *t = ctx;

    t->wakes++;
    t->lane = lane;
}

struct store_options storetest_options(struct storetest *t, const char *url)
{
    memset(t, 0, sizeof(*t));
    if (url)
        t->url = url;
    else
        testdb_create(&t->url);
    t->own_database = !url;
    return (struct store_options){
        .conninfo = t->url,
        .workspace = "default",
        .program = "storetest",
        .connections = 2,
        .queue_max = 100,
        .connect_timeout_ms = 5000,
        .statement_timeout_ms = 10000,
        .lease_ms = 10000,
        .listen = true,
        .prepare = true,
        .on_up = on_up,
        .on_down = on_down,
        .on_wake = on_wake,
        .ctx = t,
    };
}

void storetest_open(struct storetest *t, const struct store_options *o)
{
    struct err e;

    assert_int_equal(loop_open(&t->loop, &e), 0);
    timer_init(&t->guard, t->loop, guard, t);
    if (store_open(t->loop, o, &t->store, &e) != 0)
        fail_msg("store_open: %s", e.text);
    store_op_init(&t->op, t->store);
    t->outer = current;
    current = t;
}

void storetest_start(struct storetest *t)
{
    struct store_options o = storetest_options(t, NULL);

    storetest_open(t, &o);
    store_register(&t->op, storetest_workflows, 2, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    store_beat(&t->op, STORETEST_WORKER, false, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
}

static void on_closed(void *ctx)
{
    struct storetest *t = ctx;

    t->closed = true;
    loop_stop(t->loop);
}

void storetest_close(struct storetest *t)
{
    assert_int_equal(timer_start(&t->guard, GUARD_US), 0);
    store_close(t->store, on_closed, t);
    while (!t->closed)
        loop_run(t->loop);
    timer_stop(&t->guard);
    store_op_release(&t->op);
    loop_close(t->loop);
    if (t->own_database)
        testdb_give_back(t->url);
    current = t->outer;
}

void storetest_done(struct store_op *op, int err, const struct err *e)
{
    struct storetest *t = current;

    t->finished++;
    t->err = err;
    t->rows = op->rows;
    t->sent = op->req.sent;
    if (err)
        t->error = *e;
    else if (t->read)
        t->read(op, t->ctx);
    loop_stop(t->loop);
}

int storetest_wait(struct storetest *t)
{
    assert_int_equal(timer_start(&t->guard, GUARD_US), 0);
    t->finished = 0;
    while (!t->finished)
        loop_run(t->loop);
    timer_stop(&t->guard);
    assert_int_equal(t->finished, 1);
    t->read = NULL;
    return t->err;
}

static void probe(void *ctx)
{
    struct storetest *t = ctx;

    if (t->until(t->ctx))
        loop_stop(t->loop);
    else
        assert_int_equal(timer_start(&t->probe, PROBE_US), 0);
}

void storetest_until(struct storetest *t, bool (*until)(void *ctx), void *ctx)
{
    t->until = until;
    t->ctx = ctx;
    timer_init(&t->probe, t->loop, probe, t);
    assert_int_equal(timer_start(&t->guard, GUARD_US), 0);
    assert_int_equal(timer_start(&t->probe, PROBE_US), 0);
    while (!until(ctx))
        loop_run(t->loop);
    timer_stop(&t->probe);
    timer_stop(&t->guard);
}

int64_t storetest_execution(const char *workflow)
{
    return testdb_int8f("select inferpipe.id_parse(inferpipe.start('%s', '{\"n\": 1}'))", workflow);
}

static void read_claims(const struct store_op *op, void *ctx)
{
    struct storetest *t = ctx;

    assert_true(op->rows <= STORETEST_CLAIMS);
    t->claims = op->rows;
    for (int i = 0; i < op->rows; i++)
        t->claimed[i] = store_claimed_at(op, i);
}

int storetest_claim(struct storetest *t)
{
    int64_t lanes = testdb_int8("select coalesce(max(lane_id), 0) from inferpipe._inferpipe_lanes");
    struct store_probe probes[SHARDS * 8];
    size_t n = 0;

    assert_true(lanes > 0 && lanes <= 8);
    for (int32_t lane = 1; lane <= lanes; lane++)
        for (int16_t shard = 0; shard < SHARDS; shard++)
            probes[n++] = (struct store_probe){ lane, shard, 3, INT64_MIN };
    t->read = read_claims;
    t->ctx = t;
    store_claim(&t->op, STORETEST_WORKER, probes, n, STORETEST_CLAIMS, storetest_done);
    if (storetest_wait(t) != 0)
        fail_msg("claim: %s", t->error.text);
    return t->claims;
}

struct store_claimed storetest_claimed(struct storetest *t, const char *workflow)
{
    int64_t id = storetest_execution(workflow);

    assert_int_equal(storetest_claim(t), 1);
    assert_int_equal(t->claimed[0].exec_id, id);
    return t->claimed[0];
}
