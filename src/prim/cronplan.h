/*
 * prim/cronplan.h - what callers do to schedules and needs the calendar: the next instant is worked
 * out here, on the caller's machine, from the database's time, as workers do.  Blocking; one thread
 * a client.
 */
#ifndef PRIM_CRONPLAN_H
#define PRIM_CRONPLAN_H

#include "store/client_cron.h"

/* Makes or changes a job, as client_cron_put; job->next_us is found here. */
int cronplan_put(struct client *c, struct cronjob *job, bool paused, bool replace, bool *ret_new,
                 struct err *e) MUSTCHECK;
/* Pauses a schedule, or lets it go on from now.  *ret_changed is false when it was so before. */
int cronplan_pause(struct client *c, const char *name, bool paused, bool *ret_changed,
                   struct err *e) MUSTCHECK;

#endif
