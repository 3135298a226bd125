/*
 * store/client_webhook.c - one statement each; see the header.
 *
 * The id of an endpoint is drawn here, before anything is sent, because the seal of its secret is
 * bound to it: a sealed secret that is copied to another row does not open there.  A create whose
 * answer was lost is not sent again: it may have been made, and its secret was never seen.
 */
#include "store/client_webhook.h"

#include "base/base64.h"
#include "base/crypto.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/secretbox.h"
#include "store/client_private.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SECRET_BYTES = 33, URL_MAX = 2048, PURPOSE_SIZE = 40 }; /* 33: base64 needs no padding */

/* ---- ids, names, secrets -------------------------------------------------------------------- */

void client_webhook_id_format(int64_t id, char ret[CLIENT_WEBHOOK_ID_SIZE])
{
    char text[IFP_ID_SIZE];

    assert(id >= 0); /* 0: the workspace itself */
    ids_execution_format(id, text);
    snprintf(ret, CLIENT_WEBHOOK_ID_SIZE, "whk_%.13s", text + 4);
}

int client_webhook_id_parse(const char *text, int64_t *ret, struct err *e)
{
    char copy[IFP_ID_SIZE];

    if (strlen(text) == 17 && strncmp(text, "whk_", 4) == 0) {
        snprintf(copy, sizeof(copy), "exe_%.13s", text + 4);
        if (ids_execution_parse(copy, ret) == 0 && *ret > 0)
            return 0;
    }
    return err_set(e, IFP_EINVALID, "id: \"%.40s\" is not the id of a webhook", text);
}

int client_webhook_event(const char *name, size_t len)
{
    static const char *const names[] = { "completed", "failed", "canceled" };
    size_t prefix = strlen("execution.");

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (len == prefix + strlen(names[i]) && memcmp(name, "execution.", prefix) == 0 &&
            memcmp(name + prefix, names[i], len - prefix) == 0)
            return 2 << i;
    return 0;
}

void client_webhook_purpose(int64_t id, char *ret, size_t size)
{
    snprintf(ret, size, "webhook %" PRId64, id);
}

static int draw_secret(char ret[CLIENT_WEBHOOK_SECRET_SIZE], struct err *e)
{
    uint8_t bytes[SECRET_BYTES];

    if (ids_random(bytes, sizeof(bytes)) != 0)
        return err_set(e, IFP_ESERVER, "no random numbers");
    snprintf(ret, CLIENT_WEBHOOK_SECRET_SIZE, "whsec_");
    base64_encode(bytes, sizeof(bytes), ret + 6);
    crypto_wipe(bytes, sizeof(bytes));
    assert(strlen(ret) == 6 + SECRET_BYTES / 3 * 4);
    for (char *c = ret + 6; *c; c++) /* the standard alphabet, as whsec_ is read by others */
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    return 0;
}

/* Draws a secret and seals it for that id. */
static int seal(const char *keys, int64_t id, char secret[CLIENT_WEBHOOK_SECRET_SIZE],
                uint8_t **ret, size_t *ret_len, struct err *e)
{
    char purpose[PURPOSE_SIZE];
    struct secretbox box;
    int rc = secretbox_init(&box, keys, e);

    assert(id > 0); /* what the seal is bound to */
    if (rc != 0)
        return rc;
    client_webhook_purpose(id, purpose, sizeof(purpose));
    rc = draw_secret(secret, e);
    if (rc == 0)
        rc = secretbox_seal(&box, purpose, secret, strlen(secret), ret, ret_len, e);
    secretbox_release(&box);
    return rc;
}

static int check(const struct client_webhook *w, struct err *e)
{
    if (w->url && (strlen(w->url) < 1 || strlen(w->url) > URL_MAX))
        return err_set(e, IFP_EINVALID, "url: must be 1 to %d bytes", URL_MAX);
    if (w->events & ~WEBHOOK_ALL)
        return err_set(e, IFP_EINVALID, "events: unknown ones");
    return w->workflow && *w->workflow ? client_check_slug("workflow", w->workflow, e) : 0;
}

