/*
 * tests/integration/test_client_queue.c - queues for callers against a real database: limits that
 * are set, left and removed, pause and resume, what a queue holds, and its end.
 */
#include "base/fault.h"
#include "lib/clienttest.h"
#include "store/client_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    int count;
    char names[64];
    struct client_queue last; /* its name is not valid any more */
};

static void take_queue(void *ctx, const struct client_queue *q)
{
    struct seen *s = ctx;
    size_t len = strlen(s->names);

    s->count++;
    s->last = *q;
    (void)snprintf(s->names + len, sizeof(s->names) - len, "%s ", q->name);
}

static struct seen list(struct clienttest *t, const char *name)
{
    struct seen s = { 0 };

    if (client_queue_list(&t->c, name, take_queue, &s, &t->e) != 0)
        fail_msg("%s", t->e.text);
    return s;
}

/* One limit, the others left as they are. */
static int set(struct clienttest *t, const char *queue, enum client_queue_limit id, int64_t n)
{
    int64_t limits[QUEUE_LIMITS];

    for (int i = 0; i < QUEUE_LIMITS; i++)
        limits[i] = QUEUE_UNSET;
    limits[id] = n;
    return client_queue_limit(&t->c, queue, limits, &t->e);
}

static void a_limit_is_set_left_alone_and_removed(void **state)
{
    struct clienttest *t = *state;
    struct seen s;

    assert_int_equal(set(t, "mail", QUEUE_CONCURRENCY, 5), 0);
    assert_int_equal(set(t, "mail", QUEUE_WAITING_MAX, 100), 0);
    s = list(t, "mail");
    assert_int_equal(s.count, 1);
    assert_int_equal(s.last.limits[QUEUE_CONCURRENCY], 5);
    assert_int_equal(s.last.limits[QUEUE_WAITING_MAX], 100);
    assert_int_equal(s.last.limits[QUEUE_RATE], QUEUE_UNSET);
    assert_int_equal(set(t, "mail", QUEUE_CONCURRENCY, 0), 0);
    s = list(t, "mail");
    assert_int_equal(s.last.limits[QUEUE_CONCURRENCY], QUEUE_UNSET);
    assert_int_equal(s.last.limits[QUEUE_WAITING_MAX], 100);
}

static void a_limit_out_of_range_is_refused_by_name(void **state)
{
    struct clienttest *t = *state;

    assert_int_equal(set(t, "mail", QUEUE_CONCURRENCY, 1000001), IFP_EINVALID);
    clienttest_expect_text(t, "concurrency");
    assert_int_equal(set(t, "Not A Slug", QUEUE_CONCURRENCY, 1), IFP_EINVALID);
    clienttest_expect_text(t, "queue");
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_queues"), 0);
}

static void queues_are_listed_by_name_with_what_they_hold(void **state)
{
    struct clienttest *t = *state;
    struct seen s;

    (void)clienttest_started(t, "wait", "1");
    (void)clienttest_started(t, "wait", "2");
    assert_int_equal(set(t, "mail", QUEUE_CONCURRENCY, 1), 0);
    s = list(t, NULL);
    assert_string_equal(s.names, "mail slow ");
    assert_int_equal(s.last.ready, 2);
    assert_int_equal(s.last.running, 0);
    assert_false(s.last.paused);
    assert_true(s.last.oldest_ms > 0);
}

static void an_unknown_queue_is_named(void **state)
{
    struct clienttest *t = *state;
    struct seen s = { 0 };

    assert_int_equal(client_queue_list(&t->c, "nope", take_queue, &s, &t->e), IFP_ENOTFOUND);
    clienttest_expect_text(t, "there is no queue nope");
    assert_int_equal(client_queue_list(&t->c, "Nope!", take_queue, &s, &t->e), IFP_EINVALID);
    assert_int_equal(s.count, 0);
}

static void a_pause_lasts_until_the_resume(void **state)
{
    struct clienttest *t = *state;

    assert_int_equal(client_queue_pause(&t->c, "mail", true, &t->e), 0);
    assert_true(list(t, "mail").last.paused);
    assert_int_equal(client_queue_pause(&t->c, "mail", false, &t->e), 0);
    assert_false(list(t, "mail").last.paused);
    assert_int_equal(client_queue_pause(&t->c, "No", true, &t->e), IFP_EINVALID);
}

static void a_queue_in_use_loses_its_limits_and_an_unused_one_goes(void **state)
{
    struct clienttest *t = *state;
    bool gone = true;

    (void)clienttest_started(t, "wait", "1");
    assert_int_equal(set(t, "slow", QUEUE_RATE, 10), 0);
    assert_int_equal(client_queue_delete(&t->c, "slow", &gone, &t->e), 0);
    assert_false(gone);
    assert_int_equal(list(t, "slow").last.limits[QUEUE_RATE], QUEUE_UNSET);
    assert_int_equal(set(t, "mail", QUEUE_RATE, 10), 0);
    assert_int_equal(client_queue_delete(&t->c, "mail", &gone, &t->e), 0);
    assert_true(gone);
    assert_string_equal(list(t, NULL).names, "slow ");
    assert_int_equal(client_queue_delete(&t->c, "No", &gone, &t->e), IFP_EINVALID);
}

/* A deletion is not repeated: the second would say that there is no such queue. */
static void a_lost_answer_is_asked_for_again_but_for_a_deletion(void **state)
{
    struct clienttest *t = *state;
    bool gone;

    assert_int_equal(client_ready(&t->c, &t->e), 0);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(set(t, "mail", QUEUE_CONCURRENCY, 5), 0);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(client_queue_pause(&t->c, "mail", true, &t->e), 0);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(list(t, "mail").last.limits[QUEUE_CONCURRENCY], 5);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(client_queue_delete(&t->c, "mail", &gone, &t->e), IFP_EUNAVAILABLE);
    clienttest_expect_text(t, "the queue may have been deleted");
}

#define WITH_CLIENT(f) cmocka_unit_test_setup_teardown(f, clienttest_setup, clienttest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CLIENT(a_limit_is_set_left_alone_and_removed),
        WITH_CLIENT(a_limit_out_of_range_is_refused_by_name),
        WITH_CLIENT(queues_are_listed_by_name_with_what_they_hold),
        WITH_CLIENT(an_unknown_queue_is_named),
        WITH_CLIENT(a_pause_lasts_until_the_resume),
        WITH_CLIENT(a_queue_in_use_loses_its_limits_and_an_unused_one_goes),
        WITH_CLIENT(a_lost_answer_is_asked_for_again_but_for_a_deletion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
