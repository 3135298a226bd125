/*
 * tests/fault/test_crash.c - a worker dies at every point of base/crash.h, one after the other; a
 * second one finishes what it had, and the checker finds nothing.
 *
 * A round is one point in a database of its own.  Rounds spend their time waiting (leases, parked
 * executions), so a wave of them goes on at once:
 *
 *   VICTIM -> ARMED -> DYING -> FINISHING -> OVER     each look at a round moves it on when it may
 *
 * VICTIM only where the point needs a dead worker to take over from; ARMED waits for the moment of
 * what must be done to the worker (a signal, a cancel).  A point that is not reached leaves its
 * round in DYING, and the test fails.
 */
#include "base/base.h"
#include "base/crash.h"
#include "lib/crashtest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

enum phase { VICTIM, ARMED, DYING, FINISHING, OVER };
static const char *const phase_names[] = {
    "waiting for its victim's death",
    "waiting for the moment",
    "waiting for the crash",
    "waiting for the end of all executions",
    "over",
};

enum { WAVE_MAX = 10, WAVE_SECONDS = 30, EXECUTIONS = 4 };

/* What a point needs beside executions and one worker. */
enum need { NOTHING, A_DEAD_WORKER, A_SIGNAL, A_CANCEL, A_SCHEDULE };

struct round {
    struct crashtest test;
    struct crashtest_worker victim, first, second;
    char at[64];
    enum need need;
    enum phase phase;
    int canceled;
    bool wrong; /* the first worker ended in another way */
};

struct wave {
    struct round rounds[WAVE_MAX];
    int count;
};

static enum need need_of(const char *point)
{
    if (strncmp(point, "reap.", 5) == 0)
        return A_DEAD_WORKER;
    if (strncmp(point, "drain.", 6) == 0)
        return A_SIGNAL;
    if (strncmp(point, "cron.", 5) == 0)
        return A_SCHEDULE;
    return strcmp(point, "cancel.seen") == 0 || strncmp(point, "unwind.", 7) == 0 ? A_CANCEL
                                                                                  : NOTHING;
}

static void begin(struct round *r, const char *point, int hit)
{
    *r = (struct round){ .need = need_of(point), .phase = VICTIM };
    (void)snprintf(r->at, sizeof(r->at), "%s:%d", point, hit);
    crashtest_open(&r->test);
    crashtest_start(&r->test, EXECUTIONS / 2, "{}", true);
    crashtest_start(&r->test, EXECUTIONS / 2, "{}", false);
    if (r->need == A_DEAD_WORKER)
        crashtest_spawn(&r->test, &r->victim,
                        &(struct crashtest_settings){ .crash_at = "step.after:2" });
    if (r->need == A_SCHEDULE) /* it is due now, and then for a year not again */
        (void)crashtest_int8(
            &r->test, "select inferpipe.cron_put(1, 'once', '@yearly', 'UTC', now(),"
                      " w.name, null, null, 3::int2, 'null', 0::int2, 0::int2, 100, 0,"
                      " false, null, false)::int4::int8 from inferpipe._inferpipe_workflows w");
    if (r->need == A_CANCEL) {
        crashtest_start(&r->test, 1, "{\"hang\": true}", false);
        r->canceled = 1;
    }
}

static bool arm(struct round *r)
{
    if (!crashtest_ended(&r->victim))
        return false;
    crashtest_spawn(&r->test, &r->first, &(struct crashtest_settings){ .crash_at = r->at });
    r->phase = ARMED;
    return true;
}

/* Drains begin in the middle of the work; a cancel comes while the step that waits for it runs, and
 * while a worker owns the execution, else it would end at once. */
static bool trigger(struct round *r)
{
    if (r->need == A_SIGNAL &&
        crashtest_int8(&r->test, "select count(*) from inferpipe._inferpipe_steps") < EXECUTIONS)
        return false;
    if (r->need == A_SIGNAL)
        crashtest_signal(&r->first, SIGTERM);
    if (r->need == A_CANCEL &&
        crashtest_int8(&r->test,
                       "select count(inferpipe.cancel(inferpipe.id_text(r.exec_id)))"
                       " from inferpipe._inferpipe_runs r"
                       " join inferpipe._inferpipe_executions e on e.exec_id = r.exec_id"
                       " where r.owner <> 0 and convert_from(e.input, 'UTF8') like '%hang%'"
                       "   and exists (select from inferpipe._inferpipe_steps s"
                       "               where s.exec_id = r.exec_id and s.name = 'pool')") == 0)
        return false;
    r->phase = DYING;
    return true;
}

