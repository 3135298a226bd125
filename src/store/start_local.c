/* store/start_local.c - see the header. */
#include "store/start_local.h"

#include "store/store_private.h"

#include <assert.h>

enum { PRIORITY = 3 };

void start_local_send(struct store_op *op, int64_t worker, const struct store_workflow *workflow,
                      struct slice input, size_t n, store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_START_LOCAL, done);
    struct pgarray inputs;

    assert(worker > 0 && n > 0 && op->store->workspace_id > 0);
    pgargs_int8(args, worker);
    pgargs_int4(args, op->store->workspace_id);
    pgargs_text(args, workflow->name);
    pgargs_text(args, workflow->version);
    pgargs_int2(args, PRIORITY);
    pgarray_init(&inputs, PGTYPE_BYTEA);
    for (size_t i = 0; i < n; i++)
        pgarray_bytes(&inputs, input.text, input.len);
    pgargs_array(args, &inputs);
    pgarray_release(&inputs);
    store_on_pool(op);
}
