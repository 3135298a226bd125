/*
 * tests/unit/test_watch.c - who is dead, in virtual time.
 *
 * The lease is 1000 units, so looks may be 500 apart.  A world begins with our own connection at 0;
 * watch_until moves it on, with looks in between in which the peer beats.
 */
#include "core/watch.h"

#include "base/fault.h"
#include "lib/deathtest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { LEASE = 1000, WORKER = 7, BACKEND = 77, SERVER = 9, PEERS = 300 };

struct world {
    struct watch w;
    int64_t beats;
};

static int open_world(void **state)
{
    static struct world world;

    world.beats = 1;
    watch_init(&world.w, LEASE);
    watch_restart(&world.w, 0);
    *state = &world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;

    fault_arm(FAULT_ALLOC, 0, false);
    watch_release(&world->w);
    return 0;
}

/* One round with this one look. */
static enum watch_verdict round_with(struct watch *w, int64_t now_us, int64_t server,
                                     struct watch_look look)
{
    enum watch_verdict verdict;

    watch_begin(w, now_us, server);
    verdict = watch_peer(w, now_us, &look);
    watch_end(w);
    return verdict;
}

/* The peer has not beaten since the look before, and nothing is known of its backend. */
static enum watch_verdict stands_still(struct world *world, int64_t now_us)
{
    return round_with(&world->w, now_us, SERVER,
                      (struct watch_look){ WORKER, world->beats, WATCH_UNKNOWN, 0 });
}

/* The peer has beaten; its backend looks so. */
static enum watch_verdict beats_with(struct world *world, int64_t now_us,
                                     enum watch_backend backend, int64_t backend_start)
{
    return round_with(&world->w, now_us, SERVER,
                      (struct watch_look){ WORKER, ++world->beats, backend, backend_start });
}

static enum watch_verdict gone(struct world *world, int64_t now_us)
{
    return beats_with(world, now_us, WATCH_GONE, BACKEND);
}

/* From 0 to `now_us` without a pause; the backend is there all along. */
static void watch_until(struct world *world, int64_t now_us)
{
    for (int64_t t = world->w.last_look_us; t < now_us; t = MIN(t + 500, now_us))
        assert_int_equal(beats_with(world, t, WATCH_THERE, BACKEND), WATCH_ALIVE);
    assert_int_equal(beats_with(world, now_us, WATCH_THERE, BACKEND), WATCH_ALIVE);
}

/* ---- silent --------------------------------------------------------------------------------- */

static void a_peer_that_stands_still_for_a_lease_is_dead(void **state)
{
    assert_int_equal(stands_still(*state, 0), WATCH_ALIVE);
    assert_int_equal(stands_still(*state, 500), WATCH_ALIVE);
    assert_int_equal(stands_still(*state, 999), WATCH_ALIVE);
    assert_int_equal(stands_still(*state, 1000), WATCH_DEAD_SILENT);
    assert_int_equal(stands_still(*state, 1001), WATCH_DEAD_SILENT);
}

static void the_lease_of_a_peer_begins_when_it_is_met(void **state)
{
    struct world *world = *state;

    world->beats = 0; /* it has not beaten at all */
    watch_begin(&world->w, 400, SERVER);
    watch_end(&world->w);
    assert_int_equal(stands_still(world, 700), WATCH_ALIVE);
    assert_int_equal(stands_still(world, 1200), WATCH_ALIVE);
    assert_int_equal(stands_still(world, 1699), WATCH_ALIVE);
    assert_int_equal(stands_still(world, 1700), WATCH_DEAD_SILENT);
}

static void a_beat_begins_a_new_lease(void **state)
{
    struct world *world = *state;

    assert_int_equal(stands_still(world, 0), WATCH_ALIVE);
    assert_int_equal(stands_still(world, 500), WATCH_ALIVE);
    world->beats++;
    assert_int_equal(stands_still(world, 900), WATCH_ALIVE);
    assert_int_equal(stands_still(world, 1400), WATCH_ALIVE);
    assert_int_equal(stands_still(world, 1899), WATCH_ALIVE);
    assert_int_equal(stands_still(world, 1900), WATCH_DEAD_SILENT);
    world->beats -= 10; /* a counter that fell has changed too */
    assert_int_equal(stands_still(world, 2000), WATCH_ALIVE);
}

