/*
 * store/client.c - what callers do to executions, each as one statement on a blocking connection.
 *
 *   check the input -> client_ready -> parameters -> client_run -> read the row
 *
 * Failure: bad input costs no round trip.  A connection that was lost while idle is revived before
 * the statement.  A statement that the server aborted to break a deadlock is sent again, up to four
 * times.  One that breaks during the statement leaves its outcome unknown: what may happen
 * twice (reads, a start with a key, a send with a dedupe text) is sent once more on a new
 * connection; the rest is IFP_EUNAVAILABLE with a text that says what may have happened.
 */
#include "store/client.h"

#include "base/ids.h"
#include "base/mem.h"
#include "store/client_private.h"
#include "store/migrate.h"
#include "store/payload.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_TIMEOUT_MS = 10000, STATEMENT_TIMEOUT_MS = 30000 };
enum { ABORTED_TRIES = 5, PRIORITY_DEFAULT = 3 };

/* ---- connection ----------------------------------------------------------------------------- */

int client_open(struct client *c, const char *conninfo, const char *workspace,
                const struct client_limits *limits, struct err *e)
{
    assert(limits->payload_max > 0 && limits->payload_inline >= 0);
    memset(c, 0, sizeof(*c));
    if (client_check_slug("workspace", workspace, e) != 0)
        return e->code;
    c->limits = *limits;
    c->conninfo = mem_strdup(conninfo ? conninfo : "");
    c->workspace = mem_strdup(workspace);
    if (!c->conninfo || !c->workspace) {
        client_release(c);
        return err_set(e, IFP_ENOMEM, "client: out of memory");
    }
    c->db_options = (struct pgsync_options){
        .conninfo = c->conninfo,
        .application = "inferpipe client",
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
        .runtime_settings = true,
    };
    return 0;
}

void client_release(struct client *c)
{
    if (!c)
        return;
    pgsync_close(c->db);
    mem_free(c->workspace);
    mem_free(c->conninfo);
    memset(c, 0, sizeof(*c));
}

int client_set_workspace(struct client *c, const char *slug, int32_t id, struct err *e)
{
    char *copy;

    assert(c->conninfo && slug && id > 0);
    if (c->workspace_id == id && strcmp(c->workspace, slug) == 0)
        return 0;
    copy = mem_strdup(slug);
    if (!copy)
        return err_set(e, IFP_ENOMEM, "client: out of memory");
    mem_free(c->workspace);
    c->workspace = copy;
    c->workspace_id = id;
    return 0;
}

/* A server that went away while nothing was asked is noticed here, not by the next statement. */
static bool lost(struct client *c)
{
    struct err ignored;

    assert(c->db);
    return pgsync_wait_notify(c->db, 0, &ignored) < 0;
}

int client_connect(struct client *c, struct err *e)
{
    int err = 0;

    if (!c->db)
        err = pgsync_open(&c->db_options, &c->db, e);
    else if (lost(c)) {
        c->checked = false; /* another server may answer now */
        err = pgsync_revive(c->db, e);
    }
    if (!err && !c->checked)
        err = migrate_check(c->db, e);
    if (!err)
        c->checked = true;
    return err;
}

static int find_workspace(struct client *c, const char *slug, int32_t *ret_id, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err;

    assert(c->db && slug);
    pgargs_init(&args);
    pgargs_text(&args, slug);
    err = pgsync_exec(c->db, statements_get(STATEMENT_WORKSPACE), &args, &res, e);
    pgargs_release(&args);
    if (err)
        return err;
    assert(pgres_rows(res) == 1);
    *ret_id = pgres_int4(res, 0, 0);
    pgsync_free_result(res);
    return 0;
}

int client_ready(struct client *c, struct err *e)
{
    int err;

    assert(c->conninfo);
    err = client_connect(c, e);
    if (!err && !c->workspace_id)
        err = find_workspace(c, c->workspace, &c->workspace_id, e);
    return err;
}

/* Class 40: the server gave this transaction up for another one's sake, and nothing of it
 * happened. */
static int run_until_serialized(struct client *c, enum statement id, const struct pgargs *args,
                                struct pgres **ret_res, struct err *e)
{
    int err;
    int tries = 0;

    do {
        err = pgsync_exec(c->db, statements_get(id), args, ret_res, e);
        tries++;
    } while (err && strncmp(e->sqlstate, "40", 2) == 0 && tries < ABORTED_TRIES);
    return err;
}

