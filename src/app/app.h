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

struct ifp_app {
    const char *name;                  /* in texts */
    struct engine_workflow *workflows; /* owned; their texts are in texts */
    size_t workflow_count, workflow_cap;
    struct cronjob *schedules; /* owned; their texts are in texts */
    size_t schedule_count, schedule_cap;
    struct arena texts;
    struct err mistake; /* the first one; code 0: none */
    /* After the engine of a worker was opened; NULL: none. */
    void (*started)(struct loop *l, struct engine *e);
};

#endif
