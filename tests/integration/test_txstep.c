/*
 * tests/integration/test_txstep.c - a transactional step: the user's writes and the step's row
 * commit together or not at all, whatever the user, the lease or the connection does in between.
 */
#include "base/fault.h"
#include "lib/testdb.h"
#include "store/txstep.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INLINE_MAX = 16 };

struct test {
    struct pgsync *db;
    struct txstep step;
    struct err e;
};

static int start(void **state)
{
    static struct test t;
    struct pgsync_options o = { .application = "test_txstep", .connect_timeout_ms = 5000 };

    testdb_create(&o.conninfo);
    testdb_exec("create table sales(n int);"
                "select inferpipe.workflow_register(1, '{echo}', '{1}', '{default}', '{null}');"
                "select inferpipe.worker_beat(9, 1, 10000, false, 'h', 42, 'p', 'v');"
                "select inferpipe.start('echo')");
    testdb_forcef("update inferpipe._inferpipe_runs set owner = 9, state = 1, fence = 3");
    if (pgsync_open(&o, &t.db, &t.e) != 0)
        fail_msg("%s", t.e.text);
    t.step = (struct txstep){
        .worker = 9,
        .exec_id = testdb_int8("select exec_id from inferpipe._inferpipe_runs"),
        .fence = 3,
        .step_key = 77,
        .seq = 2,
        .name = "book",
        .attempts = 2,
        .took_us = 5,
        .inline_max = INLINE_MAX,
    };
    *state = &t;
    return 0;
}

static int stop(void **state)
{
    struct test *t = *state;

    fault_arm(FAULT_REPLY, 0, false);
    fault_arm(FAULT_STATEMENT, 0, false);
    pgsync_close(t->db);
    return 0;
}

static void begin(struct test *t)
{
    if (txstep_begin(t->db, &t->step, &t->e) != 0)
        fail_msg("%s", t->e.text);
    assert_true(pgsync_in_transaction(t->db));
}

/* What the user's code does with his PGconn. */
static void user(struct test *t, const char *sql)
{
    PQclear(PQexec((PGconn *)pgsync_raw(t->db), sql));
}

static int record(struct test *t)
{
    return txstep_record(t->db, &t->step, (struct slice){ "{\"n\": 1}", 8 }, &t->e);
}

static void expect(int64_t sales, int64_t steps)
{
    assert_int_equal(testdb_int8("select count(*) from sales"), sales);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_steps"), steps);
}

static void the_users_writes_and_the_row_commit_together(void **state)
{
    struct test *t = *state;

    begin(t);
    user(t, "insert into sales values (1)");
    assert_int_equal(record(t), 0);
    expect(0, 0);
    assert_int_equal(txstep_commit(t->db, &t->e), 0);
    expect(1, 1);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_steps where kind = 6"
                                 " and step_key = 77 and seq = 2 and fence = 3 and name = 'book'"
                                 " and attempts = 2 and took_us = 5 and status = 0 and codec = 0"
                                 " and convert_from(result, 'UTF8') = '{\"n\": 1}'"),
                     1);
    assert_string_equal(testdb_text("select has_journal from inferpipe._inferpipe_runs"), "t");
}

static void it_runs_at_read_committed(void **state)
{
    struct test *t = *state;

    user(t, "set default_transaction_isolation = 'serializable'");
    user(t, "set default_transaction_read_only = on");
    begin(t);
    user(t, "insert into sales select 1 where current_setting('transaction_isolation') ="
            " 'read committed'");
    assert_int_equal(record(t), 0);
    assert_int_equal(txstep_commit(t->db, &t->e), 0);
    expect(1, 1);
}

static void a_rollback_leaves_neither(void **state)
{
    struct test *t = *state;

    begin(t);
    user(t, "insert into sales values (1)");
    assert_int_equal(record(t), 0);
    txstep_rollback(t->db);
    assert_false(pgsync_in_transaction(t->db));
    txstep_rollback(t->db);
    expect(0, 0);
    begin(t);
    txstep_rollback(t->db);
}

static void a_commit_by_the_user_is_found(void **state)
{
    struct test *t = *state;

    begin(t);
    user(t, "insert into sales values (1)");
    user(t, "commit");
    assert_int_equal(record(t), IFP_EINVALID);
    assert_non_null(strstr(t->e.text, "record: "));
    expect(1, 0);
    begin(t);
    user(t, "commit");
    user(t, "begin");
    assert_int_equal(record(t), IFP_EINVALID);
    txstep_rollback(t->db);
    expect(1, 0);
}

static void a_rollback_by_the_user_is_found(void **state)
{
    struct test *t = *state;

    begin(t);
    user(t, "insert into sales values (1)");
    user(t, "rollback");
    assert_int_equal(record(t), IFP_EINVALID);
    txstep_rollback(t->db);
    expect(0, 0);
}

static void a_statement_of_the_user_that_failed_fails_the_record(void **state)
{
    struct test *t = *state;

    begin(t);
    user(t, "insert into sales values ('x')");
    assert_true(record(t) < 0);
    assert_string_equal(t->e.sqlstate, "25P02");
    txstep_rollback(t->db);
    expect(0, 0);
    begin(t);
    assert_int_equal(record(t), 0);
    assert_int_equal(txstep_commit(t->db, &t->e), 0);
    expect(0, 1);
}

