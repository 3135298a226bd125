/*
 * tests/chaos/chaos.c - make chaos: everything that can happen to a durable engine happens to this
 * one, and then one checker looks at the database, at the ledger that the workers kept outside of
 * it and at what the clients were told.  tests/chaos/README.md says what is injected and checked.
 *
 *   chaos [--seconds N] [--seed S] [--failover] [--calm] [--control] [--schedule] [--keep]
 *
 * Phases: the cluster; workers, clients and faults; faults end and all executions must end within a
 * limit; the verdict.  Exit status: 0 no violation, 1 violations or too little happened, 2 the
 * harness itself failed.
 */
#include "base/base.h"
#include "base/clock.h"
#include "chaos/check.h"
#include "chaos/clients.h"
#include "chaos/cluster.h"
#include "chaos/proxy.h"
#include "chaos/schedule.h"
#include "chaos/workers.h"

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS INT64_C(1000)
#define S (1000 * MS)

enum {
    SECONDS_DEFAULT = 60,
    SECONDS_MAX = 7200,
    FAILOVER_FROM_S = 120, /* runs so long have a failover in them */
    TURN_MS = 5,
    DOCTOR_EVERY_S = 2,
    END_WITHIN_S = 120, /* after the last fault */
    PATHS = 256
};

struct options {
    uint64_t seed;
    int seconds;
    bool failover, calm, control, schedule, keep;
};

struct chaos {
    struct options o;
    struct cluster cluster;
    struct proxy *proxy;
    struct workers workers;
    struct clients *clients;
    struct check check;
    FILE *history;
    char ledger_path[PATHS], history_path[PATHS];
    struct hit hits[SCHEDULE_MAX];
    int hit_count, done[HIT_KINDS], not_covered[HIT_KINDS];
    uint64_t kinds;
    int violations;
};

static struct chaos run; /* one a process: its end must clean up behind it */
static volatile sig_atomic_t interrupted;

/* A turn of a phase: a short pause, and the end when a signal asked for it. */
static void rest(int ms)
{
    (void)poll(NULL, 0, ms);
    if (interrupted)
        exit(130);
}

/* ---- faults --------------------------------------------------------------------------------- */

/* A link of a worker or of a client. */
static int choose_link(const struct chaos *c, uint64_t target)
{
    int i = (int)(target % (WORKERS_SLOTS + CLIENTS));

    return i < WORKERS_SLOTS ? c->workers.slots[i].link
                             : clients_link(c->clients, i - WORKERS_SLOTS);
}

static void terminate_backends(struct chaos *c, uint64_t target)
{
    char sql[320];

    (void)snprintf(sql, sizeof(sql),
                   "select count(pg_terminate_backend(b.pid)) from (select a.pid"
                   " from pg_stat_activity a where a.datname = current_database()"
                   " and a.pid <> pg_backend_pid() order by hashint4(a.pid + %d) limit %d) b",
                   (int)(target % 10007), 1 + (int)(target >> 20) % 5);
    (void)check_int8(&c->check, sql);
}

/* What was not on disk may be gone from now on. */
static void tell_crash(struct chaos *c)
{
    fprintf(c->history, "crash\t%" PRId64 "\t\t\t\t\n", clock_mono_us());
}

/* PostgreSQL then ends all its processes and recovers, as after a crash. */
static void kill_server_process(struct chaos *c, uint64_t target)
{
    char sql[320];
    int64_t pid;

    (void)snprintf(sql, sizeof(sql),
                   "select a.pid from pg_stat_activity a where a.pid <> pg_backend_pid()"
                   " and a.backend_type in ('client backend', 'walwriter', 'checkpointer')"
                   " order by hashint4(a.pid + %d) limit 1",
                   (int)(target % 10007));
    pid = check_int8(&c->check, sql);
    if (pid <= 1 || kill((pid_t)pid, SIGKILL) != 0)
        return;
    tell_crash(c);
}

static bool cut_cable(struct chaos *c, const struct hit *h)
{
    int lanes = h->kind == HIT_APART  ? WORKERS_CABLE_IN | WORKERS_CABLE_OUT
                : h->kind == HIT_DEAF ? WORKERS_CABLE_IN
                                      : WORKERS_CABLE_OUT;

    return workers_cable(&c->workers, lanes, h->for_us);
}

