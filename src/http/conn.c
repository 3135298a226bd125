/*
 * http/conn.c - reads requests from a connection and hands them over.
 *
 * Happy path: on_data finds a head in the bytes just read, copies it into an exchange of the pool,
 * parses and judges it, and calls server.request.  The answer marks the exchange; at the end of the
 * loop's turn on_turn writes all that may leave, in order, and finishes it.  So nothing is written
 * from inside a handler, and pipelined answers leave together.
 *
 * Requests are handed over side by side only while all of them are safe (GET or HEAD, no body); any
 * other waits until it is the first, and none behind it is read before it is answered.
 *
 * Failure modes: what the parser refuses gets one answer and is the last request (LAST).  A body
 * that is too long, too slow or broken is answered here, in place of whoever asked for it.  Want of
 * memory ends the connection.
 *
 * Invariants: body_of is set in HELD, BODY and DRAIN and in no other state, and is the last of its
 * list; an exchange without `keep` is the last too.  The struct is freed from its own turn only,
 * when the stream is closed and no exchange is left.
 *
 * Closing is in two steps (LINGER): our half first, the rest when the client has ended too or a
 * moment later, since closing a socket with bytes unread would take the answer from the client.
 */
#include "http/conn.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/head.h"
#include "http/problem.h"

#include <assert.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { LINGER_US = 2000 * 1000, BODY_FIRST = 4096 };

static const struct sm_state conn_states[] = {
    [CONN_HEAD] = { "head", SM_TO(CONN_HELD) | SM_TO(CONN_LAST) | SM_TO(CONN_CLOSED) },
    [CONN_HELD] = { "held",
                    SM_TO(CONN_BODY) | SM_TO(CONN_DRAIN) | SM_TO(CONN_LAST) | SM_TO(CONN_CLOSED) },
    [CONN_BODY] = { "body",
                    SM_TO(CONN_HEAD) | SM_TO(CONN_DRAIN) | SM_TO(CONN_LAST) | SM_TO(CONN_CLOSED) },
    [CONN_DRAIN] = { "drain", SM_TO(CONN_HEAD) | SM_TO(CONN_LAST) | SM_TO(CONN_CLOSED) },
    [CONN_LAST] = { "last", SM_TO(CONN_LINGER) | SM_TO(CONN_CLOSED) },
    [CONN_LINGER] = { "linger", SM_TO(CONN_CLOSED) },
    [CONN_CLOSED] = { "closed", 0 },
};

static void on_turn(void *ctx);
static void on_timer(void *ctx);

struct exchange *conn_exchange(struct http_request *r)
{
    return CONTAINER_OF(r, struct exchange, r);
}

static struct exchange *exchange_at(struct list *link)
{
    return CONTAINER_OF(link, struct exchange, r.link);
}

static bool in_body(const struct http_conn *c)
{
    return sm_is(&c->sm, CONN_HELD) || sm_is(&c->sm, CONN_BODY) || sm_is(&c->sm, CONN_DRAIN);
}

/* No request is read any more. */
static void make_last(struct http_conn *c)
{
    c->body_of = NULL;
    c->partial = false;
    buf_release(&c->rest);
    if (!sm_is(&c->sm, CONN_LAST) && sm_may(&c->sm, CONN_LAST))
        sm_move(&c->sm, CONN_LAST);
}

/* The request is read to its end. */
static void request_read(struct http_conn *c, const struct exchange *x)
{
    c->body_of = NULL;
    if (!x->keep)
        make_last(c);
    else if (in_body(c))
        sm_move(&c->sm, CONN_HEAD);
}

/* ---- refusing ---- */

static void answer_fault(struct exchange *x, int status, const char *why)
{
    struct http_conn *c = x->r.conn;

    c->server->stats.bad_requests++;
    x->keep = false;
    http_answer_problem(&x->r, &(struct http_problem){ .status = status, .detail = why });
}

