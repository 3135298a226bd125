/* core/moves.c - the table of legal moves; see the header for the picture. */
#include "core/moves.h"

const struct moves_rule moves_rules[] = {
    { MOVES_NONE, MOVES_READY, "start, retry by hand" },
    { MOVES_NONE, MOVES_RUNNING, "start by a worker for itself" },
    { MOVES_READY, MOVES_RUNNING, "claim" },
    { MOVES_TIMER, MOVES_RUNNING, "claim of a due timer" },
    { MOVES_MESSAGE, MOVES_RUNNING, "claim of a wait that timed out" },
    { MOVES_RETRY, MOVES_RUNNING, "claim of a due retry" },
    { MOVES_RUNNING, MOVES_READY, "take-over of a dead worker, hand-back" },
    { MOVES_RUNNING, MOVES_TIMER, "park: sleep" },
    { MOVES_RUNNING, MOVES_MESSAGE, "park: receive" },
    { MOVES_RUNNING, MOVES_RETRY, "park: backoff" },
    { MOVES_CHILD, MOVES_RUNNING, "claim of a wait that timed out" },
    { MOVES_RUNNING, MOVES_CHILD, "park: wait for children" },
    { MOVES_RUNNING, MOVES_RUNNING, "a flag, the has_journal mark, continue as new" },
    { MOVES_TIMER, MOVES_TIMER, "somebody waits for its end" },
    { MOVES_MESSAGE, MOVES_MESSAGE, "somebody waits for its end" },
    { MOVES_RETRY, MOVES_RETRY, "somebody waits for its end" },
    { MOVES_TIMER, MOVES_READY, "cancel" },
    { MOVES_MESSAGE, MOVES_READY, "message, cancel" },
    { MOVES_RETRY, MOVES_READY, "cancel" },
    { MOVES_CHILD, MOVES_READY, "children have ended, cancel" },
    { MOVES_CHILD, MOVES_CHILD, "a child of several has ended" },
    { MOVES_READY, MOVES_READY, "cancel flag" },
    { MOVES_RUNNING, MOVES_NONE, "end, forced cancel, poison" },
    { MOVES_READY, MOVES_NONE, "cancel before the first step" },
    { MOVES_TIMER, MOVES_NONE, "forced cancel" },
    { MOVES_MESSAGE, MOVES_NONE, "cancel before the first step, forced cancel" },
    { MOVES_RETRY, MOVES_NONE, "forced cancel" },
    { MOVES_CHILD, MOVES_NONE, "forced cancel" },
    { MOVES_NONE, MOVES_SLOT, "start with a queue key" },
    { MOVES_SLOT, MOVES_SLOT, "waits for a place of its key" },
    { MOVES_SLOT, MOVES_READY, "admission, cancel" },
    { MOVES_SLOT, MOVES_RUNNING, "claim by a worker that has not heard of the limit" },
    { MOVES_SLOT, MOVES_NONE, "cancel before the first step, forced cancel" },
};
const int moves_count = (int)(sizeof(moves_rules) / sizeof(moves_rules[0]));

bool moves_legal(enum moves_state from, enum moves_state to)
{
    for (int i = 0; i < moves_count; i++)
        if (moves_rules[i].from == from && moves_rules[i].to == to)
            return true;
    return false;
}

const char *moves_name(enum moves_state state)
{
    switch (state) {
    case MOVES_NONE:
        return "none";
    case MOVES_READY:
        return "ready";
    case MOVES_RUNNING:
        return "running";
    case MOVES_TIMER:
        return "timer";
    case MOVES_MESSAGE:
        return "message";
    case MOVES_RETRY:
        return "retry";
    case MOVES_CHILD:
        return "child";
    case MOVES_SLOT:
        return "slot";
    }
    return "unknown";
}
