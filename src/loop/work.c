/*
 * loop/work.c - the pool of threads for code that may block.
 *
 * Happy path: work_start queues and wakes a thread (or starts one, up to the limit); the thread
 * calls `run`, puts the work on the finished list and, if that was empty, wakes the loop, which
 * takes the whole list and calls each `done`.
 *
 * Failure modes: the first thread is made by work_pool_open, so later a thread that cannot be made
 * only means less parallel work, never work that stays.  A thread in user code cannot be stopped:
 * work_pool_close waits for it, work_pool_abandon leaves it behind; whoever lets go last (the
 * threads or the loop's handle) frees the pool, so a late thread never touches freed memory.
 *
 * Invariants: a work is in `queue`, running, in `finished`, or ours no more.  All but the lists and
 * the fields under the lock belong to the loop thread.
 */
#include "loop/work.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <uv.h>

enum { THREADS_MAX = 512 };

struct work_pool {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct list queue;    /* under lock */
    struct list finished; /* under lock */
    int queued;           /* under lock: members of `queue` */
    int idle;             /* under lock: threads that wait for work */
    int holders;          /* under lock: threads and the handle; at 0 the memory goes */
    bool closing;         /* under lock: threads end when the queue is empty */
    bool abandoned;       /* under lock: threads end and leave the handle alone */

    uv_async_t wake;
    loop_fn *poked; /* NULL: none */
    void *poked_ctx;
    pthread_t *threads; /* owned */
    int started, limit;
    int busy;
    size_t stack_bytes;
};

static void destroy(struct work_pool *p)
{
    assert(p->holders == 0);
    pthread_cond_destroy(&p->wanted);
    pthread_mutex_destroy(&p->lock);
    mem_free(p->threads);
    mem_free(p);
}

static void let_go(struct work_pool *p)
{
    bool last;

    pthread_mutex_lock(&p->lock);
    assert(p->holders > 0);
    last = --p->holders == 0;
    pthread_mutex_unlock(&p->lock);
    if (last)
        destroy(p);
}

/* Waits for work; NULL tells the thread to end.  Called and left with the lock held. */
static struct work *take(struct work_pool *p)
{
    struct list *link;

    while (!p->abandoned) {
        link = list_pop(&p->queue);
        if (link) {
            p->queued--;
            return CONTAINER_OF(link, struct work, link);
        }
        if (p->closing)
            return NULL;
        p->idle++;
        pthread_cond_wait(&p->wanted, &p->lock);
        p->idle--;
    }
    return NULL;
}

static void *thread_main(void *arg)
{
    struct work_pool *p = arg;
    struct work *w;

    pthread_mutex_lock(&p->lock);
    while ((w = take(p))) {
        pthread_mutex_unlock(&p->lock);
        w->run(w);
        pthread_mutex_lock(&p->lock);
        if (p->abandoned)
            break;
        if (list_empty(&p->finished))
            uv_async_send(&p->wake);
        list_push(&p->finished, &w->link);
    }
    pthread_mutex_unlock(&p->lock);
    let_go(p);
    return NULL;
}

/* Signals belong to the loop thread: new threads inherit a full mask. */
static int spawn_masked(struct work_pool *p, const pthread_attr_t *attr)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&p->threads[p->started], attr, thread_main, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

/* Gives 0 or an errno. */
static int spawn(struct work_pool *p)
{
    pthread_attr_t attr;
    int rc;

    assert(p->started < p->limit);
    rc = pthread_attr_init(&attr);
    if (rc != 0)
        return rc;
    if (p->stack_bytes > 0)
        rc = pthread_attr_setstacksize(&attr, p->stack_bytes);
    if (rc == 0) {
        pthread_mutex_lock(&p->lock);
        p->holders++;
        pthread_mutex_unlock(&p->lock);
        rc = spawn_masked(p, &attr);
        if (rc != 0)
            let_go(p);
        else
            p->started++;
    }
    pthread_attr_destroy(&attr);
    return rc;
}

