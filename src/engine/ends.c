/*
 * engine/ends.c - see the header.
 *
 * A look names at most KEYS_MAX children; of more, the next looks ask about the others in turn. So
 * its cost is bounded by the waits there are, not by the length of their journals' ends.
 *
 * Only runs in RUN_BRANCHES are looked at, when the question is sent and again when its answer is
 * there: elsewhere the journal must not change under a pass or a commit.  Runs are found again by
 * id; one that was claimed anew meanwhile takes what it does not know yet.
 */
#include "engine/ends.h"

#include "base/log.h"
#include "engine/internal.h"
#include "engine/load.h"
#include "store/child_ends.h"

#include <assert.h>

enum { KEYS_MAX = 1000 };

static void on_read(struct store_op *op, int rc, const struct err *err);

void ends_open(struct engine *e)
{
    assert(e->store && list_empty(&e->ends.runs));
    store_op_init(&e->ends.op, e->store);
}

void ends_close(struct engine *e)
{
    assert(list_empty(&e->ends.runs));
    store_op_release(&e->ends.op);
}

void ends_watch(struct ifp_run *run)
{
    assert(sm_is(&run->sm, RUN_BRANCHES) && list_empty(&run->ends));
    if (run->action.kind == ACT_AWAIT && run->action.ends > 0)
        list_push(&run->engine->ends.runs, &run->ends);
}

/* The child of this call is waited for, and is not known to have ended. */
static bool is_wanted(const struct ifp_run *run, const struct journal_slot *slot)
{
    return slot->row.kind == JOURNAL_CHILD && slot->awaited == run->awaits && !slot->end;
}

/* The keys of at most `room` children, going on where the last look at this run stopped. */
static size_t add_keys(struct ifp_run *run, int64_t *exec, int64_t *key, size_t room)
{
    uint32_t count = run->journal.count, from = run->ends_from;
    size_t n = 0;

    for (uint32_t i = 0; i < count && n < room; i++) {
        uint32_t at = (from + i) % count;
        const struct journal_slot *slot = journal_find(&run->journal, (int32_t)at + 1);

        if (!is_wanted(run, slot))
            continue;
        exec[n] = run->exec_id;
        key[n] = ~slot->row.step_key;
        n++;
        run->ends_from = at + 1;
    }
    assert(n <= room);
    return n;
}

void ends_look(struct engine *e)
{
    int64_t exec[KEYS_MAX], key[KEYS_MAX];
    size_t n = 0;

    if (store_op_busy(&e->ends.op) || e->lease.acked_us == 0)
        return;
    for (struct list *l = e->ends.runs.next; l != &e->ends.runs && n < KEYS_MAX; l = l->next)
        n += add_keys(CONTAINER_OF(l, struct ifp_run, ends), exec + n, key + n, KEYS_MAX - n);
    if (n == 0)
        return;
    /* Whoever is first now is last next time: none is left out for ever. */
    list_push(&e->ends.runs, list_pop(&e->ends.runs));
    child_ends_read(&e->ends.op, exec, key, n, on_read);
}

/* The run whose wait this row may end; NULL: it is somewhere else by now, or knows it already. */
static struct ifp_run *taker_of(struct engine *e, const struct store_journal_row *row)
{
    struct ifp_run *run = map_get(&e->runs, (uint64_t)row->exec_id);
    const struct journal_slot *slot;

    assert(row->kind == JOURNAL_CHILD_END);
    if (!run || list_empty(&run->ends))
        return NULL;
    assert(sm_is(&run->sm, RUN_BRANCHES));
    slot = journal_find(&run->journal, row->seq);
    return slot && is_wanted(run, slot) && ~slot->row.step_key == row->step_key ? run : NULL;
}

/* Into the journal; a run that cannot keep it ends or is handed back with its next move. */
static void take(struct ifp_run *run, const struct store_journal_row *row)
{
    int rc = load_add(run, row);

    assert(run->action.kind == ACT_AWAIT && run->action.ends > 0);
    if (rc == 0)
        run->action.left--;
    else
        run->unkept = run->keep.full ? IFP_ETOOLARGE : IFP_ENOMEM;
}

static void on_read(struct store_op *op, int rc, const struct err *err)
{
    struct engine *e = CONTAINER_OF(op, struct engine, ends.op);
    struct ifp_run *last = NULL; /* has got rows and is to be woken; rows of a run come together */

    if (rc == IFP_ECANCELED)
        return;
    if (rc != 0) {
        LOG_WARN("ends of children could not be read, trying again", LOG_ERR(err));
        return;
    }
    assert(op->rows <= KEYS_MAX);
    for (int i = 0; i < op->rows; i++) {
        struct store_journal_row row = store_journal_at(op, i);
        struct ifp_run *run;

        if (last && last->exec_id != row.exec_id) {
            run_wake(last);
            last = NULL;
        }
        run = taker_of(e, &row);
        if (!run)
            continue;
        take(run, &row);
        last = run;
    }
    if (last)
        run_wake(last);
}
