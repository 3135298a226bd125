/*
 * store/cronjob.h - a schedule as a caller writes it: checked, and added to a statement's
 * parameters. What the expression and the zone mean is not known here; `next_us` is computed by
 * the caller.
 */
#ifndef STORE_CRONJOB_H
#define STORE_CRONJOB_H

#include "base/base.h"
#include "base/err.h"
#include "pg/pgargs.h"

#include <inferpipe.h>
#include <stddef.h>
#include <stdint.h>

enum { CRONJOB_INPUT_MAX = 16384, CRONJOB_CATCHUP_MAX = 1000 };

struct cronjob {
    const char *name, *schedule, *workflow; /* borrowed, as the texts of `o` */
    ifp_cron_options o;
    int64_t next_us; /* since 1970 */
};

/* Puts the defaults where nothing is said. */
void cronjob_defaults(struct cronjob *job);
/* Names, ranges and the input; IFP_EINVALID names the field and the rule.  After the defaults. */
int cronjob_check(const struct cronjob *job, struct err *e) MUSTCHECK;
/* The parameters of cron_declare behind p_program, a column of all jobs each. */
void cronjob_add_all(struct pgargs *args, const struct cronjob *jobs, size_t n);

#endif
