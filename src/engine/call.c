/*
 * engine/call.c - the common parts of the calls of a workflow function; see the header.
 *
 * Everything that a pass makes lives in its arena, which the next pass resets.
 */
#include "engine/call.h"

#include "base/duration.h"
#include "base/ids.h"
#include "base/jsonscan.h"
#include "engine/internal.h"
#include "engine/patch.h"
#include "engine/unwind.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_FIRST = 16 };

static bool names_grow(struct ifp_run *run)
{
    struct names old = *run->names;
    uint32_t cap = old.cap ? old.cap * 2 : NAMES_FIRST;

    assert((cap & (cap - 1)) == 0 && old.used <= old.cap);
    run->names->slots = arena_zalloc(&run->pass, cap * sizeof(*run->names->slots));
    if (!run->names->slots)
        return false;
    run->names->cap = cap;
    for (uint32_t i = 0; i < old.cap; i++) {
        uint32_t at = (uint32_t)old.slots[i].hash & (cap - 1);

        if (old.slots[i].count == 0)
            continue;
        while (run->names->slots[at].count != 0)
            at = (at + 1) & (cap - 1);
        run->names->slots[at].hash = old.slots[i].hash;
        run->names->slots[at].count = old.slots[i].count;
    }
    return true;
}

/* The occurrence of a name, 1...; 0 when memory is out. */
static uint32_t occurrence(struct ifp_run *run, int64_t hash)
{
    struct names *names = run->names;
    uint32_t at;

    if (names->used * 4 >= names->cap * 3 && !names_grow(run))
        return 0;
    assert(names->used < names->cap); /* so each walk ends */
    at = (uint32_t)hash & (names->cap - 1);
    while (names->slots[at].count != 0 && names->slots[at].hash != hash)
        at = (at + 1) & (names->cap - 1);
    if (names->slots[at].count == 0)
        names->used++;
    names->slots[at].hash = hash;
    return ++names->slots[at].count;
}

/* ---- how a call begins and ends ------------------------------------------------------------- */

void call_set_error(struct ifp_run *run, int error, const char *code, const char *message)
{
    run->error = (ifp_error_info){ .error = error, .code = code, .message = message, .step = "" };
}

int call_fatal(struct ifp_run *run, int error, const char *format, ...)
{
    char text[ERR_TEXT_SIZE];
    const char *kept;
    va_list args;

    assert(error < 0);
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    kept = jsonscan_clean(&run->pass, text, sizeof(text));
    call_set_error(run, error, ifp_error_name(error), kept ? kept : ifp_error_text(error));
    run->fatal = true;
    run->action = (struct action){ .kind = ACT_END,
                                   .status = FLUSH_FAILED,
                                   .error_code = run->error.code,
                                   .error = run->error.message };
    return error;
}

bool call_is_starved(const struct ifp_run *run)
{
    return (run->pass.broken && !run->pass.full) || (run->keep.broken && !run->keep.full);
}

bool call_is_over(const struct ifp_run *run)
{
    assert(run->owner.magic == VALUE_OWNER_MAGIC);
    assert(run->names); /* called from the workflow function, in its pass */
    return run->action.kind != ACT_NONE || run->stopped || call_is_starved(run);
}

int call_over(const struct ifp_run *run)
{
    if (run->action.kind == ACT_NONE)
        return call_is_starved(run) ? IFP_ENOMEM : run->stop;
    assert(run->action.kind != ACT_END || run->error.error < 0);
    return run->action.kind == ACT_END ? run->error.error : IFP_SUSPENDED;
}

/* The name may lie on the workflow function's stack: the action outlives it. */
int call_suspend(struct ifp_run *run, const struct action *action)
{
    const char *name;
    int rc;

    assert(run->action.kind == ACT_NONE && action->kind != ACT_NONE);
    rc = unwind_admit(run, &action->call, action->kind == ACT_SLEEP ? action->call.seq : 0);
    if (rc != 0)
        return rc;
    assert(action->call.seq == run->seq);
    name = arena_strndup(&run->pass, action->call.name, strlen(action->call.name));
    if (!name)
        return call_fatal(run, IFP_ENOMEM, "call %d: out of memory", action->call.seq);
    run->action = *action;
    run->action.call.name = name;
    return IFP_SUSPENDED;
}

