/*
 * engine/compose.c - children and parallel steps: what a workflow starts, and waits for.
 *
 * A parallel step has no row until it has ended; until then it is a branch of the run (branch.c).
 * The start of a child is a journal row like any other, recorded by the call that makes it; the
 * flush that commits the row makes the child (sql/schema/flush_children.sql).  How the child ended
 * comes back as a second row of the same call, written by whoever ended it.
 *
 * A wait that finds what it needs in the journal takes no number: it gives the same answer on every
 * replay.  What depends on time is recorded: which of several was first, and that a time was over
 * (a timer, then the decision); and so is a failure that the function learns of.  Else the run
 * waits until enough has ended.
 */
#include "base/jsonscan.h"
#include "base/value.h"
#include "engine/branch.h"
#include "engine/call.h"
#include "engine/internal.h"
#include "engine/unwind.h"
#include "store/client.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- starting ------------------------------------------------------------------------------- */

static const char *keep_text(struct ifp_run *run, const char *text)
{
    return text ? arena_strndup(&run->keep, text, strlen(text)) : NULL;
}

/* What the flush is to start; in the keep arena, as the commit comes after the pass. */
static struct flush_child *make_child(struct ifp_run *run, const struct journal_call *call,
                                      const char *workflow, const ifp_json *input,
                                      const ifp_child_options *o)
{
    struct flush_child *child = arena_zalloc(&run->keep, sizeof(*child));
    const ifp_json *copy = value_copy(&run->keep, value_slice(input));

    assert(call->seq >= 1 && call->kind == JOURNAL_CHILD);
    if (!child || !copy)
        return NULL;
    *child = (struct flush_child){ .step_key = call->step_key,
                                   .seq = call->seq,
                                   .name = keep_text(run, call->name),
                                   .workflow = keep_text(run, workflow),
                                   .version = keep_text(run, o->version),
                                   .queue = keep_text(run, o->queue),
                                   .queue_key = keep_text(run, o->queue_key),
                                   .metadata = keep_text(run, o->metadata),
                                   .priority = o->priority,
                                   .delay_ms = o->delay_ms,
                                   .deadline_ms = o->deadline_ms,
                                   .left_alone = o->on_parent_end == IFP_CHILD_LEAVE,
                                   .input = value_slice(copy) };
    return run->keep.broken ? NULL : child;
}

static int check_child(struct ifp_run *run, const char *workflow, const ifp_json *input,
                       const ifp_child_options *o)
{
    int64_t payload_max = engine_limit(run->engine, CONFIG_PAYLOAD_MAX);
    struct err e;

    if (client_check_child(workflow, o, &e) != 0)
        return call_fatal(run, e.code, "child: %s", e.text);
    if (value_slice(input).len > (size_t)payload_max)
        return call_fatal(run, IFP_ETOOLARGE,
                          "child \"%s\": the input's %zu bytes are over the limit of %" PRId64
                          " (payload-max)",
                          workflow, value_slice(input).len, payload_max);
    return 0;
}

int ifp_spawn_child(ifp_run *run, const char *workflow, const ifp_json *input,
                    const ifp_child_options *options, ifp_future *ret_future)
{
    const ifp_child_options o = options ? *options : (ifp_child_options){ 0 };
    struct action action = {
        .kind = ACT_COMMIT, .call = { .kind = JOURNAL_CHILD, .name = o.name ? o.name : workflow }
    };
    const struct journal_row *row = NULL;
    struct flush_child *child;
    int rc;

    assert(ret_future);
    if (call_is_over(run))
        return call_over(run);
    rc = check_child(run, workflow, input, &o);
    if (rc == 0)
        rc = call_begin(run, &action.call, &row, NULL);
    if (rc < 0)
        return rc;
    ret_future->call = action.call.seq;
    if (row)
        return 0;
    rc = unwind_admit(run, &action.call, 0);
    if (rc != 0)
        return rc;
    if (run->spawned >= engine_limit(run->engine, CONFIG_SPAWN_BATCH))
        return call_suspend(run, &action);
    child = make_child(run, &action.call, workflow, input, &o);
    if (!child)
        return call_fatal(run, run->keep.full ? IFP_ETOOLARGE : IFP_ENOMEM,
                          "call %d: no memory for a child (run-memory)", action.call.seq);
    rc = call_record(run, &(struct journal_row){ .step_key = action.call.step_key,
                                                 .seq = action.call.seq,
                                                 .kind = JOURNAL_CHILD,
                                                 .name = action.call.name,
                                                 .sleep_ms = -1,
                                                 .pending = true });
    if (rc != 0)
        return rc;
    journal_find(&run->journal, action.call.seq)->work = child;
    run->spawned++;
    return 0;
}

