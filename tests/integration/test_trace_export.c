/*
 * tests/integration/test_trace_export.c - the trace of an execution as a collector gets it, from
 * two worker processes of which one is killed: whoever goes on, the spans are those of one tree.
 */
#include "base/ids.h"
#include "base/jsonscan.h"
#include "lib/enginetest.h"
#include "lib/receiver.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define CALLER "b7ad6b7169203331"

enum { SPANS_MAX = 64, TEXT_SIZE = 80 };

struct seen { /* a span that has arrived */
    char trace[TEXT_SIZE], id[TEXT_SIZE], parent[TEXT_SIZE], name[TEXT_SIZE];
    char attempt[TEXT_SIZE], code[TEXT_SIZE], execution[TEXT_SIZE];
};

static struct world {
    struct receiver *receiver;
    pid_t workers[2];
    int count;
    char endpoint[64];
    struct seen seen[SPANS_MAX];
} world;

/* ---- worker processes ------------------------------------------------------------------------ */

/* The program of the command line's tests, which is built beside this one. */
static void exec_demo(void)
{
    char path[512] = { 0 };

    if (readlink("/proc/self/exe", path, sizeof(path) - 32) > 0) {
        *strrchr(path, '/') = '\0';
        *strrchr(path, '/') = '\0';
        snprintf(path + strlen(path), 32, "/programs/demo");
        execl(path, "demo", "worker", "--tick", "50ms", "--lease", "1s", (char *)NULL);
    }
    _exit(127);
}

