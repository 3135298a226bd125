/*
 * api/offload.c - a work pool, and as many clients as it has threads.
 *
 *   offload_run -> [pool thread: take a client, give it the workspace, fn, put it back] -> answer
 *
 * Clients are kept on a stack: the one used last is the first to be used again, so a quiet server
 * keeps one connection busy and not all of them.  As many calls run as there are threads, so the
 * stack is never empty when a thread needs one.
 *
 * Failure: a connection that was lost is made anew by the client before its next statement; what
 * was under way answers 503, as the store says.
 */
#include "api/offload.h"

#include "api/answer.h"

#include "api/caller.h"
#include "api/idempotency.h"
#include "base/mem.h"
#include "store/dbclient.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

struct offload {
    struct work_pool *pool; /* owned */
    int threads, busy_max;
    pthread_mutex_t lock;
    struct client *clients; /* owned */
    int *idle;              /* owned; places in `clients`: the first idle_count, under lock */
    int idle_count;         /* under lock */
};

/* ---- a call --------------------------------------------------------------------------------- */

static struct client *take_client(struct offload *o)
{
    struct client *client;

    pthread_mutex_lock(&o->lock);
    assert(o->idle_count > 0);
    client = &o->clients[o->idle[--o->idle_count]];
    pthread_mutex_unlock(&o->lock);
    return client;
}

static void put_client(struct offload *o, struct client *client)
{
    pthread_mutex_lock(&o->lock);
    assert(o->idle_count < o->threads);
    o->idle[o->idle_count++] = (int)(client - o->clients);
    pthread_mutex_unlock(&o->lock);
}

static void on_run(struct work *w)
{
    struct offload_call *call = CONTAINER_OF(w, struct offload_call, work);
    const struct caller *caller = caller_of(call->request);
    struct client *client = take_client(call->offload);

    err_clear(&call->err);
    call->rc = client_set_workspace(client, caller->workspace, caller->workspace_id, &call->err);
    if (call->rc == 0)
        call->rc = idempotency_run(call, client, &call->err);
    put_client(call->offload, client);
}

static void answer(struct offload_call *call)
{
    struct http_request *r = call->request;

    if (call->rc != 0)
        http_answer_error(r, &call->err);
    else if (call->json.text)
        http_answer(r, call->status ? call->status : 200, "application/json", call->json);
    else
        http_answer(r, call->status ? call->status : 204, NULL, (struct slice){ NULL, 0 });
}

static void on_done(struct work *w)
{
    struct offload_call *call = CONTAINER_OF(w, struct offload_call, work);

    assert(call->rc <= 0 && (call->rc == 0) == (call->err.code == 0));
    if (call->rc != 0)
        answer_tell(call->request, &call->err, &call->err);
    if (call->replayed)
        http_answer_header(call->request, "idempotency-replayed", "true");
    if (call->done)
        call->done(call, call->rc, &call->err);
    else
        answer(call);
}

static void refuse(struct http_request *r, int code, const char *text)
{
    struct err e;

    err_set(&e, code, "%s", text);
    http_answer_error(r, &e);
}

void offload_run(struct offload *o, struct http_request *r, offload_fn *fn, offload_done_fn *done,
                 void *data)
{
    struct offload_call *call;

    if (work_pool_busy(o->pool) >= o->busy_max) {
        http_answer_header(r, "retry-after", "1");
        refuse(r, IFP_EUNAVAILABLE, "too many requests wait for the database");
        return;
    }
    call = arena_zalloc(&r->arena, sizeof(*call));
    if (!call) {
        refuse(r, IFP_ENOMEM, "out of memory");
        return;
    }
    *call = (struct offload_call){
        .work = { .run = on_run, .done = on_done },
        .offload = o,
        .request = r,
        .fn = fn,
        .done = done,
        .data = data,
    };
    work_start(o->pool, &call->work);
}

/* ---- open and close ------------------------------------------------------------------------- */

static int open_clients(struct offload *o, const struct config *config, struct err *e)
{
    o->clients = mem_zalloc((size_t)o->threads * sizeof(*o->clients));
    o->idle = mem_zalloc((size_t)o->threads * sizeof(*o->idle));
    if (!o->clients || !o->idle)
        return err_set(e, IFP_ENOMEM, "out of memory");
    for (int i = 0; i < o->threads; i++) {
        struct client *client = &o->clients[i];
        int rc = dbclient_open(config, NULL, client, e);

        if (rc != 0)
            return rc;
        client->db_options.application = "inferpipe serve";
        o->idle[o->idle_count++] = i;
    }
    return 0;
}

int offload_open(struct loop *l, const struct config *config, struct offload **ret, struct err *e)
{
    struct offload *o = mem_zalloc(sizeof(*o));
    int rc;

    if (!o)
        return err_set(e, IFP_ENOMEM, "out of memory");
    pthread_mutex_init(&o->lock, NULL);
    o->threads = (int)config_int(config, CONFIG_HTTP_OFFLOAD);
    o->busy_max = o->threads + (int)config_int(config, CONFIG_HTTP_OFFLOAD_QUEUE);
    rc = open_clients(o, config, e);
    if (rc == 0)
        rc = work_pool_open(l, o->threads, 0, &o->pool, e);
    if (rc != 0) {
        offload_close(o);
        return rc;
    }
    *ret = o;
    return 0;
}

void offload_close(struct offload *o)
{
    if (!o)
        return;
    work_pool_close(o->pool);
    for (int i = 0; o->clients && i < o->threads; i++)
        client_release(&o->clients[i]);
    mem_free(o->idle);
    mem_free(o->clients);
    pthread_mutex_destroy(&o->lock);
    mem_free(o);
}
