/*
 * tests/integration/test_pgsync.c - the blocking connection: every type there and back, errors,
 * transactions, loss and revival, notifications, injected faults.  Needs DATABASE_URL.
 */
#include "pg/pgsync.h"

#include "base/fault.h"
#include "pg/pginternal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pgsync_options options(void)
{
    return (struct pgsync_options){ .conninfo = getenv("DATABASE_URL"),
                                    .application = "test_pgsync",
                                    .connect_timeout_ms = 10000,
                                    .statement_timeout_ms = 10000 };
}

static int setup(void **state)
{
    struct pgsync_options o = options();
    struct pgsync *c = NULL;
    struct err e;

    if (!o.conninfo) {
        fprintf(stderr, "DATABASE_URL is not set\n");
        return -1;
    }
    if (pgsync_open(&o, &c, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return -1;
    }
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    pgsync_close(*state);
    return 0;
}

static struct pgres *ask(struct pgsync *c, const char *sql, const struct pgargs *args)
{
    struct pgstmt stmt = { NULL, sql };
    struct pgres *res = NULL;
    struct err e;

    if (pgsync_exec(c, &stmt, args, &res, &e) < 0)
        fail_msg("%s: %s", sql, e.text);
    return res;
}

static int refuse(struct pgsync *c, const char *sql, struct err *e)
{
    struct pgstmt stmt = { NULL, sql };
    struct pgres *res = NULL;

    return pgsync_exec(c, &stmt, NULL, &res, e);
}

static void every_type_comes_back_as_it_went(void **state)
{
    static const uint8_t uuid[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255 };
    struct pgsync *c = *state;
    struct pgargs a;
    struct pgres *r;

    pgargs_init(&a);
    pgargs_bool(&a, true);
    pgargs_int2(&a, INT16_MIN);
    pgargs_int4(&a, INT32_MIN);
    pgargs_int8(&a, INT64_MIN);
    pgargs_timestamptz(&a, INT64_C(1795188600123456));
    pgargs_text(&a, "gr\xc3\xbc\xc3\x9f' \\ \"");
    pgargs_bytes(&a, "\0\xff\x01", 3);
    pgargs_uuid(&a, uuid);
    pgargs_timestamptz(&a, INT64_MAX);
    pgargs_text(&a, NULL);
    r = ask(c,
            "select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $8::text, '-infinity'::timestamptz,"
            " ($5 at time zone 'UTC')::text, $9::text",
            &a);
    assert_int_equal(pgres_rows(r), 1);
    assert_true(pgres_bool(r, 0, 0));
    assert_int_equal(pgres_int2(r, 0, 1), INT16_MIN);
    assert_int_equal(pgres_int4(r, 0, 2), INT32_MIN);
    assert_true(pgres_int8(r, 0, 3) == INT64_MIN);
    assert_true(pgres_timestamptz(r, 0, 4) == INT64_C(1795188600123456));
    assert_string_equal(pgres_text(r, 0, 5), "gr\xc3\xbc\xc3\x9f' \\ \"");
    assert_int_equal(pgres_bytes(r, 0, 6).len, 3);
    assert_memory_equal(pgres_bytes(r, 0, 6).text, "\0\xff\x01", 3);
    assert_memory_equal(pgres_bytes(r, 0, 7).text, uuid, 16);
    assert_true(pgres_timestamptz(r, 0, 8) == INT64_MAX);
    assert_true(pgres_null(r, 0, 9));
    assert_null(pgres_text(r, 0, 9));
    assert_null(pgres_bytes(r, 0, 9).text);
    assert_string_equal(pgres_text(r, 0, 10), "01020304-0506-0708-090a-0b0c0d0e0fff");
    assert_true(pgres_timestamptz(r, 0, 11) == INT64_MIN);
    assert_string_equal(pgres_text(r, 0, 12), "2026-11-20 15:30:00.123456");
    assert_string_equal(pgres_text(r, 0, 13), "infinity");
    pgsync_free_result(r);
    pgargs_release(&a);
}

/* Sends one array and has the server print it. */
static void expect_array(struct pgsync *c, const struct pgarray *array, const char *expected)
{
    struct pgargs a;
    struct pgres *r;

    pgargs_init(&a);
    pgargs_array(&a, array);
    r = ask(c, "select $1::text, coalesce(cardinality($1), -1)", &a);
    assert_string_equal(pgres_text(r, 0, 0), expected);
    assert_int_equal(pgres_int4(r, 0, 1), array->count);
    pgsync_free_result(r);
    pgargs_release(&a);
}

static void arrays_of_every_type_arrive(void **state)
{
    static const enum pgtype types[] = { PGTYPE_BYTEA, PGTYPE_INT8, PGTYPE_INT2,
                                         PGTYPE_INT4,  PGTYPE_TEXT, PGTYPE_TIMESTAMPTZ };
    static const char *const printed[] = {
        "{\"\\\\x00ff\",NULL}", "{-9223372036854775808,NULL}",
        "{-32768,NULL}",        "{-2147483648,NULL}",
        "{\"a b\",\"\",NULL}",  "{\"2000-01-01 00:00:00.000001+00\",NULL}"
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct pgarray a;

        pgarray_init(&a, types[i]);
        expect_array(*state, &a, "{}");
        if (types[i] == PGTYPE_BYTEA)
            pgarray_bytes(&a, "\0\xff", 2);
        else if (types[i] == PGTYPE_INT8)
            pgarray_int8(&a, INT64_MIN);
        else if (types[i] == PGTYPE_INT2)
            pgarray_int2(&a, INT16_MIN);
        else if (types[i] == PGTYPE_INT4)
            pgarray_int4(&a, INT32_MIN);
        else if (types[i] == PGTYPE_TIMESTAMPTZ)
            pgarray_timestamptz(&a, PG_EPOCH_UNIX_US + 1);
        else
            pgarray_text(&a, "a b");
        if (types[i] == PGTYPE_TEXT)
            pgarray_text(&a, "");
        pgarray_null(&a);
        expect_array(*state, &a, printed[i]);
        pgarray_release(&a);
    }
}

static void errors_have_number_sqlstate_and_text(void **state)
{
    static const struct {
        const char *sql;
        int code;
        const char *sqlstate, *text;
    } cases[] = {
        { "select 1/0", IFP_ESERVER, "22012", "division by zero" },
        { "select * from no_such_table", IFP_ESCHEMA, "42P01", "inferpipe migrate" },
        { "select no_such_function()", IFP_ESCHEMA, "42883", "inferpipe migrate" },
        { "select * from no_such_schema.x", IFP_ESCHEMA, "42P01", "inferpipe migrate" },
        { "do $$ begin raise 'gone' using errcode = 'IP404'; end $$", IFP_ENOTFOUND, "IP404",
          "gone" },
        { "do $$ begin raise 'no' using errcode = 'IP409', detail = 'held'; end $$", IFP_ECONFLICT,
          "IP409", "no (held)" },
        { "do $$ begin raise 'slow' using errcode = '57014'; end $$", IFP_ETIMEOUT, "57014",
          "slow" },
    };
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(refuse(*state, cases[i].sql, &e), cases[i].code);
        assert_int_equal(e.code, cases[i].code);
        assert_string_equal(e.sqlstate, cases[i].sqlstate);
        assert_non_null(strstr(e.text, cases[i].text));
    }
    assert_true(pgsync_alive(*state));
}

