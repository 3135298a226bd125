/*
 * app/supervise.c - one slot a worker process.
 *
 *   slot: EMPTY -spawn-> RUNNING -died-> WAITING -pause-> RUNNING ...   any -stop-> EMPTY
 *
 * Invariants: a slot has a pid exactly while RUNNING and an armed timer exactly while WAITING; once
 * `stopping` is set nothing is spawned; `stopped` comes when no slot has a pid.
 * The mark in the database is made over a blocking connection with short time limits, after the
 * restart was arranged: if the database is away, only this hint is late.  What the dead worker had
 * is given free at once, and hungry workers hear of it: nobody waits for his next tick to find out.
 */
#include "app/supervise.h"

#include "app/child.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sm.h"
#include "store/client.h"
#include "store/dbclient.h"
#include "store/listing.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS INT64_C(1000)
#define PAUSE_FIRST_US (100 * MS)
#define PAUSE_MAX_US (5000 * MS)
#define STEADY_US (10000 * MS)
#define GRACE_US (5000 * MS)
enum { MARK_TIMEOUT_MS = 2000, EXIT_USAGE = 2, EXIT_REFUSED = 4, EXIT_NO_EXEC = 127 };

enum { EMPTY, RUNNING, WAITING };
static const struct sm_state slot_states[] = {
    [EMPTY] = { "empty", SM_TO(RUNNING) | SM_TO(WAITING) },
    [RUNNING] = { "running", SM_TO(WAITING) | SM_TO(EMPTY) },
    [WAITING] = { "waiting", SM_TO(RUNNING) | SM_TO(EMPTY) | SM_TO(WAITING) },
};

struct slot {
    struct sm sm;
    struct supervise *owner; /* borrowed */
    struct timer timer;
    pid_t pid;
    bool ready; /* it said so */
    int64_t worker, started_us, pause_us;
};

struct supervise {
    struct loop *loop; /* borrowed */
    struct supervise_options options;
    struct slot *slots; /* owned */
    int count;
    bool stopping, told;
    int exit_code;
    struct timer kill_timer;
    struct deferred end;
    int ready_fds[2];     /* a pipe: pids of children that are ready; they have its second end */
    struct client client; /* opened on first use */
    bool client_open;
};

static void on_pause_over(void *ctx);
static void on_drain_over(void *ctx);
static void on_end(void *ctx);

/* ---- the database's hint -------------------------------------------------------------------- */

static int open_client(struct supervise *s, struct err *e)
{
    int rc;

    if (s->client_open)
        return 0;
    rc = dbclient_open(s->options.config, NULL, &s->client, e);
    if (rc != 0)
        return rc;
    s->client.db_options.connect_timeout_ms = MARK_TIMEOUT_MS;
    s->client.db_options.statement_timeout_ms = MARK_TIMEOUT_MS;
    s->client_open = true;
    return 0;
}

static void mark_dead(struct supervise *s, int64_t worker, const char *why)
{
    int crash_limit = (int)config_int(s->options.config, CONFIG_CRASH_LIMIT), rc;
    struct err e;

    err_clear(&e);
    rc = open_client(s, &e);
    if (rc == 0)
        rc = listing_worker_dead(&s->client, worker, why, crash_limit, &e);
    if (rc != 0)
        LOG_WARN("cannot mark a dead worker", LOG_INT("worker", worker), LOG_ERR(&e));
}

/* ---- children ------------------------------------------------------------------------------- */

static int spawn(struct slot *slot, struct err *e)
{
    const struct supervise_options *o = &slot->owner->options;
    int64_t metrics = config_int(o->config, CONFIG_METRICS_PORT);
    char port[16]; /* the n-th child's own, from the first one's */
    char *argv[] = { (char *)o->name,          (char *)o->command,
                     (char *)"--processes",    (char *)"1",
                     (char *)"--metrics-port", port,
                     (char *)o->flag,          NULL };
    struct child_spec spec = {
        .file = o->program, .argv = argv, .output_fd = -1, .death_signal = SIGTERM
    };
    char env[64];
    int rc = ids_worker(&slot->worker);

    if (rc != 0)
        return err_set(e, rc, "no random numbers");
    snprintf(port, sizeof(port), "%" PRId64,
             metrics > 0 ? metrics + (slot - slot->owner->slots) : metrics);
    snprintf(env, sizeof(env), "INFERPIPE_WORKER_ID=%" PRId64, slot->worker);
    spec.env = env;
    return child_spawn(&spec, &slot->pid, e);
}

