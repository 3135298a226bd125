/*
 * base/fault.h - faults on request, for the tests: fail the n-th allocation, statement or write.
 *
 * A site asks fault_hit(FAULT_ALLOC) and fails when the answer is true.  Nothing armed costs one
 * relaxed atomic load.  Armed by fault_arm, or at start from INFERPIPE_FAULT="alloc:17" (the 17th)
 * or "statement:3+" (the third and all after it).
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/base.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
    FAULT_ALLOC,     /* base/mem.c */
    FAULT_STATEMENT, /* pg/: the connection breaks before the statement is sent */
    FAULT_REPLY,     /* pg/: the connection breaks after it was sent: its outcome is unknown */
    FAULT_WRITE,     /* pg/: the socket takes no more bytes and fails */
    FAULT_KINDS
};

/* Fails the n-th hit from now on (1: the next), with `sticky` all later ones too.  0 disarms. */
void fault_arm(enum fault_kind kind, uint64_t n, bool sticky);
/* Hits seen since the last fault_arm of this kind; only an armed kind counts.  Below `n` it tells
 * a test that its loop is through. */
uint64_t fault_count(enum fault_kind kind);
bool fault_hit(enum fault_kind kind);
int fault_arm_from_env(struct err *e) MUSTCHECK;

#endif
