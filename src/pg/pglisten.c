/*
 * pg/pglisten.c - LISTEN anew on each connection; see pglisten.h for what a subscriber may rely on.
 *
 * The LISTEN goes as a request like any other, unnamed (it is used once a connection).  `missed` is
 * called after it was carried out, so that between the subscriber's look and the next notification
 * there is no gap.
 */
#include "pg/pglisten.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void on_listening(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct pglisten *l = CONTAINER_OF(req, struct pglisten, req);

    (void)res;
    (void)e;
    if (err == 0 && l->missed)
        l->missed(l->ctx);
}

void pglisten_init(struct pglisten *l, struct pgconn *conn, const char *channel)
{
    int len;

    assert(channel[0] && channel[strspn(channel, "abcdefghijklmnopqrstuvwxyz_")] == '\0');
    memset(l, 0, sizeof(*l));
    l->conn = conn;
    l->channel = channel;
    len = snprintf(l->sql, sizeof(l->sql), "listen %s", channel);
    assert(len > 0 && (size_t)len < sizeof(l->sql));
    l->stmt.sql = l->sql;
    pgreq_init(&l->req);
    l->req.stmt = &l->stmt;
    l->req.done = on_listening;
}

void pglisten_up(struct pglisten *l)
{
    if (!pgreq_busy(&l->req)) /* else it has not been sent yet, and goes to this connection */
        pgconn_exec(l->conn, &l->req);
}

void pglisten_notify(struct pglisten *l, const char *channel, const char *payload)
{
    if (l->notified && strcmp(channel, l->channel) == 0)
        l->notified(l->ctx, payload);
}

void pglisten_release(struct pglisten *l)
{
    pgreq_release(&l->req);
}
