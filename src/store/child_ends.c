/*
 * store/child_ends.c - the statement `journal_ends`: executions and keys as two arrays.  It reads
 * only, so a lost answer means nothing: whoever asked asks again.
 */
#include "store/child_ends.h"

#include "store/store_private.h"

#include <assert.h>

void child_ends_read(struct store_op *op, const int64_t *exec, const int64_t *key, size_t n,
                     store_done_fn *done)
{
    struct pgargs *args = store_begin(op, STATEMENT_JOURNAL_ENDS, done);
    struct pgarray ids, keys;

    assert(n > 0 && exec && key);
    pgarray_init(&ids, PGTYPE_INT8);
    pgarray_init(&keys, PGTYPE_INT8);
    for (size_t i = 0; i < n; i++) {
        assert(exec[i] > 0);
        pgarray_int8(&ids, exec[i]);
        pgarray_int8(&keys, key[i]);
    }
    pgargs_array(args, &ids);
    pgargs_array(args, &keys);
    pgarray_release(&keys);
    pgarray_release(&ids);
    store_on_pool(op);
}
