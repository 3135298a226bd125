/* app/cmd_live.c - the commands that show what an execution says of itself while it lives. */
#include "app/cmd.h"
#include "app/wait.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

int cmd_live_state(struct cli *c, struct err *e)
{
    struct client client;
    struct jsondoc *doc;
    char *state = NULL;
    int64_t id = 0;
    int rc = cmd_id(c, &id, e);

    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    rc = client_state(&client, id, &state, e);
    client_release(&client);
    if (rc == 0 && !c->json) {
        puts(state ? state : "null");
    } else if (rc == 0) {
        doc = jsondoc_object();
        jsondoc_add_str(doc, "id", cli_arg(c, 0));
        jsondoc_add_raw(doc, "state", state ? state : "null");
        rc = cmd_print(doc, e);
    }
    mem_free(state);
    return rc;
}

/* ---- events --------------------------------------------------------------------------------- */

struct shown {
    bool json;
    struct err *e; /* borrowed */
};

static int show_json(const ifp_event *event, struct err *e)
{
    struct jsondoc *doc = jsondoc_object();
    char at[32];

    clock_format_utc(event->at_ms * 1000, at, sizeof(at));
    jsondoc_add_int(doc, "number", event->number);
    jsondoc_add_str(doc, "at", at);
    jsondoc_add_str(doc, "kind", event->kind);
    jsondoc_add_str(doc, "step", event->step);
    jsondoc_add_int(doc, "attempt", event->attempt);
    jsondoc_add_raw(doc, "data", event->data);
    return cmd_print(doc, e);
}

static int show(void *ctx, const ifp_event *event)
{
    const struct shown *s = ctx;
    char at[32];
    int rc = 0;

    clock_format_utc(event->at_ms * 1000, at, sizeof(at));
    if (s->json)
        rc = show_json(event, s->e);
    else
        printf("%lld  %s  %s  %s  %s\n", (long long)event->number, at, event->kind,
               event->step ? event->step : "-", event->data);
    fflush(stdout);
    return rc;
}

int cmd_live_events(struct cli *c, struct err *e)
{
    struct shown shown = { .json = c->json, .e = e };
    struct client client;
    int64_t id = 0, after = 0;
    int rc = cmd_id(c, &id, e);

    if (rc == 0)
        rc = cli_int(c, "after", 0, INT32_MAX, 0, &after, e);
    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    rc = wait_events(&client, id, after, cli_value(c, "follow") ? -1 : 0, show, &shown, e);
    client_release(&client);
    return rc;
}
