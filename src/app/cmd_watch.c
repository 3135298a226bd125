/*
 * app/cmd_watch.c - `execution watch`: each step on a line as it is recorded, the end on the last.
 *
 *   2026-11-20T15:30:00.123Z  fetch          completed  1  12 ms
 *
 * Looks at the journal every 100 ms, from behind the last step shown; one that was begun anew
 * (continue as new) is said so, and shown from its first step.  The execution is read before
 * its steps: when it had ended, the steps read after it are all there will be.
 * A lost database ends it with exit code 1; the execution itself goes on.
 */
#include "app/cmd.h"
#include "app/wait.h"
#include "base/clock.h"
#include "store/listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAUSE_MS = 100 };

struct watch {
    const struct cli *cli; /* borrowed */
    int seq;               /* of the last step shown */
    long continued;        /* the number of the journal at hand; 0: the first one */
    bool renewed;          /* it is another one than the last steps shown were of */
    bool colors;
    struct err *e; /* borrowed */
};

static const struct table_column columns[] = {
    { "time", NULL },    { "seq", NULL },
    { "name", NULL },    { "kind", NULL },
    { "status", NULL },  { "attempts", NULL },
    { "took_us", NULL }, { "error_code", NULL },
    { "error", NULL },   { 0 },
};

static int print_line(struct jsondoc *doc, struct err *e)
{
    int rc = cmd_print(doc, e);

    fflush(stdout);
    return rc;
}

static int show_json(struct watch *w, const struct listing_step *s)
{
    struct jsondoc *doc;
    struct table t;
    int rc;

    table_init(&t, columns, true);
    table_time(&t, s->done_ms);
    table_int(&t, s->seq);
    table_str(&t, s->name);
    table_str(&t, s->kind);
    table_str(&t, s->status);
    table_int(&t, s->attempts);
    table_int(&t, s->took_us);
    table_str(&t, s->error_code);
    table_str(&t, s->error);
    rc = table_take_row(&t, &doc, w->e);
    table_release(&t);
    return rc == 0 ? print_line(doc, w->e) : rc;
}

static void show_text(const struct watch *w, const struct listing_step *s)
{
    char at[32] = "-";
    bool bad = s->error_code != NULL;

    if (s->done_ms)
        clock_format_utc(s->done_ms * 1000, at, sizeof(at));
    if (s->seq == 0) {
        printf("%s  continued as new (%s)\n", at, s->name);
        fflush(stdout);
        return;
    }
    printf("%s  %-24s %s%-10s%s %3d  %6" PRId64 " ms%s%s\n", at, s->name ? s->name : "",
           w->colors ? (bad ? "\033[31m" : "\033[32m") : "", s->status ? s->status : "",
           w->colors ? "\033[0m" : "", s->attempts, s->took_us / 1000, bad ? "  " : "",
           bad ? s->error_code : "");
    fflush(stdout);
}

/* The first row of a journal that continues.  Steps behind it are left to another look, which
 * begins with the first. */
static bool is_known_beginning(struct watch *w, const struct listing_step *s)
{
    long number = strtol(s->name, NULL, 10);

    w->renewed = number != w->continued;
    w->continued = number;
    if (w->renewed)
        w->seq = 0;
    return !w->renewed;
}

static int show_step(void *ctx, const struct listing_step *s)
{
    struct watch *w = ctx;
    bool is_beginning = s->kind && strcmp(s->kind, "continued") == 0;

    if (s->running || (is_beginning ? is_known_beginning(w, s) : w->renewed))
        return 0;
    w->seq = MAX(w->seq, s->seq);
    if (w->cli->json)
        return show_json(w, s);
    show_text(w, s);
    return 0;
}

static int show_end(const struct watch *w, const ifp_execution *x)
{
    struct jsondoc *doc;

    if (!w->cli->json) {
        printf("%s%s%s%s%s\n", cmd_status(x->status), x->error_code ? "  " : "",
               x->error_code ? x->error_code : "", x->error ? ": " : "", x->error ? x->error : "");
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_str(doc, "id", x->id);
    jsondoc_add_str(doc, "status", cmd_status(x->status));
    if (x->output)
        jsondoc_add_raw(doc, "output", x->output);
    if (x->error_code)
        jsondoc_add_str(doc, "error_code", x->error_code);
    if (x->error)
        jsondoc_add_str(doc, "error", x->error);
    return print_line(doc, w->e);
}

/* One look.  *ret_code is the exit code once it has ended, else -1. */
static int look(struct watch *w, struct client *client, int64_t id, int *ret_code)
{
    ifp_execution x;
    int rc = client_get(client, id, &x, NULL, w->e);

    if (rc != 0)
        return rc;
    do {
        w->renewed = false;
        rc = listing_steps(client, id, w->seq, show_step, w, w->e);
    } while (rc == 0 && w->renewed);
    if (rc == 0 && wait_ended(x.status)) {
        rc = show_end(w, &x);
        *ret_code = cmd_exit_code(x.status);
    }
    ifp_execution_release(&x);
    return rc;
}

int cmd_watch_run(struct cli *c, struct err *e)
{
    struct watch w = { .cli = c, .colors = table_colors(stdout), .e = e };
    struct client client;
    int64_t id = 0;
    int code = -1, rc = cmd_id(c, &id, e);

    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    while ((rc = look(&w, &client, id, &code)) == 0 && code < 0)
        wait_ms(PAUSE_MS);
    client_release(&client);
    return rc == 0 ? code : rc;
}