static bool died(struct round *r)
{
    if (!crashtest_ended(&r->first)) {
        (void)crashtest_deliver(&r->test); /* some points come only behind the message */
        return false;
    }
    r->wrong = !WIFSIGNALED(r->first.status) || WTERMSIG(r->first.status) != SIGKILL;
    crashtest_spawn(&r->test, &r->second, NULL);
    r->phase = FINISHING;
    return true;
}

/* What the schedule starts is there, once. */
static bool fired(struct round *r)
{
    return r->need != A_SCHEDULE ||
           crashtest_int8(&r->test, "select count(*) from inferpipe._inferpipe_cron_executions"
                                    " where outcome = 0") == 1;
}

static bool advance(struct round *r)
{
    switch (r->phase) {
    case VICTIM:
        return arm(r);
    case ARMED:
        return trigger(r);
    case DYING:
        return died(r);
    case FINISHING:
        if (fired(r) && crashtest_deliver(&r->test) == 0)
            r->phase = OVER;
        return r->phase == OVER;
    case OVER:
        break;
    }
    return false;
}

static bool all_over(void *ctx)
{
    struct wave *w = ctx;
    bool over = true;

    for (int i = 0; i < w->count; i++) {
        while (!w->rounds[i].wrong && advance(&w->rounds[i]))
            ;
        over = over && (w->rounds[i].phase == OVER || w->rounds[i].wrong);
    }
    return over;
}

static bool went_well(const struct round *r)
{
    if (!r->wrong && r->phase == OVER)
        return true;
    crashtest_show_log(&r->test);
    print_error("INFERPIPE_CRASH_AT=%s: %s, status %x\n", r->at,
                r->wrong ? "the worker ended otherwise" : phase_names[r->phase],
                (unsigned)r->first.status);
    return false;
}

static void end(struct round *r)
{
    crashtest_stop(&r->test, &r->second);
    crashtest_check(&r->test, EXECUTIONS + (r->need == A_SCHEDULE), r->canceled);
    crashtest_close(&r->test);
}

static void play(struct wave *w)
{
    int bad = 0;

    (void)crashtest_wait(NULL, WAVE_SECONDS, all_over, w);
    for (int i = 0; i < w->count; i++)
        bad += !went_well(&w->rounds[i]);
    assert_int_equal(bad, 0);
    for (int i = 0; i < w->count; i++)
        end(&w->rounds[i]);
}

/* ---- the tests ------------------------------------------------------------------------------ */

static void play_points(int from, int to)
{
    struct wave w = { .count = 0 };

    for (int i = from; i < to; i++)
        begin(&w.rounds[w.count++], crash_point_name((enum crash_point)i), 1);
    assert_true(w.count > 0 && w.count <= WAVE_MAX);
    play(&w);
}

static void a_worker_may_die_at_each_point_of_a_claim_and_a_step(void **state)
{
    (void)state;
    play_points(0, CRASH_FLUSH_BEFORE);
}

static void a_worker_may_die_at_each_point_of_a_commit(void **state)
{
    (void)state;
    play_points(CRASH_FLUSH_BEFORE, CRASH_RETRY_WAIT);
}

static void a_worker_may_die_at_each_point_of_waits_and_its_own_end(void **state)
{
    (void)state;
    play_points(CRASH_RETRY_WAIT, CRASH_POINTS);
}

static void a_worker_may_die_there_the_second_and_the_third_time(void **state)
{
    static const enum crash_point points[] = { CRASH_CLAIM_SENT, CRASH_STEP_AFTER, CRASH_FLUSH_SENT,
                                               CRASH_FLUSH_DONE };
    struct wave w = { .count = 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(points); i++)
        for (int hit = 2; hit <= 3; hit++)
            begin(&w.rounds[w.count++], crash_point_name(points[i]), hit);
    play(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_worker_may_die_at_each_point_of_a_claim_and_a_step,
                                  crashtest_cleanup),
        cmocka_unit_test_teardown(a_worker_may_die_at_each_point_of_a_commit, crashtest_cleanup),
        cmocka_unit_test_teardown(a_worker_may_die_at_each_point_of_waits_and_its_own_end,
                                  crashtest_cleanup),
        cmocka_unit_test_teardown(a_worker_may_die_there_the_second_and_the_third_time,
                                  crashtest_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
