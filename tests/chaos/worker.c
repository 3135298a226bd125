/*
 * tests/chaos/worker.c - the worker that make chaos kills, stops, cuts off and deceives.
 *
 * Its one workflow, "plan", carries out what its input says: {"ops": [["step", 300], ["sleep", 50],
 * ...]}, each element a line of the table `ops`.  Each operation is one call, so one journal row;
 * but "kids" starts that many children, which carry out plans made from "p" of their input; "emit"
 * adds that many events to the stream, each a row; "par" is so many steps beside each other; and
 * "saga3" registers the compensation "back3".
 * What a step gives is {"n": a random number of its own, "p": what it was made from}: a step that
 * was computed from something that was not recorded shows as a broken chain.
 *
 * CHAOS_SCHEDULES of its workflow "tick" fire each second.
 *
 * CHAOS_LEDGER names the file outside of PostgreSQL that every body writes to, one write and one
 * fdatasync a line, before it does anything and when it is done: begin or end, execution, step key,
 * attempt, fence, pid, monotonic and real time in microseconds, n.  The fence is the run's when it
 * called the step: it travels in the step's input, which the journal does not keep.
 *
 * CHAOS_CLOCK names a file of 64-bit numbers, the one at CHAOS_SLOT is how many microseconds this
 * process's calendar clock is off.  The ledger's times are the true ones.
 */
#include "base/base.h"
#include "base/clock.h"
#include "engine/run.h"

#include <fcntl.h>
#include <inferpipe.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_SIZE = 256,
    NONCE_SIZE = 17,
    NAME_SIZE = 32,
    SHORT_MS = 20,
    LONG_MS = 1100,
    CHILDREN_MAX = 8,
    CHILD_STEP_MS = 40,
    PARALLEL_MAX = 8,
    PARALLEL_STEP_MS = 30,
    BACK_MS = 60
};

static int ledger = -1;
static const volatile int64_t *clock_shift;

/* ---- the clock ------------------------------------------------------------------------------ */

static int64_t read_us(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t true_mono(void *ctx)
{
    (void)ctx;
    return read_us(CLOCK_BOOTTIME);
}

static int64_t shifted_real(void *ctx)
{
    (void)ctx;
    return read_us(CLOCK_REALTIME) + *clock_shift;
}

static int take_clock(const char *path, const char *slot)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED)
        return -1;
    (void)close(fd);
    clock_shift = (const int64_t *)map + (slot ? strtol(slot, NULL, 10) : 0);
    clock_replace(true_mono, shifted_real, NULL);
    return 0;
}

/* ---- the ledger ----------------------------------------------------------------------------- */

static int note(ifp_step_ctx *step, const char *what, const ifp_json *input, const char *nonce)
{
    char line[LINE_SIZE];
    int len = snprintf(line, sizeof(line), "%s\t%s\t%s\t%d\t%d\t%d\t%" PRId64 "\t%" PRId64 "\t%s\n",
                       what, ifp_step_execution(step), ifp_step_key(step), ifp_step_attempt(step),
                       (int)ifp_json_int(input, "/fence", -1), (int)getpid(),
                       read_us(CLOCK_BOOTTIME), read_us(CLOCK_REALTIME), nonce);

    if (write(ledger, line, (size_t)len) != len || fdatasync(ledger) != 0)
        return ifp_step_fail(step, "NO_LEDGER", IFP_FINAL, "the ledger takes no line");
    return 0;
}

static int enter(ifp_step_ctx *step, const ifp_json *input)
{
    return note(step, "begin", input, "");
}

/* Ends a body: a number that nobody else has, beside what it came from. */
static int give(ifp_step_ctx *step, const ifp_json *input, const char *fill, const ifp_json **ret)
{
    char nonce[NONCE_SIZE];
    uint64_t bits;

    if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
        return ifp_step_fail(step, "NO_RANDOM", IFP_FINAL, "no random number");
    (void)snprintf(nonce, sizeof(nonce), "%016" PRIx64, bits);
    IFP_TRY(ifp_json_build(step, ret, "{s:s, s:s, s:s}", "n", nonce, "p",
                           ifp_json_str(input, "/p", "?"), "fill", fill));
    return note(step, "end", input, nonce);
}

/* ---- bodies --------------------------------------------------------------------------------- */

