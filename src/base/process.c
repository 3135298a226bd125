/*
 * base/process.c - from getrusage and /proc/self; without /proc only the processor time is known.
 */
#include "base/process.h"

#include "base/clock.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SECOND_US INT64_C(1000000)

static int64_t cpu_us(void)
{
    struct rusage u;

    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0;
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * SECOND_US + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

static int64_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int64_t n = 0;

    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the directory itself */
}

/* Fields 22 (start, in ticks since boot) and 24 (resident pages), behind the name in brackets. */
static void read_stat(struct process_usage *ret)
{
    FILE *f = fopen("/proc/self/stat", "re");
    char line[1024], *p = NULL;
    int64_t ticks = 0, pages = 0, per_second = sysconf(_SC_CLK_TCK);
    struct timespec up;

    if (f && fgets(line, sizeof(line), f))
        p = strrchr(line, ')');
    if (f)
        (void)fclose(f);
    if (!p || sscanf(p + 1,
                     " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                     " %" SCNd64 " %*s %" SCNd64,
                     &ticks, &pages) != 2)
        return;
    ret->rss_bytes = pages * sysconf(_SC_PAGESIZE);
    if (per_second > 0 && clock_gettime(CLOCK_BOOTTIME, &up) == 0)
        ret->born_us = clock_real_us() - (up.tv_sec * SECOND_US + up.tv_nsec / 1000) +
                       ticks * SECOND_US / per_second;
}

void process_usage(struct process_usage *ret)
{
    *ret = (struct process_usage){ .cpu_us = cpu_us(), .fds = count_fds() };
    read_stat(ret);
}
