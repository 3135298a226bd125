/*
 * tests/integration/test_engine_unwind.c - compensations run in reverse when a workflow fails, is
 * canceled or runs out of time, each once, whatever happens meanwhile; then it ends as it would
 * have.
 */
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct world { /* shared with forked workers */
    struct enginetest_gate gate;
    atomic_int undone; /* bodies of compensations that began */
    atomic_bool mended;
} * world;

/* ---- workflows ------------------------------------------------------------------------------- */

static int book(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    *ret = input;
    return 0;
}

static int hold(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = input;
    (void)enginetest_gate_pass_or_cancel(&world->gate, step);
    return 0;
}

static int break_down(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    return ifp_step_fail(step, "NO_CAR", IFP_FINAL, "all are taken");
}

/* The input of a compensation says how it goes. */
static int undo(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    const char *how = ifp_json_str(input, "/undo", "");

    *ret = NULL;
    atomic_fetch_add(&world->undone, 1);
    if (strcmp(how, "hold") == 0 && !enginetest_gate_pass_or_cancel(&world->gate, step))
        return ifp_step_fail(step, "TOLD_TO_STOP", IFP_FINAL, "nobody may cancel an undoing");
    if (strcmp(how, "later") == 0 && ifp_step_attempt(step) == 1)
        return ifp_step_fail(step, "LATER", IFP_RETRY, "not yet");
    if (strcmp(how, "broken") == 0 && !atomic_load(&world->mended))
        return ifp_step_fail(step, "NO_REFUND", IFP_FINAL, "they keep the money");
    return 0;
}

static int wait_in_some_way(ifp_run *run, const char *how, const ifp_json *input)
{
    const ifp_json *out;

    if (strcmp(how, "receive") == 0)
        return ifp_receive(run, "go", NULL, &out);
    if (strcmp(how, "sleep") == 0)
        return ifp_sleep(run, "1h");
    if (strcmp(how, "step") == 0)
        return ifp_step(run, "hold", hold, input, &out);
    if (strcmp(how, "child") == 0)
        return ifp_child(run, "plain", input, &out);
    if (strcmp(how, "car") == 0)
        return ifp_step(run, "car", break_down, input, &out);
    return strcmp(how, "fail") == 0 ? ifp_fail(run, "NO_LUCK", "it was not to be") : 0;
}

static int trip(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_step_options later = { .delay_ms = 1100, .jitter = -1 };
    const ifp_json *out;
    int rc;

    IFP_TRY(ifp_step(run, "flight", book, input, &out));
    IFP_TRY(ifp_compensate(run, "cancel-flight", undo, NULL, NULL));
    IFP_TRY(ifp_step(run, "hotel", book, input, &out));
    IFP_TRY(ifp_compensate(run, "cancel-hotel", undo, input, &later));
    rc = wait_in_some_way(run, ifp_json_str(input, "/how", ""), input);
    if (rc == IFP_SUSPENDED)
        return rc;
    if (rc == IFP_ECANCELED || rc == IFP_ETIMEOUT) { /* it may try what it wants */
        (void)!ifp_step(run, "more", book, input, &out);
        (void)!ifp_compensate(run, "cancel-more", undo, NULL, NULL);
        return 0;
    }
    /* Behind the wait: a replay must not come here when the wait did not end. */
    if (rc == 0)
        IFP_TRY(ifp_compensate(run, "cancel-wait", undo, NULL, NULL));
    *ret = input;
    return rc;
}

static int plain(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_step(run, "flight", book, input, ret));
    return ifp_receive(run, "go", NULL, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(trip),
    ENGINETEST_WORKFLOW(plain),
};

static int setup(void **state)
{
    enginetest_setup(state);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    if (!world)
        world = enginetest_shared(sizeof(*world));
    enginetest_gate_open(&world->gate);
    atomic_store(&world->undone, 0);
    atomic_store(&world->mended, false);
    return 0;
}

static int teardown(void **state)
{
    int rc = enginetest_teardown(state);

    enginetest_gate_close(&world->gate);
    return rc;
}

static void journal_is(const char *names)
{
    enginetest_sql(names, "select string_agg(name, ' ' order by seq) from inferpipe.steps");
}

