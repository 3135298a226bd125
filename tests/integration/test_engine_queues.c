/*
 * tests/integration/test_engine_queues.c - limits of queues, with several engines on one database.
 *
 * What happened is read from the audit trigger: every claim and every end is a row there, in the
 * order in which they were made under the queue's lock.
 */
#include "base/clock.h"
#include "lib/enginetest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The most executions that were in workers' hands at once, of all or of one key. */
#define MOST_AT_ONCE                                                                               \
    "select max(n)::text from (select sum((coalesce(new_owner, 0) <> 0)::int"                      \
    " - (coalesce(old_owner, 0) <> 0)::int) over (order by audit_id) as n"                         \
    " from inferpipe_test.audit) a"

static struct world {
    atomic_int steps;
    struct enginetest_gate gate;
} * world;

static int count(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    atomic_fetch_add(&world->steps, 1);
    *ret = input;
    return 0;
}

static int wait_at_gate(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    enginetest_gate_pass(&world->gate);
    return count(step, input, ret);
}

static int quick(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "count", count, input, ret,
                         &(ifp_step_options){ .flags = IFP_INLINE });
}

static int slow(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "count", count, input, ret);
}

static int gated(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "gated", wait_at_gate, input, ret);
}

static int naps(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_sleep_ms(run, 1200));
    return ifp_step(run, "count", count, input, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(quick),
    ENGINETEST_WORKFLOW(slow),
    ENGINETEST_WORKFLOW(gated),
    ENGINETEST_WORKFLOW(naps),
};

static int setup(void **state)
{
    if (!world)
        world = enginetest_shared(sizeof(*world));
    memset(world, 0, sizeof(*world));
    enginetest_setup(state);
    enginetest_gate_open(&world->gate);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

static int teardown(void **state)
{
    enginetest_gate_let(&world->gate, 200);
    enginetest_teardown(state);
    enginetest_gate_close(&world->gate);
    return 0;
}

static void start_many(struct enginetest *t, const char *workflow, int n, const char *queue_key)
{
    for (int i = 0; i < n; i++)
        enginetest_start(t, workflow, "1", &(ifp_start_options){ .queue_key = queue_key });
}

/* ---- places ---------------------------------------------------------------------------------- */

static void workers_share_the_places_of_a_queue(void **state)
{
    struct enginetest *t = *state;

    enginetest_sql("", "select inferpipe.limit('default', p_concurrency => 3)");
    start_many(t, "slow", 60, NULL);
    for (int i = 0; i < 3; i++)
        enginetest_fork(t, NULL);
    enginetest_wait_all(t, 60);
    enginetest_sql("3", MOST_AT_ONCE);
    assert_int_equal(world->steps, 60);
    enginetest_until_sql(t,
                         "select coalesce(sum(used), 0) = 0 from inferpipe._inferpipe_queue_use");
}

/* What a claim does that comes late, with the number behind the last one about queue "b", and two
 * executions before and after it.  0: the worker's last claim was from that queue, so there is no
 * such number yet. */
#define LATE_CLAIM                                                                                 \
    "create function late_claim(p_worker int8) returns int8 language plpgsql as $$"                \
    " declare v_queue int4; v_turn int8; v_taken int8;"                                            \
    " begin"                                                                                       \
    "  select queue_id into v_queue from inferpipe._inferpipe_queues where name = 'b';"            \
    "  perform from inferpipe._inferpipe_queue_state where queue_id = v_queue for update;"         \
    "  select u.turn into v_turn from inferpipe._inferpipe_queue_use u"                            \
    "  where u.queue_id = v_queue and u.used = 0 and u.turn <"                                     \
    "   (select max(o.turn) from inferpipe._inferpipe_queue_use o where o.used = 0);"              \
    "  if not found then return 0; end if;"                                                        \
    "  perform inferpipe.start('gated', '1', p_queue => 'b') from generate_series(1, 2);"          \
    "  select count(*) into v_taken from inferpipe.claim_limited(p_worker, v_queue,"               \
    "   array(select lane_id from inferpipe._inferpipe_lanes where queue_id = v_queue), 2, 0,"     \
    "   v_turn + 1, v_turn) c where c.exec_id <> 0;"                                               \
    "  perform inferpipe.start('gated', '1', p_queue => 'b') from generate_series(1, 2);"          \
    "  return v_taken;"                                                                            \
    " end $$"

/* A claim whose answer was lost may still be carried out, after the worker has looked up what it
 * owns: here the test is that claim. */
static void a_claim_that_comes_late_counts(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w;
    int64_t taken = 0;
    int quick = 1;

    enginetest_sql("", "select inferpipe.limit('a', p_concurrency => 2)");
    enginetest_sql("", "select inferpipe.limit('b', p_concurrency => 2)");
    testdb_exec(LATE_CLAIM);
    w = enginetest_worker(t, NULL);
    enginetest_completes(t, enginetest_start(t, "quick", "1", &(ifp_start_options){ .queue = "b" }),
                         "1");
    for (; taken == 0 && quick < 100; quick++) {
        enginetest_completes(
            t, enginetest_start(t, "quick", "1", &(ifp_start_options){ .queue = "a" }), "1");
        enginetest_until_sql(t, "select sum(used) = 0 from inferpipe._inferpipe_queue_use");
        taken = testdb_int8f("select late_claim(%lld)", (long long)enginetest_worker_id(w));
    }
    assert_int_equal(taken, 2);
    enginetest_until_runs(t, w, 2);
    enginetest_gate_let(&world->gate, 4);
    enginetest_wait_all(t, quick + 4);
    enginetest_sql("2", MOST_AT_ONCE);
}

static void a_sleeping_execution_gives_its_place_to_others(void **state)
{
    struct enginetest *t = *state;
    int64_t naps_id, slow_id;

    enginetest_sql("", "select inferpipe.limit('default', p_concurrency => 1)");
    naps_id = enginetest_start(t, "naps", "1", NULL);
    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select state = 2 from inferpipe._inferpipe_runs where exec_id = %lld",
                         (long long)naps_id);
    slow_id = enginetest_start(t, "slow", "2", NULL);
    enginetest_completes(t, slow_id, "2");
    enginetest_completes(t, naps_id, "1");
    enginetest_sql("1", MOST_AT_ONCE);
}

