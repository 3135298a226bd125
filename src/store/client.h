/*
 * store/client.h - what callers do to executions, over a blocking connection: the client half of
 * the library and the command line.  One thread at a time.  Every call names the workspace; an
 * object of another one is IFP_ENOTFOUND.  Inputs are checked here (names, ranges, JSON, size)
 * before anything is sent; errors name the field and the rule.
 */
#ifndef STORE_CLIENT_H
#define STORE_CLIENT_H

#include "base/base.h"
#include "base/err.h"
#include "pg/pgsync.h"

#include <inferpipe.h>
#include <stdbool.h>
#include <stdint.h>

struct client_limits {
    int64_t payload_max, payload_inline, idempotency_ttl_ms;
};

struct client {
    struct pgsync *db; /* owned; opened on first use */
    struct pgsync_options db_options;
    char *conninfo;       /* owned */
    char *workspace;      /* owned slug */
    int32_t workspace_id; /* 0: not looked up yet */
    bool checked;         /* the schema behind this connection was found to fit */
    struct client_limits limits;
};

int client_open(struct client *c, const char *conninfo, const char *workspace,
                const struct client_limits *limits, struct err *e) MUSTCHECK;
void client_release(struct client *c);
/* The calls to come are about this workspace, whose id is known. */
int client_set_workspace(struct client *c, const char *slug, int32_t id, struct err *e) MUSTCHECK;
/* Connects if need be, checks that the schema is there and neither older nor newer than this binary
 * (IFP_ESCHEMA), and finds the workspace (IFP_ENOTFOUND). */
int client_ready(struct client *c, struct err *e) MUSTCHECK;

/* *ret_created is false when the idempotency key had started it before. */
int client_start(struct client *c, const char *workflow, const char *input, size_t len,
                 const ifp_start_options *o, int64_t *ret_id, bool *ret_created,
                 struct err *e) MUSTCHECK;
/* Several at once: all of them or, on failure, none.  *ret_bad is the item that client_check_items
 * refused; client_start_many takes what it passed. */
enum { CLIENT_BATCH_MAX = 1000 };
int client_check_items(const struct client *c, const ifp_start_item *items, size_t n,
                       size_t *ret_bad, struct err *e) MUSTCHECK;
int client_start_many(struct client *c, const ifp_start_item *items, size_t n, int64_t *ret_ids,
                      bool *ret_created, struct err *e) MUSTCHECK;
int client_send(struct client *c, int64_t id, const char *name, const char *json, size_t len,
                const char *dedupe, bool *ret_new, struct err *e) MUSTCHECK;
/* *ret_now: it ended at once; else its worker was asked. */
int client_cancel(struct client *c, int64_t id, bool force, bool *ret_now, struct err *e) MUSTCHECK;
int client_retry(struct client *c, int64_t id, struct err *e) MUSTCHECK;
/* *ret_created is false when the key had forked it before. */
int client_fork(struct client *c, int64_t id, const ifp_fork_options *o, int64_t *ret_id,
                bool *ret_created, struct err *e) MUSTCHECK;
/* Fills `ret`, to be released by ifp_execution_release; input too when ret_input is not NULL. */
int client_get(struct client *c, int64_t id, ifp_execution *ret, char **ret_input,
               struct err *e) MUSTCHECK;
/* How many children it has started, by how they are; IFP_ENOTFOUND. */
int client_children(struct client *c, int64_t id, ifp_children *ret, struct err *e) MUSTCHECK;

/* A page of the stream from behind number `after`; what `fn` returns other than 0 ends it. */
struct client_page {
    int64_t last; /* number of the last one given, or `after` */
    bool more;    /* ask again for the rest */
    bool ended;   /* the execution had ended, with no event behind this page unless `more` */
};
int client_events(struct client *c, int64_t id, int64_t after, ifp_event_fn *fn, void *ctx,
                  struct client_page *ret, struct err *e) MUSTCHECK;
/* The live state, for mem_free; NULL when it never set one. */
int client_state(struct client *c, int64_t id, char **ret_state, struct err *e) MUSTCHECK;

/* Checks shared with the engine and the command line. */
int client_check_slug(const char *field, const char *text, struct err *e) MUSTCHECK;
int client_check_name(const char *field, const char *text,
                      struct err *e) MUSTCHECK; /* 1..200 bytes */
/* All but the call's name; `o` may be NULL. */
int client_check_child(const char *workflow, const ifp_child_options *o, struct err *e) MUSTCHECK;

#endif
