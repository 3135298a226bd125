/*
 * store/roster.h - a worker tells what it runs and what its clock shows, for people to see.
 */
#ifndef STORE_ROSTER_H
#define STORE_ROSTER_H

#include "store/store.h"

/* On the control connection, after a heartbeat; repeating it does no harm. */
void roster_tell(struct store_op *op, int64_t worker, const struct store_workflow *w, size_t n,
                 store_done_fn *done);

#endif
