/*
 * api/runs_stream.c - the stream of an execution as Server-Sent Events.
 *
 *   events, as they become durable -> its end is seen -> its result -> [error] -> done
 *
 * The id of an event is its number; error and done have the next ones, so a client that lost its
 * connection after any of them goes on behind it with Last-Event-ID, on any server.
 *
 * A slow reader stops its own stream alone: over HTTP_STREAM_ROOM bytes that wait for it the watch
 * pauses, and goes on when the connection has drained.  A comment every 15 s shows both sides that
 * the other is there.
 */
#include "api/runs.h"

#include "base/clock.h"
#include "base/ids.h"
#include "http/eventid.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEARTBEAT_US INT64_C(15000000)

/* In the request's arena. */
struct run_stream {
    struct list link;             /* in runs->streams */
    struct http_request *request; /* borrowed */
    struct api_runs *runs;        /* borrowed */
    struct hub_watch watch;       /* follows; then waits for the result, which is there */
    struct timer heartbeat;
    int64_t resume; /* what the client has seen */
    struct buf text;
};

static void on_event(struct hub_watch *w, const struct hub_event *event);
static bool on_page(struct hub_watch *w, bool ended);
static void on_ended(struct hub_watch *w, const struct hub_end *end);
static void on_drained(void *ctx, struct http_request *r);
static void on_gone(void *ctx, struct http_request *r);
static void on_heartbeat(void *ctx);

/* ---- writing -------------------------------------------------------------------------------- */

/* A value of a user may have line ends between its tokens, which would end the field. */
static void put_data(struct buf *b, struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        buf_putc(b, value.text[i] == '\n' || value.text[i] == '\r' ? ' ' : value.text[i]);
}

static void put_head(struct buf *b, int64_t id, const char *type, int64_t at_us)
{
    char at[32];

    clock_format_utc(at_us, at, sizeof(at));
    buf_printf(b,
               "id: %" PRId64 "\nevent: %s\ndata: {\"type\":\"%s\",\"timestamp\":\"%s\","
               "\"payload\":",
               id, type, type, at);
}

static void put_end(struct buf *b)
{
    buf_puts(b, "}\n\n");
}

static bool is_plain(const char *kind)
{
    return strcmp(kind, "log") == 0 || strcmp(kind, "token") == 0 || strcmp(kind, "data") == 0;
}

static void put_event(struct buf *b, const struct hub_event *event)
{
    bool plain = is_plain(event->kind);

    put_head(b, event->seq, plain ? event->kind : "data", event->at_us);
    if (!plain)
        buf_printf(b, "{\"kind\":\"%s\",\"data\":", event->kind); /* a slug */
    put_data(b, event->data);
    if (!plain)
        buf_putc(b, '}');
    put_end(b);
}

static void put_text(struct buf *b, struct arena *a, const char *text)
{
    const char *clean = jsonscan_clean(a, text, strlen(text));

    if (!clean || !jsonscan_quote(b, clean, strlen(clean)))
        buf_puts(b, "\"\"");
}

static void put_error(struct buf *b, struct arena *a, int64_t id, const struct hub_end *end)
{
    put_head(b, id, "error", end->finished_us);
    buf_puts(b, "{\"code\":");
    put_text(b, a, end->error_code ? end->error_code : "SERVER_ERROR");
    buf_puts(b, ",\"message\":");
    put_text(b, a, end->error ? end->error : "");
    buf_putc(b, '}');
    put_end(b);
}

static void put_done(struct buf *b, int64_t id, const char *execution, const struct hub_end *end)
{
    static const char *const names[] = { "", "completed", "failed", "canceled" };

    put_head(b, id, "done", end->finished_us);
    buf_printf(b, "{\"id\":\"%s\",\"status\":\"%s\"", execution, names[end->status]);
    if (end->status == HUB_COMPLETED) {
        buf_puts(b, ",\"data\":");
        put_data(b, end->output.text ? end->output : (struct slice){ "null", 4 });
    }
    buf_putc(b, '}');
    put_end(b);
}

/* ---- its life ------------------------------------------------------------------------------- */

