/*
 * tests/chaos/clients.h - the clients of a run: threads that start executions under keys, send the
 * messages that these wait for, cancel some, look at others, and write down what they were told.
 *
 * The history is a file outside of PostgreSQL, one line each (its columns: tests/chaos/checks.sql).
 * What a client intends is written before it tries; what was acknowledged, after.  What was not
 * acknowledged is tried again until it is: with the same key or dedupe text that must be harmless.
 */
#ifndef CHAOS_CLIENTS_H
#define CHAOS_CLIENTS_H

#include "chaos/proxy.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CLIENTS = 4 };

struct clients;

/* `slow`: a few executions of long steps, for the control. */
struct clients *clients_open(struct proxy *p, uint64_t seed, bool slow, FILE *history);
int clients_link(const struct clients *c, int client);
/* No new executions; what is open is brought to its end. */
void clients_finish(struct clients *c);
/* How many executions still need something from their client. */
int clients_open_work(struct clients *c);
/* Every client looks at all that it started once more. */
void clients_look_back(struct clients *c);
/* Calls that failed and were tried again. */
int64_t clients_retries(struct clients *c);
/* Ends the threads. */
void clients_close(struct clients *c);

#endif
