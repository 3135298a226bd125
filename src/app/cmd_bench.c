/*
 * app/cmd_bench.c - `bench worker`: a worker for the workflows of the benchmark.
 */
#include "app/app.h"
#include "app/bench.h"
#include "app/cmd.h"

int cmd_bench_worker(struct cli *c, struct err *e)
{
    const struct ifp_app *own = c->app;
    ifp_app *flows = bench_flows();
    int rc;

    if (!flows)
        return err_set(e, IFP_ENOMEM, "out of memory");
    c->app = flows;
    rc = flows->mistake.code != 0 ? flows->mistake.code : cmd_worker_run(c, e);
    c->app = own;
    ifp_app_free(flows);
    return rc;
}
