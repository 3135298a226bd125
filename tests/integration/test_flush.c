/*
 * tests/integration/test_flush.c - the group commit against a real database: what is written, what
 * the verdicts say, that a batch may be sent again, and each way through a receive.
 */
#include "base/fault.h"
#include "lib/storetest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORKER STORETEST_WORKER
enum { INLINE_MAX = 64, KEY = 100, INTENT = 101, ANSWERS = 16 };

struct test {
    struct storetest t; /* first */
    struct flush f;
    struct store_claimed run;
    struct flush_answer answers[ANSWERS];
    char payload[64];
};

static int start(void **state)
{
    static struct test test;

    storetest_start(&test.t);
    flush_init(&test.f, test.t.store, INLINE_MAX);
    test.run = storetest_claimed(&test.t, "echo");
    *state = &test;
    return 0;
}

static int stop(void **state)
{
    struct test *test = *state;

    fault_arm(FAULT_REPLY, 0, false);
    fault_arm(FAULT_ALLOC, 0, false);
    flush_release(&test->f);
    storetest_close(&test->t);
    return 0;
}

static struct slice text(const char *s)
{
    return (struct slice){ s, strlen(s) };
}

static void add_run(struct test *test, struct flush_run run)
{
    run.exec_id = test->run.exec_id;
    run.fence = test->run.fence;
    flush_add_run(&test->f, &run);
}

static void add_step(struct test *test, int64_t key, int32_t seq, struct slice result)
{
    flush_add_row(&test->f, &(struct flush_row){ .step_key = key,
                                                 .seq = seq,
                                                 .kind = STORE_STEP,
                                                 .attempts = 1,
                                                 .name = "charge",
                                                 .result = result,
                                                 .took_us = 42,
                                                 .wake_ms = -1 });
}

static void read_answers(const struct store_op *op, void *ctx)
{
    struct test *test = ctx;

    assert_true(op->rows <= ANSWERS);
    for (int i = 0; i < op->rows; i++) {
        struct flush_answer a = flush_answer_at(&test->f, i);

        (void)snprintf(test->payload, sizeof(test->payload), "%.*s", (int)a.payload.len,
                       a.payload.text ? a.payload.text : "(none)");
        test->answers[i] = a;
    }
}

static int send(struct test *test)
{
    test->t.read = read_answers;
    test->t.ctx = test;
    flush_send(&test->f, WORKER, storetest_done);
    return storetest_wait(&test->t);
}

/* Sends the batch, which must have this one run, and empties it. */
static struct flush_answer sent(struct test *test)
{
    if (send(test) != 0)
        fail_msg("flush: %s", test->t.error.text);
    assert_int_equal(test->t.rows, 1);
    assert_int_equal(test->answers[0].exec_id, test->run.exec_id);
    flush_reset(&test->f);
    return test->answers[0];
}

static int64_t steps(void)
{
    return testdb_int8("select count(*) from inferpipe._inferpipe_steps where kind <> 9");
}

/* ---- journal rows --------------------------------------------------------------------------- */

static void a_step_is_written_with_all_its_columns(void **state)
{
    struct test *test = *state;
    struct flush_answer a;

    add_run(test, (struct flush_run){ .move = FLUSH_KEEP });
    add_step(test, KEY, 1, text("{\"a\": 1.0}"));
    flush_add_row(&test->f, &(struct flush_row){ .step_key = KEY + 1,
                                                 .seq = 2,
                                                 .kind = STORE_STEP,
                                                 .status = STORE_FAILED,
                                                 .attempts = 3,
                                                 .name = "ship",
                                                 .error_code = "NO_TRUCK",
                                                 .error = "none left",
                                                 .wake_ms = -1 });
    a = sent(test);
    assert_int_equal(a.verdict, FLUSH_WRITTEN);
    assert_int_equal(a.got, FLUSH_GOT_NOTHING);
    assert_null(a.payload.text);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_steps where step_key ="
                                 " 100 and seq = 1 and kind = 1 and status = 0 and attempts = 1"
                                 " and name = 'charge' and codec = 0 and took_us = 42"
                                 " and convert_from(result, 'UTF8') = '{\"a\": 1.0}'"
                                 " and wake_at is null and error is null and fence = 1"),
                     1);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_steps where step_key ="
                                 " 101 and status = 1 and attempts = 3 and result is null"
                                 " and error_code = 'NO_TRUCK' and error = 'none left'"),
                     1);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs where has_journal"
                                 " and owner = 4711"),
                     1);
}