/* As long as it was told to last, unless it is told to stop: even then its result may count. */
static int last_ms(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    int64_t end = read_us(CLOCK_BOOTTIME) + 1000 * ifp_json_int(input, "/arg", 0);

    IFP_TRY(enter(step, input));
    while (read_us(CLOCK_BOOTTIME) < end && !ifp_step_canceled(step))
        (void)poll(NULL, 0, 10);
    return give(step, input, NULL, ret);
}

static int at_once(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(enter(step, input));
    return give(step, input, NULL, ret);
}

static int stumble(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(enter(step, input));
    if (ifp_step_attempt(step) <= ifp_json_int(input, "/arg", 0))
        return ifp_step_fail(step, "STUMBLED", IFP_RETRY, "attempt %d fails by design",
                             ifp_step_attempt(step));
    return give(step, input, NULL, ret);
}

/* As last_ms, but the first attempt fails. */
static int stumble_once(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    if (ifp_step_attempt(step) > 1)
        return last_ms(step, input, ret);
    IFP_TRY(enter(step, input));
    return ifp_step_fail(step, "STUMBLED", IFP_RETRY, "the first attempt fails by design");
}

static int give_up(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)ret;
    IFP_TRY(enter(step, input));
    return ifp_step_fail(step, "BY_DESIGN", IFP_FINAL, "this step fails for good");
}

static int large(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    size_t size = (size_t)ifp_json_int(input, "/arg", 0);
    char *fill = ifp_step_alloc(step, size + 1);

    IFP_TRY(enter(step, input));
    if (!fill)
        return IFP_ENOMEM;
    memset(fill, 'x', size);
    fill[size] = '\0';
    return give(step, input, fill, ret);
}

/* Tells as many events as it was told to, with the lease that it runs under. */
static int chat(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    int count = (int)ifp_json_int(input, "/arg", 0);
    const ifp_json *data;

    IFP_TRY(enter(step, input));
    for (int i = 0; i < count; i++) {
        IFP_TRY(ifp_json_build(step, &data, "{s:i, s:i}", "k", i, "fence",
                               (int)ifp_json_int(input, "/fence", -1)));
        IFP_TRY(ifp_step_emit(step, "token", data));
    }
    return give(step, input, NULL, ret);
}

/* What it writes and its result must be there together, once, and agree. */
static int effect(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                  const ifp_json **ret)
{
    const char *values[3] = { ifp_step_execution(step), ifp_json_str(input, "/name", "?") };
    PGresult *r;
    bool ok;

    IFP_TRY(enter(step, input));
    IFP_TRY(give(step, input, NULL, ret));
    values[2] = ifp_json_str(*ret, "/n", "?");
    r = PQexecParams(db,
                     "with known as ("
                     " insert into inferpipe_test.app_effects (exec_id, step)"
                     " values (inferpipe.id_parse($1), $2))"
                     " insert into chaos.effects (exec_id, step, nonce)"
                     " values (inferpipe.id_parse($1), $2, $3)",
                     3, NULL, values, NULL, NULL, 0);
    ok = PQresultStatus(r) == PGRES_COMMAND_OK;
    PQclear(r);
    if (!ok)
        return ifp_step_fail(step, "NO_EFFECT", IFP_RETRY, "%s", PQerrorMessage(db));
    (void)poll(NULL, 0, (int)ifp_json_int(input, "/arg", 0));
    return 0;
}

/* ---- the workflow --------------------------------------------------------------------------- */

struct turn {
    ifp_run *run;
    const struct op *op;
    char name[NAME_SIZE];
    int64_t arg;
    const char *value; /* what the next step is made from */
};

struct op {
    const char *kind;
    int (*call)(struct turn *t);
    ifp_step_fn *body;
    ifp_step_tx_fn *tx;
    int64_t retry_ms;
    unsigned flags;
};

static int call_step(struct turn *t)
{
    ifp_step_options o = { .attempts = -1,
                           .backoff = IFP_FIXED,
                           .delay_ms = t->op->retry_ms,
                           .jitter = -1,
                           .flags = t->op->flags };
    const ifp_json *in, *out;

    IFP_TRY(ifp_json_build(t->run, &in, "{s:s, s:s, s:I, s:i}", "name", t->name, "p", t->value,
                           "arg", t->arg, "fence", (int)t->run->fence));
    if (t->op->tx)
        IFP_TRY(ifp_step_tx_with(t->run, t->name, t->op->tx, in, &out, &o));
    else
        IFP_TRY(ifp_step_with(t->run, t->name, t->op->body, in, &out, &o));
    t->value = ifp_json_str(out, "/n", "?");
    return 0;
}

