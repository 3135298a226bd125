/*
 * store/start_local.h - executions that this worker starts and runs itself at once: one statement,
 * no claim.  Read the answer with store_claimed_at.  A lost answer is like that of a claim: what
 * was made is ours, store_owned finds it.
 */
#ifndef STORE_START_LOCAL_H
#define STORE_START_LOCAL_H

#include "store/store.h"

/* n executions with one input, of at most the inline limit. */
void start_local_send(struct store_op *op, int64_t worker, const struct store_workflow *workflow,
                      struct slice input, size_t n, store_done_fn *done);

#endif
