/*
 * base/sm.h - states as a table of legal moves, with one mover that asserts.
 *
 *   static const struct sm_state run_states[] = {
 *       [RUN_READY] = { "ready", SM_TO(RUN_PASS) }, ...
 *   };
 */
#ifndef BASE_SM_H
#define BASE_SM_H

#include <stdbool.h>
#include <stdint.h>

struct sm_state {
    const char *name;
    uint32_t next; /* set of states that may follow: SM_TO(a) | SM_TO(b) */
};

#define SM_TO(state) (1u << (state))

struct sm {
    const struct sm_state *table; /* borrowed, static */
    int state;
};

void sm_init(struct sm *sm, const struct sm_state *table, int state);
/* Asserts (also in release builds) that the move is in the table. */
void sm_move(struct sm *sm, int to);
bool sm_is(const struct sm *sm, int state);
bool sm_may(const struct sm *sm, int to);
const char *sm_name(const struct sm *sm);

#endif
