/*
 * engine/plan.h - which live executions the workflows of this program can continue.
 *
 *   live_lanes: what there is -> the unknown ones are counted, they are stranded
 *   page after page: executions, their journals, a rehearsal of each (rehearse.h)
 *
 * What began after the first look is not looked at.  Memory holds a page of executions with a few
 * rows each, and one whole journal; those are bounded as in a worker.
 */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "base/config.h"
#include "engine/engine.h"
#include "store/client.h"

#include <inferpipe.h>

enum { PLAN_VERDICTS = IFP_UNKNOWN + 1 };

struct plan;
struct plan_options {
    const struct config *config;             /* borrowed */
    struct client *client;                   /* borrowed */
    const struct engine_workflow *workflows; /* borrowed */
    size_t workflow_count;
    const char *workflow, *queue; /* borrowed; only these; NULL: all */
    int64_t limit;                /* look at so many at most; 0: at all */
    ifp_plan_fn *found;           /* NULL: nobody wants to know */
    void *ctx;
};

struct plan_line { /* of one version of a workflow */
    const char *workflow, *version;
    int64_t live; /* when plan_run began */
    int64_t verdicts[PLAN_VERDICTS];
};

int plan_open(const struct plan_options *o, struct plan **ret, struct err *e) MUSTCHECK;
void plan_close(struct plan *p); /* NULL is fine */
/* Once.  What `found` gives other than 0 ends it, and is given. */
int plan_run(struct plan *p, struct err *e) MUSTCHECK;
/* By name and version; valid until plan_close. */
size_t plan_lines(const struct plan *p, const struct plan_line **ret);

#endif
