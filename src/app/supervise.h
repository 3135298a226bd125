/*
 * app/supervise.h - keeps N worker processes running, on the loop.
 *
 * Each child is `PROGRAM COMMAND [FLAG] --processes 1` with a fresh worker id in
 * INFERPIPE_WORKER_ID.  One that dies is marked dead in the database at once (a hint: others would
 * find out by themselves) and started again after a pause: 100 ms, doubled up to 5 s, back to
 * 100 ms once one has lived for 10 s.  A child that ends with a usage error, something not found or
 * a refusal (exit codes 2 to 4), or that cannot be run, would do so again: then all are stopped.
 */
#ifndef APP_SUPERVISE_H
#define APP_SUPERVISE_H

#include "base/base.h"
#include "base/config.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct supervise;

struct supervise_options {
    const char *program;         /* borrowed: path to execute */
    const char *name;            /* borrowed: its argv[0] */
    const char *command;         /* borrowed: "worker" or "serve" */
    const char *flag;            /* borrowed: one more word for it; NULL: none */
    const struct config *config; /* borrowed */
    /* Once, from the loop, when all children have ended: 0, or the exit code to end with. */
    void (*stopped)(void *ctx, int exit_code);
    void *ctx;
};

/* Puts the settings in `config` that come from flags or a file into this process's environment:
 * programs that it starts take them from there. */
int supervise_export(const struct config *config, struct err *e) MUSTCHECK;
/* Exports the settings, then starts the children. */
int supervise_open(struct loop *l, const struct supervise_options *o, struct supervise **ret,
                   struct err *e) MUSTCHECK;
/* How many of its running children have said that they are ready. */
int supervise_ready(struct supervise *s);
/* Whether this process is such a child; until it has said that it is ready. */
bool supervise_is_child(void);
/* In a child: says so to the supervisor; no supervisor is fine.  Once. */
void supervise_tell_ready(void);
/* Whether one of its running children is the worker with this id. */
bool supervise_has(const struct supervise *s, int64_t worker);
/* For the owner's SIGCHLD handler: looks after the children, and at no other process. */
void supervise_reap(struct supervise *s);
/* SIGHUP to all. */
void supervise_reload(struct supervise *s);
/* SIGTERM to all, SIGKILL 5 s after the drain time; with `now` SIGKILL at once.  Twice is fine. */
void supervise_stop(struct supervise *s, bool now);
/* After `stopped`; NULL is fine. */
void supervise_close(struct supervise *s);

#endif
