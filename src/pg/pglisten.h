/*
 * pg/pglisten.h - LISTEN on a connection, kept up over reconnects.
 *
 * The owner of a pgconn calls pglisten_up from its on_up and pglisten_notify from its on_notify.
 * A notification is a hint: what was sent while the connection was down is lost, so `missed` is
 * called each time it came back and the subscriber looks for itself.  A LISTEN that fails on a live
 * connection is tried again with the next one: until then the subscriber has its own polling only.
 */
#ifndef PG_PGLISTEN_H
#define PG_PGLISTEN_H

#include "pg/pgconn.h"

struct pglisten {
    struct pgconn *conn; /* borrowed */
    const char *channel; /* borrowed; [a-z_]+ */
    struct pgstmt stmt;
    char sql[96];
    struct pgreq req;
    void (*notified)(void *ctx, const char *payload);
    void (*missed)(void *ctx);
    void *ctx;
};

void pglisten_init(struct pglisten *l, struct pgconn *conn, const char *channel);
void pglisten_up(struct pglisten *l);
void pglisten_notify(struct pglisten *l, const char *channel, const char *payload);
/* After the connection was closed. */
void pglisten_release(struct pglisten *l);

#endif
