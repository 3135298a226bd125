/*
 * tests/integration/test_store.c - each asynchronous operation of the worker against a real
 * database: what it sends, what its accessors read, what it says when the database refuses or goes
 * away.
 */
#include "lib/storetest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WORKER STORETEST_WORKER

static int start(void **state)
{
    static struct storetest t;

    storetest_start(&t);
    *state = &t;
    return 0;
}

static int stop(void **state)
{
    storetest_close(*state);
    return 0;
}

static void beat(struct storetest *t)
{
    store_beat(&t->op, WORKER, true, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
}

/* ---- registration and lanes ----------------------------------------------------------------- */

static void register_stores_the_workflows(void **state)
{
    struct storetest *t = *state;

    assert_int_equal(t->ups, 1);
    assert_int_equal(store_last_error(t->store)->code, 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_workflows"
                                 " where name = 'echo' and version = '1' and queue = 'default'"
                                 " and deadline_ms is null"),
                     1);
    assert_int_equal(testdb_int8("select deadline_ms from inferpipe._inferpipe_workflows"
                                 " where name = 'wait'"),
                     3600000);
}

static void register_refuses_an_unknown_workspace(void **state)
{
    struct storetest t;
    struct store_options o = storetest_options(&t, ((struct storetest *)*state)->url);

    o.workspace = "nowhere";
    storetest_open(&t, &o);
    store_register(&t.op, storetest_workflows, 2, storetest_done);
    assert_int_equal(storetest_wait(&t), IFP_ENOTFOUND);
    assert_non_null(strstr(t.error.text, "register: "));
    assert_non_null(strstr(t.error.text, "nowhere"));
    storetest_close(&t);
}

struct lanes {
    int count;
    int32_t lane;
    bool paused; /* of the last one */
    char text[64];
};

static void read_lanes(const struct store_op *op, void *ctx)
{
    struct lanes *l = ctx;

    l->count = op->rows;
    for (int i = 0; i < op->rows; i++) {
        struct store_lane lane = store_lane_at(op, i);

        l->lane = lane.lane;
        l->paused = lane.paused;
        (void)snprintf(l->text, sizeof(l->text), "%s %s %s", lane.workflow, lane.version,
                       lane.queue);
    }
}

static struct lanes lanes_of(struct storetest *t)
{
    struct lanes l = { 0 };

    t->read = read_lanes;
    t->ctx = &l;
    store_lanes(&t->op, storetest_workflows, 2, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    return l;
}

static void lanes_are_those_of_the_workflows_and_tell_of_a_pause(void **state)
{
    struct storetest *t = *state;
    struct lanes l;

    testdb_exec("update inferpipe._inferpipe_queues set paused = false");
    (void)storetest_execution("echo");
    l = lanes_of(t);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.text, "echo 1 default");
    assert_int_equal(l.lane, testdb_int8("select lane_id from inferpipe._inferpipe_lanes"));
    assert_false(l.paused);
    testdb_exec("update inferpipe._inferpipe_queues set paused = true");
    l = lanes_of(t);
    assert_int_equal(l.count, 1);
    assert_true(l.paused);
}

/* ---- lease and tick ------------------------------------------------------------------------- */

static void read_alive(const struct store_op *op, void *ctx)
{
    *(bool *)ctx = store_beat_alive(op);
}

static void beat_renews_the_lease_until_the_worker_was_declared_dead(void **state)
{
    struct storetest *t = *state;
    bool alive = false;

    t->read = read_alive;
    t->ctx = &alive;
    store_beat(&t->op, WORKER, true, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    assert_true(alive);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_workers"
                                 " where beats = 1 and hungry and program = 'storetest'"
                                 " and version = '" IFP_VERSION "' and pid > 0 and host <> ''"
                                 " and expires_at > now() + interval '8 s'"
                                 " and backend_pid > 0"),
                     1);
    testdb_exec("update inferpipe._inferpipe_workers set state = 1");
    t->read = read_alive;
    store_beat(&t->op, WORKER, true, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    assert_false(alive);
}