static void peers_are_judged_one_by_one(void **state)
{
    struct world *world = *state;
    enum watch_verdict still = WATCH_ALIVE, beating = WATCH_ALIVE;

    for (int64_t t = 0; t <= 1000; t += 500) {
        watch_begin(&world->w, t, SERVER);
        still = watch_peer(&world->w, t, &(struct watch_look){ -1, 5, WATCH_UNKNOWN, 0 });
        beating = watch_peer(&world->w, t, &(struct watch_look){ 1, t, WATCH_UNKNOWN, 0 });
        watch_end(&world->w);
    }
    assert_int_equal(still, WATCH_DEAD_SILENT);
    assert_int_equal(beating, WATCH_ALIVE);
}

/* ---- gone ----------------------------------------------------------------------------------- */

static void a_backend_gone_in_three_looks_in_a_row_is_dead(void **state)
{
    struct world *world = *state;

    watch_until(world, 1001);
    assert_int_equal(gone(world, 1001), WATCH_SUSPECT);
    assert_int_equal(gone(world, 1002), WATCH_SUSPECT);
    assert_int_equal(gone(world, 1003), WATCH_DEAD_GONE);
    assert_int_equal(gone(world, 1004), WATCH_DEAD_GONE);
}

static void a_look_that_is_not_gone_starts_the_count_again(void **state)
{
    static const enum watch_backend between[] = { WATCH_THERE, WATCH_UNKNOWN };
    struct world *world = *state;
    int64_t t = 1001;

    watch_until(world, t);
    for (size_t i = 0; i < ARRAY_LEN(between); i++) {
        assert_int_equal(gone(world, t++), WATCH_SUSPECT);
        assert_int_equal(gone(world, t++), WATCH_SUSPECT);
        assert_int_equal(beats_with(world, t++, between[i], BACKEND), WATCH_ALIVE);
    }
    assert_int_equal(gone(world, t++), WATCH_SUSPECT);
    assert_int_equal(gone(world, t++), WATCH_SUSPECT);
    assert_int_equal(gone(world, t++), WATCH_DEAD_GONE);
}

static void our_own_connection_must_be_older_than_a_lease(void **state)
{
    struct world *world = *state;

    watch_until(world, 999);
    assert_int_equal(gone(world, 999), WATCH_ALIVE);
    assert_int_equal(gone(world, 1000), WATCH_ALIVE);
    assert_int_equal(gone(world, 1001), WATCH_SUSPECT); /* the looks before do not count */
    assert_int_equal(gone(world, 1002), WATCH_SUSPECT);
    assert_int_equal(gone(world, 1003), WATCH_DEAD_GONE);
}

static void a_backend_that_was_never_seen_alive_proves_nothing(void **state)
{
    struct world *world = *state;

    for (int64_t t = 0; t <= 3000; t += 500)
        assert_int_equal(gone(world, t), WATCH_ALIVE);
}

static void another_backend_than_the_one_seen_proves_nothing(void **state)
{
    struct world *world = *state;

    watch_until(world, 1001);
    assert_int_equal(gone(world, 1001), WATCH_SUSPECT);
    assert_int_equal(gone(world, 1002), WATCH_SUSPECT);
    assert_int_equal(beats_with(world, 1003, WATCH_GONE, BACKEND + 1), WATCH_ALIVE);
    assert_int_equal(gone(world, 1004), WATCH_SUSPECT);
    /* The new one counts once it was seen. */
    assert_int_equal(beats_with(world, 1005, WATCH_THERE, BACKEND + 1), WATCH_ALIVE);
    assert_int_equal(gone(world, 1006), WATCH_ALIVE);
    assert_int_equal(beats_with(world, 1007, WATCH_GONE, BACKEND + 1), WATCH_SUSPECT);
}

static void a_backend_without_a_start_time_proves_nothing(void **state)
{
    struct world *world = *state;

    for (int64_t t = 0; t <= 1500; t += 500)
        assert_int_equal(beats_with(world, t, WATCH_THERE, 0), WATCH_ALIVE);
    for (int64_t t = 1501; t <= 1505; t++)
        assert_int_equal(beats_with(world, t, WATCH_GONE, 0), WATCH_ALIVE);
}

static void an_unknown_backend_proves_nothing(void **state)
{
    struct world *world = *state;

    watch_until(world, 1001);
    for (int64_t t = 1002; t <= 1010; t++)
        assert_int_equal(beats_with(world, t, WATCH_UNKNOWN, BACKEND), WATCH_ALIVE);
}

static void silence_is_told_before_the_backend(void **state)
{
    struct world *world = *state;
    struct watch_look look = { WORKER, 0, WATCH_GONE, BACKEND };

    watch_until(world, 1001);
    look.beats = world->beats;
    assert_int_equal(round_with(&world->w, 1500, SERVER, look), WATCH_SUSPECT);
    assert_int_equal(round_with(&world->w, 2000, SERVER, look), WATCH_SUSPECT);
    assert_int_equal(round_with(&world->w, 2001, SERVER, look), WATCH_DEAD_SILENT);
    look.backend = WATCH_THERE; /* a worker may hang with its connection up */
    assert_int_equal(round_with(&world->w, 2002, SERVER, look), WATCH_DEAD_SILENT);
}

