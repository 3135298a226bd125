/*
 * tests/fault/test_kill.c - three workers, two hundred executions, and whatever comes: kill -9, a
 * pause longer than the lease, connections that are cut, a restart of the server without mercy.
 * Then everything completes and the checker finds nothing.
 *
 * And the control: the same checker on a worker that does not notice that its lease is gone, with
 * and without the fence.  With it nothing is found; without it the checker must find something, or
 * it proves nothing.
 *
 * SEED=n repeats the choices of a run; what the operating system makes of them differs.
 */
#include "base/base.h"
#include "base/clock.h"
#include "lib/crashtest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHAOS_US INT64_C(15000000)
#define MS INT64_C(1000)

enum {
    WORKERS = 3,
    EXECUTIONS = 200,
    PER_ROUND = 20,   /* executions that are started together */
    STEP_MS = 150,    /* of the first step: there is always one to interrupt */
    LEASE_MS = 1000,  /* the workers' */
    ACT_MIN_MS = 150, /* between two blows */
    ACT_MAX_MS = 600,
    PAUSE_MAX_MS = 2500,    /* longer than the lease, as a rule */
    CHAOS_PATIENCE_S = 240, /* a restart waits for the disk, and others may write */
    TEXT_SIZE = 4096
};

struct chaos {
    struct crashtest test;
    struct crashtest_worker workers[WORKERS];
    int64_t resume_us[WORKERS]; /* when a stopped one goes on; 0: it is not stopped */
    uint64_t random;
    int64_t end_us, next_us, restart_us;
    int started, kills, pauses, cuts, restarts;
};

/* xorshift64*: the same choices for the same seed on every machine. */
static int64_t draw(struct chaos *c, int64_t from, int64_t to)
{
    c->random ^= c->random >> 12;
    c->random ^= c->random << 25;
    c->random ^= c->random >> 27;
    return from + (int64_t)(c->random * UINT64_C(0x2545f4914f6cdd1d) >> 33) % (to - from + 1);
}

static uint64_t choose_seed(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)clock_real_us();

    print_message("SEED=%" PRIu64 "\n", seed);
    return seed ? seed : 1;
}

/* ---- blows ---------------------------------------------------------------------------------- */

static void resume(struct chaos *c, int i)
{
    char sql[160];

    c->resume_us[i] = 0;
    (void)snprintf(sql, sizeof(sql),
                   "insert into inferpipe_test.pauses values (%d, clock_timestamp()) returning 1",
                   (int)c->workers[i].pid);
    (void)crashtest_int8(&c->test, sql);
    crashtest_signal(&c->workers[i], SIGCONT);
}

static void strike(struct chaos *c)
{
    int i = (int)draw(c, 0, WORKERS - 1);

    switch (draw(c, 0, 2)) {
    case 0:
        c->kills++;
        crashtest_signal(&c->workers[i], SIGKILL);
        break;
    case 1:
        if (c->resume_us[i] != 0)
            break;
        c->pauses++;
        crashtest_signal(&c->workers[i], SIGSTOP);
        c->resume_us[i] = clock_mono_us() + draw(c, LEASE_MS, PAUSE_MAX_MS) * MS;
        break;
    default:
        c->cuts += (int)crashtest_int8(&c->test,
                                       "select count(pg_terminate_backend(pid)) from (select pid"
                                       " from pg_stat_activity where datname = current_database()"
                                       " and pid <> pg_backend_pid() order by random() limit 2) b");
        break;
    }
}

/* A worker that was killed is followed by another one; one that ends by itself is a failure, which
 * shows as an execution that nobody finishes or in the exit code of the last ones. */
static void tend(struct chaos *c)
{
    int64_t now = clock_mono_us();

    for (int i = 0; i < WORKERS; i++) {
        if (crashtest_ended(&c->workers[i])) {
            c->resume_us[i] = 0;
            crashtest_spawn(&c->test, &c->workers[i], NULL);
        } else if (c->resume_us[i] != 0 && now >= c->resume_us[i]) {
            resume(c, i);
        }
    }
}

static void restart_server(struct chaos *c)
{
    c->restart_us = INT64_MAX;
    if (!crashtest_server_ours())
        return;
    crashtest_server("restart");
    c->restarts++;
    crashtest_reconnect(&c->test);
}

static bool chaos_is_over(void *ctx)
{
    struct chaos *c = ctx;
    int64_t now = clock_mono_us();

    tend(c);
    (void)crashtest_deliver(&c->test);
    if (now >= c->restart_us)
        restart_server(c);
    if (now >= c->next_us) {
        c->next_us = now + draw(c, ACT_MIN_MS, ACT_MAX_MS) * MS;
        strike(c);
    }
    if (c->started < EXECUTIONS &&
        now >= c->end_us - CHAOS_US * (EXECUTIONS - c->started) / EXECUTIONS) {
        char input[64];

        (void)snprintf(input, sizeof(input), "{\"ms\": %d}", STEP_MS);
        crashtest_start(&c->test, PER_ROUND, input, (c->started / PER_ROUND) % 2 == 0);
        c->started += PER_ROUND;
    }
    return now >= c->end_us && c->started == EXECUTIONS;
}