static void sqlstates_map_to_our_numbers(void **state)
{
    (void)state;
    assert_int_equal(pg_error_code("08006"), IFP_EUNAVAILABLE);
    assert_int_equal(pg_error_code("57P01"), IFP_EUNAVAILABLE);
    assert_int_equal(pg_error_code("53300"), IFP_EUNAVAILABLE);
    assert_int_equal(pg_error_code("53200"), IFP_ENOMEM);
    assert_int_equal(pg_error_code("3F000"), IFP_ESCHEMA);
    assert_int_equal(pg_error_code("42501"), IFP_EFORBIDDEN);
    assert_int_equal(pg_error_code("IP400"), IFP_EINVALID);
    assert_int_equal(pg_error_code("IP403"), IFP_EFORBIDDEN);
    assert_int_equal(pg_error_code("IP413"), IFP_ETOOLARGE);
    assert_int_equal(pg_error_code("IP422"), IFP_EMISMATCH);
    assert_int_equal(pg_error_code("IP429"), IFP_ERATELIMITED);
    assert_int_equal(pg_error_code("IP001"), IFP_ELEASE);
    assert_int_equal(pg_error_code("40001"), IFP_ESERVER);
}

static void a_script_runs_whole_or_not_at_all(void **state)
{
    struct pgsync *c = *state;
    struct pgres *r;
    struct err e;

    assert_int_equal(pgsync_script(c, "create temp table t (n int); insert into t values (1)", &e),
                     0);
    assert_int_equal(pgsync_script(c, "insert into t values (2); select 1/0", &e), IFP_ESERVER);
    r = ask(c, "select count(*)::int4 from t", NULL);
    assert_int_equal(pgres_int4(r, 0, 0), 1);
    pgsync_free_result(r);
}

