/*
 * store/embedded.h - the migrations, compiled in.
 *
 * scripts/embed writes the table from sql/migrations with the files of sql/schema that they
 * include, in ascending order: embedded_migrations[i].version is i + 1.  An entry with version 0
 * ends it.
 */
#ifndef STORE_EMBEDDED_H
#define STORE_EMBEDDED_H

struct embedded_migration {
    int version;
    const char *name; /* "0001_core.sql" is "core" */
    const char *sql;  /* one script, the included files expanded */
};

extern const struct embedded_migration embedded_migrations[];
extern const int embedded_migrations_count;

#endif
