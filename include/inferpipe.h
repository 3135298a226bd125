/*
 * inferpipe.h - durable workflows over PostgreSQL, for C11 and C++17.
 *
 * A workflow is a function that says what comes after what; its steps do the work.  The result of
 * each step is recorded in PostgreSQL.  When a worker dies, another one runs the workflow function
 * again from its top: finished steps answer from the record (the journal) at once and the first
 * unfinished one goes on.
 *
 * Rules for a workflow function
 *  - It calls the same steps in the same order each time it is given the same input and the same
 *    recorded results.  What differs is found and fails the execution with NONDETERMINISTIC.
 *  - It has no side effects outside its steps and does not block: it runs on the event loop.
 *    Time, random numbers and ids come from ifp_now, ifp_random and ifp_uuid.
 *  - When a call returns IFP_SUSPENDED (positive) or an error (negative), the function returns it:
 *    IFP_TRY does just that.  A failure may also be handled: look at ifp_error and go on.
 *  - It frees what it holds before it returns; memory from the `ifp_json_*` calls needs no freeing.
 *
 * Values are immutable JSON texts, kept byte for byte.  They belong to the execution's (or the
 * step's) arena and live until the function that received them returns.
 *
 * Times are milliseconds unless a name says otherwise.  Durations given as text are a number and a
 * unit (`ms s m h d w`), several in a row: "500ms", "5m", "1h30m", "48h", "2w".
 *
 * Threads: ifp_app_* and ifp_workflow before ifp_main, from one thread.  Workflow functions run on
 * the loop thread.  Step functions run on pool threads (with IFP_INLINE: on the loop thread).
 * An ifp_client is used by one thread at a time.
 */
#ifndef INFERPIPE_H
#define INFERPIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define IFP_API __attribute__((visibility("default")))
#define IFP_MUSTCHECK __attribute__((warn_unused_result))
#define IFP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define IFP_API
#define IFP_MUSTCHECK
#define IFP_PRINTF(fmt, args)
#endif

#define IFP_VERSION "0.1.0"

/*
 * Every error there is: C name, number, name on the wire, HTTP status, worth a retry, text.
 * Functions return 0 or one of these numbers.
 */
#define IFP_ERROR_MAP(X)                                                                           \
    X(IFP_EINVALID, -1, "INVALID_INPUT", 400, 0, "the input is not valid")                         \
    X(IFP_EUNAUTHORIZED, -2, "UNAUTHORIZED", 401, 0, "no valid credentials were given")            \
    X(IFP_EFORBIDDEN, -3, "FORBIDDEN", 403, 0, "the credentials do not allow this")                \
    X(IFP_ENOTFOUND, -4, "NOT_FOUND", 404, 0, "there is no such thing")                            \
    X(IFP_ECONFLICT, -5, "CONFLICT", 409, 0, "the present state does not allow this")              \
    X(IFP_ETOOLARGE, -6, "PAYLOAD_TOO_LARGE", 413, 0, "a payload is over its limit")               \
    X(IFP_EMISMATCH, -7, "IDEMPOTENCY_MISMATCH", 422, 0, "this key was used for another request")  \
    X(IFP_ERATELIMITED, -8, "RATE_LIMITED", 429, 1, "too many requests or a full queue")           \
    X(IFP_ESERVER, -9, "SERVER_ERROR", 500, 1, "an unexpected error of the runtime or database")   \
    X(IFP_EUNAVAILABLE, -10, "UNAVAILABLE", 503, 1, "the database cannot be reached")              \
    X(IFP_ETIMEOUT, -11, "TIMEOUT", 504, 1, "the time allowed has passed")                         \
    X(IFP_ECANCELED, -12, "CANCELED", 409, 0, "it was canceled")                                   \
    X(IFP_ENONDETERMINISTIC, -13, "NONDETERMINISTIC", 500, 0, "the workflow left its journal")     \
    X(IFP_ESTEP_FAILED, -14, "STEP_FAILED", 500, 0, "a step failed for good")                      \
    X(IFP_EWORKER_CRASHED, -15, "WORKER_CRASHED", 500, 0, "it took its workers down repeatedly")   \
    X(IFP_ENOMEM, -16, "OUT_OF_MEMORY", 503, 1, "out of memory")                                   \
    X(IFP_ELEASE, -17, "LEASE_LOST", 409, 1, "another worker owns this execution now")             \
    X(IFP_ESCHEMA, -18, "SCHEMA_MISMATCH", 500, 0, "the database schema does not fit this binary")

#define IFP_ERROR_ENUM(name, number, wire, http, retry, text) name = number,
enum { IFP_OK = 0, IFP_SUSPENDED = 1, IFP_ERROR_MAP(IFP_ERROR_ENUM) };
#undef IFP_ERROR_ENUM

/* The name on the wire ("NOT_FOUND") and the text of an error number; never NULL. */
IFP_API const char *ifp_error_name(int error);
IFP_API const char *ifp_error_text(int error);

