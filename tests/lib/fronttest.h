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
    struct front_sub sub; /* of fronttest_hear */
    int listening;        /* how often the channel came up */
    char heard[256];      /* the last payload */
};

/* `beside` NULL: a new loop and database; else those of that one. */
void fronttest_open(struct fronttest *t, struct fronttest *beside);
void fronttest_set(struct fronttest *t, enum config_id id, const char *value);
/* The others first.  The first one gives the database back. */
void fronttest_close(struct fronttest *t, struct fronttest *beside);
/* A loop_fn that counts; the ctx is the fronttest. */
void fronttest_closed(void *ctx);
/* Subscribes to the channel, before what is under test does, and waits until notifications on it
 * arrive. */
void fronttest_hear(struct fronttest *t, const char *channel);
/* Until the last notification had this payload; what is under test has heard of it, too. */
void fronttest_until_heard(struct fronttest *t, const char *payload);

#endif
