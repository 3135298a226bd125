/*
 * tests/integration/test_migrate.c - migrations on an empty database: applied once whoever races,
 * refused when the database does not fit, nothing left behind by a failure.
 */
#include "lib/testdb.h"
#include "store/embedded.h"
#include "store/migrate.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct told {
    int count, applied;
    char first[64];
};

static void tell(void *ctx, int version, const char *name, bool applied)
{
    struct told *t = ctx;

    assert_int_equal(version, embedded_migrations[t->count].version);
    if (t->count == 0)
        (void)snprintf(t->first, sizeof(t->first), "%s", name);
    t->count++;
    t->applied += applied;
}

static struct pgsync *connect_to(const char *url)
{
    struct pgsync_options o = {
        .conninfo = url,
        .application = "test_migrate",
        .connect_timeout_ms = 5000,
        .statement_timeout_ms = 7000,
    };
    struct pgsync *db = NULL;
    struct err e;

    if (pgsync_open(&o, &db, &e) != 0)
        fail_msg("%s", e.text);
    return db;
}

static struct pgsync *empty_database(void)
{
    const char *url;

    testdb_create_empty(&url);
    return connect_to(url);
}

static void migrate(struct pgsync *db)
{
    struct err e;
    int version;

    if (migrate_up(db, false, NULL, NULL, &version, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(version, migrate_latest());
}

static void expect_schema_error(struct pgsync *db, const char *text)
{
    struct err e;

    assert_int_equal(migrate_check(db, &e), IFP_ESCHEMA);
    assert_string_equal(e.text, text);
}

static void an_empty_database_has_version_0_and_is_refused(void **state)
{
    struct pgsync *db = empty_database();
    struct err e;
    int version = -1;

    (void)state;
    assert_int_equal(migrate_version(db, &version, &e), 0);
    assert_int_equal(version, 0);
    expect_schema_error(db, "the database has no schema: run `inferpipe migrate`");
    pgsync_close(db);
}

static void a_dry_run_tells_and_changes_nothing(void **state)
{
    struct pgsync *db = empty_database();
    struct told told = { 0 };
    struct err e;
    int version = -1;

    (void)state;
    assert_int_equal(migrate_up(db, true, tell, &told, &version, &e), 0);
    assert_int_equal(version, 0);
    assert_int_equal(told.count, embedded_migrations_count);
    assert_int_equal(told.applied, 0);
    assert_string_equal(told.first, "core");
    assert_int_equal(testdb_int8("select count(*) from pg_namespace where nspname = 'inferpipe'"),
                     0);
    pgsync_close(db);
}

static void all_migrations_are_applied_and_recorded_once(void **state)
{
    struct pgsync *db = empty_database();
    struct told told = { 0 };
    struct err e;
    int version = -1;

    (void)state;
    assert_int_equal(migrate_up(db, false, tell, &told, &version, &e), 0);
    assert_int_equal(version, migrate_latest());
    assert_int_equal(told.applied, embedded_migrations_count);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_migrations "
                                 "where length(checksum) = 64 and applied_at <= now()"),
                     embedded_migrations_count);
    assert_int_equal(migrate_check(db, &e), 0);
    memset(&told, 0, sizeof(told));
    assert_int_equal(migrate_up(db, false, tell, &told, &version, &e), 0);
    assert_int_equal(told.count, 0);
    assert_int_equal(version, migrate_latest());
    pgsync_close(db);
}

static void the_session_keeps_its_limits_and_no_lock(void **state)
{
    static const struct pgstmt ask = { "ask", "select current_setting('statement_timeout')" };
    struct pgsync *db = empty_database();
    struct pgres *res = NULL;
    struct err e;

    (void)state;
    migrate(db);
    assert_int_equal(pgsync_exec(db, &ask, NULL, &res, &e), 0);
    assert_string_equal(pgres_text(res, 0, 0), "7s");
    assert_int_equal(testdb_int8("select count(*) from pg_locks where locktype = 'advisory'"
                                 " and database = (select oid from pg_database"
                                 " where datname = current_database())"),
                     0);
    pgsync_free_result(res);
    pgsync_close(db);
}

static void *migrate_in_thread(void *ctx)
{
    struct pgsync *db = ctx;
    struct err e;
    int version;

    return migrate_up(db, false, NULL, NULL, &version, &e) == 0 ? ctx : NULL;
}

static void two_migrators_at_once_apply_each_migration_once(void **state)
{
    const char *url;
    struct pgsync *db[2];
    pthread_t threads[2];
    void *good;

    (void)state;
    testdb_create_empty(&url);
    for (int i = 0; i < 2; i++) {
        db[i] = connect_to(url);
        assert_int_equal(pthread_create(&threads[i], NULL, migrate_in_thread, db[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], &good), 0);
        assert_non_null(good);
        pgsync_close(db[i]);
    }
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_migrations"),
                     embedded_migrations_count);
}

