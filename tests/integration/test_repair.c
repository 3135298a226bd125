/*
 * tests/integration/test_repair.c - many executions at once: those that failed are resumed by a
 * mended program, canceled, or forked; what was done is not done again.
 */
#include "lib/enginetest.h"
#include "store/repair.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 230 };

static struct {
    atomic_int first, second;
} world;

/* ---- workflows ------------------------------------------------------------------------------- */

static int first_step(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    atomic_fetch_add(&world.first, 1);
    *ret = input;
    return 0;
}

static int broken_step(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    return ifp_step_fail(step, "BROKEN", IFP_FINAL, "a mistake in the program");
}

static int mended_step(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    atomic_fetch_add(&world.second, 1);
    *ret = input;
    return 0;
}

static int broken(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *one;

    IFP_TRY(ifp_step(run, "first", first_step, input, &one));
    return ifp_step(run, "second", broken_step, one, ret);
}

static int mended(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *one;

    IFP_TRY(ifp_step(run, "first", first_step, input, &one));
    return ifp_step(run, "second", mended_step, one, ret);
}

static const struct engine_workflow broken_program[] = {
    { .name = "import", .version = "1", .queue = "default", .fn = broken },
};
static const struct engine_workflow mended_program[] = {
    { .name = "import", .version = "1", .queue = "default", .fn = mended },
};

static int setup(void **state)
{
    int rc = enginetest_setup(state);

    memset(&world, 0, sizeof(world));
    enginetest_define(*state, broken_program, ARRAY_LEN(broken_program));
    return rc;
}

/* Runs all of them into the mistake, and takes that worker away. */
static void fail_many(struct enginetest *t)
{
    struct enginetest_worker *w;

    for (int i = 0; i < MANY; i++)
        (void)enginetest_start(t, "import", "[1]", NULL);
    w = enginetest_worker(t, NULL);
    enginetest_wait_all(t, MANY);
    enginetest_leave(t, w);
    enginetest_close(w);
    enginetest_sql("230", "select count(*) from inferpipe.executions where error_code = 'BROKEN'");
}

struct count {
    int done, refused, code;
};

static int count_one(void *ctx, const struct repair_outcome *o)
{
    struct count *n = ctx;

    n->done += o->code == 0;
    n->refused += o->code != 0;
    n->code = o->code ? o->code : n->code;
    return 0;
}

/* All that the filter finds, batch by batch, as the command does. */
static struct count repair_all(struct enginetest *t, const struct repair *r, struct repair_filter f)
{
    int64_t ids[REPAIR_BATCH_MAX];
    struct count n = { 0 };
    int found = 0;
    struct err e;

    do {
        f.limit = REPAIR_BATCH_MAX;
        assert_int_equal(repair_find(&t->client, &f, ids, &found, &e), 0);
        if (found > 0)
            assert_int_equal(repair_run(&t->client, r, ids, found, count_one, &n, &e), 0);
        f.after = found > 0 ? ids[found - 1] : f.after;
    } while (found == REPAIR_BATCH_MAX);
    return n;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void failed_runs_are_resumed_by_a_mended_program(void **state)
{
    const struct repair retry = { .kind = REPAIR_RETRY };
    struct enginetest *t = *state;
    struct count n;

    fail_many(t);
    enginetest_define(t, mended_program, ARRAY_LEN(mended_program));
    enginetest_worker(t, NULL);
    n = repair_all(t, &retry, (struct repair_filter){ .status = "failed", .error_code = "BROKEN" });
    assert_int_equal(n.done, MANY);
    assert_int_equal(n.refused, 0);
    enginetest_wait_all(t, MANY);
    enginetest_sql("230", "select count(*) from inferpipe.executions where status = 'completed'");
    assert_int_equal(world.first, MANY);
    assert_int_equal(world.second, MANY);
    n = repair_all(t, &retry, (struct repair_filter){ .status = "failed" });
    assert_int_equal(n.done + n.refused, 0);
}

static void failed_runs_are_forked_once_under_a_key(void **state)
{
    const struct repair fork = { .kind = REPAIR_FORK, .key = "after the fix" };
    struct enginetest *t = *state;
    struct count n;

    fail_many(t);
    enginetest_define(t, mended_program, ARRAY_LEN(mended_program));
    enginetest_worker(t, NULL);
    n = repair_all(t, &fork, (struct repair_filter){ .status = "failed" });
    assert_int_equal(n.done, MANY);
    n = repair_all(t, &fork, (struct repair_filter){ .status = "failed" });
    assert_int_equal(n.done, MANY);
    enginetest_wait_all(t, 2 * MANY);
    enginetest_sql("230 230", "select count(*) filter (where status = 'completed') || ' ' ||"
                              " count(distinct forked_from) from inferpipe.executions");
    assert_int_equal(world.first, MANY);
}

static void one_that_is_refused_does_not_hinder_the_others(void **state)
{
    struct enginetest *t = *state;
    int64_t ids[3];
    struct count n = { 0 };
    struct err e;

    for (int i = 0; i < 2; i++)
        ids[i] = enginetest_start(t, "import", "[1]", NULL);
    ids[2] = 77;
    (void)enginetest_cancel(t, ids[0], false);
    assert_int_equal(repair_run(&t->client, &(struct repair){ .kind = REPAIR_CANCEL }, ids, 2,
                                count_one, &n, &e),
                     0);
    assert_int_equal(n.done, 1);
    assert_int_equal(n.code, IFP_ECONFLICT);
    assert_int_equal(
        repair_run(&t->client, &(struct repair){ .kind = REPAIR_RETRY }, ids, 3, count_one, &n, &e),
        0);
    assert_int_equal(n.done, 3);
    assert_int_equal(n.refused, 2);
    assert_int_equal(n.code, IFP_ENOTFOUND);
    enginetest_sql("2", "select count(*) from inferpipe.executions where status = 'queued'");
}

static void bad_filters_are_named(void **state)
{
    struct enginetest *t = *state;
    struct repair_filter f = { .status = "gone", .limit = 1 };
    int64_t id;
    struct err e;
    int n;

    assert_int_equal(repair_find(&t->client, &f, &id, &n, &e), IFP_EINVALID);
    assert_non_null(strstr(e.text, "status: must be queued"));
    f = (struct repair_filter){ .status = "failed", .workflow = "No", .limit = 1 };
    assert_int_equal(repair_find(&t->client, &f, &id, &n, &e), IFP_EINVALID);
    assert_non_null(strstr(e.text, "workflow"));
    f = (struct repair_filter){ .status = "failed", .queue = "", .limit = 1 };
    assert_int_equal(repair_find(&t->client, &f, &id, &n, &e), IFP_EINVALID);
    assert_non_null(strstr(e.text, "queue"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, enginetest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(failed_runs_are_resumed_by_a_mended_program),
        TEST(failed_runs_are_forked_once_under_a_key),
        TEST(one_that_is_refused_does_not_hinder_the_others),
        TEST(bad_filters_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
