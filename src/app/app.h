/*
 * app/app.h - an application: its name and the workflows that it can run.
 *
 * Made by the public ifp_app_new and ifp_workflow, run by ifp_main.  A mistake in a registration is
 * kept (the first one) and reported by ifp_main, so that registering needs no checks.
 */
#ifndef APP_APP_H
#define APP_APP_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "engine/engine.h"
#include "store/cronjob.h"

#include <inferpipe.h>
#include <stddef.h>

enum { APP_WORKFLOWS_MAX = 1000, APP_SCHEDULES_MAX = 1000 };

struct app_interceptor;
struct chain;

struct ifp_app {
    const char *name;                  /* in texts */
    struct engine_workflow *workflows; /* owned; their texts are in texts */
    size_t workflow_count, workflow_cap;
    struct cronjob *schedules; /* owned; their texts are in texts */
    size_t schedule_count, schedule_cap;
    struct app_interceptor *interceptors; /* in texts, linked by `next` in their order */
    struct arena texts;
    struct err mistake; /* the first one; code 0: none */
    /* After the engine of a worker was opened; NULL: none. */
    void (*started)(struct loop *l, struct engine *e);
};

/* app_interceptor.c: adds those of the program (a struct ifp_app) to the server's chain. */
int app_interceptor_add(const void *app, struct chain *c, struct err *e) MUSTCHECK;

#endif
