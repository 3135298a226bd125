/*
 * base/clock.c - the system's clocks, or a test's.
 *
 * Process-wide state: the replacement.  It is set before other threads run and read by all.
 * CLOCK_BOOTTIME rather than CLOCK_MONOTONIC, so that a worker that wakes up from suspend sees at
 * once that its lease is long over.
 */
#include "base/clock.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#define US_PER_S INT64_C(1000000)
#define NS_PER_US INT64_C(1000)
#define YEAR_0_S INT64_C(-62167219200)
#define YEAR_9999_END_S INT64_C(253402300799)

static struct {
    clock_fn *mono;
    clock_fn *real;
    void *ctx; /* borrowed */
} replaced;

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    int rc = clock_gettime(id, &ts);

    assert(rc == 0);
    (void)rc;
    return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return replaced.mono ? replaced.mono(replaced.ctx) : read_us(CLOCK_BOOTTIME);
}

int64_t clock_mono_ns(void)
{
    struct timespec ts;
    int rc;

    if (replaced.mono)
        return replaced.mono(replaced.ctx) * NS_PER_US;
    rc = clock_gettime(CLOCK_BOOTTIME, &ts);
    assert(rc == 0);
    (void)rc;
    return (int64_t)ts.tv_sec * US_PER_S * NS_PER_US + ts.tv_nsec;
}

int64_t clock_real_us(void)
{
    return replaced.real ? replaced.real(replaced.ctx) : read_us(CLOCK_REALTIME);
}

void clock_replace(clock_fn *mono, clock_fn *real, void *ctx)
{
    replaced.mono = mono;
    replaced.real = real;
    replaced.ctx = ctx;
}

void clock_format_utc(int64_t real_us, char *ret, unsigned long size)
{
    int64_t us = real_us % US_PER_S;
    int64_t s = real_us / US_PER_S;
    struct tm tm = { 0 };
    time_t t;

    assert(ret != NULL && size >= 25);
    if (us < 0) {
        us += US_PER_S;
        s--;
    }
    /* four digits of a year are all that fits */
    t = (time_t)(s < YEAR_0_S ? YEAR_0_S : s > YEAR_9999_END_S ? YEAR_9999_END_S : s);
    (void)gmtime_r(&t, &tm);
    (void)snprintf(ret, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(us / 1000));
}
