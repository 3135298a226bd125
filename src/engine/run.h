/*
 * engine/run.h - one live execution in this process.
 *
 *   LOADING -> READY -> (pass) -> STEP ---+        the journal is read; passes and steps alternate
 *                |  ^             |       |
 *                |  +-------------+       |
 *                v                        v
 *              DIRTY -> FLIGHT -> STEP, PAUSED, READY, or gone       something is to be committed
 *
 * A pass runs the workflow function from its top.  It ends with one action.  What the pass or the
 * step before it left in the journal is committed together with the action where the action is a
 * write (sleep, receive, end), and before it where the action is a step: so a step never starts
 * before everything that it may have seen is durable.
 *
 * A run is in exactly one list (or its batch's), and moves only by run_move.
 */
#ifndef ENGINE_RUN_H
#define ENGINE_RUN_H

#include "base/list.h"
#include "base/sm.h"
#include "base/traceparent.h"
#include "base/value.h"
#include "core/journal.h"
#include "engine/action.h"
#include "engine/engine.h"
#include "engine/notes.h"
#include "store/flush.h"
#include "store/store.h"

enum run_state {
    RUN_LOADING,  /* its journal is being read */
    RUN_READY,    /* waits for its next pass */
    RUN_STEP,     /* an attempt is under way */
    RUN_BRANCHES, /* attempts of parallel steps are, or wait for their next time */
    RUN_PAUSED,   /* a short sleep or backoff, in memory */
    RUN_HELD,     /* must run alone and waits for the others to leave */
    RUN_DIRTY,    /* has something to commit */
    RUN_FLIGHT,   /* is being committed */
    RUN_GONE,
    RUN_STATES
};

struct compensation;
struct ifp_step_ctx;
struct names;
struct patch;

struct ifp_run {
    struct value_owner owner; /* first; its arena is `pass` */
    struct engine *engine;    /* borrowed */
    struct sm sm;
    struct list link; /* in a list of the engine, of claim or of a batch, by state */
    const struct engine_workflow *workflow; /* borrowed */
    ifp_step_options step_defaults;         /* of its steps */
    int64_t exec_id, created_us;
    int32_t fence, lane;
    int16_t shard, prio;
    bool alone, canceled, expired;
    uint64_t seed;
    char id[IFP_ID_SIZE];
    struct traceparent trace; /* in which it was started; its own span follows from its id */
    char trace_id[TRACE_ID_SIZE];
    struct arena keep, pass; /* as long as the run; until its next pass */
    const ifp_json *input;   /* in keep */
    struct journal journal;  /* in keep */
    int64_t load_after;      /* LOADING: the last step key that was read */
    int load_rows;           /* LOADING: rows of the present page */
    bool load_sent;          /* LOADING: it is part of the read in flight */
    struct timer timer;      /* STEP: end of the attempt's time; PAUSED: end of the pause */
    struct timer deadline;
    struct ifp_step_ctx *job; /* borrowed; the attempt under way while STEP */
    struct action action;
    struct failed_attempt failure;
    struct notes notes;
    struct list branches;  /* struct branch: parallel steps that have not ended (branch.h) */
    struct list ends;      /* in engine->ends.runs while it waits for children beside them */
    uint32_t ends_from;    /* where the next question about those begins */
    uint32_t awaits;       /* numbers the waits */
    int spawned;           /* children started since the last commit */
    int unkept;            /* the outcome of one could not be kept: why */
    bool settling, beside; /* branches are being started; the commit in flight keeps the run */
    int suspect; /* it may be what made a batch fail: at most so many go together; 0: no */
    bool parks;  /* the commit in flight parks it: it leaves this process */
    int locked;  /* how often in a row another transaction held its row */

    /* of the present pass: replay.c */
    int32_t seq;
    uint64_t randoms;
    struct names *names;
    struct patch *patches;              /* in pass: the answers of ifp_patched */
    int32_t missed;                     /* the recorded patch that it did not ask for; 0: none */
    struct compensation *compensations; /* in pass, the newest first: unwind.c */
    int stop;                /* what a call that would wait gives instead; 0: it may wait */
    int32_t begun;           /* the highest call that had begun something */
    int32_t stop_sleep;      /* the sleep that was under way when that was met; 0: none */
    bool stopped, unwinding; /* a call has given it; the function is over, compensations run */
    bool fatal;              /* a call could not be made: call_fatal */
    ifp_error_info error;
};

/* What names a run in a log line. */
#define LOG_RUN(run) LOG_STR("execution", (run)->id), LOG_STR("trace_id", (run)->trace_id)

/* A run of that row, LOADING and in no list yet, without workflow and input; NULL when memory is
 * out.  run_free when it never came into one. */
struct ifp_run *run_new(struct engine *e, const struct store_claimed *row) MUSTCHECK;
void run_free(struct ifp_run *run);
/* A claimed row becomes a run (LOADING when it has a journal, else READY).  A run of the same
 * execution with an older fence is dropped; with the same fence the row is ignored. */
int run_adopt(struct engine *e, const struct store_claimed *row, struct ifp_run **ret) MUSTCHECK;
void run_move(struct ifp_run *run, enum run_state to);
void run_pass(struct ifp_run *run); /* one pass and what follows from it */
/* What follows when the commit of the present action was acknowledged. */
void run_committed(struct ifp_run *run, const struct flush_answer *answer);
/* The attempt under way has ended: replies to job.c. */
void run_attempt_done(struct ifp_run *run, struct ifp_step_ctx *job);
/* The attempt under way has stopped beating: it is left behind, and has failed. */
void run_attempt_silent(struct ifp_run *run);
/* What an execution fails with whose input, or whose journal with what happened, has no room. */
#define INPUT_FULL "the input is over the limit of this worker (run-memory)"
#define JOURNAL_FULL                                                                               \
    "the journal is over its limit (journal-max or run-memory): ifp_continue_as_new begins "       \
    "another"
/* The execution ends, whatever it was doing: commits status and error. */
void run_fail(struct ifp_run *run, const char *code, const char *text);
void run_cancel(struct ifp_run *run);
/* Leaves a wait in memory early, for a pass that looks at the marks; else does nothing. */
void run_wake(struct ifp_run *run);
void run_act(struct ifp_run *run); /* carries out the pass's action; there are no branches */
/* Forgets the run: it is not ours any more.  A step under way is told and left to itself. */
void run_drop(struct ifp_run *run);
/* Nothing but a hand-back is left to do for it. */
void run_give_back(struct ifp_run *run);

#endif
