/* engine/generation.c - see the header. */
#include "engine/generation.h"

#include "base/crash.h"
#include "engine/branch.h"
#include "engine/call.h"
#include "engine/internal.h"
#include "engine/unwind.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const ifp_json *generation_input(struct ifp_run *run)
{
    assert(run->input || run->journal.generation > 0);
    return run->journal.generation > 0 ? value_wrap(&run->pass, run->journal.input) : run->input;
}

/* A child that was started and has not ended, as far as this execution was told. */
static const struct journal_row *open_child(const struct journal *j)
{
    for (uint32_t seq = 1; seq <= j->count; seq++) {
        const struct journal_slot *slot = journal_find(j, (int32_t)seq);

        if (slot->row.kind == JOURNAL_CHILD && !slot->end)
            return &slot->row;
    }
    return NULL;
}

/* First of all: it must come again when what was registered is being undone. */
static int refuse_what_is_open(struct ifp_run *run)
{
    const struct journal_row *child = open_child(&run->journal);
    const char *undo = unwind_registered(run);

    if (child)
        return call_fatal(run, IFP_ECONFLICT,
                          "continue as new: child \"%s\" (call %d) has not ended: await it first",
                          child->name, child->seq);
    if (branch_any(run))
        return call_fatal(run, IFP_ECONFLICT,
                          "continue as new: a parallel step has not ended: await it first");
    if (undo)
        return call_fatal(run, IFP_ECONFLICT,
                          "continue as new: compensation \"%s\" is registered and would be lost",
                          undo);
    return 0;
}

static int check(struct ifp_run *run, const ifp_json *input)
{
    int64_t max = engine_limit(run->engine, CONFIG_PAYLOAD_MAX);
    size_t len = value_slice(input).len;
    int rc = refuse_what_is_open(run);
    struct err e;

    if (rc != 0)
        return rc;
    if (len > (size_t)max)
        return call_fatal(run, IFP_ETOOLARGE,
                          "continue as new: the input's %zu bytes are over the limit of %" PRId64
                          " (payload-max)",
                          len, max);
    return journal_finish(&run->journal, run->seq, &e) == 0 ? 0
                                                            : call_fatal(run, e.code, "%s", e.text);
}

int ifp_continue_as_new(ifp_run *run, const ifp_json *input)
{
    struct action action = { .kind = ACT_CONTINUE,
                             .call = { .kind = JOURNAL_CONTINUED, .name = "continue" },
                             .input = input };
    const struct journal_row *row = NULL;
    int rc;

    if (call_is_over(run))
        return call_over(run);
    rc = call_begin(run, &action.call, &row, NULL);
    if (rc < 0)
        return rc;
    assert(!row); /* a journal has no such row behind its beginning */
    /* A refusal that is being compensated is given again; a cancel comes before any. */
    rc = run->stop ? unwind_admit(run, &action.call, 0) : check(run, input);
    if (rc != 0)
        return rc;
    crash_here(CRASH_CONTINUE);
    return call_suspend(run, &action);
}

void generation_begin(struct ifp_run *run)
{
    const ifp_json *input = run->action.input; /* in the pass arena */
    char number[16];
    int rc;

    assert(sm_is(&run->sm, RUN_FLIGHT) && !branch_any(run) && !run->failure.set);
    assert(run->journal.generation < INT32_MAX && !timer_armed(&run->timer));
    crash_here(CRASH_CONTINUED);
    (void)snprintf(number, sizeof(number), "%d", run->journal.generation + 1);
    run->fence++;
    run->begun = 0;
    run->input = NULL;
    arena_reset(&run->keep);
    journal_init(&run->journal, &run->keep, run->journal.rows_max);
    rc = journal_add(&run->journal, &(struct journal_row){ .kind = JOURNAL_CONTINUED,
                                                           .name = number,
                                                           .result = value_slice(input),
                                                           .sleep_ms = -1 });
    assert(rc != IFP_EINVALID);
    if (rc == 0)
        run_move(run, RUN_READY);
    else if (run->keep.full)
        run_fail(run, ifp_error_name(IFP_ETOOLARGE), INPUT_FULL);
    else
        run_give_back(run); /* out of memory: whoever claims it reads the new journal */
}