/* Returns from the calling function when `call` suspends or fails. */
#define IFP_TRY(call)                                                                              \
    do {                                                                                           \
        int ifp_try_rc_ = (call);                                                                  \
        if (ifp_try_rc_ != 0)                                                                      \
            return ifp_try_rc_;                                                                    \
    } while (0)

typedef struct ifp_app ifp_app;
typedef struct ifp_run ifp_run;
typedef struct ifp_step_ctx ifp_step_ctx;
typedef struct ifp_json ifp_json;
typedef struct ifp_client ifp_client;
struct pg_conn; /* libpq's PGconn is a typedef of this */

/* ---- JSON values ------------------------------------------------------------------------------
 * A pointer is an RFC 6901 JSON Pointer ("/items/0/id", "" is the whole value).  A getter gives its
 * default when `value` is NULL, when nothing is there, or when what is there has another type or
 * does not fit. */

enum ifp_json_type {
    IFP_JSON_NONE = 0, /* nothing there */
    IFP_JSON_NULL,
    IFP_JSON_BOOL,
    IFP_JSON_NUMBER,
    IFP_JSON_STRING,
    IFP_JSON_ARRAY,
    IFP_JSON_OBJECT
};

/* The value at `pointer`, or NULL: the exact slice of the text, no copy. */
IFP_API const ifp_json *ifp_json_get(const ifp_json *value, const char *pointer);
IFP_API enum ifp_json_type ifp_json_typeof(const ifp_json *value, const char *pointer);
/* The string with its escapes decoded, zero-terminated. */
IFP_API const char *ifp_json_str(const ifp_json *value, const char *pointer, const char *fallback);
/* A number without fraction that fits; 1e3 counts, 1.5 does not. */
IFP_API int64_t ifp_json_int(const ifp_json *value, const char *pointer, int64_t fallback);
IFP_API double ifp_json_double(const ifp_json *value, const char *pointer, double fallback);
IFP_API bool ifp_json_bool(const ifp_json *value, const char *pointer, bool fallback);
/* Elements of an array or members of an object; 0 for anything else. */
IFP_API size_t ifp_json_len(const ifp_json *value, const char *pointer);
/* The raw JSON text, zero-terminated; `ret_len` may be NULL.  "null" when `value` is NULL. */
IFP_API const char *ifp_json_text(const ifp_json *value, size_t *ret_len);

/*
 * Builds a value.  `ctx` is the ifp_run or the ifp_step_ctx that is to own it.  The format is JSON
 * with placeholders, white space ignored:
 *   {s:x, ...}  an object; each key is an `s`          [x, x]  an array
 *   s  const char * (NULL gives null)                  b  int, as true or false
 *   i  int        I  int64_t                           f  double (must be finite)
 *   v  const ifp_json * (NULL gives null)              n  null, no argument
 * On success *ret is set and 0 returned.  IFP_EINVALID: bad format, invalid UTF-8, a duplicate key.
 */
IFP_API int ifp_json_build(void *ctx, const ifp_json **ret, const char *format, ...) IFP_MUSTCHECK;
/* Takes a text as it is after checking it (RFC 8259, UTF-8, no duplicate key, depth 64). */
IFP_API int ifp_json_parse(void *ctx, const char *text, size_t len,
                           const ifp_json **ret) IFP_MUSTCHECK;

/* ---- Steps: on a pool thread, may block ---------------------------------------------------- */

typedef int ifp_step_fn(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret_output);
/* A transactional step: what it writes through `db` and the step's result commit together or not at
 * all.  `db` is inside a READ COMMITTED transaction of the engine; a COMMIT or ROLLBACK by the step
 * fails it. */
typedef int ifp_step_tx_fn(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                           const ifp_json **ret_output);

enum { IFP_RETRY = 0, IFP_FINAL = 1 };

/*
 * Fails the attempt with a code of the user's own (at most 63 bytes of [A-Z0-9_]) and a text.
 * IFP_FINAL: no further attempt.  Returns IFP_ESTEP_FAILED, for `return ifp_step_fail(...)`.
 * A step may also return any other negative number of the table: it is retried when the table says
 * that a retry is worth it, or when it is IFP_ESTEP_FAILED.
 */
IFP_API int ifp_step_fail(ifp_step_ctx *step, const char *code, int finality, const char *format,
                          ...) IFP_PRINTF(4, 5);
/* The same text on every attempt of this step, and on no other step: for payment services. */
IFP_API const char *ifp_step_key(const ifp_step_ctx *step);
/* This attempt's claim on the execution, as a text for `select inferpipe.assert_lease($1)` in a
 * transaction of the step's own: that raises IP001 once another worker owns the execution, and else
 * keeps it here until the transaction ends.  A transactional step needs none. */
IFP_API const char *ifp_step_lease(const ifp_step_ctx *step);
/* 1 for the first attempt. */
IFP_API int ifp_step_attempt(const ifp_step_ctx *step);
/* The execution's id ("exe_..."), for logs. */
IFP_API const char *ifp_step_execution(const ifp_step_ctx *step);
/* The W3C trace context of this attempt, for the `traceparent` header of calls that it makes: so
 * they are part of the trace in which the execution was started. */
