/*
 * http/client.c - places for calls: how many at once, how many with one host, who is next.
 *
 * Happy path: http_client_start puts the call behind others of its host; the turn at the end of
 * the loop's turn gives free places to hosts in rotation; transfer.c makes the libcurl handle,
 * multi.c drives it; on_ended fills the outcome, and the next turn calls `done`.
 *
 * Invariants: a call is in exactly one list: its host's waiting ones, the client's live ones, or
 * the ended ones, whose `done` the next turn calls.  A host exists while it has calls; it is in
 * `hungry` exactly while it has waiting calls and a free place.  `done` is called with nothing
 * held: the callee may start, cancel, or release calls.
 */
#include "http/client.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/multi.h"
#include "http/transfer.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { IN_FLIGHT = 128, PER_HOST = 8, QUEUE = 10000, ORIGIN_SIZE = 320 };

/* Two hosts that share all 64 bits of their key would share their places, which is harmless. */
struct http_host {
    struct list link;    /* in client->hungry */
    struct list waiting; /* of call.link */
    uint64_t key;        /* in client->hosts */
    int live, waits;
};

struct http_client {
    struct loop *loop;   /* borrowed */
    struct multi *multi; /* owned */
    struct transfer_options options;
    char *agent, *ca_file;      /* owned */
    struct curl_slist *resolve; /* owned */
    int in_flight, per_host, per_host_waiting, queue;
    struct map hosts;   /* owned http_host */
    struct list hungry; /* of host.link: who may begin, in turn */
    struct list live, ended;
    int live_count, waiting_count, ended_count;
    struct deferred turn;
    span_fn *span;
    void *span_ctx;
};

static const char *const failure_names[] = {
    [HTTP_FAILURE_NONE] = "none",
    [HTTP_FAILURE_INVALID] = "invalid",
    [HTTP_FAILURE_REFUSED] = "refused",
    [HTTP_FAILURE_CONNECT] = "connect",
    [HTTP_FAILURE_TLS] = "tls",
    [HTTP_FAILURE_TIMEOUT] = "timeout",
    [HTTP_FAILURE_BROKEN] = "broken",
    [HTTP_FAILURE_TOO_LARGE] = "too_large",
    [HTTP_FAILURE_REDIRECTS] = "redirects",
    [HTTP_FAILURE_OVERLOADED] = "overloaded",
    [HTTP_FAILURE_CANCELED] = "canceled",
};

const char *http_failure_name(enum http_failure f)
{
    assert((size_t)f < ARRAY_LEN(failure_names));
    return failure_names[f];
}

/* ---- hosts ---------------------------------------------------------------------------------- */

static struct http_host *host_of(struct http_client *c, const char *origin)
{
    uint64_t key = (uint64_t)ids_step_key(origin, strlen(origin), 1);
    struct http_host *host = map_get(&c->hosts, key);

    if (host)
        return host;
    host = mem_zalloc(sizeof(*host));
    if (!host)
        return NULL;
    list_init(&host->link);
    list_init(&host->waiting);
    host->key = key;
    if (map_put(&c->hosts, key, host) != 0) {
        mem_free(host);
        return NULL;
    }
    return host;
}

/* Puts it where it belongs now: among the hungry ones, aside, or away. */
static void settle(struct http_client *c, struct http_host *host)
{
    bool waits = !list_empty(&host->waiting);

    if (!waits && host->live == 0) {
        list_del(&host->link);
        map_del(&c->hosts, host->key);
        mem_free(host);
    } else if (!waits || host->live >= c->per_host) {
        list_del(&host->link);
    } else if (list_empty(&host->link)) {
        list_push(&c->hungry, &host->link);
    }
}

/* ---- ends ----------------------------------------------------------------------------------- */

/* Its outcome is known: `done` comes with the next turn. */
static void end(struct http_client *c, struct http_call *call)
{
    assert(list_empty(&call->link) && !call->transfer);
    list_push(&c->ended, &call->link);
    c->ended_count++;
    deferred_call(&c->turn);
}

