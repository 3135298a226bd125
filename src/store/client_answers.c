/*
 * store/client_answers.c - one statement each; all of them may be sent twice.
 */
#include "store/client_answers.h"

#include "store/client_private.h"

#include <assert.h>

static int copy_answer(struct client_answer *a, const struct pgres *res, struct arena *arena)
{
    struct slice body = pgres_bytes(res, 0, 2);

    assert(pgres_rows(res) == 1);
    a->claimed = pgres_bool(res, 0, 0);
    a->status = pgres_null(res, 0, 1) ? 0 : pgres_int2(res, 0, 1);
    a->body = (struct slice){ NULL, body.len };
    if (body.text)
        a->body.text = arena_strndup(arena, body.text, body.len);
    return body.text && !a->body.text ? IFP_ENOMEM : 0;
}

int client_answer_claim(struct client *c, struct client_answer *a, struct arena *arena,
                        struct err *e)
{
    struct pgres *res = NULL;
    struct pgargs args;
    int err = client_begin(c, &args, e);

    if (err)
        return err;
    pgargs_text(&args, a->key);
    pgargs_bytes(&args, a->hash, sizeof(a->hash));
    pgargs_int8(&args, a->owner);
    pgargs_int8(&args, CLIENT_ANSWER_CLAIM_MS);
    err = client_run(c, STATEMENT_ANSWER_CLAIM, &args, true, &res, e);
    if (err)
        return err;
    err = copy_answer(a, res, arena);
    pgsync_free_result(res);
    return err ? err_set(e, err, "out of memory") : 0;
}

int client_answer_keep(struct client *c, const struct client_answer *a, int status,
                       struct slice body, struct err *e)
{
    struct pgres *res = NULL;
    struct pgargs args;
    int err = client_begin(c, &args, e);

    assert(a->key && status >= 200 && status <= 599); /* 0 stands for none yet */
    if (err)
        return err;
    pgargs_text(&args, a->key);
    pgargs_int8(&args, a->owner);
    pgargs_int2(&args, (int16_t)status);
    pgargs_bytes(&args, body.text, body.len);
    pgargs_int8(&args, c->limits.idempotency_ttl_ms);
    err = client_run(c, STATEMENT_ANSWER_KEEP, &args, true, &res, e);
    if (!err)
        pgsync_free_result(res);
    return err;
}

int client_answer_release(struct client *c, const struct client_answer *a, struct err *e)
{
    struct pgres *res = NULL;
    struct pgargs args;
    int err = client_begin(c, &args, e);

    if (err)
        return err;
    pgargs_text(&args, a->key);
    pgargs_int8(&args, a->owner);
    err = client_run(c, STATEMENT_ANSWER_RELEASE, &args, true, &res, e);
    if (!err)
        pgsync_free_result(res);
    return err;
}
