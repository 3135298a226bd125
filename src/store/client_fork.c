/*
 * store/client_fork.c - forks an execution: checks, parameters, one statement.
 *
 * Replaced results travel as three aligned arrays: the step's label, the text, and its hash when it
 * is large.  A fork without a key is not repeated after a lost answer: it would be a second one.
 */
#include "store/client_private.h"
#include "store/payload.h"

#include <assert.h>
#include <string.h>

enum { SET_MAX = 100, LABEL_MAX = 255 };

static struct slice slice_of(const char *text)
{
    return (struct slice){ text, text ? strlen(text) : 0 };
}

static int check_label(const char *field, const char *label, struct err *e)
{
    size_t len = label ? strlen(label) : 0;

    if (len >= 1 && len <= LABEL_MAX && jsonscan_utf8_ok(label, len))
        return 0;
    return err_set(e, IFP_EINVALID, "%s: must be a step, 1 to %d bytes of UTF-8", field, LABEL_MAX);
}

static int check_set(const struct client *c, const ifp_fork_options *o, struct err *e)
{
    int err = 0;

    if (o->set_count > SET_MAX)
        return err_set(e, IFP_EINVALID, "set: %zu results, at most %d are allowed", o->set_count,
                       SET_MAX);
    assert(o->set_count == 0 || o->set);
    for (size_t i = 0; i < o->set_count && !err; i++) {
        const char *result = o->set[i].result ? o->set[i].result : "null";

        err = check_label("set", o->set[i].step, e);
        if (!err)
            err = client_check_payload(o->set[i].step, slice_of(result), c->limits.payload_max, e);
    }
    return err;
}

static int check_fork(const struct client *c, const ifp_fork_options *o, struct err *e)
{
    int err = o->from ? check_label("from", o->from, e) : 0;

    if (!err && o->input)
        err = client_check_payload("input", slice_of(o->input), c->limits.payload_max, e);
    if (!err && o->version)
        err = client_check_version(o->version, e);
    if (!err)
        err = client_check_key("key", o->key, e);
    if (!err)
        err = check_set(c, o, e);
    return err;
}

/* The columns of the replaced results. */
struct sets {
    struct pgarray step, result, hash;
};

static void sets_init(struct sets *s)
{
    pgarray_init(&s->step, PGTYPE_TEXT);
    pgarray_init(&s->result, PGTYPE_BYTEA);
    pgarray_init(&s->hash, PGTYPE_BYTEA);
}

static void sets_release(struct sets *s)
{
    pgarray_release(&s->hash);
    pgarray_release(&s->result);
    pgarray_release(&s->step);
}

static int sets_fill(struct sets *s, const struct client *c, const ifp_fork_options *o)
{
    for (size_t i = 0; i < o->set_count; i++) {
        struct slice text = slice_of(o->set[i].result ? o->set[i].result : "null");
        struct payload p;
        int err = payload_split(&p, text, c->limits.payload_inline);

        if (err)
            return err;
        pgarray_text(&s->step, o->set[i].step);
        pgarray_bytes(&s->result, text.text, text.len);
        if (p.codec == PAYLOAD_LARGE)
            pgarray_bytes(&s->hash, p.hash, sizeof(p.hash));
        else
            pgarray_null(&s->hash);
    }
    assert(s->step.count == s->result.count && s->step.count == s->hash.count);
    return 0;
}

static void add_input(struct pgargs *args, const char *input, const struct payload *p)
{
    bool large = input && p->codec == PAYLOAD_LARGE;

    pgargs_bytes(args, input, input ? strlen(input) : 0);
    pgargs_bytes(args, large ? p->hash : NULL, sizeof(p->hash));
}

static int run_fork(struct client *c, int64_t id, const ifp_fork_options *o,
                    const struct payload *input, const struct sets *sets, struct pgres **ret_res,
                    struct err *e)
{
    struct pgargs args;
    int err = client_begin(c, &args, e);

    if (err)
        return err;
    pgargs_int8(&args, id);
    pgargs_text(&args, o->from);
    pgargs_text(&args, o->version);
    add_input(&args, o->input, input);
    pgargs_array(&args, &sets->step);
    pgargs_array(&args, &sets->result);
    pgargs_array(&args, &sets->hash);
    pgargs_text(&args, o->key);
    pgargs_int8(&args, c->limits.idempotency_ttl_ms);
    err = client_run(c, STATEMENT_FORK, &args, o->key != NULL, ret_res, e);
    if (err == IFP_EUNAVAILABLE && !o->key)
        return err_wrap(e, "it may have been forked (give a key to repeat safely)");
    return err;
}

int client_fork(struct client *c, int64_t id, const ifp_fork_options *o, int64_t *ret_id,
                bool *ret_created, struct err *e)
{
    static const ifp_fork_options defaults;
    struct payload input = { 0 };
    struct pgres *res = NULL;
    struct sets sets;
    int err;

    o = o ? o : &defaults;
    err = check_fork(c, o, e);
    if (err)
        return err;
    sets_init(&sets);
    err = sets_fill(&sets, c, o);
    if (!err && o->input)
        err = payload_split(&input, slice_of(o->input), c->limits.payload_inline);
    if (err)
        err = err_set(e, err, "fork: a payload cannot be hashed");
    else
        err = run_fork(c, id, o, &input, &sets, &res, e);
    sets_release(&sets);
    if (err)
        return err;
    assert(pgres_rows(res) == 1);
    *ret_id = pgres_int8(res, 0, 0);
    *ret_created = pgres_bool(res, 0, 1);
    pgsync_free_result(res);
    return 0;
}