/* The parallel step that was begun at this call by an earlier pass. */
static struct branch *branch_of(const struct ifp_run *run, int32_t seq)
{
    const struct journal_slot *slot = journal_find(&run->journal, seq);

    assert(!slot || slot->row.kind == JOURNAL_NONE || slot->row.kind == JOURNAL_CHILD);
    return slot ? slot->work : NULL;
}

int ifp_spawn_with(ifp_run *run, const char *name, ifp_step_fn *fn, const ifp_json *input,
                   ifp_future *ret_future, const ifp_step_options *options)
{
    struct action order = { .kind = ACT_STEP,
                            .call = { .kind = JOURNAL_PARALLEL, .name = name },
                            .fn = fn,
                            .input = input };
    const struct journal_row *row = NULL;
    struct branch *b;
    struct err e;
    int rc;

    assert(fn && ret_future);
    if (call_is_over(run))
        return call_over(run);
    rc = call_begin(run, &order.call, &row, NULL);
    if (rc < 0)
        return rc;
    ret_future->call = order.call.seq;
    if (row || unwind_begun(run, order.call.seq))
        return 0;
    rc = unwind_admit(run, &order.call, 0);
    if (rc != 0)
        return rc;
    b = branch_of(run, order.call.seq);
    if (b && b->order.call.step_key == order.call.step_key)
        return 0;
    if (b)
        return call_fatal(run, IFP_ENONDETERMINISTIC,
                          "call %d: expected parallel step \"%s\", found parallel step \"%s\"",
                          order.call.seq, b->order.call.name, name);
    if (retry_resolve(options, &run->step_defaults, &order.retry, &e) != 0)
        return call_fatal(run, e.code, "step \"%s\": %s", name, e.text);
    order.on_loop = options && (options->flags & IFP_INLINE) != 0;
    if (branch_add(run, &order, &b) != 0)
        return call_fatal(run, run->keep.full ? IFP_ETOOLARGE : IFP_ENOMEM,
                          "call %d: no memory for a parallel step (run-memory)", order.call.seq);
    return 0;
}

int ifp_spawn(ifp_run *run, const char *name, ifp_step_fn *fn, const ifp_json *input,
              ifp_future *ret_future)
{
    return ifp_spawn_with(run, name, fn, input, ret_future, NULL);
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* A child or a parallel step, whatever has become of it. */
static bool is_work(const struct journal_slot *slot)
{
    return slot->work || slot->row.kind == JOURNAL_CHILD || slot->row.kind == JOURNAL_PARALLEL;
}

static int check_futures(struct ifp_run *run, const ifp_future *futures, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct journal_slot *slot = journal_find(&run->journal, futures[i].call);

        if (futures[i].call > run->seq ||
            (!unwind_begun(run, futures[i].call) && (!slot || !is_work(slot))))
            return call_fatal(run, IFP_EINVALID, "await: %d is no future of this pass",
                              futures[i].call);
    }
    return 0;
}

/* Suspends until all of them have ended, or (any) one of them. */
static int wait_for(struct ifp_run *run, const ifp_future *futures, size_t n, bool any,
                    struct action *action)
{
    int32_t left = 0, children = 0;
    int rc = unwind_admit(run, &action->call, 0);

    if (rc != 0)
        return rc;
    run->awaits++;
    for (size_t i = 0; i < n; i++) {
        struct journal_slot *slot = journal_find(&run->journal, futures[i].call);

        if (slot->awaited == run->awaits || journal_ended(&run->journal, futures[i].call))
            continue; /* named twice, or there */
        slot->awaited = run->awaits;
        left++;
        if (slot->row.kind != JOURNAL_CHILD)
            continue;
        children++;
        action->end_key = ~slot->row.step_key;
    }
    assert(left > 0);
    if (children != 1)
        action->end_key = 0;
    if (children > 0)
        action->ends = (int32_t)run->journal.ends + (any ? 1 : children);
    action->left = any ? 1 : left;
    action->kind = ACT_AWAIT;
    return call_suspend(run, action);
}