static void until_parked(struct enginetest *t, const struct enginetest_worker *w)
{
    enginetest_until_sql(t, "select owner = 0 and state in (2, 3) from inferpipe._inferpipe_runs");
    enginetest_until_runs(t, w, 0);
}

static void is_canceled(struct enginetest *t, int64_t id)
{
    const ifp_execution *x = enginetest_wait(t, id, IFP_STATUS_CANCELED);

    assert_string_equal(x->error_code, "CANCELED");
    assert_string_equal(x->error, "it was canceled");
}

/* ---- failure --------------------------------------------------------------------------------- */

static void a_failure_is_compensated_in_reverse(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_fails(t, enginetest_start(t, "trip", "{\"how\":\"fail\"}", NULL), "NO_LUCK",
                     "it was not to be");
    journal_is("flight hotel failed cancel-hotel cancel-flight");
    assert_int_equal(atomic_load(&world->undone), 2);
}

static void a_failed_step_is_compensated_too(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_fails(t, enginetest_start(t, "trip", "{\"how\":\"car\"}", NULL), "NO_CAR",
                     "step \"car\": all are taken");
    journal_is("flight hotel car failed cancel-hotel cancel-flight");
}

static void success_needs_no_compensation(void **state)
{
    struct enginetest *t = *state;

    enginetest_worker(t, NULL);
    enginetest_completes(t, enginetest_start(t, "trip", "{}", NULL), "{}");
    journal_is("flight hotel");
    assert_int_equal(atomic_load(&world->undone), 0);
}

static void a_compensation_that_fails_does_not_stop_the_others(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "trip", "{\"how\":\"fail\",\"undo\":\"broken\"}", NULL);
    struct err e;

    enginetest_worker(t, NULL);
    enginetest_fails(
        t, id, "NO_LUCK",
        "it was not to be; compensation \"cancel-hotel\" failed: NO_REFUND: they keep");
    enginetest_sql("failed ok", "select string_agg(status, ' ' order by seq) from inferpipe.steps"
                                " where name like 'cancel%%'");
    atomic_store(&world->mended, true);
    enginetest_retry(t, id);
    enginetest_until_sql(t, "select error = 'it was not to be' from inferpipe._inferpipe_results");
    assert_int_equal(atomic_load(&world->undone), 3); /* only the broken one ran again */
    assert_int_equal(client_retry(&t->client, id, &e), IFP_ECONFLICT);
    assert_non_null(strstr(e.text, "compensated"));
}

/* ---- cancel and deadline --------------------------------------------------------------------- */

static void a_cancel_of_a_wait_is_compensated(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "trip", "{\"how\":\"receive\"}", NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    until_parked(t, w);
    assert_false(enginetest_cancel(t, id, false));
    is_canceled(t, id);
    journal_is("flight hotel canceled cancel-hotel cancel-flight");
}

static void a_cancel_of_a_running_step_is_compensated(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "trip", "{\"how\":\"step\"}", NULL);

    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world->gate.came, 1);
    assert_false(enginetest_cancel(t, id, false));
    is_canceled(t, id);
    /* The step was told and its result counts, so what follows it is registered. */
    journal_is("flight hotel hold canceled cancel-wait cancel-hotel cancel-flight");
}

/* The clock moves behind the sleep's end before the unwinding goes on elsewhere: a replay must see
 * the sleep as it was. */
static void a_canceled_sleep_stays_canceled(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_worker(t, NULL);
    int64_t id = enginetest_start(t, "trip", "{\"how\":\"sleep\",\"undo\":\"later\"}", NULL);

    until_parked(t, w);
    assert_false(enginetest_cancel(t, id, false));
    enginetest_until_sql(t, "select owner = 0 and state = 4 from inferpipe._inferpipe_runs");
    enginetest_db_clock("2 hours");
    is_canceled(t, id);
    journal_is("flight hotel sleep canceled cancel-hotel cancel-flight");
    enginetest_sql("t", "select fence <= 5 from inferpipe._inferpipe_results"); /* no spinning */
}