struct ticks {
    int count;
    struct store_tick_row rows[32];
};

static void read_ticks(const struct store_op *op, void *ctx)
{
    struct ticks *ticks = ctx;

    assert_true(op->rows <= 32);
    ticks->count = op->rows;
    for (int i = 0; i < op->rows; i++)
        ticks->rows[i] = store_tick_at(op, i);
}

static struct ticks tick(struct storetest *t, bool sweep)
{
    struct ticks ticks = { 0 };
    int32_t lanes[1];
    size_t n = 0;

    if (testdb_int8("select count(*) from inferpipe._inferpipe_lanes"))
        lanes[n++] = (int32_t)testdb_int8("select min(lane_id) from inferpipe._inferpipe_lanes");
    t->read = read_ticks;
    t->ctx = &ticks;
    store_tick(&t->op, WORKER, false, lanes, n, sweep, storetest_done);
    if (storetest_wait(t) != 0)
        fail_msg("%s", t->error.text);
    return ticks;
}

/* The only row of that kind, which must be there. */
static struct store_tick_row row_of(const struct ticks *ticks, enum store_tick_kind kind)
{
    int found = -1;

    for (int i = 0; i < ticks->count; i++) {
        if (ticks->rows[i].kind != kind)
            continue;
        assert_int_equal(found, -1);
        found = i;
    }
    assert_int_not_equal(found, -1);
    return ticks->rows[found];
}

static int count_of(const struct ticks *ticks, enum store_tick_kind kind)
{
    int n = 0;

    for (int i = 0; i < ticks->count; i++)
        n += ticks->rows[i].kind == kind;
    return n;
}

static void tick_tells_of_itself_first(void **state)
{
    struct ticks ticks = tick(*state, false);
    int64_t now = testdb_int8("select (extract(epoch from clock_timestamp()) * 1000000)::int8");

    assert_int_equal(ticks.rows[0].kind, STORE_TICK_SELF);
    assert_int_equal(ticks.rows[0].id, WORKER);
    assert_int_equal(ticks.rows[0].n, 1);
    assert_int_equal(ticks.rows[0].m,
                     testdb_int8("select (extract(epoch from pg_postmaster_start_time())"
                                 " * 1000000)::int8"));
    assert_true(ticks.rows[0].at_us <= now && ticks.rows[0].at_us > now - 10 * 1000000);
}

static void tick_tells_of_peers_and_of_the_dead(void **state)
{
    struct storetest *t = *state;
    struct ticks ticks;

    testdb_exec("select inferpipe.worker_beat(5, 1, 10000, false, 'h', 1, 'p', 'v')");
    testdb_exec("select inferpipe.worker_beat(6, 1, 10000, false, 'h', 1, 'p', 'v')");
    testdb_exec("update inferpipe._inferpipe_workers set state = 1 where worker_id = 6");
    ticks = tick(t, false);
    assert_int_equal(row_of(&ticks, STORE_TICK_PEER).id, 5);
    assert_int_equal(row_of(&ticks, STORE_TICK_PEER).n, 0);
    assert_int_equal(row_of(&ticks, STORE_TICK_PEER).m, 1);
    assert_int_equal(row_of(&ticks, STORE_TICK_DEAD).id, 6);
}

static void tick_tells_of_due_executions_the_next_one_and_the_last_lane(void **state)
{
    struct storetest *t = *state;
    int64_t id = storetest_execution("echo");
    struct ticks ticks = tick(t, false);
    struct store_tick_row due;

    assert_int_equal(count_of(&ticks, STORE_TICK_DUE), 0);
    testdb_exec("select inferpipe.start('echo', p_delay => '1 hour')");
    ticks = tick(t, true);
    due = row_of(&ticks, STORE_TICK_DUE);
    assert_int_equal(due.n, id % 8);
    assert_int_equal(due.m, 3);
    assert_true(due.at_us <= ticks.rows[0].at_us);
    assert_int_equal(row_of(&ticks, STORE_TICK_LANES).id, due.id);
    assert_true(row_of(&ticks, STORE_TICK_NEXT).at_us > due.at_us + INT64_C(3500) * 1000000);
}

