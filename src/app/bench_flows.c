/*
 * app/bench_flows.c - the workflows that `bench` measures.
 *
 *   bench-empty      nothing
 *   bench-1 bench-10 steps that do nothing, one after the other
 *   bench-sleep      sleeps as many milliseconds as its input says
 *   bench-hold       a step that blocks its thread that long
 *   bench-fan        a hundred children, each a bench-1
 *
 * Steps give a result of eleven bytes, as those of bench/floor do. They run on the loop thread
 * (IFP_INLINE), but for bench-hold.
 */
#include "app/bench.h"

#include <assert.h>
#include <poll.h>

enum { SLICE_MS = 100, CHILDREN = 100 };

static int do_nothing(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_json_build(step, ret, "{s:b}", "ok", 1);
}

static int hold(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    int64_t left_ms = ifp_json_int(input, "", 0);

    for (; left_ms > 0 && !ifp_step_canceled(step); left_ms -= SLICE_MS)
        (void)poll(NULL, 0, SLICE_MS);
    *ret = NULL;
    return 0;
}

static int empty_flow(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    assert(run && ret);
    *ret = input;
    return 0;
}

static int steps(ifp_run *run, int n, const ifp_json **ret)
{
    static const ifp_step_options on_loop = { .flags = IFP_INLINE };

    for (int i = 0; i < n; i++)
        IFP_TRY(ifp_step_with(run, "step", do_nothing, NULL, ret, &on_loop));
    return 0;
}

static int flow_1(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return steps(run, 1, ret);
}

static int flow_10(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return steps(run, 10, ret);
}

static int sleep_flow(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_sleep_ms(run, ifp_json_int(input, "", 0)));
    *ret = NULL;
    return 0;
}

static int hold_flow(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "hold", hold, input, ret);
}

static int fan_flow(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future children[CHILDREN];

    for (int i = 0; i < CHILDREN; i++)
        IFP_TRY(ifp_spawn_child(run, "bench-1", input, NULL, &children[i]));
    *ret = NULL;
    return ifp_await_all(run, children, CHILDREN);
}

ifp_app *bench_flows(void)
{
    ifp_app *app = ifp_app_new("bench");

    if (!app)
        return NULL;
    ifp_workflow(app, "bench-empty", empty_flow, NULL);
    ifp_workflow(app, "bench-1", flow_1, NULL);
    ifp_workflow(app, "bench-10", flow_10, NULL);
    ifp_workflow(app, "bench-sleep", sleep_flow, NULL);
    ifp_workflow(app, "bench-hold", hold_flow, NULL);
    ifp_workflow(app, "bench-fan", fan_flow, NULL);
    return app;
}