/* Answers in the request's place; nothing is read after it. */
static void refuse(struct http_conn *c, struct exchange *x, const struct parse_fault *fault)
{
    if (!x)
        x = conn_new_exchange(c);
    if (!x) {
        conn_abort(c);
        return;
    }
    x->r.method = HTTP_OTHER;
    x->r.header_count = 0;
    x->parser = NULL;
    x->state = EXCHANGE_OPEN;
    make_last(c);
    answer_fault(x, fault->status, fault->why);
}

/* The body did not come as it should have: whoever asked for it is not called. */
static void fail_body(struct http_conn *c, int status, const char *why)
{
    struct exchange *x = c->body_of;

    x->body_fn = NULL;
    x->parser = NULL;
    make_last(c);
    answer_fault(x, status, why);
}

/* ---- heads ---- */

static bool may_read_head(const struct http_conn *c)
{
    if (list_empty(&c->exchanges))
        return true;
    return c->count < CONN_PIPELINE_MAX && exchange_at(c->exchanges.prev)->safe;
}

static void hand_over(struct http_conn *c, struct exchange *x)
{
    x->state = EXCHANGE_OPEN;
    if (x->parser) {
        c->body_of = x;
        sm_move(&c->sm, CONN_HELD);
    } else if (!x->keep) {
        make_last(c);
    }
    c->server->options.request(c->server->options.ctx, &x->r);
}

static bool fit_id(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        unsigned char ch = (unsigned char)id.text[i];

        if (!((ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') ||
              (ch && strchr("._:-", ch))))
            return false;
    }
    return id.len > 0 && id.len < HTTP_ID_SIZE;
}

static void name_request(struct http_request *r)
{
    struct slice id = http_header(r, "x-request-id");

    if (!id.text || !fit_id(id))
        return; /* it has one of ours */
    memcpy(r->id, id.text, id.len);
    r->id[id.len] = '\0';
}

/* A whole head. */
static void take_head(struct http_conn *c, const char *data, size_t len)
{
    struct exchange *x = conn_new_exchange(c);
    struct parse_fault fault = { 503, "out of memory" };
    struct head_facts facts;
    struct parse_head head;
    char *text;

    if (!x) {
        conn_abort(c);
        return;
    }
    text = arena_strndup(&x->r.arena, data, len);
    if (!text ||
        parse_head(text, len, &c->server->limits, &x->r.arena, &head, &x->parser, &fault) ||
        head_judge(&head, x->parser != NULL, &x->r, &facts, &fault) < 0) {
        refuse(c, x, &fault);
        return;
    }
    name_request(&x->r);
    c->server->stats.requests++;
    x->minor = head.minor == 1;
    x->keep = facts.keep && !c->server->draining;
    x->expects = facts.expects && x->parser;
    x->safe = x->minor && !x->parser && (x->r.method == HTTP_GET || x->r.method == HTTP_HEAD);
    if (x->safe || c->count == 1)
        hand_over(c, x);
}

/* Gives how many bytes were used; 0: there is no whole head, or it must wait. */
static size_t read_head(struct http_conn *c, const char *data, size_t len)
{
    struct parse_fault fault;
    ptrdiff_t found;

    if (!may_read_head(c))
        return 0;
    if (!c->partial) {
        c->first_us = clock_mono_us();
        c->read_due_us = c->first_us + c->server->head_us;
    }
    c->partial = true;
    if (!c->skipped && data[0] == '\r') { /* some clients end a body with an empty line */
        c->skipped = len >= 2 && data[1] == '\n';
        c->partial = !c->skipped;
        if (len < 2 || c->skipped)
            return len < 2 ? 0 : 2;
    }
    found = parse_find(data, len, &c->seen, &c->server->limits, &fault);
    if (found == 0)
        return 0;
    c->partial = c->skipped = false;
    c->seen = 0;
    c->read_due_us = INT64_MAX;
    if (found < 0) {
        refuse(c, NULL, &fault);
        return len;
    }
    take_head(c, data, (size_t)found);
    return (size_t)found;
}