IFP_API const char *ifp_step_traceparent(ifp_step_ctx *step);
/* True once the execution was canceled, its lease lost, or the attempt's time is over. */
IFP_API bool ifp_step_canceled(const ifp_step_ctx *step);
/* Adds to what this attempt has cost: tokens, and US dollars (kept to a billionth).  It is recorded
 * with the attempt, also with one that fails; the totals show with the step and the execution.
 * IFP_EINVALID: negative, or over 10^12 tokens or 10^9 dollars in all. */
IFP_API int ifp_step_cost(ifp_step_ctx *step, int64_t tokens, double usd);
/*
 * Says that the step is alive, and (or NULL) how far it has come: at most state-max bytes, shown by
 * `execution steps`.  With the option heartbeat_ms an attempt that stops beating fails with TIMEOUT
 * and the next one begins, on this worker or another; ifp_step_progress gives it what the last one
 * had said, NULL when there is nothing.
 */
IFP_API int ifp_step_heartbeat(ifp_step_ctx *step, const ifp_json *progress);
IFP_API const ifp_json *ifp_step_progress(const ifp_step_ctx *step);
/*
 * Adds to the execution's stream (ifp_emit) at once, before the step is done: what an attempt that
 * then fails has emitted stays, with the attempt's number.  Emitting counts as a beat.
 * IFP_ETOOLARGE: over event-max or events-max.  IFP_ECANCELED: the run has gone on without it.
 */
IFP_API int ifp_step_emit(ifp_step_ctx *step, const char *kind, const ifp_json *data);
/* Scratch memory that lives as long as the attempt; NULL when there is none. */
IFP_API void *ifp_step_alloc(ifp_step_ctx *step, size_t size);

/* ---- Workflows: on the loop thread, must not block ------------------------------------------- */

typedef int ifp_workflow_fn(ifp_run *run, const ifp_json *input, const ifp_json **ret_output);

enum ifp_backoff { IFP_BACKOFF_DEFAULT = 0, IFP_FIXED, IFP_EXPONENTIAL };
enum { IFP_INLINE = 1 }; /* run on the loop thread: only for steps that never block */

/* Zero means the default, -1 none. */
typedef struct ifp_step_options {
    int attempts;             /* in all, 1 to 10000; default 3; -1: without end */
    enum ifp_backoff backoff; /* default exponential */
    int64_t delay_ms;         /* before the second attempt; default 1000 */
    int64_t max_delay_ms;     /* cap of the exponential backoff; default 60000 */
    double jitter;            /* part of the delay that is random, 0 to 1; default 0.2; -1: none */
    int64_t timeout_ms;       /* of one attempt; default none */
    int64_t heartbeat_ms; /* the longest time between two beats; default none; not of tx steps */
    unsigned flags;       /* IFP_INLINE */
} ifp_step_options;

/*
 * Runs a step, or gives the recorded result of one that ran.  `name` is 1 to 200 bytes of printable
 * UTF-8; the same name may recur (in a loop): each occurrence is a step of its own.
 * 0: *ret_output is set (the JSON null when the step gave nothing).  IFP_ESTEP_FAILED: out of
 * attempts or final, recorded, see ifp_error.  IFP_SUSPENDED: not done yet, return it.
 */
IFP_API int ifp_step(ifp_run *run, const char *name, ifp_step_fn *fn, const ifp_json *input,
                     const ifp_json **ret_output) IFP_MUSTCHECK;
IFP_API int ifp_step_with(ifp_run *run, const char *name, ifp_step_fn *fn, const ifp_json *input,
                          const ifp_json **ret_output,
                          const ifp_step_options *options) IFP_MUSTCHECK;
IFP_API int ifp_step_tx(ifp_run *run, const char *name, ifp_step_tx_fn *fn, const ifp_json *input,
                        const ifp_json **ret_output) IFP_MUSTCHECK;
IFP_API int ifp_step_tx_with(ifp_run *run, const char *name, ifp_step_tx_fn *fn,
                             const ifp_json *input, const ifp_json **ret_output,
                             const ifp_step_options *options) IFP_MUSTCHECK;

/* Sleeps, across crashes and restarts.  At most 100 years. */
IFP_API int ifp_sleep(ifp_run *run, const char *duration) IFP_MUSTCHECK;
IFP_API int ifp_sleep_ms(ifp_run *run, int64_t ms) IFP_MUSTCHECK;

/*
 * Takes the oldest message of that name, also one that came before the call; waits for it at most
 * `timeout` (NULL: as long as the execution may live).  IFP_ETIMEOUT is recorded like a result.
 */
IFP_API int ifp_receive(ifp_run *run, const char *name, const char *timeout,
                        const ifp_json **ret_message) IFP_MUSTCHECK;

/*
 * Sends a message to another execution of the workspace, exactly once: a transactional step under
 * the message's name.  IFP_ESTEP_FAILED with code NOT_FOUND or CONFLICT: there is none, it has
 * ended.
 */
IFP_API int ifp_send(ifp_run *run, const char *execution_id, const char *name,
                     const ifp_json *message) IFP_MUSTCHECK;
