/*
 * api/runs_start.h - a start as a client writes it: the fields of its body, their rules, and what
 * they become in the database.  One start and each item of a bulk start are read alike.
 */
#ifndef API_RUNS_START_H
#define API_RUNS_START_H

#include "api/body.h"
#include "api/caller.h"
#include "store/starts.h"

enum run_mode { RUN_ASYNC, RUN_SYNC, RUN_STREAM };

struct run_wanted {
    const char *workflow; /* of a bulk start; else from the path */
    struct slice input;
    int mode;
    int64_t timeout_ms; /* 0: not said */
    struct slice metadata;
    const char *idempotency_key, *webhook_url, *queue, *version, *queue_key;
    int64_t attempts; /* -1: not said */
    int backoff;
    int64_t max_delay_ms;  /* -1: not said */
    const char *parent_id; /* of its trace */
    struct slice tags;
    int64_t priority, run_at_us, delay_ms, deadline_ms;
    const char *message;
    struct slice payload;
};

struct run_limits {
    int64_t payload_max, sync_max_ms;
};

/* Reads and checks; IFP_EINVALID with what is wrong in b. */
int runs_start_read(struct body *b, struct slice json, const char *at, bool bulk,
                    const struct run_limits *limits, struct run_wanted *ret,
                    struct err *e) MUSTCHECK;
/* Fills the start from what was read; `key` is its idempotency key or NULL. */
int runs_start_fill(struct arena *a, const struct run_wanted *wanted, const struct caller *caller,
                    const char *key, const char *traceparent, struct start *ret,
                    struct err *e) MUSTCHECK;

#endif
