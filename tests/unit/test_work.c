/* tests/unit/test_work.c - the work pool: threads, limits, cancel, close, abandon. */
#include "loop/work.h"

#include "base/fault.h"
#include "lib/looptest.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

enum { MANY = 200 };

struct job {
    struct work work;
    pthread_t ran_on;
    bool masked;
    int done;
    sem_t *gate; /* or NULL */
    atomic_int *running, *most;
    int *total;
};

static void on_run(struct work *w)
{
    struct job *j = CONTAINER_OF(w, struct job, work);
    int now = j->running ? atomic_fetch_add(j->running, 1) + 1 : 0;
    sigset_t mask;

    j->ran_on = pthread_self();
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    j->masked = sigismember(&mask, SIGTERM) == 1;
    if (j->most && now > atomic_load(j->most))
        atomic_store(j->most, now);
    if (j->gate)
        sem_wait(j->gate);
    if (j->running)
        atomic_fetch_sub(j->running, 1);
}

static void on_done(struct work *w)
{
    struct job *j = CONTAINER_OF(w, struct job, work);

    j->done++;
    ++*j->total;
}

static void job_init(struct job *j, int *total)
{
    *j = (struct job){ .work = { .run = on_run, .done = on_done }, .total = total };
}

static struct work_pool *open_pool(struct loop *l, int threads)
{
    struct work_pool *p = NULL;
    struct err e;

    assert_int_equal(work_pool_open(l, threads, 0, &p, &e), 0);
    return p;
}

static void work_runs_on_a_masked_thread_and_is_done_on_the_loop(void **state)
{
    struct loop *l = looptest_open();
    struct work_pool *p = open_pool(l, 2);
    struct job j;
    int total = 0;

    (void)state;
    job_init(&j, &total);
    work_start(p, &j.work);
    assert_int_equal(work_pool_busy(p), 1);
    looptest_count(l, &total, 1);
    assert_int_equal(work_pool_busy(p), 0);
    assert_false(pthread_equal(j.ran_on, pthread_self()));
    assert_true(j.masked);
    work_pool_close(p);
    looptest_close(l);
}

static void threads_stay_under_the_limit_and_all_work_is_done_once(void **state)
{
    static struct job jobs[MANY];
    struct loop *l = looptest_open();
    struct work_pool *p = open_pool(l, 3);
    atomic_int running = 0, most = 0;
    int total = 0;
    sem_t gate;

    (void)state;
    sem_init(&gate, 0, 0);
    for (int i = 0; i < MANY; i++) {
        job_init(&jobs[i], &total);
        jobs[i].gate = &gate;
        jobs[i].running = &running;
        jobs[i].most = &most;
        work_start(p, &jobs[i].work);
    }
    assert_int_equal(work_pool_busy(p), MANY);
    for (int i = 0; i < MANY; i++)
        sem_post(&gate);
    looptest_count(l, &total, MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(jobs[i].done, 1);
    assert_in_range(atomic_load(&most), 1, 3);
    work_pool_close(p);
    sem_destroy(&gate);
    looptest_close(l);
}

static void only_queued_work_can_be_canceled(void **state)
{
    struct loop *l = looptest_open();
    struct work_pool *p = open_pool(l, 1);
    atomic_int running = 0;
    struct job first, second;
    int total = 0;
    sem_t gate;

    (void)state;
    sem_init(&gate, 0, 0);
    job_init(&first, &total);
    job_init(&second, &total);
    first.gate = &gate;
    first.running = &running;
    work_start(p, &first.work);
    while (atomic_load(&running) == 0)
        ;
    work_start(p, &second.work);
    assert_false(work_cancel(p, &first.work));
    assert_true(work_cancel(p, &second.work));
    assert_false(work_cancel(p, &second.work));
    assert_int_equal(work_pool_busy(p), 1);
    sem_post(&gate);
    looptest_count(l, &total, 1);
    work_pool_close(p);
    assert_int_equal(total, 1);
    sem_destroy(&gate);
    looptest_close(l);
}

static void closing_runs_and_delivers_what_is_queued(void **state)
{
    static struct job jobs[MANY];
    struct loop *l = looptest_open();
    struct work_pool *p = open_pool(l, 2);
    int total = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        job_init(&jobs[i], &total);
        work_start(p, &jobs[i].work);
    }
    work_pool_close(p);
    assert_int_equal(total, MANY);
    work_pool_close(NULL);
    looptest_close(l);
}

static void abandoned_work_is_never_done(void **state)
{
    struct loop *l = looptest_open();
    struct work_pool *p = open_pool(l, 1);
    atomic_int running = 0;
    struct job first, second;
    int total = 0;
    sem_t gate;

    (void)state;
    sem_init(&gate, 0, 0);
    job_init(&first, &total);
    job_init(&second, &total);
    first.gate = &gate;
    first.running = &running;
    work_start(p, &first.work);
    while (atomic_load(&running) == 0)
        ;
    work_start(p, &second.work);
    work_pool_abandon(p);
    looptest_close(l);
    sem_post(&gate);
    while (atomic_load(&running) != 0) /* the thread ends and frees the pool: ASan looks on */
        ;
    assert_int_equal(total, 0);
}

static void opening_fails_clean_at_each_allocation(void **state)
{
    struct loop *l = looptest_open();
    struct work_pool *p = NULL;
    struct err e;
    int rc = IFP_ENOMEM;

    (void)state;
    for (uint64_t n = 1; rc != 0; n++) {
        fault_arm(FAULT_ALLOC, n, false);
        rc = work_pool_open(l, 4, 0, &p, &e);
        fault_arm(FAULT_ALLOC, 0, false);
        assert_true(rc == 0 || rc == IFP_ENOMEM);
        assert_true(n < 10);
    }
    work_pool_close(p);
    looptest_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_runs_on_a_masked_thread_and_is_done_on_the_loop),
        cmocka_unit_test(threads_stay_under_the_limit_and_all_work_is_done_once),
        cmocka_unit_test(only_queued_work_can_be_canceled),
        cmocka_unit_test(closing_runs_and_delivers_what_is_queued),
        cmocka_unit_test(abandoned_work_is_never_done),
        cmocka_unit_test(opening_fails_clean_at_each_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
