/*
 * tests/integration/test_engine_hints.c - how a worker finds its work and commits it:
 * notifications, polling, new queues, priorities, and one execution that cannot be written among
 * many that can.
 *
 * QUIET workers tick once a minute: what they find within a test, a hint has told them.
 */
#include "base/ids.h"
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define QUIET "lease=600s tick=60s"

static struct {
    atomic_int steps;
    struct enginetest_gate gate;
} world;

static int give_back(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    atomic_fetch_add(&world.steps, 1);
    *ret = input;
    return 0;
}

static int wait_at_gate(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    enginetest_gate_pass(&world.gate);
    return give_back(step, input, ret);
}

static int echo(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "echo", give_back, input, ret,
                         &(ifp_step_options){ .flags = IFP_INLINE });
}

static int gated(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "gated", wait_at_gate, input, ret);
}

static int two_steps(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_step(run, "gated", wait_at_gate, input, ret));
    return ifp_step(run, "echo", give_back, input, ret);
}

static int receives(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_receive(run, "go", NULL, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(echo),
    ENGINETEST_WORKFLOW(gated),
    ENGINETEST_WORKFLOW(two_steps),
    ENGINETEST_WORKFLOW(receives),
};

static int setup(void **state)
{
    enginetest_setup(state);
    memset(&world, 0, sizeof(world));
    enginetest_gate_open(&world.gate);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

static int teardown(void **state)
{
    enginetest_gate_let(&world.gate, 100);
    enginetest_teardown(state);
    enginetest_gate_close(&world.gate);
    return 0;
}

/* ---- hints ----------------------------------------------------------------------------------- */

static void a_start_wakes_an_idle_worker(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w;

    enginetest_start(t, "echo", "1", NULL); /* makes the lane */
    w = enginetest_worker(t, QUIET);
    enginetest_wait_all(t, 1);
    for (int i = 2; i < 5; i++) {
        enginetest_until_quiet(t, w);
        enginetest_start(t, "echo", "1", NULL);
        enginetest_wait_all(t, i);
    }
}

static void a_message_wakes_an_idle_worker(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "receives", NULL, NULL);
    struct enginetest_worker *w = enginetest_worker(t, QUIET);

    enginetest_until_sql(t, "select state = 3 from inferpipe._inferpipe_runs");
    enginetest_until_quiet(t, w);
    enginetest_send(t, id, "go", "2");
    enginetest_completes(t, id, "2");
}

static void a_new_queue_is_found_at_once(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, QUIET);

    enginetest_until_quiet(t, w);
    enginetest_completes(t, enginetest_start(t, "echo", "1", NULL), "1");
    enginetest_until_quiet(t, w);
    enginetest_completes(
        t, enginetest_start(t, "echo", "2", &(ifp_start_options){ .queue = "brand-new" }), "2");
}

/* What fits into no slot is found when a slot is free, also without a hint. */
static void a_free_slot_is_filled(void **state)
{
    struct enginetest *t = *state;

    for (int i = 0; i < 20; i++)
        enginetest_start(t, "echo", "1", NULL);
    enginetest_worker(t, "slots=1 " QUIET);
    enginetest_wait_all(t, 20);
}

static void a_delayed_start_is_found_by_the_timer(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "echo", "1", &(ifp_start_options){ .delay_ms = 300 });

    enginetest_worker(t, NULL);
    enginetest_sql("0", "select fence from inferpipe._inferpipe_runs");
    enginetest_completes(t, id, "1");
}

/* Its ticks are a minute apart, and who polls is never quite at rest. */
static void without_notifications_the_queue_is_polled(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "echo", "1", NULL); /* makes the lane */

    enginetest_worker(t, "listen=off " QUIET);
    enginetest_completes(t, id, "1");
    for (int i = 0; i < 3; i++)
        enginetest_completes(t, enginetest_start(t, "echo", "2", NULL), "2");
}

static void prepared_statements_may_be_off(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, "prepare=off listen=off");
    for (int i = 1; i < 4; i++) {
        enginetest_start(t, "echo", "1", NULL);
        enginetest_wait_all(t, i);
    }
}

/* The notification came when nothing was due: the claim is told when to come again. */
static void timers_of_a_second_need_no_tick(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, QUIET);
    int64_t ids[4];

    enginetest_until_quiet(t, w);
    for (int i = 0; i < 4; i++)
        ids[i] =
            enginetest_start(t, "echo", "1", &(ifp_start_options){ .delay_ms = 900 - i * 200 });
    for (int i = 0; i < 4; i++)
        enginetest_completes(t, ids[i], "1");
}