static void deliver(struct work_pool *p)
{
    struct list done;
    struct list *link;

    list_init(&done);
    pthread_mutex_lock(&p->lock);
    list_splice(&done, &p->finished);
    pthread_mutex_unlock(&p->lock);
    while ((link = list_pop(&done))) {
        struct work *w = CONTAINER_OF(link, struct work, link);

        assert(p->busy > 0);
        p->busy--;
        w->done(w);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct work_pool *p = CONTAINER_OF(wake, struct work_pool, wake);

    if (p->poked)
        p->poked(p->poked_ctx);
    deliver(p);
}

static void on_closed(uv_handle_t *wake)
{
    let_go(CONTAINER_OF(wake, struct work_pool, wake));
}

/* The struct with its lock, and the handle as the first holder; no thread yet. */
static int prepare(struct loop *l, int threads, struct work_pool **ret_pool)
{
    struct work_pool *p = mem_zalloc(sizeof(*p));
    int rc;

    if (!p)
        return ENOMEM;
    p->threads = mem_alloc((size_t)threads * sizeof(*p->threads));
    if (!p->threads) {
        mem_free(p);
        return ENOMEM;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wanted, NULL);
    list_init(&p->queue);
    list_init(&p->finished);
    p->limit = threads;
    rc = uv_async_init(loop_uv(l), &p->wake, on_wake);
    if (rc < 0) {
        destroy(p);
        return -rc; /* libuv's codes are negative errnos on Unix */
    }
    p->holders = 1;
    *ret_pool = p;
    return 0;
}

int work_pool_open(struct loop *l, int threads, size_t stack_bytes, struct work_pool **ret_pool,
                   struct err *e)
{
    struct work_pool *p = NULL;
    int rc;

    assert(threads >= 1 && threads <= THREADS_MAX);
    rc = prepare(l, threads, &p);
    if (rc == 0) {
        assert(p);
        p->stack_bytes = stack_bytes;
        rc = spawn(p);
        if (rc != 0)
            uv_close((uv_handle_t *)&p->wake, on_closed);
    }
    if (rc != 0)
        return err_set(e, rc == ENOMEM ? IFP_ENOMEM : IFP_ESERVER, "work pool: %s", strerror(rc));
    *ret_pool = p;
    return 0;
}

void work_start(struct work_pool *p, struct work *w)
{
    bool more;

    assert(w->run && w->done);
    list_init(&w->link);
    p->busy++;
    pthread_mutex_lock(&p->lock);
    assert(!p->closing && !p->abandoned);
    list_push(&p->queue, &w->link);
    p->queued++;
    more = p->queued > p->idle;
    pthread_cond_signal(&p->wanted);
    pthread_mutex_unlock(&p->lock);
    if (more && p->started < p->limit)
        (void)spawn(p); /* without it the threads that are there do the work */
}

bool work_cancel(struct work_pool *p, struct work *w)
{
    bool found = false;

    pthread_mutex_lock(&p->lock);
    LIST_EACH(link, &p->queue) {
        if (link != &w->link)
            continue;
        list_del(link);
        p->queued--;
        found = true;
        break;
    }
    pthread_mutex_unlock(&p->lock);
    if (found)
        p->busy--;
    return found;
}

void work_on_poke(struct work_pool *p, loop_fn *poked, void *ctx)
{
    assert(!p->poked && p->busy == 0);
    p->poked = poked;
    p->poked_ctx = ctx;
}

/* An abandoned pool has no handle any more. */
void work_poke(struct work_pool *p)
{
    pthread_mutex_lock(&p->lock);
    if (!p->abandoned)
        uv_async_send(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

int work_pool_busy(const struct work_pool *p)
{
    return p->busy;
}

void work_pool_close(struct work_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->wanted);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->started; i++)
        pthread_join(p->threads[i], NULL);
    deliver(p);
    assert(p->busy == 0);
    uv_close((uv_handle_t *)&p->wake, on_closed);
}

void work_pool_abandon(struct work_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->abandoned = true;
    while (list_pop(&p->queue))
        p->queued--;
    while (list_pop(&p->finished))
        ;
    pthread_cond_broadcast(&p->wanted);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->started; i++)
        pthread_detach(p->threads[i]);
    uv_close((uv_handle_t *)&p->wake, on_closed);
}
