/*
 * core/journal.h - the journal of one execution in memory, and what it answers to a call.  Pure.
 *
 * Calls of a workflow function are numbered in program order (seq 1, 2, ...).  Row k answers call
 * k. A call that has no row yet is where the workflow goes on; rows behind it are possible only if
 * it starts something and leaves it alone.  A row with another kind or name, a row of this step
 * under another number, or rows that no call asked for when the function returned, mean that the
 * function is not the one that wrote the journal: it diverged.
 *
 * Beside the row of a call there may be its intent (the deadline of a wait), the failed attempts
 * made so far and, for the start of a child, how the child ended; they come under keys of their own
 * and are kept in the same slot.
 *
 * An execution that continued as new has a journal that begins in front of call 1, with the number
 * of its generation and the input of that.
 */
#ifndef CORE_JOURNAL_H
#define CORE_JOURNAL_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/jsonscan.h"

#include <stdbool.h>
#include <stdint.h>

/* The numbers are those of _inferpipe_steps.kind and .status. */
enum journal_kind {
    JOURNAL_NONE = 0,
    JOURNAL_STEP = 1,
    JOURNAL_SLEEP = 2,
    JOURNAL_MESSAGE = 3,
    JOURNAL_CHILD = 4,
    JOURNAL_NOW = 5,
    JOURNAL_TX = 6,
    JOURNAL_PARALLEL = 7,
    JOURNAL_ATTEMPTS = 8,
    JOURNAL_INTENT = 9,
    JOURNAL_CHILD_END = 10,
    JOURNAL_UNWIND = 11,
    JOURNAL_EMIT = 12,
    JOURNAL_PATCH = 13,
    JOURNAL_CONTINUED = 14,
    JOURNAL_AWAIT = 15,
    JOURNAL_PROGRESS = 20, /* from here on: of the function journal, in no table */
    JOURNAL_EVENTS = 21
};
enum journal_status { JOURNAL_OK = 0, JOURNAL_FAILED = 1, JOURNAL_TIMED_OUT = 2 };

struct journal_row {
    int64_t step_key;
    int32_t seq;
    enum journal_kind kind;
    enum journal_status status;
    int attempts;
    int64_t wake_us; /* database time; 0: none */
    int64_t took_us;
    int64_t sleep_ms;    /* of a sleep that is not recorded yet; -1: none */
    const char *name;    /* all texts: in the journal's arena, zero-terminated */
    struct slice result; /* text NULL: none */
    const char *error_code, *error;
    bool pending; /* not committed yet */
};

struct journal_slot {
    struct journal_row row;  /* kind NONE: no row yet */
    int attempts;            /* failed ones recorded */
    int64_t next_us;         /* when the next attempt is due; 0: none */
    int64_t intent_us;       /* deadline of a wait; 0: none */
    struct slice progress;   /* of a step that is not done; text NULL: none */
    struct journal_row *end; /* of a child: how it ended; NULL: not yet */
    int64_t begun_us;        /* the engine's: when its first attempt here began; 0: none did */
    void *work;              /* the engine's: what is to be done, or under way, for this call */
    uint32_t awaited;        /* the engine's: the number of the last wait that named this call */
};

struct journal {
    struct arena *arena; /* borrowed */
    struct journal_slot *slots;
    uint32_t cap;
    uint32_t count;     /* highest seq with a row */
    uint32_t rows;      /* rows there are */
    uint32_t ends;      /* ends of children there are */
    uint32_t pending;   /* rows not committed yet */
    uint32_t committed; /* no row up to this seq is pending */
    uint32_t marker;    /* seq of the row behind which compensations run; 0: none */
    uint32_t durable;   /* highest seq with a committed row */
    uint32_t rows_max;
    int32_t generation; /* how often the execution has continued as new */
    struct slice input; /* of this generation; text NULL: the execution's own */
};

void journal_init(struct journal *j, struct arena *a, uint32_t rows_max);
/* Copies the row and its texts.  IFP_ETOOLARGE over rows_max, IFP_ENOMEM; IFP_EINVALID for a row
 * that cannot be (seq below 1, no kind, a second row of one number).  A row of kind CONTINUED has
 * seq 0, the generation as its name and the input as its result. */
int journal_add(struct journal *j, const struct journal_row *row) MUSTCHECK;
/* The slot of a call, made when needed; NULL when memory is out. */
struct journal_slot *journal_slot(struct journal *j, int32_t seq) MUSTCHECK;

/* The slot of a call if there is one. */
struct journal_slot *journal_find(const struct journal *j, int32_t seq);
/* How a parallel step or a child has ended; NULL: not yet. */
const struct journal_row *journal_ended(const struct journal *j, int32_t seq);

struct journal_call {
    int32_t seq;
    enum journal_kind kind;
    const char *name;
    int64_t step_key;
};
/* 1: answered, *ret_row is set; 0: not there yet; IFP_ENONDETERMINISTIC with a text that names what
 * was called and what the journal has. */
int journal_answer(const struct journal *j, const struct journal_call *call,
                   const struct journal_row **ret_row, struct err *e) MUSTCHECK;
/* Whether the execution has been at call `seq` or behind it: there is a trace of either. */
bool journal_passed(const struct journal *j, int32_t seq);
/* At the return of the function after `calls` calls: rows that were never asked for. */
int journal_finish(const struct journal *j, int32_t calls, struct err *e) MUSTCHECK;
/* Walks the rows not committed yet: *pos starts at 0; NULL at the end. */
struct journal_row *journal_next_pending(struct journal *j, uint32_t *pos);
/* All rows are committed. */
void journal_committed(struct journal *j);
const char *journal_kind_name(enum journal_kind kind);

#endif
