/*
 * store/child_ends.h - asks which children have ended, for parents that stay in memory.
 */
#ifndef STORE_CHILD_ENDS_H
#define STORE_CHILD_ENDS_H

#include "store/store.h"

/* The end rows under `key[i]` of the journal of `exec[i]`, those that are there; each is read with
 * store_journal_at.  n is at least 1. */
void child_ends_read(struct store_op *op, const int64_t *exec, const int64_t *key, size_t n,
                     store_done_fn *done);

#endif
