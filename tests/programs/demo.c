/*
 * tests/programs/demo.c - a program of small workflows for the tests of the command line.
 *
 *   echo     one inline step that gives its input back
 *   steps10  ten steps, each gives its number
 *   sleepy   sleeps for the milliseconds in /ms between two steps
 *   waiter   receives a message "go" and gives it back; waits at most /timeout (default: for ever)
 *   failing  its step fails for good
 *   flaky    its step fails twice, then works
 *   hang     a step that lasts until it is canceled; writes the pid of its worker to /file first
 *   rounds   a step and a message "go", then continues as new; its input says how often
 *   family   gives its input to a child that echoes it, and leaves a waiter alone
 */
#include <inferpipe.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static int give_back(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    *ret = input;
    return 0;
}

static int echo(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "echo", give_back, input, ret,
                         &(ifp_step_options){ .flags = IFP_INLINE });
}

static int steps10(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *n;

    (void)input;
    for (int i = 0; i < 10; i++) {
        IFP_TRY(ifp_json_build(run, &n, "{s:i}", "n", i));
        IFP_TRY(ifp_step(run, "count", give_back, n, ret));
    }
    return 0;
}

static int sleepy(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_step(run, "before", give_back, input, ret));
    IFP_TRY(ifp_sleep_ms(run, ifp_json_int(input, "/ms", 100)));
    return ifp_step(run, "after", give_back, input, ret);
}

static int waiter(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_receive(run, "go", ifp_json_str(input, "/timeout", NULL), ret);
}

static int refuse(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    return ifp_step_fail(step, "NO_LUCK", IFP_FINAL, "it never works");
}

static int failing(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "refuse", refuse, input, ret);
}

static int stumble(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    if (ifp_step_attempt(step) < 3)
        return ifp_step_fail(step, "STUMBLED", IFP_RETRY, "attempt %d", ifp_step_attempt(step));
    *ret = input;
    return 0;
}

static int flaky(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "stumble", stumble, input, ret,
                         &(ifp_step_options){ .attempts = 5, .delay_ms = 20 });
}

static int hang_on(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    const char *path = ifp_json_str(input, "/file", NULL);
    FILE *out = path ? fopen(path, "a") : NULL;

    if (out) {
        fprintf(out, "%d\n", (int)getpid());
        fclose(out);
    }
    while (!ifp_step_canceled(step))
        (void)poll(NULL, 0, 20);
    *ret = input;
    return 0;
}

static int hang(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_step(run, "first", give_back, input, ret));
    return ifp_step(run, "hang", hang_on, input, ret);
}

static int rounds(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    int64_t n = ifp_json_int(input, "", 0);
    const ifp_json *next;

    IFP_TRY(ifp_step(run, "round", give_back, input, ret));
    IFP_TRY(ifp_receive(run, "go", NULL, ret));
    IFP_TRY(ifp_json_build(run, &next, "I", n - 1));
    return n > 0 ? ifp_continue_as_new(run, next) : 0;
}

static int family(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_future waiter;

    IFP_TRY(ifp_spawn_child(run, "waiter", NULL,
                            &(ifp_child_options){ .on_parent_end = IFP_CHILD_LEAVE }, &waiter));
    return ifp_child(run, "echo", input, ret);
}

int main(int argc, char **argv)
{
    ifp_app *app = ifp_app_new("demo");

    ifp_workflow(app, "echo", echo, NULL);
    ifp_workflow(app, "steps10", steps10, NULL);
    ifp_workflow(app, "sleepy", sleepy, NULL);
    ifp_workflow(app, "waiter", waiter, NULL);
    ifp_workflow(app, "failing", failing, NULL);
    ifp_workflow(app, "flaky", flaky, NULL);
    ifp_workflow(app, "hang", hang, NULL);
    ifp_workflow(app, "rounds", rounds, NULL);
    ifp_workflow(app, "family", family, NULL);
    ifp_cron(app, "yearly", "@yearly", "echo", NULL);
    return ifp_main(app, argc, argv);
}