static void chaos_loses_nothing_and_does_nothing_twice(void **state)
{
    static struct chaos c;

    (void)state;
    c = (struct chaos){ .random = choose_seed() };
    crashtest_open(&c.test);
    c.next_us = clock_mono_us();
    c.end_us = c.next_us + CHAOS_US;
    c.restart_us = c.next_us + CHAOS_US / 2;
    for (int i = 0; i < WORKERS; i++)
        crashtest_spawn(&c.test, &c.workers[i], NULL);
    assert_true(crashtest_wait(NULL, CHAOS_PATIENCE_S, chaos_is_over, &c));
    for (int i = 0; i < WORKERS; i++)
        if (c.resume_us[i] != 0)
            resume(&c, i);
    tend(&c);
    crashtest_finish(&c.test, NULL);
    print_message("%d killed, %d paused, %d connections cut, %d restarts of the server\n", c.kills,
                  c.pauses, c.cuts, c.restarts);
    assert_true(c.kills > 0 && c.pauses > 0 && c.cuts > 0);
    for (int i = 0; i < WORKERS; i++)
        crashtest_stop(&c.test, &c.workers[i]);
    crashtest_check(&c.test, EXECUTIONS, 0);
    crashtest_close(&c.test);
}

/* ---- the control ---------------------------------------------------------------------------- */

/* The heart of `slow` beats once a minute and it takes its lease to be longer; with all its slots
 * taken it does not claim either, so nothing tells it that `quick` has taken its executions over.
 * It writes first, as it began first. */
static int play_zombie(struct crashtest *t, char *text, size_t size)
{
    struct crashtest_worker slow, quick;

    crashtest_start(t, 5, "{\"ms\": 4000, \"quick\": true}", true);
    crashtest_spawn(t, &slow,
                    &(struct crashtest_settings){ .lease = "10m", .tick = "1m", .slots = "5" });
    crashtest_until_sql(t, "select count(*) from inferpipe._inferpipe_runs where owner <> 0"
                           " having count(*) = 5");
    crashtest_spawn(t, &quick, NULL);
    crashtest_until_sql(t, "select count(*) from inferpipe._inferpipe_runs where fence = 2"
                           " and owner <> 0 having count(*) = 5");
    crashtest_finish(t, NULL);
    crashtest_signal(&slow, SIGKILL);
    crashtest_stop(t, &quick);
    return crashtest_violations(t, text, size);
}

static void a_worker_that_lost_its_lease_without_knowing_writes_nothing(void **state)
{
    char text[TEXT_SIZE];
    struct crashtest t;

    (void)state;
    crashtest_open(&t);
    if (play_zombie(&t, text, sizeof(text)) > 0)
        fail_msg("%s", text);
    crashtest_check(&t, 5, 0);
    crashtest_close(&t);
}

/* The same function without its predicate; a zombie's rows then carry the zombie's fence. */
static const char weaken[] =
    "do $$ declare"
    "   c_predicate constant text := 'and r.owner = p_worker and r.fence = x.fence';"
    "   c_fence constant text := 'select r.exec_id, r.fence,';"
    "   v_text text := pg_get_functiondef('inferpipe.flush'::regproc);"
    " begin"
    "   if strpos(v_text, c_predicate) = 0 or strpos(v_text, c_fence) = 0 then"
    "     raise exception 'the fence is not where it was';"
    "   end if;"
    "   v_text := replace(v_text, c_predicate, '');"
    "   execute replace(v_text, c_fence, 'select r.exec_id, x.fence,');"
    " end $$; select 1";

static void without_the_fence_the_checker_finds_it(void **state)
{
    char text[TEXT_SIZE];
    struct crashtest t;
    int found;

    (void)state;
    crashtest_open(&t);
    assert_int_equal(crashtest_int8(&t, weaken), 1);
    found = play_zombie(&t, text, sizeof(text));
    print_message("%d violations found, as there should be\n", found);
    assert_true(found > 0);
    assert_non_null(strstr(text, "INV3"));
    crashtest_close(&t);
}

int main(void)
{
    /* The chaos comes last: it restarts the server. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_worker_that_lost_its_lease_without_knowing_writes_nothing,
                                  crashtest_cleanup),
        cmocka_unit_test_teardown(without_the_fence_the_checker_finds_it, crashtest_cleanup),
        cmocka_unit_test_teardown(chaos_loses_nothing_and_does_nothing_twice, crashtest_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
