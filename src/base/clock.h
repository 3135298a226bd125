/*
 * base/clock.h - the only place that reads a clock, replaceable by a test.
 * Shared time (leases, schedules, expiry) is PostgreSQL's; this one only paces a process.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

typedef int64_t clock_fn(void *ctx);

/* Microseconds that never go back; includes time in suspend (CLOCK_BOOTTIME). */
int64_t clock_mono_us(void);
/* The same in nanoseconds, to measure what takes less than one. */
int64_t clock_mono_ns(void);
/* Microseconds since 1970, for logs and ids. */
int64_t clock_real_us(void);
/* Replaces both clocks (tests); NULL restores the system's. */
void clock_replace(clock_fn *mono, clock_fn *real, void *ctx);
/* "2026-11-20T15:30:00.123Z" into at least 25 bytes. */
void clock_format_utc(int64_t real_us, char *ret, unsigned long size);

#endif