static void an_open_transaction_is_told_from_a_failed_one(void **state)
{
    struct pgsync *c = *state;
    struct err e;

    assert_false(pgsync_in_transaction(c));
    assert_int_equal(pgsync_script(c, "begin", &e), 0);
    assert_true(pgsync_in_transaction(c));
    assert_int_equal(refuse(c, "select 1/0", &e), IFP_ESERVER);
    assert_false(pgsync_in_transaction(c));
    assert_int_equal(pgsync_script(c, "rollback", &e), 0);
}

static void a_killed_backend_is_unavailable_and_revives(void **state)
{
    struct pgsync *c = *state;
    struct err e;

    assert_int_equal(refuse(c, "select pg_terminate_backend(pg_backend_pid())", &e),
                     IFP_EUNAVAILABLE);
    assert_false(pgsync_alive(c));
    assert_null(pgsync_raw(c));
    assert_int_equal(refuse(c, "select 1", &e), IFP_EUNAVAILABLE);
    assert_int_equal(pgsync_wait_notify(c, 0, &e), IFP_EUNAVAILABLE);
    assert_int_equal(pgsync_revive(c, &e), 0);
    assert_true(pgsync_alive(c));
    pgsync_free_result(ask(c, "select 1", NULL));
}

static void revive_notices_a_backend_that_died_meanwhile(void **state)
{
    struct pgsync_options o = options();
    struct pgsync *other = NULL;
    struct pgargs a;
    struct err e;

    assert_int_equal(pgsync_open(&o, &other, &e), 0);
    pgargs_init(&a);
    pgargs_int4(&a, PQbackendPID((PGconn *)pgsync_raw(other)));
    pgsync_free_result(ask(*state, "select pg_terminate_backend($1, 10000)", &a));
    assert_int_equal(pgsync_revive(other, &e), 0);
    pgsync_free_result(ask(other, "select 1", NULL));
    pgargs_release(&a);
    pgsync_close(other);
}

static void notifications_are_waited_for(void **state)
{
    struct pgsync *c = *state;
    struct pgsync_options o = options();
    struct pgsync *other = NULL;
    struct err e;

    assert_int_equal(pgsync_open(&o, &other, &e), 0);
    assert_int_equal(pgsync_script(c, "listen ifp_test", &e), 0);
    assert_int_equal(pgsync_wait_notify(c, 1, &e), 0);
    assert_int_equal(pgsync_script(other, "notify ifp_test", &e), 0);
    assert_int_equal(pgsync_wait_notify(c, 10000, &e), 1);
    assert_int_equal(pgsync_wait_notify(c, 0, &e), 0);
    pgsync_close(other);
}

static void runtime_settings_are_set_only_when_asked_for(void **state)
{
    struct pgsync_options o = options();
    struct pgsync *hot = NULL;
    struct pgres *r;
    struct err e;

    o.runtime_settings = true;
    assert_int_equal(pgsync_open(&o, &hot, &e), 0);
    r = ask(hot, pgsetup_stmt.sql, NULL);
    assert_int_equal(pgsetup_check(r, &e), 0);
    pgsync_free_result(r);
    r = ask(*state, pgsetup_stmt.sql, NULL);
    assert_int_equal(pgsetup_check(r, &e), IFP_ESCHEMA);
    assert_non_null(strstr(e.text, "plan_cache_mode"));
    pgsync_free_result(r);
    pgsync_close(hot);
}

