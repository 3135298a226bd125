/*
 * tests/chaos/workers.c - see workers.h.
 *
 * The namespace is joined to ours by a virtual cable.  A lane of it is cut by giving the sender a
 * wrong hardware address of the other end: packets leave and nobody takes them, which works in one
 * direction alone and tells neither side.
 */
#define _GNU_SOURCE /* setns */
#include "chaos/workers.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS INT64_C(1000)
#define STOP_LIMIT_US (60000 * MS)

enum {
    COMMAND_SIZE = 1024,
    ENV_MAX = 24,
    ENV_SIZE = 320,
    NET = 213,
    SCHEDULES = 4,
    CLOCKS_SIZE = 4096
};

/* ---- the namespace -------------------------------------------------------------------------- */

static bool __attribute__((format(printf, 1, 2))) shell(const char *format, ...)
{
    char command[COMMAND_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return system(command) == 0;
}

static void remove_space(struct workers *w)
{
    if (w->space[0])
        (void)shell("ip netns del %s 2>/dev/null; ip link del %s 2>/dev/null", w->space, w->space);
    w->space[0] = '\0';
}

static void make_space(struct workers *w)
{
    int pid = (int)getpid();

    (void)snprintf(w->space, sizeof(w->space), "ifp%d", pid);
    (void)snprintf(w->our_address, sizeof(w->our_address), "10.%d.%d.1", NET, pid % 256);
    (void)snprintf(w->space_address, sizeof(w->space_address), "10.%d.%d.2", NET, pid % 256);
    (void)snprintf(w->our_mac, sizeof(w->our_mac), "02:00:00:00:00:01");
    (void)snprintf(w->space_mac, sizeof(w->space_mac), "02:00:00:00:00:02");
    if (shell("(ip netns add %s && ip link add %s address %s type veth peer name eth0 address %s"
              " netns %s && ip addr add %s/30 dev %s && ip link set %s up"
              " && ip -n %s addr add %s/30 dev eth0 && ip -n %s link set eth0 up"
              " && ip -n %s link set lo up) >/dev/null 2>&1",
              w->space, w->space, w->our_mac, w->space_mac, w->space, w->our_address, w->space,
              w->space, w->space, w->space_address, w->space, w->space))
        return;
    remove_space(w);
    (void)snprintf(w->our_address, sizeof(w->our_address), "127.0.0.1");
}

static void set_lanes(const struct workers *w, int cut)
{
    static const char nobody[] = "02:00:00:00:00:99";

    (void)shell("ip neigh replace %s lladdr %s dev %s nud permanent", w->space_address,
                cut & WORKERS_CABLE_IN ? nobody : w->space_mac, w->space);
    (void)shell("ip -n %s neigh replace %s lladdr %s dev eth0 nud permanent", w->space,
                w->our_address, cut & WORKERS_CABLE_OUT ? nobody : w->our_mac);
}

bool workers_cable(struct workers *w, int lanes, int64_t for_us)
{
    if (!w->space[0])
        return false;
    set_lanes(w, lanes);
    w->slots[WORKERS_APART].cable_us = clock_mono_us() + for_us;
    return true;
}

/* ---- processes ------------------------------------------------------------------------------ */

/* The slot's workers: its process, or the children of the supervisor. */
static int pids_of(const struct workers *w, int slot, pid_t ret[WORKERS_PIDS])
{
    pid_t pid = w->slots[slot].pid;
    char path[64], text[256] = "";
    FILE *f;
    int count = 0;

    if (pid == 0)
        return 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    f = slot == WORKERS_SUPERVISED ? fopen(path, "r") : NULL;
    if (f && fgets(text, sizeof(text), f))
        for (char *at = text, *end; count < WORKERS_PIDS; at = end) {
            ret[count] = (pid_t)strtol(at, &end, 10);
            if (end == at)
                break;
            count++;
        }
    if (f)
        (void)fclose(f);
    if (count == 0)
        ret[count++] = pid;
    return count;
}

struct environment {
    char text[ENV_MAX][ENV_SIZE];
    char *list[ENV_MAX + 1];
    int count;
};

static void __attribute__((format(printf, 2, 3)))
add(struct environment *e, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(e->text[e->count], ENV_SIZE, format, args);
    va_end(args);
    e->list[e->count] = e->text[e->count];
    e->count++;
}

static void make_environment(const struct workers *w, int slot, struct environment *e)
{
    const struct workers_slot *s = &w->slots[slot];
    bool deaf = w->deaf && slot == WORKERS_DEAF;

    *e = (struct environment){ .count = 0 };
    add(e, "PATH=%s", getenv("PATH"));
    add(e, "DATABASE_URL=%s", s->conninfo);
    add(e, "CHAOS_LEDGER=%s/ledger", w->home);
    add(e, "CHAOS_CLOCK=%s/clocks", w->home);
    add(e, "CHAOS_SLOT=%d", slot);
    add(e, "CHAOS_SCHEDULES=%d", w->deaf ? 0 : SCHEDULES);
    add(e, "INFERPIPE_LEASE=%s", deaf ? "10m" : "2s");
    add(e, "INFERPIPE_TICK=%s", deaf ? "1m" : "200ms");
    add(e, "INFERPIPE_THREADS=8");
    add(e, "INFERPIPE_SLOTS=%d", deaf ? WORKERS_DEAF_SLOTS : 60);
    add(e, "INFERPIPE_CRASH_LIMIT=1000"); /* nobody is to blame for what we do */
    add(e, "INFERPIPE_CONNECT_TIMEOUT=2s");
    add(e, "INFERPIPE_STATEMENT_TIMEOUT=5s");
    add(e, "INFERPIPE_PROCESSES=%d", slot == WORKERS_SUPERVISED ? 2 : 1);
    add(e, "INFERPIPE_DRAIN=10s");
    if (s->crash_at)
        add(e, "INFERPIPE_CRASH_AT=%s", s->crash_at);
    for (const char *const *name = (const char *const[]){ "ASAN_OPTIONS", "UBSAN_OPTIONS", NULL };
         *name; name++)
        if (getenv(*name))
            add(e, "%s=%s", *name, getenv(*name));
}

/* In the child of a program with threads: only what is safe there. */
static void become(const struct workers *w, int slot, char *const *env, pid_t parent, int log,
                   int space)
{
    char *argv[] = { (char *)w->program, (char *)"worker", NULL };

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    if (slot == WORKERS_APART && space >= 0 && setns(space, CLONE_NEWNET) != 0)
        _exit(1);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    (void)execve(w->program, argv, env);
    _exit(127);
}

static void spawn(struct workers *w, int slot)
{
    struct environment env;
    char path[64];
    pid_t self = getpid();
    int log = open(w->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644), space = -1;

    make_environment(w, slot, &env);
    if (w->space[0]) {
        (void)snprintf(path, sizeof(path), "/run/netns/%s", w->space);
        space = open(path, O_RDONLY | O_CLOEXEC);
    }
    w->slots[slot].pid = fork();
    if (w->slots[slot].pid == 0)
        become(w, slot, env.list, self, log, space);
    if (w->slots[slot].pid < 0) {
        perror("chaos: fork");
        exit(2);
    }
    w->started++;
    w->slots[slot].armed = w->slots[slot].crash_at != NULL;
    w->slots[slot].told = false;
    w->slots[slot].crash_at = NULL;
    (void)close(log);
    if (space >= 0)
        (void)close(space);
}

static void violation(struct workers *w, int slot, int status)
{
    w->violations++;
    printf("violation: the worker in slot %d ended by itself: %s %d\n", slot,
           WIFSIGNALED(status) ? "signal" : "exit code",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* Killed, or told to stop; the signal may come before it listens for it. */
static bool as_it_should(const struct workers_slot *s, int status)
{
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGKILL || (s->told && WTERMSIG(status) == SIGTERM);
    return s->told && WEXITSTATUS(status) == 0;
}

/* True when the slot's command has ended. */
static bool reap(struct workers *w, int slot, int *ret_status)
{
    struct workers_slot *s = &w->slots[slot];

    if (s->pid == 0 || waitpid(s->pid, ret_status, WNOHANG) != s->pid)
        return false;
    s->pid = 0;
    return true;
}

/* ---- faults --------------------------------------------------------------------------------- */

static void resume(struct workers *w, int slot)
{
    struct workers_slot *s = &w->slots[slot];

    if (s->stopped == 0)
        return;
    (void)kill(s->stopped, SIGCONT);
    s->stopped = 0;
}

void workers_tend(struct workers *w)
{
    int64_t now = clock_mono_us();
    int status;

    for (int i = 0; i < WORKERS_SLOTS; i++) {
        struct workers_slot *s = &w->slots[i];
        pid_t gone = s->pid;

        if (s->stopped != 0 && now >= s->resume_us)
            resume(w, i);
        if (s->cable_us != 0 && now >= s->cable_us) {
            s->cable_us = 0;
            set_lanes(w, 0);
        }
        if (reap(w, i, &status)) {
            w->died++;
            if (s->stopped != gone)
                resume(w, i); /* a worker whose supervisor died while it was stopped */
            s->stopped = 0;
            if (!as_it_should(s, status))
                violation(w, i, status);
        }
        if (s->pid == 0 && !w->stopping && (!w->alone || i == WORKERS_DEAF))
            spawn(w, i);
    }
}

static pid_t choose(const struct workers *w, int slot, uint64_t which)
{
    pid_t pids[WORKERS_PIDS];
    int count = pids_of(w, slot, pids);

    return count ? pids[which % (uint64_t)count] : 0;
}

/* One time in four the supervisor itself, which takes its workers with it. */
void workers_kill(struct workers *w, int slot, uint64_t which)
{
    pid_t pid = which % 4 == 0 ? w->slots[slot].pid : choose(w, slot, which / 4);

    if (pid > 0)
        (void)kill(pid, SIGKILL);
}

void workers_pause(struct workers *w, int slot, uint64_t which, int64_t for_us)
{
    struct workers_slot *s = &w->slots[slot];
    pid_t pid = choose(w, slot, which);

    if (pid == 0 || s->stopped != 0 || kill(pid, SIGSTOP) != 0)
        return;
    s->stopped = pid;
    s->resume_us = clock_mono_us() + for_us;
}

void workers_tell(struct workers *w, int slot)
{
    struct workers_slot *s = &w->slots[slot];

    if (s->pid <= 0 || s->told)
        return; /* a second signal would end it at once */
    s->told = true;
    (void)kill(s->pid, SIGTERM);
}

#define CRASH_NAME(id, name) name,
static const char *const crash_points[] = { CRASH_POINT_MAP(CRASH_NAME) };
#undef CRASH_NAME

void workers_crash(struct workers *w, int slot, uint64_t which)
{
    static char names[WORKERS_SLOTS][48];
    struct workers_slot *s = &w->slots[slot == WORKERS_SUPERVISED ? slot - 1 : slot];

    (void)snprintf(names[s - w->slots], sizeof(names[0]), "%s:%d",
                   crash_points[which % ARRAY_LEN(crash_points)], 1 + (int)(which >> 32) % 8);
    s->crash_at = names[s - w->slots];
    if (s->pid > 0)
        (void)kill(s->pid, SIGKILL);
}

void workers_clock(struct workers *w, int slot, int64_t shift_us)
{
    w->clocks[slot] = shift_us;
}

void workers_heal(struct workers *w)
{
    for (int i = 0; i < WORKERS_SLOTS; i++) {
        resume(w, i);
        w->slots[i].crash_at = NULL;
        w->slots[i].cable_us = 0;
        /* One that is armed would die when nobody expects it any more. */
        if (w->slots[i].pid > 0 && w->slots[i].armed)
            (void)kill(w->slots[i].pid, SIGKILL);
    }
    if (w->space[0])
        set_lanes(w, 0);
    workers_tend(w);
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static void make_clocks(struct workers *w)
{
    char path[192];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/clocks", w->home);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, CLOCKS_SIZE) != 0) {
        perror(path);
        exit(2);
    }
    w->clocks = mmap(NULL, CLOCKS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (w->clocks == MAP_FAILED) {
        perror(path);
        exit(2);
    }
    (void)close(fd);
}

void workers_open(struct workers *w, struct proxy *p, const char *program, const char *home,
                  bool deaf)
{
    *w = (struct workers){ .deaf = deaf, .alone = deaf };
    (void)snprintf(w->program, sizeof(w->program), "%s", program);
    (void)snprintf(w->home, sizeof(w->home), "%s", home);
    (void)snprintf(w->log, sizeof(w->log), "%s/workers.log", home);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    make_clocks(w);
    make_space(w);
    for (int i = 0; i < WORKERS_SLOTS; i++) {
        struct workers_slot *s = &w->slots[i];
        const char *host = i == WORKERS_APART ? w->our_address : "127.0.0.1";

        s->link = proxy_link(p, host);
        (void)snprintf(s->conninfo, sizeof(s->conninfo),
                       "host=%s,%s port=%d,%d user=postgres dbname=chaos sslmode=disable"
                       " gssencmode=disable target_session_attrs=read-write",
                       host, host, proxy_port(p, s->link, 0), proxy_port(p, s->link, 1));
    }
}

void workers_stop(struct workers *w)
{
    int64_t end = clock_mono_us() + STOP_LIMIT_US;
    bool left = true;
    int status;

    w->stopping = true;
    for (int i = 0; i < WORKERS_SLOTS; i++)
        if (w->slots[i].pid > 0)
            (void)kill(w->slots[i].pid, SIGTERM);
    while (left && clock_mono_us() < end) {
        left = false;
        for (int i = 0; i < WORKERS_SLOTS; i++) {
            if (reap(w, i, &status) && status != 0)
                violation(w, i, status);
            left = left || w->slots[i].pid != 0;
        }
        (void)poll(NULL, 0, 10);
    }
    if (!left)
        return;
    w->violations++;
    printf("violation: a worker did not end within a minute of SIGTERM\n");
}

/* Workers whose supervisor was killed have become our children: they go as well. */
static void kill_children(void)
{
    char path[64], text[1024] = "";
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    f = fopen(path, "r");
    if (f && fgets(text, sizeof(text), f))
        for (char *at = text, *end;; at = end) {
            pid_t pid = (pid_t)strtol(at, &end, 10);

            if (end == at)
                break;
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, NULL, 0);
        }
    if (f)
        (void)fclose(f);
}

void workers_close(struct workers *w)
{
    if (!w->home[0])
        return;
    w->stopping = true;
    kill_children();
    remove_space(w);
    w->home[0] = '\0';
}
