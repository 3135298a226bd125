/*
 * tests/sim/pool.c - stands for src/loop/work.c: a pool whose threads are events.
 *
 * A job's function runs whole at one instant, the job ends some time later; meanwhile its thread is
 * taken.  A worker that stalls stalls its threads too.
 */
#include "loop/work.h"
#include "sim/sim.h"
#include "sim/worker.h"

#include <assert.h>

struct work_pool {
    struct sim_worker *worker;
    int threads, busy;
    bool asked;                 /* a thread is about to look at the queue */
    struct list queue, running; /* of work.link */
    loop_fn *poked;
    void *poked_ctx;
};

static void look(void *ctx, int64_t arg);

static void ask(struct work_pool *p)
{
    if (p->asked || list_empty(&p->queue) || p->busy >= p->threads)
        return;
    p->asked = true;
    world_after(world_delay(50, 5000), look, p, 0);
}

struct ending {
    struct work_pool *pool;
    struct work *work;
};

static void on_end(void *ctx, int64_t arg)
{
    struct ending *end = ctx;

    (void)arg;
    list_del(&end->work->link);
    end->pool->busy--;
    ask(end->pool);
    end->work->done(end->work);
}

static void end(void *ctx, int64_t arg)
{
    worker_call(((struct ending *)ctx)->pool->worker, on_end, ctx, arg);
}

static void on_look(void *ctx, int64_t arg)
{
    struct work_pool *p = ctx;
    struct ending *ending = world_alloc(sizeof(*ending));
    struct list *first;

    (void)arg;
    p->asked = false;
    first = list_pop(&p->queue);
    if (!first)
        return;
    *ending = (struct ending){ p, CONTAINER_OF(first, struct work, link) };
    list_push(&p->running, first);
    p->busy++;
    ending->work->run(ending->work);
    world_after(world_delay(3000, 3000000), end, ending, 0);
    ask(p);
}

static void look(void *ctx, int64_t arg)
{
    worker_call(((struct work_pool *)ctx)->worker, on_look, ctx, arg);
}

int work_pool_open(struct loop *l, int threads, size_t stack_bytes, struct work_pool **ret_pool,
                   struct err *e)
{
    struct work_pool *p = world_alloc(sizeof(*p));

    (void)l;
    (void)stack_bytes;
    (void)e;
    assert(sim.at);
    p->worker = sim.at;
    p->threads = threads;
    list_init(&p->queue);
    list_init(&p->running);
    sim.at->pool = p;
    *ret_pool = p;
    return 0;
}

void work_pool_close(struct work_pool *p)
{
    assert(!p || list_empty(&p->queue));
    if (p && !list_empty(&p->running))
        pool_finish_all(p->worker);
}

void work_pool_abandon(struct work_pool *p)
{
    (void)p;
    assert(!"pool_finish_all leaves nothing behind");
}

void work_start(struct work_pool *p, struct work *w)
{
    list_push(&p->queue, &w->link);
    ask(p);
}

void work_on_poke(struct work_pool *p, loop_fn *poked, void *ctx)
{
    p->poked = poked;
    p->poked_ctx = ctx;
}

/* A job's function runs on the worker's own time: nobody has to be woken. */
void work_poke(struct work_pool *p)
{
    p->poked(p->poked_ctx);
}

bool work_cancel(struct work_pool *p, struct work *w)
{
    LIST_EACH(it, &p->queue) {
        if (it != &w->link)
            continue;
        list_del(it);
        return true;
    }
    return false;
}

int work_pool_busy(const struct work_pool *p)
{
    return p->busy;
}

bool pool_finish_all(struct sim_worker *w)
{
    struct work_pool *p = w->pool;
    struct list *it;
    bool any = false;

    while (p && (it = list_pop(&p->running)) != NULL) {
        struct work *work = CONTAINER_OF(it, struct work, link);

        any = true;
        p->busy--;
        work->done(work);
    }
    return any;
}
