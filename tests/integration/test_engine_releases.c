/*
 * tests/integration/test_engine_releases.c - programs of two releases on one database, as during a
 * deploy: each claims and takes over what it knows, and nothing else.
 */
#include "lib/enginetest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct world {
    struct enginetest_gate gate;
} * world;

static int wait_for_test(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    (void)input;
    (void)ret;
    enginetest_gate_pass(&world->gate);
    return 0;
}

static int old_way(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    IFP_TRY(ifp_step(run, "wait", wait_for_test, input, ret));
    return ifp_json_build(run, ret, "s", "old");
}

static int new_way(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_json_build(run, ret, "s", "new");
}

/* A patch that the newer release brings. */
static int unpatched(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    IFP_TRY(ifp_receive(run, "go", NULL, ret));
    return ifp_json_build(run, ret, "s", "old");
}

static int patched(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    bool taken = ifp_patched(run, "faster");

    (void)input;
    IFP_TRY(ifp_receive(run, "go", NULL, ret));
    return ifp_json_build(run, ret, "s", taken ? "new" : "old");
}

static const struct engine_workflow without_patch[] = {
    { .name = "patchy", .version = "1", .queue = "default", .fn = unpatched },
};
static const struct engine_workflow with_patch[] = {
    { .name = "patchy", .version = "1", .queue = "default", .fn = patched },
};

/* Release 1 knows version 1 alone, release 2 has dropped it, release 1.5 runs both. */
static const struct engine_workflow release_1[] = {
    { .name = "order", .version = "1", .queue = "default", .fn = old_way },
};
static const struct engine_workflow release_2[] = {
    { .name = "order", .version = "2", .queue = "default", .fn = new_way },
};
static const struct engine_workflow release_both[] = {
    { .name = "order", .version = "1", .queue = "default", .fn = old_way },
    { .name = "order", .version = "2", .queue = "default", .fn = new_way },
};

static int setup(void **state)
{
    enginetest_setup(state);
    if (!world)
        world = enginetest_shared(sizeof(*world));
    memset(world, 0, sizeof(*world));
    enginetest_gate_open(&world->gate);
    return 0;
}

static int teardown(void **state)
{
    enginetest_gate_let(&world->gate, 100);
    enginetest_teardown(state);
    enginetest_gate_close(&world->gate);
    return 0;
}

static int64_t start(struct enginetest *t, const char *version)
{
    return enginetest_start(t, "order", NULL, &(ifp_start_options){ .version = version });
}

/* The new release answers what is sent to it, and so has seen what there is. */
static void new_release_goes_on(struct enginetest *t)
{
    for (int i = 0; i < 3; i++)
        enginetest_completes(t, start(t, "2"), "\"new\"");
}

static void each_release_claims_its_own(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *old, *new;
    int64_t first;

    enginetest_define(t, release_1, ARRAY_LEN(release_1));
    old = enginetest_worker(t, NULL);
    enginetest_define(t, release_2, ARRAY_LEN(release_2));
    new = enginetest_worker(t, NULL);
    first = start(t, "1");
    enginetest_until_count(t, &world->gate.came, 1);
    new_release_goes_on(t);
    enginetest_sql("t", "select bool_and(r.owner = %" PRId64 ") from inferpipe._inferpipe_runs r",
                   enginetest_worker_id(old));
    assert_true(enginetest_worker_id(old) != enginetest_worker_id(new));
    enginetest_gate_let(&world->gate, 1);
    enginetest_completes(t, first, "\"old\"");
    enginetest_completes(t, start(t, NULL), "\"new\""); /* registered last */
}

/* A worker of the old release dies: the new one frees its execution and leaves it alone, until a
 * program comes that knows it. */