/* What the execution shows of itself while it lives and after (`execution state`, the view
 * executions): the newest value counts.  It is durable before the next step begins. */
IFP_API int ifp_set_state(ifp_run *run, const ifp_json *state) IFP_MUSTCHECK;
/*
 * Adds to the execution's stream: durable, numbered without a gap, exactly once over all replays.
 * `kind` is log, token, data, progress or a name of your own ([a-z0-9][a-z0-9._-]{0,62}).  Over
 * event-max bytes, or events-max events of the execution, it fails with PAYLOAD_TOO_LARGE.
 */
IFP_API int ifp_emit(ifp_run *run, const char *kind, const ifp_json *data) IFP_MUSTCHECK;
/*
 * True when this execution takes the change `id` of the workflow: it came here for the first time
 * after the change, which is recorded.  False when it has passed this place before: it goes on as
 * it began.  The answer for an id holds until the execution ends or continues as new.  A program
 * without this call leaves an execution that took the change to others for some minutes, then
 * fails it.
 */
IFP_API bool ifp_patched(ifp_run *run, const char *id);

/*
 * Registers how to undo what was done so far: when the workflow fails, is canceled or passes its
 * deadline, the registered compensations run in reverse as steps of those names, and then it ends
 * as it would have.  One that fails for good is named in the error, the others still run.  The call
 * that meets a cancel (or the deadline) gives IFP_ECANCELED (IFP_ETIMEOUT), and so does each after
 * it: return.  Takes no place in the journal; `input` may be any value of this pass.
 */
IFP_API int ifp_compensate(ifp_run *run, const char *name, ifp_step_fn *fn, const ifp_json *input,
                           const ifp_step_options *options) IFP_MUSTCHECK;

/*
 * Begins the execution anew, with `input` for the function and an empty journal: for loops without
 * an end.  It stays the same execution to everybody else, with its id, messages that were not yet
 * received, stream, live state, cost and deadline; its version stays too.  Return what this gives:
 * IFP_SUSPENDED, and the function is not called again for this input.  Fails the execution with
 * CONFLICT while a child or a parallel step has not ended, or when a compensation is registered.
 */
IFP_API int ifp_continue_as_new(ifp_run *run, const ifp_json *input) IFP_MUSTCHECK;

/* ---- Composition: parallel steps and children ---------------------------------------------------
 *
 * Starting does not suspend: ifp_spawn and ifp_spawn_child give a future at once, and the work
 * begins when the function waits for something.  Waiting suspends until what is waited for has
 * ended; it costs one pass of the function, however many they are.
 *
 * Parallel steps run on the threads of this worker beside each other, and beside what the function
 * does meanwhile; those that have not ended when the function returns are left.  While one is under
 * way ifp_receive looks for its message only when it has ended.
 *
 * A child is an execution like any other: it has an id and a journal of its own, may run on another
 * worker, can be looked at, canceled and retried.  When its parent ends it is canceled, unless its
 * options say otherwise.  docs/composition.md has the details. */

/* Names a call of this pass.  Copy it as you like; it means nothing in another pass. */
typedef struct ifp_future {
    int call;
} ifp_future;

enum ifp_parent_end { IFP_CHILD_CANCEL = 0, IFP_CHILD_LEAVE };

/* Starts a step and goes on: what ifp_step does, but for the wait. */
IFP_API int ifp_spawn(ifp_run *run, const char *name, ifp_step_fn *fn, const ifp_json *input,
                      ifp_future *ret_future) IFP_MUSTCHECK;
IFP_API int ifp_spawn_with(ifp_run *run, const char *name, ifp_step_fn *fn, const ifp_json *input,
                           ifp_future *ret_future, const ifp_step_options *options) IFP_MUSTCHECK;

/* Zero means the default. */
typedef struct ifp_child_options {
    const char *name;      /* of this call, 1 to 200 bytes; default the workflow's name */
    const char *version;   /* default: the one registered last */
    const char *queue;     /* default: the workflow's */
    const char *queue_key; /* for limits per key, 1 to 255 bytes */
    int priority;          /* 1 (first) to 5; default the parent's */
    int64_t delay_ms;      /* start later */
    int64_t deadline_ms;   /* from start to end; default the workflow's; -1: none */
    const char *metadata;  /* a JSON object, at most 16 KiB */
    enum ifp_parent_end on_parent_end; /* what happens to it when the parent ends */
} ifp_child_options;

/*
 * Runs a child and gives its output.  IFP_ESTEP_FAILED when it failed or was canceled, or when
 * nobody has registered its workflow (code NOT_FOUND): recorded, see ifp_error.
 */
IFP_API int ifp_child(ifp_run *run, const char *workflow, const ifp_json *input,
                      const ifp_json **ret_output) IFP_MUSTCHECK;
IFP_API int ifp_child_with(ifp_run *run, const char *workflow, const ifp_json *input,
                           const ifp_json **ret_output,
                           const ifp_child_options *options) IFP_MUSTCHECK;