int client_run(struct client *c, enum statement id, struct pgargs *args, bool repeat,
               struct pgres **ret_res, struct err *e)
{
    int err;

    assert(c->db);
    err = run_until_serialized(c, id, args, ret_res, e);
    if (err == IFP_EUNAVAILABLE && repeat) {
        err = client_connect(c, e);
        if (!err)
            err = run_until_serialized(c, id, args, ret_res, e);
    }
    pgargs_release(args);
    return err;
}

int client_begin(struct client *c, struct pgargs *args, struct err *e)
{
    int err = client_ready(c, e);

    if (err)
        return err;
    assert(c->workspace_id);
    pgargs_init(args);
    pgargs_int4(args, c->workspace_id);
    return 0;
}

int64_t client_ms_at(const struct pgres *res, int row, int col)
{
    return pgres_null(res, row, col) ? 0 : pgres_timestamptz(res, row, col) / 1000;
}

/* ---- start ---------------------------------------------------------------------------------- */

static void add_span(struct pgargs *args, int64_t ms)
{
    if (ms)
        pgargs_int8(args, ms);
    else
        pgargs_null(args, PGTYPE_INT8); /* the default */
}

static void build_start(const struct client *c, struct pgargs *args, int32_t workspace,
                        const char *workflow, const struct payload *input,
                        const ifp_start_options *o)
{
    bool large = input->codec == PAYLOAD_LARGE;
    struct slice text = large ? input->large : input->column;

    assert(workspace > 0);
    pgargs_int4(args, workspace);
    pgargs_text(args, workflow);
    pgargs_text(args, o->version);
    pgargs_text(args, o->queue);
    pgargs_int2(args, (int16_t)(o->priority ? o->priority : PRIORITY_DEFAULT));
    pgargs_int8(args, o->delay_ms);
    add_span(args, o->deadline_ms);
    pgargs_text(args, o->key);
    pgargs_int8(args, c->limits.idempotency_ttl_ms);
    pgargs_bytes(args, text.text, text.len);
    pgargs_bytes(args, large ? input->hash : NULL, sizeof(input->hash));
    pgargs_text(args, o->metadata);
    pgargs_text(args, o->traceparent);
    pgargs_text(args, o->queue_key);
    if (o->run_at_ms)
        pgargs_timestamptz(args, o->run_at_ms * 1000);
    else
        pgargs_null(args, PGTYPE_TIMESTAMPTZ);
    pgargs_text(args, o->debounce_key);
    add_span(args, o->debounce_ms);
    add_span(args, o->debounce_max_ms);
}

/* The workspace of this start: the options may name another than the client's. */
static int start_workspace(struct client *c, const ifp_start_options *o, int32_t *ret_id,
                           struct err *e)
{
    assert(c->workspace_id);
    if (!o->workspace || strcmp(o->workspace, c->workspace) == 0) {
        *ret_id = c->workspace_id;
        return 0;
    }
    return find_workspace(c, o->workspace, ret_id, e);
}

static int run_start(struct client *c, int32_t workspace, const char *workflow,
                     const struct payload *input, const ifp_start_options *o,
                     struct pgres **ret_res, struct err *e)
{
    struct pgargs args;
    int err;

    assert(input->column.text);
    pgargs_init(&args);
    build_start(c, &args, workspace, workflow, input, o);
    err = client_run(c, STATEMENT_START, &args, o->key != NULL, ret_res, e);
    if (err == IFP_EUNAVAILABLE && !o->key)
        return err_wrap(e, "the execution may have been started (give a key to repeat safely)");
    return err;
}

int client_start(struct client *c, const char *workflow, const char *input, size_t len,
                 const ifp_start_options *o, int64_t *ret_id, bool *ret_created, struct err *e)
{
    static const ifp_start_options defaults;
    struct slice text = input ? (struct slice){ input, len } : (struct slice){ "null", 4 };
    struct payload payload;
    struct pgres *res;
    int32_t workspace;
    int err;

    o = o ? o : &defaults;
    err = client_check_start(workflow, text, o, c->limits.payload_max, e);
    if (!err)
        err = client_ready(c, e);
    if (!err)
        err = start_workspace(c, o, &workspace, e);
    if (err)
        return err;
    err = payload_split(&payload, text, c->limits.payload_inline);
    if (err)
        return err_set(e, err, "input: cannot be hashed");
    err = run_start(c, workspace, workflow, &payload, o, &res, e);
    if (err)
        return err;
    assert(pgres_rows(res) == 1);
    *ret_id = pgres_int8(res, 0, 0);
    *ret_created = pgres_bool(res, 0, 1);
    pgsync_free_result(res);
    return 0;
}