/* ---- bodies ---- */

/* Room for `len` more bytes, in the arena: at once when the length is known. */
static bool grow_body(struct exchange *x, size_t len)
{
    int64_t told = parse_body_length(x->parser);
    size_t cap = MAX(x->body_cap * 2, (size_t)BODY_FIRST);
    char *bigger;

    if (x->body_len + len <= x->body_cap)
        return true;
    cap = told >= 0 ? (size_t)told : MAX(cap, x->body_len + len);
    bigger = arena_alloc(&x->r.arena, cap);
    if (!bigger)
        return false;
    if (x->body_len > 0)
        memcpy(bigger, x->body, x->body_len);
    x->body = bigger;
    x->body_cap = cap;
    return true;
}

static bool on_body(void *ctx, const char *data, size_t len)
{
    struct exchange *x = ctx;

    if (len > x->body_max - x->body_len) {
        x->body_status = 413;
        return false;
    }
    if (sm_is(&x->r.conn->sm, CONN_BODY)) {
        if (!grow_body(x, len)) {
            x->body_status = 503;
            return false;
        }
        memcpy(x->body + x->body_len, data, len);
    }
    x->body_len += len;
    return true;
}

/* False, and the request answered, when the body is not what it says it is. */
static bool unpack(struct exchange *x)
{
    struct err e;
    int rc;

    if (!x->packed || x->body_len == 0)
        return true;
    rc = pack_undo(x->r.body, x->body_max, &x->r.arena, &x->r.body, &e);
    if (rc < 0)
        answer_fault(x, err_http_status(rc), e.text);
    return rc == 0;
}

static void body_whole(struct http_conn *c, struct exchange *x)
{
    bool asked = sm_is(&c->sm, CONN_BODY);
    http_body_fn *fn = x->body_fn;

    x->parser = NULL;
    x->body_fn = NULL;
    request_read(c, x);
    if (!asked)
        return;
    x->r.body = (struct slice){ x->body, x->body_len };
    if (unpack(x))
        fn(x->body_ctx, &x->r);
}

static const char *body_fault(int status)
{
    return status == 413   ? "the body is too long"
           : status == 503 ? "out of memory"
                           : "the body is malformed";
}

static size_t read_body(struct http_conn *c, const char *data, size_t len)
{
    struct exchange *x = c->body_of;
    size_t used;

    assert(x && x->parser);
    switch (parse_body(x->parser, data, len, &used, on_body, x)) {
    case PARSE_DONE:
        body_whole(c, x);
        break;
    case PARSE_BAD:
        if (sm_is(&c->sm, CONN_BODY))
            fail_body(c, x->body_status ? x->body_status : 400, body_fault(x->body_status));
        else
            make_last(c);
        break;
    case PARSE_MORE:
        break;
    }
    return used;
}

/* Notes whether the body comes packed; false when it is in a form that is not read here. */
static bool judge_coding(struct exchange *x)
{
    struct slice coding = http_header(&x->r, "content-encoding");

    x->packed = coding.len == 4 && strncasecmp(coding.text, "gzip", 4) == 0;
    return x->packed || coding.len == 0 ||
           (coding.len == 8 && strncasecmp(coding.text, "identity", 8) == 0);
}