/* Starts a child and goes on; `options` may be NULL. */
IFP_API int ifp_spawn_child(ifp_run *run, const char *workflow, const ifp_json *input,
                            const ifp_child_options *options, ifp_future *ret_future) IFP_MUSTCHECK;

/*
 * Waits for one future: what ifp_step or ifp_child would give.  `timeout` NULL: as long as it
 * takes.  IFP_ETIMEOUT is recorded; the work goes on and may be awaited again.
 */
IFP_API int ifp_await(ifp_run *run, ifp_future future, const char *timeout,
                      const ifp_json **ret_output) IFP_MUSTCHECK;
/* Waits until all have ended.  0: all succeeded; else the failure of the first one that failed, in
 * the order of the array.  ifp_future_result then gives each. */
IFP_API int ifp_await_all(ifp_run *run, const ifp_future *futures, size_t n) IFP_MUSTCHECK;
/* Waits until one has ended and gives its index.  Which one it was is recorded. */
IFP_API int ifp_await_any(ifp_run *run, const ifp_future *futures, size_t n,
                          size_t *ret_index) IFP_MUSTCHECK;
/* The output of a future, or its failure; waits when it has not ended. */
IFP_API int ifp_future_result(ifp_run *run, ifp_future future,
                              const ifp_json **ret_output) IFP_MUSTCHECK;

/* Recorded time, in milliseconds since 1970: the same value on every replay. */
IFP_API int64_t ifp_now(ifp_run *run);
/* 64 random bits, or a version 4 UUID (36 characters), from a seed stored with the execution and
 * the number of the call: the same on every replay, no commit. */
IFP_API uint64_t ifp_random(ifp_run *run);
IFP_API const char *ifp_uuid(ifp_run *run);
/* A log line, written once per pass only while the workflow is past its journal (not on replay). */
IFP_API void ifp_log(ifp_run *run, const char *format, ...) IFP_PRINTF(2, 3);
/* The execution's id ("exe_..."). */
IFP_API const char *ifp_run_id(const ifp_run *run);
/* The W3C trace context of the execution.  Steps have one of their own: ifp_step_traceparent. */
IFP_API const char *ifp_run_traceparent(ifp_run *run);

/* What the last failed call of this pass failed with; never NULL, code "" when nothing failed. */
typedef struct ifp_error_info {
    int error;           /* IFP_E* */
    const char *code;    /* the step's own code, or the error's name */
    const char *message; /* for people */
    const char *step;    /* the step's name, or "" */
    int attempts;        /* how often it was tried */
} ifp_error_info;
IFP_API const ifp_error_info *ifp_error(const ifp_run *run);
/* Fails the execution with a code and a text: `return ifp_fail(run, "NO_STOCK", "only %d", n)`. */
IFP_API int ifp_fail(ifp_run *run, const char *code, const char *format, ...) IFP_PRINTF(3, 4);

/* ---- The program ---------------------------------------------------------------------------- */

typedef struct ifp_workflow_options {
    const char *version;   /* default "1"; a worker runs only the versions that it registered */
    const char *queue;     /* default "default" */
    int64_t deadline_ms;   /* from start to end of an execution; default none */
    ifp_step_options step; /* defaults for the workflow's steps */
} ifp_workflow_options;

/* `name` shows in logs and in `worker list`; copied.  NULL only when memory is out. */
IFP_API ifp_app *ifp_app_new(const char *name);
/* Registers a workflow.  A mistake (bad name, registered twice) sticks and ifp_main reports it. */
IFP_API void ifp_workflow(ifp_app *app, const char *name, ifp_workflow_fn *fn,
                          const ifp_workflow_options *options);

/* What happens when an execution of the job is still live at its next time. */
enum ifp_overlap {
    IFP_OVERLAP_SKIP = 0, /* that time is skipped */
    IFP_OVERLAP_QUEUE,    /* it starts when the one before has ended */
    IFP_OVERLAP_ALLOW     /* it starts */
};
/* What becomes of the times that passed while no worker was there. */
enum ifp_catchup {
    IFP_CATCHUP_LAST = 0, /* the newest one runs late */
    IFP_CATCHUP_SKIP,     /* none */
    IFP_CATCHUP_ALL       /* the newest `catchup_max` of them, the oldest first */
};

typedef struct ifp_cron_options {
    const char *timezone; /* IANA name; default "UTC" */
    const char *input;    /* JSON, at most 16 KiB; default null */
    const char *version;  /* of the workflow; default the one registered last */
    const char *queue;    /* default the workflow's */
    int priority;         /* 1 (first) to 5; default 3 */
    enum ifp_overlap overlap;
    enum ifp_catchup catchup;
    int catchup_max;   /* 1 to 1000; default 100 */
    int64_t jitter_ms; /* an execution begins up to so much later; at most 24 h */
} ifp_cron_options;

/*
 * Starts executions of a workflow by a schedule: `expression` is "30 2 * * MON-FRI", with six
 * fields seconds come first; also "@daily", "@every 90s" (docs/cron.md).  The execution's input
 * is {"job": name, "scheduledTime": UTC, "manual": false, "input": the option's}.
 *
 * Workers declare the jobs of their program when they start: new ones are made, changed ones
 * changed, and a changed expression or zone takes effect from then on.  One that was removed from
 * the code goes on until `cron delete`.  Each time fires once, over any number of workers. A
 * mistake sticks to the app as with ifp_workflow.
 */
