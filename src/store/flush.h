/*
 * store/flush.h - the group commit's statement: results, waits and ends of many executions in one
 * call, one transaction, one fsync, each fenced by (worker, fence).
 *
 * Fill it with flush_add_run and what belongs to that run (flush_add_row, flush_add_attempt,
 * flush_add_note, flush_add_child right after it), then flush_send.  The columns are kept until
 * flush_reset, so that a batch whose answer was lost can be sent again as it is.
 */
#ifndef STORE_FLUSH_H
#define STORE_FLUSH_H

#include "store/store.h"

enum flush_move {
    FLUSH_KEEP = 0,
    FLUSH_PARK = 1,
    FLUSH_END = 2,
    FLUSH_RECEIVE = 3,
    FLUSH_BACK = 4,
    FLUSH_AWAIT = 5,
    FLUSH_CONTINUE = 6
};
enum flush_state { FLUSH_READY = 0, FLUSH_TIMER = 2, FLUSH_RETRY = 4 };
enum flush_status { FLUSH_COMPLETED = 1, FLUSH_FAILED = 2, FLUSH_CANCELED = 3 };

struct flush_run {
    int64_t exec_id;
    int32_t fence;
    enum flush_move move;
    enum flush_state state;   /* of PARK */
    enum flush_status status; /* of END */
    int64_t wake_us;          /* PARK, AWAIT: absolute database time; 0: none */
    int64_t wake_ms;          /* PARK, AWAIT: from now; -1: none */
    struct slice output;      /* END completed; text NULL: none.  CONTINUE: the new input */
    const char *error_code, *error;
    int64_t wait_key, wait_intent; /* RECEIVE: step keys of the wait and of its intent row */
    int32_t wait_seq;              /* AWAIT: end rows wanted in all, or wait_key: this one */
    const char *wait_name;
    int64_t wait_ms;
};

struct flush_row {
    int64_t step_key;
    int32_t seq;
    enum store_kind kind;
    enum store_row_status status;
    int attempts;
    const char *name;
    struct slice result; /* text NULL: none */
    const char *error_code, *error;
    int64_t took_us;
    int64_t wake_ms; /* SLEEP; -1: none */
};

struct flush_attempt {
    int64_t step_key;
    int32_t seq;
    int attempt;
    const char *error_code, *error;
    int64_t next_ms; /* -1: none */
};

/* What an execution says beside its journal: the numbers of flush_notes.sql. */
enum flush_what { FLUSH_COST = 1, FLUSH_STATE = 2, FLUSH_EVENT = 3, FLUSH_PROGRESS = 4 };
struct flush_note {
    enum flush_what what;
    int64_t step_key; /* 0: of the execution */
    int32_t seq;
    int attempt;
    int32_t number;        /* counts the notes of one claim */
    const char *name;      /* of the step */
    const char *kind;      /* NULL: none */
    struct slice data;     /* text NULL: none */
    int64_t tokens, nanos; /* COST; nanos: billionths of a dollar */
};

struct flush_child { /* an execution to start; its spawn row is made from key, seq and name */
    int64_t step_key;
    int32_t seq;
    const char *name, *workflow;
    const char *version, *queue, *queue_key, *metadata; /* NULL: none */
    int priority;                                       /* 0: the parent's */
    int64_t delay_ms;
    int64_t deadline_ms; /* 0: the workflow's, -1: none */
    bool left_alone;     /* when its parent ends */
    struct slice input;
};

enum {
    FLUSH_RUN_COLUMNS = 16,
    FLUSH_ROW_COLUMNS = 13,
    FLUSH_ATTEMPT_COLUMNS = 7,
    FLUSH_LARGE_COLUMNS = 3,
    FLUSH_NOTE_COLUMNS = 11,
    FLUSH_CHILD_COLUMNS = 16
};

struct flush {
    struct store_op op; /* first */
    struct pgarray run[FLUSH_RUN_COLUMNS], row[FLUSH_ROW_COLUMNS];
    struct pgarray attempt[FLUSH_ATTEMPT_COLUMNS], large[FLUSH_LARGE_COLUMNS];
    struct pgarray note[FLUSH_NOTE_COLUMNS];
    struct pgarray child[FLUSH_CHILD_COLUMNS];
    int64_t inline_max; /* payloads above go to their own table */
    int64_t exec_id;    /* of the last flush_run */
    int runs;
    size_t bytes; /* payload bytes so far */
    bool failed;  /* memory was out or a hash failed: flush_send gives IFP_ENOMEM */
};

void flush_init(struct flush *f, struct store *s, int64_t inline_max);
void flush_release(struct flush *f);
void flush_reset(struct flush *f);
void flush_add_run(struct flush *f, const struct flush_run *run);
void flush_add_row(struct flush *f, const struct flush_row *row);
void flush_add_attempt(struct flush *f, const struct flush_attempt *attempt);
void flush_add_note(struct flush *f, const struct flush_note *note);
void flush_add_child(struct flush *f, const struct flush_child *child);

enum flush_verdict { FLUSH_WRITTEN = 0, FLUSH_LOCKED = 1, FLUSH_NOT_OURS = 2, FLUSH_CONFLICT = 3 };
enum flush_got { FLUSH_GOT_NOTHING = 0, FLUSH_GOT_MESSAGE = 1, FLUSH_GOT_TIMEOUT = 2 };
struct flush_answer {
    int64_t exec_id;
    enum flush_verdict verdict;
    int16_t flags;
    int64_t wake_us; /* 0: none */
    enum flush_got got;
    struct slice payload;
};

void flush_send(struct flush *f, int64_t worker, store_done_fn *done);
struct flush_answer flush_answer_at(const struct flush *f, int row);

/* Only the notes, of runs whose step goes on: rows, waits and ends do not count. */
void flush_send_notes(struct flush *f, int64_t worker, store_done_fn *done);
struct flush_told {
    int64_t exec_id;
    enum flush_verdict verdict;
    int32_t events; /* of the execution */
};
struct flush_told flush_told_at(const struct flush *f, int row);

#endif