static void a_failed_attempt_is_written_with_its_next_time(void **state)
{
    struct test *test = *state;

    add_run(test, (struct flush_run){ .move = FLUSH_KEEP });
    flush_add_attempt(&test->f, &(struct flush_attempt){ .step_key = KEY,
                                                         .seq = 1,
                                                         .attempt = 2,
                                                         .error_code = "X",
                                                         .error = "y",
                                                         .next_ms = 60000 });
    flush_add_attempt(&test->f, &(struct flush_attempt){
                                    .step_key = KEY, .seq = 1, .attempt = 3, .next_ms = -1 });
    assert_int_equal(sent(test).verdict, FLUSH_WRITTEN);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_attempts where"
                                 " attempt = 2 and step_key = 100 and seq = 1 and error_code = 'X'"
                                 " and error = 'y' and next_at - failed_at = interval '1 m'"),
                     1);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_attempts where"
                                 " attempt = 3 and next_at is null and error is null"),
                     1);
}

static void a_sleep_keeps_its_first_wake_time_when_it_is_sent_again(void **state)
{
    struct test *test = *state;
    int64_t first;

    add_run(test, (struct flush_run){ .move = FLUSH_KEEP });
    flush_add_row(&test->f, &(struct flush_row){ .step_key = KEY,
                                                 .seq = 1,
                                                 .kind = STORE_SLEEP,
                                                 .attempts = 1,
                                                 .name = "sleep",
                                                 .wake_ms = 60000 });
    assert_int_equal(send(test), 0);
    first = testdb_int8("select (extract(epoch from wake_at) * 1000000)::int8"
                        " from inferpipe._inferpipe_steps");
    assert_int_equal(sent(test).verdict, FLUSH_WRITTEN);
    assert_int_equal(testdb_int8("select (extract(epoch from wake_at) * 1000000)::int8"
                                 " from inferpipe._inferpipe_steps"),
                     first);
}

/* ---- payloads ------------------------------------------------------------------------------- */

static void payloads_over_the_inline_limit_go_to_their_table_once(void **state)
{
    struct test *test = *state;
    char at_limit[INLINE_MAX + 1], over[INLINE_MAX + 2];

    memset(at_limit, '1', INLINE_MAX);
    at_limit[INLINE_MAX] = '\0';
    memset(over, '2', INLINE_MAX + 1);
    over[INLINE_MAX + 1] = '\0';
    add_run(test, (struct flush_run){
                      .move = FLUSH_END, .status = FLUSH_COMPLETED, .output = text(over) });
    add_step(test, KEY, 1, text(at_limit));
    add_step(test, KEY + 1, 2, text(over));
    assert_int_equal(test->f.bytes, INLINE_MAX + 2 * (INLINE_MAX + 1));
    assert_int_equal(sent(test).verdict, FLUSH_WRITTEN);
    assert_int_equal(testdb_int8("select codec from inferpipe._inferpipe_steps where seq = 1"), 0);
    assert_int_equal(testdb_int8("select codec from inferpipe._inferpipe_steps where seq = 2"), 1);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_payloads"), 1);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_payloads p"
                                 " join inferpipe._inferpipe_results r on r.codec = 1"
                                 " and r.output = p.hash and p.hash = sha256(p.data)"
                                 " and length(p.data) = 65"),
                     1);
}

/* ---- moves ---------------------------------------------------------------------------------- */

static void the_last_step_and_the_end_leave_together(void **state)
{
    struct test *test = *state;

    add_run(test, (struct flush_run){
                      .move = FLUSH_END, .status = FLUSH_COMPLETED, .output = text("[1]") });
    add_step(test, KEY, 1, text("1"));
    assert_int_equal(sent(test).verdict, FLUSH_WRITTEN);
    assert_int_equal(steps(), 1);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs"), 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_results where status ="
                                 " 1 and fence = 1 and convert_from(output, 'UTF8') = '[1]'"),
                     1);
}

