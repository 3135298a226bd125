/*
 * http/problem.c - errors as answers.
 *
 * The object is put together in a buffer and copied into the arena once it is whole; without memory
 * for that the status goes out alone.
 */
#include "http/problem.h"

#include "http/conn.h"

#include <string.h>

/* What an error is called when only its status is known. */
static int code_of(int status)
{
    switch (status) {
    case 404:
        return IFP_ENOTFOUND;
    case 408:
    case 504:
        return IFP_ETIMEOUT;
    case 413:
        return IFP_ETOOLARGE;
    case 503:
        return IFP_EUNAVAILABLE;
    default:
        return status < 500 ? IFP_EINVALID : IFP_ESERVER;
    }
}

static void put_quoted(struct buf *b, const char *name, struct arena *a, const char *text)
{
    const char *clean;

    if (!text)
        return;
    clean = jsonscan_clean(a, text, ERR_TEXT_SIZE);
    buf_printf(b, ",\"%s\":", name);
    if (!clean || !jsonscan_quote(b, clean, strlen(clean)))
        buf_puts(b, "\"\"");
}

static void put_problem(struct buf *b, struct http_request *r, const struct http_problem *p)
{
    const char *code = p->code ? p->code : ifp_error_name(code_of(p->status));
    const char *title = p->title ? p->title : reply_reason(p->status);
    const char *detail = p->detail ? p->detail : title;
    char *path = arena_strndup(&r->arena, r->path.text ? r->path.text : "", r->path.len);

    buf_printf(b, "{\"type\":\"urn:inferpipe:error:%s\"", code);
    put_quoted(b, "title", &r->arena, title);
    buf_printf(b, ",\"status\":%d", p->status);
    put_quoted(b, "detail", &r->arena, detail);
    put_quoted(b, "instance", &r->arena, path);
    put_quoted(b, "code", &r->arena, code);
    put_quoted(b, "message", &r->arena, detail);
    put_quoted(b, "requestId", &r->arena, r->id);
    put_quoted(b, "executionId", &r->arena, p->execution_id);
    if (p->errors.len > 0) {
        buf_puts(b, ",\"errors\":");
        buf_put(b, p->errors.text, p->errors.len);
    }
    buf_putc(b, '}');
}

void http_answer_problem(struct http_request *r, const struct http_problem *p)
{
    struct slice body = { NULL, 0 };
    struct buf b;

    buf_init(&b);
    put_problem(&b, r, p);
    if (!buf_broken(&b))
        body.text = arena_strndup(&r->arena, b.data, b.len);
    body.len = body.text ? b.len : 0;
    buf_release(&b);
    http_answer(r, p->status, body.text ? "application/problem+json" : NULL, body);
}

void http_answer_status(struct http_request *r, int status, const struct err *e)
{
    r->error = e->code;
    http_answer_problem(r, &(struct http_problem){ .status = status,
                                                   .code = ifp_error_name(e->code),
                                                   .title = ifp_error_text(e->code),
                                                   .detail = e->text[0] ? e->text : NULL });
}

void http_answer_error(struct http_request *r, const struct err *e)
{
    http_answer_status(r, err_http_status(e->code), e);
}
