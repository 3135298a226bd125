/*
 * api/hooks.c - the workflow of deliveries and what its attempts share; see the header.
 *
 * The whole policy is in hooks_workflow: exponential backoff from webhook-retry-first to
 * webhook-retry-max, with jitter, for as long as the deadline of the delivery (webhook-retry-for).
 */
#include "api/hooks.h"

#include "base/mem.h"

#include <assert.h>

/* With one host at once, and waiting for it: more fail at once and come again later, so a host that
 * does not answer fills neither the slots of the worker nor the client. */
enum { PER_HOST = 8, PER_HOST_WAITING = 16, ATTEMPT_TIMES = 4 };

static int deliver(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    return async_step(run, "deliver", hooks_attempt, input, ret, NULL);
}

struct engine_workflow hooks_workflow(struct api_hooks *h)
{
    const struct config *c = h->config;

    return (struct engine_workflow){
        .name = HOOKS_WORKFLOW,
        .version = "1",
        .queue = HOOKS_QUEUE,
        .deadline_ms = config_int(c, CONFIG_WEBHOOK_RETRY_FOR),
        .fn = deliver,
        .step = { .attempts = -1,
                  .backoff = IFP_EXPONENTIAL,
                  .delay_ms = config_int(c, CONFIG_WEBHOOK_RETRY_FIRST),
                  .max_delay_ms = config_int(c, CONFIG_WEBHOOK_RETRY_MAX),
                  .jitter = 0.25,
                  /* the database and the turn of the host come before the request */
                  .timeout_ms = ATTEMPT_TIMES * config_int(c, CONFIG_WEBHOOK_TIMEOUT) },
        .ctx = h,
    };
}

int hooks_client(struct api_hooks *h, struct http_client **ret, struct err *e)
{
    struct http_client_options o = {
        .egress = h->egress,
        .per_host = PER_HOST,
        .per_host_waiting = PER_HOST_WAITING,
        .agent = "inferpipe-webhook",
        .span = h->span,
        .span_ctx = h->span_ctx,
    };
    int rc = h->client ? 0 : http_client_open(h->loop, &o, &h->client, e);

    *ret = h->client;
    return rc;
}

static void destroy(struct api_hooks *h)
{
    http_client_close(h->client);
    egress_close(h->egress);
    secretbox_release(&h->box);
    mem_free(h);
}

int hooks_open(struct loop *l, const struct config *config, struct api_hooks **ret, struct err *e)
{
    struct api_hooks *h = mem_zalloc(sizeof(*h));
    int rc;

    if (!h)
        return err_set(e, IFP_ENOMEM, "webhooks: out of memory");
    h->loop = l;
    h->config = config;
    rc = secretbox_init(&h->box, config_text(config, CONFIG_SECRET_KEY), e);
    if (rc == 0)
        rc = egress_open(config_text(config, CONFIG_EGRESS_ALLOW), &h->egress, e);
    if (rc == 0)
        rc = webhook_open(l, config, &h->db, e);
    if (rc != 0) {
        destroy(h);
        return rc;
    }
    *ret = h;
    return 0;
}

void hooks_close(struct api_hooks *h, loop_fn *closed, void *ctx)
{
    struct webhook_db *db = h->db;

    assert(!h->client || http_client_busy(h->client) == 0);
    destroy(h);
    webhook_close(db, closed, ctx);
}
