/*
 * tests/integration/test_engine_steps.c - steps and their journal: every step runs once, in
 * order, its result comes back byte for byte, also after the execution moved to another worker,
 * and the limits of a journal end an execution with a text that names them.
 */
#include "base/log.h"
#include "lib/enginetest.h"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { MANY_STEPS = 300, PAGED_STEPS = 20, GATED_STEP = 10 };

static struct {
    atomic_int calls;
    _Atomic(pthread_t) thread; /* of the last step */
    char keys[4][64];
    struct enginetest_gate gate;
} world;

/* ---- step bodies ----------------------------------------------------------------------------- */

static int give_back(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    atomic_fetch_add(&world.calls, 1);
    atomic_store(&world.thread, pthread_self());
    *ret = input;
    return 0;
}

static int give_nothing(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    (void)input;
    (void)ret;
    return 0;
}

static int add_one(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    atomic_fetch_add(&world.calls, 1);
    return ifp_json_build(step, ret, "i", (int)ifp_json_int(input, "", 0) + 1);
}

static int note_identity(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    int nth = atomic_fetch_add(&world.calls, 1);
    char *copy = ifp_step_alloc(step, 64);

    (void)input;
    snprintf(copy, 64, "%s", ifp_step_key(step));
    memcpy(world.keys[nth], copy, 64);
    return ifp_json_build(step, ret, "{s:s, s:i}", "execution", ifp_step_execution(step), "attempt",
                          ifp_step_attempt(step));
}

static int stop_at_gate(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    if (ifp_json_int(input, "", 0) == GATED_STEP)
        enginetest_gate_pass(&world.gate);
    return give_back(step, input, ret);
}

static int make_text(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    size_t size = (size_t)ifp_json_int(input, "", 0);
    char *text = ifp_step_alloc(step, size);

    memset(text, 'x', size);
    text[0] = text[size - 1] = '"';
    return ifp_json_parse(step, text, size, ret);
}

/* ---- workflows ------------------------------------------------------------------------------- */

static int chain(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *one, *two;

    IFP_TRY(ifp_step(run, "one", add_one, input, &one));
    IFP_TRY(ifp_step(run, "two", add_one, one, &two));
    return ifp_step(run, "three", add_one, two, ret);
}

static int loop_of_one_name(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *n = input;

    for (int i = 0; i < 5; i++)
        IFP_TRY(ifp_step(run, "count", add_one, n, &n));
    *ret = n;
    return 0;
}

static int nothing(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *none;

    (void)ret;
    IFP_TRY(ifp_step(run, "none", give_nothing, input, &none));
    if (ifp_json_typeof(none, "") != IFP_JSON_NULL)
        return ifp_fail(run, "NOT_NULL", "a step without a result gives null");
    return 0;
}

static int inline_one(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step_with(run, "inline", give_back, input, ret,
                         &(ifp_step_options){ .flags = IFP_INLINE });
}

static int mixed(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *n = input;

    for (int i = 0; i < 6; i++)
        IFP_TRY(ifp_step_with(run, "mixed", add_one, n, &n,
                              &(ifp_step_options){ .flags = i % 2 ? IFP_INLINE : 0 }));
    *ret = n;
    return 0;
}

static int many_names(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *n = input;
    char name[32];

    for (int i = 0; i < MANY_STEPS; i++) {
        snprintf(name, sizeof(name), "step %d", i);
        IFP_TRY(
            ifp_step_with(run, name, add_one, n, &n, &(ifp_step_options){ .flags = IFP_INLINE }));
    }
    *ret = n;
    return 0;
}

static int paged(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *n, *sum = input;

    for (int i = 1; i <= PAGED_STEPS; i++) {
        IFP_TRY(ifp_json_build(run, &n, "i", i));
        IFP_TRY(ifp_step(run, "paged", stop_at_gate, n, &n));
        IFP_TRY(ifp_json_build(run, &sum, "i",
                               (int)(ifp_json_int(sum, "", 0) + ifp_json_int(n, "", 0))));
    }
    *ret = sum;
    return 0;
}

static int identity(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *first, *second;

    IFP_TRY(ifp_step(run, "who", note_identity, input, &first));
    IFP_TRY(ifp_step(run, "who", note_identity, input, &second));
    return ifp_json_build(run, ret, "{s:v, s:s}", "step", second, "run", ifp_run_id(run));
}

static int too_many_steps(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    for (int i = 0; i < 11; i++)
        IFP_TRY(ifp_step(run, "step", give_back, input, ret));
    return 0;
}

