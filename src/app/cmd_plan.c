/*
 * app/cmd_plan.c - `plan`: which live executions this program, or --worker PROGRAM, can continue.
 *
 * Prints what there is by workflow and version, then those that cannot go on.  Exit codes: 0 all
 * continue; 1 some diverge or fail, or nobody here knows them (unless that is allowed).
 */
#include "app/app.h"
#include "app/cmd.h"
#include "app/supervise.h"
#include "engine/plan.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SHOW_DEFAULT = 100, SHOW_MAX = 100000 };
#define LIMIT_MAX INT64_C(1000000000)

static const struct table_column line_columns[] = {
    { "workflow", "WORKFLOW" }, { "version", "VERSION" },
    { "live", "LIVE" },         { "continues", "CONTINUES" },
    { "diverges", "DIVERGES" }, { "fails", "FAILS" },
    { "unknown", "UNKNOWN" },   { 0 },
};
static const struct table_column finding_columns[] = {
    { "id", "ID" },
    { "workflow", "WORKFLOW" },
    { "version", "VERSION" },
    { "verdict", "VERDICT" },
    { "calls", "CALLS" },
    { "message", "WHY" },
    { 0 },
};

struct report {
    struct table lines, findings;
    int64_t show, omitted; /* findings: how many fit, and how many did not */
    int64_t totals[PLAN_VERDICTS];
};

/* ---- another program's workflows ------------------------------------------------------------ */

/* Its own options again; all other settings travel in the environment. */
static int make_argv(const struct cli *c, const char *program, struct arena *texts, char **argv)
{
    int n = 0;

    argv[n++] = (char *)program;
    argv[n++] = (char *)"plan";
    for (int i = 0; c->command->options[i].name; i++) {
        const struct cli_option *o = &c->command->options[i];

        if (!c->values[i] || strcmp(o->name, "worker") == 0)
            continue;
        argv[n++] = o->value ? arena_printf(texts, "--%s=%s", o->name, c->values[i])
                             : arena_printf(texts, "--%s", o->name);
    }
    if (c->json)
        argv[n++] = (char *)"--json";
    argv[n] = NULL;
    return texts->broken ? IFP_ENOMEM : 0;
}

/* Becomes that program: its answer and exit code are ours.  Comes back only when it cannot. */
static int hand_over(const struct cli *c, const char *program, struct err *e)
{
    char *argv[CLI_OPTIONS_MAX + 4];
    struct arena texts;
    int rc;

    arena_init(&texts, 0);
    rc = make_argv(c, program, &texts, argv);
    if (rc != 0)
        err_set(e, rc, "out of memory");
    else
        rc = supervise_export(&c->config, e);
    if (rc == 0) {
        execv(program, argv);
        rc = err_set(e, IFP_EINVALID, "--worker: cannot run \"%s\": %s", program, strerror(errno));
    }
    arena_release(&texts);
    return rc;
}

/* ---- the report ----------------------------------------------------------------------------- */

static const char *verdict_name(enum ifp_verdict verdict)
{
    static const char *const names[PLAN_VERDICTS] = { [IFP_CONTINUES] = "continues",
                                                      [IFP_DIVERGES] = "diverges",
                                                      [IFP_FAILS] = "fails",
                                                      [IFP_UNKNOWN] = "unknown" };

    assert((size_t)verdict < ARRAY_LEN(names));
    return names[verdict];
}

static int on_finding(void *ctx, const ifp_plan_finding *f)
{
    struct report *r = ctx;

    if (!f->id)
        return 0; /* the first table shows it */
    if ((int64_t)r->findings.rows >= r->show) {
        r->omitted++;
        return 0;
    }
    table_str(&r->findings, f->id);
    table_str(&r->findings, f->workflow);
    table_str(&r->findings, f->version);
    table_str(&r->findings, verdict_name(f->verdict));
    table_int(&r->findings, f->calls);
    table_str(&r->findings, f->message);
    return 0;
}

