/*
 * base/sm.c - the one mover of all state tables.  A move that is not in the table is a bug, and the
 * process ends there rather than go on in a state that nobody thought of.  Keeps no state itself.
 */
#include "base/sm.h"

#include "base/log.h"

#include <assert.h>
#include <stddef.h>

void sm_init(struct sm *sm, const struct sm_state *table, int state)
{
    assert(table != NULL && state >= 0 && state < 32);
    assert(table[state].name != NULL);
    sm->table = table;
    sm->state = state;
}

void sm_move(struct sm *sm, int to)
{
    if (!sm_may(sm, to))
        LOG_ERROR("a move that is not in the table", LOG_STR("from", sm_name(sm)),
                  LOG_STR("to", sm->table[to].name));
    assert(sm_may(sm, to));
    assert(sm->table[to].name != NULL);
    sm->state = to;
}

bool sm_is(const struct sm *sm, int state)
{
    return sm->state == state;
}

bool sm_may(const struct sm *sm, int to)
{
    assert(to >= 0 && to < 32);
    return (sm->table[sm->state].next & SM_TO(to)) != 0;
}

const char *sm_name(const struct sm *sm)
{
    return sm->table[sm->state].name;
}