static int too_many_times(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    for (int i = 0; i < 11; i++)
        (void)ifp_now(run);
    return 0;
}

static int too_much_memory(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *text;

    (void)ret;
    for (int i = 0; i < 5; i++)
        IFP_TRY(ifp_step(run, "text", make_text, input, &text));
    return 0;
}

static int talks(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    ifp_log(run, "before the step of %d", 1);
    IFP_TRY(ifp_step(run, "one", give_back, input, ret));
    ifp_log(run, "after the step");
    return ifp_step(run, "two", give_back, input, ret);
}

static const struct engine_workflow workflows[] = {
    ENGINETEST_WORKFLOW(chain),           ENGINETEST_WORKFLOW(loop_of_one_name),
    ENGINETEST_WORKFLOW(nothing),         ENGINETEST_WORKFLOW(inline_one),
    ENGINETEST_WORKFLOW(mixed),           ENGINETEST_WORKFLOW(many_names),
    ENGINETEST_WORKFLOW(paged),           ENGINETEST_WORKFLOW(identity),
    ENGINETEST_WORKFLOW(too_many_steps),  ENGINETEST_WORKFLOW(too_many_times),
    ENGINETEST_WORKFLOW(too_much_memory), ENGINETEST_WORKFLOW(talks),
};

static int setup(void **state)
{
    enginetest_setup(state);
    memset(&world, 0, sizeof(world));
    enginetest_gate_open(&world.gate);
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return 0;
}

static int teardown(void **state)
{
    enginetest_gate_let(&world.gate, 100);
    enginetest_teardown(state);
    enginetest_gate_close(&world.gate);
    return 0;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void results_flow_from_step_to_step(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "chain", "4", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "7");
    enginetest_sql(
        "1 one 5, 2 two 6, 3 three 7",
        "select string_agg(format('%%s %%s %%s', seq, name, convert_from(result, 'UTF8')),"
        " ', ' order by seq) from inferpipe._inferpipe_steps where exec_id = %" PRId64,
        id);
    assert_int_equal(world.calls, 3);
}

static void a_name_may_recur(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "loop_of_one_name", "0", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "5");
    enginetest_sql("5",
                   "select count(distinct step_key) from inferpipe._inferpipe_steps"
                   " where name = 'count' and exec_id = %" PRId64,
                   id);
}

static void no_result_is_null(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "nothing", NULL, NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "null");
}

static void inline_steps_run_on_the_loop(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "inline_one", "[1]", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "[1]");
    assert_true(pthread_equal(world.thread, pthread_self()));
}

static void other_steps_run_on_the_pool(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "talks", "[1]", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "[1]");
    assert_false(pthread_equal(world.thread, pthread_self()));
}

static void inline_and_pool_steps_mix(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "mixed", "0", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "6");
}

static void three_hundred_steps(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "many_names", "0", NULL);

    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "300");
    assert_int_equal(world.calls, MANY_STEPS);
}

static void many_executions_share_commits(void **state)
{
    struct enginetest *t = *state;

    for (int i = 0; i < 100; i++)
        enginetest_start(t, "chain", "1", NULL);
    enginetest_worker(t, "flush-batch=7 claim-batch=30 slots=60");
    enginetest_wait_all(t, 100);
    assert_int_equal(world.calls, 300);
    enginetest_sql("100", "select count(*) from inferpipe._inferpipe_results"
                          " where status = 1 and convert_from(output, 'UTF8') = '4'");
    assert_true(testdb_int8("select count(distinct x) from inferpipe_test.audit"
                            " where new_state = -1") < 100);
}

/* The second worker reads the journal in pages that are shorter than it; nothing runs twice. */
static void a_journal_is_read_in_pages(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "paged", "0", NULL);
    struct enginetest_worker *first = enginetest_worker(t, NULL);

    enginetest_until_count(t, &world.gate.came, 1);
    engine_drain(first->engine);
    enginetest_gate_let(&world.gate, 1);
    enginetest_leave(t, first);
    assert_int_equal(world.calls, GATED_STEP);
    enginetest_worker(t, "journal-page=3");
    enginetest_completes(t, id, "210");
    assert_int_equal(world.calls, PAGED_STEPS);
}

