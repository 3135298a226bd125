/*
 * tests/integration/test_listing.c - the listings of the command line against a real database:
 * order, pages, filters, what each column shows, what an unknown execution or a bad filter gives.
 */
#include "base/fault.h"
#include "lib/clienttest.h"
#include "store/listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct listed {
    int count, stop_at;
    int64_t ids[16];
    int64_t parent; /* of the last one */
    char last[256];
};

static int take_execution(void *ctx, const struct listing_execution *row)
{
    struct listed *l = ctx;

    assert_true(row->created_ms > 0);
    l->ids[l->count++] = row->id;
    l->parent = row->parent;
    (void)snprintf(l->last, sizeof(l->last), "%s %s %s %s %s %s %s %d %d", row->workflow,
                   row->version, row->queue, row->status, row->waiting_for ? row->waiting_for : "-",
                   row->error_code ? row->error_code : "-", row->error ? row->error : "-",
                   row->finished_ms > 0, (int)row->worker);
    return l->count == l->stop_at ? IFP_ECANCELED : 0;
}

static struct listed list(struct clienttest *t, struct listing_filter f)
{
    struct listed l = { 0 };

    f.limit = f.limit ? f.limit : 10;
    if (listing_executions(&t->c, &f, take_execution, &l, &t->e) != 0)
        fail_msg("%s", t->e.text);
    return l;
}

static void executions_are_listed_newest_first_in_pages(void **state)
{
    struct clienttest *t = *state;
    int64_t ids[5];
    struct listed l;

    for (int i = 0; i < 5; i++)
        ids[i] = clienttest_started(t, "echo", "1");
    l = list(t, (struct listing_filter){ .limit = 3 });
    assert_int_equal(l.count, 3);
    assert_true(l.ids[0] == ids[4] && l.ids[2] == ids[2]);
    l = list(t, (struct listing_filter){ .limit = 3, .before = l.ids[2] });
    assert_int_equal(l.count, 2);
    assert_true(l.ids[0] == ids[1] && l.ids[1] == ids[0]);
    assert_string_equal(l.last, "echo 1 default queued - - - 0 0");
}

static void executions_are_listed_by_status_and_workflow(void **state)
{
    struct clienttest *t = *state;
    int64_t done = clienttest_started(t, "echo", "1"), bad = clienttest_started(t, "wait", "1");
    int64_t asleep = clienttest_started(t, "echo", "1"),
            queued = clienttest_started(t, "wait", "1");
    int64_t gone = clienttest_started(t, "echo", "1");
    struct listed l;
    bool now;

    clienttest_end(done, 1, "'1'");
    clienttest_end(bad, 2, "null");
    assert_int_equal(client_cancel(&t->c, gone, false, &now, &t->e), 0);
    testdb_forcef("update inferpipe._inferpipe_runs set state = 2, fence = 1 where exec_id = %lld",
                  (long long)asleep);
    l = list(t, (struct listing_filter){ .status = "completed" });
    assert_true(l.count == 1 && l.ids[0] == done);
    assert_string_equal(l.last, "echo 1 default completed - - - 1 0");
    l = list(t, (struct listing_filter){ .status = "failed" });
    assert_true(l.count == 1 && l.ids[0] == bad);
    assert_string_equal(l.last, "wait 1 slow failed - BAD it is bad 1 0");
    l = list(t, (struct listing_filter){ .status = "canceled" });
    assert_true(l.count == 1 && l.ids[0] == gone);
    l = list(t, (struct listing_filter){ .status = "running" });
    assert_true(l.count == 1 && l.ids[0] == asleep);
    assert_string_equal(l.last, "echo 1 default running timer - - 0 0");
    l = list(t, (struct listing_filter){ .status = "queued" });
    assert_true(l.count == 1 && l.ids[0] == queued);
    l = list(t, (struct listing_filter){ .workflow = "wait" });
    assert_true(l.count == 2 && l.ids[0] == queued && l.ids[1] == bad);
    l = list(t, (struct listing_filter){ .workflow = "wait", .status = "failed" });
    assert_int_equal(l.count, 1);
    l = list(t, (struct listing_filter){ .workflow = "echo", .status = "queued" });
    assert_int_equal(l.count, 0);
    assert_int_equal(list(t, (struct listing_filter){ .workflow = "none" }).count, 0);
}