static void finish(struct run_stream *s)
{
    timer_stop(&s->heartbeat);
    hub_leave(&s->watch);
    list_del(&s->link);
    buf_release(&s->text);
    http_stream_end(s->request);
}

/* Sends what was written; a stream without memory for its text ends, and its client comes again. */
static size_t flush(struct run_stream *s)
{
    size_t waiting = 0;

    if (s->text.len > 0)
        waiting = http_stream_write(s->request, s->text.data, s->text.len);
    buf_reset(&s->text);
    return waiting;
}

static void beat(struct run_stream *s)
{
    if (timer_start(&s->heartbeat, HEARTBEAT_US) != 0)
        finish(s); /* without memory for a timer; re-arming an armed one cannot fail */
}

void runs_stream(struct api_runs *runs, struct http_request *r, int64_t exec_id, bool told)
{
    struct run_stream *s = arena_zalloc(&r->arena, sizeof(*s));
    struct err e;

    if (!s || eventid_parse(http_header(r, "last-event-id"), &s->resume) != 0) {
        err_set(&e, s ? IFP_EINVALID : IFP_ENOMEM,
                s ? "header Last-Event-ID: must be the number of an event" : "out of memory");
        answer_problem(r, &e, &(struct answer_problem){ .execution = exec_id });
        return;
    }
    s->request = r;
    s->runs = runs;
    list_init(&s->link);
    buf_init(&s->text);
    timer_init(&s->heartbeat, runs->loop, on_heartbeat, s);
    s->watch.ctx = s;
    s->watch.event = on_event;
    s->watch.page = on_page;
    s->watch.ended = on_ended;
    if (hub_follow(runs->hub, &s->watch, exec_id, (int32_t)MIN(s->resume, INT32_MAX), told) != 0) {
        err_set(&e, IFP_ENOMEM, "out of memory");
        answer_problem(r, &e, &(struct answer_problem){ .execution = exec_id });
        return;
    }
    list_push(&runs->streams, &s->link);
    r->gone = on_gone;
    r->gone_ctx = s;
    http_answer_header(r, "cache-control", "no-store");
    http_answer_header(r, "x-accel-buffering", "no");
    http_stream_begin(r, 200, "text/event-stream", on_drained, s);
    beat(s);
}

static void on_event(struct hub_watch *w, const struct hub_event *event)
{
    struct run_stream *s = w->ctx;

    put_event(&s->text, event);
}

static bool on_page(struct hub_watch *w, bool ended)
{
    struct run_stream *s = w->ctx;
    size_t waiting;

    if (buf_broken(&s->text)) {
        finish(s);
        return false;
    }
    waiting = flush(s);
    if (!ended)
        return waiting <= HTTP_STREAM_ROOM;
    hub_leave(w);
    w->ctx = s;
    if (hub_wait(s->runs->hub, w, w->exec_id, false) != 0)
        finish(s);
    return false;
}

static void on_ended(struct hub_watch *w, const struct hub_end *end)
{
    struct run_stream *s = w->ctx;
    char id[IFP_ID_SIZE];
    int64_t next = w->last + 1;

    ids_execution_format(end->exec_id, id);
    if (end->status != HUB_COMPLETED) {
        if (next > s->resume)
            put_error(&s->text, &s->request->arena, next, end);
        next++;
    }
    if (next > s->resume)
        put_done(&s->text, next, id, end);
    if (!buf_broken(&s->text))
        (void)flush(s);
    finish(s);
}

static void on_drained(void *ctx, struct http_request *r)
{
    struct run_stream *s = ctx;

    (void)r;
    hub_resume(&s->watch);
}

static void on_gone(void *ctx, struct http_request *r)
{
    (void)r;
    finish(ctx);
}

static void on_heartbeat(void *ctx)
{
    static const char comment[] = ": heartbeat\n\n";
    struct run_stream *s = ctx;

    (void)http_stream_write(s->request, comment, sizeof(comment) - 1);
    beat(s);
}

void runs_drain(struct api_runs *r)
{
    struct list *it;

    r->draining = true;
    while ((it = r->streams.next) != &r->streams)
        finish(CONTAINER_OF(it, struct run_stream, link));
}
