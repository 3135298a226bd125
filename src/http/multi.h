/*
 * http/multi.h - libcurl's transfers driven by our loop: its sockets and its one timer.
 * Of client.c alone.
 */
#ifndef HTTP_MULTI_H
#define HTTP_MULTI_H

#include "base/err.h"
#include "loop/loop.h"

#include <curl/curl.h>

struct multi;
/* A transfer has ended; it was removed already.  From the loop. */
typedef void multi_ended_fn(void *ctx, CURL *easy, CURLcode code);

int multi_open(struct loop *l, int connections, multi_ended_fn *ended, void *ctx,
               struct multi **ret, struct err *e) MUSTCHECK;
/* No transfer may be left.  Its sockets close with the loop's next turns. */
void multi_close(struct multi *m);
/* IFP_ENOMEM: it is not in. */
int multi_add(struct multi *m, CURL *easy) MUSTCHECK;
/* Takes a transfer out before its end: `ended` does not come for it. */
void multi_remove(struct multi *m, CURL *easy);

#endif
