/* tests/lib/crashtest_flow.c - see crashtest_flow.h. */
#include "lib/crashtest_flow.h"

#include "base/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 160, PATH_TEXT_SIZE = 256, PARK_MS = 1100, SHORT_MS = 20 };

static int ledger = -1;

int crashtest_flow_ledger(const char *path)
{
    ledger = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return ledger < 0 ? -1 : 0;
}

void crashtest_flow_close(void)
{
    if (ledger >= 0)
        (void)close(ledger);
    ledger = -1;
}

/* What comes after this line may happen any number of times; the line tells how often it began. */
static int enter(ifp_step_ctx *step)
{
    char line[LINE_SIZE];
    int len = snprintf(line, sizeof(line), "%s\t%s\t%d\t%d\t%" PRId64 "\t%" PRId64 "\n",
                       ifp_step_execution(step), ifp_step_key(step), ifp_step_attempt(step),
                       (int)getpid(), clock_mono_us(), clock_real_us());

    if (write(ledger, line, (size_t)len) != len)
        return ifp_step_fail(step, "NO_LEDGER", IFP_FINAL, "the ledger takes no line");
    return 0;
}

/* The output of each step is the path up to it: made from another input, it would show. */
static int extend(ifp_step_ctx *step, const ifp_json *input, const char *name, const ifp_json **ret)
{
    char path[PATH_TEXT_SIZE];

    (void)snprintf(path, sizeof(path), "%s,%s", ifp_json_str(input, "/path", "?"), name);
    return ifp_json_build(step, ret, "{s:s, s:I}", "path", path, "now",
                          ifp_json_int(input, "/now", -1));
}

static int pool(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(enter(step));
    (void)poll(NULL, 0, (int)ifp_json_int(input, "/ms", 0));
    return extend(step, input, "pool", ret);
}

static int inlined(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(enter(step));
    return extend(step, input, "inline", ret);
}

static int flaky(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(enter(step));
    if (ifp_step_attempt(step) == 1)
        return ifp_step_fail(step, "STUMBLED", IFP_RETRY, "the first attempt always fails");
    return extend(step, input, "flaky", ret);
}

static int parked(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(enter(step));
    if (ifp_step_attempt(step) == 1)
        return ifp_step_fail(step, "STUMBLED", IFP_RETRY, "the first attempt always fails");
    return extend(step, input, "parked", ret);
}

static int effect(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                  const ifp_json **ret)
{
    const char *values[] = { ifp_step_execution(step) };
    PGresult *r;
    bool ok;

    IFP_TRY(enter(step));
    r = PQexecParams(db,
                     "insert into inferpipe_test.app_effects (exec_id, step)"
                     " values (inferpipe.id_parse($1), 'effect')",
                     1, NULL, values, NULL, NULL, 0);
    ok = PQresultStatus(r) == PGRES_COMMAND_OK;
    PQclear(r);
    if (!ok)
        return ifp_step_fail(step, "NO_EFFECT", IFP_RETRY, "%s", PQerrorMessage(db));
    return extend(step, input, "effect", ret);
}

static int last(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(enter(step));
    return extend(step, input, "last", ret);
}

/* What a canceled execution does before it ends. */
static int undo(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    *ret = input;
    return enter(step);
}

static int hang(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(enter(step));
    while (!ifp_step_canceled(step))
        (void)poll(NULL, 0, 10);
    *ret = input;
    return 0;
}

/* An attempt of the tests' own fails by design; what a fault takes is repeated without end. */
static ifp_step_options again(int64_t delay_ms, unsigned flags)
{
    return (ifp_step_options){
        .attempts = -1, .backoff = IFP_FIXED, .delay_ms = delay_ms, .jitter = -1, .flags = flags
    };
}

/* A message by its name, or a wait that ends without one: both are a part of the path. */
static int receive_both(ifp_run *run, const ifp_json **v)
{
    const ifp_json *message;
    char path[PATH_TEXT_SIZE];
    int rc;

    IFP_TRY(ifp_receive(run, "go", "10m", &message));
    rc = ifp_receive(run, "never", "20ms", &message);
    if (rc != IFP_ETIMEOUT)
        return rc == 0 ? ifp_fail(run, "MAIL", "nobody sends this") : rc;
    (void)snprintf(path, sizeof(path), "%s,go,never", ifp_json_str(*v, "/path", "?"));
    return ifp_json_build(run, v, "{s:s, s:I}", "path", path, "now", ifp_json_int(*v, "/now", -1));
}

/* The first generation only hands the input on. */
static int begin_anew(ifp_run *run, const ifp_json *input)
{
    const ifp_json *next;

    IFP_TRY(ifp_json_build(run, &next, "{s:b, s:b, s:b, s:I}", "begun", 1, "quick",
                           ifp_json_bool(input, "/quick", false), "hang",
                           ifp_json_bool(input, "/hang", false), "ms",
                           ifp_json_int(input, "/ms", 0)));
    return ifp_continue_as_new(run, next);
}

int crashtest_flow(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    int64_t park_ms = ifp_json_bool(input, "/quick", false) ? SHORT_MS : PARK_MS;
    ifp_step_options soon = again(SHORT_MS, 0), later = again(park_ms, 0),
                     here = again(SHORT_MS, IFP_INLINE);
    const ifp_json *v;

    if (!ifp_json_bool(input, "/begun", false))
        return begin_anew(run, input);
    IFP_TRY(ifp_json_build(run, &v, "{s:s, s:I, s:I}", "path", "", "now", ifp_now(run), "ms",
                           ifp_json_int(input, "/ms", 0)));
    IFP_TRY(ifp_step_with(run, "pool", pool, v, &v, &soon));
    IFP_TRY(ifp_compensate(run, "undo", undo, v, &soon));
    if (ifp_json_bool(input, "/hang", false))
        return ifp_step_with(run, "hang", hang, v, ret, &soon);
    IFP_TRY(ifp_step_with(run, "inline", inlined, v, &v, &here));
    IFP_TRY(ifp_step_with(run, "flaky", flaky, v, &v, &soon));
    IFP_TRY(ifp_sleep_ms(run, SHORT_MS));
    IFP_TRY(ifp_step_tx_with(run, "effect", effect, v, &v, &soon));
    IFP_TRY(ifp_step_with(run, "parked", parked, v, &v, &later));
    IFP_TRY(ifp_sleep_ms(run, park_ms));
    IFP_TRY(receive_both(run, &v));
    return ifp_step_with(run, "last", last, v, ret, &soon);
}