static void tick_hands_on_a_cancel_once(void **state)
{
    struct storetest *t = *state;
    struct store_claimed c = storetest_claimed(t, "echo");
    struct ticks ticks;

    testdb_execf("select inferpipe.execution_cancel(1, %lld, false)", (long long)c.exec_id);
    ticks = tick(t, false);
    assert_int_equal(row_of(&ticks, STORE_TICK_CANCEL).id, c.exec_id);
    assert_true(row_of(&ticks, STORE_TICK_CANCEL).at_us == INT64_MIN);
    ticks = tick(t, false);
    assert_int_equal(count_of(&ticks, STORE_TICK_CANCEL), 0);
}

static void tick_says_only_that_the_lease_is_lost(void **state)
{
    struct storetest *t = *state;
    struct ticks ticks;

    testdb_exec("update inferpipe._inferpipe_workers set state = 1");
    ticks = tick(t, true);
    assert_int_equal(ticks.count, 1);
    assert_int_equal(ticks.rows[0].kind, STORE_TICK_SELF);
    assert_int_equal(ticks.rows[0].n, 0);
}

/* ---- reaper, leave, chores ------------------------------------------------------------------ */

static void read_marked(const struct store_op *op, void *ctx)
{
    *(bool *)ctx = store_reap_marked(op);
}

static bool mark(struct storetest *t, int64_t beats)
{
    bool marked = false;

    t->read = read_marked;
    t->ctx = &marked;
    store_reap_mark(&t->op, WORKER, beats, "silent", storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    return marked;
}

static void read_counts(const struct store_op *op, void *ctx)
{
    int *counts = ctx;

    store_reap_counts(op, &counts[0], &counts[1]);
}

static void the_reaper_marks_by_beats_and_releases_in_batches(void **state)
{
    struct storetest *t = *state;
    int counts[2] = { -1, -1 };

    (void)storetest_execution("echo");
    (void)storetest_execution("echo");
    assert_int_equal(storetest_claim(t), 2);
    assert_false(mark(t, 7));
    assert_true(mark(t, 0));
    assert_false(mark(t, 0));
    t->read = read_counts;
    t->ctx = counts;
    store_reap_release(&t->op, 5, 1, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    assert_int_equal(counts[0], 1);
    assert_true(counts[1] > 0);
    t->read = read_counts;
    store_reap_release(&t->op, 5, 100, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs"
                                 " where owner = 0 and state = 0 and crashes = 1"),
                     2);
}

static void leaving_hands_everything_back_without_a_crash(void **state)
{
    struct storetest *t = *state;

    (void)storetest_claimed(t, "echo");
    store_leave(&t->op, WORKER, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs"
                                 " where owner = 0 and state = 0 and crashes = 0"),
                     1);
    assert_int_equal(testdb_int8("select state from inferpipe._inferpipe_workers"), 2);
}

