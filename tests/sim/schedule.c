/*
 * tests/sim/schedule.c - one schedule: who works, what is asked for, and what goes wrong, all drawn
 * from the seed.
 *
 * Faults come for the first 15 seconds.  Then everything heals, and all that is left must end
 * within two minutes: an execution that has not is stuck.
 */
#include "sim/schedule.h"

#include "base/log.h"
#include "sim/check.h"
#include "sim/db.h"
#include "sim/flows.h"
#include "sim/sim.h"
#include "sim/worker.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS_MAX = 64, FAULT_KINDS_COUNT = 7 };
#define FAULTS_US INT64_C(15000000)
#define LIMIT_US INT64_C(135000000)

static struct {
    struct sim_worker *workers[WORKERS_MAX];
    int worker_count, starts_left, messages;
    int64_t gap_us; /* between faults, on average */
} plan;

void schedule_notify(int64_t lane)
{
    for (int i = 0; i < plan.worker_count; i++)
        if (plan.workers[i]->engine && !plan.workers[i]->dead)
            net_notify(plan.workers[i], lane);
}

/* ---- workers --------------------------------------------------------------------------------- */

static void open_worker(void *ctx, int64_t arg)
{
    (void)ctx;
    (void)arg;
    if (plan.worker_count == WORKERS_MAX)
        return;
    plan.workers[plan.worker_count] = worker_open(plan.worker_count + 1);
    plan.worker_count++;
}

static bool lives(const struct sim_worker *w)
{
    return w->engine && !w->dead && !w->stopped;
}

static struct sim_worker *any_worker(void)
{
    int64_t at = plan.worker_count > 0 ? world_between(0, plan.worker_count - 1) : 0;

    for (int i = 0; i < plan.worker_count; i++) {
        struct sim_worker *w = plan.workers[(at + i) % plan.worker_count];

        if (lives(w))
            return w;
    }
    return NULL;
}

/* ---- what is asked for ----------------------------------------------------------------------- */

static void send(void *ctx, int64_t exec)
{
    char payload[16];

    (void)ctx;
    (void)snprintf(payload, sizeof(payload), "%d", ++plan.messages);
    if (!db.execs[exec].live)
        return;
    check_sent((int)exec, payload);
    db_send((int)exec, "go", payload);
}

static void cancel(void *ctx, int64_t exec)
{
    (void)ctx;
    check_canceled((int)exec);
    db_cancel((int)exec);
}

static void start(void *ctx, int64_t arg)
{
    char program[FLOWS_PROGRAM_MAX], input[DB_TEXT_SIZE];
    bool canceled = world_chance(150), hangs = canceled && world_chance(500);
    int exec;

    (void)ctx;
    (void)arg;
    plan.starts_left--;
    flows_draw(hangs, program, input, sizeof(input));
    exec = db_start("interpret", input);
    for (const char *letter = program; *letter; letter++)
        if (*letter == 'r')
            world_after(world_between(0, 12000000), send, NULL, exec);
    if (canceled)
        world_after(world_between(0, 10000000), cancel, NULL, exec);
}

/* ---- what goes wrong ------------------------------------------------------------------------- */

static void server_down(void)
{
    int64_t until_us = sim.now_us + world_between(10000, 700000);

    world_note("server down", until_us, 0, 0);
    net_server_down(until_us);
    db_restart();
    for (int i = 0; i < plan.worker_count; i++)
        if (plan.workers[i]->engine)
            net_reset(plan.workers[i], ~0u);
}

static void hurt(struct sim_worker *w, int64_t kind)
{
    switch (kind) {
    case 0:
        worker_kill(w);
        world_after(world_between(0, 2000000), open_worker, NULL, 0);
        break;
    case 1:
        worker_stall(w, world_delay(1500000, 6000000));
        break;
    case 2:
        net_reset(w, (unsigned)world_between(1, 7));
        break;
    case 3:
        w->cut_until = sim.now_us + world_between(100000, 6000000);
        world_note("cut", w->number, w->cut_until, 0);
        break;
    case 4:
        worker_drain(w);
        world_after(world_between(0, 1000000), open_worker, NULL, 0);
        break;
    case 5:
        server_down();
        break;
    default:
        if (db.exec_count > 0)
            db_hold((int)world_between(0, db.exec_count - 1), world_between(10000, 3000000));
        break;
    }
}

static void fault(void *ctx, int64_t arg)
{
    struct sim_worker *w = any_worker();

    (void)ctx;
    (void)arg;
    if (sim.now_us > FAULTS_US)
        return;
    sim.result.faults++;
    if (w)
        hurt(w, world_between(0, FAULT_KINDS_COUNT - 1));
    world_after(world_between(1, 2 * plan.gap_us), fault, NULL, 0);
}

/* ---- one schedule ---------------------------------------------------------------------------- */

static void draw(void)
{
    int workers = (int)world_between(1, 3);

    memset(&plan, 0, sizeof(plan));
    plan.starts_left = (int)world_between(2, 12);
    plan.gap_us = world_between(60000, 2000000);
    for (int i = 0; i < workers; i++)
        world_at(world_between(0, 500000), open_worker, NULL, 0);
    for (int i = 0; i < plan.starts_left; i++)
        world_at(world_between(0, 9000000), start, NULL, 0);
    world_at(world_between(0, 2000000), fault, NULL, 0);
}

static bool is_quiet(void)
{
    if (plan.starts_left > 0 || sim.now_us <= FAULTS_US)
        return false;
    for (int i = 0; i < db.exec_count; i++)
        if (db.execs[i].live)
            return false;
    return true;
}

void sim_run(const struct sim_options *o, struct sim_result *ret)
{
    log_open(o->trace ? LOG_LEVEL_INFO : LOG_LEVEL_OFF, LOG_FORMAT_LOGFMT, STDERR_FILENO);
    world_open(o);
    net_open();
    db_open();
    check_open();
    flows_open();
    draw();
    while (!is_quiet() && world_step(LIMIT_US))
        ;
    if (!sim.over)
        check_end();
    for (int i = 0; i < plan.worker_count; i++)
        worker_kill(plan.workers[i]);
    *ret = sim.result;
    world_close();
}
