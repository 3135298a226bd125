/*
 * engine/unwind.c - see the header.
 *
 * The marker takes the number behind the last call; compensations have keys of their own and the
 * numbers behind the marker.  One that has failed for good is recorded like any step, the others
 * still run, and the execution's error names it.  A function that left its journal is not unwound:
 * what it registered cannot be trusted.
 */
#include "engine/unwind.h"

#include "base/buf.h"
#include "base/crash.h"
#include "engine/branch.h"
#include "engine/call.h"
#include "engine/internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct compensation { /* in the pass arena, the newest first */
    struct compensation *next;
    const char *name;
    ifp_step_fn *fn;
    const ifp_json *input;
    struct retry retry;
    bool on_loop;
};

static const struct reason {
    const char *name; /* of the marker */
    int error;
} reasons[] = { { "canceled", IFP_ECANCELED }, { "timeout", IFP_ETIMEOUT }, { "failed", 0 } };

static const struct journal_row *marker(const struct ifp_run *run)
{
    uint32_t seq = run->journal.marker;

    assert(seq <= run->journal.count);
    return seq ? &run->journal.slots[seq - 1].row : NULL;
}

/* What had been begun when the marker was written, and what had ended of it: the ends of children
 * may have come since, for this function they have not. */
static void recall(struct ifp_run *run, struct slice result)
{
    struct slice open, key, value;
    size_t pos = 0;
    int64_t seq;

    assert(run->journal.marker != 0);
    run->begun = 0;
    if (jsonscan_find(result, "/begun", &value) == 0 && jsonscan_int(value, &seq) == 0 &&
        seq >= 0 && seq <= run->journal.count)
        run->begun = (int32_t)seq;
    if (jsonscan_find(result, "/open", &open) != 0)
        return;
    while (jsonscan_each(open, &pos, &key, &value)) {
        struct journal_slot *slot = NULL;

        if (jsonscan_int(value, &seq) == 0 && seq > 0 && seq <= run->journal.count)
            slot = journal_find(&run->journal, (int32_t)seq);
        if (slot)
            slot->end = NULL;
    }
}

void unwind_prepare(struct ifp_run *run)
{
    const struct journal_row *row = marker(run);

    assert(!run->job);
    run->stop = run->canceled ? IFP_ECANCELED : run->expired ? IFP_ETIMEOUT : 0;
    run->stopped = false;
    run->unwinding = false;
    run->stop_sleep = 0;
    run->compensations = NULL;
    if (!row)
        run->begun = MAX(run->begun, (int32_t)run->journal.count);
    else
        recall(run, row->result);
    for (size_t i = 0; row && i < ARRAY_LEN(reasons); i++)
        if (strcmp(reasons[i].name, row->name) == 0)
            run->stop = reasons[i].error;
}

int unwind_admit(struct ifp_run *run, const struct journal_call *call, int32_t sleep)
{
    if (run->unwinding)
        return 0;
    if (run->stop)
        return unwind_meet(run, sleep);
    return run->journal.marker
               ? call_fatal(run, IFP_ENONDETERMINISTIC, "expected a failure, found %s \"%s\"",
                            journal_kind_name(call->kind), call->name)
               : 0;
}

bool unwind_begun(const struct ifp_run *run, int32_t seq)
{
    return (run->stop || run->journal.marker) && seq >= 1 && seq <= run->begun;
}

int unwind_meet(struct ifp_run *run, int32_t sleep)
{
    assert(run->stop < 0 && !run->unwinding);
    run->stopped = true;
    run->stop_sleep = sleep;
    call_set_error(run, run->stop, ifp_error_name(run->stop),
                   run->stop == IFP_ECANCELED ? "it was canceled"
                                              : "the execution's deadline has passed");
    return run->stop;
}

bool unwind_slept(const struct ifp_run *run, int32_t seq)
{
    const struct journal_row *row = marker(run);
    struct slice value;
    int64_t sleep = 0;

    return row && jsonscan_find(row->result, "/sleep", &value) == 0 &&
           jsonscan_int(value, &sleep) == 0 && sleep == seq;
}

/* ---- the marker ----------------------------------------------------------------------------- */

static const char *reason_name(int error)
{
    size_t i = 0;

    while (reasons[i].error != error) {
        i++;
        assert(i < ARRAY_LEN(reasons));
    }
    return reasons[i].name;
}

/* What a later pass needs to know: how far calls had begun something, the sleep, and the children,
 * that had not ended. */
static void describe(const struct ifp_run *run, struct buf *text)
{
    const char *gap = "";

    assert(run->journal.marker == 0);
    buf_printf(text, "{\"begun\":%d,\"sleep\":%d,\"open\":[",
               MAX(run->begun, (int32_t)run->journal.count), run->stop_sleep);
    for (uint32_t seq = 1; seq <= run->journal.count; seq++) {
        const struct journal_slot *slot = journal_find(&run->journal, (int32_t)seq);

        if (!slot || slot->row.kind != JOURNAL_CHILD || slot->end)
            continue;
        buf_printf(text, "%s%d", gap, slot->row.seq);
        gap = ",";
    }
    buf_puts(text, "]}");
}

