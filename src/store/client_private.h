/*
 * store/client_private.h - what the files of the blocking client share.  Nobody outside store/
 * includes this.
 */
#ifndef STORE_CLIENT_PRIVATE_H
#define STORE_CLIENT_PRIVATE_H

#include "store/client.h"
#include "store/statements.h"

/* Connects if need be and checks the schema; the workspace is not looked for. */
int client_connect(struct client *c, struct err *e) MUSTCHECK;
/* Begins a call: the client is ready, and the arguments begin with its workspace.  On success they
 * are the caller's to release. */
int client_begin(struct client *c, struct pgargs *args, struct err *e) MUSTCHECK;
/* After client_ready; releases the arguments.  With `repeat` a statement whose answer was lost is
 * sent once more on a new connection: only for what may happen twice.  *ret_res is for
 * pgsync_free_result. */
int client_run(struct client *c, enum statement id, struct pgargs *args, bool repeat,
               struct pgres **ret_res, struct err *e) MUSTCHECK;
/* IFP_ENOTFOUND, and the text that names it. */
int client_no_execution(const struct client *c, int64_t id, struct err *e) MUSTCHECK;
/* Milliseconds since 1970, 0 for SQL null. */
int64_t client_ms_at(const struct pgres *res, int row, int col);

/* What a start may not be, found before anything is sent. */
int client_check_start(const char *workflow, struct slice input, const ifp_start_options *o,
                       int64_t payload_max, struct err *e) MUSTCHECK;
int client_check_payload(const char *field, struct slice text, int64_t payload_max,
                         struct err *e) MUSTCHECK;
int client_check_version(const char *text, struct err *e) MUSTCHECK;
/* 1 to 255 bytes of UTF-8; NULL is fine. */
int client_check_key(const char *field, const char *text, struct err *e) MUSTCHECK;

#endif
