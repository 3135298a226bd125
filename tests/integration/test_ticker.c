/*
 * tests/integration/test_ticker.c - schedules fired by real workers: once over several of them, by
 * another when the one that holds the lock dies or stalls, late after a time away, and at no cost
 * while nothing is due.
 */
#include "lib/enginetest.h"

#include "base/log.h"
#include "loop/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int nod(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)run;
    *ret = input;
    return 0;
}

static struct enginetest_gate *gate;

static int pass(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    enginetest_gate_pass(gate);
    *ret = input;
    return 0;
}

static int held(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return ifp_step(run, "pass", pass, input, ret);
}

static const struct engine_workflow workflows[] = { ENGINETEST_WORKFLOW(nod),
                                                    ENGINETEST_WORKFLOW(held) };
static const struct cronjob nothing[1];

static void start(struct enginetest *t)
{
    enginetest_define(t, workflows, ARRAY_LEN(workflows));
    testdb_exec("delete from inferpipe._inferpipe_cron_executions;"
                "delete from inferpipe._inferpipe_cron_jobs;"
                "delete from inferpipe._inferpipe_cron_locks");
    t->schedules = nothing;
    t->schedule_count = 0;
}

/* A schedule that is next due at the given time. */
static void schedule(const char *name, const char *workflow, const char *expression,
                     const char *next, int overlap)
{
    testdb_execf("select inferpipe.cron_put(1, '%s', '%s', 'UTC', %s, '%s', null, null, 3::int2,"
                 " 'null', %d::int2, 0::int2, 100, 0, false, null, false)",
                 name, expression, next, workflow, overlap);
}

#define IN_A_SECOND "date_trunc('second', inferpipe.clock()) + interval '1 s'"

/* No instant twice, none left out. */
static void check_every_second(const char *job)
{
    enginetest_sql("t",
                   "select count(*) = extract(epoch from max(scheduled_time) - min(scheduled_time))"
                   " + 1 and count(*) = count(distinct exec_id)"
                   " from inferpipe._inferpipe_cron_executions e"
                   " join inferpipe._inferpipe_cron_jobs j using (job_id) where j.name = '%s'",
                   job);
}

static void a_tick_fires_once_over_several_workers(void **state)
{
    struct enginetest *t = *state;

    start(t);
    (void)enginetest_fork(t, NULL);
    (void)enginetest_fork(t, NULL);
    (void)enginetest_worker(t, NULL);
    schedule("a", "nod", "* * * * * *", IN_A_SECOND, 2);
    schedule("b", "nod", "* * * * * *", IN_A_SECOND, 2);
    enginetest_until_sql(t, "select count(*) >= 4 from inferpipe.cron_executions"
                            " where job = 'a' and status = 'completed'");
    check_every_second("a");
    check_every_second("b");
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_cron_locks");
}

static void when_the_holder_of_the_lock_is_killed_another_goes_on(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *holder;

    start(t);
    holder = enginetest_fork(t, NULL);
    schedule("a", "nod", "* * * * * *", IN_A_SECOND, 2);
    enginetest_until_sql(t, "select count(*) from inferpipe.cron_executions");
    (void)enginetest_worker(t, NULL);
    enginetest_signal(holder, SIGKILL);
    enginetest_until_sql(t, "select fence > 1 from inferpipe._inferpipe_cron_locks");
    enginetest_until_sql(t, "select fired_at > l.locked_at from inferpipe._inferpipe_cron_locks l,"
                            " inferpipe.cron_executions order by fired_at desc limit 1");
    check_every_second("a");
}

/* Longer than anybody waits for him, shorter than his lease. */
static void when_the_holder_stalls_another_fires_what_is_late(void **state)
{
    struct enginetest *t = *state;
    struct enginetest_worker *holder;

    start(t);
    holder = enginetest_fork(t, "lease=1m");
    schedule("a", "nod", "* * * * * *", IN_A_SECOND, 2);
    enginetest_until_sql(t, "select count(*) from inferpipe.cron_executions");
    (void)enginetest_worker(t, "lease=1m");
    enginetest_signal(holder, SIGSTOP);
    enginetest_until_sql(t, "select count(*) > 0 from inferpipe.cron_executions"
                            " where lateness > interval '2.5 s'");
    enginetest_signal(holder, SIGCONT);
    enginetest_until_sql(t, "select count(*) >= 8 from inferpipe.cron_executions");
    check_every_second("a");
}

static void what_was_missed_while_nobody_was_there_runs_late(void **state)
{
    struct enginetest *t = *state;

    start(t);
    schedule("old", "nod", "@yearly", "'2019-01-01 00:00Z'", 2);
    (void)enginetest_worker(t, "cron-grace=1s");
    enginetest_until_sql(t, "select count(*) from inferpipe.cron_executions"
                            " where outcome = 'started' and status = 'completed'");
    enginetest_sql("missed started", "select string_agg(outcome, ' ' order by scheduled_time)"
                                     " from inferpipe.cron_executions");
    enginetest_sql("t", "select max(scheduled_time at time zone 'UTC')"
                        " = date_trunc('year', now() at time zone 'UTC')"
                        " from inferpipe.cron_executions where outcome = 'started'");
}