void http_body(struct http_request *r, size_t max, http_body_fn *fn, void *ctx)
{
    static const struct slice go_on = { "HTTP/1.1 100 Continue\r\n\r\n", 25 };
    struct exchange *x = conn_exchange(r);
    struct http_conn *c = r->conn;

    assert(!x->body_fn);
    if (x->state == EXCHANGE_ORPHAN) { /* the connection reads no more */
        conn_bury(x);
        return;
    }
    assert(x->state == EXCHANGE_OPEN);
    if (!x->parser) {
        fn(ctx, r);
        return;
    }
    if (sm_is(&c->sm, CONN_CLOSED)) { /* it will never come; nobody reads the answer */
        x->parser = NULL;
        answer_fault(x, 400, "the client has gone");
        return;
    }
    assert(c->body_of == x && sm_is(&c->sm, CONN_HELD));
    if (!judge_coding(x)) {
        fail_body(c, 415, "bodies come as they are or in gzip");
        return;
    }
    if (parse_body_length(x->parser) > (int64_t)max) {
        fail_body(c, 413, body_fault(413));
        return;
    }
    x->body_fn = fn;
    x->body_ctx = ctx;
    x->body_max = max;
    if (x->expects && c->rest.len == 0) {
        assert(c->exchanges.next == &r->link); /* so nothing is before it */
        stream_write(&c->stream, &go_on, 1);
    }
    x->expects = false;
    sm_move(&c->sm, CONN_BODY);
    c->read_due_us = clock_mono_us() + c->server->body_us;
    deferred_call(&c->turn);
}

void conn_answering(struct http_conn *c, struct exchange *x)
{
    if (c->server->draining && c->exchanges.prev == &x->r.link)
        x->keep = false;
    if (x->parser && in_body(c)) {
        x->body_fn = NULL;
        x->body_len = 0;
        x->body_max = CONN_UNASKED_MAX;
        if (!x->expects && parse_body_length(x->parser) <= CONN_UNASKED_MAX) {
            if (!sm_is(&c->sm, CONN_DRAIN))
                sm_move(&c->sm, CONN_DRAIN);
            c->read_due_us = clock_mono_us() + c->server->body_us;
            return;
        }
        x->keep = false;
    }
    if (!x->keep)
        make_last(c);
}

/* ---- the stream ---- */

/* Gives how many bytes need not be kept. */
static size_t consume(struct http_conn *c, const char *data, size_t len)
{
    size_t used = 0, step = 1;

    while (used < len && step > 0) {
        if (sm_is(&c->sm, CONN_HEAD))
            step = read_head(c, data + used, len - used);
        else if (sm_is(&c->sm, CONN_BODY) || sm_is(&c->sm, CONN_DRAIN))
            step = read_body(c, data + used, len - used);
        else
            break;
        used += step;
    }
    return sm_is(&c->sm, CONN_HEAD) || sm_is(&c->sm, CONN_HELD) ? used : len;
}

static void consume_rest(struct http_conn *c)
{
    struct buf taken = c->rest; /* callbacks may give up what is left */
    size_t used;

    buf_init(&c->rest);
    used = consume(c, taken.data, taken.len);
    if (used > 0 && used < taken.len)
        memmove(taken.data, taken.data + used, taken.len - used);
    taken.len -= used;
    if (taken.len > 0)
        c->rest = taken;
    else
        buf_release(&taken);
}

static void set_reading(struct http_conn *c)
{
    size_t max = CONN_AHEAD_MAX;

    if (sm_is(&c->sm, CONN_BODY) || sm_is(&c->sm, CONN_DRAIN))
        max = STREAM_READ_MAX;
    else if (!c->partial && c->rest.len >= CONN_AHEAD_MAX)
        max = 0;
    stream_read(&c->stream, max);
}

static void on_data(void *ctx, const char *data, size_t len)
{
    struct http_conn *c = ctx;
    size_t used;

    if (c->rest.len > 0) {
        buf_put(&c->rest, data, len);
    } else {
        used = consume(c, data, len);
        if (used < len)
            buf_put(&c->rest, data + used, len - used);
    }
    if (buf_broken(&c->rest))
        conn_abort(c);
    set_reading(c); /* now: before the turn ends more may come */
    deferred_call(&c->turn);
}

static void tell_gone(struct http_conn *c)
{
    LIST_EACH(link, &c->exchanges) {
        struct exchange *x = exchange_at(link);

        if (x->state != EXCHANGE_DONE)
            conn_tell_gone(x);
    }
}

