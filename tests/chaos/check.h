/*
 * tests/chaos/check.h - looks at the database of a chaos run: while it lasts, and for the verdict.
 *
 * The connection goes past the proxy and is made anew when the server was restarted.
 */
#ifndef CHAOS_CHECK_H
#define CHAOS_CHECK_H

#include "chaos/cluster.h"

#include <stdbool.h>
#include <stdint.h>

struct check {
    const struct cluster *cluster; /* borrowed */
    struct pg_conn *db;            /* owned; NULL: none */
    int primary;                   /* whose connection it is */
};

/* The first column of the first row; -1 while the server is away. */
int64_t check_int8(struct check *k, const char *sql);
/* Registers the workflow, so that clients need not wait for a worker; loads the table of moves. */
void check_prepare(struct check *k);
/* The control: inferpipe.flush without its fence. */
void check_weaken(struct check *k);
/* What doctor calls an error, now.  Prints and counts it. */
int check_doctor(struct check *k);
/* Loads ledger and history, prints violations and figures; gives the number of violations. */
int check_verdict(struct check *k, const char *ledger, const char *history);
/* A figure of the verdict. */
int64_t check_figure(struct check *k, const char *name);
/* Prints what has not ended. */
void check_show_open(struct check *k);
void check_close(struct check *k);

#endif