/* The timer of a wait: recorded like a sleep.  *ret_us: when it is over; 0: not committed yet. */
static int begin_timer(struct ifp_run *run, int64_t ms, int64_t *ret_us)
{
    struct journal_call call = { .kind = JOURNAL_SLEEP, .name = "await" };
    const struct journal_row *row = NULL;
    int rc = call_begin(run, &call, &row, NULL);

    assert(ms >= 0);
    if (rc < 0)
        return rc;
    *ret_us = row ? row->wake_us : 0;
    if (row)
        return 0;
    return call_record(run, &(struct journal_row){ .step_key = call.step_key,
                                                   .seq = call.seq,
                                                   .kind = JOURNAL_SLEEP,
                                                   .name = call.name,
                                                   .sleep_ms = ms,
                                                   .pending = true });
}

static int record_decision(struct ifp_run *run, const struct journal_call *call, size_t index)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%zu", index);

    assert(call->kind == JOURNAL_AWAIT && len > 0 && (size_t)len < sizeof(text));
    return call_record(run, &(struct journal_row){ .step_key = call->step_key,
                                                   .seq = call->seq,
                                                   .kind = JOURNAL_AWAIT,
                                                   .attempts = 1,
                                                   .name = call->name,
                                                   .result = { text, (size_t)len },
                                                   .sleep_ms = -1,
                                                   .pending = true });
}

static int record_timeout(struct ifp_run *run, const struct journal_call *call)
{
    assert(call->kind == JOURNAL_AWAIT);
    return call_record(run, &(struct journal_row){ .step_key = call->step_key,
                                                   .seq = call->seq,
                                                   .kind = JOURNAL_AWAIT,
                                                   .status = JOURNAL_TIMED_OUT,
                                                   .attempts = 1,
                                                   .name = call->name,
                                                   .error_code = "TIMEOUT",
                                                   .error = "it did not end in time",
                                                   .sleep_ms = -1,
                                                   .pending = true });
}

/* The recorded decision: an index into the futures, or the end of the time. */
static int decided(struct ifp_run *run, const struct journal_row *row, size_t n, size_t *ret_index)
{
    int64_t index = -1;
    const ifp_json *none;

    assert(row->kind == JOURNAL_AWAIT);
    if (row->status != JOURNAL_OK)
        return call_answer(run, row, &none);
    if (jsonscan_int(row->result, &index) != 0 || index < 0 || (size_t)index >= n)
        return call_fatal(run, IFP_ENONDETERMINISTIC,
                          "call %d: expected an await of more than %" PRId64 " futures, found %zu",
                          row->seq, index, n);
    *ret_index = (size_t)index;
    return 0;
}

/* The first of them that has ended, by the record; timeout_ms -1: none. */
static int decide(struct ifp_run *run, const ifp_future *futures, size_t n, int64_t timeout_ms,
                  size_t *ret_index)
{
    struct action action = { .call = { .kind = JOURNAL_AWAIT, .name = "await" },
                             .wait_ms = timeout_ms };
    const struct journal_row *row = NULL;
    int rc = timeout_ms >= 0 ? begin_timer(run, timeout_ms, &action.wake_us) : 0;

    assert(n > 0 && timeout_ms >= -1);
    if (rc == 0)
        rc = call_begin(run, &action.call, &row, NULL);
    if (rc < 0)
        return rc;
    if (row)
        return decided(run, row, n, ret_index);
    for (size_t i = 0; i < n; i++)
        if (journal_ended(&run->journal, futures[i].call)) {
            *ret_index = i;
            return record_decision(run, &action.call, i);
        }
    if (run->journal.marker || action.wake_us == 0 || action.wake_us > engine_db_now(run->engine))
        return wait_for(run, futures, n, true, &action);
    rc = record_timeout(run, &action.call);
    return rc < 0 ? rc
                  : decided(run, &journal_find(&run->journal, action.call.seq)->row, n, ret_index);
}

