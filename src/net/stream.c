/*
 * net/stream.c - bytes in through the hub's buffer, bytes out by writev, the rest through libuv.
 *
 * Happy path of a write: uv_try_write takes all of it and nothing is copied or allocated.  What it
 * does not take goes to `out`; uv_write has `sending` at work, and when that is done `out` becomes
 * the next `sending`.  Buffers are freed as soon as nothing waits: a stream at rest holds none.
 *
 * With TLS the bytes pass a session (tls.h) on both ways: in to hub.plain, which is given out piece
 * by piece; out by records of hub.record to `out`, and from there as above.  When the owner stops
 * reading within what was read, the rest of it is kept and gone on with in a turn of its own.
 *
 * Failure modes: a failed read or write, and memory for what must wait, break the stream: `broken`
 * is set at once and the owner hears it from the loop (`end` with IFP_EUNAVAILABLE), never from
 * inside its own call.  For that a broken stream's handle is closed only by stream_close.
 *
 * Invariants: `sending` is touched by nobody while `request` is in flight; no callback after
 * `closed`; `closed` comes when libuv has let go of handle and request.
 */
#include "net/stream.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_written(uv_write_t *request, int status);
static void read_kept(void *ctx);

int stream_hub_open(struct loop *l, struct stream_hub *ret, struct err *e)
{
    *ret = (struct stream_hub){ .loop = l };
    ret->inbox = mem_alloc(STREAM_READ_MAX);
    ret->plain = mem_alloc(STREAM_PLAIN_MAX);
    ret->record = mem_alloc(STREAM_PLAIN_MAX);
    if (!ret->inbox || !ret->plain || !ret->record) {
        stream_hub_close(ret);
        return err_set(e, IFP_ENOMEM, "connections: out of memory");
    }
    return 0;
}

void stream_hub_close(struct stream_hub *hub)
{
    mem_free(hub->inbox);
    mem_free(hub->plain);
    mem_free(hub->record);
    hub->inbox = hub->plain = hub->record = NULL;
}

static void tell_broken(void *ctx)
{
    struct stream *s = ctx;

    s->events->end(s->ctx, IFP_EUNAVAILABLE);
}

/* From now on all writes are dropped. */
static void break_off(struct stream *s)
{
    if (s->broken || s->closing)
        return;
    s->broken = true;
    buf_release(&s->out);
    stream_read(s, 0);
    deferred_call(&s->teller);
}

void stream_open(struct stream *s, struct stream_hub *hub, int fd, struct tls *tls,
                 const struct stream_events *events, void *ctx)
{
    int rc = uv_tcp_init(loop_uv(hub->loop), &s->tcp);

    assert(rc == 0); /* without a family it only fills the struct */
    s->hub = hub;
    s->events = events;
    s->ctx = ctx;
    buf_init(&s->out);
    buf_init(&s->sending);
    deferred_init(&s->teller, hub->loop, tell_broken, s);
    deferred_init(&s->reader, hub->loop, read_kept, s);
    s->read_max = 0;
    s->ended = s->broken = s->ending = s->shut = s->closing = false;
    rc = uv_tcp_open(&s->tcp, fd);
    if (rc < 0) {
        close(fd);
        break_off(s);
        return;
    }
    (void)uv_tcp_nodelay(&s->tcp, 1); /* a socket that cannot is slower, not wrong */
    s->tls = tls ? tls_session_open(tls) : NULL;
    if (tls && !s->tls)
        break_off(s);
}

/* ---- in ---- */

static void on_alloc(uv_handle_t *tcp, size_t suggested, uv_buf_t *ret)
{
    struct stream *s = CONTAINER_OF(tcp, struct stream, tcp);

    (void)suggested;
    *ret = uv_buf_init(s->hub->inbox, (unsigned int)MIN(s->read_max, (size_t)STREAM_READ_MAX));
}

static void send_out(struct stream *s);

static void end_in(struct stream *s)
{
    s->ended = true;
    stream_read(s, 0);
    s->events->end(s->ctx, 0);
}

/* Gives out what the session makes of the bytes that it was fed. */
static void read_tls(struct stream *s)
{
    ssize_t n = 1;

    while (n > 0 && s->read_max > 0) {
        n = tls_session_read(s->tls, s->hub->plain, STREAM_PLAIN_MAX, &s->out);
        if (n > 0)
            s->events->data(s->ctx, s->hub->plain, (size_t)n);
    }
    if (s->closing || s->broken)
        return;
    send_out(s);
    if (n == TLS_BROKEN || tls_session_keep(s->tls) < 0)
        break_off(s);
    else if (n == TLS_ENDED && !s->ended)
        end_in(s);
}

static void read_kept(void *ctx)
{
    struct stream *s = ctx;

    if (s->read_max > 0)
        read_tls(s);
}

static void on_read(uv_stream_t *tcp, ssize_t len, const uv_buf_t *buf)
{
    struct stream *s = CONTAINER_OF(tcp, struct stream, tcp);

    if (len > 0) {
        s->hub->bytes_in += len;
        if (s->tls) {
            tls_session_feed(s->tls, buf->base, (size_t)len);
            read_tls(s);
        } else {
            s->events->data(s->ctx, buf->base, (size_t)len);
        }
    } else if (len == UV_EOF) {
        if (s->tls && tls_session_kept(s->tls))
            read_tls(s);
        if (!s->closing && !s->broken && !s->ended)
            end_in(s);
    } else if (len < 0) {
        break_off(s);
    }
}

void stream_read(struct stream *s, size_t max)
{
    if (s->ended || s->broken || s->closing)
        max = 0;
    if (max > 0 && s->read_max == 0 &&
        uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read) < 0) {
        break_off(s);
        return;
    }
    if (max > 0 && s->read_max == 0 && s->tls && tls_session_kept(s->tls))
        deferred_call(&s->reader);
    if (max == 0 && s->read_max > 0)
        uv_read_stop((uv_stream_t *)&s->tcp);
    s->read_max = max;
}

