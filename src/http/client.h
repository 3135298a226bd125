/*
 * http/client.h - requests of ours to others, over libcurl on the event loop.
 *
 *   http_client_start -> waiting for a place -> under way -> done (exactly once, from the loop)
 *
 * A call is embedded in its owner and set by it; `done` never comes from inside http_client_start.
 * At most `in_flight` calls are under way, at most `per_host` of them with one host: a host that
 * does not answer holds back its own calls and no others'.  Hosts take turns.
 *
 * Secure by default: http and https alone, certificates checked, no proxy, cookie, netrc or
 * compression, no redirect unless asked for, an answer no larger than asked for; each connection
 * is allowed by the egress policy (http/egress.h) when it is made.  Loop thread only.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/jsonscan.h"
#include "base/list.h"
#include "base/span.h"
#include "loop/loop.h"

#include <stdint.h>

struct egress;
struct http_client;

struct http_client_options {
    const struct egress *egress; /* borrowed; NULL: every address, for endpoints of the operator */
    int in_flight, per_host;     /* 0: 128 and 8 */
    int queue;                   /* calls that may wait for a place; 0: 10000 */
    int per_host_waiting;        /* those of one host; 0: no limit of its own */
    const char *agent;           /* User-Agent, copied; NULL: "inferpipe" */
    const char *resolve;         /* for tests: "name:port:address", answers for DNS */
    const char *ca_file;         /* copied; NULL: the system's certificates */
    span_fn *span;               /* is told of calls that are part of a trace; may be NULL */
    void *span_ctx;
};

/* How a call ended; the texts of `err` say more. */
enum http_failure {
    HTTP_FAILURE_NONE,       /* there is an answer: look at its status */
    HTTP_FAILURE_INVALID,    /* the request itself: URL, scheme, method, header */
    HTTP_FAILURE_REFUSED,    /* by the egress policy: nothing was connected to */
    HTTP_FAILURE_CONNECT,    /* no such host, or nobody listens there */
    HTTP_FAILURE_TLS,        /* its certificate or handshake */
    HTTP_FAILURE_TIMEOUT,    /* connect or total time is over */
    HTTP_FAILURE_BROKEN,     /* the connection or the answer broke off */
    HTTP_FAILURE_TOO_LARGE,  /* the answer is over answer_max */
    HTTP_FAILURE_REDIRECTS,  /* more of them than allowed */
    HTTP_FAILURE_OVERLOADED, /* the queue or memory is full: nothing was sent */
    HTTP_FAILURE_CANCELED
};

struct http_call;
typedef void http_call_fn(struct http_call *call);

struct http_call {
    /* Set by the owner; texts are borrowed until `done`. */
    const char *method;         /* NULL: GET without a body, POST with one */
    const char *url;            /* absolute, http or https */
    const char *const *headers; /* "name: value" each, ended by NULL; may be NULL */
    struct slice body;
    int64_t connect_ms, total_ms; /* 0: 10 s and 60 s; the total counts from its start */
    size_t answer_max;            /* bytes of body; 0: 1 MiB */
    int redirects;                /* how many may be followed; 0: none, a 3xx is an answer */
    struct traceparent trace;     /* whose call it is: it sends a traceparent; zero: none */
    http_call_fn *done;

    /* For `done`; memory stays until http_call_release. */
    enum http_failure failure;
    struct err err;    /* code 0: answered */
    int status;        /* of the last answer; 0: none */
    struct buf head;   /* "name: value\r\n" lines of the last answer */
    struct buf answer; /* its body */
    char address[64];  /* "1.2.3.4:443" that it came from, or that was refused; "" */
    int64_t sent_us;   /* clock_mono_us when it left the queue; 0: it never did */

    /* Of client.c. */
    uint64_t span; /* its own in that trace */
    struct http_client *client;
    struct http_host *host;
    struct list link;
    void *transfer;
    bool refused;
};

int http_client_open(struct loop *l, const struct http_client_options *o, struct http_client **ret,
                     struct err *e) MUSTCHECK;
/* No call may be left: cancel them and wait for `done` first.  NULL is fine. */
void http_client_close(struct http_client *c);
void http_client_start(struct http_client *c, struct http_call *call);
/* `done` comes soon, with HTTP_FAILURE_CANCELED unless it has ended already. */
void http_client_cancel(struct http_call *call);
int http_client_busy(const struct http_client *c); /* calls that have not ended */

/* The value of the first header of that name (any case), in `head`; text NULL: absent. */
struct slice http_call_header(const struct http_call *call, const char *name);
/* The lower-case name on the wire of a failure: "timeout". */
const char *http_failure_name(enum http_failure f);
/* Whether a URL is one that a call could be made to, now or ever: absolute, http or https, a host,
 * no credentials inside, at most 2048 bytes.  IFP_EINVALID says which rule it breaks. */
int http_url_check(const char *url, struct err *e) MUSTCHECK;
/* Frees the answer; the call may be started again. */
void http_call_release(struct http_call *call);

#endif
