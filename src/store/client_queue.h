/*
 * store/client_queue.h - queues over the blocking connection of store/client.h: what they hold,
 * their limits, pause and resume.
 */
#ifndef STORE_CLIENT_QUEUE_H
#define STORE_CLIENT_QUEUE_H

#include "store/client.h"

enum client_queue_limit { /* in the order of the parameters of inferpipe.limit */
                          QUEUE_CONCURRENCY,
                          QUEUE_RATE,
                          QUEUE_PERIOD_MS,
                          QUEUE_BURST,
                          QUEUE_KEY_CONCURRENCY,
                          QUEUE_KEY_RATE,
                          QUEUE_KEY_PERIOD_MS,
                          QUEUE_KEY_BURST,
                          QUEUE_KEY_WINDOW,
                          QUEUE_WAITING_MAX,
                          QUEUE_LIMITS
};
enum { QUEUE_UNSET = -1 };

struct client_queue { /* texts die with the callback */
    const char *name;
    bool paused;
    int64_t used;                          /* in the hands of workers, of a limited queue */
    int64_t ready, running, waiting, slot; /* slot: of `waiting`, for a place of their key */
    int64_t oldest_ms;                     /* since when the oldest ready one is; 0: none */
    int64_t limits[QUEUE_LIMITS];          /* QUEUE_UNSET: no such limit */
};
typedef void client_queue_fn(void *ctx, const struct client_queue *q);

/* Calls `each` for the queues of the workspace by name; with `name` for that one
 * (IFP_ENOTFOUND). */
int client_queue_list(struct client *c, const char *name, client_queue_fn *each, void *ctx,
                      struct err *e) MUSTCHECK;
/* QUEUE_UNSET leaves a limit as it is, 0 removes it. */
int client_queue_limit(struct client *c, const char *name, const int64_t limits[QUEUE_LIMITS],
                       struct err *e) MUSTCHECK;
int client_queue_pause(struct client *c, const char *name, bool paused, struct err *e) MUSTCHECK;
/* Takes all limits away; *ret_gone: the queue is gone altogether. */
int client_queue_delete(struct client *c, const char *name, bool *ret_gone,
                        struct err *e) MUSTCHECK;

#endif