static void children_are_listed_and_counted_by_status(void **state)
{
    struct clienttest *t = *state;
    int64_t parent = clienttest_started(t, "echo", "1"), ids[4];
    ifp_children n = { 0 };
    ifp_execution x;
    struct listed l;

    for (int i = 0; i < 4; i++)
        ids[i] = clienttest_started(t, i == 3 ? "wait" : "echo", "1");
    for (int i = 0; i < 3; i++)
        testdb_execf("update inferpipe._inferpipe_executions set parent_id = %lld"
                     " where exec_id = %lld",
                     (long long)parent, (long long)ids[i]);
    clienttest_end(ids[0], 1, "'1'");
    clienttest_end(ids[1], 2, "null");
    assert_int_equal(client_children(&t->c, parent, &n, &t->e), 0);
    assert_true(n.queued == 1 && n.running == 0 && n.completed == 1 && n.failed == 1);
    assert_int_equal(n.canceled, 0);
    assert_int_equal(client_children(&t->c, 5, &n, &t->e), IFP_ENOTFOUND);
    l = list(t, (struct listing_filter){ .parent = parent, .limit = 2 });
    assert_true(l.count == 2 && l.ids[0] == ids[2] && l.ids[1] == ids[1] && l.parent == parent);
    l = list(t, (struct listing_filter){ .parent = parent, .before = ids[1] });
    assert_true(l.count == 1 && l.ids[0] == ids[0]);
    l = list(t, (struct listing_filter){ .parent = parent, .status = "failed" });
    assert_true(l.count == 1 && l.ids[0] == ids[1]);
    l = list(t, (struct listing_filter){ .parent = parent, .workflow = "wait" });
    assert_int_equal(l.count, 0);
    assert_int_equal(client_get(&t->c, ids[0], &x, NULL, &t->e), 0);
    assert_memory_equal(x.parent, "exe_", 4);
    ifp_execution_release(&x);
}

static void a_bad_filter_is_refused_and_a_row_may_end_the_listing(void **state)
{
    struct clienttest *t = *state;
    struct listed l = { .stop_at = 1 };
    struct listing_filter f = { .limit = 10 };

    (void)clienttest_started(t, "echo", "1");
    (void)clienttest_started(t, "echo", "1");
    assert_int_equal(listing_executions(&t->c, &f, take_execution, &l, &t->e), IFP_ECANCELED);
    assert_int_equal(l.count, 1);
    f.status = "sleeping";
    assert_int_equal(listing_executions(&t->c, &f, take_execution, &l, &t->e), IFP_EINVALID);
    clienttest_expect_text(t, "status: ");
    f = (struct listing_filter){ .limit = 1001 };
    assert_int_equal(listing_executions(&t->c, &f, take_execution, &l, &t->e), IFP_EINVALID);
    clienttest_expect_text(t, "limit: must be 1 to 1000");
    f = (struct listing_filter){ .limit = 1, .before = -1 };
    assert_int_equal(listing_executions(&t->c, &f, take_execution, &l, &t->e), IFP_EINVALID);
    f = (struct listing_filter){ .limit = 1, .parent = -1 };
    assert_int_equal(listing_executions(&t->c, &f, take_execution, &l, &t->e), IFP_EINVALID);
    f = (struct listing_filter){ .limit = 1, .workflow = "A" };
    assert_int_equal(listing_executions(&t->c, &f, take_execution, &l, &t->e), IFP_EINVALID);
}

static int take_step(void *ctx, const struct listing_step *row)
{
    struct listed *l = ctx;

    l->ids[l->count++] = row->seq;
    assert_true(row->done_ms > 0);
    (void)snprintf(l->last, sizeof(l->last), "%s %s %s %s %s %s %d %d %lld", row->name, row->kind,
                   row->status, row->result ? row->result : "-",
                   row->error_code ? row->error_code : "-", row->error ? row->error : "-",
                   row->attempts, row->wake_ms > 0, (long long)row->took_us);
    return 0;
}

