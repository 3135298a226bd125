/*
 * store/migrate.c - compares the database's record of migrations with ours and applies the rest.
 *
 *   lock -> read the record -> compare -> for each missing one: BEGIN, its SQL, its record, COMMIT
 *        -> unlock
 *
 * The lock is one session-level advisory lock for the whole run: a second migrator waits, and then
 * finds nothing to do.  The table of records is made in the transaction of migration 1, so a first
 * migration that fails leaves nothing behind.
 *
 * Failure: a migration that fails is rolled back and named; those before it stay.  A connection
 * that is lost gives up the lock by itself; the next run finds whether its last COMMIT happened.
 */
#include "store/migrate.h"

#include "base/crypto.h"
#include "store/embedded.h"
#include "store/statements.h"

#include <assert.h>
#include <string.h>

enum { HEX_SIZE = 2 * CRYPTO_SHA256_SIZE + 1 };

/* Waiting for another migrator or building an index may take longer than an ordinary statement. */
#define UNLIMITED "set statement_timeout = 0; set lock_timeout = 0"
#define LIMITED "reset statement_timeout; reset lock_timeout"
#define CREATE_RECORD                                                                              \
    "create schema if not exists inferpipe;"                                                       \
    "create table if not exists inferpipe._inferpipe_migrations("                                  \
    "  version int4 primary key, name text not null, checksum text not null,"                      \
    "  applied_at timestamptz not null default clock_timestamp())"

static int ask(struct pgsync *db, enum statement id, struct pgres **ret, struct err *e)
{
    return pgsync_exec(db, statements_get(id), NULL, ret, e);
}

static int checksum(const char *sql, char ret[HEX_SIZE], struct err *e)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[CRYPTO_SHA256_SIZE];
    int err = crypto_sha256(sql, strlen(sql), hash);

    if (err)
        return err_set(e, err, "migrate: no checksum");
    for (size_t i = 0; i < sizeof(hash); i++) {
        ret[2 * i] = digits[hash[i] >> 4];
        ret[2 * i + 1] = digits[hash[i] & 15];
    }
    ret[HEX_SIZE - 1] = '\0';
    return 0;
}

int migrate_latest(void)
{
    assert(embedded_migrations_count > 0);
    return embedded_migrations[embedded_migrations_count - 1].version;
}

/* ---- what the database has ------------------------------------------------------------------ */

/* NULL in *ret_res: there is no record, so no schema. */
static int read_record(struct pgsync *db, struct pgres **ret_res, struct err *e)
{
    struct pgres *res;
    bool known;
    int err = ask(db, STATEMENT_MIGRATE_KNOWN, &res, e);

    if (err)
        return err;
    assert(pgres_rows(res) == 1);
    known = pgres_bool(res, 0, 0);
    pgsync_free_result(res);
    if (!known) {
        *ret_res = NULL;
        return 0;
    }
    return ask(db, STATEMENT_MIGRATE_APPLIED, ret_res, e);
}

/* Row i of the record must be migration i + 1 as we have it. */
static int compare_one(const struct pgres *res, int i, struct err *e)
{
    const struct embedded_migration *ours = &embedded_migrations[i];
    char sum[HEX_SIZE];

    assert(i < embedded_migrations_count && ours->version == i + 1);
    if (pgres_int4(res, i, 0) != ours->version)
        return err_set(e, IFP_ESCHEMA,
                       "the database lacks the record of migration %d: restore "
                       "inferpipe._inferpipe_migrations or a backup",
                       ours->version);
    if (checksum(ours->sql, sum, e) != 0)
        return e->code;
    if (strcmp(pgres_text(res, i, 2), sum) != 0)
        return err_set(e, IFP_ESCHEMA,
                       "migration %d (%s) was applied with another content: use the binary that "
                       "applied it, or one released after it",
                       ours->version, ours->name);
    return 0;
}

static int compare(const struct pgres *res, struct err *e)
{
    int rows = res ? pgres_rows(res) : 0, err = 0;

    assert(embedded_migrations_count == migrate_latest());
    if (rows > 0 && pgres_int4(res, rows - 1, 0) > migrate_latest())
        return err_set(e, IFP_ESCHEMA,
                       "the database has schema version %d, this binary knows %d: use a newer "
                       "binary",
                       pgres_int4(res, rows - 1, 0), migrate_latest());
    for (int i = 0; i < rows && !err; i++)
        err = compare_one(res, i, e);
    return err;
}

/* The database's version, after it was found to fit. */
static int fitting_version(struct pgsync *db, int *ret_version, struct err *e)
{
    struct pgres *res;
    int err = read_record(db, &res, e);

    if (err)
        return err;
    err = compare(res, e);
    if (!err)
        *ret_version = res ? pgres_rows(res) : 0;
    pgsync_free_result(res);
    return err;
}

int migrate_version(struct pgsync *db, int *ret_version, struct err *e)
{
    struct pgres *res;
    int rows, err = read_record(db, &res, e);

    if (err)
        return err_wrap(e, "migrate");
    rows = res ? pgres_rows(res) : 0;
    *ret_version = rows ? pgres_int4(res, rows - 1, 0) : 0;
    pgsync_free_result(res);
    return 0;
}