static void a_worker_with_full_slots_gives_places_back(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *full;
    int64_t other;

    enginetest_sql("", "select inferpipe.limit('narrow', p_concurrency => 1)");
    enginetest_start(t, "quick", "1", &(ifp_start_options){ .queue = "narrow" });
    full = enginetest_worker(t, "slots=1");
    enginetest_wait_all(t, 1);
    start_many(t, "gated", 1, NULL);
    enginetest_until_runs(t, full, 1);
    enginetest_until_sql(t,
                         "select coalesce(sum(used), 0) = 0 from inferpipe._inferpipe_queue_use");
    other = enginetest_start(t, "quick", "2", &(ifp_start_options){ .queue = "narrow" });
    enginetest_worker(t, NULL);
    enginetest_completes(t, other, "2");
    enginetest_gate_let(&world->gate, 1);
    enginetest_wait_all(t, 3);
}

static void places_of_a_killed_worker_come_back(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *victim;

    enginetest_sql("", "select inferpipe.limit('default', p_concurrency => 2)");
    start_many(t, "gated", 6, "k");
    victim = enginetest_fork(t, "lease=1s");
    enginetest_until_count(t, &world->gate.came, 2);
    enginetest_sql("2", "select sum(used)::text from inferpipe._inferpipe_queue_use");
    enginetest_signal(victim, SIGKILL);
    enginetest_gate_let(&world->gate, 20);
    enginetest_worker(t, "lease=1s");
    enginetest_wait_all(t, 6);
    enginetest_sql("2", MOST_AT_ONCE);
    enginetest_until_sql(t,
                         "select coalesce(sum(used), 0) = 0 from inferpipe._inferpipe_queue_use");
}

/* ---- changes at run time --------------------------------------------------------------------- */

static void limits_change_while_executions_run(void **state)
{
    struct enginetest *t = *state;

    start_many(t, "gated", 12, NULL);
    enginetest_worker(t, "threads=16");
    enginetest_until_count(t, &world->gate.came, 12); /* without a limit */
    enginetest_sql("", "select inferpipe.limit('default', p_concurrency => 2)");
    enginetest_until_sql(t, "select used = 12 from inferpipe.queues where name = 'default'");
    start_many(t, "gated", 12, NULL);      /* the worker has heard of the limit */
    enginetest_gate_let(&world->gate, 12); /* lowered below what runs: none comes */
    enginetest_until_count(t, &world->gate.came, 14);
    enginetest_until_sql(t, "select used = 2 from inferpipe.queues where name = 'default'");
    assert_int_equal(world->gate.came, 14);
    enginetest_sql("", "select inferpipe.limit('default', p_concurrency => 5)");
    enginetest_until_count(t, &world->gate.came, 17);
    enginetest_until_sql(t, "select used = 5 from inferpipe.queues where name = 'default'");
    assert_int_equal(world->gate.came, 17);
    enginetest_sql("", "select inferpipe.limit('default', p_concurrency => 0)");
    enginetest_until_count(t, &world->gate.came, 24);
    enginetest_gate_let(&world->gate, 12);
    enginetest_wait_all(t, 24);
}

static void a_paused_queue_waits_and_the_others_go_on(void **state)
{
    struct enginetest *t = *state;
    int64_t paused;

    start_many(t, "gated", 1, NULL);
    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world->gate.came, 1);
    testdb_exec("select inferpipe.pause('default')");
    paused = enginetest_start(t, "quick", "1", NULL);
    enginetest_gate_let(&world->gate, 1);
    enginetest_wait_all(t, 1); /* what was running has ended */
    enginetest_start(t, "quick", "2", &(ifp_start_options){ .queue = "other" });
    enginetest_wait_all(t, 2);
    enginetest_sql("queued", "select inferpipe.status(inferpipe.id_text(%lld))", (long long)paused);
    testdb_exec("select inferpipe.resume('default')");
    enginetest_completes(t, paused, "1");
}