static void steps_are_listed_in_program_order_after_a_number(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1");
    struct listed l = { 0 };

    assert_int_equal(listing_steps(&t->c, id, 0, take_step, &l, &t->e), 0);
    assert_int_equal(l.count, 0);
    testdb_execf("insert into inferpipe._inferpipe_steps(exec_id, step_key, done_at, wake_at,"
                 " took_us, fence, seq, kind, status, codec, attempts, name, result, error_code,"
                 " error) values (%lld, 9, now(), null, 1500, 1, 1, 1, 0, 0, 2, 'a', '\"r\"',"
                 " null, null), (%lld, 7, now(), now(), null, 1, 2, 2, 0, 0, 1, 'b', null, null,"
                 " null), (%lld, 8, now(), null, 7, 1, 3, 1, 1, 0, 3, 'c', null, 'BAD', 'bad')",
                 (long long)id, (long long)id, (long long)id);
    assert_int_equal(listing_steps(&t->c, id, 0, take_step, &l, &t->e), 0);
    assert_int_equal(l.count, 3);
    assert_true(l.ids[0] == 1 && l.ids[1] == 2 && l.ids[2] == 3);
    assert_string_equal(l.last, "c step failed - BAD bad 3 0 7");
    l.count = 0;
    assert_int_equal(listing_steps(&t->c, id, 2, take_step, &l, &t->e), 0);
    assert_int_equal(l.count, 1);
    assert_int_equal(listing_steps(&t->c, 5, 0, take_step, &l, &t->e), IFP_ENOTFOUND);
}

static int take_workflow(void *ctx, const struct listing_workflow *row)
{
    struct listed *l = ctx;

    l->ids[l->count++] = row->live;
    assert_true(row->registered_ms > 0);
    (void)snprintf(l->last, sizeof(l->last), "%s %s %s %lld", row->name, row->version, row->queue,
                   (long long)row->deadline_ms);
    return 0;
}

static void workflows_are_listed_with_their_live_executions(void **state)
{
    struct clienttest *t = *state;
    struct listed l = { 0 };

    (void)clienttest_started(t, "wait", "1");
    clienttest_end(clienttest_started(t, "wait", "1"), 1, "'1'");
    assert_int_equal(listing_workflows(&t->c, take_workflow, &l, &t->e), 0);
    assert_int_equal(l.count, 2);
    assert_true(l.ids[0] == 0 && l.ids[1] == 1);
    assert_string_equal(l.last, "wait 1 slow 3600000");
}

static int take_worker(void *ctx, const struct listing_worker *row)
{
    struct listed *l = ctx;

    l->ids[l->count++] = row->id;
    assert_true(row->started_ms > 0 && row->seen_ms >= row->started_ms);
    (void)snprintf(l->last, sizeof(l->last), "%s %s %s %s %s %d %lld", row->state, row->host,
                   row->program, row->version, row->died_of ? row->died_of : "-", row->pid,
                   (long long)row->executions);
    return 0;
}

static void workers_are_listed_and_a_dead_one_loses_all_at_once(void **state)
{
    struct clienttest *t = *state;
    struct listed l = { 0 };

    (void)clienttest_started(t, "echo", "1");
    testdb_exec("select inferpipe.worker_beat(9, 1, 10000, false, 'h', 42, 'p', 'v')");
    testdb_forcef("update inferpipe._inferpipe_runs set owner = 9, state = 1, fence = 1");
    assert_int_equal(listing_workers(&t->c, take_worker, &l, &t->e), 0);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.last, "alive h p v - 42 1");
    assert_int_equal(listing_worker_dead(&t->c, 9, "killed by signal 9", 3, &t->e), 0);
    assert_int_equal(listing_worker_dead(&t->c, 9, "again", 3, &t->e), 0);
    assert_int_equal(listing_workers(&t->c, take_worker, &l, &t->e), 0);
    assert_string_equal(l.last, "gone h p v killed by signal 9 42 0");
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs"
                                 " where owner = 0 and state = 0 and crashes = 1"),
                     1);
}

