/*
 * tests/integration/test_hub.c - waiting for ends and following streams: told by notifications,
 * found without them, over lost connections, with followers that pause and leave.
 */
#include "store/hub.h"

#include "base/fault.h"
#include "lib/enginetest.h"
#include "lib/looptest.h"
#include "store/starts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { EVENTS = 350 };

static struct fixture {
    struct enginetest *t;
    struct config config;
    struct front *front;
    struct hub *hub;
    struct hub_watch watch, others[300];
    int ended, pages, events, closed, wrong;
    bool over, paused;
    struct hub_end end;
    char output[64], code[64];
} f;

/* ---- workflows ------------------------------------------------------------------------------ */

static int waits(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    return ifp_receive(run, "go", NULL, ret);
}

static int fails(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *got;

    (void)input;
    (void)ret;
    IFP_TRY(ifp_receive(run, "go", NULL, &got));
    return ifp_fail(run, "BROKEN", "as told");
}

static int emits(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const ifp_json *got;

    for (int i = 1; i <= EVENTS; i++)
        IFP_TRY(ifp_emit(run, "token", input));
    IFP_TRY(ifp_receive(run, "go", NULL, &got));
    IFP_TRY(ifp_emit(run, "data", got));
    *ret = got;
    return 0;
}

static const struct engine_workflow workflows[] = { ENGINETEST_WORKFLOW(waits),
                                                    ENGINETEST_WORKFLOW(fails),
                                                    ENGINETEST_WORKFLOW(emits) };

/* ---- callbacks ------------------------------------------------------------------------------ */

static void on_ended(struct hub_watch *w, const struct hub_end *end)
{
    f.ended++;
    f.wrong += w->hub != NULL || end->exec_id != w->exec_id;
    f.end = *end;
    snprintf(f.output, sizeof(f.output), "%.*s", (int)end->output.len,
             end->output.text ? end->output.text : "");
    snprintf(f.code, sizeof(f.code), "%s", end->error_code ? end->error_code : "");
}

static void on_event(struct hub_watch *w, const struct hub_event *event)
{
    f.events++;
    f.wrong += w->after != event->seq;
}

static bool on_page(struct hub_watch *w, bool ended)
{
    (void)w;
    f.pages++;
    f.over = ended;
    return !f.paused;
}

static void on_closed(void *ctx)
{
    (void)ctx;
    f.closed++;
}

static void open_hub(void **state, const char *listen)
{
    struct err e;

    memset(&f, 0, sizeof(f));
    f.t = *state;
    enginetest_define(f.t, workflows, ARRAY_LEN(workflows));
    assert_int_equal(config_init(&f.config, &e), 0);
    assert_int_equal(config_set(&f.config, CONFIG_DATABASE_URL, f.t->url, CONFIG_FROM_FLAG, &e), 0);
    assert_int_equal(config_set(&f.config, CONFIG_LISTEN, listen, CONFIG_FROM_FLAG, &e), 0);
    assert_int_equal(config_set(&f.config, CONFIG_WAITS_MAX, "300", CONFIG_FROM_FLAG, &e), 0);
    assert_int_equal(front_open(f.t->loop, &f.config, &f.front, &e), 0);
    assert_int_equal(hub_open(f.front, &f.hub, &e), 0);
    f.watch.ended = on_ended;
    f.watch.event = on_event;
    f.watch.page = on_page;
}

static void close_hub(void)
{
    assert_int_equal(f.wrong, 0);
    hub_leave(&f.watch);
    assert_int_equal(hub_count(f.hub), 0);
    hub_close(f.hub, on_closed, NULL);
    looptest_count(f.t->loop, &f.closed, 1);
    front_close(f.front, on_closed, NULL);
    looptest_count(f.t->loop, &f.closed, 2);
    config_release(&f.config);
}

