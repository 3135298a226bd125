/*
 * app/cmd_doctor.c - `inferpipe doctor`: what is wrong, what it means, and with --repair what was
 * done about it.
 *
 * Exit codes: 0 nothing found, or hints of severity info alone; 1 findings, also those that were
 * mended: look again.  --explain needs no database.
 *
 * Repairs run in the order of the table in checks.c, each in a transaction of its own, only for
 * what was found.
 */
#include "app/checks.h"
#include "app/cmd.h"
#include "base/clock.h"
#include "store/listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKEW_MAX_MS = 2000, CHECKS_MAX = 64 };
#define SINCE_DEFAULT_MS INT64_C(2592000000) /* 30 days */

static const struct table_column finding_columns[] = {
    { "check", "CHECK" },
    { "severity", "SEVERITY" },
    { "subject", "SUBJECT" },
    { "detail", "DETAIL" },
    { 0 },
};
static const struct table_column repair_columns[] = {
    { "check", "MENDED" },
    { "subject", "SUBJECT" },
    { "detail", "WHAT WAS DONE" },
    { 0 },
};

struct examination {
    struct table findings, repairs;
    bool serious;           /* more than hints */
    bool found[CHECKS_MAX]; /* by place in checks_table */
    const char *mending;    /* the check that is being repaired */
};

/* ---- words ---------------------------------------------------------------------------------- */

static int explain_json(const struct check *k, struct err *e)
{
    struct jsondoc *doc = jsondoc_object();

    jsondoc_add_str(doc, "check", k->name);
    jsondoc_add_str(doc, "meaning", k->meaning);
    jsondoc_add_str(doc, "remedy", k->remedy);
    jsondoc_add_bool(doc, "repairable", k->repairable);
    return cmd_print(doc, e);
}

static int explain(const struct cli *c, const char *name, struct err *e)
{
    const struct check *k = checks_find(name);

    if (!k)
        return err_set(e, IFP_ENOTFOUND,
                       "there is no check \"%s\"; `doctor --explain all` lists them", name);
    if (c->json)
        return explain_json(k, e);
    printf("%s\n  %s\n  %s\n", k->name, k->meaning, k->remedy);
    return 0;
}

static int explain_all(const struct cli *c, struct err *e)
{
    int rc = 0;

    for (const struct check *k = checks_table; k->name && rc == 0; k++)
        rc = explain(c, k->name, e);
    return rc;
}

/* ---- looking -------------------------------------------------------------------------------- */

static int add_finding(void *ctx, const struct listing_finding *f)
{
    struct examination *x = ctx;
    const struct check *k = checks_find(f->check);

    if (k)
        x->found[k - checks_table] = true;
    x->serious |= strcmp(f->severity, "info") != 0;
    table_str(&x->findings, f->check);
    table_str(&x->findings, f->severity);
    table_str(&x->findings, f->subject);
    table_str(&x->findings, f->detail);
    return 0;
}

/* This machine's clock beside the database's; the way there and back counts half. */
static int compare_clocks(struct client *client, struct examination *x, struct err *e)
{
    int64_t before = clock_real_us(), db_us, ahead_ms;
    char detail[96];
    int rc = listing_db_clock(client, &db_us, e);

    if (rc != 0)
        return rc;
    ahead_ms = ((before + clock_real_us()) / 2 - db_us) / 1000;
    if (llabs(ahead_ms) <= SKEW_MAX_MS)
        return 0;
    snprintf(detail, sizeof(detail), "its clock is %lld ms %s the database", llabs(ahead_ms),
             ahead_ms > 0 ? "ahead of" : "behind");
    return add_finding(
        x, &(struct listing_finding){ "clock_skew", "warning", "this machine", detail });
}

/* ---- mending -------------------------------------------------------------------------------- */

static int add_repair(void *ctx, const struct listing_finding *f)
{
    struct examination *x = ctx;

    table_str(&x->repairs, x->mending);
    table_str(&x->repairs, f->subject);
    table_str(&x->repairs, f->detail);
    return 0;
}

/* Marking a worker as dead makes its executions ones whose owner is not alive. */
static int repair(struct client *client, struct examination *x, struct err *e)
{
    const struct check *lease = checks_find("lease_over"), *owner = checks_find("owner_not_alive");
    int rc = 0;

    x->found[owner - checks_table] |= x->found[lease - checks_table];
    for (const struct check *k = checks_table; k->name && rc == 0; k++) {
        if (!k->repairable || !x->found[k - checks_table])
            continue;
        x->mending = k->name;
        rc = listing_repair(client, k->name, add_repair, x, e);
    }
    return rc;
}

/* ---- the command ---------------------------------------------------------------------------- */

static int print_json(const struct cli *c, struct examination *x, struct err *e)
{
    struct jsondoc *doc, *findings, *repairs;
    int rc = table_take_rows(&x->findings, &findings, e);

    if (rc != 0)
        return rc;
    doc = jsondoc_object();
    jsondoc_add(doc, "findings", findings);
    if (cli_value(c, "repair")) {
        rc = table_take_rows(&x->repairs, &repairs, e);
        if (rc == 0)
            jsondoc_add(doc, "repairs", repairs);
    }
    return rc == 0 ? cmd_print(doc, e) : rc;
}

static int print_text(const struct cli *c, struct examination *x, struct err *e)
{
    int rc = 0;

    if (x->findings.rows == 0) {
        puts("ok: nothing found");
        return 0;
    }
    rc = table_print(&x->findings, stdout, e);
    if (rc == 0 && x->repairs.rows > 0) {
        puts("");
        rc = table_print(&x->repairs, stdout, e);
    } else if (rc == 0 && cli_value(c, "repair")) {
        puts("nothing of this could be mended; `doctor --explain CHECK` says what to do");
    }
    return rc;
}

static int examine(const struct cli *c, struct client *client, struct examination *x, struct err *e)
{
    int64_t since_ms = SINCE_DEFAULT_MS;
    int rc = cli_duration(c, "since", SINCE_DEFAULT_MS, &since_ms, e);

    if (rc == 0)
        rc = client_ready(client, e);
    if (rc == 0)
        rc = compare_clocks(client, x, e);
    if (rc == 0)
        rc = listing_doctor(client, since_ms, add_finding, x, e);
    if (rc == 0 && cli_value(c, "repair"))
        rc = repair(client, x, e);
    return rc;
}

int cmd_doctor_run(struct cli *c, struct err *e)
{
    const char *name = cli_value(c, "explain");
    struct examination x = { .serious = false };
    struct client client;
    int rc;

    if (name)
        return strcmp(name, "all") == 0 ? explain_all(c, e) : explain(c, name, e);
    rc = cmd_client(c, &client, e);
    if (rc != 0)
        return rc;
    client.db_options.statement_timeout_ms = 0; /* it reads whole tables */
    table_init(&x.findings, finding_columns, c->json);
    table_init(&x.repairs, repair_columns, c->json);
    rc = examine(c, &client, &x, e);
    if (rc == 0)
        rc = c->json ? print_json(c, &x, e) : print_text(c, &x, e);
    table_release(&x.findings);
    table_release(&x.repairs);
    client_release(&client);
    return rc == 0 && x.serious ? 1 : rc;
}