static void rest(struct slot *slot)
{
    int64_t pause_us = slot->pause_us;

    sm_move(&slot->sm, WAITING);
    slot->pause_us = MIN(slot->pause_us * 2, PAUSE_MAX_US);
    if (timer_start(&slot->timer, pause_us) != 0) {
        LOG_ERROR("out of memory: a worker process is not started again");
        sm_move(&slot->sm, EMPTY);
    }
}

static void fill(struct slot *slot)
{
    struct err e;

    err_clear(&e);
    if (spawn(slot, &e) != 0) {
        LOG_ERROR("cannot start a worker process", LOG_ERR(&e));
        rest(slot);
        return;
    }
    sm_move(&slot->sm, RUNNING);
    slot->ready = false;
    slot->started_us = clock_mono_us();
    LOG_INFO("worker process started", LOG_INT("pid", slot->pid), LOG_INT("worker", slot->worker));
}

static void on_pause_over(void *ctx)
{
    struct slot *slot = ctx;

    assert(!slot->owner->stopping);
    fill(slot);
}

/* An end that a restart would only repeat. */
static bool is_final(int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;

    return (code >= EXIT_USAGE && code <= EXIT_REFUSED) || code == EXIT_NO_EXEC;
}

static void on_death(struct slot *slot, int status)
{
    struct supervise *s = slot->owner;
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    char why[CHILD_TEXT_SIZE];

    child_describe(status, why);
    if (clock_mono_us() - slot->started_us >= STEADY_US)
        slot->pause_us = PAUSE_FIRST_US;
    slot->pid = 0;
    if (s->stopping) {
        sm_move(&slot->sm, EMPTY);
    } else if (is_final(status)) {
        s->exit_code = WEXITSTATUS(status) == EXIT_NO_EXEC ? 1 : WEXITSTATUS(status);
        sm_move(&slot->sm, EMPTY);
        supervise_stop(s, false);
    } else {
        LOG_WARN("worker process ended", LOG_STR("how", why), LOG_INT("worker", slot->worker));
        rest(slot);
    }
    if (!clean && !is_final(status))
        mark_dead(s, slot->worker, why);
}

/* ---- who is ready --------------------------------------------------------------------------- */

#define READY_ENV "INFERPIPE_READY_FD"

