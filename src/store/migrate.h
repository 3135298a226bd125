/*
 * store/migrate.h - brings a database to the schema of this binary.
 *
 * Migrations are numbered files of sql/migrations, embedded in the binary.  Each runs in a
 * transaction of its own, under one advisory lock for all, and is recorded with its SHA-256.
 * Refused (IFP_ESCHEMA, exit 4) when the database is newer than the binary, or when a migration
 * that was applied has another checksum than ours.
 */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "base/base.h"
#include "base/err.h"
#include "pg/pgsync.h"

#include <stdbool.h>

typedef void migrate_fn(void *ctx, int version, const char *name, bool applied);

/* Applies what is missing (dry_run: only tells), one `each` per missing migration.  *ret_version is
 * the database's version afterwards. */
int migrate_up(struct pgsync *db, bool dry_run, migrate_fn *each, void *ctx, int *ret_version,
               struct err *e) MUSTCHECK;
/* Drops the schema with all executions.  Refused (IFP_ECONFLICT) while a worker is alive, and, but
 * with `force`, while executions live.  *ret_gone: there was something to drop.  The roles stay:
 * other databases of the server may use them. */
int migrate_uninstall(struct pgsync *db, bool force, bool *ret_gone, struct err *e) MUSTCHECK;
/* The database's version (0: no schema) and ours. */
int migrate_version(struct pgsync *db, int *ret_version, struct err *e) MUSTCHECK;
int migrate_latest(void);
/* 0 when the two fit; else IFP_ESCHEMA with a text that says what to do. */
int migrate_check(struct pgsync *db, struct err *e) MUSTCHECK;

#endif
