/*
 * tests/lib/fronttest.h - a front (store/front.h) over a database of its own, or a second one over
 * the same, on a loop that the test runs.
 */
#ifndef TESTS_LIB_FRONTTEST_H
#define TESTS_LIB_FRONTTEST_H

#include "base/config.h"
#include "store/front.h"

struct fronttest {
    struct loop *loop; /* owned by the first; borrowed by others */
    const char *url;
    struct config config; /* to be changed before what reads it is opened */
    struct front *front;  /* owned */
    int closed;           /* counts fronttest_closed */
};

/* `beside` NULL: a new loop and database; else those of that one. */
void fronttest_open(struct fronttest *t, struct fronttest *beside);
void fronttest_set(struct fronttest *t, enum config_id id, const char *value);
/* The others first.  The first one gives the database back. */
void fronttest_close(struct fronttest *t, struct fronttest *beside);
/* A loop_fn that counts; the ctx is the fronttest. */
void fronttest_closed(void *ctx);
/* Until the listener is up: notifications arrive from now on. */
void fronttest_listening(struct fronttest *t);

#endif