/* Days or seconds, forward or back. */
static void jump_clock(struct chaos *c, int slot, uint64_t bits)
{
    int64_t most = bits & 1 ? 10 * 86400 * S : 20 * S;

    workers_clock(&c->workers, slot, (int64_t)((bits >> 1) % (uint64_t)(2 * most)) - most);
}

static void inject(struct chaos *c, const struct hit *h)
{
    static const enum proxy_fault network[HIT_KINDS] = {
        [HIT_CUT] = PROXY_CUT,     [HIT_LOSE] = PROXY_LOSE,     [HIT_DELAY] = PROXY_DELAY,
        [HIT_STALL] = PROXY_STALL, [HIT_REFUSE] = PROXY_REFUSE, [HIT_TRICKLE] = PROXY_TRICKLE,
    };

    proxy_inject(c->proxy, choose_link(c, h->target), network[h->kind], h->for_us);
}

/* False: this machine does not allow it. */
static bool strike(struct chaos *c, const struct hit *h)
{
    int slot = (int)(h->target % WORKERS_SLOTS);
    uint64_t bits = h->target >> 8;

    switch (h->kind) {
    case HIT_KILL:
        workers_kill(&c->workers, slot, bits);
        break;
    case HIT_CRASH:
        workers_crash(&c->workers, slot, bits);
        break;
    case HIT_TELL:
        workers_tell(&c->workers, slot);
        break;
    case HIT_PAUSE:
    case HIT_FREEZE:
        workers_pause(&c->workers, slot, bits, h->for_us);
        break;
    case HIT_BACKENDS:
        terminate_backends(c, bits);
        break;
    case HIT_RESTART:
        tell_crash(c); /* a fast stop that lasts too long becomes one */
        cluster_restart(&c->cluster, "fast");
        break;
    case HIT_IMMEDIATE:
        tell_crash(c);
        cluster_restart(&c->cluster, "immediate");
        break;
    case HIT_CHILD:
        kill_server_process(c, bits);
        break;
    case HIT_APART:
    case HIT_DEAF:
    case HIT_MUTE:
        return cut_cable(c, h);
    case HIT_CLOCK:
        jump_clock(c, slot, bits);
        break;
    case HIT_FAILOVER:
        tell_crash(c);
        proxy_server_gone(c->proxy, c->cluster.primary);
        cluster_failover(&c->cluster);
        break;
    default:
        inject(c, h);
        break;
    }
    return true;
}

/* ---- phases --------------------------------------------------------------------------------- */

static void cause_chaos(struct chaos *c)
{
    int64_t begin = clock_mono_us(), doctor = begin;
    int next = 0;

    while (next < c->hit_count || clock_mono_us() - begin < c->o.seconds * S) {
        int64_t now = clock_mono_us();

        workers_tend(&c->workers);
        if (next < c->hit_count && now - begin >= c->hits[next].at_us) {
            const struct hit *h = &c->hits[next++];

            if (strike(c, h))
                c->done[h->kind]++;
            else
                c->not_covered[h->kind]++;
        }
        if (now >= doctor) {
            doctor = now + DOCTOR_EVERY_S * S;
            c->violations += check_doctor(&c->check);
        }
        rest(TURN_MS);
    }
}

/* The control: the deaf worker fills its slots, then the others come and take over from it. */
static void let_the_deaf_begin(struct chaos *c)
{
    int64_t end = clock_mono_us() + END_WITHIN_S * S;

    while (
        check_int8(&c->check, "select count(*) from inferpipe._inferpipe_runs where owner <> 0") <
            WORKERS_DEAF_SLOTS &&
        clock_mono_us() < end) {
        workers_tend(&c->workers);
        rest(TURN_MS);
    }
    c->workers.alone = false;
}

static bool all_over(struct chaos *c)
{
    return check_int8(&c->check, "with stopped as (update inferpipe._inferpipe_cron_jobs"
                                 " set paused = true where not paused returning 1)"
                                 " select count(*) from stopped") == 0 &&
           clients_open_work(c->clients) == 0 &&
           check_int8(&c->check, "select count(*) from inferpipe._inferpipe_runs") == 0;
}

