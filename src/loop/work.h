/*
 * loop/work.h - a bounded pool of threads for code that may block.
 *
 * work_start queues; `run` is called on a pool thread and then `done` on the loop thread, exactly
 * once.  Finished work comes back in batches (one wake-up of the loop for many).  Threads are
 * started when needed, up to the limit, with all signals blocked.
 */
#ifndef LOOP_WORK_H
#define LOOP_WORK_H

#include "base/base.h"
#include "base/err.h"
#include "base/list.h"
#include "loop/loop.h"

#include <stdbool.h>

struct work_pool;

struct work {
    struct list link;             /* in the pool's queue or done list */
    void (*run)(struct work *w);  /* pool thread */
    void (*done)(struct work *w); /* loop thread */
};

/* 1 to 512 threads with `stack_bytes` each (0: the system's default). */
int work_pool_open(struct loop *l, int threads, size_t stack_bytes, struct work_pool **ret_pool,
                   struct err *e) MUSTCHECK;
/* Waits for running and queued work; their `done` is called before this returns.  NULL is fine. */
void work_pool_close(struct work_pool *p);
/* Abandons threads that still run user code: for a process that is about to _exit. */
void work_pool_abandon(struct work_pool *p);
void work_start(struct work_pool *p, struct work *w);
/* Takes queued work back before a thread has it: true, and neither callback comes. */
bool work_cancel(struct work_pool *p, struct work *w);
/* Any thread: `poked` (set once, before the first work) is called on the loop soon; calls may fall
 * together. */
void work_on_poke(struct work_pool *p, loop_fn *poked, void *ctx);
void work_poke(struct work_pool *p);
int work_pool_busy(const struct work_pool *p); /* queued and running */

#endif