static void several_journals_share_a_page(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *first;

    for (int i = 0; i < 5; i++)
        enginetest_start(t, "paged", "0", NULL);
    first = enginetest_worker(t, NULL);
    enginetest_until_count(t, &world.gate.came, 5);
    engine_drain(first->engine);
    enginetest_gate_let(&world.gate, 5);
    enginetest_leave(t, first);
    enginetest_worker(t, "journal-page=7");
    enginetest_wait_all(t, 5);
    assert_int_equal(world.calls, 5 * PAGED_STEPS);
}

static void a_step_knows_who_it_is(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "identity", "0", NULL);
    const char *name = enginetest_get(t, id)->id;
    char expected[128];

    snprintf(expected, sizeof(expected),
             "{\"step\":{\"execution\":\"%s\",\"attempt\":1},\"run\":\"%s\"}", name, name);
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, expected);
    assert_memory_equal(world.keys[0], t->execution.id, strlen(t->execution.id));
    assert_string_not_equal(world.keys[0], world.keys[1]);
}

static void a_journal_has_a_limit_of_rows(void **state)
{
    struct enginetest *t = *state;
    int64_t steps = enginetest_start(t, "too_many_steps", "0", NULL);
    int64_t times = enginetest_start(t, "too_many_times", "0", NULL);

    enginetest_worker(t, "journal-max=10");
    enginetest_fails(t, steps, "PAYLOAD_TOO_LARGE", "journal-max");
    enginetest_fails(t, times, "PAYLOAD_TOO_LARGE", "journal-max");
}

static void a_run_has_a_limit_of_memory(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "too_much_memory", "30000", NULL);

    enginetest_worker(t, "run-memory=65536");
    enginetest_fails(t, id, "PAYLOAD_TOO_LARGE", "run-memory");
}

/* What was recorded by a worker with more memory ends on one with less, with a text. */
static void a_journal_too_large_to_load_ends(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "paged", "0", NULL);
    struct enginetest_worker *first = enginetest_worker(t, NULL);

    enginetest_until_count(t, &world.gate.came, 1);
    engine_drain(first->engine);
    enginetest_gate_let(&world.gate, 1);
    enginetest_leave(t, first);
    testdb_exec("update inferpipe._inferpipe_steps"
                " set result = convert_to('\"' || repeat('x', 8000) || '\"', 'UTF8')");
    enginetest_worker(t, "run-memory=65536");
    enginetest_fails(t, id, "PAYLOAD_TOO_LARGE", "run-memory");
}

static void an_input_too_large_to_load_ends(void **state)
{
    struct enginetest *t = *state;
    static char input[100000];
    int64_t id;

    memset(input, 'x', sizeof(input) - 1);
    input[0] = input[sizeof(input) - 2] = '"';
    id = enginetest_start(t, "chain", input, NULL);
    enginetest_worker(t, "run-memory=65536");
    enginetest_fails(t, id, "PAYLOAD_TOO_LARGE", "run-memory");
}

static int occurrences(const char *text, const char *part)
{
    int n = 0;

    for (text = strstr(text, part); text; text = strstr(text + 1, part))
        n++;
    return n;
}

static void log_lines_are_not_repeated_by_replay(void **state)
{
    struct enginetest *t = *state;
    int64_t id = enginetest_start(t, "talks", "[1]", NULL);
    FILE *file = tmpfile();
    char text[8192];
    ssize_t len;

    assert_non_null(file);
    log_open(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, fileno(file));
    enginetest_worker(t, NULL);
    enginetest_completes(t, id, "[1]");
    log_open(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT, STDERR_FILENO);
    len = pread(fileno(file), text, sizeof(text) - 1, 0);
    assert_true(len > 0);
    text[len] = '\0';
    assert_int_equal(occurrences(text, "before the step of 1"), 1);
    assert_int_equal(occurrences(text, "after the step"), 1);
    fclose(file);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(results_flow_from_step_to_step),
        TEST(a_name_may_recur),
        TEST(no_result_is_null),
        TEST(inline_steps_run_on_the_loop),
        TEST(other_steps_run_on_the_pool),
        TEST(inline_and_pool_steps_mix),
        TEST(three_hundred_steps),
        TEST(many_executions_share_commits),
        TEST(a_journal_is_read_in_pages),
        TEST(several_journals_share_a_page),
        TEST(a_step_knows_who_it_is),
        TEST(a_journal_has_a_limit_of_rows),
        TEST(a_run_has_a_limit_of_memory),
        TEST(a_journal_too_large_to_load_ends),
        TEST(an_input_too_large_to_load_ends),
        TEST(log_lines_are_not_repeated_by_replay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
