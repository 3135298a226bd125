/*
 * engine/branch.h - parallel steps: several attempts of one execution under way at once.
 *
 *   WANTED -> LIVE -> (its row) gone          started when all that came before is committed
 *      ^       |
 *      +-------+ BACKOFF                      a failed attempt that another one follows
 *
 * While a run has branches its passes still end with one action, but nothing parks: sleeps and
 * waits stay in memory (RUN_BRANCHES), commits keep the run, and a step that the function calls
 * meanwhile becomes a branch too.  Only when no attempt is under way and nothing is to be written
 * does the run leave memory, until the earliest of what it waits for.
 *
 * What ends while a commit is in flight is taken in when the commit is answered: the journal does
 * not change under a commit, and what came together leaves together.  A new pass runs when what
 * the function waits for can be there, not for each end.
 */
#ifndef ENGINE_BRANCH_H
#define ENGINE_BRANCH_H

#include "base/list.h"
#include "engine/run.h"
#include "loop/loop.h"
#include "store/flush.h"

struct branch {               /* in the keep arena of its run */
    struct list link;         /* in run->branches, until its row is in the journal */
    struct ifp_run *run;      /* borrowed */
    struct action order;      /* what to run: its texts and input are in the keep arena */
    struct ifp_step_ctx *job; /* borrowed; the attempt under way, or one that waits for a commit */
    struct timer timer;       /* LIVE: end of the attempt's time */
    struct failed_attempt failure; /* to be written with the next commit */
    int64_t next_us;               /* BACKOFF: when the next attempt is due; 0: at once */
};

/* A new branch for this order, which it copies; IFP_ENOMEM. */
int branch_add(struct ifp_run *run, const struct action *order, struct branch **ret) MUSTCHECK;
bool branch_any(const struct ifp_run *run);
/* An attempt is under way. */
bool branch_live(const struct ifp_run *run);
/* Forgets all of them; attempts under way are left to themselves. */
void branch_drop(struct ifp_run *run);
/* Tells all attempts to stop; their results still count. */
void branch_cancel(struct ifp_run *run);
/* The attempt has ended: takes its outcome in, or leaves it for the answer of the commit in flight
 * (false: the job is still needed). */
bool branch_done(struct branch *b, struct ifp_step_ctx *job);

/* Its attempt gave no sign of life: it is left behind and fails.  False: not now, a commit is in
 * flight. */
bool branch_silent(struct branch *b) MUSTCHECK;

/* The failed attempts, for the run that was added to the flush last. */
void branch_fill(struct ifp_run *run, struct flush *flush);
/* The commit was acknowledged: backoffs begin. */
void branch_committed(struct ifp_run *run);
/* Carries out the pass's action beside the branches, after a pass or a commit that kept the run. */
void branch_act(struct ifp_run *run);
/* In RUN_BRANCHES: something may be possible now. */
void branch_wake(struct ifp_run *run);
/* True when an outcome could not be kept: the run has ended here, handed back or failed. */
bool branch_give_up(struct ifp_run *run);

#endif