/* A step, and how to undo it: "back3" is made from what "saga3" gave. */
static int call_saga(struct turn *t)
{
    char name[NAME_SIZE];
    const ifp_json *in;

    IFP_TRY(call_step(t));
    (void)snprintf(name, sizeof(name), "back%.16s", t->name + strlen("saga"));
    IFP_TRY(ifp_json_build(t->run, &in, "{s:s, s:s, s:i, s:i}", "name", name, "p", t->value, "arg",
                           BACK_MS, "fence", (int)t->run->fence));
    return ifp_compensate(t->run, name, last_ms, in, NULL);
}

static int call_emit(struct turn *t)
{
    const ifp_json *data;

    for (int i = 0; i < (int)t->arg; i++) {
        IFP_TRY(ifp_json_build(t->run, &data, "{s:s, s:i}", "op", t->name, "k", i));
        IFP_TRY(ifp_emit(t->run, "data", data));
    }
    return 0;
}

static int call_sleep(struct turn *t)
{
    return ifp_sleep_ms(t->run, t->arg);
}

static int call_now(struct turn *t)
{
    return ifp_now(t->run) > 0 ? 0 : ifp_fail(t->run, "NO_TIME", "ifp_now gave nothing");
}

static int call_receive(struct turn *t)
{
    char timeout[NAME_SIZE];
    const ifp_json *message;
    int rc;

    (void)snprintf(timeout, sizeof(timeout), "%" PRId64 "ms", t->arg);
    rc = ifp_receive(t->run, t->name, t->arg ? timeout : NULL, &message);
    if (rc == IFP_ETIMEOUT && t->arg)
        t->value = "-";
    else if (rc != 0)
        return rc;
    else
        t->value = ifp_json_str(message, "", "?");
    return 0;
}

/* Several children at once; the next step is made from what the last of them gives. */
static int call_children(struct turn *t)
{
    ifp_future futures[CHILDREN_MAX];
    int count = t->arg < CHILDREN_MAX ? (int)t->arg : CHILDREN_MAX;
    const ifp_json *in, *out = NULL;

    for (int i = 0; i < count; i++) {
        IFP_TRY(ifp_json_build(t->run, &in, "{s:s, s:[[s, i], [s, i]]}", "p", t->value, "ops",
                               "inline", 0, "step", CHILD_STEP_MS * i));
        IFP_TRY(ifp_spawn_child(t->run, "plan", in, NULL, &futures[i]));
    }
    IFP_TRY(ifp_await_all(t->run, futures, (size_t)count));
    IFP_TRY(ifp_future_result(t->run, futures[count - 1], &out));
    t->value = ifp_json_str(out, "/n", "?");
    return 0;
}

/* Steps beside each other, each longer than the one before; the next step is made from what the
 * last one, "par3.last", gives. */
static int call_parallel(struct turn *t)
{
    ifp_step_options o = {
        .attempts = -1, .backoff = IFP_FIXED, .delay_ms = SHORT_MS, .jitter = -1
    };
    ifp_future futures[PARALLEL_MAX];
    int last = (t->arg < PARALLEL_MAX ? (int)t->arg : PARALLEL_MAX) - 1;
    char name[NAME_SIZE + 8];
    const ifp_json *in, *out = NULL;

    for (int i = 0; i <= last; i++) {
        (void)snprintf(name, sizeof(name), i == last ? "%s.last" : "%s.%d", t->name, i);
        IFP_TRY(ifp_json_build(t->run, &in, "{s:s, s:s, s:i, s:i}", "name", name, "p", t->value,
                               "arg", PARALLEL_STEP_MS * i, "fence", (int)t->run->fence));
        IFP_TRY(ifp_spawn_with(t->run, name, i % 2 ? stumble_once : last_ms, in, &futures[i], &o));
    }
    IFP_TRY(ifp_await_all(t->run, futures, (size_t)last + 1));
    IFP_TRY(ifp_future_result(t->run, futures[last], &out));
    t->value = ifp_json_str(out, "/n", "?");
    return 0;
}

