/*
 * core/moves.h - the states of a live execution in the database, and the moves that are legal.
 *
 *            claim                       end
 *   READY ----------> RUNNING ------------------> (gone: a result)
 *     ^  ^              | | |
 *     |  +--- released -+ | +-- park --> TIMER, MESSAGE, RETRY, CHILD, SLOT
 *     |       handed back |                 |
 *     +-------------------+<--- wake -------+   (a claim takes a due one straight to RUNNING)
 *
 * This table is the rule.  The SQL functions are the only ones who move; in the test database an
 * audit trigger compares every move that they make with this table.
 */
#ifndef CORE_MOVES_H
#define CORE_MOVES_H

#include <stdbool.h>

/* The numbers are those of _inferpipe_runs.state. */
enum moves_state {
    MOVES_NONE = -1, /* no row: before the start, after the end */
    MOVES_READY = 0,
    MOVES_RUNNING = 1,
    MOVES_TIMER = 2,
    MOVES_MESSAGE = 3,
    MOVES_RETRY = 4,
    MOVES_CHILD = 6,
    MOVES_SLOT = 7
};

struct moves_rule {
    enum moves_state from, to;
    const char *by; /* what makes the move */
};

extern const struct moves_rule moves_rules[];
extern const int moves_count;

bool moves_legal(enum moves_state from, enum moves_state to);
const char *moves_name(enum moves_state state);

#endif