static void maintain_forgets_keys_that_have_expired(void **state)
{
    struct storetest *t = *state;

    testdb_exec("select inferpipe.start('echo', p_key => 'k')");
    testdb_exec("update inferpipe._inferpipe_idempotency set expires_at = now() - interval '1 s'");
    store_maintain(&t->op, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_idempotency"), 0);
}

/* ---- claim, owned, journal ------------------------------------------------------------------ */

static void read_claim(const struct store_op *op, void *ctx)
{
    struct storetest *t = ctx;
    struct store_claimed c = store_claimed_at(op, 0);

    assert_int_equal(c.input.len, 8);
    assert_memory_equal(c.input.text, "{\"n\": 1}", 8);
    t->claimed[0] = c;
}

static void expect_claim(struct storetest *t, int64_t id)
{
    struct store_claimed c = t->claimed[0];

    assert_int_equal(c.exec_id, id);
    assert_int_equal(c.fence, 1);
    assert_int_equal(c.shard, id % 8);
    assert_int_equal(c.prio, 3);
    assert_int_equal(c.flags, 0);
    assert_int_equal(c.crashes, 0);
    assert_false(c.has_journal);
    assert_int_equal(c.deadline_us - c.created_us, INT64_C(3600) * 1000000);
    assert_true(c.created_us <= c.ready_us && c.ready_us <= c.now_us);
    assert_true((int64_t)c.seed == testdb_int8("select seed from inferpipe._inferpipe_executions"));
}

static void a_claim_brings_everything_and_owned_brings_it_again(void **state)
{
    struct storetest *t = *state;
    int64_t id = storetest_execution("wait");
    struct store_probe probe = { 1, (int16_t)(id % 8), 3, INT64_MIN };

    t->read = read_claim;
    t->ctx = t;
    store_claim(&t->op, WORKER, &probe, 1, 10, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    assert_int_equal(t->rows, 1);
    expect_claim(t, id);
    memset(t->claimed, 0, sizeof(t->claimed));
    t->read = read_claim;
    store_owned(&t->op, WORKER, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    assert_int_equal(t->rows, 1);
    expect_claim(t, id);
}

static void a_claim_takes_no_more_than_its_limit_and_nothing_before_its_watermark(void **state)
{
    struct storetest *t = *state;
    int64_t id = storetest_execution("echo");
    struct store_probe probe = { 1, (int16_t)(id % 8), 3, INT64_MIN };

    for (int i = 1; i < 17; i++)
        (void)storetest_execution("echo");
    store_claim(&t->op, WORKER, &probe, 1, 2, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    assert_int_equal(t->rows, 2);
    probe.from_us = testdb_int8("select (extract(epoch from clock_timestamp()) * 1000000)::int8");
    store_claim(&t->op, WORKER, &probe, 1, 2, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
    assert_int_equal(t->rows, 0);
}

static void a_worker_without_a_lease_claims_nothing(void **state)
{
    struct storetest *t = *state;
    int64_t id = storetest_execution("echo");
    struct store_probe probe = { 1, (int16_t)(id % 8), 3, INT64_MIN };

    testdb_exec("update inferpipe._inferpipe_workers set state = 1");
    store_claim(&t->op, WORKER, &probe, 1, 2, storetest_done);
    assert_int_equal(storetest_wait(t), IFP_ELEASE);
    assert_non_null(strstr(t->error.text, "claim: "));
    assert_string_equal(t->error.sqlstate, "IP001");
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs where owner = 0"),
                     1);
}

struct pages {
    int count;
    struct store_journal_row rows[16];
    char names[16][16];
};

static void read_journal(const struct store_op *op, void *ctx)
{
    struct pages *p = ctx;

    for (int i = 0; i < op->rows; i++) {
        struct store_journal_row row = store_journal_at(op, i);

        (void)snprintf(p->names[p->count], sizeof(p->names[0]), "%.*s", (int)row.name.len,
                       row.name.text ? row.name.text : "");
        if (row.result.text)
            assert_memory_equal(row.result.text, "\"r\"", 3);
        if (row.status == STORE_FAILED) {
            assert_string_equal(row.error_code, "BAD");
            assert_string_equal(row.error, "it is bad");
        }
        p->rows[p->count++] = row;
    }
}

static void journal_page(struct storetest *t, struct pages *p, int64_t id, int64_t after)
{
    t->read = read_journal;
    t->ctx = p;
    store_journal(&t->op, &id, &after, 1, 2, storetest_done);
    assert_int_equal(storetest_wait(t), 0);
}

static void the_journal_comes_in_pages_in_key_order(void **state)
{
    struct storetest *t = *state;
    int64_t id = storetest_claimed(t, "echo").exec_id;
    struct pages p = { 0 };

    testdb_execf("insert into inferpipe._inferpipe_steps(exec_id, step_key, done_at, wake_at,"
                 " took_us, fence, seq, kind, status, codec, attempts, name, result, error_code,"
                 " error) values (%lld, -5, now(), null, 1, 1, 1, 1, 0, 0, 2, 'a', '\"r\"', null,"
                 " null), (%lld, 7, now(), now(), 1, 1, 2, 2, 0, 0, 1, 'b', null, null, null),"
                 " (%lld, 9, now(), null, 1, 1, 3, 1, 1, 0, 3, 'c', null, 'BAD', 'it is bad')",
                 (long long)id, (long long)id, (long long)id);
    testdb_execf("insert into inferpipe._inferpipe_attempts(exec_id, step_key, failed_at, next_at,"
                 " fence, seq, attempt) values (%lld, 11, now(), now(), 1, 4, 1),"
                 " (%lld, 11, now(), now() + interval '1 m', 1, 4, 2)",
                 (long long)id, (long long)id);
    journal_page(t, &p, id, INT64_MIN);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.rows[2].kind, STORE_ATTEMPTS);
    assert_int_equal(p.rows[2].step_key, 11);
    assert_int_equal(p.rows[2].attempts, 2);
    assert_int_equal(p.rows[2].seq, 4);
    assert_true(p.rows[2].wake_us > p.rows[1].wake_us);
    p.count = 2;
    journal_page(t, &p, id, p.rows[1].step_key);
    assert_int_equal(p.count, 3);
    assert_string_equal(p.names[0], "a");
    assert_string_equal(p.names[1], "b");
    assert_string_equal(p.names[2], "c");
    assert_int_equal(p.rows[0].exec_id, id);
    assert_int_equal(p.rows[0].attempts, 2);
    assert_true(p.rows[0].wake_us == 0 && p.rows[0].done_us > 0);
    assert_true(p.rows[1].wake_us == p.rows[1].done_us);
    journal_page(t, &p, id, 9);
    assert_int_equal(p.count, 3);
}

/* ---- wake-ups and losses -------------------------------------------------------------------- */

static bool woken(void *ctx)
{
    return ((struct storetest *)ctx)->wakes > 0;
}

static void a_notification_wakes_with_its_lane_and_nonsense_with_0(void **state)
{
    struct storetest *t = *state;

    t->wakes = 0;
    testdb_exec("notify inferpipe_wake, '17'");
    storetest_until(t, woken, t);
    assert_int_equal(t->lane, 17);
    t->wakes = 0;
    testdb_exec("notify inferpipe_wake, '17 or so'");
    storetest_until(t, woken, t);
    assert_int_equal(t->lane, 0);
    t->wakes = 0;
    t->lane = -1;
    testdb_exec("notify inferpipe_wake, '-3'");
    storetest_until(t, woken, t);
    assert_int_equal(t->lane, 0);
}

static void a_hungry_worker_is_told_of_a_start(void **state)
{
    struct storetest *t = *state;

    beat(t);
    t->wakes = 0;
    (void)storetest_execution("echo");
    storetest_until(t, woken, t);
    assert_int_equal(t->lane, testdb_int8("select lane_id from inferpipe._inferpipe_lanes"));
}

static bool came_back(void *ctx)
{
    struct storetest *t = ctx;

    return t->downs == 1 && t->ups == 2 && t->wakes > 0;
}

static void a_lost_control_connection_comes_back_listens_and_looks(void **state)
{
    struct storetest *t = *state;

    t->wakes = 0;
    t->lane = -1;
    testdb_exec("select pg_terminate_backend(backend_pid) from inferpipe._inferpipe_workers");
    storetest_until(t, came_back, t);
    assert_int_equal(t->lane, 0);
    assert_int_equal(store_last_error(t->store)->code, 0);
    t->wakes = 0;
    testdb_exec("notify inferpipe_wake, '3'");
    storetest_until(t, woken, t);
    assert_int_equal(t->lane, 3);
    beat(t);
}

static void without_listen_no_notification_is_heard(void **state)
{
    struct storetest t;
    struct store_options o = storetest_options(&t, ((struct storetest *)*state)->url);

    o.listen = false;
    o.prepare = false;
    storetest_open(&t, &o);
    store_register(&t.op, storetest_workflows, 2, storetest_done);
    assert_int_equal(storetest_wait(&t), 0);
    testdb_exec("notify inferpipe_wake, '17'");
    store_beat(&t.op, 5, true, storetest_done);
    assert_int_equal(storetest_wait(&t), 0);
    assert_int_equal(t.wakes, 0);
    storetest_close(&t);
}

static bool has_error(void *ctx)
{
    return store_last_error(((struct storetest *)ctx)->store)->code != 0;
}

static void an_unreachable_database_is_explained(void **state)
{
    struct storetest t;
    struct store_options o = storetest_options(&t, "host=/nonexistent dbname=none");

    (void)state;
    storetest_open(&t, &o);
    storetest_until(&t, has_error, &t);
    assert_int_equal(store_last_error(t.store)->code, IFP_EUNAVAILABLE);
    assert_non_null(strstr(store_last_error(t.store)->text, "/nonexistent"));
    assert_int_equal(t.ups, 0);
    storetest_close(&t);
}

static void a_bad_connection_string_is_refused_at_once(void **state)
{
    struct storetest t;
    struct store_options o = storetest_options(&t, "nonsense=1");
    struct loop *l;
    struct store *s = NULL;
    struct err e;

    (void)state;
    assert_int_equal(loop_open(&l, &e), 0);
    assert_int_equal(store_open(l, &o, &s, &e), IFP_EINVALID);
    assert_null(s);
    loop_close(l);
}

static void closing_finishes_what_is_in_flight_with_canceled(void **state)
{
    struct storetest t;
    struct store_options o = storetest_options(&t, ((struct storetest *)*state)->url);
    struct store_op second;

    storetest_open(&t, &o);
    store_op_init(&second, t.store);
    store_owned(&t.op, WORKER, storetest_done);
    store_leave(&second, 99, storetest_done);
    assert_true(store_op_busy(&t.op) && store_op_busy(&second));
    storetest_close(&t);
    assert_int_equal(t.finished, 2);
    assert_int_equal(t.err, IFP_ECANCELED);
    assert_false(store_op_busy(&t.op) || store_op_busy(&second));
    store_op_release(&second);
}

#define WITH_WORKER(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORKER(register_stores_the_workflows),
        WITH_WORKER(register_refuses_an_unknown_workspace),
        WITH_WORKER(lanes_are_those_of_the_workflows_and_tell_of_a_pause),
        WITH_WORKER(beat_renews_the_lease_until_the_worker_was_declared_dead),
        WITH_WORKER(tick_tells_of_itself_first),
        WITH_WORKER(tick_tells_of_peers_and_of_the_dead),
        WITH_WORKER(tick_tells_of_due_executions_the_next_one_and_the_last_lane),
        WITH_WORKER(tick_hands_on_a_cancel_once),
        WITH_WORKER(tick_says_only_that_the_lease_is_lost),
        WITH_WORKER(the_reaper_marks_by_beats_and_releases_in_batches),
        WITH_WORKER(leaving_hands_everything_back_without_a_crash),
        WITH_WORKER(maintain_forgets_keys_that_have_expired),
        WITH_WORKER(a_claim_brings_everything_and_owned_brings_it_again),
        WITH_WORKER(a_claim_takes_no_more_than_its_limit_and_nothing_before_its_watermark),
        WITH_WORKER(a_worker_without_a_lease_claims_nothing),
        WITH_WORKER(the_journal_comes_in_pages_in_key_order),
        WITH_WORKER(a_notification_wakes_with_its_lane_and_nonsense_with_0),
        WITH_WORKER(a_hungry_worker_is_told_of_a_start),
        WITH_WORKER(a_lost_control_connection_comes_back_listens_and_looks),
        WITH_WORKER(without_listen_no_notification_is_heard),
        cmocka_unit_test(an_unreachable_database_is_explained),
        cmocka_unit_test(a_bad_connection_string_is_refused_at_once),
        WITH_WORKER(closing_finishes_what_is_in_flight_with_canceled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
