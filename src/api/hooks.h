/*
 * api/hooks.h - webhooks out: the workflow inferpipe.webhook, which every worker runs beside those
 * of its program.
 *
 * A delivery is an execution of it, started by the database with the end that it tells of
 * (sql/schema/webhook_end.sql).  Its one step is asynchronous: it loads what is to be sent, signs
 * it and sends it.  Retries, their times and their record are the engine's; a delivery that does
 * not succeed within a day ends with its deadline.  At least once: a worker that dies between the
 * answer and its commit sends the event again, with the same id.  Loop thread only.
 */
#ifndef API_HOOKS_H
#define API_HOOKS_H

#include "base/config.h"
#include "base/secretbox.h"
#include "engine/async.h"
#include "engine/engine.h"
#include "http/client.h"
#include "http/egress.h"
#include "store/webhook.h"

#define HOOKS_WORKFLOW "inferpipe.webhook"
#define HOOKS_QUEUE "inferpipe.webhooks"

struct api_hooks {
    struct loop *loop;           /* borrowed */
    const struct config *config; /* borrowed */
    struct egress *egress;       /* owned */
    struct secretbox box;        /* keys that open secrets; may be none */
    struct webhook_db *db;       /* owned */
    struct http_client *client;  /* owned; NULL until the first delivery */
    span_fn *span;               /* is told of requests; NULL: nobody is.  Set after hooks_open */
    void *span_ctx;
};

/* Checks what the configuration says of it; connects to nothing yet. */
int hooks_open(struct loop *l, const struct config *config, struct api_hooks **ret,
               struct err *e) MUSTCHECK;
/* After the engine has stopped. */
void hooks_close(struct api_hooks *h, loop_fn *closed, void *ctx);
/* The workflow, for the engine; valid as long as `h`. */
struct engine_workflow hooks_workflow(struct api_hooks *h);
/* The client, made when first needed. */
int hooks_client(struct api_hooks *h, struct http_client **ret, struct err *e) MUSTCHECK;
/* One attempt: hooks_deliver.c. */
async_begin_fn hooks_attempt;

#endif
