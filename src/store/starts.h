/*
 * store/starts.h - starts of executions by group commit: all that came while the last batch was on
 * its way go together, and each still succeeds or is refused alone.
 *
 * An acknowledged start is durable.  A lost answer is asked for again with the same ids, so it
 * makes nothing twice and needs no key; only when the database stays away the end is
 * IFP_EUNAVAILABLE, with `unknown` set when it may have started.  Loop thread only.
 */
#ifndef STORE_STARTS_H
#define STORE_STARTS_H

#include "base/jsonscan.h"
#include "store/front.h"

enum { STARTS_FLAG_AWAITED = 64, STARTS_FLAG_WEBHOOK = 128 };

struct starts;
struct start;
/* err 0, or IFP_E* with its text in e; from the loop, never from inside starts_add. */
typedef void start_done_fn(struct start *s, int err, const struct err *e);

/* One start; texts are borrowed until it is done, and were checked before. */
struct start {
    struct list link; /* in starts, or in its batch */
    int32_t workspace_id;
    const char *workflow;
    const char *version, *queue; /* NULL: the newest, the workflow's */
    struct slice input;
    int16_t prio, flags;
    int64_t delay_ms, run_at_us; /* 0: none */
    int64_t deadline_ms;         /* 0: the workflow's; -1: none */
    const char *key;             /* NULL: none */
    struct slice extra;          /* what must be equal beside workflow and input, under one key */
    struct slice metadata;       /* these may have text NULL */
    const char *traceparent, *queue_key;
    struct slice options;
    const char *message; /* first message; NULL: none */
    struct slice payload;
    start_done_fn *done;
    /* The answer: */
    int64_t exec_id;
    bool created; /* false: its key had started it before */
    bool unknown; /* with an error: it may have been started all the same */
    /* Of starts.c alone: */
    int64_t seed;
    int most, tries; /* so many go together at most */
};

int starts_open(struct front *f, struct starts **ret, struct err *e) MUSTCHECK;
/* What is not done yet ends with IFP_ECANCELED, before this returns; the front may be closed next,
 * and only then `closed` comes. */
void starts_close(struct starts *s, loop_fn *closed, void *ctx);
/* Over CONFIG_DB_QUEUE waiting ones it ends with IFP_ERATELIMITED. */
void starts_add(struct starts *s, struct start *start);
/* When an execution with this id was made: microseconds since 1970. */
int64_t starts_created_us(int64_t exec_id);

#endif