static void end_failed(struct http_client *c, struct http_call *call, enum http_failure failure,
                       int code, const char *text)
{
    call->failure = failure;
    err_set(&call->err, code, "%s", text);
    end(c, call);
}

/* Takes a live call out: its place is free. */
static void leave(struct http_client *c, struct http_call *call)
{
    struct http_host *host = call->host;

    assert(host->live > 0 && c->live_count > 0);
    transfer_close(call);
    list_del(&call->link);
    call->host = NULL;
    host->live--;
    c->live_count--;
    settle(c, host);
}

static void on_ended(void *ctx, CURL *easy, CURLcode code)
{
    struct http_client *c = ctx;
    struct http_call *call = transfer_call(easy);

    transfer_finish(call, code);
    leave(c, call);
    end(c, call);
}

/* ---- turns ---------------------------------------------------------------------------------- */

/* Begins the first waiting call of the host, which goes to the end of the rotation. */
static void begin(struct http_client *c, struct http_host *host)
{
    struct http_call *call = CONTAINER_OF(list_pop(&host->waiting), struct http_call, link);

    c->waiting_count--;
    host->waits--;
    c->live_count++;
    host->live++;
    list_push(&c->live, &call->link);
    list_del(&host->link);
    settle(c, host);
    call->sent_us = clock_mono_us();
    if (transfer_open(&c->options, call) == 0 && multi_add(c->multi, transfer_easy(call)) == 0)
        return;
    if (call->err.code == 0)
        err_set(&call->err, IFP_ENOMEM, "out of memory");
    if (call->failure == HTTP_FAILURE_NONE)
        call->failure = HTTP_FAILURE_OVERLOADED;
    call->sent_us = 0;
    leave(c, call);
    end(c, call);
}

/* What never left was no call.  The URL stays out of it: it may have secrets in its query. */
static void tell_span(struct http_client *c, const struct http_call *call)
{
    int64_t now = clock_real_us();
    bool failed = call->failure != HTTP_FAILURE_NONE || call->status >= 400;
    const char *method = call->method ? call->method : call->body.text ? "POST" : "GET";
    const struct span_attribute attributes[] = {
        SPAN_TEXT("http.request.method", method),
        SPAN_TEXT("network.peer.address", call->address),
        SPAN_NUMBER("http.response.status_code", call->status),
        SPAN_TEXT("error.type", http_failure_name(call->failure)),
    };
    struct span span = {
        .trace = call->trace,
        .parent = call->trace.span,
        .kind = SPAN_CLIENT,
        .name = method,
        .start_us = now - (clock_mono_us() - call->sent_us),
        .end_us = now,
        .failed = failed,
        .error = call->failure != HTTP_FAILURE_NONE ? http_failure_name(call->failure) : NULL,
        .attributes = attributes,
        .attribute_count = ARRAY_LEN(attributes) - (call->failure != HTTP_FAILURE_NONE ? 0 : 1),
    };

    if (!c->span || call->span == 0 || call->sent_us == 0 || !call->trace.sampled)
        return;
    span.trace.span = call->span;
    c->span(c->span_ctx, &span);
}

/* What ends while others are told is told in the next turn. */
static void on_turn(void *ctx)
{
    struct http_client *c = ctx;
    struct list ended, *link;

    list_init(&ended);
    list_splice(&ended, &c->ended);
    while (c->live_count < c->in_flight && !list_empty(&c->hungry))
        begin(c, CONTAINER_OF(c->hungry.next, struct http_host, link));
    while ((link = list_pop(&ended))) {
        struct http_call *call = CONTAINER_OF(link, struct http_call, link);

        c->ended_count--;
        tell_span(c, call);
        call->client = NULL;
        call->done(call); /* may free the call */
    }
}

