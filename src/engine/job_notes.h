/*
 * engine/job_notes.h - what a step says of itself while it runs: its cost.
 *
 * Written by the step's thread (or several of its own), taken by the loop: under a lock.
 */
#ifndef ENGINE_JOB_NOTES_H
#define ENGINE_JOB_NOTES_H

#include <pthread.h>
#include <stdint.h>

struct ifp_step_ctx;

struct job_notes { /* part of struct ifp_step_ctx */
    pthread_mutex_t lock;
    int64_t tokens, nanos; /* billionths of a dollar */
};

void job_notes_init(struct job_notes *n);
void job_notes_release(struct job_notes *n);
/* Hands what the attempt has said to its run; it leaves with the run's next commit. */
void job_notes_take(struct ifp_step_ctx *job);

#endif
