/*
 * tests/integration/test_buckets.c - shares of token buckets: two servers on one database let
 * through no more than the limit and what each may hold, and ask the database seldom.
 */
#include "api/buckets.h"
#include "base/clock.h"
#include "base/fault.h"
#include "lib/fronttest.h"
#include "lib/looptest.h"
#include "lib/testdb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SERVERS = 2, WAITS = 256 };

struct taking {
    struct buckets_wait wait;
    struct server *server;
    bool busy;
};

struct server {
    struct fronttest front;
    struct buckets *buckets;
    int granted, refused, failed, waiting;
    struct buckets_state last;
    struct taking takes[WAITS];
};

struct fixture {
    struct server servers[SERVERS];
    int64_t key, since_us;
    int wanted;
};

static void count(struct server *s, int err, const struct buckets_state *state)
{
    s->failed += err != 0;
    if (err)
        return;
    s->last = *state;
    s->granted += state->granted;
    s->refused += !state->granted;
}

static void on_taken(struct buckets_wait *w, int err, const struct buckets_state *state,
                     const struct err *e)
{
    struct taking *x = CONTAINER_OF(w, struct taking, wait);

    (void)e;
    x->busy = false;
    x->server->waiting--;
    count(x->server, err, state);
}

static void take(struct server *s, int64_t key, int64_t burst)
{
    enum buckets_verdict said;
    struct buckets_state state;
    struct taking *x = s->takes;
    struct err e;

    while (x->busy)
        x++;
    assert_true(x < s->takes + WAITS);
    x->server = s;
    x->wait.done = on_taken;
    if (buckets_take(s->buckets, key, burst, &x->wait, &said, &state, &e) != 0)
        fail_msg("%s", e.text);
    x->busy = said == BUCKETS_WAITING;
    s->waiting += x->busy;
    if (said == BUCKETS_SAID)
        count(s, 0, &state);
}

static bool nobody_waits(void *ctx)
{
    struct fixture *t = ctx;

    return t->servers[0].waiting == 0 && t->servers[1].waiting == 0;
}

static void settle(struct fixture *t)
{
    looptest_until(t->servers[0].front.loop, nobody_waits, t);
}

static int set_up(void **state)
{
    static struct fixture t;
    struct err e;

    memset(&t, 0, sizeof(t));
    for (int i = 0; i < SERVERS; i++) {
        struct server *s = &t.servers[i];

        fronttest_open(&s->front, i ? &t.servers[0].front : NULL);
        assert_int_equal(
            buckets_open(s->front.loop, &s->front.config, s->front.front, &s->buckets, &e), 0);
    }
    *state = &t;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *t = *state;

    for (int i = SERVERS - 1; i >= 0; i--) {
        struct server *s = &t->servers[i];

        buckets_close(s->buckets, fronttest_closed, &s->front);
        looptest_count(s->front.loop, &s->front.closed, 1);
        fronttest_close(&s->front, i ? &t->servers[0].front : NULL);
    }
    return 0;
}

static void make_key(struct fixture *t, int rate, int burst)
{
    testdb_execf("select inferpipe.key_create(1, 'aaaaaaaaaaaa', sha256('a'), '', '{*}', null, "
                 "nullif(%d, 0), nullif(%d, 0))",
                 rate, burst);
    t->key = testdb_int8("select key_id from inferpipe._inferpipe_api_keys");
}

static void a_burst_passes_and_then_nothing(void **state)
{
    struct fixture *t = *state;
    struct server *s = &t->servers[0];

    make_key(t, 1, 20);
    for (int i = 0; i < 30; i++)
        take(s, t->key, 20);
    settle(t);
    assert_int_equal(s->granted, 20);
    assert_int_equal(s->refused, 10);
    assert_int_equal(s->last.limit, 20);
    assert_int_equal(s->last.remaining, 0);
    assert_in_range(s->last.retry_ms, 50000, 60000);
    assert_in_range(s->last.reset_ms, 20 * 60000 - 20000, 20 * 60000);
    assert_true(buckets_stats(s->buckets).statements <= 2);
    take(s, t->key, 20); /* known to be empty: no statement */
    assert_int_equal(s->waiting, 0);
    assert_int_equal(s->refused, 11);
}

/* Both ask as fast as they can for a second: bound = burst + rate * time + what each may hold. */
static bool asks_on(void *ctx)
{
    struct fixture *t = ctx;

    for (int i = 0; i < SERVERS; i++)
        for (int j = t->servers[i].waiting; j < 50; j++)
            take(&t->servers[i], t->key, 100);
    return clock_mono_us() - t->since_us > 1500000;
}

static void two_servers_keep_within_one_limit(void **state)
{
    struct fixture *t = *state;
    struct server *a = &t->servers[0], *b = &t->servers[1];
    int64_t took_us, may;

    make_key(t, 6000, 100); /* 100 a second, leases of 10 */
    t->since_us = clock_mono_us();
    looptest_until(a->front.loop, asks_on, t);
    settle(t);
    took_us = clock_mono_us() - t->since_us;
    may = 100 + took_us * 100 / 1000000 + 2 * 10;
    assert_in_range(a->granted + b->granted, 100, may);
    assert_true(a->granted > 0 && b->granted > 0);
    assert_true(a->refused > 0 && b->refused > 0);
    assert_int_equal(a->failed + b->failed, 0);
    /* one a BUCKETS_PACE_US at most */
    assert_in_range(buckets_stats(a->buckets).statements, 1, took_us / BUCKETS_PACE_US + 2);
}

