/*
 * engine/patch.c - ifp_patched: a change of a workflow that executions under way do not take.
 *
 * An execution that has not been here yet records that it took the patch; one that has left a trace
 * behind this call, without that row, goes the old way, and the call takes no number.  The first
 * answer for an id holds for the whole pass: a loop does not change sides.
 */
#include "engine/patch.h"

#include "base/ids.h"
#include "engine/call.h"
#include "engine/internal.h"

#include <assert.h>
#include <string.h>

enum { LEAVES_MAX = 12, DELAY_MS = 1000, DELAY_MAX_MS = 60 * 1000 };

struct patch { /* in the pass arena */
    struct patch *next;
    int64_t hash;
    bool taken;
};

static struct patch *find(const struct ifp_run *run, int64_t hash)
{
    for (struct patch *p = run->patches; p; p = p->next)
        if (p->hash == hash)
            return p;
    return NULL;
}

/* The journal has this patch at the next call. */
static bool is_recorded(const struct ifp_run *run, const char *id)
{
    uint32_t seq = (uint32_t)run->seq + 1;
    const struct journal_row *row;

    if (seq > run->journal.count)
        return false;
    row = &run->journal.slots[seq - 1].row;
    return row->kind == JOURNAL_PATCH && strcmp(row->name, id) == 0;
}

static bool take(struct ifp_run *run, const char *id)
{
    struct journal_call call = { .kind = JOURNAL_PATCH, .name = id };
    const struct journal_row *row = NULL;

    if (call_begin(run, &call, &row, NULL) < 0)
        return false;
    return row || call_record(run, &(struct journal_row){ .step_key = call.step_key,
                                                          .seq = call.seq,
                                                          .kind = JOURNAL_PATCH,
                                                          .attempts = 1,
                                                          .name = id,
                                                          .sleep_ms = -1,
                                                          .pending = true }) == 0;
}

bool ifp_patched(ifp_run *run, const char *id)
{
    const char *name = id ? id : "";
    int64_t hash = ids_step_key(name, strlen(name), 1);
    struct patch *p;

    if (call_is_over(run))
        return false;
    p = find(run, hash);
    if (p)
        return p->taken;
    p = arena_alloc(&run->pass, sizeof(*p));
    if (!p)
        return false; /* the pass counts for nothing */
    *p = (struct patch){ .next = run->patches, .hash = hash };
    run->patches = p;
    if (is_recorded(run, name) || !journal_passed(&run->journal, run->seq + 1))
        p->taken = take(run, name);
    return p->taken;
}

/* ---- a program without it ------------------------------------------------------------------- */

int patch_missed(struct ifp_run *run, int32_t seq, const struct err *e)
{
    const struct journal_slot *slot = journal_find(&run->journal, seq);

    assert(e->code == IFP_ENONDETERMINISTIC && seq >= 1);
    if (slot && slot->row.kind == JOURNAL_PATCH)
        run->missed = seq;
    return call_fatal(run, e->code, "%s", e->text);
}

void patch_leave(struct ifp_run *run)
{
    const struct journal_slot *slot = journal_find(&run->journal, run->missed);
    const struct action end = run->action;

    if (!slot || run->stop || end.kind != ACT_END || slot->attempts >= LEAVES_MAX)
        return;
    assert(end.status == FLUSH_FAILED && slot->row.kind == JOURNAL_PATCH);
    run->action = (struct action){
        .kind = ACT_LEAVE,
        .call = { .seq = slot->row.seq,
                  .kind = JOURNAL_PATCH,
                  .name = slot->row.name,
                  .step_key = slot->row.step_key },
        .error_code = end.error_code,
        .error = end.error,
    };
}

int patch_attempt(const struct ifp_run *run, int64_t *ret_delay_ms)
{
    const struct journal_slot *slot = journal_find(&run->journal, run->action.call.seq);

    assert(run->action.kind == ACT_LEAVE && slot && slot->attempts < LEAVES_MAX);
    *ret_delay_ms = MIN((int64_t)DELAY_MS << slot->attempts, DELAY_MAX_MS);
    return slot->attempts + 1;
}