static void on_end(void *ctx, int rc)
{
    struct http_conn *c = ctx;

    if (rc < 0) {
        conn_abort(c);
        return;
    }
    c->ended = true;
    tell_gone(c);
    deferred_call(&c->turn);
}

static void on_drained(void *ctx)
{
    struct http_conn *c = ctx;

    deferred_call(&c->turn);
}

static void on_closed(void *ctx)
{
    struct http_conn *c = ctx;

    c->stream_closed = true;
    deferred_call(&c->turn);
}

static const struct stream_events events = { on_data, on_end, on_drained, on_closed };

void conn_open(struct http_server *s, int fd, const char *peer, uint64_t address)
{
    struct http_conn *c = mem_zalloc(sizeof(*c));

    if (!c) {
        close(fd);
        server_count_down(&s->addresses, address);
        return;
    }
    c->server = s;
    sm_init(&c->sm, conn_states, CONN_HEAD);
    list_init(&c->link);
    list_init(&c->exchanges);
    list_init(&c->sent);
    list_init(&c->orphans);
    buf_init(&c->rest);
    timer_init(&c->timer, s->loop, on_timer, c);
    deferred_init(&c->turn, s->loop, on_turn, c);
    c->address = address;
    memcpy(c->peer, peer, strlen(peer) + 1);
    c->read_due_us = clock_mono_us() + (s->tls ? s->head_us : s->idle_us); /* with the handshake */
    c->write_due_us = INT64_MAX;
    list_push(&s->conns, &c->link);
    s->stats.connections++;
    s->stats.connections_max = MAX(s->stats.connections_max, s->stats.connections);
    stream_open(&c->stream, &s->hub, fd, s->tls, &events, c);
    deferred_call(&c->turn);
}

void conn_abort(struct http_conn *c)
{
    if (sm_is(&c->sm, CONN_CLOSED))
        return;
    sm_move(&c->sm, CONN_CLOSED);
    c->body_of = NULL;
    buf_release(&c->rest);
    timer_stop(&c->timer);
    stream_close(&c->stream);
    deferred_call(&c->turn);
}

/* From the turn, as conn_abort may have been called from inside a call of whoever is told here. */
static void after_abort(struct http_conn *c)
{
    tell_gone(c);
    LIST_EACH(link, &c->exchanges) {
        struct exchange *x = exchange_at(link);

        if (!x->body_fn)
            continue;
        x->body_fn = NULL; /* nobody else will finish it */
        x->parser = NULL;
        answer_fault(x, 400, "the client has gone");
    }
}

void conn_drain(struct http_conn *c)
{
    deferred_call(&c->turn);
}

/* ---- time ---- */

static void time_out(struct http_conn *c)
{
    c->server->stats.timeouts++;
    c->read_due_us = INT64_MAX;
    if (sm_is(&c->sm, CONN_BODY))
        fail_body(c, 408, "the body came too slowly");
    else if (sm_is(&c->sm, CONN_HEAD) && c->partial)
        refuse(c, NULL, &(struct parse_fault){ 408, "the head came too slowly" });
    else if (sm_is(&c->sm, CONN_LINGER))
        conn_abort(c);
    else
        make_last(c);
}

/* True when the client took nothing since the last look. */
static bool is_stuck(struct http_conn *c)
{
    uint64_t taken = c->written - stream_waiting(&c->stream);
    bool stuck = taken == c->marked;

    c->marked = taken;
    return stuck;
}

static void on_timer(void *ctx)
{
    struct http_conn *c = ctx;
    int64_t now = clock_mono_us();

    if (now >= c->write_due_us) {
        if (is_stuck(c)) {
            c->server->stats.timeouts++;
            conn_abort(c);
            return;
        }
        c->write_due_us = now + c->server->write_us;
    }
    if (now >= c->read_due_us)
        time_out(c);
    deferred_call(&c->turn);
}