bool call_name_ok(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    if (len < 1 || len > CALL_NAME_MAX_BYTES || !jsonscan_utf8_ok(name, len))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return false;
    return true;
}

/* Other generations of the execution have other keys: outside the journal (ifp_step_key) a key
 * stands for one step for ever. */
static int64_t key_of(const struct ifp_run *run, const char *text, size_t len, uint32_t nth)
{
    int64_t key = ids_step_key(text, len, nth);
    uint64_t generation = (uint64_t)run->journal.generation;

    return generation == 0 ? key : (int64_t)ids_derive((uint64_t)key, generation, 0);
}

/* The key of the present occurrence of (prefix, name); prefix 0 for steps. */
static bool make_key(struct ifp_run *run, char prefix, const char *name, struct journal_call *call,
                     int64_t *ret_intent)
{
    char text[CALL_NAME_MAX_BYTES + 2] = { 0 };
    size_t len = strlen(name), at = prefix != 0;
    uint32_t nth;

    assert(len <= CALL_NAME_MAX_BYTES && run->names);
    text[0] = prefix;
    memcpy(text + at, name, len + 1);
    nth = occurrence(run, ids_step_key(text, len + at, 1));
    if (nth == 0)
        return false;
    call->step_key = key_of(run, text, len + at, nth);
    if (ret_intent) {
        text[0] = (char)JOURNAL_INTENT;
        *ret_intent = key_of(run, text, len + at, nth);
    }
    return true;
}

int call_begin(struct ifp_run *run, struct journal_call *call, const struct journal_row **ret_row,
               int64_t *ret_intent)
{
    bool is_step = call->kind == JOURNAL_STEP || call->kind == JOURNAL_TX;
    char prefix = run->unwinding ? (char)JOURNAL_UNWIND : is_step ? '\0' : (char)call->kind;
    struct err e;
    int rc;

    assert(!*ret_row && run->seq >= 0);
    if (!call_name_ok(call->name))
        return call_fatal(run, IFP_EINVALID, "call %d: name: not 1 to %d bytes of printable UTF-8",
                          run->seq + 1, CALL_NAME_MAX_BYTES);
    if (!make_key(run, prefix, call->name, call, ret_intent))
        return call_fatal(run, IFP_ENOMEM, "call %d: out of memory", run->seq + 1);
    call->seq = ++run->seq;
    rc = journal_answer(&run->journal, call, ret_row, &e);
    return rc < 0 ? patch_missed(run, call->seq, &e) : 0;
}

int call_answer(struct ifp_run *run, const struct journal_row *row, const ifp_json **ret)
{
    if (row->status == JOURNAL_OK) {
        const ifp_json *value =
            value_wrap(&run->pass, row->result.text ? row->result : (struct slice){ "null", 4 });

        if (!value)
            return call_fatal(run, IFP_ENOMEM, "call %d: out of memory", row->seq);
        *ret = value;
        return 0;
    }
    run->error = (ifp_error_info){
        .error = row->status == JOURNAL_TIMED_OUT ? IFP_ETIMEOUT : IFP_ESTEP_FAILED,
        .code = row->error_code ? row->error_code : "TIMEOUT",
        .message = row->error ? row->error : "no message came in time",
        .step = row->name,
        .attempts = row->attempts,
    };
    return run->error.error;
}

int call_record(struct ifp_run *run, const struct journal_row *row)
{
    int rc = journal_add(&run->journal, row);

    assert(row->pending && row->seq == run->seq);
    if (rc == IFP_ETOOLARGE)
        return call_fatal(run, rc,
                          "call %d: the journal is over its %u rows (journal-max): "
                          "ifp_continue_as_new begins another one",
                          row->seq, run->journal.rows_max);
    return rc == 0 ? 0 : call_fatal(run, rc, "call %d: out of memory", row->seq);
}

int call_duration(struct ifp_run *run, const char *what, const char *text, int64_t *ret_ms)
{
    struct err e;

    if (!text)
        return call_fatal(run, IFP_EINVALID, "%s: no duration is given", what);
    if (duration_parse(text, ret_ms, &e) != 0)
        return call_fatal(run, e.code, "%s: %s", what, e.text);
    assert(*ret_ms >= 0);
    return 0;
}