static void an_end_may_be_a_failure_with_code_and_text(void **state)
{
    struct test *test = *state;

    add_run(test, (struct flush_run){ .move = FLUSH_END,
                                      .status = FLUSH_FAILED,
                                      .error_code = "NO_STOCK",
                                      .error = "only 3" });
    assert_int_equal(sent(test).verdict, FLUSH_WRITTEN);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_results where status ="
                                 " 2 and error_code = 'NO_STOCK' and error = 'only 3'"
                                 " and output is null"),
                     1);
}

static void a_park_sleeps_from_now_or_until_a_time(void **state)
{
    struct test *test = *state;
    struct flush_answer a;

    add_run(test,
            (struct flush_run){ .move = FLUSH_PARK, .state = FLUSH_TIMER, .wake_ms = 3600000 });
    a = sent(test);
    assert_int_equal(a.verdict, FLUSH_WRITTEN);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs where owner = 0"
                                 " and state = 2 and ready_at > now() + interval '59 m'"),
                     1);
    testdb_exec("update inferpipe._inferpipe_runs set ready_at = now(), state = 0");
    assert_int_equal(storetest_claim(&test->t), 1);
    test->run = test->t.claimed[0];
    assert_int_equal(test->run.fence, 2);
    add_run(test, (struct flush_run){ .move = FLUSH_PARK,
                                      .state = FLUSH_RETRY,
                                      .wake_us = test->run.now_us + 5000000,
                                      .wake_ms = 3600000 });
    assert_int_equal(sent(test).verdict, FLUSH_WRITTEN);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs where state = 4"),
                     1);
    assert_int_equal(testdb_int8("select (extract(epoch from ready_at) * 1000000)::int8"
                                 " from inferpipe._inferpipe_runs"),
                     test->run.now_us + 5000000);
}

static void handing_back_makes_it_ready_for_the_next_worker(void **state)
{
    struct test *test = *state;

    add_run(test, (struct flush_run){ .move = FLUSH_BACK, .wake_ms = -1 });
    assert_int_equal(sent(test).verdict, FLUSH_WRITTEN);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs where owner = 0"
                                 " and state = 0 and crashes = 0 and ready_at <= now()"),
                     1);
    assert_int_equal(storetest_claim(&test->t), 1);
}

static void the_flags_tell_of_a_cancel(void **state)
{
    struct test *test = *state;

    testdb_execf("select inferpipe.execution_cancel(1, %lld, false)", (long long)test->run.exec_id);
    add_run(test, (struct flush_run){ .move = FLUSH_KEEP });
    assert_int_equal(sent(test).flags & STORE_FLAG_CANCEL, STORE_FLAG_CANCEL);
}

/* ---- verdicts ------------------------------------------------------------------------------- */