static void take_lines(const struct plan *plan, struct report *r)
{
    const struct plan_line *lines;
    size_t n = plan_lines(plan, &lines);

    for (size_t i = 0; i < n; i++) {
        table_str(&r->lines, lines[i].workflow);
        table_str(&r->lines, lines[i].version);
        table_int(&r->lines, lines[i].live);
        for (int v = 0; v < PLAN_VERDICTS; v++) {
            table_int(&r->lines, lines[i].verdicts[v]);
            r->totals[v] += lines[i].verdicts[v];
        }
    }
}

static int print_json(struct report *r, bool passed, struct err *e)
{
    struct jsondoc *doc, *lines, *findings;
    int rc = table_take_rows(&r->lines, &lines, e);

    if (rc != 0)
        return rc;
    doc = jsondoc_object();
    jsondoc_add_bool(doc, "passed", passed);
    for (int v = 0; v < PLAN_VERDICTS; v++)
        jsondoc_add_int(doc, verdict_name((enum ifp_verdict)v), r->totals[v]);
    jsondoc_add(doc, "workflows", lines);
    rc = table_take_rows(&r->findings, &findings, e);
    if (rc == 0)
        jsondoc_add(doc, "findings", findings);
    jsondoc_add_int(doc, "omitted", r->omitted);
    return rc == 0 ? cmd_print(doc, e) : rc;
}

static int print_text(struct report *r, struct err *e)
{
    int rc;

    if (r->lines.rows == 0) {
        puts("no execution is live");
        return 0;
    }
    rc = table_print(&r->lines, stdout, e);
    if (rc == 0 && r->findings.rows > 0) {
        puts("");
        rc = table_print(&r->findings, stdout, e);
    }
    if (rc == 0 && r->omitted > 0)
        printf("and %" PRId64 " more (--show)\n", r->omitted);
    return rc;
}

/* ---- the command ---------------------------------------------------------------------------- */

static int run_plan(const struct cli *c, struct client *client, struct report *r, struct err *e)
{
    struct plan_options options = {
        .config = &c->config,
        .client = client,
        .workflows = c->app->workflows,
        .workflow_count = c->app->workflow_count,
        .workflow = cli_value(c, "workflow"),
        .queue = cli_value(c, "queue"),
        .found = on_finding,
        .ctx = r,
    };
    struct plan *plan;
    int rc = cli_int(c, "limit", 1, LIMIT_MAX, 0, &options.limit, e);

    if (rc == 0)
        rc = plan_open(&options, &plan, e);
    if (rc != 0)
        return rc;
    rc = plan_run(plan, e);
    if (rc == 0)
        take_lines(plan, r);
    plan_close(plan);
    return rc;
}

static int report(const struct cli *c, struct client *client, struct report *r, struct err *e)
{
    bool passed;
    int rc = cli_int(c, "show", 0, SHOW_MAX, SHOW_DEFAULT, &r->show, e);

    if (rc == 0)
        rc = run_plan(c, client, r, e);
    if (rc != 0)
        return rc;
    passed = r->totals[IFP_DIVERGES] == 0 && r->totals[IFP_FAILS] == 0 &&
             (r->totals[IFP_UNKNOWN] == 0 || cli_value(c, "allow-unknown"));
    rc = c->json ? print_json(r, passed, e) : print_text(r, e);
    return rc == 0 && !passed ? 1 : rc;
}

int cmd_plan_run(struct cli *c, struct err *e)
{
    const char *program = cli_value(c, "worker");
    struct report r = { .show = SHOW_DEFAULT };
    struct client client;
    int rc;

    if (program)
        return hand_over(c, program, e);
    if (c->app->workflow_count == 0)
        return err_set(e, IFP_EINVALID,
                       "this program has no workflows: give it --worker PROGRAM, or run the `plan` "
                       "command of that program");
    rc = cmd_client(c, &client, e);
    if (rc != 0)
        return rc;
    client.db_options.statement_timeout_ms = 0; /* counting millions takes its time */
    table_init(&r.lines, line_columns, c->json);
    table_init(&r.findings, finding_columns, c->json);
    rc = report(c, &client, &r, e);
    table_release(&r.lines);
    table_release(&r.findings);
    client_release(&client);
    return rc;
}