static int open_ready(struct supervise *s, struct err *e)
{
    char fd[16];

    /* The first end is ours alone; a child keeps the second one over exec. */
    if (pipe(s->ready_fds) != 0)
        return err_set(e, IFP_ESERVER, "cannot make a pipe: %s", strerror(errno));
    if (fcntl(s->ready_fds[0], F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(s->ready_fds[0], F_SETFL, O_NONBLOCK) != 0)
        return err_set(e, IFP_ESERVER, "cannot make a pipe: %s", strerror(errno));
    (void)snprintf(fd, sizeof(fd), "%d", s->ready_fds[1]);
    return setenv(READY_ENV, fd, 1) == 0 ? 0 : err_set(e, IFP_ENOMEM, "out of memory");
}

bool supervise_is_child(void)
{
    return getenv(READY_ENV) != NULL;
}

void supervise_tell_ready(void)
{
    const char *text = getenv(READY_ENV);
    pid_t pid = getpid();
    int fd = text ? (int)strtol(text, NULL, 10) : -1;

    if (!text)
        return;
    unsetenv(READY_ENV);
    /* A parent that has gone does not mind. */
    if (fd > STDERR_FILENO && write(fd, &pid, sizeof(pid)) >= 0)
        close(fd);
}

int supervise_ready(struct supervise *s)
{
    pid_t pid;
    int count = 0;

    while (read(s->ready_fds[0], &pid, sizeof(pid)) == sizeof(pid))
        for (int i = 0; i < s->count; i++)
            s->slots[i].ready |= s->slots[i].pid == pid;
    for (int i = 0; i < s->count; i++)
        count += s->slots[i].pid != 0 && s->slots[i].ready;
    return count;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void check_end(struct supervise *s)
{
    if (!s->stopping || s->told)
        return;
    for (int i = 0; i < s->count; i++)
        if (s->slots[i].pid != 0)
            return;
    timer_stop(&s->kill_timer);
    deferred_call(&s->end);
}

static void on_end(void *ctx)
{
    struct supervise *s = ctx;

    assert(s->stopping && !s->told);
    s->told = true;
    s->options.stopped(s->options.ctx, s->exit_code);
}

static void signal_all(const struct supervise *s, int signum)
{
    for (int i = 0; i < s->count; i++)
        if (s->slots[i].pid != 0)
            kill(s->slots[i].pid, signum);
}

static void on_drain_over(void *ctx)
{
    struct supervise *s = ctx;

    LOG_WARN("worker processes did not end in time and are killed");
    signal_all(s, SIGKILL);
}

void supervise_reload(struct supervise *s)
{
    signal_all(s, SIGHUP);
}

void supervise_stop(struct supervise *s, bool now)
{
    int64_t drain_us = config_int(s->options.config, CONFIG_DRAIN) * MS;

    if (now || !s->stopping)
        signal_all(s, now ? SIGKILL : SIGTERM);
    if (!s->stopping) {
        s->stopping = true;
        for (int i = 0; i < s->count; i++) {
            timer_stop(&s->slots[i].timer);
            if (sm_is(&s->slots[i].sm, WAITING))
                sm_move(&s->slots[i].sm, EMPTY);
        }
        if (timer_start(&s->kill_timer, drain_us + GRACE_US) != 0)
            signal_all(s, SIGKILL);
    }
    check_end(s);
}

bool supervise_has(const struct supervise *s, int64_t worker)
{
    for (int i = 0; i < s->count; i++)
        if (s->slots[i].pid != 0 && s->slots[i].worker == worker)
            return true;
    return false;
}

void supervise_reap(struct supervise *s)
{
    for (int i = 0; i < s->count; i++) {
        struct slot *slot = &s->slots[i];
        int status;

        if (slot->pid != 0 && waitpid(slot->pid, &status, WNOHANG) == slot->pid)
            on_death(slot, status);
    }
    check_end(s);
}

/* ---- open, close ---------------------------------------------------------------------------- */

/* A secret's file, were it still named, would be a second source: that is an error. */
static int export_setting(const struct config_option *o, const char *text)
{
    char file[96];

    if (setenv(o->env, text, 1) != 0)
        return IFP_ENOMEM;
    snprintf(file, sizeof(file), "%s_FILE", o->env);
    return o->type == CONFIG_SECRET && unsetenv(file) != 0 ? IFP_ENOMEM : 0;
}

int supervise_export(const struct config *config, struct err *e)
{
    for (int i = 0; i < CONFIG_COUNT; i++) {
        enum config_id id = (enum config_id)i;
        enum config_source source = config->values[id].source;

        if (source != CONFIG_FROM_FLAG && source != CONFIG_FROM_FILE)
            continue;
        if (export_setting(config_option(id), config_text(config, id)) != 0)
            return err_set(e, IFP_ENOMEM, "out of memory");
    }
    return 0;
}

int supervise_open(struct loop *l, const struct supervise_options *o, struct supervise **ret,
                   struct err *e)
{
    int count = (int)config_int(o->config, CONFIG_PROCESSES);
    struct supervise *s = mem_zalloc(sizeof(*s));

    if (s)
        s->slots = mem_zalloc((size_t)count * sizeof(*s->slots));
    if (!s || !s->slots) {
        mem_free(s);
        return err_set(e, IFP_ENOMEM, "out of memory");
    }
    s->loop = l;
    s->options = *o;
    s->count = count;
    s->ready_fds[0] = s->ready_fds[1] = -1;
    timer_init(&s->kill_timer, l, on_drain_over, s);
    deferred_init(&s->end, l, on_end, s);
    if (supervise_export(o->config, e) != 0 || open_ready(s, e) != 0) {
        supervise_close(s);
        return e->code;
    }
    for (int i = 0; i < count; i++) {
        struct slot *slot = &s->slots[i];

        *slot = (struct slot){ .owner = s, .pause_us = PAUSE_FIRST_US };
        sm_init(&slot->sm, slot_states, EMPTY);
        timer_init(&slot->timer, l, on_pause_over, slot);
        fill(slot);
    }
    *ret = s;
    return 0;
}

void supervise_close(struct supervise *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->count; i++)
        assert(s->slots[i].pid == 0);
    if (s->client_open)
        client_release(&s->client);
    deferred_cancel(&s->end);
    for (size_t i = 0; i < ARRAY_LEN(s->ready_fds); i++)
        if (s->ready_fds[i] >= 0)
            close(s->ready_fds[i]);
    mem_free(s->slots);
    mem_free(s);
}
