/*
 * store/roster.c - the statement `roster`: names and versions as two arrays, and the time.
 */
#include "store/roster.h"

#include "base/clock.h"
#include "store/store_private.h"

#include <assert.h>

void roster_tell(struct store_op *op, int64_t worker, const struct store_workflow *w, size_t n,
                 store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_ROSTER, done);
    struct pgarray names, versions;

    assert(worker > 0 && op->store->workspace_id && (w || n == 0));
    pgarray_init(&names, PGTYPE_TEXT);
    pgarray_init(&versions, PGTYPE_TEXT);
    for (size_t i = 0; i < n; i++) {
        pgarray_text(&names, w[i].name);
        pgarray_text(&versions, w[i].version);
    }
    pgargs_int8(args, worker);
    pgargs_int4(args, op->store->workspace_id);
    pgargs_array(args, &names);
    pgargs_array(args, &versions);
    pgargs_timestamptz(args, clock_real_us());
    pgarray_release(&names);
    pgarray_release(&versions);
    store_on_control(op);
}