static void start_worker(int n, const char *url)
{
    pid_t parent = getpid();

    world.workers[n] = fork();
    assert_true(world.workers[n] >= 0);
    if (world.workers[n] > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    setenv("DATABASE_URL", url, 1);
    setenv("INFERPIPE_OTLP_ENDPOINT", world.endpoint, 1);
    exec_demo();
}

static int stop_worker(int n, int signum)
{
    int status = 0;

    if (world.workers[n] == 0)
        return 0;
    assert_int_equal(kill(world.workers[n], signum), 0);
    assert_int_equal(waitpid(world.workers[n], &status, 0), world.workers[n]);
    world.workers[n] = 0;
    return status;
}

/* ---- what has arrived ------------------------------------------------------------------------ */

static void copy_text(struct slice value, char ret[TEXT_SIZE])
{
    if (value.len >= 2 && value.text[0] == '"')
        value = (struct slice){ value.text + 1, value.len - 2 };
    snprintf(ret, TEXT_SIZE, "%.*s", (int)value.len, value.text);
}

static void copy_at(struct slice span, const char *pointer, char ret[TEXT_SIZE])
{
    struct slice value;

    ret[0] = '\0';
    if (jsonscan_find(span, pointer, &value) == 0)
        copy_text(value, ret);
}

static void copy_attribute(struct slice span, const char *key, char ret[TEXT_SIZE])
{
    struct slice list, each, name;
    char text[TEXT_SIZE];
    size_t pos = 0;

    ret[0] = '\0';
    assert_int_equal(jsonscan_find(span, "/attributes", &list), 0);
    while (jsonscan_each(list, &pos, &name, &each)) {
        copy_at(each, "/key", text);
        if (strcmp(text, key) != 0)
            continue;
        copy_at(each, "/value/stringValue", ret);
        if (!ret[0])
            copy_at(each, "/value/intValue", ret);
    }
}

static void read_spans(const struct receiver_request *r)
{
    struct slice body = { r->body, r->body_len }, spans, span, key;
    struct err e;
    size_t pos = 0;

    if (jsonscan_check(body.text, body.len, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(jsonscan_find(body, "/resourceSpans/0/scopeSpans/0/spans", &spans), 0);
    while (jsonscan_each(spans, &pos, &key, &span)) {
        struct seen *s = &world.seen[world.count++];

        assert_true(world.count <= SPANS_MAX);
        copy_at(span, "/traceId", s->trace);
        copy_at(span, "/spanId", s->id);
        copy_at(span, "/parentSpanId", s->parent);
        copy_at(span, "/name", s->name);
        copy_attribute(span, "inferpipe.attempt", s->attempt);
        copy_attribute(span, "inferpipe.error.code", s->code);
        copy_attribute(span, "inferpipe.execution.id", s->execution);
    }
}

/* Of the requests so far. */
static void read_all(void)
{
    world.count = 0;
    for (int i = 1; i <= receiver_count(world.receiver); i++)
        read_spans(receiver_get(world.receiver, i));
}

/* The one span with that name, and (unless it is NULL) that parent. */
static const struct seen *find(const char *name, const char *parent)
{
    const struct seen *found = NULL;

    for (int i = 0; i < world.count; i++)
        if (strcmp(world.seen[i].name, name) == 0 &&
            (!parent || strcmp(world.seen[i].parent, parent) == 0)) {
            assert_null(found);
            found = &world.seen[i];
        }
    return found;
}

static const struct seen *get(const char *name, const char *parent)
{
    const struct seen *s = find(name, parent);

    if (!s)
        fail_msg("no span \"%s\" under %s", name, parent ? parent : "any");
    return s;
}

static bool has_first(void *ctx)
{
    (void)ctx;
    read_all();
    return find("first", NULL) && find("first", NULL)->parent[0];
}

/* ---- tests ----------------------------------------------------------------------------------- */

static int setup(void **state)
{
    struct enginetest *t;

    enginetest_setup(state);
    t = *state;
    memset(&world, 0, sizeof(world));
    world.receiver = receiver_open(NULL, NULL);
    snprintf(world.endpoint, sizeof(world.endpoint), "http://127.0.0.1:%d",
             receiver_port(world.receiver));
    start_worker(0, t->url);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_workers where state = 0");
    return 0;
}

static int teardown(void **state)
{
    for (int i = 0; i < 2; i++)
        (void)stop_worker(i, SIGKILL);
    ((struct enginetest *)*state)->broken = true; /* a killed worker leaves its lease behind */
    enginetest_teardown(state);
    receiver_close(world.receiver);
    return 0;
}

static void a_worker_that_leaves_has_told_all(void **state)
{
    struct enginetest *t = *state;
    const struct seen *run, *step;
    int64_t id = enginetest_start(
        t, "flaky", "1", &(ifp_start_options){ .traceparent = "00-" TRACE "-" CALLER "-01" });
    char text[IFP_ID_SIZE];

    enginetest_completes(t, id, "1");
    assert_int_equal(stop_worker(0, SIGTERM), 0);
    read_all();
    assert_int_equal(world.count, 5); /* the execution, its step, three attempts */
    run = get("flaky", CALLER);
    step = get("stumble", run->id);
    for (int i = 0; i < world.count; i++) {
        assert_string_equal(world.seen[i].trace, TRACE);
        ids_execution_format(id, text);
        assert_string_equal(world.seen[i].execution, text);
        if (strcmp(world.seen[i].name, "attempt") == 0) {
            bool last = strcmp(world.seen[i].attempt, "3") == 0;

            assert_string_equal(world.seen[i].parent, step->id);
            assert_string_equal(world.seen[i].code, last ? "" : "STUMBLED");
        }
    }
    assert_string_equal(step->attempt, "3");
    assert_string_equal(step->code, "");
    assert_string_equal(run->code, "");
}

static void an_execution_that_fails_says_so(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "failing", NULL, NULL);

    enginetest_fails(t, id, "NO_LUCK", "it never works");
    assert_int_equal(stop_worker(0, SIGTERM), 0);
    read_all();
    assert_int_equal(world.count, 3);
    assert_string_equal(get("failing", "")->code, "NO_LUCK"); /* nobody gave it a context */
    assert_string_equal(get("refuse", get("failing", NULL)->id)->code, "NO_LUCK");
}

static void what_is_not_sampled_is_not_exported(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(
        t, "echo", "1", &(ifp_start_options){ .traceparent = "00-" TRACE "-" CALLER "-00" });

    enginetest_completes(t, id, "1");
    assert_int_equal(stop_worker(0, SIGTERM), 0);
    assert_int_equal(receiver_count(world.receiver), 0);
}

static void after_a_kill_the_steps_hang_under_the_same_execution(void **state)
{
    struct enginetest *t = *state;
    const struct seen *first, *run;
    char parent[TEXT_SIZE];
    int64_t id = enginetest_start(
        t, "hang", "{}", &(ifp_start_options){ .traceparent = "00-" TRACE "-" CALLER "-01" });

    enginetest_until(t, has_first, NULL);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_steps where name = 'first'");
    snprintf(parent, sizeof(parent), "%s", get("first", NULL)->parent);
    (void)stop_worker(0, SIGKILL);
    start_worker(1, t->url);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_runs where fence >= 2");
    (void)enginetest_cancel(t, id, false);
    (void)enginetest_wait(t, id, IFP_STATUS_CANCELED);
    assert_int_equal(stop_worker(1, SIGTERM), 0);
    read_all();
    run = get("hang", CALLER);
    first = get("first", run->id);
    assert_string_equal(run->id, parent);
    assert_string_equal(run->code, "CANCELED");
    assert_string_equal(get("hang", run->id)->trace, TRACE); /* the step that went on */
    assert_string_equal(get("attempt", first->id)->trace, TRACE);
}

static void a_child_is_part_of_its_parents_trace(void **state)
{
    struct enginetest *t = *state;
    const struct seen *family;
    int64_t id = enginetest_start(
        t, "family", "7", &(ifp_start_options){ .traceparent = "00-" TRACE "-" CALLER "-01" });

    enginetest_completes(t, id, "7");
    assert_int_equal(stop_worker(0, SIGTERM), 0);
    read_all();
    family = get("family", CALLER);
    assert_string_equal(get("echo", family->id)->trace, TRACE); /* the child's execution */
    enginetest_sql("2",
                   "select count(*) from inferpipe._inferpipe_executions"
                   " where parent_id = %lld and traceparent = '00-" TRACE "-%s-01'",
                   (long long)id, family->id);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_worker_that_leaves_has_told_all),
        TEST(an_execution_that_fails_says_so),
        TEST(what_is_not_sampled_is_not_exported),
        TEST(after_a_kill_the_steps_hang_under_the_same_execution),
        TEST(a_child_is_part_of_its_parents_trace),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
