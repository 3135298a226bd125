/*
 * api/hooks_deliver.c - one attempt of a delivery.
 *
 *   load -> (skip) -> sign, send -> 2xx                          delivered
 *                                -> 410 -> disable the endpoint  failed for good
 *                                -> anything else                failed, and tried again
 *
 * Everything is loaded at each attempt: a changed URL, a rotated secret, a disabled endpoint count
 * at once, and neither secrets nor bodies are in the journal.  Also 4xx are tried again: receivers
 * that are being deployed or misconfigured answer so, and the day is short.  What cannot work later
 * either (no URL, an address that the egress policy refuses) fails for good.
 *
 * The texts of failures are shown to people: they name no secret, and of the URL the host alone.
 */
#include "api/hooks.h"

#include "api/sign.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/client_webhook.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HEADERS_MAX = 8, TIME_SIZE = 32, PURPOSE_SIZE = 40 };

struct attempt {
    struct api_hooks *hooks; /* borrowed */
    ifp_step_ctx *step;      /* borrowed; until async_done */
    struct webhook_op op;
    struct http_call call;
    struct buf body;
    struct buf lines[HEADERS_MAX];
    const char *headers[HEADERS_MAX + 1];
    int header_count;
    char *url;                       /* owned */
    char *secrets[SIGN_SECRETS_MAX]; /* owned, wiped */
    int secret_count;
    int64_t delivery;
    bool canceled;
};

/* ---- ends ----------------------------------------------------------------------------------- */

static void finish(struct attempt *a, int rc, const ifp_json *output)
{
    ifp_step_ctx *step = a->step;

    for (int i = 0; i < a->secret_count; i++)
        secretbox_forget((uint8_t *)a->secrets[i], strlen(a->secrets[i]));
    for (int i = 0; i < a->header_count; i++)
        buf_release(&a->lines[i]);
    buf_release(&a->body);
    webhook_release(&a->op);
    mem_free(a->url);
    mem_free(a);
    async_done(step, rc, output);
}

static void fail(struct attempt *a, const char *code, int finality, const char *text)
{
    finish(a, ifp_step_fail(a->step, code, finality, "%s", text), NULL);
}

static void skip(struct attempt *a, const char *why)
{
    const ifp_json *output = NULL;
    int rc = ifp_json_build(a->step, &output, "{s:s}", "skipped", why);

    finish(a, rc, output);
}