static bool write_marker(struct ifp_run *run)
{
    struct buf text;
    int rc;

    assert(run->unwinding && run->journal.marker == 0);
    crash_here(CRASH_UNWIND_BEGIN);
    buf_init(&text);
    describe(run, &text);
    run->seq++;
    if (buf_broken(&text))
        rc = call_fatal(run, IFP_ENOMEM, "call %d: out of memory", run->seq);
    else
        rc = call_record(run, &(struct journal_row){ .step_key = JOURNAL_UNWIND,
                                                     .seq = run->seq,
                                                     .kind = JOURNAL_UNWIND,
                                                     .attempts = 1,
                                                     .name = reason_name(run->stop),
                                                     .result = { text.data, text.len },
                                                     .sleep_ms = -1,
                                                     .pending = true });
    buf_release(&text);
    return rc == 0;
}

/* The number behind the last call becomes the marker's, or is it. */
static bool mark(struct ifp_run *run)
{
    const struct journal_row *row = marker(run);

    assert(run->unwinding && !branch_any(run));
    if (!row)
        return write_marker(run);
    if (row->seq == run->seq + 1) {
        run->seq++;
        return true;
    }
    call_fatal(run, IFP_ENONDETERMINISTIC, "call %d: expected %s \"%s\", found call %d", row->seq,
               journal_kind_name(row->kind), row->name, run->seq);
    return false;
}

/* ---- the compensations ---------------------------------------------------------------------- */

static void note_failure(struct ifp_run *run, const struct journal_row *row, struct action *outcome)
{
    assert(row->status != JOURNAL_OK && outcome->kind == ACT_END);
    outcome->error = arena_printf(&run->pass, "%s; compensation \"%s\" failed: %s: %s",
                                  outcome->error, row->name, row->error_code ? row->error_code : "",
                                  row->error ? row->error : "");
}

/* True when it is done; else the pass has its action. */
static bool is_done(struct ifp_run *run, const struct compensation *c, struct action *outcome)
{
    struct action action = { .kind = ACT_STEP,
                             .call = { .kind = JOURNAL_STEP, .name = c->name },
                             .fn = c->fn,
                             .input = c->input,
                             .retry = c->retry,
                             .on_loop = c->on_loop };
    const struct journal_row *row = NULL;

    assert(run->unwinding && c->fn);
    if (call_begin(run, &action.call, &row, NULL) < 0)
        return false;
    if (!row) {
        (void)!call_suspend(run, &action);
        return false;
    }
    if (row->status != JOURNAL_OK)
        note_failure(run, row, outcome);
    return true;
}

static void compensate(struct ifp_run *run)
{
    struct action outcome = run->action;
    struct err e;

    assert(outcome.kind == ACT_END && !run->unwinding);
    run->action = (struct action){ .kind = ACT_NONE };
    run->unwinding = true;
    branch_drop(run); /* no row may come behind the marker but those of compensations */
    if (!mark(run))
        return;
    for (const struct compensation *c = run->compensations; c; c = c->next)
        if (!is_done(run, c, &outcome))
            return;
    if (journal_finish(&run->journal, run->seq, &e) != 0) {
        call_fatal(run, e.code, "%s", e.text);
        return;
    }
    crash_here(CRASH_UNWIND_DONE);
    run->action = outcome;
}

void unwind_pass(struct ifp_run *run)
{
    bool canceled = run->stop == IFP_ECANCELED;

    assert(run->action.kind == ACT_END);
    if (run->error.error == IFP_ENONDETERMINISTIC && (!run->stop || run->compensations))
        return;
    if (run->stop)
        run->action = (struct action){ .kind = ACT_END,
                                       .status = canceled ? FLUSH_CANCELED : FLUSH_FAILED,
                                       .error_code = ifp_error_name(run->stop),
                                       .error = canceled ? "it was canceled"
                                                         : "the execution's deadline has passed" };
    if (run->action.status != FLUSH_COMPLETED && run->compensations)
        compensate(run);
}

const char *unwind_registered(const struct ifp_run *run)
{
    return run->compensations ? run->compensations->name : NULL;
}

int ifp_compensate(ifp_run *run, const char *name, ifp_step_fn *fn, const ifp_json *input,
                   const ifp_step_options *options)
{
    struct compensation *c;
    struct err e;

    assert(fn);
    if (call_is_over(run))
        return call_over(run);
    if (!call_name_ok(name))
        return call_fatal(run, IFP_EINVALID,
                          "compensate: name: not 1 to %d bytes of printable UTF-8",
                          CALL_NAME_MAX_BYTES);
    c = arena_zalloc(&run->pass, sizeof(*c));
    if (!c)
        return call_fatal(run, IFP_ENOMEM, "compensate: out of memory");
    if (retry_resolve(options, &run->step_defaults, &c->retry, &e) != 0)
        return call_fatal(run, e.code, "compensate \"%s\": %s", name, e.text);
    c->name = arena_strndup(&run->pass, name, strlen(name));
    c->fn = fn;
    c->input = input;
    c->on_loop = options && (options->flags & IFP_INLINE) != 0;
    c->next = run->compensations;
    run->compensations = c;
    return 0;
}
