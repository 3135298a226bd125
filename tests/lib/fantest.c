/*
 * tests/lib/fantest.c - see the header.
 */
#include "lib/fantest.h"

struct fantest fantest;

int fantest_give_back(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    atomic_fetch_add(&fantest.calls, 1);
    *ret = input;
    return 0;
}

int fantest_pass_gate(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    enginetest_gate_pass_or_cancel(&fantest.gate, step);
    return fantest_give_back(step, input, ret);
}

int fantest_fail_while_broken(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    if (atomic_load(&fantest.broken))
        return ifp_step_fail(step, "BROKEN", IFP_FINAL, "it is broken");
    return fantest_give_back(step, input, ret);
}

int fantest_setup(void **state, const struct engine_workflow *workflows, size_t n)
{
    int rc = enginetest_setup(state);

    atomic_store(&fantest.passes, 0);
    atomic_store(&fantest.calls, 0);
    atomic_store(&fantest.tries, 0);
    atomic_store(&fantest.broken, false);
    enginetest_gate_open(&fantest.gate);
    enginetest_define(*state, workflows, n);
    return rc;
}

int fantest_teardown(void **state)
{
    int rc = enginetest_teardown(state);

    enginetest_gate_close(&fantest.gate);
    return rc;
}
