/* engine/load.c - see the header. */
#include "engine/load.h"

#include <assert.h>

int load_add(struct ifp_run *run, const struct store_journal_row *row)
{
    assert(row->exec_id == run->exec_id && !run->job);
    return journal_add(&run->journal,
                       &(struct journal_row){ .step_key = row->step_key,
                                              .seq = row->seq,
                                              .kind = (enum journal_kind)row->kind,
                                              .status = (enum journal_status)row->status,
                                              .attempts = row->attempts,
                                              .wake_us = row->wake_us,
                                              .name = row->name.text,
                                              .result = row->result,
                                              .error_code = row->error_code,
                                              .error = row->error,
                                              .sleep_ms = -1 });
}

int load_take(struct ifp_run *run, const struct store_journal_row *row)
{
    int rc;

    assert(sm_is(&run->sm, RUN_LOADING) && run->journal.pending == 0);
    if (row->kind == JOURNAL_EVENTS) {
        run->notes.events = row->seq;
        return 0;
    }
    if (row->kind != JOURNAL_ATTEMPTS && row->kind != JOURNAL_PROGRESS) {
        assert(row->step_key >= run->load_after);
        run->load_rows++;
        run->load_after = row->step_key;
    }
    rc = load_add(run, row);
    if (rc == IFP_EINVALID)
        return IFP_ENONDETERMINISTIC;
    return rc != 0 && run->keep.full ? IFP_ETOOLARGE : rc;
}

const char *load_text(int error)
{
    assert(error == IFP_ENONDETERMINISTIC || error == IFP_ETOOLARGE);
    return error == IFP_ETOOLARGE
               ? "the journal is over the limit of this worker (journal-max or run-memory)"
               : "the journal has two rows of one number";
}
