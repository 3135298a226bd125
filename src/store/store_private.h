/*
 * store/store_private.h - what the files of the asynchronous store share: its struct and the way
 * an operation is begun and sent.  Nobody outside store/ includes this.
 */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include "pg/pglisten.h"
#include "pg/pgpool.h"
#include "store/statements.h"
#include "store/store.h"

enum { STORE_HOST_SIZE = 65 };

struct store {
    struct pgconn *control; /* owned; lease, tick, reaper, notifications */
    struct pgpool *pool;    /* owned; claims, journals, commits */
    struct pglisten listen; /* on the control connection, when `listens` */
    bool listens, closing;
    int closing_left;          /* connections that have not said that they are closed */
    char *workspace, *program; /* owned */
    char host[STORE_HOST_SIZE];
    int32_t workspace_id; /* 0 until store_register has succeeded */
    int64_t lease_ms;
    void (*on_up)(void *ctx);
    void (*on_down)(void *ctx, const struct err *e);
    void (*on_wake)(void *ctx, int32_t lane);
    void *ctx;
    loop_fn *closed;
    void *closed_ctx;
};

/* Empties the operation and names its statement; the caller then adds the parameters in order. */
struct pgargs *store_begin(struct store_op *op, enum statement id, store_done_fn *done);
void store_on_control(struct store_op *op);
void store_on_pool(struct store_op *op);
/* For those that read the same rows over another connection (live.c). */
void store_journal_args(struct pgargs *args, const int64_t *exec, const int64_t *after, size_t n,
                        int limit);
struct store_claimed store_claimed_of(const struct pgres *res, int row);
struct store_journal_row store_journal_of(const struct pgres *res, int row);
/* The pgreq_done_fn of all operations; for those that look at the answer before the caller. */
void store_finish(struct pgreq *req, int err, const struct pgres *res, const struct err *e);

#endif