/* A steady client far below its limit waits for the database a few times, not for each request. */
static bool trickles(void *ctx)
{
    struct fixture *t = ctx;

    for (int i = 0; i < 20 && t->servers[0].waiting < WAITS && t->wanted < 2000; i++) {
        take(&t->servers[0], t->key, 100000);
        t->wanted++;
    }
    return t->wanted == 2000;
}

static void a_lease_grows_with_use(void **state)
{
    struct fixture *t = *state;
    struct server *s = &t->servers[0];

    make_key(t, 6000000, 100000);
    looptest_until(s->front.loop, trickles, t);
    settle(t);
    assert_int_equal(s->granted, 2000);
    assert_true(buckets_stats(s->buckets).statements < 500);
}

/* Sixteen clients, each of which asks again when it was answered. */
static bool sixteen_ask(void *ctx)
{
    struct fixture *t = ctx;

    for (int i = 0; i < 20 && t->servers[0].waiting < 16 && t->wanted < 5000; i++) {
        take(&t->servers[0], t->key, 100000);
        t->wanted++;
    }
    return t->wanted == 5000;
}

/* What was used while a statement was on its way counts for the next lease, too. */
static void a_lease_grows_beside_a_slow_database(void **state)
{
    struct fixture *t = *state;
    struct server *s = &t->servers[0];

    make_key(t, 6000000, 100000);
    testdb_exec("alter function inferpipe.rates_take rename to rates_take_now");
    testdb_exec("create function inferpipe.rates_take(p_buckets int8[], p_wants int4[])"
                " returns table (bucket int8, granted int4, remaining int4, burst int4,"
                " next_ms int8, full_ms int8) language sql volatile as $$"
                " select pg_sleep(0.2); select * from inferpipe.rates_take_now($1, $2) $$");
    looptest_until(s->front.loop, sixteen_ask, t);
    settle(t);
    assert_int_equal(s->granted, 5000);
    assert_true(buckets_stats(s->buckets).statements < 60);
}

/* None is in the server's hands, and none can be on the way: it was not asked for two leases. */
static bool all_given_back(void *ctx)
{
    struct fixture *t = ctx;

    return clock_mono_us() - t->since_us > 2 * (int64_t)BUCKETS_LEASE_US &&
           buckets_stats(t->servers[0].buckets).held == 0 &&
           testdb_int8f("select remaining from inferpipe.rates_take(array[%lld::int8], array[0])",
                        (long long)t->key) >= 40;
}

static void what_is_not_used_is_given_back(void **state)
{
    struct fixture *t = *state;
    struct server *a = &t->servers[0], *b = &t->servers[1];

    make_key(t, 1, 50);
    for (int i = 0; i < 10; i++) {
        take(a, t->key, 50);
        settle(t);
    }
    assert_int_equal(a->granted, 10);
    t->since_us = clock_mono_us();
    looptest_until(a->front.loop, all_given_back, t);
    for (int i = 0; i < 50; i++)
        take(b, t->key, 50);
    settle(t);
    assert_in_range(b->granted, 40, 41); /* a token may have come meanwhile */
}

static void a_key_without_a_limit_has_none(void **state)
{
    struct fixture *t = *state;
    struct server *s = &t->servers[0];

    make_key(t, 0, 0);
    for (int i = 0; i < 100; i++)
        take(s, t->key, 5); /* it had one when it was looked up */
    settle(t);
    assert_int_equal(s->granted, 100);
    take(s, t->key, 5);
    assert_int_equal(s->granted, 101);
}

static void a_failure_is_told_and_forgotten(void **state)
{
    struct fixture *t = *state;
    struct server *s = &t->servers[0];

    make_key(t, 60, 10);
    testdb_exec("alter function inferpipe.rates_take rename to rates_take_gone");
    take(s, t->key, 10);
    take(s, t->key, 10);
    settle(t);
    assert_int_equal(s->failed, 2);
    testdb_exec("alter function inferpipe.rates_take_gone rename to rates_take");
    take(s, t->key, 10);
    settle(t);
    assert_int_equal(s->granted, 1);
}

/* The n-th allocation fails: nobody passes uncounted, and it goes on afterwards. */
static void missing_memory_is_an_error(void **state)
{
    struct fixture *t = *state;
    struct server *s = &t->servers[0];
    enum buckets_verdict said;
    struct buckets_state ignored;
    uint64_t n = 1, hits;
    struct err e;

    make_key(t, 1, 100000);
    do {
        struct taking *x = &s->takes[0];

        *x = (struct taking){ .server = s, .wait.done = on_taken };
        fault_arm(FAULT_ALLOC, n, false);
        if (buckets_take(s->buckets, t->key + (int64_t)n - 1, 100000, &x->wait, &said, &ignored,
                         &e) == 0 &&
            said == BUCKETS_WAITING) {
            x->busy = true;
            s->waiting++;
            settle(t);
        }
        hits = fault_count(FAULT_ALLOC);
        fault_arm(FAULT_ALLOC, 0, false);
    } while (hits >= n++ && n < 1000);
    assert_in_range(n, 3, 999);
    take(s, t->key, 100000);
    settle(t);
    assert_true(s->granted > 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_burst_passes_and_then_nothing),
        CASE(two_servers_keep_within_one_limit),
        CASE(a_lease_grows_with_use),
        CASE(what_is_not_used_is_given_back),
        CASE(a_key_without_a_limit_has_none),
        CASE(a_failure_is_told_and_forgotten),
        CASE(a_lease_grows_beside_a_slow_database),
        CASE(missing_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