int migrate_check(struct pgsync *db, struct err *e)
{
    int version, err = fitting_version(db, &version, e);

    if (err)
        return err;
    if (version == 0)
        return err_set(e, IFP_ESCHEMA, "the database has no schema: run `inferpipe migrate`");
    if (version < migrate_latest())
        return err_set(e, IFP_ESCHEMA,
                       "the database has schema version %d, this binary needs %d: run "
                       "`inferpipe migrate`",
                       version, migrate_latest());
    return 0;
}

/* ---- applying ------------------------------------------------------------------------------- */

static int record(struct pgsync *db, const struct embedded_migration *m, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    char sum[HEX_SIZE];
    int err = checksum(m->sql, sum, e);

    assert(pgsync_in_transaction(db) || !pgsync_alive(db));
    if (err)
        return err;
    pgargs_init(&args);
    pgargs_int4(&args, m->version);
    pgargs_text(&args, m->name);
    pgargs_text(&args, sum);
    err = pgsync_exec(db, statements_get(STATEMENT_MIGRATE_RECORD), &args, &res, e);
    pgargs_release(&args);
    if (!err)
        pgsync_free_result(res);
    return err;
}

static int apply_inside(struct pgsync *db, const struct embedded_migration *m, struct err *e)
{
    int err = 0;

    if (m->version == 1)
        err = pgsync_script(db, CREATE_RECORD, e);
    if (!err)
        err = pgsync_script(db, m->sql, e);
    if (!err)
        err = record(db, m, e);
    return err;
}

static int apply(struct pgsync *db, const struct embedded_migration *m, struct err *e)
{
    struct err ignored;
    int err = pgsync_script(db, "begin", e);

    assert(m->version >= 1 && m->name && m->sql);
    if (!err)
        err = apply_inside(db, m, e);
    if (!err)
        err = pgsync_script(db, "commit", e);
    if (!err)
        return 0;
    if (pgsync_alive(db))
        (void)!pgsync_script(db, "rollback", &ignored);
    return err_wrap(e, "migration %d (%s)", m->version, m->name);
}

/* Under the lock, if one is needed. */
static int bring_up(struct pgsync *db, bool dry_run, migrate_fn *each, void *ctx, int *ret_version,
                    struct err *e)
{
    int version, err = fitting_version(db, &version, e);

    if (err)
        return err;
    for (int i = version; i < embedded_migrations_count; i++) {
        const struct embedded_migration *m = &embedded_migrations[i];

        if (!dry_run) {
            err = apply(db, m, e);
            if (err)
                return err;
            version = m->version;
        }
        if (each)
            each(ctx, m->version, m->name, !dry_run);
    }
    assert(dry_run || version == embedded_migrations_count);
    *ret_version = version;
    return 0;
}

static int lock(struct pgsync *db, struct err *e)
{
    struct pgres *res;
    int err = pgsync_script(db, UNLIMITED, e);

    if (!err)
        err = ask(db, STATEMENT_MIGRATE_LOCK, &res, e);
    if (err)
        return err_wrap(e, "migrate: lock");
    pgsync_free_result(res);
    return 0;
}

/* What cannot be undone here ends with the connection. */
static void unlock(struct pgsync *db)
{
    struct err ignored;
    struct pgres *res;

    if (!pgsync_alive(db))
        return;
    if (ask(db, STATEMENT_MIGRATE_UNLOCK, &res, &ignored) == 0)
        pgsync_free_result(res);
    (void)!pgsync_script(db, LIMITED, &ignored);
}

int migrate_up(struct pgsync *db, bool dry_run, migrate_fn *each, void *ctx, int *ret_version,
               struct err *e)
{
    int err;

    assert(!pgsync_in_transaction(db));
    if (dry_run)
        return bring_up(db, true, each, ctx, ret_version, e);
    err = lock(db, e);
    if (!err)
        err = bring_up(db, false, each, ctx, ret_version, e);
    unlock(db);
    return err;
}

/* ---- taking it away ------------------------------------------------------------------------- */

static int refuse_in_use(struct pgsync *db, bool force, struct err *e)
{
    struct pgres *res;
    int64_t workers, live;
    int err = ask(db, STATEMENT_MIGRATE_IN_USE, &res, e);

    if (err)
        return err;
    assert(pgres_rows(res) == 1);
    workers = pgres_int8(res, 0, 0);
    live = pgres_int8(res, 0, 1);
    pgsync_free_result(res);
    if (workers > 0)
        return err_set(e, IFP_ECONFLICT, "%lld workers are alive: stop them first",
                       (long long)workers);
    if (live > 0 && !force)
        return err_set(e, IFP_ECONFLICT, "%lld executions live; --force drops them as well",
                       (long long)live);
    return 0;
}

/* Under the lock. */
static int drop(struct pgsync *db, bool force, bool *ret_gone, struct err *e)
{
    int version = 0, err = migrate_version(db, &version, e);

    if (err)
        return err;
    *ret_gone = version > 0;
    if (version == 0)
        return 0;
    err = refuse_in_use(db, force, e);
    return err ? err : pgsync_script(db, "drop schema inferpipe cascade", e);
}

int migrate_uninstall(struct pgsync *db, bool force, bool *ret_gone, struct err *e)
{
    int err;

    assert(!pgsync_in_transaction(db));
    err = lock(db, e);
    if (!err)
        err = drop(db, force, ret_gone, e);
    unlock(db);
    return err;
}