/* Nothing hangs: without faults, all that was begun comes to its end. */
static void come_to_rest(struct chaos *c)
{
    int64_t begin = clock_mono_us(), end = begin + END_WITHIN_S * S;

    proxy_heal(c->proxy);
    workers_heal(&c->workers);
    fprintf(c->history, "quiet\t%" PRId64 "\t\t\t\t\n", begin + 3 * WORKERS_LEASE_MS * MS);
    clients_finish(c->clients);
    while (!all_over(c) && clock_mono_us() < end) {
        workers_tend(&c->workers);
        rest(20 * TURN_MS);
    }
    printf("chaos: %d ms after the last fault everything had ended\n",
           (int)((clock_mono_us() - begin) / MS));
    if (clock_mono_us() < end)
        return;
    c->violations++;
    printf("violation: executions have not ended %d s after the last fault\n", END_WITHIN_S);
    check_show_open(&c->check);
}

static void print_counts(struct chaos *c)
{
    struct proxy_counts n = proxy_counts(c->proxy);

    for (int k = 0; k < HIT_KINDS; k++) {
        if (c->done[k])
            printf("%9d  %s\n", c->done[k], schedule_name((enum hit_kind)k));
        if (c->not_covered[k])
            printf("%9d  %s: NOT COVERED, network namespaces are not allowed here\n",
                   c->not_covered[k], schedule_name((enum hit_kind)k));
    }
    printf("%9d  worker commands that ended, %d started\n", c->workers.died, c->workers.started);
    printf("%9" PRId64 "  connections through the proxy, %" PRId64 " cut, %" PRId64
           " replies lost, %" PRId64 " refused\n",
           n.connections, n.cut, n.lost, n.refused);
    printf("%9" PRId64 "  calls of clients that failed and were repeated\n",
           clients_retries(c->clients));
}

/* A run in which little happened proves little. */
static void too_little(struct chaos *c, const char *what, int64_t is, int64_t least)
{
    if (is >= least)
        return;
    c->violations++;
    printf("violation: too little happened: %" PRId64 " %s, at least %" PRId64 " are wanted\n", is,
           what, least);
}

static void check_minimums(struct chaos *c)
{
    if (c->o.control)
        return;
    too_little(c, "completed", check_figure(&c->check, "completed"), c->o.seconds);
    if (c->kinds != SCHEDULE_ALL)
        return;
    too_little(c, "take-overs", check_figure(&c->check, "take-overs"), 1);
    too_little(c, "replies lost", proxy_counts(c->proxy).lost, 1);
    for (int k = 0; k < HIT_KINDS && c->hit_count > schedule_deck(c->kinds); k++)
        if (schedule_deals(c->kinds, (enum hit_kind)k))
            too_little(c, schedule_name((enum hit_kind)k), c->done[k] + c->not_covered[k], 1);
    if (c->o.failover)
        too_little(c, schedule_name(HIT_FAILOVER), c->done[HIT_FAILOVER], 1);
}

/* An assertion or a sanitizer in a supervised worker shows in the log alone. */
static void read_log(struct chaos *c)
{
    static const char *const bad[] = { "Assertion", "Sanitizer", "runtime error:", "signal 6",
                                       "signal 11" };
    FILE *f = fopen(c->workers.log, "r");
    char line[2048];

    while (f && fgets(line, sizeof(line), f))
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
            if (strstr(line, bad[i])) {
                c->violations++;
                printf("violation: in the workers' log: %s", line);
            }
    if (f)
        (void)fclose(f);
}