static void junk_notifications_do_no_harm(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, QUIET);

    enginetest_until_quiet(t, w);
    testdb_exec("notify inferpipe_wake, 'junk'; notify inferpipe_wake, '-5';"
                "notify inferpipe_wake, '999999'; notify inferpipe_wake");
    enginetest_completes(t, enginetest_start(t, "echo", "1", NULL), "1");
}

static void urgent_executions_come_first(void **state)
{
    struct enginetest *t = *state;

    for (int prio = 5; prio >= 1; prio--)
        for (int i = 0; i < 3; i++)
            enginetest_start(t, "echo", "1", &(ifp_start_options){ .priority = prio });
    enginetest_worker(t, "slots=1");
    enginetest_wait_all(t, 15);
    enginetest_sql("111222333444555", "select string_agg(e.prio::text, '' order by f.finished_at)"
                                      " from inferpipe._inferpipe_results f"
                                      " join inferpipe._inferpipe_executions e using (exec_id)");
}

static void other_versions_are_left_to_others(void **state)
{
    static const struct engine_workflow second = {
        .name = "echo", .version = "2", .queue = "default", .fn = receives
    };
    struct enginetest *t = *state;
    int64_t one, two;

    enginetest_define(t, &second, 1);
    one = enginetest_start(t, "echo", "1", &(ifp_start_options){ .version = "1" });
    two = enginetest_start(t, "echo", "1", NULL); /* the newest */
    enginetest_send(t, two, "go", "\"second\"");
    enginetest_worker(t, NULL);
    enginetest_completes(t, two, "\"second\"");
    enginetest_sql("0", "select fence from inferpipe._inferpipe_runs");
    enginetest_define(t, workflows, ARRAY_LEN(workflows));
    enginetest_worker(t, NULL);
    enginetest_completes(t, one, "1");
}

static void two_workers_share_the_work(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, "slots=3 threads=3");
    enginetest_worker(t, "slots=3 threads=3");
    for (int i = 0; i < 6; i++)
        enginetest_start(t, "gated", "1", NULL);
    enginetest_until_count(t, &world.gate.came, 6);
    enginetest_sql("3 3", "select string_agg(n::text, ' ') from (select count(*) n"
                          " from inferpipe._inferpipe_runs group by owner) q");
    enginetest_gate_let(&world.gate, 6);
    enginetest_wait_all(t, 6);
    enginetest_sql("6", "select count(*) from inferpipe._inferpipe_steps where fence = 1");
}

/* ---- one that cannot be written -------------------------------------------------------------- */

/* Any row for this execution in that table is refused as a constraint would. */
static void poison(const char *table, int64_t id)
{
    testdb_execf("create or replace function public.refuse() returns trigger language plpgsql as"
                 " $$ begin raise exception 'poisoned' using errcode = 'check_violation'; end $$;"
                 "create trigger poison before insert on inferpipe.%s for each row"
                 " when (new.exec_id = %" PRId64 ") execute function public.refuse()",
                 table, id);
}

static void one_bad_row_does_not_stop_the_others(void **state)
{
    struct enginetest *t = *state;
    int64_t ids[15];

    for (int i = 0; i < 15; i++)
        ids[i] = enginetest_start(t, "echo", "1", NULL);
    poison("_inferpipe_steps", ids[7]);
    enginetest_worker(t, NULL);
    enginetest_wait_all(t, 15);
    testdb_exec("drop trigger poison on inferpipe._inferpipe_steps");
    enginetest_sql("14", "select count(*) from inferpipe._inferpipe_results where status = 1");
    enginetest_fails(t, ids[7], "SERVER_ERROR", "refused");
    enginetest_retry(t, ids[7]);
    enginetest_completes(t, ids[7], "1");
}

/* An execution whose end itself is refused stays; it ends once the cause is gone. */
static void an_end_that_is_refused_is_tried_again(void **state)
{
    struct enginetest *t = *state;
    int64_t ids[5];

    for (int i = 0; i < 5; i++)
        ids[i] = enginetest_start(t, "echo", "1", NULL);
    poison("_inferpipe_results", ids[2]);
    enginetest_worker(t, NULL);
    enginetest_wait_all(t, 4);
    enginetest_until_sql(t, "select fence >= 2 from inferpipe._inferpipe_runs");
    testdb_exec("drop trigger poison on inferpipe._inferpipe_results");
    enginetest_wait_all(t, 5);
}