static void a_stale_fence_writes_nothing(void **state)
{
    struct test *test = *state;

    test->run.fence++;
    add_run(test, (struct flush_run){ .move = FLUSH_END, .status = FLUSH_COMPLETED });
    add_step(test, KEY, 1, text("1"));
    assert_int_equal(sent(test).verdict, FLUSH_NOT_OURS);
    assert_int_equal(steps(), 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs"), 1);
}

static void a_key_that_another_call_has_is_a_conflict(void **state)
{
    struct test *test = *state;

    add_run(test, (struct flush_run){ .move = FLUSH_KEEP });
    add_step(test, KEY, 1, text("1"));
    assert_int_equal(sent(test).verdict, FLUSH_WRITTEN);
    add_run(test, (struct flush_run){ .move = FLUSH_END, .status = FLUSH_COMPLETED });
    add_step(test, KEY, 2, text("2"));
    assert_int_equal(sent(test).verdict, FLUSH_CONFLICT);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs"), 1);
    assert_int_equal(testdb_int8("select seq from inferpipe._inferpipe_steps"), 1);
}

static void a_locked_run_is_left_out_and_the_others_are_written(void **state)
{
    struct test *test = *state;
    struct store_claimed locked = test->run;
    struct testdb_session *other = testdb_session_open();
    char sql[128];

    (void)storetest_claimed(&test->t, "echo");
    test->run = test->t.claimed[0];
    testdb_session_exec(other, "begin");
    (void)snprintf(sql, sizeof(sql),
                   "select inferpipe.execution_send(1, %lld, 'm', 'null', null, null)",
                   (long long)locked.exec_id);
    testdb_session_exec(other, sql);
    flush_add_run(&test->f, &(struct flush_run){ .exec_id = locked.exec_id,
                                                 .fence = locked.fence,
                                                 .move = FLUSH_KEEP });
    add_step(test, KEY, 1, text("1"));
    add_run(test, (struct flush_run){ .move = FLUSH_KEEP });
    add_step(test, KEY, 1, text("1"));
    assert_int_equal(send(test), 0);
    assert_int_equal(test->t.rows, 2);
    assert_int_equal(test->answers[0].exec_id, locked.exec_id);
    assert_int_equal(test->answers[0].verdict, FLUSH_LOCKED);
    assert_int_equal(test->answers[1].verdict, FLUSH_WRITTEN);
    assert_int_equal(steps(), 1);
    testdb_session_exec(other, "commit");
    testdb_session_close(other);
    assert_int_equal(send(test), 0);
    assert_int_equal(test->answers[0].verdict, FLUSH_WRITTEN);
    assert_int_equal(test->answers[1].verdict, FLUSH_WRITTEN);
    assert_int_equal(steps(), 2);
}

static void answers_come_in_the_order_of_the_batch(void **state)
{
    struct test *test = *state;
    int64_t ids[8];

    flush_reset(&test->f);
    for (int i = 0; i < 8; i++)
        (void)storetest_execution("echo");
    assert_int_equal(storetest_claim(&test->t), 8);
    for (int i = 0; i < 8; i++) {
        test->run = test->t.claimed[7 - i];
        ids[i] = test->run.exec_id;
        add_run(test, (struct flush_run){ .move = FLUSH_END, .status = FLUSH_COMPLETED });
    }
    assert_int_equal(send(test), 0);
    assert_int_equal(test->t.rows, 8);
    for (int i = 0; i < 8; i++)
        assert_true(test->answers[i].exec_id == ids[i]);
}

/* ---- sending again -------------------------------------------------------------------------- */

static void a_batch_whose_answer_was_lost_is_sent_again_without_harm(void **state)
{
    struct test *test = *state;

    add_run(test, (struct flush_run){ .move = FLUSH_KEEP });
    add_step(test, KEY, 1, text("1"));
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(send(test), IFP_EUNAVAILABLE);
    assert_true(test->t.sent);
    assert_int_equal(sent(test).verdict, FLUSH_WRITTEN);
    assert_int_equal(steps(), 1);
}

static void an_end_whose_answer_was_lost_is_not_ours_any_more(void **state)
{
    struct test *test = *state;

    add_run(test, (struct flush_run){ .move = FLUSH_END, .status = FLUSH_COMPLETED });
    assert_int_equal(send(test), 0);
    assert_int_equal(sent(test).verdict, FLUSH_NOT_OURS);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_results"), 1);
}

static void out_of_memory_while_building_sends_nothing_and_can_be_built_again(void **state)
{
    struct test *test = *state;

    for (uint64_t n = 1;; n++) {
        int err;

        fault_arm(FAULT_ALLOC, n, false);
        add_run(test, (struct flush_run){ .move = FLUSH_KEEP });
        add_step(test, KEY, 1, text("1"));
        err = send(test);
        fault_arm(FAULT_ALLOC, 0, false);
        flush_reset(&test->f);
        if (!err)
            break;
        assert_int_equal(err, IFP_ENOMEM);
        assert_int_equal(steps(), 0);
    }
    assert_int_equal(steps(), 1);
}

/* ---- receive -------------------------------------------------------------------------------- */

static struct flush_answer receive(struct test *test, int64_t wait_ms)
{
    add_run(test, (struct flush_run){ .move = FLUSH_RECEIVE,
                                      .wait_key = KEY,
                                      .wait_intent = INTENT,
                                      .wait_seq = 1,
                                      .wait_name = "go",
                                      .wait_ms = wait_ms });
    return sent(test);
}

static void send_message(struct test *test, const char *payload)
{
    testdb_execf("select inferpipe.execution_send(1, %lld, 'go', '%s', null, null)",
                 (long long)test->run.exec_id, payload);
}

static void a_message_that_came_first_is_received_and_again_on_resend(void **state)
{
    struct test *test = *state;

    send_message(test, "\"one\"");
    send_message(test, "\"two\"");
    assert_int_equal(receive(test, 60000).got, FLUSH_GOT_MESSAGE);
    assert_string_equal(test->payload, "\"one\"");
    assert_int_equal(receive(test, 60000).got, FLUSH_GOT_MESSAGE);
    assert_string_equal(test->payload, "\"one\"");
    assert_int_equal(steps(), 1);
    assert_int_equal(testdb_int8("select owner from inferpipe._inferpipe_runs"), WORKER);
}

static void a_large_message_is_received_whole(void **state)
{
    struct test *test = *state;

    testdb_execf("select inferpipe.execution_send(1, %lld, 'go', '\"large\"', sha256('\"large\"'),"
                 " null)",
                 (long long)test->run.exec_id);
    assert_int_equal(receive(test, 60000).got, FLUSH_GOT_MESSAGE);
    assert_string_equal(test->payload, "\"large\"");
}

static void without_a_message_it_parks_and_a_message_wakes_it(void **state)
{
    struct test *test = *state;

    assert_int_equal(receive(test, 60000).got, FLUSH_GOT_NOTHING);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs where owner = 0"
                                 " and state = 3 and wait_key = inferpipe.name_key('go')"
                                 " and ready_at > now() + interval '50 s'"),
                     1);
    send_message(test, "7");
    assert_int_equal(storetest_claim(&test->t), 1);
    test->run = test->t.claimed[0];
    assert_true(test->run.has_journal);
    assert_int_equal(receive(test, 60000).got, FLUSH_GOT_MESSAGE);
    assert_string_equal(test->payload, "7");
}

