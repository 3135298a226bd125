/*
 * tests/integration/test_retention.c - the retention policy for callers against a real database:
 * what is kept and how long, one piece of the work, and the deletion of one execution.
 */
#include "base/fault.h"
#include "lib/clienttest.h"
#include "store/retention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { COMPLETED, FAILED, CANCELED };
#define MINUTE_MS INT64_C(60000)

static struct retention_policy policy(struct clienttest *t)
{
    struct retention_policy p;

    if (retention_get(&t->c, &p, &t->e) != 0)
        fail_msg("%s", t->e.text);
    return p;
}

static void at_first_all_is_kept_for_ever(void **state)
{
    static const char *const statuses[] = { "completed", "failed", "canceled" };
    struct retention_policy p = policy(*state);

    for (int i = 0; i < RETENTION_STATUSES; i++) {
        assert_string_equal(p.keeps[i].status, statuses[i]);
        assert_int_equal(p.keeps[i].keep_ms, RETENTION_EVER);
    }
}

static void each_status_has_a_time_of_its_own(void **state)
{
    struct clienttest *t = *state;
    struct retention_policy p;

    assert_int_equal(retention_set(&t->c, "completed", MINUTE_MS, &t->e), 0);
    assert_int_equal(retention_set(&t->c, "canceled", 90 * MINUTE_MS, &t->e), 0);
    p = policy(t);
    assert_int_equal(p.keeps[COMPLETED].keep_ms, MINUTE_MS);
    assert_int_equal(p.keeps[FAILED].keep_ms, RETENTION_EVER);
    assert_int_equal(p.keeps[CANCELED].keep_ms, 90 * MINUTE_MS);
    assert_int_equal(retention_set(&t->c, "completed", RETENTION_EVER, &t->e), 0);
    assert_int_equal(policy(t).keeps[COMPLETED].keep_ms, RETENTION_EVER);
}

static void what_cannot_be_kept_so_is_refused(void **state)
{
    struct clienttest *t = *state;

    assert_int_equal(retention_set(&t->c, "completed", MINUTE_MS - 1, &t->e), IFP_EINVALID);
    assert_int_equal(retention_set(&t->c, "asleep", MINUTE_MS, &t->e), IFP_EINVALID);
    assert_int_equal(policy(t).keeps[COMPLETED].keep_ms, RETENTION_EVER);
}

static void what_is_too_old_leaves_and_the_rest_stays(void **state)
{
    struct clienttest *t = *state;
    int64_t done = clienttest_started(t, "echo", "1"), bad = clienttest_started(t, "echo", "2");
    int64_t removed = -1, all = 0;
    bool more = true;

    clienttest_end(done, 1, "'1'");
    clienttest_end(bad, 2, "null");
    assert_int_equal(retention_set(&t->c, "completed", 60 * MINUTE_MS, &t->e), 0);
    assert_int_equal(retention_run(&t->c, &removed, &more, &t->e), 0);
    assert_int_equal(removed, 0);
    testdb_exec("update inferpipe_test.clock set shift = '2 hours'");
    for (more = true; more; all += removed)
        assert_int_equal(retention_run(&t->c, &removed, &more, &t->e), 0);
    assert_int_equal(all, 1);
    assert_int_equal(testdb_int8("select exec_id from inferpipe._inferpipe_executions"), bad);
}

static void one_that_lives_is_deleted_only_by_force(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1");

    assert_int_equal(retention_delete(&t->c, id, false, &t->e), IFP_ECONFLICT);
    clienttest_expect_text(t, "has not ended");
    assert_int_equal(retention_delete(&t->c, id, true, &t->e), 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_executions"), 0);
    assert_int_equal(retention_delete(&t->c, id, true, &t->e), IFP_ENOTFOUND);
}

/* A deletion is not repeated: the second would say that there is none. */
static void a_lost_answer_is_asked_for_again_but_for_a_deletion(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1"), removed;
    bool more;

    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(retention_set(&t->c, "failed", MINUTE_MS, &t->e), 0);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(policy(t).keeps[FAILED].keep_ms, MINUTE_MS);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(retention_run(&t->c, &removed, &more, &t->e), 0);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(retention_delete(&t->c, id, true, &t->e), IFP_EUNAVAILABLE);
    clienttest_expect_text(t, "it may have been deleted");
}

#define WITH_CLIENT(f) cmocka_unit_test_setup_teardown(f, clienttest_setup, clienttest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CLIENT(at_first_all_is_kept_for_ever),
        WITH_CLIENT(each_status_has_a_time_of_its_own),
        WITH_CLIENT(what_cannot_be_kept_so_is_refused),
        WITH_CLIENT(what_is_too_old_leaves_and_the_rest_stays),
        WITH_CLIENT(one_that_lives_is_deleted_only_by_force),
        WITH_CLIENT(a_lost_answer_is_asked_for_again_but_for_a_deletion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
