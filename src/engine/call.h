/*
 * engine/call.h - what every call of a workflow function has in common: it takes the next number,
 * asks the journal, and either answers, records something, or suspends the pass.
 *
 * The shape of a call:
 *
 *     if (call_is_over(run))
 *         return call_over(run);                     the pass has its action already
 *     rc = call_begin(run, &action.call, &row, ...); numbered; row stays NULL when it is new
 *     if (rc < 0)
 *         return rc;                                 the journal says otherwise
 *     return row ? call_answer(run, row, ret) : call_suspend(run, &action);
 *
 * A step is known by its name and how often this name came before in the pass.  Other calls have
 * keys of their own: their kind, a control character that no name can hold, stands in front.
 */
#ifndef ENGINE_CALL_H
#define ENGINE_CALL_H

#include "base/err.h"
#include "engine/run.h"

enum { CALL_NAME_MAX_BYTES = 200, CALL_CODE_MAX_BYTES = 63 };

/* How often each name came: open addressing on a hash; two names that share all 64 bits would share
 * a count, which is harmless: it stays the same on every pass. */
struct names {
    struct {
        int64_t hash;
        uint32_t count;
    } * slots; /* in the pass arena */
    uint32_t cap, used;
};

/* The pass has its action already, or will not get one; call_over is then what the call returns. */
bool call_is_over(const struct ifp_run *run) MUSTCHECK;
int call_over(const struct ifp_run *run) MUSTCHECK;
/* Memory could not be had.  That says nothing about the execution: the pass counts for nothing, and
 * no call of it does anything from here on, as the function may have taken another way. */
bool call_is_starved(const struct ifp_run *run) MUSTCHECK;

/* 1 to CALL_NAME_MAX_BYTES of printable UTF-8. */
bool call_name_ok(const char *name) MUSTCHECK;
/* Numbers the call and asks the journal: *ret_row stays NULL when it is not there yet.  ret_intent
 * (or NULL): the key of the call's intent row. */
int call_begin(struct ifp_run *run, struct journal_call *call, const struct journal_row **ret_row,
               int64_t *ret_intent) MUSTCHECK;
/* Gives a recorded row to the caller: its value, or its failure. */
int call_answer(struct ifp_run *run, const struct journal_row *row, const ifp_json **ret) MUSTCHECK;
/* Records a call that the function answers itself; it is durable with the next commit. */
int call_record(struct ifp_run *run, const struct journal_row *row) MUSTCHECK;
/* The action becomes the pass's, and the function is to return IFP_SUSPENDED. */
int call_suspend(struct ifp_run *run, const struct action *action) MUSTCHECK;

/* Ends the execution: nothing that the function does later changes that.  Returns `error`. */
int call_fatal(struct ifp_run *run, int error, const char *format, ...) PRINTF_LIKE(3, 4);
/* What ifp_error gives from here on. */
void call_set_error(struct ifp_run *run, int error, const char *code, const char *message);
/* A duration that is given as text; a mistake in it is the program's: it ends the execution. */
int call_duration(struct ifp_run *run, const char *what, const char *text,
                  int64_t *ret_ms) MUSTCHECK;

#endif