/* ---- what makes the watcher forget ---------------------------------------------------------- */

/* Everybody has a fresh lease from `now_us` on, and no backend was seen. */
static void assert_forgot(struct world *world, int64_t now_us, int64_t server)
{
    struct watch_look still = { WORKER, world->beats, WATCH_GONE, BACKEND };

    assert_int_equal(round_with(&world->w, now_us + 500, server, still), WATCH_ALIVE);
    still.backend = WATCH_THERE;
    assert_int_equal(round_with(&world->w, now_us + 999, server, still), WATCH_ALIVE);
    still.backend = WATCH_GONE;
    still.beats = ++world->beats;
    assert_int_equal(round_with(&world->w, now_us + 1000, server, still), WATCH_ALIVE);
    assert_int_equal(round_with(&world->w, now_us + 1001, server, still), WATCH_SUSPECT);
    still.backend = WATCH_UNKNOWN;
    assert_int_equal(round_with(&world->w, now_us + 1500, server, still), WATCH_ALIVE);
    assert_int_equal(round_with(&world->w, now_us + 1999, server, still), WATCH_ALIVE);
    assert_int_equal(round_with(&world->w, now_us + 2000, server, still), WATCH_DEAD_SILENT);
}

static void a_pause_of_our_own_gives_everybody_a_fresh_lease(void **state)
{
    struct world *world = *state;

    watch_until(world, 2000);
    assert_int_equal(stands_still(world, 2500), WATCH_ALIVE);
    assert_int_equal(stands_still(world, 3001), WATCH_ALIVE); /* 501 later: silent for 1001 */
    assert_forgot(world, 3001, SERVER);
}

static void looks_half_a_lease_apart_are_no_pause(void **state)
{
    struct world *world = *state;

    watch_until(world, 2000);
    assert_int_equal(stands_still(world, 2500), WATCH_ALIVE);
    assert_int_equal(stands_still(world, 3000), WATCH_DEAD_SILENT);
}

static void a_pause_counts_from_our_connection_too(void **state)
{
    struct world *world = *state;

    assert_int_equal(stands_still(world, 501), WATCH_ALIVE);
    assert_int_equal(world->w.since_us, 501);
}

static void a_restart_of_the_server_gives_everybody_a_fresh_lease(void **state)
{
    struct world *world = *state;
    struct watch_look look = { WORKER, 0, WATCH_UNKNOWN, 0 };

    watch_until(world, 2000);
    assert_int_equal(stands_still(world, 2500), WATCH_ALIVE);
    look.beats = world->beats;
    assert_int_equal(round_with(&world->w, 3000, SERVER + 1, look), WATCH_ALIVE);
    assert_forgot(world, 3000, SERVER + 1);
}

static void a_server_seen_for_the_first_time_has_not_restarted(void **state)
{
    struct world *world = *state;

    assert_int_equal(world->w.postmaster, 0);
    watch_until(world, 400);
    assert_int_equal(world->w.since_us, 0);
    watch_restart(&world->w, 450); /* our connection may lead to another server now */
    assert_int_equal(world->w.postmaster, 0);
    assert_int_equal(
        round_with(&world->w, 500, SERVER + 1, (struct watch_look){ WORKER, 1, WATCH_UNKNOWN, 0 }),
        WATCH_ALIVE);
    assert_int_equal(world->w.since_us, 450);
}

static void our_own_reconnect_gives_everybody_a_fresh_lease(void **state)
{
    struct world *world = *state;

    watch_until(world, 2000);
    assert_int_equal(stands_still(world, 2500), WATCH_ALIVE);
    watch_restart(&world->w, 3000);
    assert_int_equal(stands_still(world, 3000), WATCH_ALIVE);
    assert_forgot(world, 3000, SERVER);
}

static void a_peer_missing_in_a_round_is_forgotten(void **state)
{
    struct world *world = *state;

    watch_until(world, 2000);
    assert_int_equal(stands_still(world, 2500), WATCH_ALIVE);
    assert_int_equal(world->w.peers.count, 1);
    watch_begin(&world->w, 2999, SERVER);
    watch_end(&world->w);
    assert_int_equal(world->w.peers.count, 0);
    assert_int_equal(stands_still(world, 3000), WATCH_ALIVE);
    assert_int_equal(gone(world, 3001), WATCH_ALIVE); /* its backend was not seen since */
}

