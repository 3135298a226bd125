/*
 * net/stream.h - one connection as a stream of bytes, both ways, on the loop.
 *
 *   OPEN -stream_end-> ENDING (what waits still leaves) -> its side shut
 *     any -stream_close-> closed, called back once
 *
 * Reading goes through one buffer for all streams of a hub, so a stream that waits holds no buffer
 * at all; what `data` does not use up it must copy.  Writing tries the kernel first and keeps only
 * what that did not take.  Callbacks come from the loop, never from inside a call of this file, and
 * may call anything here.  Loop thread only.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/buf.h"
#include "base/jsonscan.h"
#include "loop/loop.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct stream_events {
    /* Bytes came; valid for the call. */
    void (*data)(void *ctx, const char *data, size_t len);
    /* The other side ended its half (0), or the connection is broken (IFP_EUNAVAILABLE; what is
     * written from now on is dropped).  Each at most once, an end before a break. */
    void (*end)(void *ctx, int rc);
    /* Nothing waits any more. */
    void (*drained)(void *ctx);
    /* After stream_close: the memory is the owner's again. */
    void (*closed)(void *ctx);
};

/* What the streams of one server share. */
struct stream_hub {
    struct loop *loop; /* borrowed */
    char *inbox;       /* owned: STREAM_READ_MAX bytes that came last */
    char *plain;       /* owned: STREAM_PLAIN_MAX bytes that were deciphered last */
    char *record;      /* owned: STREAM_PLAIN_MAX bytes to be enciphered */
    int64_t bytes_in, bytes_out;
};

enum { STREAM_READ_MAX = 65536, STREAM_PLAIN_MAX = 16384, STREAM_PARTS_MAX = 32 };

/* Embedded in its owner. */
struct stream {
    uv_tcp_t tcp;
    uv_write_t request;                 /* in flight while `sending` holds something */
    struct stream_hub *hub;             /* borrowed */
    const struct stream_events *events; /* static */
    void *ctx;
    struct buf out;          /* waits behind `sending` */
    struct buf sending;      /* in libuv's hands */
    size_t read_max;         /* bytes wanted at once; 0: none */
    struct tls_session *tls; /* owned; NULL: plain */
    struct deferred teller;  /* tells that it broke */
    struct deferred reader;  /* goes on with bytes of TLS that were kept */
    bool ended, broken, ending, shut, closing;
};

int stream_hub_open(struct loop *l, struct stream_hub *ret, struct err *e) MUSTCHECK;
void stream_hub_close(struct stream_hub *hub);

/* Takes the socket; tls NULL: plain.  What goes wrong here makes it a broken stream, which `end`
 * tells later.  Nothing is read before stream_read. */
void stream_open(struct stream *s, struct stream_hub *hub, int fd, struct tls *tls,
                 const struct stream_events *events, void *ctx);
/* How many bytes may come at once from now on; 0 stops reading. */
void stream_read(struct stream *s, size_t max);
/* Sends the parts; what must wait is copied.  On a broken stream they are dropped. */
void stream_write(struct stream *s, const struct slice *parts, size_t n);
/* Bytes that wait for the other side. */
size_t stream_waiting(const struct stream *s);
/* Ends our half once nothing waits; nothing may be written after it. */
void stream_end(struct stream *s);
/* Drops what waits; `closed` comes from the loop. */
void stream_close(struct stream *s);

#endif
