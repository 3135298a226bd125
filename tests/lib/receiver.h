/*
 * tests/lib/receiver.h - an HTTP server on loopback that records what it is sent and answers as the
 * test says: for clients and webhooks.  A thread for each connection; one request a connection
 * unless `keep` says otherwise.
 */
#ifndef LIB_RECEIVER_H
#define LIB_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>

struct receiver;

struct receiver_request { /* texts: owned by the receiver until it closes */
    char *head;           /* request line and headers, with their \r\n */
    char *body;
    size_t body_len;
    int number; /* 1... in order of arrival */
};

struct receiver_answer {
    int status;          /* 0: closes without an answer */
    const char *headers; /* "name: value\r\n"...; NULL: none */
    const char *body;    /* NULL: "" */
    bool hang;           /* never answers; the connection stays until the receiver closes */
    bool keep;           /* the connection stays for another request */
    bool cut;            /* says a longer body than it sends */
};
/* On a thread of the receiver. */
typedef void receiver_fn(void *ctx, const struct receiver_request *r, struct receiver_answer *ret);

/* `fn` NULL: 200 for all. */
struct receiver *receiver_open(receiver_fn *fn, void *ctx);
int receiver_port(const struct receiver *r);
int receiver_count(struct receiver *r);       /* requests so far */
int receiver_connections(struct receiver *r); /* accepted so far */
int receiver_busiest(struct receiver *r);     /* most requests at once without an answer */
/* Request number n (1...), which must be there. */
const struct receiver_request *receiver_get(struct receiver *r, int n);
/* Waits up to 20 s until there are n requests; false: they did not come. */
bool receiver_wait(struct receiver *r, int n);
/* A header of a request, copied into ret; "" when absent. */
void receiver_header(const struct receiver_request *r, const char *name, char *ret, size_t size);
void receiver_close(struct receiver *r);

#endif
