/*
 * tests/integration/test_engine_family_kill.c - the worker of a parent, its children and its
 * parallel steps is killed in the midst of them: another one goes on, what was recorded does not
 * run again, and each child is started once.
 */
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct {
    atomic_int quick, slow;
    struct enginetest_gate gate;
} * world; /* shared with the worker that dies */

static int quick(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    atomic_fetch_add(&world->quick, 1);
    *ret = input;
    return 0;
}

static int slow(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    atomic_fetch_add(&world->slow, 1);
    enginetest_gate_pass_or_cancel(&world->gate, step);
    *ret = input;
    return 0;
}

static int child(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *one;

    IFP_TRY(ifp_step(run, "quick", quick, input, &one));
    return ifp_step(run, "slow", slow, one, ret);
}

static int parent(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future futures[4];
    int64_t sum = 0;

    IFP_TRY(ifp_spawn(run, "quick", quick, input, &futures[0]));
    IFP_TRY(ifp_spawn(run, "slow", slow, input, &futures[1]));
    IFP_TRY(ifp_spawn_child(run, "child", input, NULL, &futures[2]));
    IFP_TRY(ifp_spawn_child(run, "child", input, NULL, &futures[3]));
    IFP_TRY(ifp_await_all(run, futures, 4));
    for (int i = 0; i < 4; i++) {
        const ifp_json *number;

        IFP_TRY(ifp_future_result(run, futures[i], &number));
        sum += ifp_json_int(number, "", -1000);
    }
    return ifp_json_build(run, ret, "I", sum);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(child),
    ENGINETEST_WORKFLOW(parent),
};

static int setup(void **state)
{
    enginetest_setup(state);
    if (!world)
        world = enginetest_shared(sizeof(*world));
    memset(world, 0, sizeof(*world));
    enginetest_gate_open(&world->gate);
    enginetest_define(*state, workflows, sizeof(workflows) / sizeof(workflows[0]));
    return 0;
}

static int teardown(void **state)
{
    enginetest_gate_let(&world->gate, 100);
    enginetest_teardown(state);
    enginetest_gate_close(&world->gate);
    return 0;
}

static void a_family_outlives_its_worker(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *victim = enginetest_fork(t, "lease=1s");
    int64_t id = enginetest_start(t, "parent", "5", NULL);

    enginetest_until_count(t, &world->slow, 3);
    enginetest_until_sql(t, "select count(*) = 3 from inferpipe._inferpipe_steps"
                            " where name = 'quick'");
    enginetest_signal(victim, SIGKILL);
    enginetest_worker(t, "lease=1s");
    enginetest_until_count(t, &world->slow, 6); /* each once more, on the heir */
    enginetest_gate_let(&world->gate, 3);
    enginetest_completes(t, id, "20");
    assert_int_equal(atomic_load(&world->quick), 3);
    enginetest_sql("2",
                   "select count(*) from inferpipe._inferpipe_executions"
                   " where parent_id = %" PRId64,
                   id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_family_outlives_its_worker, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
