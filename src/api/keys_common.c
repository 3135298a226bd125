/*
 * api/keys_common.c - reading what a request about keys wants, and writing keys into answers.
 */
#include "api/keys_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { LIMIT = 100, LIMIT_MAX = 1000 };

int keys_may_give(const struct keys_wanted *w, const char *names, struct err *e)
{
    uint32_t beyond = scope_read(names) & ~w->mine;

    for (int i = 0; i < SCOPES; i++)
        if (beyond & UINT32_C(1) << i)
            return err_set(e, IFP_EFORBIDDEN, "your key lacks the scope %s and cannot give it",
                           scope_name((enum scope)i));
    return 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct keys_wanted *keys_begin(struct api *api, struct http_request *r)
{
    struct keys_wanted *w = arena_zalloc(&r->arena, sizeof(*w));
    struct err e;

    if (!w) {
        err_clear(&e);
        err_set(&e, IFP_ENOMEM, "out of memory");
        http_answer_error(r, &e);
        return NULL;
    }
    w->config = api->config;
    w->mine = caller_of(r)->scopes;
    w->id = r->params[0].text;
    return w;
}

bool keys_read_page(struct http_request *r, struct keys_wanted *w)
{
    struct slice text;
    struct err e;
    int rc;

    err_clear(&e);
    w->limit = LIMIT;
    rc = http_query(r, "limit", &text, &e);
    if (rc == 0 &&
        (jsonscan_check(text.text, text.len, &e) != 0 || jsonscan_type(text) != IFP_JSON_NUMBER ||
         jsonscan_int(text, &w->limit) != 0 || w->limit < 1 || w->limit > LIMIT_MAX))
        rc = err_set(&e, IFP_EINVALID, "limit: must be 1 to %d", LIMIT_MAX);
    if (rc == 0 || rc == IFP_ENOTFOUND)
        rc = http_query(r, "cursor", &text, &e);
    if (rc == 0)
        w->before = text.text;
    if (rc == 0 || rc == IFP_ENOTFOUND)
        return true;
    http_answer_error(r, &e);
    return false;
}

/* "scopes" of a body into names; mistakes are noted.  Absent: all that the caller has. */
static void take_scopes(struct body *b, struct keys_wanted *w)
{
    struct slice key, item;
    uint32_t set = w->scope_list.text ? 0 : w->mine;
    size_t pos = 0, len;
    char pointer[32], *name;

    for (int i = 0; w->scope_list.text && jsonscan_each(w->scope_list, &pos, &key, &item); i++) {
        (void)snprintf(pointer, sizeof(pointer), "/scopes/%d", i);
        if (jsonscan_type(item) != IFP_JSON_STRING ||
            jsonscan_string(item, b->arena, &name, &len) != 0)
            body_refuse(b, pointer, "must be the name of a scope");
        else if (strcmp(name, "*") == 0)
            set = SCOPE_ALL;
        else if (scope_find(name) < 0)
            body_refuse(b, pointer, "there is no such scope");
        else
            set |= UINT32_C(1) << scope_find(name);
    }
    scope_write(set, w->scopes);
}

bool keys_read_body(struct http_request *r, const struct body_field *fields, size_t count,
                    struct keys_wanted *w)
{
    struct body b;
    struct err e;
    int rc;

    err_clear(&e);
    body_init(&b, &r->arena);
    rc = body_read(&b, r->body, "", fields, count, w, &e);
    if (rc == 0) {
        take_scopes(&b, w);
        if (w->burst && !w->rate)
            body_refuse(&b, "/burst", "must come with ratePerMinute");
        rc = body_result(&b, &e);
    }
    if (rc == 0)
        return true;
    answer_problem(r, &e, &(struct answer_problem){ .body = &b });
    return false;
}

/* ---- writing -------------------------------------------------------------------------------- */

void keys_write_rights(struct answer *a, const char *scopes, int64_t rate, int64_t burst)
{
    char name[SCOPE_NAME_SIZE];

    answer_array(a, "scopes");
    while (scope_next(&scopes, name))
        answer_text(a, NULL, name);
    answer_close(a);
    if (rate == 0)
        return;
    answer_int(a, "ratePerMinute", rate);
    answer_int(a, "burst", burst);
}

void keys_page_begin(struct keys_page *p, struct offload_call *call, int64_t limit)
{
    p->limit = limit;
    p->count = 0;
    answer_begin(&p->answer, &call->request->arena);
    answer_object(&p->answer, NULL);
    if (limit)
        answer_array(&p->answer, "data");
}

bool keys_page_wants(struct keys_page *p)
{
    if (p->limit && p->count++ >= p->limit)
        return false;
    if (p->limit)
        answer_object(&p->answer, NULL);
    return true;
}

void keys_page_next(struct keys_page *p, const char *name)
{
    if (p->limit)
        answer_close(&p->answer);
    (void)snprintf(p->last, sizeof(p->last), "%s", name);
}

int keys_page_end(struct keys_page *p, struct offload_call *call, struct err *e)
{
    if (p->limit) {
        answer_close(&p->answer);
        if (p->count > p->limit)
            answer_text(&p->answer, "nextCursor", p->last);
        else
            answer_null(&p->answer, "nextCursor");
    }
    answer_close(&p->answer);
    call->json = answer_end(&p->answer);
    return call->json.text ? 0 : err_set(e, IFP_ENOMEM, "out of memory");
}
