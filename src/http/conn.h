/*
 * http/conn.h - the inside of the HTTP server, shared by its .c files alone.
 *
 * A connection reads requests one after the other and keeps their exchanges in order:
 *
 *   HEAD -> HELD (a body follows, nobody asked) -> BODY -> HEAD
 *                 \-> DRAIN (answered without it) -> HEAD
 *   any of them -> LAST (no request is read any more) -> LINGER (ended, the client is not yet)
 *   any -> CLOSED
 *
 * An exchange is one request and its answer:
 *
 *   WAITING (behind others that must come first) -> OPEN (somebody's) -> STREAMING -> DONE
 *                                OPEN -> ORPHAN (answered by another, still its owner's) -> DONE
 */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "base/map.h"
#include "base/sm.h"
#include "http/pack.h"
#include "http/parse.h"
#include "http/server.h"
#include "net/listener.h"
#include "net/stream.h"

enum { CONN_HEAD, CONN_HELD, CONN_BODY, CONN_DRAIN, CONN_LAST, CONN_LINGER, CONN_CLOSED };
enum { EXCHANGE_WAITING, EXCHANGE_OPEN, EXCHANGE_STREAMING, EXCHANGE_DONE, EXCHANGE_ORPHAN };

enum {
    CONN_PIPELINE_MAX = 16,    /* requests read and not answered */
    CONN_AHEAD_MAX = 16384,    /* bytes read and not looked at */
    CONN_UNASKED_MAX = 65536,  /* of a body nobody asked for, read to keep the connection */
    CONN_EXCHANGES_POOL = 512, /* of a server */
    CONN_ARENA_BYTES = 2048    /* first block of an exchange */
};

struct reply_header {
    struct reply_header *next; /* in the arena */
    struct slice name, value;  /* in the arena */
};

struct exchange {
    struct http_request r; /* r.link in a list of conn or in server.pool */
    int state;
    bool keep;      /* the connection goes on after it; else it is the last in the list */
    bool minor;     /* HTTP/1.1, not 1.0 */
    bool expects;   /* 100 Continue was not sent */
    bool safe;      /* may be worked on beside others: GET or HEAD without a body */
    bool gone_told; /* r.gone was called, or the client is there */
    bool streamed;  /* answered in parts */
    bool chunked;   /* with their lengths; else the end of the connection is theirs */
    bool full;      /* of a stream: over HTTP_STREAM_ROOM, `drained` is due */
    bool packed;    /* its body comes in gzip */
    struct parse_body *parser; /* in the arena; NULL: no body, or it is here */
    http_body_fn *body_fn;     /* asked for and not here */
    void *body_ctx;
    char *body; /* in the arena */
    size_t body_len, body_cap, body_max;
    int body_status;                             /* why reading it failed, or 0 */
    struct reply_header *headers, **headers_end; /* of the answer */
    struct slice head;                           /* of the answer, in the arena; sent: empty */
    struct buf out;                              /* of a stream: not yet sent */
    struct pack *pack;                           /* owned; of a stream that leaves packed */
    void (*drained)(void *ctx, struct http_request *r);
    void *drained_ctx;
};

struct http_conn {
    struct stream stream;
    struct sm sm;
    struct http_server *server; /* borrowed */
    struct list link;           /* in server.conns */
    struct list exchanges;      /* in order; the first is being answered */
    struct list sent;           /* wholly given to the stream, which has not wholly sent them */
    struct list orphans;        /* EXCHANGE_ORPHAN */
    size_t count;               /* in exchanges */
    struct exchange *body_of;   /* in exchanges; whose body comes in HELD, BODY, DRAIN */
    struct buf rest;            /* bytes that were read and not looked at */
    size_t seen;                /* of them by parse_find */
    bool partial;               /* part of a head came */
    bool skipped;               /* one empty line before it was */
    bool ended;                 /* the client sends no more */
    bool stream_closed;
    struct timer timer;       /* due at most at the earlier of the two */
    int64_t read_due_us;      /* of what the client should send */
    int64_t write_due_us;     /* of what it should take; INT64_MAX: nothing waits */
    int64_t first_us;         /* when the first byte of the request came */
    uint64_t written, marked; /* bytes given to the stream; taken by the client at the last look */
    struct deferred turn;
    uint64_t address; /* in server.addresses */
    int64_t key;      /* in server.keys, when keyed */
    bool keyed;
    char peer[HTTP_PEER_SIZE];
};

struct http_server {
    struct loop *loop; /* borrowed */
    struct http_server_options options;
    struct stream_hub hub;
    struct listener *listener; /* owned; NULL once draining */
    struct tls *tls;           /* owned; NULL: plain */
    int port;
    struct parse_limits limits;
    int64_t head_us, body_us, idle_us, write_us;
    struct list conns; /* of conn.link, owned */
    struct list pool;  /* of exchange.r.link, owned */
    size_t pooled;
    struct map addresses, keys; /* counts of connections, as pointers */
    struct http_server_stats stats;
    uint64_t id_seed, id_next;
    int64_t date_s;   /* what `date` says */
    int64_t grace_us; /* draining: until then idle connections stay */
    char date[48];
    bool draining, closing;
    struct timer drain_timer;
    struct deferred ended; /* the last connection has closed */
    loop_fn *drained, *closed;
    void *drained_ctx, *closed_ctx;
};

void conn_open(struct http_server *s, int fd, const char *peer, uint64_t address);
/* At once: requests under way see `gone`. */
void conn_abort(struct http_conn *c);
/* The server drains: an idle one closes, others after their answers. */
void conn_drain(struct http_conn *c);
/* The request is about to be answered: decides x->keep.  What of its body was not asked for is read
 * and dropped, when it is little; else the connection closes after the answer. */
void conn_answering(struct http_conn *c, struct exchange *x);
struct exchange *conn_exchange(struct http_request *r);

/* conn_out.c: gives the stream what may leave, in order, and finishes what has left. */
void conn_flush(struct http_conn *c);
/* In the list, after the others; NULL: out of memory. */
struct exchange *conn_new_exchange(struct http_conn *c);
/* Somebody else answers it: out of the order of answers. */
void conn_orphan(struct exchange *x);
/* An orphan that its owner has finished. */
void conn_bury(struct exchange *x);
void conn_tell_gone(struct exchange *x);

/* reply.c */
const char *reply_reason(int status);

/* server.c: counts of a map; false over `max`. */
bool server_count_up(struct map *m, uint64_t key, int64_t max);
void server_count_down(struct map *m, uint64_t key);
void server_conn_closed(struct http_server *s);

#endif
