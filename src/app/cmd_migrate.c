/*
 * app/cmd_migrate.c - `migrate`: brings the database to the schema of this program, or takes the
 * schema away.
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

static int bring_up(struct cli *c, struct pgsync *db, struct err *e)
{
    struct report r = { .json = c->json, .dry_run = cli_value(c, "dry-run") != NULL };
    int version = 0, rc;

    table_init(&r.table, columns, c->json);
    rc = migrate_up(db, r.dry_run, on_migration, &r, &version, e);
    if (rc == 0 && c->json)
        rc = print_json(&r, version, e);
    else if (rc == 0)
        printf("schema version %d of %d\n", version, migrate_latest());
    table_release(&r.table);
    return rc;
}

static int uninstall(struct cli *c, struct pgsync *db, struct err *e)
{
    struct jsondoc *doc;
    bool gone = false;
    int rc = migrate_uninstall(db, cli_value(c, "force") != NULL, &gone, e);

    if (rc == 0 && !c->json)
        puts(gone ? "the schema was dropped" : "there is no schema");
    if (rc != 0 || !c->json)
        return rc;
    doc = jsondoc_object();
    jsondoc_add_bool(doc, "dropped", gone);
    return cmd_print(doc, e);
}

int cmd_migrate_run(struct cli *c, struct err *e)
{
    struct pgsync_options options = {
        .conninfo = config_text(&c->config, CONFIG_DATABASE_URL),
        .application = "inferpipe migrate",
        .connect_timeout_ms = config_int(&c->config, CONFIG_CONNECT_TIMEOUT),
    };
    struct pgsync *db;
    int rc;

    if (cli_value(c, "force") && !cli_value(c, "uninstall"))
        return err_set(e, IFP_EINVALID, "--force goes with --uninstall");
    rc = pgsync_open(&options, &db, e);
    if (rc != 0)
        return rc;
    rc = cli_value(c, "uninstall") ? uninstall(c, db, e) : bring_up(c, db, e);
    pgsync_close(db);
    return rc;
}