/* The child ends while its parent unwinds: a replay must see it as it was. */
static void a_child_that_ends_too_late_is_not_waited_for(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "trip", "{\"how\":\"child\",\"undo\":\"later\"}", NULL);
    int64_t child;

    enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select count(*) = 1 from inferpipe._inferpipe_runs"
                            " where owner = 0 and state = 3");
    enginetest_until_sql(t, "select count(*) = 1 from inferpipe._inferpipe_runs"
                            " where owner = 0 and state = 6");
    child = testdb_int8("select exec_id from inferpipe._inferpipe_runs where state = 3");
    assert_false(enginetest_cancel(t, id, false));
    enginetest_until_sql(t,
                         "select owner = 0 and state = 4 from inferpipe._inferpipe_runs"
                         " where exec_id = %" PRId64,
                         id);
    enginetest_send(t, child, "go", "1");
    enginetest_completes(t, child, "1");
    is_canceled(t, id);
    enginetest_sql("plain canceled cancel-hotel cancel-flight",
                   "select string_agg(name, ' ' order by seq) from inferpipe.steps"
                   " where exec_id = %" PRId64 " and seq > 2 and kind <> 'child end'",
                   id);
}

static void a_deadline_is_compensated(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "trip", "{\"how\":\"receive\",\"undo\":\"later\"}",
                                  &(ifp_start_options){ .deadline_ms = 3600 * 1000 });
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    until_parked(t, w);
    enginetest_db_clock("1 hour");
    enginetest_fails(t, id, "TIMEOUT", "the execution's deadline has passed");
    journal_is("flight hotel timeout cancel-hotel cancel-flight");
    enginetest_sql("t", "select fence <= 5 from inferpipe._inferpipe_results");
}

static void without_compensations_it_ends_at_once(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "plain", "1", NULL);
    struct enginetest_worker *w = enginetest_worker(t, NULL);

    until_parked(t, w);
    assert_false(enginetest_cancel(t, id, false));
    is_canceled(t, id);
    journal_is("flight");
}

/* ---- while it unwinds ------------------------------------------------------------------------ */

static void a_cancel_while_it_unwinds_changes_nothing(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "trip", "{\"how\":\"fail\",\"undo\":\"hold\"}", NULL);

    enginetest_worker(t, NULL);
    enginetest_until_count(t, &world->gate.came, 1);
    assert_false(enginetest_cancel(t, id, false));
    assert_false(enginetest_cancel(t, id, false));
    enginetest_sql("0 0", "select flags || ' ' || (select count(*)"
                          " from inferpipe._inferpipe_cancels) from inferpipe._inferpipe_runs");
    enginetest_gate_let(&world->gate, 1);
    enginetest_fails(t, id, "NO_LUCK", "it was not to be");
    enginetest_sql("0", "select count(*) from inferpipe.steps where status <> 'ok'");
}

static void unwinding_goes_on_when_its_worker_dies(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *w = enginetest_fork(t, "lease=1s");
    int64_t id = enginetest_start(t, "trip", "{\"how\":\"receive\",\"undo\":\"hold\"}", NULL);

    enginetest_until_sql(t, "select owner = 0 and state = 3 from inferpipe._inferpipe_runs");
    assert_false(enginetest_cancel(t, id, false));
    enginetest_until_count(t, &world->gate.came, 1);
    enginetest_signal(w, SIGKILL);
    enginetest_gate_let(&world->gate, 2);
    enginetest_worker(t, "lease=1s");
    is_canceled(t, id);
    journal_is("flight hotel canceled cancel-hotel cancel-flight");
    assert_int_equal(atomic_load(&world->undone), 3); /* the interrupted one ran again */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failure_is_compensated_in_reverse),
        TEST(a_failed_step_is_compensated_too),
        TEST(success_needs_no_compensation),
        TEST(a_compensation_that_fails_does_not_stop_the_others),
        TEST(a_cancel_of_a_wait_is_compensated),
        TEST(a_cancel_of_a_running_step_is_compensated),
        TEST(a_canceled_sleep_stays_canceled),
        TEST(a_child_that_ends_too_late_is_not_waited_for),
        TEST(a_deadline_is_compensated),
        TEST(without_compensations_it_ends_at_once),
        TEST(a_cancel_while_it_unwinds_changes_nothing),
        TEST(unwinding_goes_on_when_its_worker_dies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
