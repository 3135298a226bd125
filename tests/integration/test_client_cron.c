/*
 * tests/integration/test_client_cron.c - schedules by the blocking client against a real database:
 * made, changed, listed, paused, triggered, deleted; what each refuses; lost connections.
 */
#include "base/fault.h"
#include "lib/clienttest.h"
#include "store/client_cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct cronjob job_of(const char *name)
{
    struct cronjob job = { .name = name, .schedule = "@daily", .workflow = "echo" };

    cronjob_defaults(&job);
    job.next_us = INT64_C(4102444800000000); /* 2100 */
    return job;
}

static bool put(struct clienttest *t, const struct cronjob *job, bool replace)
{
    bool fresh = false;

    if (client_cron_put(&t->c, job, false, replace, &fresh, &t->e) != 0)
        fail_msg("%s", t->e.text);
    return fresh;
}

struct listed {
    int count, stop_at;
    char text[256];
};

static int take_row(void *ctx, const struct client_cron_row *r)
{
    struct listed *l = ctx;

    (void)snprintf(l->text, sizeof(l->text), "%s %s %s %s %s %s %d %s %d %d", r->name, r->schedule,
                   r->timezone, r->workflow, r->overlap, r->catchup, r->priority, r->input,
                   r->paused, (int)(r->next_ms / 1000 % 1000));
    return ++l->count == l->stop_at ? IFP_ECANCELED : 0;
}

static struct listed list(struct clienttest *t, const char *name)
{
    struct listed l = { 0 };

    if (client_cron_list(&t->c, name, take_row, &l, &t->e) != 0)
        fail_msg("%s", t->e.text);
    return l;
}

static void a_schedule_is_made_once_and_changed_when_asked(void **state)
{
    struct clienttest *t = *state;
    struct cronjob job = job_of("one");
    bool fresh;

    assert_true(put(t, &job, false));
    assert_string_equal(list(t, "one").text, "one @daily UTC echo skip last 3 null 0 800");
    assert_int_equal(client_cron_put(&t->c, &job, false, false, &fresh, &t->e), IFP_ECONFLICT);
    clienttest_expect_text(t, "there is a schedule one already");
    job.o.overlap = IFP_OVERLAP_ALLOW;
    job.o.catchup = IFP_CATCHUP_ALL;
    job.o.input = "[1.0]";
    assert_false(put(t, &job, true));
    assert_string_equal(list(t, "one").text, "one @daily UTC echo allow all 3 [1.0] 0 800");
    job.o.priority = 9;
    assert_int_equal(client_cron_put(&t->c, &job, false, true, &fresh, &t->e), IFP_EINVALID);
    clienttest_expect_text(t, "priority: must be 1 (first) to 5");
}

static void schedules_are_listed_by_name_over_pages(void **state)
{
    struct clienttest *t = *state;
    struct cronjob job = job_of("first");
    struct listed l = { .stop_at = 1 };

    assert_true(put(t, &job, false));
    assert_int_equal(list(t, "nothing").count, 0);
    assert_int_equal(client_cron_list(&t->c, "NO", take_row, &l, &t->e), IFP_EINVALID);
    testdb_exec("insert into inferpipe._inferpipe_cron_jobs (next_at, created_at, changed_at,"
                " jitter_ms, workspace_id, catchup_max, prio, overlap, catchup, paused, declared,"
                " name, schedule, timezone, workflow, input) select next_at, created_at,"
                " changed_at, jitter_ms, workspace_id, catchup_max, prio, overlap, catchup, paused,"
                " declared, 'j' || n, schedule, timezone, workflow, input"
                " from inferpipe._inferpipe_cron_jobs, generate_series(1, 1200) n");
    assert_int_equal(list(t, NULL).count, 1201);
    assert_int_equal(client_cron_list(&t->c, NULL, take_row, &l, &t->e), IFP_ECANCELED);
    assert_int_equal(l.count, 1);
}

static void a_schedule_is_paused_and_goes_on(void **state)
{
    struct clienttest *t = *state;
    struct cronjob job = job_of("one");
    bool changed = false;

    assert_true(put(t, &job, false));
    assert_int_equal(client_cron_pause(&t->c, &job, true, &changed, &t->e), 0);
    assert_true(changed);
    assert_string_equal(list(t, "one").text, "one @daily UTC echo skip last 3 null 1 0");
    assert_int_equal(client_cron_pause(&t->c, &job, true, &changed, &t->e), 0);
    assert_false(changed);
    job.next_us += 7000000;
    assert_int_equal(client_cron_pause(&t->c, &job, false, &changed, &t->e), 0);
    assert_string_equal(list(t, "one").text, "one @daily UTC echo skip last 3 null 0 807");
    job.schedule = "@hourly"; /* no longer its own */
    assert_int_equal(client_cron_pause(&t->c, &job, true, &changed, &t->e), IFP_ECONFLICT);
    job.name = "nothing";
    assert_int_equal(client_cron_pause(&t->c, &job, true, &changed, &t->e), IFP_ENOTFOUND);
}