/* ---- rates ----------------------------------------------------------------------------------- */

static void the_rate_is_kept_over_all_workers(void **state)
{
    struct enginetest *t = *state;

    enginetest_sql("", "select inferpipe.limit('default', p_rate => 20, p_burst => 4)");
    start_many(t, "slow", 30, NULL);
    enginetest_fork(t, NULL);
    enginetest_fork(t, NULL);
    enginetest_wait_all(t, 30);
    /* The n-th begins no earlier than (n - 4) / 20 s after the first; 200 ms for a slow first
     * claim, whose trigger reads its own clock. */
    enginetest_sql("0",
                   "select count(*)::text from (select at, row_number() over (order by at) as n,"
                   " min(at) over () as first from inferpipe_test.audit"
                   " where new_owner <> 0 and old_owner = 0) c"
                   " where at < first + (n - 4) * interval '50 ms' - interval '200 ms'");
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void executions_of_one_key_run_one_after_the_other(void **state)
{
    struct enginetest *t = *state;

    enginetest_sql("", "select inferpipe.limit('default', p_key_concurrency => 1)");
    for (int i = 0; i < 15; i++) {
        start_many(t, "slow", 1, "a");
        start_many(t, "slow", 1, "b");
        start_many(t, "quick", 1, NULL);
    }
    enginetest_fork(t, NULL);
    enginetest_fork(t, NULL);
    enginetest_wait_all(t, 45);
    enginetest_sql("1",
                   "select max(n)::text from (select e.queue_key, sum((coalesce(a.new_owner, 0)"
                   " <> 0)::int - (coalesce(a.old_owner, 0) <> 0)::int)"
                   " over (partition by e.queue_key order by a.audit_id) as n"
                   " from inferpipe_test.audit a"
                   " join inferpipe._inferpipe_executions e using (exec_id)"
                   " where e.queue_key is not null) k");
    assert_int_equal(world->steps, 45);
    enginetest_until_sql(t, "select count(*) = 0 from inferpipe._inferpipe_queue_waits");
}

static void a_noisy_key_does_not_hold_up_another(void **state)
{
    struct enginetest *t = *state;
    int64_t quiet;

    enginetest_sql("", "select inferpipe.limit('default', p_concurrency => 2, p_key_window => 5)");
    start_many(t, "slow", 300, "noisy");
    quiet = enginetest_start(t, "slow", "7", &(ifp_start_options){ .queue_key = "quiet" });
    enginetest_worker(t, NULL);
    enginetest_completes(t, quiet, "7");
    enginetest_wait_all(t, 301);
    /* In front of it: the noisy key's window, once more for what begins meanwhile. */
    enginetest_sql("true",
                   "select (count(*) <= 20)::text from inferpipe_test.audit a"
                   " where a.new_owner <> 0 and a.old_owner = 0 and a.audit_id < (select"
                   " b.audit_id from inferpipe_test.audit b where b.exec_id = %lld"
                   " and b.new_owner <> 0)",
                   (long long)quiet);
}

/* ---- cost ------------------------------------------------------------------------------------ */

static int64_t time_of(struct enginetest *t, const char *queue, int n, int *done)
{
    int64_t began = clock_mono_us();

    for (int i = 0; i < n; i++)
        enginetest_start(t, "quick", "1", &(ifp_start_options){ .queue = queue });
    testdb_execf("select inferpipe.resume('%s')", queue);
    began = clock_mono_us();
    *done += n;
    enginetest_wait_all(t, *done);
    return clock_mono_us() - began;
}

static void a_limit_costs_little(void **state)
{
    enum { N = 600, ROUNDS = 2 };
    struct enginetest *t = *state;
    double best = 0;
    int done = 0;

    enginetest_sql("", "select inferpipe.limit('limited', p_concurrency => 10000)");
    enginetest_worker(t, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t plain, limited;

        testdb_exec("select inferpipe.pause('plain')");
        testdb_exec("select inferpipe.pause('limited')");
        plain = time_of(t, "plain", N, &done);
        limited = time_of(t, "limited", N, &done);
        printf("%d executions: %.0f ms without a limit, %.0f ms with one of 10,000\n", N,
               (double)plain / 1000, (double)limited / 1000);
        best = MAX(best, (double)plain / (double)limited);
    }
    printf("throughput with the limit: %.2f of that without\n", best);
    assert_true(best > 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(workers_share_the_places_of_a_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(a_claim_that_comes_late_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sleeping_execution_gives_its_place_to_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_worker_with_full_slots_gives_places_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(places_of_a_killed_worker_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_change_while_executions_run, setup, teardown),
        cmocka_unit_test_setup_teardown(a_paused_queue_waits_and_the_others_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(the_rate_is_kept_over_all_workers, setup, teardown),
        cmocka_unit_test_setup_teardown(executions_of_one_key_run_one_after_the_other, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_noisy_key_does_not_hold_up_another, setup, teardown),
        cmocka_unit_test_setup_teardown(a_limit_costs_little, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
