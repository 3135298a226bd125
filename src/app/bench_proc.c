/*
 * app/bench_proc.c - what processes use, as /proc tells: memory and CPU time of a worker, CPU time
 * of the server.
 *
 * The server is a postmaster and its children.  Children come and go, and what one has used moves
 * to the postmaster's account when it ends, so the sum over all of them goes on.  A server on
 * another machine has no number.
 */
#include "app/bench.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLOCK_TICK_US = 10000 };

/* A file under /proc, zero-terminated; "" when the process is gone. */
static void read_proc(pid_t pid, const char *file, char *ret, size_t size)
{
    char path[64];
    FILE *in;
    size_t n = 0;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    in = fopen(path, "re");
    if (in) {
        n = fread(ret, 1, size - 1, in);
        (void)fclose(in);
    }
    ret[n] = '\0';
}

int64_t bench_rss_kb(pid_t pid)
{
    char text[4096];
    const char *at;

    read_proc(pid, "status", text, sizeof(text));
    at = strstr(text, "VmRSS:");
    return at ? strtoll(at + 6, NULL, 10) : 0;
}

/* From field `first` of stat on, counted as in proc(5), behind the name in brackets: n numbers. */
static bool read_stat(pid_t pid, int first, long long *ret, int n)
{
    char text[1024], *at;

    assert(first > 2 && n > 0);
    read_proc(pid, "stat", text, sizeof(text));
    at = strrchr(text, ')');
    for (int field = 2; at && field < first; field++)
        at = strchr(at + 1, ' ');
    for (int i = 0; at && i < n; i++)
        ret[i] = strtoll(at, &at, 10);
    return at != NULL;
}

enum { STAT_PARENT = 4, STAT_USER = 14 }; /* the latter, then: system, and both of the children */

int64_t bench_cpu_us(pid_t pid)
{
    long long ticks[2];

    return read_stat(pid, STAT_USER, ticks, 2) ? (ticks[0] + ticks[1]) * CLOCK_TICK_US : 0;
}

/* The parent of our own server process; 0: it is not on this machine. */
static int find_postmaster(struct bench *b, pid_t *ret, struct err *e)
{
    char name[32];
    int64_t pid;
    long long parent;

    IFP_TRY(bench_ask(b, "select pg_catalog.pg_backend_pid()::int8", &pid, e));
    read_proc((pid_t)pid, "comm", name, sizeof(name));
    *ret = 0;
    if (strcmp(name, "postgres\n") == 0 && read_stat((pid_t)pid, STAT_PARENT, &parent, 1))
        *ret = (pid_t)parent;
    return 0;
}

int bench_server_cpu_us(struct bench *b, int64_t *ret, struct err *e)
{
    long long ticks[4], parent, sum = 0;
    pid_t server;
    DIR *all;

    *ret = -1;
    IFP_TRY(find_postmaster(b, &server, e));
    all = server > 0 ? opendir("/proc") : NULL;
    if (!all)
        return 0;
    for (const struct dirent *d; (d = readdir(all)) != NULL;) {
        pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);

        if (pid > 0 && read_stat(pid, STAT_PARENT, &parent, 1) && parent == server &&
            read_stat(pid, STAT_USER, ticks, 2))
            sum += ticks[0] + ticks[1];
    }
    (void)closedir(all);
    if (read_stat(server, STAT_USER, ticks, 4))
        *ret = (sum + ticks[0] + ticks[1] + ticks[2] + ticks[3]) * CLOCK_TICK_US;
    return 0;
}
