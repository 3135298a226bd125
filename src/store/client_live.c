/*
 * store/client_live.c - what an execution shows of itself while it lives: its state.
 */
#include "base/ids.h"
#include "base/mem.h"
#include "store/client_private.h"

#include <assert.h>

static int not_found(const struct client *c, int64_t id, struct err *e)
{
    char text[IFP_ID_SIZE];

    ids_execution_format(id, text);
    return err_set(e, IFP_ENOTFOUND, "no execution %s in workspace \"%s\"", text, c->workspace);
}

/* A zero-terminated copy; NULL text stays NULL. */
static int copy_slice(struct slice text, char **ret, struct err *e)
{
    *ret = text.text ? mem_strndup(text.text, text.len) : NULL;
    return *ret || !text.text ? 0 : err_set(e, IFP_ENOMEM, "out of memory");
}

int client_state(struct client *c, int64_t id, char **ret_state, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc = client_begin(c, &args, e);

    if (rc != 0)
        return rc;
    pgargs_int8(&args, id);
    rc = client_run(c, STATEMENT_STATE, &args, true, &res, e);
    pgargs_release(&args);
    if (rc != 0)
        return rc;
    assert(pgres_rows(res) <= 1);
    if (pgres_rows(res) == 0)
        rc = not_found(c, id, e);
    else
        rc = copy_slice(pgres_bytes(res, 0, 0), ret_state, e);
    pgsync_free_result(res);
    return rc;
}