/* ---- send, cancel, retry -------------------------------------------------------------------- */

static int check_send(const struct client *c, const char *name, struct slice text,
                      const char *dedupe, struct err *e)
{
    int err = client_check_name("name", name, e);

    if (!err)
        err = client_check_payload("message", text, c->limits.payload_max, e);
    if (!err)
        err = client_check_key("dedupe", dedupe, e);
    return err;
}

static int run_send(struct client *c, int64_t id, const char *name, const struct payload *message,
                    const char *dedupe, struct pgres **ret_res, struct err *e)
{
    bool large = message->codec == PAYLOAD_LARGE;
    struct slice text = large ? message->large : message->column;
    struct pgargs args;
    int err;

    assert(c->workspace_id && message->column.text);
    pgargs_init(&args);
    pgargs_int4(&args, c->workspace_id);
    pgargs_int8(&args, id);
    pgargs_text(&args, name);
    pgargs_bytes(&args, text.text, text.len);
    pgargs_bytes(&args, large ? message->hash : NULL, sizeof(message->hash));
    pgargs_text(&args, dedupe);
    err = client_run(c, STATEMENT_SEND, &args, dedupe != NULL, ret_res, e);
    if (err == IFP_EUNAVAILABLE && !dedupe)
        return err_wrap(e, "the message may have been sent (give a dedupe text to repeat safely)");
    return err;
}

int client_send(struct client *c, int64_t id, const char *name, const char *json, size_t len,
                const char *dedupe, bool *ret_new, struct err *e)
{
    struct slice text = json ? (struct slice){ json, len } : (struct slice){ "null", 4 };
    struct payload payload;
    struct pgres *res;
    int err = check_send(c, name, text, dedupe, e);

    if (!err)
        err = client_ready(c, e);
    if (err)
        return err;
    err = payload_split(&payload, text, c->limits.payload_inline);
    if (err)
        return err_set(e, err, "message: cannot be hashed");
    err = run_send(c, id, name, &payload, dedupe, &res, e);
    if (err)
        return err;
    assert(pgres_rows(res) == 1);
    *ret_new = pgres_bool(res, 0, 0);
    pgsync_free_result(res);
    return 0;
}

int client_cancel(struct client *c, int64_t id, bool force, bool *ret_now, struct err *e)
{
    enum { REQUESTED = 1, CANCELED_NOW = 2 };
    struct pgargs args;
    struct pgres *res;
    int32_t answer;
    int err = client_begin(c, &args, e);

    if (err)
        return err;
    pgargs_int8(&args, id);
    pgargs_bool(&args, force);
    err = client_run(c, STATEMENT_CANCEL, &args, false, &res, e);
    if (err == IFP_EUNAVAILABLE)
        return err_wrap(e, "it may have been canceled");
    if (err)
        return err;
    answer = pgres_int4(res, 0, 0);
    assert(answer == REQUESTED || answer == CANCELED_NOW);
    *ret_now = answer == CANCELED_NOW;
    pgsync_free_result(res);
    return 0;
}

int client_retry(struct client *c, int64_t id, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err = client_begin(c, &args, e);

    if (err)
        return err;
    pgargs_int8(&args, id);
    err = client_run(c, STATEMENT_RETRY, &args, false, &res, e);
    if (err == IFP_EUNAVAILABLE)
        return err_wrap(e, "it may have been started again");
    if (err)
        return err;
    pgsync_free_result(res);
    return 0;
}

/* ---- get ------------------------------------------------------------------------------------ */

int client_no_execution(const struct client *c, int64_t id, struct err *e)
{
    char text[IFP_ID_SIZE];

    ids_execution_format(id, text);
    return err_set(e, IFP_ENOTFOUND, "no execution %s in workspace \"%s\"", text, c->workspace);
}

static enum ifp_status status_from(const char *text)
{
    static const char *const names[] = {
        [IFP_QUEUED] = "queued", [IFP_RUNNING] = "running",          [IFP_COMPLETED] = "completed",
        [IFP_FAILED] = "failed", [IFP_STATUS_CANCELED] = "canceled",
    };
    size_t i = 0;