static void a_changed_checksum_is_refused(void **state)
{
    struct pgsync *db = empty_database();
    struct err e;
    int version = -1;

    (void)state;
    migrate(db);
    testdb_exec("update inferpipe._inferpipe_migrations set checksum = 'x' where version = 1");
    expect_schema_error(db, "migration 1 (core) was applied with another content: use the binary "
                            "that applied it, or one released after it");
    assert_int_equal(migrate_up(db, false, NULL, NULL, &version, &e), IFP_ESCHEMA);
    assert_int_equal(version, -1);
    pgsync_close(db);
}

static void a_newer_database_is_refused_and_left_alone(void **state)
{
    struct pgsync *db = empty_database();
    char text[128];
    struct err e;
    int version = -1;

    (void)state;
    migrate(db);
    testdb_execf("insert into inferpipe._inferpipe_migrations(version, name, checksum)"
                 " values (%d, 'future', 'x')",
                 migrate_latest() + 1);
    (void)snprintf(text, sizeof(text),
                   "the database has schema version %d, this binary knows %d: use a newer binary",
                   migrate_latest() + 1, migrate_latest());
    expect_schema_error(db, text);
    assert_int_equal(migrate_up(db, false, NULL, NULL, &version, &e), IFP_ESCHEMA);
    assert_int_equal(migrate_version(db, &version, &e), 0);
    assert_int_equal(version, migrate_latest() + 1);
    pgsync_close(db);
}

static void a_record_without_rows_counts_as_no_schema(void **state)
{
    struct pgsync *db = empty_database();

    (void)state;
    testdb_exec("create schema inferpipe; create table inferpipe._inferpipe_migrations("
                "version int4 primary key, name text, checksum text,"
                " applied_at timestamptz default now())");
    expect_schema_error(db, "the database has no schema: run `inferpipe migrate`");
    migrate(db);
    pgsync_close(db);
}

static void a_missing_record_is_refused(void **state)
{
    struct pgsync *db = empty_database();

    (void)state;
    migrate(db);
    testdb_exec("update inferpipe._inferpipe_migrations set version = 0 where version = 1");
    expect_schema_error(db, "the database lacks the record of migration 1: restore "
                            "inferpipe._inferpipe_migrations or a backup");
    pgsync_close(db);
}

static void a_migration_that_fails_leaves_nothing_behind(void **state)
{
    struct pgsync *db = empty_database();
    struct told told = { 0 };
    struct err e;
    int version = -1;

    (void)state;
    testdb_exec("create schema inferpipe; create view inferpipe._inferpipe_runs as select 1");
    assert_true(migrate_up(db, false, tell, &told, &version, &e) < 0);
    assert_non_null(strstr(e.text, "migration 1 (core): "));
    assert_int_equal(told.count, 0);
    assert_int_equal(version, -1);
    assert_int_equal(testdb_int8("select count(*) from pg_class c join pg_namespace n"
                                 " on n.oid = c.relnamespace where n.nspname = 'inferpipe'"),
                     1);
    testdb_exec("drop view inferpipe._inferpipe_runs");
    migrate(db);
    pgsync_close(db);
}

static void a_lost_connection_is_reported_and_the_next_run_goes_on(void **state)
{
    struct pgsync *db = empty_database();
    struct err e;
    int version;

    (void)state;
    testdb_exec("select pg_terminate_backend(pid) from pg_stat_activity where"
                " application_name = 'test_migrate' and datname = current_database()");
    assert_int_equal(migrate_up(db, false, NULL, NULL, &version, &e), IFP_EUNAVAILABLE);
    assert_int_equal(migrate_version(db, &version, &e), IFP_EUNAVAILABLE);
    assert_int_equal(migrate_check(db, &e), IFP_EUNAVAILABLE);
    assert_int_equal(pgsync_revive(db, &e), 0);
    migrate(db);
    pgsync_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_database_has_version_0_and_is_refused),
        cmocka_unit_test(a_dry_run_tells_and_changes_nothing),
        cmocka_unit_test(all_migrations_are_applied_and_recorded_once),
        cmocka_unit_test(the_session_keeps_its_limits_and_no_lock),
        cmocka_unit_test(two_migrators_at_once_apply_each_migration_once),
        cmocka_unit_test(a_changed_checksum_is_refused),
        cmocka_unit_test(a_newer_database_is_refused_and_left_alone),
        cmocka_unit_test(a_record_without_rows_counts_as_no_schema),
        cmocka_unit_test(a_missing_record_is_refused),
        cmocka_unit_test(a_migration_that_fails_leaves_nothing_behind),
        cmocka_unit_test(a_lost_connection_is_reported_and_the_next_run_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
