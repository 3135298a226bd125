/*
 * app/cmd_migrate.c - `migrate`: brings the database to the schema of this program.
 */
#include "app/cmd.h"
#include "store/migrate.h"

#include <stdio.h>

struct report {
    bool json, dry_run;
    struct table table;
};

static const struct table_column columns[] = {
    { "version", NULL },
    { "name", NULL },
    { 0 },
};

static void on_migration(void *ctx, int version, const char *name, bool applied)
{
    struct report *r = ctx;

    if (r->json) {
        table_int(&r->table, version);
        table_str(&r->table, name);
    } else {
        printf("%s %04d %s\n", applied ? "applied" : "missing", version, name);
    }
}

static int print_json(struct report *r, int version, struct err *e)
{
    struct jsondoc *doc, *rows;
    int rc = table_take_rows(&r->table, &rows, e);

    if (rc != 0)
        return rc;
    doc = jsondoc_object();
    jsondoc_add_int(doc, "version", version);
    jsondoc_add_int(doc, "latest", migrate_latest());
    jsondoc_add(doc, r->dry_run ? "missing" : "applied", rows);
    return cmd_print(doc, e);
}

int cmd_migrate_run(struct cli *c, struct err *e)
{
    struct pgsync_options options = {
        .conninfo = config_text(&c->config, CONFIG_DATABASE_URL),
        .application = "inferpipe migrate",
        .connect_timeout_ms = config_int(&c->config, CONFIG_CONNECT_TIMEOUT),
    };
    struct report r = { .json = c->json, .dry_run = cli_value(c, "dry-run") != NULL };
    struct pgsync *db;
    int version = 0, rc = pgsync_open(&options, &db, e);

    if (rc != 0)
        return rc;
    table_init(&r.table, columns, c->json);
    rc = migrate_up(db, r.dry_run, on_migration, &r, &version, e);
    if (rc == 0 && c->json)
        rc = print_json(&r, version, e);
    else if (rc == 0)
        printf("schema version %d of %d\n", version, migrate_latest());
    table_release(&r.table);
    pgsync_close(db);
    return rc;
}