static int take_tick(void *ctx, const struct client_cron_tick *k)
{
    struct listed *l = ctx;

    assert_true(k->fired_ms >= k->scheduled_ms && k->scheduled_ms > 0);
    (void)snprintf(l->text, sizeof(l->text), "%s %s %d %d", k->outcome, k->status, k->manual,
                   k->duration_ms >= 0);
    return ++l->count == l->stop_at ? IFP_ECANCELED : 0;
}

static void a_trigger_starts_an_execution_and_shows_in_the_history(void **state)
{
    struct clienttest *t = *state;
    struct cronjob job = job_of("one");
    struct listed l = { 0 }, stopped = { .stop_at = 1 };
    int64_t id = 0;

    assert_true(put(t, &job, false));
    assert_int_equal(client_cron_trigger(&t->c, "one", &id, &t->e), 0);
    assert_int_equal(client_cron_history(&t->c, "one", 10, take_tick, &l, &t->e), 0);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.text, "started queued 1 0");
    clienttest_end(id, 1, "'1'");
    assert_int_equal(client_cron_history(&t->c, "one", 10, take_tick, &l, &t->e), 0);
    assert_string_equal(l.text, "started completed 1 1");
    assert_int_equal(client_cron_history(&t->c, "one", 10, take_tick, &stopped, &t->e),
                     IFP_ECANCELED);
    assert_int_equal(client_cron_history(&t->c, "two", 10, take_tick, &l, &t->e), IFP_ENOTFOUND);
    assert_int_equal(client_cron_trigger(&t->c, "two", &id, &t->e), IFP_ENOTFOUND);
    assert_int_equal(client_cron_delete(&t->c, "one", &t->e), 0);
    assert_int_equal(client_cron_delete(&t->c, "one", &t->e), IFP_ENOTFOUND);
    assert_int_equal(client_cron_delete(&t->c, "", &t->e), IFP_EINVALID);
}

/* The next statement's answer will be lost. */
static void lose_answer(struct clienttest *t)
{
    assert_int_equal(client_ready(&t->c, &t->e), 0); /* connects, asks for the schema */
    fault_arm(FAULT_REPLY, 1, false);
}

/* A lost answer: what may happen twice is sent again, the rest says what may have happened. */
static void after_a_lost_answer_a_call_repeats_or_says_so(void **state)
{
    struct clienttest *t = *state;
    struct cronjob job = job_of("one");
    int64_t id, now_us = 0;
    bool fresh;

    assert_true(put(t, &job, false));
    lose_answer(t);
    assert_int_equal(client_cron_now(&t->c, &now_us, &t->e), 0);
    assert_true(now_us > 0);
    lose_answer(t);
    assert_false(put(t, &job, true));
    lose_answer(t);
    assert_int_equal(client_cron_trigger(&t->c, "one", &id, &t->e), IFP_EUNAVAILABLE);
    clienttest_expect_text(t, "the execution may have been started");
    job.name = "two";
    lose_answer(t);
    assert_int_equal(client_cron_put(&t->c, &job, false, false, &fresh, &t->e), IFP_EUNAVAILABLE);
    clienttest_expect_text(t, "the schedule may have been made");
    lose_answer(t);
    assert_int_equal(client_cron_delete(&t->c, "one", &t->e), IFP_EUNAVAILABLE);
    clienttest_expect_text(t, "the schedule may have been deleted");
    fault_arm(FAULT_REPLY, 0, false);
}

int main(void)
{
#define WITH_CLIENT(f) cmocka_unit_test_setup_teardown(f, clienttest_setup, clienttest_teardown)
    const struct CMUnitTest tests[] = {
        WITH_CLIENT(a_schedule_is_made_once_and_changed_when_asked),
        WITH_CLIENT(schedules_are_listed_by_name_over_pages),
        WITH_CLIENT(a_schedule_is_paused_and_goes_on),
        WITH_CLIENT(a_trigger_starts_an_execution_and_shows_in_the_history),
        WITH_CLIENT(after_a_lost_answer_a_call_repeats_or_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