static const struct op ops[] = {
    { .kind = "step", .call = call_step, .body = last_ms, .retry_ms = SHORT_MS },
    { .kind = "inline",
      .call = call_step,
      .body = at_once,
      .retry_ms = SHORT_MS,
      .flags = IFP_INLINE },
    { .kind = "flaky", .call = call_step, .body = stumble, .retry_ms = SHORT_MS },
    { .kind = "parked", .call = call_step, .body = stumble, .retry_ms = LONG_MS },
    { .kind = "large", .call = call_step, .body = large, .retry_ms = SHORT_MS },
    { .kind = "fail", .call = call_step, .body = give_up, .retry_ms = SHORT_MS },
    { .kind = "tx", .call = call_step, .tx = effect, .retry_ms = SHORT_MS },
    { .kind = "saga", .call = call_saga, .body = last_ms, .retry_ms = SHORT_MS },
    { .kind = "chat", .call = call_step, .body = chat, .retry_ms = SHORT_MS },
    { .kind = "emit", .call = call_emit },
    { .kind = "sleep", .call = call_sleep },
    { .kind = "now", .call = call_now },
    { .kind = "recv", .call = call_receive },
    { .kind = "kids", .call = call_children },
    { .kind = "par", .call = call_parallel },
};

static int carry_out(struct turn *t, const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        t->op = &ops[i];
        if (strcmp(t->op->kind, kind) == 0)
            return t->op->call(t);
    }
    return ifp_fail(t->run, "NO_SUCH_OP", "%s", kind);
}

/* The same plan in the second generation: its journal is as if it were the first. */
static int plan_anew(ifp_run *run, const ifp_json *input)
{
    const ifp_json *next;

    IFP_TRY(ifp_json_build(run, &next, "{s:s, s:v, s:b}", "p", ifp_json_str(input, "/p", "start"),
                           "ops", ifp_json_get(input, "/ops"), "again", 1));
    return ifp_continue_as_new(run, next);
}

/* Every second one continues as new before it does anything else. */
static int plan(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    int count = (int)ifp_json_len(input, "/ops");
    struct turn t = { .run = run, .value = ifp_json_str(input, "/p", "start") };

    if (count % 2 == 1 && !ifp_json_bool(input, "/again", false))
        return plan_anew(run, input);
    for (int i = 0; i < count; i++) {
        char at[NAME_SIZE];
        const char *kind;

        (void)snprintf(at, sizeof(at), "/ops/%d/0", i);
        kind = ifp_json_str(input, at, "?");
        (void)snprintf(at, sizeof(at), "/ops/%d/1", i);
        t.arg = ifp_json_int(input, at, 0);
        (void)snprintf(t.name, sizeof(t.name), "%.16s%d", kind, i);
        IFP_TRY(carry_out(&t, kind));
    }
    return ifp_json_build(run, ret, "{s:s, s:i}", "n", t.value, "ops", count);
}

/* What a schedule starts: one step, made from the instant that it was started for. */
static int tick(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    struct turn t = { .run = run,
                      .op = &ops[0],
                      .name = "step0",
                      .value = ifp_json_str(input, "/scheduledTime", "?") };

    IFP_TRY(call_step(&t));
    return ifp_json_build(run, ret, "{s:s, s:i}", "n", t.value, "ops", 1);
}

/* Schedules that fire each second, of which no instant may be left out. */
static void add_schedules(ifp_app *app, int count)
{
    ifp_cron_options o = { .overlap = IFP_OVERLAP_ALLOW,
                           .catchup = IFP_CATCHUP_ALL,
                           .catchup_max = 1000 };
    char name[NAME_SIZE];

    ifp_workflow(app, "tick", tick, NULL);
    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "tick%d", i);
        ifp_cron(app, name, "* * * * * *", "tick", &o);
    }
}

int main(int argc, char **argv)
{
    const char *schedules = getenv("CHAOS_SCHEDULES");
    const char *path = getenv("CHAOS_LEDGER"), *clock = getenv("CHAOS_CLOCK");
    ifp_app *app = ifp_app_new("chaos");

    if (path) {
        ledger = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (ledger < 0) {
            perror(path);
            return EXIT_FAILURE;
        }
    }
    if (clock && take_clock(clock, getenv("CHAOS_SLOT")) != 0) {
        perror(clock);
        return EXIT_FAILURE;
    }
    ifp_workflow(app, "plan", plan, NULL);
    add_schedules(app, schedules ? (int)strtol(schedules, NULL, 10) : 0);
    return ifp_main(app, argc, argv);
}
