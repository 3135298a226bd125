/*
 * fanout.c - a report over many regions: each region is a child with parallel steps of its own.
 *
 *   build/examples/fanout worker &
 *   build/examples/fanout execution start report --wait --input '["north","south","east"]'
 *
 * Kill the worker wherever you like: another one goes on, and no step runs again that has ended.
 */
#include <inferpipe.h>
#include <stdio.h>
#include <string.h>

enum { REGIONS_MAX = 1000 };

/* ---- steps: they do the work, on pool threads ------------------------------------------------ */

static int count_orders(ifp_step_ctx *step, const ifp_json *region, const ifp_json **ret)
{
    return ifp_json_build(step, ret, "i", (int)strlen(ifp_json_str(region, "", "")) * 10);
}

static int count_returns(ifp_step_ctx *step, const ifp_json *region, const ifp_json **ret)
{
    return ifp_json_build(step, ret, "i", (int)strlen(ifp_json_str(region, "", "")));
}

/* ---- a region: two steps at once -------------------------------------------------- */

static int region(ifp_run *run, const ifp_json *name, const ifp_json **ret)
{
    ifp_future counts[2];
    const ifp_json *orders, *returns;

    IFP_TRY(ifp_spawn(run, "orders", count_orders, name, &counts[0]));
    IFP_TRY(ifp_spawn(run, "returns", count_returns, name, &counts[1]));
    IFP_TRY(ifp_await_all(run, counts, 2));
    IFP_TRY(ifp_future_result(run, counts[0], &orders));
    IFP_TRY(ifp_future_result(run, counts[1], &returns));
    return ifp_json_build(run, ret, "{s:v, s:v}", "orders", orders, "returns", returns);
}

/* ---- the report: a child for each region -------------------------------------------------- */

static int report(ifp_run *run, const ifp_json *regions, const ifp_json **ret)
{
    ifp_future children[REGIONS_MAX];
    size_t n = ifp_json_len(regions, "");
    int64_t orders = 0, returns = 0;
    char pointer[16];

    if (n > REGIONS_MAX)
        return ifp_fail(run, "TOO_MANY", "at most %d regions", REGIONS_MAX);
    for (size_t i = 0; i < n; i++) {
        snprintf(pointer, sizeof(pointer), "/%zu", i);
        IFP_TRY(ifp_spawn_child(run, "region", ifp_json_get(regions, pointer), NULL, &children[i]));
    }
    IFP_TRY(ifp_await_all(run, children, n));
    for (size_t i = 0; i < n; i++) {
        const ifp_json *counts;

        IFP_TRY(ifp_future_result(run, children[i], &counts));
        orders += ifp_json_int(counts, "/orders", 0);
        returns += ifp_json_int(counts, "/returns", 0);
    }
    return ifp_json_build(run, ret, "{s:I, s:I}", "orders", orders, "returns", returns);
}

int main(int argc, char **argv)
{
    ifp_app *app = ifp_app_new("fanout");

    ifp_workflow(app, "region", region, NULL);
    ifp_workflow(app, "report", report, NULL);
    return ifp_main(app, argc, argv);
}
