/*
 * engine/action.h - what a pass of the workflow function ends with, and an attempt that failed.
 */
#ifndef ENGINE_ACTION_H
#define ENGINE_ACTION_H

#include "base/jsonscan.h"
#include "core/journal.h"
#include "core/retry.h"
#include "engine/async.h"
#include "store/flush.h"

#include <inferpipe.h>
#include <stdbool.h>
#include <stdint.h>

enum action_kind {
    ACT_NONE,
    ACT_STEP,
    ACT_SLEEP,
    ACT_RECEIVE,
    ACT_AWAIT,    /* children are to end first */
    ACT_COMMIT,   /* much is to be committed: go on after that */
    ACT_CONTINUE, /* its journal begins anew */
    ACT_END,
    ACT_BACK,  /* give it back to the queue */
    ACT_LEAVE, /* to a newer program: the journal has a patch that this one lacks (patch.h) */
    ACT_AGAIN  /* memory was out: the pass counts for nothing, another one follows */
};

struct action { /* texts: in the pass arena or static */
    enum action_kind kind;
    struct journal_call call;       /* STEP, SLEEP, RECEIVE, CONTINUE, LEAVE */
    ifp_step_fn *fn;                /* STEP */
    ifp_step_tx_fn *tx_fn;          /* STEP, transactional */
    async_begin_fn *begin;          /* STEP, asynchronous */
    const ifp_json *input;          /* STEP, CONTINUE */
    struct retry retry;             /* STEP */
    bool on_loop;                   /* STEP */
    int64_t wait_ms;                /* SLEEP or AWAIT that is new, RECEIVE */
    int64_t wake_us;                /* SLEEP that is recorded; 0: new.  AWAIT; 0: none, or new */
    int64_t end_key;                /* AWAIT: the one end row it needs; 0: `ends` */
    int32_t ends;                   /* AWAIT: how many end rows the journal must have; 0: any */
    int32_t left;                   /* AWAIT: how much of what it names must still end */
    int64_t intent_key;             /* RECEIVE */
    enum flush_status status;       /* END */
    struct slice output;            /* END */
    const char *error_code, *error; /* END, LEAVE */
};

/* A failed attempt that another one follows: recorded with the next commit. */
struct failed_attempt {
    bool set;
    int64_t step_key, delay_ms;
    int32_t seq;
    int attempt;
    const char *code, *text; /* in the keep arena */
};

#endif
