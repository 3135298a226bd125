/* engine/rehearse.c - see the header. */
#include "engine/rehearse.h"

#include "base/mem.h"
#include "engine/branch.h"
#include "engine/defaults.h"
#include "engine/internal.h"
#include "engine/load.h"
#include "engine/replay.h"

#include <assert.h>
#include <string.h>

struct rehearse {
    struct engine engine; /* a configuration and a clock, no more */
    struct loop *loop;    /* owned; never runs */
};

int rehearse_open(const struct config *config, struct rehearse **ret, struct err *e)
{
    struct rehearse *r = mem_zalloc(sizeof(*r));
    int rc;

    if (!r)
        return err_set(e, IFP_ENOMEM, "out of memory");
    rc = loop_open(&r->loop, e);
    if (rc != 0) {
        mem_free(r);
        return rc;
    }
    r->engine.o = (struct engine_options){ .config = config, .rehearsal = true };
    r->engine.loop = r->loop;
    *ret = r;
    return 0;
}

void rehearse_close(struct rehearse *r)
{
    if (!r)
        return;
    loop_close(r->loop);
    mem_free(r);
}

int rehearse_begin(struct rehearse *r, const struct store_claimed *row,
                   const struct engine_workflow *w, struct rehearsal *ret)
{
    struct ifp_run *run = run_new(&r->engine, row);

    assert(w->fn && row->now_us > 0);
    if (!run)
        return IFP_ENOMEM;
    engine_db_clock(&r->engine, row->now_us);
    run->workflow = w;
    defaults_set(&w->step, row->options, &run->step_defaults);
    run->expired = row->deadline_us != 0 && row->deadline_us <= row->now_us;
    run->input = value_copy(&run->keep, row->input);
    if (!run->input && !run->keep.full) {
        run_free(run);
        return IFP_ENOMEM;
    }
    *ret = (struct rehearsal){ .run = run };
    if (!run->input) {
        ret->refused = IFP_ETOOLARGE;
        ret->why = INPUT_FULL;
    }
    return 0;
}

int rehearse_row(struct rehearsal *x, const struct store_journal_row *row)
{
    int rc = x->refused ? 0 : load_take(x->run, row);

    assert(x->run->exec_id == row->exec_id);
    if (rc != 0 && rc != IFP_ENOMEM) {
        x->refused = rc;
        x->why = load_text(rc);
        rc = 0;
    }
    return rc;
}

/* A run that was canceled or is over its time ends as such, whatever else the pass met. */
static void judge(const struct ifp_run *run, struct rehearsal_end *ret)
{
    const struct action *a = &run->action;
    bool left_journal = a->kind == ACT_END && a->status == FLUSH_FAILED &&
                        strcmp(a->error_code, ifp_error_name(IFP_ENONDETERMINISTIC)) == 0;

    assert(a->kind != ACT_NONE && !run->job);
    *ret = (struct rehearsal_end){ .verdict = IFP_CONTINUES, .calls = run->seq, .text = "" };
    if (left_journal || a->kind == ACT_LEAVE) {
        ret->verdict = left_journal ? IFP_DIVERGES : IFP_UNKNOWN;
        ret->text = a->error;
    } else if (run->fatal && !run->stop) {
        ret->verdict = IFP_FAILS;
        ret->text = run->error.message;
    }
}

int rehearse_end(struct rehearsal *x, struct rehearsal_end *ret)
{
    struct ifp_run *run = x->run;

    assert(run->workflow && run->fence > 0);
    if (x->refused) {
        *ret = (struct rehearsal_end){ .verdict = x->refused == IFP_ENONDETERMINISTIC ? IFP_DIVERGES
                                                                                      : IFP_FAILS,
                                       .text = x->why };
        return 0;
    }
    assert(run->input && run->journal.pending == 0);
    sm_move(&run->sm, RUN_READY);
    replay_pass(run);
    if (run->action.kind == ACT_AGAIN || run->action.kind == ACT_BACK)
        return IFP_ENOMEM;
    judge(run, ret);
    return 0;
}

void rehearse_drop(struct rehearsal *x)
{
    if (!x->run)
        return;
    branch_drop(x->run);
    run_free(x->run);
    *x = (struct rehearsal){ .run = NULL };
}