static void a_release_takes_over_only_what_it_knows(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *old;
    int64_t first;

    enginetest_define(t, release_1, ARRAY_LEN(release_1));
    old = enginetest_fork(t, "lease=1s");
    first = start(t, "1");
    enginetest_until_count(t, &world->gate.came, 1);
    enginetest_define(t, release_2, ARRAY_LEN(release_2));
    enginetest_worker(t, "lease=1s");
    enginetest_signal(old, SIGKILL);
    enginetest_until_sql(t, "select owner = 0 from inferpipe._inferpipe_runs");
    new_release_goes_on(t);
    enginetest_sql("0 1", "select owner || ' ' || fence from inferpipe._inferpipe_runs");
    enginetest_sql("order/1", "select string_agg(subject, ' ') from inferpipe.doctor(null, null)"
                              " where check_name = 'stranded'");
    enginetest_define(t, release_both, ARRAY_LEN(release_both));
    enginetest_worker(t, "lease=1s");
    enginetest_until_count(t, &world->gate.came, 2);
    enginetest_gate_let(&world->gate, 2);
    enginetest_completes(t, first, "\"old\"");
    enginetest_until_sql(t, "select count(*) = 0 from inferpipe.stranded()");
}

/* One that took the patch, waits for its message, and is in no worker's hands. */
static int64_t take_patch(struct enginetest *t)
{
    struct enginetest_worker *w;
    int64_t id;

    enginetest_define(t, with_patch, ARRAY_LEN(with_patch));
    w = enginetest_worker(t, NULL);
    id = enginetest_start(t, "patchy", NULL, NULL);
    enginetest_until_sql(t, "select state = 3 and owner = 0 from inferpipe._inferpipe_runs");
    enginetest_leave(t, w);
    enginetest_sql("13", "select kind from inferpipe._inferpipe_steps where kind <> 9");
    return id;
}

static void until_attempts(struct enginetest *t, int count)
{
    enginetest_until_sql(t, "select count(*) >= %d from inferpipe._inferpipe_attempts", count);
    enginetest_until_sql(t, "select count(*) = 0 from inferpipe._inferpipe_runs"
                            " where owner <> 0 or state <> 4");
}

/* In the midst of a deploy: the older program gets hold of it first. */
static void what_took_a_patch_is_left_to_a_newer_program(void **state)
{
    struct enginetest *t = *state;
    int64_t id = take_patch(t);
    struct enginetest_worker *old;

    enginetest_define(t, without_patch, ARRAY_LEN(without_patch));
    old = enginetest_worker(t, NULL);
    enginetest_send(t, id, "go", "1");
    until_attempts(t, 1);
    enginetest_sql("NONDETERMINISTIC call 1: expected patch \"faster\" (recorded as call 1), found"
                   " receive \"go\"",
                   "select error_code || ' ' || error from inferpipe._inferpipe_attempts"
                   " where attempt = 1");
    enginetest_define(t, with_patch, ARRAY_LEN(with_patch));
    enginetest_worker(t, NULL);
    enginetest_leave(t, old);
    enginetest_completes(t, id, "\"new\"");
}

static void it_fails_when_none_comes(void **state)
{
    struct enginetest *t = *state;
    int64_t id = take_patch(t);

    enginetest_define(t, without_patch, ARRAY_LEN(without_patch));
    enginetest_worker(t, NULL);
    enginetest_send(t, id, "go", "1");
    for (int attempt = 1; attempt <= 12; attempt++) {
        until_attempts(t, attempt);
        enginetest_sql("t", "select ready_at - inferpipe.clock() between '-20s' and '60s'"
                            " from inferpipe._inferpipe_runs");
        enginetest_db_clock("61 seconds");
    }
    enginetest_fails(t, id, "NONDETERMINISTIC", "expected patch \"faster\"");
    enginetest_define(t, with_patch, ARRAY_LEN(with_patch));
    enginetest_worker(t, NULL);
    enginetest_leave(t, &t->workers[1]);
    enginetest_retry(t, id);
    enginetest_completes(t, id, "\"new\"");
}

static void a_cancel_does_not_wait_for_it(void **state)
{
    struct enginetest *t = *state;
    int64_t id = take_patch(t);

    enginetest_define(t, without_patch, ARRAY_LEN(without_patch));
    enginetest_worker(t, NULL);
    enginetest_send(t, id, "go", "1");
    until_attempts(t, 1);
    (void)enginetest_cancel(t, id, false);
    enginetest_wait(t, id, IFP_STATUS_CANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_release_claims_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(a_release_takes_over_only_what_it_knows, setup, teardown),
        cmocka_unit_test_setup_teardown(what_took_a_patch_is_left_to_a_newer_program, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_fails_when_none_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancel_does_not_wait_for_it, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
