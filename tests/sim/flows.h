/*
 * tests/sim/flows.h - what the workers run: one workflow that interprets a program of letters.
 *
 *   w  a step on the pool          i  a step on the loop        s  a sleep
 *   r  waits for a message "go"    t  waits for a message that never comes, for 700 ms
 *   x  a transactional step        h  waits until it is canceled
 *   n  continues as new with the letters behind it
 *
 * Each step gives a number that no other body gives.  The output nests all results in order, so it
 * shows what the workflow saw (of its last generation).
 */
#ifndef TESTS_SIM_FLOWS_H
#define TESTS_SIM_FLOWS_H

#include "engine/engine.h"

#include <stddef.h>

enum { FLOWS_PROGRAM_MAX = 10 };

const struct engine_workflow *flows_all(size_t *ret_count);
void flows_open(void); /* before a schedule */
/* A program of at most that many letters, and the input that runs it.  `hangs`: it ends with h. */
void flows_draw(bool hangs, char program[FLOWS_PROGRAM_MAX], char *input, size_t size);

#endif