IFP_API void ifp_cron(ifp_app *app, const char *name, const char *expression, const char *workflow,
                      const ifp_cron_options *options);
/* ---- Interceptors: a program's own look at the requests that `serve` answers ---- */

/* One request, inside a call that was given it; what its functions give lives as long. */
typedef struct ifp_request ifp_request;
IFP_API const char *ifp_request_method(const ifp_request *r); /* "GET" */
IFP_API const char *ifp_request_path(const ifp_request *r);   /* as it came, without its query */
IFP_API const char *ifp_request_route(const ifp_request *r);  /* "executions.start"; "": none */
IFP_API const char *ifp_request_id(const ifp_request *r);     /* x-request-id */
/* A header by its name in lower case, or NULL.  Authorization and Cookie are never shown. */
IFP_API const char *ifp_request_header(ifp_request *r, const char *name);
/* Of the answer: 0 as long as there is none. */
IFP_API int ifp_request_status(const ifp_request *r);
/* Adds a header to the answer, or replaces it; from `enter` alone. */
IFP_API void ifp_request_answer_header(ifp_request *r, const char *name, const char *value);
/* Refuses the request with an error, IFP_E*, and its text: `return ifp_request_refuse(...)`. */
IFP_API int ifp_request_refuse(ifp_request *r, int error, const char *message);

/* Before the request is handled: 0 goes on; IFP_E* refuses it. */
typedef int ifp_enter_fn(ifp_request *r, void *user);
/* Once its answer has left, or its client; also for one that was refused. */
typedef void ifp_finished_fn(ifp_request *r, void *user);
/*
 * Puts an interceptor around all routes of this program's server, behind those that check keys and
 * rate limits, in the order of these calls.  Both functions (one may be NULL) run on the server's
 * loop and must not block.  --http-chain takes it from routes by its name (docs/interceptors.md).
 * A mistake (bad name, there twice, over 16) sticks to the app as with ifp_workflow.
 */
IFP_API void ifp_interceptor(ifp_app *app, const char *name, ifp_enter_fn *enter,
                             ifp_finished_fn *finished, void *user);

/* Runs the command line: worker, dev, migrate, execution start, doctor, ... (see --help).
 * Gives the exit code and frees the app: 0 ok, 1 failed, 2 usage, 3 not found, 4 refused, 5
 * timeout.
 */
IFP_API int ifp_main(ifp_app *app, int argc, char **argv) IFP_MUSTCHECK;
IFP_API void ifp_app_free(ifp_app *app); /* NULL is fine; only for an app that ifp_main never saw */

/* ---- The client: for programs that only start and watch executions -------------------------- */

/*
 * Connects; `conninfo` is a libpq connection string or URI, NULL takes DATABASE_URL and PG*.
 * On failure *ret_client is still set (unless memory is out), so that ifp_client_error can tell
 * why; it is closed with ifp_client_close all the same.  Each call reconnects when it must.
 */
IFP_API int ifp_client_open(const char *conninfo, ifp_client **ret_client) IFP_MUSTCHECK;
IFP_API void ifp_client_close(ifp_client *client); /* NULL is fine */
/* The text of the last error of this client; never NULL. */
IFP_API const char *ifp_client_error(const ifp_client *client);

typedef struct ifp_start_options {
    const char *workspace; /* of this start only; default INFERPIPE_WORKSPACE or "default" */
    const char *version;   /* default: the one registered last */
    const char *queue;     /* default: the workflow's */
    const char *key;      /* idempotency key, 1 to 255 bytes: a second start gives the first's id */
    int priority;         /* 1 (first) to 5; default 3 */
    int64_t delay_ms;     /* start later */
    int64_t deadline_ms;  /* from start to end; default the workflow's */
    const char *metadata; /* a JSON object, at most 16 KiB */
    const char *traceparent;  /* W3C trace context, stored with the execution */
    const char *queue_key;    /* what the queue's limits by key count it under, 1 to 255 bytes */
    const char *debounce_key; /* a start of this workflow and key replaces one that waits */
    int64_t debounce_ms;      /* with it: begin so long after the last such start */
    int64_t debounce_max_ms;  /* and at the latest so long after the first; default none */
    int64_t run_at_ms;        /* start at this time, in milliseconds since 1970; not with a delay */
} ifp_start_options;

#define IFP_ID_SIZE 18 /* "exe_", 13 characters, a zero byte */

/* Starts an execution of a registered workflow; `input` is a JSON text (NULL: null).
 * When this returns 0 the execution is durable and `ret_id` is its id.  With a key, a repeat after
 * an unknown outcome is safe; without one, IFP_EUNAVAILABLE may mean that it was started. */
IFP_API int ifp_client_start(ifp_client *client, const char *workflow, const char *input,
                             const ifp_start_options *options,
                             char ret_id[IFP_ID_SIZE]) IFP_MUSTCHECK;

