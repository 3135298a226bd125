/*
 * store/client_webhook.h - what callers do to webhooks, over a blocking connection
 * (store/client.h).  An endpoint of another workspace is IFP_ENOTFOUND.
 *
 * Secrets are sealed with the key of the installation (base/secretbox.h) before they are sent, and
 * leave this file in clear only from client_webhook_create and client_webhook_rotate.
 */
#ifndef STORE_CLIENT_WEBHOOK_H
#define STORE_CLIENT_WEBHOOK_H

#include "store/client.h"

enum { CLIENT_WEBHOOK_ID_SIZE = 20, CLIENT_WEBHOOK_SECRET_SIZE = 64 };
/* Bits of `events`. */
enum { WEBHOOK_COMPLETED = 2, WEBHOOK_FAILED = 4, WEBHOOK_CANCELED = 8, WEBHOOK_ALL = 14 };

/* "whk_..." and back; IFP_EINVALID for anything else. */
void client_webhook_id_format(int64_t id, char ret[CLIENT_WEBHOOK_ID_SIZE]);
int client_webhook_id_parse(const char *text, int64_t *ret, struct err *e) MUSTCHECK;
/* "execution.completed" -> 2; 0: no such event. */
int client_webhook_event(const char *name, size_t len);
/* What the seal of a secret is bound to. */
void client_webhook_purpose(int64_t id, char *ret, size_t size);

struct client_webhook {   /* to make or change one */
    const char *url;      /* NULL: unchanged; making one: the workspace's own secret */
    const char *workflow; /* NULL: unchanged, or all; "": all */
    int events;           /* 0: unchanged, or all */
    int enabled;          /* -1: unchanged */
};
/* Seals with `keys` (CONFIG_SECRET_KEY).  `secret` is for the caller's eyes, once. */
int client_webhook_create(struct client *c, const struct client_webhook *w, const char *keys,
                          int64_t *ret_id, char secret[CLIENT_WEBHOOK_SECRET_SIZE],
                          struct err *e) MUSTCHECK;
int client_webhook_change(struct client *c, int64_t id, const struct client_webhook *w,
                          struct err *e) MUSTCHECK;
/* The secret before signs as well for overlap_ms.  id 0: the workspace's own, made when it has none
 * yet. */
int client_webhook_rotate(struct client *c, int64_t id, int64_t overlap_ms, const char *keys,
                          char secret[CLIENT_WEBHOOK_SECRET_SIZE], struct err *e) MUSTCHECK;
int client_webhook_delete(struct client *c, int64_t id, struct err *e) MUSTCHECK;
/* Start a delivery each. */
int client_webhook_redeliver(struct client *c, int64_t id, int64_t delivery, int64_t *ret_delivery,
                             struct err *e) MUSTCHECK;
int client_webhook_ping(struct client *c, int64_t id, int64_t *ret_delivery,
                        struct err *e) MUSTCHECK;

struct client_webhook_row { /* texts are borrowed for the call; NULL and 0: none */
    int64_t id;
    const char *url, *workflow, *disabled_why;
    int events;
    bool rotating;
    int64_t created_ms, disabled_ms;
};
typedef int client_webhook_row_fn(void *ctx, const struct client_webhook_row *row);
/* By creation; id 0: all.  IFP_ENOTFOUND for an id that is not there. */
int client_webhook_list(struct client *c, int64_t id, client_webhook_row_fn *fn, void *ctx,
                        struct err *e) MUSTCHECK;

struct client_webhook_try {
    int64_t id, target;                                     /* executions; target 0: a test */
    const char *event, *type, *status, *error_code, *error; /* error: of the last attempt */
    int attempts;
    int64_t created_ms, finished_ms, next_ms;
};
typedef int client_webhook_try_fn(void *ctx, const struct client_webhook_try *row);
/* Newest first, with ids under `before` (0: all), at most limit; id 0: those to the webhookUrl of
 * executions. */
int client_webhook_deliveries(struct client *c, int64_t id, int64_t before, int limit,
                              client_webhook_try_fn *fn, void *ctx, struct err *e) MUSTCHECK;

#endif