static void only_the_missing_ones_are_forgotten(void **state)
{
    struct world *world = *state;

    for (int64_t step = 1; step <= 3; step++) {
        watch_begin(&world->w, step, SERVER);
        for (int64_t id = step; id <= PEERS; id += step)
            (void)watch_peer(&world->w, step, &(struct watch_look){ id, 1, WATCH_UNKNOWN, 0 });
        watch_end(&world->w);
        assert_int_equal(world->w.peers.count, PEERS / step);
    }
    for (uint64_t id = 1; id <= PEERS; id++)
        assert_int_equal(map_get(&world->w.peers, id) != NULL, id % 3 == 0);
}

/* Other ids, one to eleven, fall into other places of the table: its ends and clusters too. */
static void nobody_is_overlooked_in_forgetting(void **state)
{
    struct world *world = *state;

    for (int64_t group = 1; group <= 1000; group++) {
        int64_t size = 1 + group % 11;

        watch_begin(&world->w, group, SERVER);
        for (int64_t id = 0; id < size; id++)
            (void)watch_peer(&world->w, group,
                             &(struct watch_look){ group * 100 + id, 1, WATCH_UNKNOWN, 0 });
        watch_end(&world->w);
        assert_int_equal(world->w.peers.count, size);
        if (group % 2 == 0)
            watch_restart(&world->w, group); /* who is overlooked here leaks */
        watch_begin(&world->w, group, SERVER);
        watch_end(&world->w);
        assert_int_equal(world->w.peers.count, 0);
    }
}

/* ---- memory and bugs ------------------------------------------------------------------------ */

static void a_peer_without_memory_counts_as_alive(void **state)
{
    struct world *world = *state;
    uint64_t n = 0;

    do {
        fault_arm(FAULT_ALLOC, ++n, false);
        assert_int_equal(stands_still(world, (int64_t)n), WATCH_ALIVE);
        assert_int_equal(world->w.peers.count, fault_count(FAULT_ALLOC) < n);
    } while (fault_count(FAULT_ALLOC) >= n);
    assert_int_equal(n, 3); /* the peer, the map, none */
}

static void release_frees_the_peers_and_may_come_twice(void **state)
{
    struct world *world = *state;

    assert_int_equal(stands_still(world, 0), WATCH_ALIVE);
    watch_release(&world->w);
    assert_int_equal(world->w.peers.count, 0);
    watch_release(&world->w);
}

static void let_time_run_backwards(void)
{
    struct watch w;

    watch_init(&w, LEASE);
    watch_restart(&w, 10);
    watch_begin(&w, 9, SERVER);
}

static void watch_without_a_lease(void)
{
    struct watch w;

    watch_init(&w, 0);
}

static void bugs_of_the_caller_abort(void **state)
{
    (void)state;
    assert_true(deathtest_aborts(let_time_run_backwards));
    assert_true(deathtest_aborts(watch_without_a_lease));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_peer_that_stands_still_for_a_lease_is_dead),
        TEST(the_lease_of_a_peer_begins_when_it_is_met),
        TEST(a_beat_begins_a_new_lease),
        TEST(peers_are_judged_one_by_one),
        TEST(a_backend_gone_in_three_looks_in_a_row_is_dead),
        TEST(a_look_that_is_not_gone_starts_the_count_again),
        TEST(our_own_connection_must_be_older_than_a_lease),
        TEST(a_backend_that_was_never_seen_alive_proves_nothing),
        TEST(another_backend_than_the_one_seen_proves_nothing),
        TEST(a_backend_without_a_start_time_proves_nothing),
        TEST(an_unknown_backend_proves_nothing),
        TEST(silence_is_told_before_the_backend),
        TEST(a_pause_of_our_own_gives_everybody_a_fresh_lease),
        TEST(looks_half_a_lease_apart_are_no_pause),
        TEST(a_pause_counts_from_our_connection_too),
        TEST(a_restart_of_the_server_gives_everybody_a_fresh_lease),
        TEST(a_server_seen_for_the_first_time_has_not_restarted),
        TEST(our_own_reconnect_gives_everybody_a_fresh_lease),
        TEST(a_peer_missing_in_a_round_is_forgotten),
        TEST(only_the_missing_ones_are_forgotten),
        TEST(nobody_is_overlooked_in_forgetting),
        TEST(a_peer_without_memory_counts_as_alive),
        TEST(release_frees_the_peers_and_may_come_twice),
        TEST(bugs_of_the_caller_abort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