static void on_stop(void *ctx)
{
    struct attempt *a = ctx;

    a->canceled = true;
    webhook_cancel(&a->op);
    http_client_cancel(&a->call);
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void count(const struct attempt *a, const char *outcome)
{
    metrics_add(METRIC_WEBHOOK_ATTEMPTS, outcome, 1);
    if (a->call.sent_us != 0)
        metrics_observe_us(METRIC_WEBHOOK_SECONDS, NULL, clock_mono_us() - a->call.sent_us);
}

static void on_gone(struct webhook_op *op, int err, const struct err *e)
{
    struct attempt *a = CONTAINER_OF(op, struct attempt, op);

    if (err != 0)
        fail(a, ifp_error_name(err), IFP_RETRY, e->text);
    else
        fail(a, "GONE", IFP_FINAL, "it answered 410 Gone: the webhook is disabled");
}

static void delivered(struct attempt *a, int status)
{
    const ifp_json *output = NULL;
    int rc = ifp_json_build(a->step, &output, "{s:i}", "status", status);

    finish(a, rc, output);
}

static void unanswered(struct attempt *a, enum http_failure failure, const char *text)
{
    char code[32];
    int finality = IFP_RETRY;

    snprintf(code, sizeof(code), "%s", http_failure_name(failure));
    for (char *c = code; *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    if (failure == HTTP_FAILURE_REFUSED || failure == HTTP_FAILURE_INVALID)
        finality = IFP_FINAL;
    fail(a, code, finality, text);
}

static void on_answer(struct http_call *call)
{
    struct attempt *a = CONTAINER_OF(call, struct attempt, call);
    enum http_failure failure = call->failure;
    int status = call->status;
    char text[ERR_TEXT_SIZE], code[24];

    count(a, failure == HTTP_FAILURE_REFUSED                                  ? "refused"
             : failure == HTTP_FAILURE_NONE && status == 410                  ? "gone"
             : failure == HTTP_FAILURE_NONE && status >= 200 && status <= 299 ? "delivered"
                                                                              : "failed");
    snprintf(text, sizeof(text), "%s", call->err.text);
    http_call_release(call);
    if (failure != HTTP_FAILURE_NONE) {
        unanswered(a, failure, text);
    } else if (status >= 200 && status <= 299) {
        delivered(a, status);
    } else if (status == 410) {
        webhook_gone(a->hooks->db, &a->op, a->delivery, "it answered 410 Gone", on_gone);
    } else {
        snprintf(code, sizeof(code), "HTTP_%d", status);
        snprintf(text, sizeof(text), "it answered with status %d", status);
        fail(a, code, IFP_RETRY, text);
    }
}

/* ---- what is sent --------------------------------------------------------------------------- */

static void put_text(struct buf *b, const char *key, const char *value)
{
    if (!value)
        return;
    buf_printf(b, ",\"%s\":", key);
    if (!jsonscan_quote(b, value, strlen(value)))
        buf_puts(b, "null");
}

static void put_raw(struct buf *b, const char *key, struct slice json)
{
    if (!json.text)
        return;
    buf_printf(b, ",\"%s\":", key);
    buf_put(b, json.text, json.len);
}

/* The event; `data` is the output of the execution byte for byte. */
static void build_body(struct buf *b, const struct webhook_delivery *d)
{
    char time[TIME_SIZE], target[IFP_ID_SIZE];

    clock_format_utc(d->created_us, time, sizeof(time));
    buf_puts(b, "{\"id\":");
    jsonscan_quote(b, d->event, strlen(d->event));
    put_text(b, "type", d->type);
    if (d->target != 0) {
        ids_execution_format(d->target, target);
        put_text(b, "executionId", target);
    }
    put_text(b, "workflowId", d->workflow);
    put_text(b, "status", d->status);
    put_raw(b, "data", d->data);
    if (d->error_code) {
        struct buf error;

        buf_init(&error);
        put_text(&error, "message", d->error ? d->error : "");
        buf_puts(b, ",\"error\":{\"code\":");
        jsonscan_quote(b, d->error_code, strlen(d->error_code));
        buf_put(b, error.data, error.len);
        buf_putc(b, '}');
        b->broken = b->broken || buf_broken(&error);
        buf_release(&error);
    }
    put_text(b, "createdAt", time);
    if (d->metadata)
        put_raw(b, "metadata", (struct slice){ d->metadata, strlen(d->metadata) });
    buf_putc(b, '}');
}

static struct buf *add_header(struct attempt *a, const char *name)
{
    struct buf *b = &a->lines[a->header_count++];

    assert(a->header_count <= HEADERS_MAX);
    buf_init(b);
    buf_printf(b, "%s: ", name);
    return b;
}

static int sign(struct attempt *a, const struct webhook_delivery *d)
{
    const char *const *secrets = (const char *const *)a->secrets;
    struct slice body = { a->body.data, a->body.len };
    int64_t now_s = clock_real_us() / 1000000;
    size_t n = (size_t)a->secret_count;
    bool standard = true;
    int rc = sign_header(secrets, n, now_s, body, add_header(a, "x-inferpipe-signature"));

    for (size_t i = 0; i < n; i++)
        standard = standard && sign_secret_ok(secrets[i]);
    if (rc == 0 && standard)
        rc = sign_standard(secrets, n, d->event, now_s, body, add_header(a, "webhook-signature"));
    buf_puts(add_header(a, "webhook-id"), d->event);
    buf_printf(add_header(a, "webhook-timestamp"), "%" PRId64, now_s);
    return rc;
}

static int prepare(struct attempt *a, const struct webhook_delivery *d)
{
    int rc;

    build_body(&a->body, d);
    if (!buf_cstr(&a->body))
        return IFP_ENOMEM;
    rc = sign(a, d);
    buf_puts(add_header(a, "content-type"), "application/json");
    for (int i = 0; i < a->header_count; i++) {
        a->headers[i] = buf_cstr(&a->lines[i]);
        if (!a->headers[i])
            return IFP_ENOMEM;
    }
    a->url = mem_strdup(d->url);
    return rc == 0 && !a->url ? IFP_ENOMEM : rc;
}

/* ---- secrets -------------------------------------------------------------------------------- */

static int add_secret(struct attempt *a, int64_t id, struct slice sealed, struct err *e)
{
    char purpose[PURPOSE_SIZE];
    uint8_t *plain = NULL;
    size_t len = 0;
    int rc;

    client_webhook_purpose(id, purpose, sizeof(purpose));
    rc = secretbox_open(&a->hooks->box, purpose, (const uint8_t *)sealed.text, sealed.len, &plain,
                        &len, e);
    if (rc == 0)
        a->secrets[a->secret_count++] = (char *)plain;
    return rc;
}

/* That of the endpoint or the workspace, else the one of the configuration. */
static int load_secrets(struct attempt *a, const struct webhook_delivery *d, struct err *e)
{
    const char *common = config_text(a->hooks->config, CONFIG_WEBHOOK_SECRET);
    int rc = 0;

    if (d->secret_id == 0 && *common == '\0')
        return err_set(e, IFP_ENOTFOUND,
                       "there is no secret to sign with: `inferpipe webhook secret` makes one");
    if (d->secret_id == 0) {
        a->secrets[0] = mem_strdup(common);
        a->secret_count = a->secrets[0] != NULL;
        return a->secrets[0] ? 0 : err_set(e, IFP_ENOMEM, "out of memory");
    }
    rc = add_secret(a, d->secret_id, d->secret, e);
    if (rc == 0 && d->secret_before.text)
        rc = add_secret(a, d->secret_id, d->secret_before, e);
    return rc;
}

/* ---- the way -------------------------------------------------------------------------------- */

static void send(struct attempt *a)
{
    struct http_client *client;
    struct err e;

    if (hooks_client(a->hooks, &client, &e) != 0) {
        fail(a, ifp_error_name(e.code), IFP_RETRY, e.text);
        return;
    }
    a->call = (struct http_call){
        .url = a->url,
        .headers = a->headers,
        .body = { a->body.data, a->body.len },
        .connect_ms = config_int(a->hooks->config, CONFIG_WEBHOOK_TIMEOUT),
        .total_ms = config_int(a->hooks->config, CONFIG_WEBHOOK_TIMEOUT),
        .trace = async_trace(a->step),
        .done = on_answer,
    };
    http_client_start(client, &a->call);
}

static void on_loaded(struct webhook_op *op, int err, const struct webhook_delivery *d,
                      const struct err *why)
{
    struct attempt *a = CONTAINER_OF(op, struct attempt, op);
    struct err e;
    int rc;

    if (err != 0 || a->canceled) {
        fail(a, err ? ifp_error_name(err) : "CANCELED", IFP_RETRY, err ? why->text : "canceled");
    } else if (d->skip) {
        skip(a, d->skip);
    } else if (!d->url) {
        fail(a, "NO_URL", IFP_FINAL, "the execution has no webhookUrl");
    } else if ((rc = load_secrets(a, d, &e)) != 0) {
        fail(a, "NO_SECRET", rc == IFP_ENOTFOUND ? IFP_FINAL : IFP_RETRY, e.text);
    } else if ((rc = prepare(a, d)) != 0) {
        fail(a, ifp_error_name(rc), IFP_RETRY, "the event could not be signed");
    } else {
        send(a);
    }
}

int hooks_attempt(ifp_step_ctx *step, const ifp_json *input)
{
    struct attempt *a = mem_zalloc(sizeof(*a));
    int rc;

    (void)input;
    if (!a)
        return IFP_ENOMEM;
    a->hooks = async_ctx(step);
    a->step = step;
    buf_init(&a->body);
    webhook_init(&a->op);
    rc = ids_execution_parse(ifp_step_execution(step), &a->delivery);
    assert(rc == 0);
    (void)rc;
    async_on_stop(step, on_stop, a);
    webhook_load(a->hooks->db, &a->op, a->delivery, on_loaded);
    return 0;
}
