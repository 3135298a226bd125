/*
 * store/client_cron.h - what callers do to schedules, over a blocking connection (store/client.h).
 * Names are slugs; a schedule of another workspace is IFP_ENOTFOUND.
 */
#ifndef STORE_CLIENT_CRON_H
#define STORE_CLIENT_CRON_H

#include "store/client.h"
#include "store/cronjob.h"

/* The database's time, to compute next_us from. */
int client_cron_now(struct client *c, int64_t *ret_us, struct err *e) MUSTCHECK;
/* Makes a job or, with `replace`, changes it (then `paused` counts for a new one alone).
 * IFP_ECONFLICT: there is one of that name.  *ret_new: it was made. */
int client_cron_put(struct client *c, const struct cronjob *job, bool paused, bool replace,
                    bool *ret_new, struct err *e) MUSTCHECK;
/* Pauses it, or lets it go on with next_us; schedule and timezone are those that next_us was
 * computed from: IFP_ECONFLICT when they are no longer its own. */
int client_cron_pause(struct client *c, const struct cronjob *job, bool paused, bool *ret_changed,
                      struct err *e) MUSTCHECK;
/* Starts an execution now. */
int client_cron_trigger(struct client *c, const char *name, int64_t *ret_id,
                        struct err *e) MUSTCHECK;
int client_cron_delete(struct client *c, const char *name, struct err *e) MUSTCHECK;

struct client_cron_row { /* texts are borrowed for the call; NULL and 0: none */
    const char *name, *schedule, *timezone, *workflow, *version, *queue, *input, *overlap, *catchup,
        *program, *last_outcome;
    int priority, catchup_max, waiting;
    bool paused, declared;
    int64_t jitter_ms, next_ms, last_ms, created_ms;
};
typedef int client_cron_row_fn(void *ctx, const struct client_cron_row *row);
/* By name; `name` NULL: all.  A negative answer of `row` ends it. */
int client_cron_list(struct client *c, const char *name, client_cron_row_fn *row, void *ctx,
                     struct err *e) MUSTCHECK;

struct client_cron_tick {
    int64_t scheduled_ms, fired_ms, duration_ms; /* duration -1: not known */
    const char *outcome, *id, *status, *error_code;
    bool manual;
};
typedef int client_cron_tick_fn(void *ctx, const struct client_cron_tick *tick);
/* Newest first; IFP_ENOTFOUND when there is no such schedule. */
int client_cron_history(struct client *c, const char *name, int limit, client_cron_tick_fn *tick,
                        void *ctx, struct err *e) MUSTCHECK;

#endif