typedef struct ifp_start_item {
    const char *workflow;
    const char *input;                /* a JSON text; NULL: null */
    const ifp_start_options *options; /* NULL: the defaults; no other workspace than the client's */
} ifp_start_item;

/*
 * Starts `n` executions, in transactions of up to 1000 items each; some ten times faster than one
 * by one.  All items are checked before the first is started; an error's text names the item,
 * counted from 0.  On failure the items that were not started have an empty id: those of the batch
 * that failed and all behind.  With keys the same call may be repeated.
 */
IFP_API int ifp_client_start_many(ifp_client *client, const ifp_start_item *items, size_t n,
                                  char (*ret_ids)[IFP_ID_SIZE]) IFP_MUSTCHECK;

enum ifp_status { IFP_QUEUED = 0, IFP_RUNNING, IFP_COMPLETED, IFP_FAILED, IFP_STATUS_CANCELED };

typedef struct ifp_execution {
    char id[IFP_ID_SIZE];
    enum ifp_status status;
    char *workflow; /* owned by the struct, as all below; NULL when there is none */
    char *version;
    char *queue;
    char *waiting_for; /* timer, message, child, slot or retry */
    char *output;      /* JSON, of a completed execution */
    char *error_code;  /* of a failed one */
    char *error;
    int64_t created_ms;  /* since 1970 */
    int64_t finished_ms; /* 0 while it runs */
    char *forked_from;   /* the id of the execution whose journal it began with */
    char *parent;        /* the id of the execution whose child it is */
    int64_t tokens;      /* what its steps said that they cost, in all */
    double usd;
    int continued; /* how often it has continued as new */
} ifp_execution;

IFP_API int ifp_client_get(ifp_client *client, const char *id, ifp_execution *ret) IFP_MUSTCHECK;
/* Waits until the execution has ended, at most `timeout_ms` (-1: for ever): IFP_ETIMEOUT. */
IFP_API int ifp_client_wait(ifp_client *client, const char *id, int64_t timeout_ms,
                            ifp_execution *ret) IFP_MUSTCHECK;
IFP_API void ifp_execution_release(ifp_execution *execution); /* NULL and zeroed are fine */

typedef struct ifp_children {
    int64_t queued, running, completed, failed, canceled;
} ifp_children;
/* How many children an execution has started, by how they are now. */
IFP_API int ifp_client_children(ifp_client *client, const char *id,
                                ifp_children *ret) IFP_MUSTCHECK;
/* Sends a message; IFP_ECONFLICT when the execution has ended.  `dedupe` (or NULL): a second send
 * with the same text does nothing. */
IFP_API int ifp_client_send(ifp_client *client, const char *id, const char *name,
                            const char *message, const char *dedupe) IFP_MUSTCHECK;
typedef struct ifp_event { /* valid during the call only */
    int64_t number;        /* 1, 2, ... */
    int64_t at_ms;         /* since 1970 */
    const char *kind;
    const char *step; /* NULL: of the workflow itself */
    int attempt;      /* of the step */
    const char *data; /* JSON */
} ifp_event;
typedef int ifp_event_fn(void *ctx, const ifp_event *event);
/* Gives the stream from behind number `after` to `fn`, in order, until the execution has ended (0),
 * `timeout_ms` has passed (IFP_ETIMEOUT; -1: never; 0: only what is there, then 0), or `fn` returns
 * something else than 0, which is then returned. */
IFP_API int ifp_client_events(ifp_client *client, const char *id, int64_t after, int64_t timeout_ms,
                              ifp_event_fn *fn, void *ctx) IFP_MUSTCHECK;
/* The live state as JSON, to be freed with ifp_client_free; NULL when it never set one. */
IFP_API int ifp_client_state(ifp_client *client, const char *id, char **ret_state) IFP_MUSTCHECK;
IFP_API void ifp_client_free(void *memory); /* NULL is fine */
/* Asks for the end; `force` ends it now, whatever its worker does.  IFP_ECONFLICT: it has ended. */
IFP_API int ifp_client_cancel(ifp_client *client, const char *id, bool force) IFP_MUSTCHECK;
/* Runs a failed or canceled execution again from its last completed step, under the same id. */
IFP_API int ifp_client_retry(ifp_client *client, const char *id) IFP_MUSTCHECK;

typedef struct ifp_fork_result {
    const char *step;   /* as in ifp_fork_options.from */
    const char *result; /* JSON; NULL: null */
} ifp_fork_result;

typedef struct ifp_fork_options {
    const char *from;           /* the step to start over from: "name", or "name#2" for the second
                                   one of that name; default: where it stands, without the failure
                                   that ended it */
    const char *input;          /* JSON; default: the same */
    const char *version;        /* default: the same */
    const char *key;            /* idempotency key: a second fork with it gives the first's id */
    const ifp_fork_result *set; /* results of steps and messages in front of `from` to replace */
    size_t set_count;           /* at most 100 */
} ifp_fork_options;