static int take_finding(void *ctx, const struct listing_finding *row)
{
    struct listed *l = ctx;

    l->count++;
    assert_true(strlen(row->check) > 0 && strlen(row->severity) > 0);
    (void)snprintf(l->last, sizeof(l->last), "%s %s", row->subject, row->detail);
    return 0;
}

static void the_doctor_finds_an_execution_that_nobody_owns_truly(void **state)
{
    struct clienttest *t = *state;
    struct listed l = { 0 };
    int healthy;

    assert_int_equal(listing_doctor(&t->c, 3600000, take_finding, &l, &t->e), 0);
    healthy = l.count;
    (void)clienttest_started(t, "echo", "1");
    testdb_forcef("update inferpipe._inferpipe_runs set owner = 99, state = 1, fence = 1");
    l.count = 0;
    assert_int_equal(listing_doctor(&t->c, 3600000, take_finding, &l, &t->e), 0);
    assert_int_equal(l.count, healthy + 2); /* its owner is gone, and nobody runs it */
}

static int take_mended(void *ctx, const struct listing_finding *row)
{
    struct listed *l = ctx;

    assert_string_equal(row->check, "owner_not_alive");
    (void)snprintf(l->last, sizeof(l->last), "%s %s", row->subject, row->detail);
    return ++l->count == l->stop_at ? IFP_ECANCELED : 0;
}

static void what_the_doctor_found_is_mended_once(void **state)
{
    struct clienttest *t = *state;
    struct listed l = { .stop_at = 1 };

    (void)clienttest_started(t, "echo", "1");
    testdb_forcef("update inferpipe._inferpipe_runs set owner = 99, state = 1, fence = 1");
    assert_int_equal(listing_repair(&t->c, "owner_not_alive", take_mended, &l, &t->e),
                     IFP_ECANCELED); /* as the callback wanted it */
    assert_int_equal(l.count, 1);
    assert_non_null(strstr(l.last, "1 executions"));
    assert_int_equal(testdb_int8("select owner from inferpipe._inferpipe_runs"), 0);
    assert_int_equal(listing_repair(&t->c, "owner_not_alive", take_mended, &l, &t->e), 0);
    assert_int_equal(l.count, 1);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(listing_repair(&t->c, "owner_not_alive", take_mended, &l, &t->e),
                     IFP_EUNAVAILABLE);
    clienttest_expect_text(t, "repair of owner_not_alive");
}

static void the_clock_is_the_databases(void **state)
{
    struct clienttest *t = *state;
    int64_t us = 0;

    assert_int_equal(listing_db_clock(&t->c, &us, &t->e), 0);
    assert_int_equal(testdb_int8f("select count(*) where to_timestamp(%lld / 1e6) between"
                                  " clock_timestamp() - interval '1 minute' and clock_timestamp()",
                                  (long long)us),
                     1);
}

#define WITH_CLIENT(f) cmocka_unit_test_setup_teardown(f, clienttest_setup, clienttest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CLIENT(executions_are_listed_newest_first_in_pages),
        WITH_CLIENT(executions_are_listed_by_status_and_workflow),
        WITH_CLIENT(children_are_listed_and_counted_by_status),
        WITH_CLIENT(a_bad_filter_is_refused_and_a_row_may_end_the_listing),
        WITH_CLIENT(steps_are_listed_in_program_order_after_a_number),
        WITH_CLIENT(workflows_are_listed_with_their_live_executions),
        WITH_CLIENT(workers_are_listed_and_a_dead_one_loses_all_at_once),
        WITH_CLIENT(the_doctor_finds_an_execution_that_nobody_owns_truly),
        WITH_CLIENT(what_the_doctor_found_is_mended_once),
        WITH_CLIENT(the_clock_is_the_databases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