void http_client_start(struct http_client *c, struct http_call *call)
{
    char origin[ORIGIN_SIZE];

    assert(call->done && !call->client);
    call->client = c;
    call->host = NULL;
    call->transfer = NULL;
    call->failure = HTTP_FAILURE_NONE;
    call->status = 0;
    call->refused = false;
    call->sent_us = 0;
    call->span = traceparent_any(&call->trace) ? traceparent_span() : 0;
    call->address[0] = '\0';
    err_clear(&call->err);
    buf_init(&call->head);
    buf_init(&call->answer);
    list_init(&call->link);
    if (transfer_origin(call, origin, sizeof(origin)) != 0) {
        end(c, call);
        return;
    }
    call->host = c->waiting_count >= c->queue ? NULL : host_of(c, origin);
    if (!call->host || call->host->waits >= c->per_host_waiting) {
        call->host = NULL;
        end_failed(c, call, HTTP_FAILURE_OVERLOADED, IFP_EUNAVAILABLE,
                   "too many outgoing requests wait");
        return;
    }
    list_push(&call->host->waiting, &call->link);
    c->waiting_count++;
    call->host->waits++;
    settle(c, call->host);
    deferred_call(&c->turn);
}

void http_client_cancel(struct http_call *call)
{
    struct http_client *c = call->client;
    struct http_host *host = call->host;

    if (!c || !host)
        return; /* it has ended */
    if (call->transfer) {
        multi_remove(c->multi, transfer_easy(call));
        leave(c, call);
    } else {
        list_del(&call->link);
        c->waiting_count--;
        host->waits--;
        call->host = NULL;
        settle(c, host);
    }
    end_failed(c, call, HTTP_FAILURE_CANCELED, IFP_ECANCELED, "canceled");
}

int http_client_busy(const struct http_client *c)
{
    return c->live_count + c->waiting_count + c->ended_count;
}

void http_call_release(struct http_call *call)
{
    assert(!call->client);
    buf_release(&call->head);
    buf_release(&call->answer);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void init_curl(void)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);

    assert(code == CURLE_OK);
    (void)code;
}

static bool copy_options(struct http_client *c, const struct http_client_options *o)
{
    c->in_flight = o->in_flight ? o->in_flight : IN_FLIGHT;
    c->per_host = o->per_host ? o->per_host : PER_HOST;
    c->queue = o->queue ? o->queue : QUEUE;
    c->per_host_waiting = o->per_host_waiting ? o->per_host_waiting : c->queue;
    c->agent = mem_strdup(o->agent ? o->agent : "inferpipe");
    c->ca_file = mem_strdup(o->ca_file);
    if (o->resolve)
        c->resolve = curl_slist_append(NULL, o->resolve);
    c->options = (struct transfer_options){
        .egress = o->egress, .agent = c->agent, .ca_file = c->ca_file, .resolve = c->resolve
    };
    return c->agent && (!o->ca_file || c->ca_file) && (!o->resolve || c->resolve);
}

int http_client_open(struct loop *l, const struct http_client_options *o, struct http_client **ret,
                     struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct http_client *c = mem_zalloc(sizeof(*c));
    int rc;

    if (!c)
        return err_set(e, IFP_ENOMEM, "http client: out of memory");
    pthread_once(&once, init_curl);
    c->loop = l;
    c->span = o->span;
    c->span_ctx = o->span_ctx;
    map_init(&c->hosts);
    list_init(&c->hungry);
    list_init(&c->live);
    list_init(&c->ended);
    deferred_init(&c->turn, l, on_turn, c);
    rc = copy_options(c, o) ? multi_open(l, c->in_flight, on_ended, c, &c->multi, e)
                            : err_set(e, IFP_ENOMEM, "http client: out of memory");
    if (rc != 0) {
        http_client_close(c);
        return rc;
    }
    *ret = c;
    return 0;
}

void http_client_close(struct http_client *c)
{
    if (!c)
        return;
    assert(http_client_busy(c) == 0 && c->hosts.count == 0);
    deferred_cancel(&c->turn);
    multi_close(c->multi);
    map_release(&c->hosts);
    curl_slist_free_all(c->resolve);
    mem_free(c->agent);
    mem_free(c->ca_file);
    mem_free(c);
}