/*
 * Makes a new execution with the journal of this one in front of a step, and goes on from there;
 * the source, which may live or have ended, stays as it is.  What was done is not done again:
 * children are not started, sleeps end when they did.  Messages that the source has not received
 * are not copied.  IFP_ENOTFOUND: no such execution or step.
 */
IFP_API int ifp_client_fork(ifp_client *client, const char *id, const ifp_fork_options *options,
                            char ret_id[IFP_ID_SIZE]) IFP_MUSTCHECK;

/* Which executions; what is NULL or 0 lets all through. */
typedef struct ifp_filter {
    const char *status; /* needed: queued, running, completed, failed or canceled */
    const char *workflow, *version, *queue;
    const char *error_code; /* of failed ones */
    int64_t since_ms;       /* ended, or created while it lives, since then (since 1970); */
    int64_t until_ms;       /* and before; negative: so long before now */
    const char *after;      /* ids above this one: where a call before stopped */
    int64_t limit;          /* at most so many, up to 1000000; default 1000 */
} ifp_filter;

typedef struct ifp_outcome { /* valid during the call only */
    const char *id;
    int error;          /* 0: done; else why it was refused: IFP_E* */
    const char *detail; /* of a refusal; of a cancel "canceled" or "requested"; else NULL */
    const char *fork;   /* the id of the new execution; NULL: none */
} ifp_outcome;
typedef int ifp_outcome_fn(void *ctx, const ifp_outcome *outcome);

typedef struct ifp_many {
    int64_t done, refused;  /* by ifp_client_find: how many there are, and 0 */
    char last[IFP_ID_SIZE]; /* the last one reported; empty: none */
    bool more;              /* the limit was reached before the end */
} ifp_many;

/*
 * Retries, cancels or forks all executions that match, the oldest first, up to 100 in a
 * transaction; ifp_client_find only tells which.  `fn` (or NULL) hears of each when its
 * transaction has committed; what it returns other than 0 ends the call and is returned, the
 * rest of that hundred is done, too.  What cannot be done is refused with its reason and the
 * others go on.  `ret` (or NULL) is filled in on failure as well: a call with `after` set to
 * `last` goes on from there.  Fork options have neither input nor results; with a key the same
 * call may be repeated.
 */
IFP_API int ifp_client_retry_many(ifp_client *client, const ifp_filter *filter, ifp_outcome_fn *fn,
                                  void *ctx, ifp_many *ret) IFP_MUSTCHECK;
IFP_API int ifp_client_cancel_many(ifp_client *client, const ifp_filter *filter, bool force,
                                   ifp_outcome_fn *fn, void *ctx, ifp_many *ret) IFP_MUSTCHECK;
IFP_API int ifp_client_fork_many(ifp_client *client, const ifp_filter *filter,
                                 const ifp_fork_options *options, ifp_outcome_fn *fn, void *ctx,
                                 ifp_many *ret) IFP_MUSTCHECK;
IFP_API int ifp_client_find(ifp_client *client, const ifp_filter *filter, ifp_outcome_fn *fn,
                            void *ctx, ifp_many *ret) IFP_MUSTCHECK;

/* ---- Before a deploy: what will this program do with the executions that live? -------------- */

enum ifp_verdict {
    IFP_CONTINUES = 0, /* the journal fits the code; the execution goes on, or ends as it should */
    IFP_DIVERGES,      /* the code leaves the journal: it would fail with NONDETERMINISTIC */
    IFP_FAILS,         /* a call cannot be made: bad arguments, or over a limit */
    IFP_UNKNOWN        /* it waits for another program: this one does not have its workflow, its
                          version, or a patch that it took */
};

typedef struct ifp_plan_finding { /* valid during the call only */
    enum ifp_verdict verdict;     /* not IFP_CONTINUES */
    const char *workflow;
    const char *version;
    const char *id;      /* of the execution; NULL: none that lives of that version is known */
    int64_t executions;  /* 1; with id NULL: how many those are */
    int calls;           /* that the workflow function made, the one it fails at included */
    const char *message; /* what the execution would fail with */
} ifp_plan_finding;
/* What it returns other than 0 ends the plan and is returned. */
typedef int ifp_plan_fn(void *ctx, const ifp_plan_finding *finding);

typedef struct ifp_plan_options {
    const char *workflow; /* only its executions; default all */
    const char *queue;    /* only those in it; default all */
    int64_t limit;        /* look at so many at most, the oldest first; default all */
} ifp_plan_options;

typedef struct ifp_plan_totals {
    int64_t continues, diverges, fails, unknown;
} ifp_plan_totals;

/*
 * Runs the workflow functions of `app` over the journals of the live executions in the client's
 * workspace, as a worker would on claiming each: recorded calls answer, the first one that is not
 * recorded is the end.  No step runs and nothing is written.  `fn` (or NULL) hears of each that
 * would not go on; `options` may be NULL.  The command `plan` of ifp_main does the same.
 */
IFP_API int ifp_plan(ifp_client *client, const ifp_app *app, const ifp_plan_options *options,
                     ifp_plan_fn *fn, void *ctx, ifp_plan_totals *ret_totals) IFP_MUSTCHECK;

#ifdef __cplusplus
}
#endif
#endif
