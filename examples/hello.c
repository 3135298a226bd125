/*
 * hello.c - the smallest durable program: two steps with a sleep between them.
 *
 *   build/inferpipe dev --worker build/examples/hello       # and in another terminal:
 *   . .inferpipe/env
 *   build/examples/hello execution start hello --input '{"name": "Ada"}' --wait
 *
 * Kill the worker during the sleep if you like: the greeting is not made again.
 */
#include <inferpipe.h>

static int greet(ifp_step_ctx *step, const ifp_json *input, const ifp_json **greeting)
{
    return ifp_json_build(step, greeting, "{s:s}", "hello", ifp_json_str(input, "/name", "world"));
}

static int part(ifp_step_ctx *step, const ifp_json *greeting, const ifp_json **words)
{
    return ifp_json_build(step, words, "{s:v, s:s}", "first", greeting, "then", "goodbye");
}

static int hello(ifp_run *run, const ifp_json *input, const ifp_json **result)
{
    const ifp_json *greeting;

    IFP_TRY(ifp_step(run, "greet", greet, input, &greeting));
    IFP_TRY(ifp_sleep(run, "2s"));
    return ifp_step(run, "part", part, greeting, result);
}

int main(int argc, char **argv)
{
    ifp_app *app = ifp_app_new("hello");

    ifp_workflow(app, "hello", hello, NULL);
    return ifp_main(app, argc, argv);
}