/* Gives the outcome of what has ended.  That the function learns of a failure is recorded: a retry
 * by hand can tell which failures it may have acted upon. */
static int outcome(struct ifp_run *run, const struct journal_row *ended, const ifp_json **ret)
{
    const struct journal_row row = *ended, *known = NULL; /* the journal may move */
    struct journal_call call = { .kind = JOURNAL_AWAIT, .name = "await" };
    int rc;

    assert(row.kind == JOURNAL_PARALLEL || row.kind == JOURNAL_CHILD_END);
    if (row.status == JOURNAL_OK)
        return call_answer(run, &row, ret);
    rc = call_begin(run, &call, &known, NULL);
    if (rc == 0 && !known)
        rc = call_record(run, &(struct journal_row){ .step_key = call.step_key,
                                                     .seq = call.seq,
                                                     .kind = JOURNAL_AWAIT,
                                                     .status = JOURNAL_FAILED,
                                                     .attempts = 1,
                                                     .name = call.name,
                                                     .error_code = row.error_code,
                                                     .error = row.error,
                                                     .sleep_ms = -1,
                                                     .pending = true });
    return rc < 0 ? rc : call_answer(run, &row, ret);
}

int ifp_await_any(ifp_run *run, const ifp_future *futures, size_t n, size_t *ret_index)
{
    int rc;

    assert(ret_index && (futures || n == 0));
    if (call_is_over(run))
        return call_over(run);
    if (n == 0)
        return call_fatal(run, IFP_EINVALID, "await_any: there is nothing to wait for");
    rc = check_futures(run, futures, n);
    return rc == 0 ? decide(run, futures, n, -1, ret_index) : rc;
}

int ifp_await_all(ifp_run *run, const ifp_future *futures, size_t n)
{
    struct action action = { .call = { .kind = JOURNAL_AWAIT, .name = "await" }, .wait_ms = -1 };
    const ifp_json *none;
    int rc;

    assert(futures || n == 0);
    if (call_is_over(run))
        return call_over(run);
    rc = check_futures(run, futures, n);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        if (!journal_ended(&run->journal, futures[i].call)) {
            action.call.seq = run->seq;
            return wait_for(run, futures, n, false, &action);
        }
    for (size_t i = 0; i < n; i++) {
        const struct journal_row *row = journal_ended(&run->journal, futures[i].call);

        if (row->status != JOURNAL_OK)
            return outcome(run, row, &none);
    }
    return 0;
}

int ifp_future_result(ifp_run *run, ifp_future future, const ifp_json **ret_output)
{
    struct action action = { .call = { .kind = JOURNAL_AWAIT, .name = "await" }, .wait_ms = -1 };
    const struct journal_row *row;
    int rc;

    assert(ret_output);
    if (call_is_over(run))
        return call_over(run);
    rc = check_futures(run, &future, 1);
    if (rc < 0)
        return rc;
    row = journal_ended(&run->journal, future.call);
    action.call.seq = run->seq;
    return row ? outcome(run, row, ret_output) : wait_for(run, &future, 1, false, &action);
}

int ifp_await(ifp_run *run, ifp_future future, const char *timeout, const ifp_json **ret_output)
{
    size_t index;
    int64_t ms;
    int rc;

    assert(ret_output);
    if (call_is_over(run))
        return call_over(run);
    if (!timeout)
        return ifp_future_result(run, future, ret_output);
    rc = call_duration(run, "await", timeout, &ms);
    if (rc == 0)
        rc = check_futures(run, &future, 1);
    if (rc == 0)
        rc = decide(run, &future, 1, ms, &index);
    return rc == 0 ? ifp_future_result(run, future, ret_output) : rc;
}

/* ---- both in one ---------------------------------------------------------------------------- */

int ifp_child_with(ifp_run *run, const char *workflow, const ifp_json *input,
                   const ifp_json **ret_output, const ifp_child_options *options)
{
    ifp_future future = { 0 };
    int rc = ifp_spawn_child(run, workflow, input, options, &future);

    return rc == 0 ? ifp_future_result(run, future, ret_output) : rc;
}

int ifp_child(ifp_run *run, const char *workflow, const ifp_json *input,
              const ifp_json **ret_output)
{
    return ifp_child_with(run, workflow, input, ret_output, NULL);
}
