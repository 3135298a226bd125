/* app/cmd_live.c - the commands that show what an execution says of itself while it lives. */
#include "app/cmd.h"
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