/* Runs a statement that gives nothing. */
static int run(struct client *c, enum statement id, struct pgargs *args, struct err *e)
{
    struct pgres *res;
    int rc = client_run(c, id, args, false, &res, e);

    if (rc == 0)
        pgsync_free_result(res);
    return rc;
}

/* Runs one that gives the id of a delivery. */
static int run_id(struct client *c, enum statement id, struct pgargs *args, int64_t *ret,
                  struct err *e)
{
    struct pgres *res;
    int rc = client_run(c, id, args, false, &res, e);

    if (rc != 0)
        return rc;
    assert(pgres_rows(res) == 1);
    *ret = pgres_int8(res, 0, 0);
    pgsync_free_result(res);
    return 0;
}

static int begin(struct client *c, int64_t id, struct pgargs *args, struct err *e)
{
    int rc = client_begin(c, args, e);

    assert(id >= 0);
    if (rc == 0)
        pgargs_int8(args, id);
    return rc;
}

/* ---- changes -------------------------------------------------------------------------------- */

int client_webhook_create(struct client *c, const struct client_webhook *w, const char *keys,
                          int64_t *ret_id, char secret[CLIENT_WEBHOOK_SECRET_SIZE], struct err *e)
{
    struct pgargs args;
    uint8_t *sealed = NULL;
    size_t len = 0;
    int rc = check(w, e);

    if (rc == 0 && ids_worker(ret_id) != 0)
        rc = err_set(e, IFP_ESERVER, "no random numbers");
    if (rc == 0)
        rc = seal(keys, *ret_id, secret, &sealed, &len, e);
    if (rc == 0)
        rc = begin(c, *ret_id, &args, e);
    if (rc == 0) {
        assert(*ret_id > 0 && sealed && len > 0);
        pgargs_text(&args, w->url);
        pgargs_text(&args, w->workflow && *w->workflow ? w->workflow : NULL);
        pgargs_int2(&args, !w->url ? 0 : (int16_t)(w->events ? w->events : WEBHOOK_ALL));
        pgargs_bytes(&args, sealed, len);
        rc = run(c, STATEMENT_WEBHOOK_CREATE, &args, e);
    }
    mem_free(sealed);
    return rc;
}

int client_webhook_change(struct client *c, int64_t id, const struct client_webhook *w,
                          struct err *e)
{
    struct pgargs args;
    int rc = check(w, e);

    assert(id > 0);
    if (rc == 0)
        rc = begin(c, id, &args, e);
    if (rc != 0)
        return rc;
    pgargs_text(&args, w->url);
    pgargs_text(&args, w->workflow);
    if (w->events)
        pgargs_int2(&args, (int16_t)w->events);
    else
        pgargs_null(&args, PGTYPE_INT2);
    if (w->enabled >= 0)
        pgargs_bool(&args, w->enabled != 0);
    else
        pgargs_null(&args, PGTYPE_BOOL);
    return run(c, STATEMENT_WEBHOOK_CHANGE, &args, e);
}

/* The row of the workspace's own secret; 0: there is none. */
static int find_own(struct client *c, int64_t *ret, struct err *e)
{
    struct pgargs args;

    return client_begin(c, &args, e) != 0 ? e->code
                                          : run_id(c, STATEMENT_WEBHOOK_OWN, &args, ret, e);
}

int client_webhook_rotate(struct client *c, int64_t id, int64_t overlap_ms, const char *keys,
                          char secret[CLIENT_WEBHOOK_SECRET_SIZE], struct err *e)
{
    struct pgargs args;
    uint8_t *sealed = NULL;
    size_t len = 0;
    int rc = id == 0 ? find_own(c, &id, e) : 0;

    if (rc == 0 && id == 0)
        return client_webhook_create(c, &(struct client_webhook){ .url = NULL }, keys, &id, secret,
                                     e);
    if (rc == 0)
        rc = seal(keys, id, secret, &sealed, &len, e);
    if (rc == 0)
        rc = begin(c, id, &args, e);
    if (rc == 0) {
        assert(id > 0 && sealed && len > 0);
        pgargs_bytes(&args, sealed, len);
        pgargs_int8(&args, overlap_ms);
        rc = run(c, STATEMENT_WEBHOOK_ROTATE, &args, e);
    }
    mem_free(sealed);
    return rc;
}