static void a_lost_lease_leaves_neither(void **state)
{
    struct test *t = *state;

    begin(t);
    user(t, "insert into sales values (1)");
    testdb_forcef("update inferpipe._inferpipe_runs set owner = 10, fence = 4");
    assert_int_equal(record(t), IFP_ELEASE);
    txstep_rollback(t->db);
    expect(0, 0);
}

static void a_constraint_checked_at_commit_leaves_neither(void **state)
{
    struct test *t = *state;

    testdb_exec("create table once(n int unique deferrable initially deferred)");
    begin(t);
    user(t, "insert into once values (1), (1)");
    assert_int_equal(record(t), 0);
    assert_true(txstep_commit(t->db, &t->e) < 0);
    assert_string_equal(t->e.sqlstate, "23505");
    expect(0, 0);
}

static void a_large_result_goes_to_its_table(void **state)
{
    struct test *t = *state;
    const char at_limit[] = "\"12345678901234\"", over[] = "\"123456789012345\"";

    begin(t);
    assert_int_equal(txstep_record(t->db, &t->step, (struct slice){ at_limit, INLINE_MAX }, &t->e),
                     0);
    assert_int_equal(txstep_commit(t->db, &t->e), 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_payloads"), 0);
    t->step.step_key++;
    t->step.seq++;
    begin(t);
    assert_int_equal(txstep_record(t->db, &t->step, (struct slice){ over, INLINE_MAX + 1 }, &t->e),
                     0);
    assert_int_equal(txstep_commit(t->db, &t->e), 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_payloads p"
                                 " join inferpipe._inferpipe_steps s on s.codec = 1"
                                 " and s.result = p.hash and p.hash = sha256(p.data)"),
                     1);
}

static void no_result_is_null(void **state)
{
    struct test *t = *state;

    begin(t);
    assert_int_equal(txstep_record(t->db, &t->step, (struct slice){ NULL, 0 }, &t->e), 0);
    assert_int_equal(txstep_commit(t->db, &t->e), 0);
    assert_int_equal(
        testdb_int8("select count(*) from inferpipe._inferpipe_steps where result is null"), 1);
}

static void kill_it(void)
{
    assert_int_equal(testdb_int8("select count(pg_terminate_backend(pid, 5000)) from"
                                 " pg_stat_activity where application_name = 'test_txstep'"
                                 " and datname = current_database()"),
                     1);
}

static void begin_revives_a_connection_that_was_lost_while_idle(void **state)
{
    struct test *t = *state;

    kill_it();
    begin(t);
    txstep_rollback(t->db);
    fault_arm(FAULT_STATEMENT, 1, false);
    begin(t);
    txstep_rollback(t->db);
    fault_arm(FAULT_REPLY, 2, false);
    begin(t);
    txstep_rollback(t->db);
}

static void begin_gives_up_when_the_database_stays_away(void **state)
{
    struct test *t = *state;

    fault_arm(FAULT_STATEMENT, 1, true);
    assert_int_equal(txstep_begin(t->db, &t->step, &t->e), IFP_EUNAVAILABLE);
    assert_non_null(strstr(t->e.text, "begin: "));
}

static void a_connection_lost_in_the_middle_leaves_neither(void **state)
{
    struct test *t = *state;

    begin(t);
    user(t, "insert into sales values (1)");
    kill_it();
    assert_int_equal(record(t), IFP_EUNAVAILABLE);
    txstep_rollback(t->db);
    expect(0, 0);
    begin(t);
    txstep_rollback(t->db);
}

static void after_a_lost_commit_answer_the_journal_tells(void **state)
{
    struct test *t = *state;

    begin(t);
    user(t, "insert into sales values (1)");
    assert_int_equal(record(t), 0);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(txstep_commit(t->db, &t->e), IFP_EUNAVAILABLE);
    assert_non_null(strstr(t->e.text, "commit: "));
    expect(1, 1);
    begin(t);
    user(t, "insert into sales values (2)");
    assert_int_equal(record(t), IFP_ECONFLICT); /* so it cannot be done a second time */
    txstep_rollback(t->db);
    expect(1, 1);
}

#define WITH_STEP(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STEP(the_users_writes_and_the_row_commit_together),
        WITH_STEP(it_runs_at_read_committed),
        WITH_STEP(a_rollback_leaves_neither),
        WITH_STEP(a_commit_by_the_user_is_found),
        WITH_STEP(a_rollback_by_the_user_is_found),
        WITH_STEP(a_statement_of_the_user_that_failed_fails_the_record),
        WITH_STEP(a_lost_lease_leaves_neither),
        WITH_STEP(a_constraint_checked_at_commit_leaves_neither),
        WITH_STEP(a_large_result_goes_to_its_table),
        WITH_STEP(no_result_is_null),
        WITH_STEP(begin_revives_a_connection_that_was_lost_while_idle),
        WITH_STEP(begin_gives_up_when_the_database_stays_away),
        WITH_STEP(a_connection_lost_in_the_middle_leaves_neither),
        WITH_STEP(after_a_lost_commit_answer_the_journal_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