static void a_wait_that_is_over_times_out_and_stays_so(void **state)
{
    struct test *test = *state;

    assert_int_equal(receive(test, 0).got, FLUSH_GOT_TIMEOUT);
    send_message(test, "7");
    assert_int_equal(receive(test, 60000).got, FLUSH_GOT_TIMEOUT);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_steps where kind = 3"
                                 " and status = 2 and name = 'go'"),
                     1);
}

#define WITH_RUN(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RUN(a_step_is_written_with_all_its_columns),
        WITH_RUN(a_failed_attempt_is_written_with_its_next_time),
        WITH_RUN(a_sleep_keeps_its_first_wake_time_when_it_is_sent_again),
        WITH_RUN(payloads_over_the_inline_limit_go_to_their_table_once),
        WITH_RUN(the_last_step_and_the_end_leave_together),
        WITH_RUN(an_end_may_be_a_failure_with_code_and_text),
        WITH_RUN(a_park_sleeps_from_now_or_until_a_time),
        WITH_RUN(handing_back_makes_it_ready_for_the_next_worker),
        WITH_RUN(the_flags_tell_of_a_cancel),
        WITH_RUN(a_stale_fence_writes_nothing),
        WITH_RUN(a_key_that_another_call_has_is_a_conflict),
        WITH_RUN(a_locked_run_is_left_out_and_the_others_are_written),
        WITH_RUN(answers_come_in_the_order_of_the_batch),
        WITH_RUN(a_batch_whose_answer_was_lost_is_sent_again_without_harm),
        WITH_RUN(an_end_whose_answer_was_lost_is_not_ours_any_more),
        WITH_RUN(out_of_memory_while_building_sends_nothing_and_can_be_built_again),
        WITH_RUN(a_message_that_came_first_is_received_and_again_on_resend),
        WITH_RUN(a_large_message_is_received_whole),
        WITH_RUN(without_a_message_it_parks_and_a_message_wakes_it),
        WITH_RUN(a_wait_that_is_over_times_out_and_stays_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