/* The timer is not moved when it is due earlier than needed: it then only looks again. */
static void set_timer(struct http_conn *c)
{
    int64_t due;

    if (stream_waiting(&c->stream) == 0) {
        c->write_due_us = INT64_MAX;
    } else if (c->write_due_us == INT64_MAX) {
        c->write_due_us = clock_mono_us() + c->server->write_us;
        (void)is_stuck(c);
    }
    due = MIN(c->read_due_us, c->write_due_us);
    if (due == INT64_MAX || (timer_armed(&c->timer) && c->timer.due_us <= due))
        return;
    if (timer_start(&c->timer, MAX(due - clock_mono_us(), 0)) < 0)
        conn_abort(c);
}

/* What is waited for from the client, if anything. */
static void set_read_due(struct http_conn *c)
{
    bool idle = sm_is(&c->sm, CONN_HEAD) && !c->partial && list_empty(&c->exchanges);

    if (sm_is(&c->sm, CONN_HELD) || sm_is(&c->sm, CONN_LAST) ||
        (sm_is(&c->sm, CONN_HEAD) && !c->partial && !idle))
        c->read_due_us = INT64_MAX;
    else if (idle && c->read_due_us == INT64_MAX)
        c->read_due_us = clock_mono_us() + c->server->idle_us;
}

/* ---- the turn ---- */

static void free_conn(struct http_conn *c)
{
    struct http_server *s = c->server;

    deferred_cancel(&c->turn);
    list_del(&c->link);
    server_count_down(&s->addresses, c->address);
    if (c->keyed)
        server_count_down(&s->keys, (uint64_t)c->key);
    s->stats.connections--;
    mem_free(c);
    server_conn_closed(s);
}

static bool all_sent(const struct http_conn *c)
{
    return list_empty(&c->exchanges) && list_empty(&c->sent) && stream_waiting(&c->stream) == 0;
}

/* Steps towards the end that are due now. */
static void wind_up(struct http_conn *c)
{
    if (c->ended && sm_is(&c->sm, CONN_BODY))
        fail_body(c, 400, "the body ended early");
    if (c->ended && (sm_is(&c->sm, CONN_DRAIN) ||
                     (sm_is(&c->sm, CONN_HEAD) && (c->partial || list_empty(&c->exchanges)))))
        make_last(c); /* what has come of a head or a body, nobody can complete */
    if (c->server->draining && sm_is(&c->sm, CONN_HEAD) && !c->partial && all_sent(c))
        c->read_due_us = MIN(c->read_due_us, c->server->grace_us); /* then it is made the last */
    if (sm_is(&c->sm, CONN_LAST) && all_sent(c)) {
        sm_move(&c->sm, CONN_LINGER);
        stream_end(&c->stream);
        c->read_due_us = clock_mono_us() + LINGER_US;
    }
    if (sm_is(&c->sm, CONN_LINGER) && c->ended)
        conn_abort(c);
}

static void on_turn(void *ctx)
{
    struct http_conn *c = ctx;

    if (sm_is(&c->sm, CONN_CLOSED))
        after_abort(c);
    conn_flush(c);
    if (!sm_is(&c->sm, CONN_CLOSED) && !list_empty(&c->exchanges) &&
        exchange_at(c->exchanges.next)->state == EXCHANGE_WAITING)
        hand_over(c, exchange_at(c->exchanges.next));
    if (c->rest.len > 0) {
        consume_rest(c);
        conn_flush(c); /* what was kept for a body that is over now */
    }
    if (buf_broken(&c->rest))
        conn_abort(c);
    if (!sm_is(&c->sm, CONN_CLOSED))
        wind_up(c);
    if (sm_is(&c->sm, CONN_CLOSED)) {
        if (c->stream_closed && list_empty(&c->exchanges) && list_empty(&c->sent) &&
            list_empty(&c->orphans))
            free_conn(c);
        return;
    }
    set_read_due(c);
    set_reading(c);
    set_timer(c);
}
