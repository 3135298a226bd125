/*
 * http/transfer.h - one call as a libcurl handle: its options, what comes in, how it ended.
 * Of client.c alone.
 */
#ifndef HTTP_TRANSFER_H
#define HTTP_TRANSFER_H

#include "http/client.h"

#include <curl/curl.h>

struct transfer; /* call->transfer */

struct transfer_options {
    const struct egress *egress; /* borrowed; NULL: no policy */
    const char *agent;           /* borrowed */
    const char *ca_file;         /* borrowed; NULL: the system's */
    struct curl_slist *resolve;  /* borrowed; NULL: DNS */
};

/* Makes the handle of a call; what is wrong with the call is in its failure and err then. */
int transfer_open(const struct transfer_options *o, struct http_call *call) MUSTCHECK;
void transfer_close(struct http_call *call); /* none is fine */
CURL *transfer_easy(const struct http_call *call);
struct http_call *transfer_call(CURL *easy);
/* Fills the call's outcome. */
void transfer_finish(struct http_call *call, CURLcode code);
/* "scheme://host:port" of the call's URL into `ret`: what limits count by. */
int transfer_origin(struct http_call *call, char *ret, size_t size) MUSTCHECK;

#endif