/* ---- out ---- */

/* Once nothing waits: ends our half, if that was asked for. */
static void shut_if_due(struct stream *s)
{
    uv_os_fd_t fd;

    if (!s->ending || s->shut || s->broken || s->closing || stream_waiting(s) > 0)
        return;
    s->shut = true;
    if (uv_fileno((uv_handle_t *)&s->tcp, &fd) == 0)
        (void)shutdown(fd, SHUT_WR); /* fails when the other side has gone: nothing to tell it */
}

/* Hands `out` to libuv, unless a write is under way. */
static void send_next(struct stream *s)
{
    struct buf next = s->out;
    uv_buf_t part;

    if (s->sending.len > 0 || next.len == 0)
        return;
    s->sending = next;
    buf_init(&s->out);
    part = uv_buf_init(s->sending.data, (unsigned int)s->sending.len);
    if (uv_write(&s->request, (uv_stream_t *)&s->tcp, &part, 1, on_written) < 0) {
        buf_release(&s->sending);
        break_off(s);
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct stream *s = CONTAINER_OF(request, struct stream, request);

    buf_release(&s->sending);
    if (s->closing || s->broken)
        return;
    if (status < 0) {
        break_off(s);
        return;
    }
    send_next(s);
    if (stream_waiting(s) > 0)
        return;
    shut_if_due(s);
    s->events->drained(s->ctx);
}

/* `out` to the kernel, and to libuv what that does not take. */
static void send_out(struct stream *s)
{
    uv_buf_t all = uv_buf_init(s->out.data, (unsigned int)s->out.len);
    int taken;

    if (buf_broken(&s->out)) {
        break_off(s);
        return;
    }
    if (s->sending.len > 0 || s->out.len == 0)
        return;
    taken = uv_try_write((uv_stream_t *)&s->tcp, &all, 1);
    if (taken < 0 && taken != UV_EAGAIN) {
        break_off(s);
        return;
    }
    if (MAX(taken, 0) == (int)s->out.len) {
        buf_release(&s->out);
        return;
    }
    s->out.len -= (size_t)MAX(taken, 0);
    memmove(s->out.data, s->out.data + MAX(taken, 0), s->out.len);
    send_next(s);
}

/* Full records, however the parts are cut. */
static void write_tls(struct stream *s, const struct slice *parts, size_t n)
{
    size_t len = 0;
    bool whole = true;

    for (size_t i = 0; i < n; i++) {
        for (size_t at = 0, step; at < parts[i].len && whole; at += step) {
            step = MIN(parts[i].len - at, STREAM_PLAIN_MAX - len);
            memcpy(s->hub->record + len, parts[i].text + at, step);
            len += step;
            if (len < STREAM_PLAIN_MAX)
                continue;
            whole = tls_session_write(s->tls, s->hub->record, len, &s->out);
            len = 0;
        }
    }
    if (len > 0 && whole)
        whole = tls_session_write(s->tls, s->hub->record, len, &s->out);
    if (whole)
        send_out(s);
    else
        break_off(s);
}

/* Keeps what of the parts lies behind the first `skip` bytes, for libuv to send. */
static void keep(struct stream *s, const struct slice *parts, size_t n, size_t skip)
{
    for (size_t i = 0; i < n; i++) {
        size_t cut = MIN(skip, parts[i].len);

        buf_put(&s->out, parts[i].text + cut, parts[i].len - cut);
        skip -= cut;
    }
    if (buf_broken(&s->out)) {
        break_off(s);
        return;
    }
    send_next(s);
}

void stream_write(struct stream *s, const struct slice *parts, size_t n)
{
    uv_buf_t bufs[STREAM_PARTS_MAX];
    size_t total = 0;
    int taken = 0;

    assert(n <= STREAM_PARTS_MAX && !s->ending);
    if (s->broken || s->closing)
        return;
    for (size_t i = 0; i < n; i++) {
        bufs[i].base = (char *)(uintptr_t)parts[i].text; /* libuv only reads it */
        bufs[i].len = parts[i].len;
        total += parts[i].len;
    }
    s->hub->bytes_out += (int64_t)total;
    if (total == 0)
        return;
    if (s->tls) {
        write_tls(s, parts, n);
        return;
    }
    if (stream_waiting(s) == 0) {
        taken = uv_try_write((uv_stream_t *)&s->tcp, bufs, (unsigned int)n);
        if (taken < 0 && taken != UV_EAGAIN) {
            break_off(s);
            return;
        }
    }
    if (MAX(taken, 0) < (int)total)
        keep(s, parts, n, (size_t)MAX(taken, 0));
}

size_t stream_waiting(const struct stream *s)
{
    if (s->sending.len == 0)
        return s->out.len;
    return s->out.len + uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp);
}

void stream_end(struct stream *s)
{
    s->ending = true;
    if (s->tls && !s->broken && !s->closing) {
        tls_session_end(s->tls, &s->out);
        send_out(s);
    }
    shut_if_due(s);
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *tcp)
{
    struct stream *s = CONTAINER_OF(tcp, struct stream, tcp);

    assert(s->sending.len == 0); /* libuv ends the request before the handle */
    tls_session_close(s->tls);
    s->events->closed(s->ctx);
}

void stream_close(struct stream *s)
{
    if (s->closing)
        return;
    stream_read(s, 0);
    s->closing = true;
    deferred_cancel(&s->teller);
    deferred_cancel(&s->reader);
    buf_release(&s->out);
    uv_close((uv_handle_t *)&s->tcp, on_closed);
}