static void a_locked_row_delays_nobody_else(void **state)
{
    struct enginetest *t = *state;
    struct testdb_session *lock = testdb_session_open();
    int64_t ids[4];
    char sql[128];

    for (int i = 0; i < 4; i++)
        ids[i] = enginetest_start(t, "gated", "1", NULL);
    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world.gate.came, 4);
    snprintf(sql, sizeof(sql),
             "begin; select * from inferpipe._inferpipe_runs where exec_id = %" PRId64
             " for update",
             ids[1]);
    testdb_session_exec(lock, sql);
    enginetest_gate_let(&world.gate, 4);
    enginetest_wait_all(t, 3);
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_runs where exec_id = %" PRId64,
                   ids[1]);
    testdb_session_exec(lock, "commit");
    testdb_session_close(lock);
    enginetest_completes(t, ids[1], "1");
}

/* Somebody wrote a row under the step's key: the journal is read again, and believed. */
static void a_row_that_is_there_already_wins(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "two_steps", "1", NULL);

    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world.gate.came, 1);
    testdb_execf("insert into inferpipe._inferpipe_steps (exec_id, step_key, done_at, fence, seq,"
                 " kind, status, codec, attempts, name, result)"
                 " values (%" PRId64 ", %" PRId64 ", now(), 0, 1, 1, 0, 0, 1, 'gated', '7')",
                 id, ids_step_key("gated", 5, 1));
    testdb_exec("update inferpipe._inferpipe_runs set has_journal = true");
    enginetest_gate_let(&world.gate, 1);
    enginetest_completes(t, id, "1");
    enginetest_sql("7 1", "select string_agg(convert_from(result, 'UTF8'), ' ' order by seq)"
                          " from inferpipe._inferpipe_steps");
}

/* ---- databases that do not fit --------------------------------------------------------------- */

static bool has_stopped(void *ctx)
{
    return ((struct enginetest_worker *)ctx)->stopped;
}

static void a_schema_that_does_not_fit_ends_the_worker(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w;

    testdb_exec("alter function inferpipe.worker_beat rename to worker_beat_not");
    w = enginetest_open(t, NULL);
    enginetest_until(t, has_stopped, w);
    testdb_exec("alter function inferpipe.worker_beat_not rename to worker_beat");
    assert_int_equal(w->stop_code, IFP_ESCHEMA);
    assert_non_null(strstr(w->stop_error.text, "worker_beat"));
}

static void never(void *ctx, int err, const struct err *e)
{
    (void)ctx;
    fail_msg("stopped with %d: %s", err, e->text);
}

static void a_bad_connection_string_is_refused(void **state)
{
    struct enginetest *t = *state;
    struct engine_options o = { .program = "enginetest", .stopped = never };
    struct config config;
    struct engine *engine = NULL;
    struct err e;

    o.workflows = t->workflows;
    o.workflow_count = t->workflow_count;
    o.config = &config;
    assert_int_equal(config_init(&config, &e), 0);
    assert_int_equal(config_set(&config, CONFIG_DATABASE_URL, "nonsense=1", CONFIG_FROM_FLAG, &e),
                     0);
    assert_int_equal(engine_open(t->loop, &o, &engine, &e), IFP_EINVALID);
    assert_null(engine);
    config_release(&config);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_wakes_an_idle_worker),
        TEST(a_message_wakes_an_idle_worker),
        TEST(a_new_queue_is_found_at_once),
        TEST(a_free_slot_is_filled),
        TEST(a_delayed_start_is_found_by_the_timer),
        TEST(without_notifications_the_queue_is_polled),
        TEST(prepared_statements_may_be_off),
        TEST(timers_of_a_second_need_no_tick),
        TEST(junk_notifications_do_no_harm),
        TEST(urgent_executions_come_first),
        TEST(other_versions_are_left_to_others),
        TEST(two_workers_share_the_work),
        TEST(one_bad_row_does_not_stop_the_others),
        TEST(an_end_that_is_refused_is_tried_again),
        TEST(a_locked_row_delays_nobody_else),
        TEST(a_row_that_is_there_already_wins),
        TEST(a_schema_that_does_not_fit_ends_the_worker),
        TEST(a_bad_connection_string_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
