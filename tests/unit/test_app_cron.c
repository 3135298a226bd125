/*
 * tests/unit/test_app_cron.c - ifp_cron: what is kept, with its defaults; which mistakes stick.
 */
#include "app/app.h"
#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void a_schedule_is_kept_with_its_defaults(void **state)
{
    ifp_app *app = ifp_app_new("test");
    char name[] = "nightly";
    const struct cronjob *job;

    (void)state;
    ifp_cron(app, name, "@daily", "report", NULL);
    memset(name, 'x', sizeof(name) - 1); /* the app has copies */
    ifp_cron(app, "other", "* * * * *", "report",
             &(ifp_cron_options){ .timezone = "Asia/Tokyo",
                                  .input = "[1]",
                                  .version = "2",
                                  .queue = "slow",
                                  .priority = 1,
                                  .overlap = IFP_OVERLAP_ALLOW,
                                  .catchup = IFP_CATCHUP_ALL,
                                  .catchup_max = 1000,
                                  .jitter_ms = 86400000 });
    assert_int_equal(app->mistake.code, 0);
    assert_int_equal(app->schedule_count, 2);
    job = &app->schedules[0];
    assert_string_equal(job->name, "nightly");
    assert_string_equal(job->o.timezone, "UTC");
    assert_string_equal(job->o.input, "null");
    assert_null(job->o.version);
    assert_int_equal(job->o.priority, 3);
    assert_int_equal(job->o.catchup_max, 100);
    assert_string_equal(app->schedules[1].o.queue, "slow");
    ifp_app_free(app);
}

static void mistakes_stick_and_name_the_schedule(void **state)
{
    static const struct {
        const char *name, *schedule, *workflow;
        ifp_cron_options o;
        const char *text;
    } rows[] = {
        { "A", "@daily", "w", { 0 }, "schedule \"A\": name: " },
        { NULL, "@daily", "w", { 0 }, "schedule \"\": name: " },
        { "a", NULL, "w", { 0 }, "schedule \"a\": schedule: must be 1 to 255" },
        { "a", "0 99 * * *", "w", { 0 }, "schedule \"a\": schedule: hour, position 3" },
        { "a", "@daily", "W", { 0 }, "workflow: " },
        { "a", "@daily", NULL, { 0 }, "workflow: " },
        { "a", "@daily", "w", { .input = "{" }, "input: " },
        { "a", "@daily", "w", { .timezone = "" }, "timezone: " },
        { "a", "@daily", "w", { .version = "" }, "version: " },
        { "a", "@daily", "w", { .queue = "Q" }, "queue: " },
        { "a", "@daily", "w", { .priority = 6 }, "priority: must be 1 (first) to 5" },
        { "a", "@daily", "w", { .priority = -1 }, "priority: " },
        { "a", "@daily", "w", { .overlap = (enum ifp_overlap)3 }, "overlap: " },
        { "a", "@daily", "w", { .catchup = (enum ifp_catchup)3 }, "catchup: " },
        { "a", "@daily", "w", { .catchup_max = 1001 }, "catchup-max: must be 1 to 1000" },
        { "a", "@daily", "w", { .jitter_ms = 86400001 }, "jitter: must be 0 to 24h" },
        { "a", "@daily", "w", { .jitter_ms = -1 }, "jitter: " },
        { "twice", "@daily", "w", { 0 }, "schedule \"twice\": it is there twice" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ifp_app *app = ifp_app_new("test");

        ifp_cron(app, "twice", "@daily", "w", NULL);
        assert_int_equal(app->mistake.code, 0);
        ifp_cron(app, rows[i].name, rows[i].schedule, rows[i].workflow, &rows[i].o);
        assert_int_equal(app->mistake.code, IFP_EINVALID);
        if (!strstr(app->mistake.text, rows[i].text))
            fail_msg("%zu: %s", i, app->mistake.text);
        ifp_cron(app, "later", "@daily", "w", NULL); /* the first mistake is the one told */
        assert_non_null(strstr(app->mistake.text, rows[i].text));
        ifp_app_free(app);
    }
}

static void there_is_a_limit(void **state)
{
    ifp_app *app = ifp_app_new("test");
    char name[16];

    (void)state;
    for (int i = 0; i < APP_SCHEDULES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        ifp_cron(app, name, "@daily", "w", NULL);
    }
    assert_int_equal(app->mistake.code, 0);
    ifp_cron(app, "more", "@daily", "w", NULL);
    assert_string_equal(app->mistake.text, "schedule \"more\": more than 1000 schedules");
    ifp_app_free(app);
}

static void want_of_memory_is_a_mistake_like_others(void **state)
{
    uint64_t n = 0;
    int code;

    (void)state;
    do {
        ifp_app *app = ifp_app_new("test");

        fault_arm(FAULT_ALLOC, ++n, false);
        for (int i = 0; i < 20; i++) {
            char name[16];

            (void)snprintf(name, sizeof(name), "s%d", i);
            ifp_cron(app, name, "@daily", "w", NULL);
        }
        fault_arm(FAULT_ALLOC, 0, false);
        code = app->mistake.code;
        assert_true(code == 0 || code == IFP_ENOMEM);
        ifp_app_free(app);
    } while (code != 0);
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schedule_is_kept_with_its_defaults),
        cmocka_unit_test(mistakes_stick_and_name_the_schedule),
        cmocka_unit_test(there_is_a_limit),
        cmocka_unit_test(want_of_memory_is_a_mistake_like_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