static void a_setting_that_does_not_hold_is_named(void **state)
{
    /* The columns of the set-up question, with one value wrong at a time. */
    static const struct {
        const char *sql, *text;
        int code;
    } cases[] = {
        { "select 120005, false", "too old", IFP_ESCHEMA },
        { "select 150005, true", "standby", IFP_EUNAVAILABLE },
        { "select 150005, false, 'serializable'", "default_transaction_isolation", IFP_ESCHEMA },
        { "select 150005, false, 'read committed', 'read committed', 'force_generic_plan', 'on'",
          "enable_seqscan", IFP_ESCHEMA },
    };
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pgres *r = ask(*state, cases[i].sql, NULL);

        assert_int_equal(pgsetup_check(r, &e), cases[i].code);
        assert_non_null(strstr(e.text, cases[i].text));
        pgsync_free_result(r);
    }
}

static void a_bad_connection_string_is_refused_without_its_secrets(void **state)
{
    static const struct {
        const char *conninfo;
        int code;
    } cases[] = {
        { "password=geheim secretpart", IFP_EINVALID },
        { "postgres://user:secret@part@localhost/db", IFP_EINVALID },
        { "no_such_keyword=secret", IFP_EINVALID },
        { "host=/nonexistent user=x password=secret", IFP_EUNAVAILABLE },
        { "postgres://x:secret@%2Fnonexistent/db", IFP_EUNAVAILABLE },
    };
    struct pgsync_options o = options();
    struct pgsync *c = NULL;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        o.conninfo = cases[i].conninfo;
        assert_int_equal(pgsync_open(&o, &c, &e), cases[i].code);
        assert_null(strstr(e.text, "secret"));
        assert_null(c);
    }
}

static void injected_faults_lose_the_connection(void **state)
{
    static const enum fault_kind kinds[] = { FAULT_STATEMENT, FAULT_WRITE, FAULT_REPLY };
    struct pgsync *c = *state;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        fault_arm(kinds[i], 1, false);
        assert_int_equal(refuse(c, "select 1", &e), IFP_EUNAVAILABLE);
        fault_arm(kinds[i], 0, false);
        assert_false(pgsync_alive(c));
        assert_int_equal(pgsync_revive(c, &e), 0);
    }
}

static void opening_fails_clean_at_each_allocation(void **state)
{
    struct pgsync_options o = options();
    struct pgsync *c = NULL;
    int rc = IFP_ENOMEM;
    struct err e;

    (void)state;
    for (uint64_t n = 1; rc != 0; n++) {
        fault_arm(FAULT_ALLOC, n, false);
        rc = pgsync_open(&o, &c, &e);
        fault_arm(FAULT_ALLOC, 0, false);
        assert_true(rc == 0 || rc == IFP_ENOMEM);
        assert_true(n < 20);
    }
    pgsync_close(c);
}

static void broken_arguments_are_out_of_memory(void **state)
{
    struct pgstmt stmt = { NULL, "select $1" };
    struct pgres *res = NULL;
    struct pgargs a;
    struct err e;

    pgargs_init(&a);
    a.data.broken = true;
    pgargs_text(&a, "x");
    assert_int_equal(pgsync_exec(*state, &stmt, &a, &res, &e), IFP_ENOMEM);
    assert_true(pgsync_alive(*state));
    pgargs_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back_as_it_went),
        cmocka_unit_test(arrays_of_every_type_arrive),
        cmocka_unit_test(errors_have_number_sqlstate_and_text),
        cmocka_unit_test(sqlstates_map_to_our_numbers),
        cmocka_unit_test(a_script_runs_whole_or_not_at_all),
        cmocka_unit_test(an_open_transaction_is_told_from_a_failed_one),
        cmocka_unit_test(a_killed_backend_is_unavailable_and_revives),
        cmocka_unit_test(revive_notices_a_backend_that_died_meanwhile),
        cmocka_unit_test(notifications_are_waited_for),
        cmocka_unit_test(runtime_settings_are_set_only_when_asked_for),
        cmocka_unit_test(a_setting_that_does_not_hold_is_named),
        cmocka_unit_test(a_bad_connection_string_is_refused_without_its_secrets),
        cmocka_unit_test(injected_faults_lose_the_connection),
        cmocka_unit_test(opening_fails_clean_at_each_allocation),
        cmocka_unit_test(broken_arguments_are_out_of_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
