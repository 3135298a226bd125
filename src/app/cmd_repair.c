/*
 * app/cmd_repair.c - `execution retry|cancel|fork --status ...`: the same for many executions.
 *
 *   find up to 100 ids behind the last one -> act on them in one transaction -> report each
 *
 * Ids only grow, so every execution is met at most once, and after a failure --cursor goes on where
 * it stopped.  What cannot be done is reported with its reason; the others go on.
 */
#include "app/cmd_repair.h"

#include "app/cmd.h"
#include "base/duration.h"
#include "base/ids.h"
#include "core/civil.h"
#include "store/repair.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_DEFAULT = 1000, LIMIT_MAX = 1000000, REFUSED_EXIT = 4 };

struct report {
    const struct cli *c; /* borrowed */
    bool dry;
    int lines;
    struct err *e; /* borrowed: where a failure to print goes */
};

/* ---- options -------------------------------------------------------------------------------- */

/* "2h" counts back from now; else a day or a time. */
static int parse_time(const struct cli *c, const char *name, int64_t *ret_ms, struct err *e)
{
    const char *text = cli_value(c, name);
    struct err ignored;

    *ret_ms = 0;
    if (!text)
        return 0;
    if (duration_parse(text, ret_ms, &ignored) == 0) {
        *ret_ms = -MAX(*ret_ms, 1);
        return 0;
    }
    if (civil_parse(text, ret_ms) && *ret_ms > 0)
        return 0;
    return err_set(e, IFP_EINVALID,
                   "--%s: \"%.40s\" is neither a duration nor a time like 2026-01-31T08:00:00Z",
                   name, text);
}

static int take_filter(const struct cli *c, enum repair_kind kind, struct repair_filter *ret,
                       struct err *e)
{
    const char *cursor = cli_value(c, "cursor");
    struct repair_filter f = {
        .status = cli_value(c, "status"),
        .workflow = cli_value(c, "workflow"),
        .version = cli_value(c, kind == REPAIR_FORK ? "of-version" : "version"),
        .queue = cli_value(c, "queue"),
        .error_code = cli_value(c, "error"),
    };
    int rc = parse_time(c, "since", &f.since_ms, e);

    if (rc == 0)
        rc = parse_time(c, "until", &f.until_ms, e);
    if (rc == 0 && !f.status)
        rc = err_set(e, IFP_EINVALID, "needs an ID, or --status to do it for many");
    if (rc == 0 && cursor && ids_execution_parse(cursor, &f.after) != 0)
        rc = err_set(e, IFP_EINVALID, "--cursor: \"%s\" is not an execution id", cursor);
    *ret = f;
    return rc;
}

static int take_repair(const struct cli *c, enum repair_kind kind, struct repair *ret,
                       struct err *e)
{
    *ret = (struct repair){ .kind = kind };
    if (kind == REPAIR_CANCEL)
        ret->force = cli_value(c, "force") != NULL;
    if (kind != REPAIR_FORK)
        return 0;
    if (cli_value(c, "input") || cli_value(c, "set"))
        return err_set(e, IFP_EINVALID, "--input and --set are for a single execution");
    ret->from = cli_value(c, "from");
    ret->version = cli_value(c, "version");
    ret->key = cli_value(c, "key");
    return 0;
}

bool cmd_repair_wanted(const struct cli *c)
{
    return !cli_arg(c, 0);
}

int cmd_repair_check_single(const struct cli *c, struct err *e)
{
    static const char *const filters[] = { "status", "workflow", "queue",  "error",  "since",
                                           "until",  "limit",    "cursor", "dry-run" };

    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        if (cli_value(c, filters[i]))
            return err_set(e, IFP_EINVALID, "--%s goes without an ID", filters[i]);
    return 0;
}

/* ---- report --------------------------------------------------------------------------------- */

static int print_json(const struct report *r, const char *id, const struct repair_outcome *o)
{
    struct jsondoc *doc = jsondoc_object();
    char fork[IFP_ID_SIZE];

    jsondoc_add_str(doc, "id", id);
    if (!r->dry)
        jsondoc_add_str(doc, "outcome", o->code ? "refused" : "done");
    if (o->code)
        jsondoc_add_str(doc, "code", ifp_error_name(o->code));
    if (o->detail)
        jsondoc_add_str(doc, "detail", o->detail);
    if (o->fork) {
        ids_execution_format(o->fork, fork);
        jsondoc_add_str(doc, "fork", fork);
    }
    return cmd_print_line(doc, r->e);
}

static int report_one(void *ctx, const struct repair_outcome *o)
{
    struct report *r = ctx;
    char id[IFP_ID_SIZE], fork[IFP_ID_SIZE];

    ids_execution_format(o->id, id);
    ids_execution_format(o->fork, fork);
    if (++r->lines % REPAIR_BATCH_MAX == 0)
        fflush(stdout);
    if (r->c->json)
        return print_json(r, id, o);
    if (o->code)
        printf("%s refused: %s\n", id, o->detail ? o->detail : ifp_error_text(o->code));
    else if (o->fork)
        printf("%s forked %s\n", id, fork);
    else if (r->dry)
        puts(id);
    else
        printf("%s %s\n", id, o->detail ? o->detail : "queued");
    return 0;
}

static int report_end(const struct report *r, const struct repair_total *n, struct err *e)
{
    char cursor[IFP_ID_SIZE];
    struct jsondoc *doc;

    ids_execution_format(n->last, cursor);
    if (!r->c->json) {
        if (r->dry)
            fprintf(stderr, "found %lld\n", (long long)n->done);
        else
            fprintf(stderr, "done %lld, refused %lld\n", (long long)n->done, (long long)n->refused);
        if (n->more)
            fprintf(stderr, "more: --cursor %s\n", cursor);
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_int(doc, r->dry ? "found" : "done", n->done);
    if (!r->dry)
        jsondoc_add_int(doc, "refused", n->refused);
    jsondoc_add_str(doc, "cursor", n->more ? cursor : NULL);
    return cmd_print_line(doc, e);
}

/* ---- the work ------------------------------------------------------------------------------- */

static int stopped_behind(const struct repair_total *n, int rc, struct err *e)
{
    char cursor[IFP_ID_SIZE];

    ids_execution_format(n->last, cursor);
    return n->last ? err_wrap(e, "stopped behind %s (go on with --cursor)", cursor) : rc;
}

int cmd_repair_run(const struct cli *c, enum repair_kind kind, struct err *e)
{
    struct report report = { .c = c, .dry = cli_value(c, "dry-run") != NULL, .e = e };
    struct repair_filter filter;
    struct repair_total total;
    struct repair what;
    struct client client;
    int64_t limit = 0;
    int rc = cli_int(c, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &limit, e);

    if (rc == 0)
        rc = take_filter(c, kind, &filter, e);
    if (rc == 0)
        rc = take_repair(c, kind, &what, e);
    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    rc = repair_many(&client, report.dry ? NULL : &what, &filter, limit, report_one, &report,
                     &total, e);
    rc = rc == 0 ? report_end(&report, &total, e) : stopped_behind(&total, rc, e);
    client_release(&client);
    return rc == 0 && total.refused > 0 ? REFUSED_EXIT : rc;
}