    while (strcmp(names[i], text) != 0) {
        i++;
        assert(i < ARRAY_LEN(names));
    }
    return (enum ifp_status)i;
}

/* The copy of a text column; NULL stays NULL.  False when memory is out. */
static bool copy_text(const struct pgres *res, int col, char **ret)
{
    const char *text = pgres_text(res, 0, col);

    *ret = mem_strdup(text);
    return *ret || !text;
}

static bool copy_execution(const struct pgres *res, int64_t id, ifp_execution *ret,
                           char **ret_input)
{
    bool good = copy_text(res, 1, &ret->workflow);

    assert(pgres_rows(res) == 1);
    ids_execution_format(id, ret->id);
    ret->status = status_from(pgres_text(res, 0, 0));
    good = good && copy_text(res, 2, &ret->version);
    good = good && copy_text(res, 3, &ret->queue);
    good = good && copy_text(res, 4, &ret->waiting_for);
    good = good && copy_text(res, 5, &ret->output);
    good = good && copy_text(res, 6, &ret->error_code);
    good = good && copy_text(res, 7, &ret->error);
    ret->created_ms = client_ms_at(res, 0, 8);
    ret->finished_ms = client_ms_at(res, 0, 9);
    ret->tokens = pgres_null(res, 0, 12) ? 0 : pgres_int8(res, 0, 12);
    ret->usd = pgres_null(res, 0, 13) ? 0 : strtod(pgres_text(res, 0, 13), NULL);
    ret->continued = pgres_int4(res, 0, 15);
    return good && copy_text(res, 10, &ret->forked_from) && copy_text(res, 14, &ret->parent) &&
           (!ret_input || copy_text(res, 11, ret_input));
}

static int read_execution(const struct client *c, const struct pgres *res, int64_t id,
                          ifp_execution *ret, char **ret_input, struct err *e)
{
    ifp_execution found = { 0 };
    char *input = NULL;
    char text[IFP_ID_SIZE];

    assert(pgres_rows(res) <= 1);
    if (pgres_rows(res) == 0)
        return client_no_execution(c, id, e);
    if (!copy_execution(res, id, &found, ret_input ? &input : NULL)) {
        ids_execution_format(id, text);
        ifp_execution_release(&found);
        return err_set(e, IFP_ENOMEM, "execution %s: out of memory", text);
    }
    *ret = found;
    if (ret_input)
        *ret_input = input;
    return 0;
}

int client_get(struct client *c, int64_t id, ifp_execution *ret, char **ret_input, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err = client_ready(c, e);

    if (err)
        return err;
    pgargs_init(&args);
    pgargs_text(&args, c->workspace);
    pgargs_int8(&args, id);
    pgargs_bool(&args, ret_input != NULL);
    err = client_run(c, STATEMENT_GET, &args, true, &res, e);
    if (err)
        return err;
    err = read_execution(c, res, id, ret, ret_input, e);
    pgsync_free_result(res);
    return err;
}

int client_children(struct client *c, int64_t id, ifp_children *ret, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int err = client_begin(c, &args, e);

    if (err)
        return err;
    pgargs_int8(&args, id);
    err = client_run(c, STATEMENT_CHILDREN, &args, true, &res, e);
    if (err)
        return err;
    assert(pgres_rows(res) <= 1);
    if (pgres_rows(res) == 0)
        err = client_no_execution(c, id, e);
    else
        *ret = (ifp_children){
            .queued = pgres_int8(res, 0, 0),
            .running = pgres_int8(res, 0, 1),
            .completed = pgres_int8(res, 0, 2),
            .failed = pgres_int8(res, 0, 3),
            .canceled = pgres_int8(res, 0, 4),
        };
    pgsync_free_result(res);
    return err;
}

void ifp_execution_release(ifp_execution *execution)
{
    if (!execution)
        return;
    mem_free(execution->workflow);
    mem_free(execution->version);
    mem_free(execution->queue);
    mem_free(execution->waiting_for);
    mem_free(execution->output);
    mem_free(execution->error_code);
    mem_free(execution->error);
    mem_free(execution->forked_from);
    mem_free(execution->parent);
    memset(execution, 0, sizeof(*execution));
}
