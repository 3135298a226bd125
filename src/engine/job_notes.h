/*
 * engine/job_notes.h - what a step says of itself while it runs: its cost, events, progress, and
 * that it is alive.
 *
 * Written by the step's thread (or several of its own), taken by the loop: under a lock.  A step
 * that emits faster than the database takes it waits for room; one that stops beating is left
 * behind by its run, like one whose time is over.
 */
#ifndef ENGINE_JOB_NOTES_H
#define ENGINE_JOB_NOTES_H

#include "base/base.h"
#include "base/list.h"
#include "loop/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ifp_step_ctx;
struct note;

struct job_notes { /* part of struct ifp_step_ctx */
    pthread_mutex_t lock;
    pthread_cond_t room;   /* some of `bytes` were taken, or nobody takes them any more */
    struct list events;    /* of struct note, owned */
    size_t bytes;          /* of their data */
    int32_t known;         /* events of the execution before these */
    bool cut;              /* no run takes anything any more */
    int64_t tokens, nanos; /* billionths of a dollar */
    struct note *progress; /* owned; the newest */
    bool progress_new;     /* not handed on yet */
    atomic_llong beat_us;  /* the last sign of life; 0: the body has not begun */
    struct timer pulse;
};

void job_notes_init(struct ifp_step_ctx *job);
void job_notes_release(struct ifp_step_ctx *job);
/* The body begins: from here on it has to beat. */
void job_notes_begin(struct ifp_step_ctx *job);
/* Looks for beats while the attempt runs; IFP_ENOMEM when it cannot. */
int job_notes_watch(struct ifp_step_ctx *job) MUSTCHECK;
/* Hands what the attempt has said to its run. */
void job_notes_take(struct ifp_step_ctx *job);
/* The same for the last time: the attempt has ended, or its run goes on without it.  What progress
 * it had made is there for the next attempt. */
void job_notes_end(struct ifp_step_ctx *job);

#endif