static void a_tick_that_waits_starts_when_the_one_before_has_ended(void **state)
{
    struct enginetest *t = *state;

    start(t);
    gate = enginetest_shared(sizeof(*gate));
    enginetest_gate_open(gate);
    (void)enginetest_worker(t, NULL);
    schedule("q", "held", "* * * * * *", IN_A_SECOND, 1);
    enginetest_until_sql(t, "select count(*) >= 2 from inferpipe.cron_executions"
                            " where outcome = 'waiting'");
    testdb_exec("update inferpipe._inferpipe_cron_jobs set next_at = now() + interval '1 day'");
    enginetest_sql("1", "select count(*) from inferpipe.cron_executions where outcome = 'started'");
    enginetest_gate_let(gate, 1);
    enginetest_until_sql(t, "select count(*) = 2 from inferpipe.cron_executions"
                            " where outcome = 'started'");
    enginetest_gate_let(gate, 1000);
    enginetest_until_sql(t, "select count(*) = 0 from inferpipe.cron_executions"
                            " where status is distinct from 'completed'");
    enginetest_gate_close(gate);
}

static void a_job_that_cannot_be_computed_stops_no_other(void **state)
{
    struct enginetest *t = *state;

    start(t);
    schedule("a", "nod", "* * * * * *", "now() - interval '10 s'", 2);
    schedule("broken", "nod", "gibberish", "now() - interval '30 s'", 2);
    schedule("nowhere", "nod", "@daily", "now() - interval '20 s'", 2);
    testdb_exec("update inferpipe._inferpipe_cron_jobs set timezone = 'Mars/Crater'"
                " where name = 'nowhere'");
    (void)enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select count(*) >= 3 from inferpipe.cron_executions where job = 'a'");
    enginetest_sql("0", "select count(*) from inferpipe.cron_executions where job <> 'a'");
}

/* The database refuses what one job wants: the others fire, in smaller batches at first. */
static void a_job_that_the_database_refuses_stops_no_other(void **state)
{
    struct enginetest *t = *state;
    char name[16];

    start(t);
    testdb_exec("create function refuse() returns trigger language plpgsql as $$ begin"
                " if exists (select from inferpipe._inferpipe_cron_jobs j"
                "   where j.job_id = new.job_id and j.name = 's3') then"
                "  raise exception 'no' using errcode = '23514'; end if; return new; end $$;"
                "create trigger refuse before insert on inferpipe._inferpipe_cron_executions"
                " for each row execute function refuse()");
    for (int i = 0; i < 7; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        schedule(name, "nod", "@yearly", "'2019-01-01 00:00Z'", 2);
    }
    (void)enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select count(distinct job) = 6 from inferpipe.cron_executions");
    schedule("after", "nod", "* * * * * *", IN_A_SECOND, 2);
    enginetest_until_sql(t, "select count(*) from inferpipe.cron_executions where job = 'after'");
    enginetest_sql("0", "select count(*) from inferpipe.cron_executions where job = 's3'");
    testdb_exec("drop trigger refuse on inferpipe._inferpipe_cron_executions");
}

static void a_program_declares_its_schedules_when_it_starts(void **state)
{
    static struct cronjob jobs[] = {
        { .name = "one",
          .schedule = "@daily",
          .workflow = "nod",
          .o = { .timezone = "Asia/Tokyo" } },
        { .name = "two", .schedule = "* * * * * *", .workflow = "nod" },
    };
    struct enginetest *t = *state;

    start(t);
    cronjob_defaults(&jobs[0]);
    cronjob_defaults(&jobs[1]);
    t->schedules = jobs;
    t->schedule_count = ARRAY_LEN(jobs);
    (void)enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select count(*) from inferpipe.cron_executions where job = 'two'");
    enginetest_sql("15:00:00", "select (next_at at time zone 'UTC')::time from inferpipe.cron_jobs"
                               " where name = 'one' and declared and program = 'enginetest'");
}

static void a_schedule_that_this_machine_does_not_know_is_refused_at_once(void **state)
{
    static const struct cronjob bad = {
        .name = "bad", .schedule = "@daily", .workflow = "nod", .o = { .timezone = "Mars/Crater" }
    };
    struct enginetest *t = *state;
    struct config config;
    struct ticker_options o = { t->loop, &config, "x", &bad, 1 };
    struct ticker *ticker;
    struct err e;

    assert_int_equal(config_init(&config, &e), 0);
    assert_int_equal(ticker_open(&o, &ticker, &e), IFP_EINVALID);
    assert_string_equal(e.text, "schedule \"bad\": timezone: there is no time zone Mars/Crater");
    config_release(&config);
}

/* The tick's own look is enough: beside it, the lock's renewal is all that an idle worker says. */
static void an_idle_worker_says_nothing_about_schedules_that_are_not_due(void **state)
{
    struct enginetest *t = *state;

    start(t);
    schedule("later", "nod", "@yearly", "now() + interval '1 day'", 2);
    (void)enginetest_worker(t, NULL);
    enginetest_until_sql(t, "select count(*) from inferpipe._inferpipe_cron_locks");
    enginetest_until_sql(t, "select beats >= 20 from inferpipe._inferpipe_workers");
    enginetest_sql("1", "select fence from inferpipe._inferpipe_cron_locks");
    enginetest_sql("t", "select expires_at - locked_at = interval '30 s'"
                        " from inferpipe._inferpipe_cron_locks");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, enginetest_setup, enginetest_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_tick_fires_once_over_several_workers),
        CASE(when_the_holder_of_the_lock_is_killed_another_goes_on),
        CASE(when_the_holder_stalls_another_fires_what_is_late),
        CASE(what_was_missed_while_nobody_was_there_runs_late),
        CASE(a_tick_that_waits_starts_when_the_one_before_has_ended),
        CASE(a_job_that_cannot_be_computed_stops_no_other),
        CASE(a_job_that_the_database_refuses_stops_no_other),
        CASE(a_program_declares_its_schedules_when_it_starts),
        CASE(a_schedule_that_this_machine_does_not_know_is_refused_at_once),
        CASE(an_idle_worker_says_nothing_about_schedules_that_are_not_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