int client_webhook_delete(struct client *c, int64_t id, struct err *e)
{
    struct pgargs args;
    int rc = begin(c, id, &args, e);

    return rc == 0 ? run(c, STATEMENT_WEBHOOK_DELETE, &args, e) : rc;
}

int client_webhook_redeliver(struct client *c, int64_t id, int64_t delivery, int64_t *ret_delivery,
                             struct err *e)
{
    struct pgargs args;
    int rc = begin(c, id, &args, e);

    if (rc != 0)
        return rc;
    pgargs_int8(&args, delivery);
    return run_id(c, STATEMENT_WEBHOOK_REDELIVER, &args, ret_delivery, e);
}

int client_webhook_ping(struct client *c, int64_t id, int64_t *ret_delivery, struct err *e)
{
    struct pgargs args;
    int rc = begin(c, id, &args, e);

    return rc == 0 ? run_id(c, STATEMENT_WEBHOOK_PING, &args, ret_delivery, e) : rc;
}

/* ---- lists ---------------------------------------------------------------------------------- */

int client_webhook_list(struct client *c, int64_t id, client_webhook_row_fn *fn, void *ctx,
                        struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc = begin(c, id, &args, e);

    if (rc == 0)
        rc = client_run(c, STATEMENT_WEBHOOK_LIST, &args, true, &res, e);
    if (rc != 0)
        return rc;
    if (id != 0 && pgres_rows(res) == 0)
        rc = err_set(e, IFP_ENOTFOUND, "webhook: there is no such webhook");
    for (int i = 0; rc == 0 && i < pgres_rows(res); i++) {
        struct client_webhook_row row = {
            .id = pgres_int8(res, i, 0),
            .url = pgres_text(res, i, 1),
            .workflow = pgres_text(res, i, 2),
            .events = pgres_int2(res, i, 3),
            .rotating = pgres_bool(res, i, 4),
            .created_ms = client_ms_at(res, i, 5),
            .disabled_ms = client_ms_at(res, i, 6),
            .disabled_why = pgres_text(res, i, 7),
        };

        rc = fn(ctx, &row);
    }
    pgsync_free_result(res);
    return rc;
}

static struct client_webhook_try try_at(const struct pgres *res, int i)
{
    assert(i < pgres_rows(res));
    return (struct client_webhook_try){
        .id = pgres_int8(res, i, 0),
        .target = pgres_int8(res, i, 1),
        .event = pgres_text(res, i, 2),
        .type = pgres_text(res, i, 3),
        .status = pgres_text(res, i, 4),
        .attempts = (int)pgres_int8(res, i, 5),
        .error_code = pgres_text(res, i, 6),
        .error = pgres_text(res, i, 7),
        .created_ms = client_ms_at(res, i, 8),
        .finished_ms = client_ms_at(res, i, 9),
        .next_ms = client_ms_at(res, i, 10),
    };
}

int client_webhook_deliveries(struct client *c, int64_t id, int64_t before, int limit,
                              client_webhook_try_fn *fn, void *ctx, struct err *e)
{
    struct pgargs args;
    struct pgres *res;
    int rc = begin(c, id, &args, e);

    assert(limit >= 1);
    if (rc != 0)
        return rc;
    pgargs_int8(&args, before ? before : INT64_MAX);
    pgargs_int4(&args, limit);
    rc = client_run(c, STATEMENT_WEBHOOK_DELIVERIES, &args, true, &res, e);
    if (rc != 0)
        return rc;
    assert(pgres_rows(res) <= limit);
    for (int i = 0; rc == 0 && i < pgres_rows(res); i++) {
        struct client_webhook_try row = try_at(res, i);

        rc = fn(ctx, &row);
    }
    pgsync_free_result(res);
    return rc;
}