static int judge(struct chaos *c)
{
    clients_look_back(c->clients);
    clients_close(c->clients);
    workers_stop(&c->workers);
    c->violations += c->workers.violations;
    (void)fflush(c->history);
    c->violations += check_verdict(&c->check, c->ledger_path, c->history_path);
    c->violations += check_doctor(&c->check);
    check_minimums(c);
    read_log(c);
    printf("violations: %d\n", c->violations);
    return c->violations > 0;
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static void beside(const char *name, char ret[PATHS])
{
    ssize_t len = readlink("/proc/self/exe", ret, PATHS - 64);

    ret[len > 0 ? len : 0] = '\0';
    (void)snprintf(strrchr(ret, '/') ? strrchr(ret, '/') : ret, 64, "/%s", name);
}

static void clean_up(void)
{
    workers_close(&run.workers);
    check_close(&run.check);
    cluster_close(&run.cluster, run.o.keep);
}

static void on_signal(int signum)
{
    (void)signum;
    interrupted = 1;
}

static void set_up(struct chaos *c)
{
    char inferpipe[PATHS], worker[PATHS];

    beside("../../inferpipe", inferpipe);
    beside("worker", worker);
    (void)atexit(clean_up);
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGPIPE, SIG_IGN);
    cluster_open(&c->cluster, inferpipe, "tests", c->o.failover);
    c->check = (struct check){ .cluster = &c->cluster };
    check_prepare(&c->check);
    if (c->o.control)
        check_weaken(&c->check);
    (void)snprintf(c->ledger_path, PATHS, "%s/ledger", c->cluster.home);
    (void)snprintf(c->history_path, PATHS, "%s/history", c->cluster.home);
    c->history = fopen(c->history_path, "w");
    if (!c->history) {
        perror(c->history_path);
        exit(2);
    }
    c->proxy = proxy_open((const char *const[]){ c->cluster.socket[0], c->cluster.socket[1] });
    workers_open(&c->workers, c->proxy, worker, c->cluster.home, c->o.control);
    c->clients = clients_open(c->proxy, c->o.seed, c->o.control, c->history);
}

static int number(const char *name, const char *text, int64_t least, int64_t most, int64_t *ret)
{
    char *end;

    *ret = strtoll(text, &end, 10);
    if (*text && !*end && *ret >= least && *ret <= most)
        return 0;
    fprintf(stderr, "chaos: %s: must be a number from %" PRId64 " to %" PRId64 "\n", name, least,
            most);
    return -1;
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        { "seconds", required_argument, NULL, 's' }, { "seed", required_argument, NULL, 'r' },
        { "failover", no_argument, NULL, 'f' },      { "calm", no_argument, NULL, 'c' },
        { "control", no_argument, NULL, 'n' },       { "schedule", no_argument, NULL, 'p' },
        { "keep", no_argument, NULL, 'k' },          { 0 },
    };
    int64_t seconds = SECONDS_DEFAULT, seed = clock_real_us() % 1000000;
    int letter, rc = 0;

    while (rc == 0 && (letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (letter == 's')
            rc = number("--seconds", optarg, 1, SECONDS_MAX, &seconds);
        else if (letter == 'r')
            rc = number("--seed", optarg, 0, INT64_MAX, &seed);
        else if (letter == '?')
            rc = -1;
        o->failover = o->failover || letter == 'f';
        o->calm = o->calm || letter == 'c';
        o->control = o->control || letter == 'n';
        o->schedule = o->schedule || letter == 'p';
        o->keep = o->keep || letter == 'k';
    }
    o->seconds = (int)seconds;
    o->seed = (uint64_t)seed;
    return optind < argc ? -1 : rc;
}

int main(int argc, char **argv)
{
    struct chaos *c = &run;

    if (parse(argc, argv, &c->o) != 0) {
        fprintf(stderr, "usage: chaos [--seconds N] [--seed S] [--failover] [--calm] [--control]"
                        " [--schedule] [--keep]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    c->o.failover = c->o.failover || (c->o.seconds >= FAILOVER_FROM_S && !c->o.control);
    c->kinds = c->o.control || c->o.calm ? 0 : SCHEDULE_ALL;
    c->hit_count = schedule_make(c->o.seed, c->kinds, c->o.seconds * S,
                                 c->o.failover ? c->o.seconds * S * 6 / 10 : 0, c->hits);
    if (c->o.schedule) {
        schedule_print(c->hits, c->hit_count);
        return 0;
    }
    printf("chaos: %d s, SEED=%" PRIu64 ", %d faults\n", c->o.seconds, c->o.seed, c->hit_count);
    set_up(c);
    if (c->o.control)
        let_the_deaf_begin(c);
    cause_chaos(c);
    come_to_rest(c);
    print_counts(c);
    return judge(c);
}
