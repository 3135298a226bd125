/*
 * api/answer_send.c - finishes requests: with an answer that was written, or with an error that has
 * more to it than its code and text.
 */
#include "api/answer.h"

#include "base/ids.h"
#include "base/log.h"
#include "http/problem.h"

void answer_send(struct answer *a, struct http_request *r, int status)
{
    struct slice text = answer_end(a);
    struct err e;

    if (text.text) {
        http_answer(r, status, "application/json", text);
        return;
    }
    err_set(&e, IFP_ENOMEM, "out of memory");
    http_answer_error(r, &e);
}

/* The mistakes of a body as a JSON array; none: text NULL. */
static struct slice list_mistakes(struct http_request *r, const struct body *body)
{
    struct answer a;

    if (!body || body->error_count == 0)
        return (struct slice){ NULL, 0 };
    answer_begin(&a, &r->arena);
    answer_array(&a, NULL);
    for (int i = 0; i < body->error_count; i++) {
        answer_object(&a, NULL);
        answer_text(&a, "pointer", body->errors[i].pointer);
        answer_text(&a, "message", body->errors[i].message);
        answer_close(&a);
    }
    answer_close(&a);
    return answer_end(&a);
}

void answer_problem(struct http_request *r, const struct err *e, const struct answer_problem *p)
{
    char id[IFP_ID_SIZE];

    if (p->execution)
        ids_execution_format(p->execution, id);
    /* An execution's own code is no failure of the server: no circuit opens for it. */
    r->error = p->code ? IFP_ESTEP_FAILED : e->code;
    http_answer_problem(r, &(struct http_problem){
                               .status = p->status ? p->status : err_http_status(e->code),
                               .code = p->code ? p->code : ifp_error_name(e->code),
                               .title = ifp_error_text(e->code),
                               .detail = e->text,
                               .execution_id = p->execution ? id : NULL,
                               .errors = list_mistakes(r, p->body),
                           });
}

void answer_tell(struct http_request *r, const struct err *e, struct err *ret)
{
    *ret = *e;
    if (e->code != IFP_EUNAVAILABLE && e->code != IFP_ESERVER && e->code != IFP_ESCHEMA)
        return;
    LOG_WARN("the database failed a request", LOG_STR("request", r->id), LOG_ERR(e));
    err_set(ret, e->code, "%s", ifp_error_text(e->code));
    if (e->code == IFP_EUNAVAILABLE)
        http_answer_header(r, "retry-after", "1");
}
