/*
 * tests/chaos/plan.h - what one execution is to do, drawn at random: the input of the workflow
 * "plan" (tests/chaos/worker.c), and what its client has to do for it.
 */
#ifndef CHAOS_PLAN_H
#define CHAOS_PLAN_H

#include "chaos/draw.h"

#include <stdbool.h>

enum { PLAN_TEXT = 512, PLAN_WAITS = 8, PLAN_NAME = 24 };
enum plan_end { PLAN_COMPLETES, PLAN_FAILS, PLAN_ENDLESS };

struct plan_wait {
    char name[PLAN_NAME];
    bool must; /* it waits without end: somebody has to send */
};

struct plan {
    char text[PLAN_TEXT]; /* JSON */
    enum plan_end end;    /* ENDLESS: somebody has to cancel it */
    struct plan_wait waits[PLAN_WAITS];
    int wait_count;
    char narrow_key[PLAN_NAME]; /* "": the default queue; else a key of the queue "narrow" */
};

/* `slow`: one step that outlives a lease, for the control. */
void plan_make(struct plan *p, struct draw *d, bool slow);
const char *plan_end_name(enum plan_end end);

#endif