static int64_t start_and_wait(const char *workflow)
{
    int64_t id = enginetest_start(f.t, workflow, "\"x\"", NULL);

    assert_int_equal(hub_wait(f.hub, &f.watch, id, false), 0);
    return id;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void an_end_is_told_with_its_result(void **state)
{
    int64_t id;

    open_hub(state, "on");
    (void)enginetest_worker(f.t, NULL);
    id = enginetest_start(f.t, "waits", NULL, NULL);
    enginetest_until_sql(f.t, "select state = 3 from inferpipe._inferpipe_runs");
    assert_int_equal(hub_wait(f.hub, &f.watch, id, false), 0); /* nobody holds its row now */
    enginetest_until_sql(f.t, "select flags = 64 from inferpipe._inferpipe_runs");
    enginetest_send(f.t, id, "go", "{\"a\": 1.50}");
    looptest_count(f.t->loop, &f.ended, 1);
    assert_string_equal(f.output, "{\"a\": 1.50}");
    assert_int_equal(f.end.status, HUB_COMPLETED);
    assert_true(f.end.created_us <= f.end.started_us && f.end.started_us <= f.end.finished_us);
    assert_int_equal(f.end.tokens, -1);
    close_hub();
}

static void a_failure_is_told_with_its_code(void **state)
{
    int64_t id;

    open_hub(state, "on");
    (void)enginetest_worker(f.t, NULL);
    id = start_and_wait("fails");
    enginetest_send(f.t, id, "go", "1");
    looptest_count(f.t->loop, &f.ended, 1);
    assert_int_equal(f.end.status, HUB_FAILED);
    assert_string_equal(f.code, "BROKEN");
    close_hub();
}

static void what_has_ended_already_is_found(void **state)
{
    int64_t id;

    open_hub(state, "on");
    id = enginetest_start(f.t, "waits", NULL, NULL);
    assert_true(enginetest_cancel(f.t, id, false));
    assert_int_equal(hub_wait(f.hub, &f.watch, id, false), 0);
    looptest_count(f.t->loop, &f.ended, 1);
    assert_int_equal(f.end.status, HUB_CANCELED);
    assert_int_equal(f.end.started_us, 0);
    close_hub();
}

static void without_notifications_ends_are_found_all_the_same(void **state)
{
    int64_t id;

    open_hub(state, "off");
    id = start_and_wait("waits");
    enginetest_until_sql(f.t, "select flags = 64 from inferpipe._inferpipe_runs");
    assert_true(enginetest_cancel(f.t, id, false));
    looptest_count(f.t->loop, &f.ended, 1);
    close_hub();
}

static void a_lost_answer_delays_and_loses_nothing(void **state)
{
    open_hub(state, "on");
    for (uint64_t n = 1; n <= 4; n++) {
        int64_t id = enginetest_start(f.t, "waits", NULL, NULL);

        fault_arm(FAULT_REPLY, n, false);
        assert_int_equal(hub_wait(f.hub, &f.watch, id, false), 0);
        testdb_execf("select inferpipe.execution_cancel(1, %lld, false)", (long long)id);
        looptest_count(f.t->loop, &f.ended, (int)n);
        fault_arm(FAULT_REPLY, 0, false);
    }
    close_hub();
}

static void many_wait_for_one_and_each_hears(void **state)
{
    int64_t id;

    open_hub(state, "on");
    id = enginetest_start(f.t, "waits", NULL, NULL);
    for (int i = 0; i < 300; i++) {
        f.others[i].ended = on_ended;
        assert_false(hub_full(f.hub));
        assert_int_equal(hub_wait(f.hub, &f.others[i], id, false), 0);
    }
    assert_true(hub_full(f.hub));
    hub_leave(&f.others[7]); /* while it is looked at, or before */
    hub_leave(&f.others[7]);
    enginetest_until_sql(f.t, "select flags = 64 from inferpipe._inferpipe_runs");
    hub_leave(&f.others[250]);
    assert_true(enginetest_cancel(f.t, id, false));
    looptest_count(f.t->loop, &f.ended, 298);
    close_hub();
}

static void a_stream_comes_in_order_and_to_its_end(void **state)
{
    int64_t id;

    open_hub(state, "on");
    (void)enginetest_worker(f.t, NULL);
    id = enginetest_start(f.t, "emits", "\"x\"", NULL);
    assert_int_equal(hub_follow(f.hub, &f.watch, id, 0, false), 0);
    looptest_count(f.t->loop, &f.events, EVENTS);
    assert_false(f.over);
    enginetest_send(f.t, id, "go", "1");
    looptest_count(f.t->loop, &f.events, EVENTS + 1);
    while (!f.over)
        looptest_count(f.t->loop, &f.pages, f.pages + 1);
    assert_int_equal(f.watch.after, EVENTS + 1);
    close_hub();
}

static void a_stream_goes_on_behind_a_number_and_waits_for_its_reader(void **state)
{
    int64_t id;
    int pages;

    open_hub(state, "on");
    (void)enginetest_worker(f.t, NULL);
    id = enginetest_start(f.t, "emits", "\"x\"", NULL);
    enginetest_until_sql(f.t, "select count(*) = %d from inferpipe._inferpipe_events", EVENTS);
    f.paused = true;
    assert_int_equal(hub_follow(f.hub, &f.watch, id, 10, false), 0);
    looptest_count(f.t->loop, &f.pages, 1);
    assert_int_equal(f.events, HUB_PAGE);
    assert_int_equal(f.watch.after, 10 + HUB_PAGE);
    enginetest_send(f.t, id, "go", "1");
    (void)enginetest_wait(f.t, id, IFP_COMPLETED);
    assert_int_equal(f.events, HUB_PAGE); /* nothing while it is paused */
    f.paused = false;
    pages = f.pages;
    hub_resume(&f.watch);
    looptest_count(f.t->loop, &f.pages, pages + 1);
    looptest_count(f.t->loop, &f.events, EVENTS + 1 - 10);
    while (!f.over)
        looptest_count(f.t->loop, &f.pages, f.pages + 1);
    close_hub();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, enginetest_setup, enginetest_teardown)
        TEST(an_end_is_told_with_its_result),
        TEST(a_failure_is_told_with_its_code),
        TEST(what_has_ended_already_is_found),
        TEST(without_notifications_ends_are_found_all_the_same),
        TEST(a_lost_answer_delays_and_loses_nothing),
        TEST(many_wait_for_one_and_each_hears),
        TEST(a_stream_comes_in_order_and_to_its_end),
        TEST(a_stream_goes_on_behind_a_number_and_waits_for_its_reader),
    };

    return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
