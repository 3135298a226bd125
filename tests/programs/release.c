/*
 * tests/programs/release.c - one program as three deploys would have it, by -DRELEASE.
 *
 *   1  order:  reserve, charge, a message "go", ship        parcel: version 1
 *   2  ... "check" before "charge", behind a patch           parcel: versions 1 and 2
 *   3  ... "check" before "charge", without one              parcel: version 2 alone
 *
 * A step gives its input back; each execution ends with the number of the release that ended it.
 */
#include <inferpipe.h>

#ifndef RELEASE
#define RELEASE 1
#endif

static int give_back(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    *ret = input;
    return 0;
}

static int check(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
#if RELEASE == 2
    if (!ifp_patched(run, "check"))
        return 0;
#endif
    return RELEASE == 1 ? 0 : ifp_step(run, "check", give_back, input, ret);
}

static int order(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_step(run, "reserve", give_back, input, ret));
    IFP_TRY(check(run, input, ret));
    IFP_TRY(ifp_step(run, "charge", give_back, input, ret));
    IFP_TRY(ifp_receive(run, "go", NULL, ret));
    IFP_TRY(ifp_step(run, "ship", give_back, input, ret));
    return ifp_json_build(run, ret, "i", RELEASE);
}

/* Both versions of it: what they do differs from the first call on. */
static int parcel_1(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_step(run, "wrap", give_back, input, ret));
    IFP_TRY(ifp_receive(run, "go", NULL, ret));
    return ifp_json_build(run, ret, "s", "parcel 1");
}

static int parcel_2(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_step(run, "weigh", give_back, input, ret));
    return ifp_json_build(run, ret, "s", "parcel 2");
}

int main(int argc, char **argv)
{
    ifp_app *app = ifp_app_new("release");

    ifp_workflow(app, "order", order, NULL);
    if (RELEASE <= 2)
        ifp_workflow(app, "parcel", parcel_1, NULL);
    if (RELEASE >= 2)
        ifp_workflow(app, "parcel", parcel_2, &(ifp_workflow_options){ .version = "2" });
    return ifp_main(app, argc, argv);
}
