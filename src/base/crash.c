/*
 * base/crash.c - dies by SIGKILL at a named point, so that nothing can be cleaned up: what the
 * recovery tests see is what a power cut leaves.
 *
 * Process-wide state: the point that is armed and the hits still to pass.  Points are reached from
 * the loop thread and from pool threads alike.
 */
#include "base/crash.h"

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CRASH_POINT_NAME(id, name) [id] = name,
static const char *const names[CRASH_POINTS] = { CRASH_POINT_MAP(CRASH_POINT_NAME) };
#undef CRASH_POINT_NAME

enum { CRASH_UNARMED = -1, CRASH_HITS_MAX = 1000000 };

static atomic_int armed = CRASH_UNARMED;
static atomic_int hits_left;

void crash_here(enum crash_point point)
{
    assert((unsigned)point < CRASH_POINTS);
    if (atomic_load_explicit(&armed, memory_order_relaxed) != (int)point)
        return;
    if (atomic_fetch_sub(&hits_left, 1) == 1)
        (void)kill(getpid(), SIGKILL);
}

const char *crash_point_name(enum crash_point point)
{
    assert((unsigned)point < CRASH_POINTS);
    return names[point];
}

static int find(const char *name, size_t len)
{
    for (int i = 0; i < CRASH_POINTS; i++)
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return i;
    return CRASH_UNARMED;
}

/* The number behind the colon, 1 when there is no colon, 0 when it is not one. */
static int parse_hits(const char *text)
{
    int hits = 0;

    if (*text == '\0')
        return 1;
    if (*++text == '\0')
        return 0;
    for (; *text >= '0' && *text <= '9' && hits < CRASH_HITS_MAX; text++)
        hits = hits * 10 + (*text - '0');
    return *text == '\0' ? hits : 0;
}

int crash_arm_from_env(struct err *e)
{
    const char *text = getenv("INFERPIPE_CRASH_AT");
    size_t len;
    int point, hits;

    if (!text || *text == '\0')
        return 0;
    len = strcspn(text, ":");
    point = find(text, len);
    if (point == CRASH_UNARMED)
        return err_set(e, IFP_EINVALID, "INFERPIPE_CRASH_AT=\"%s\": there is no such point", text);
    hits = parse_hits(text + len);
    if (hits < 1)
        return err_set(e, IFP_EINVALID,
                       "INFERPIPE_CRASH_AT=\"%s\": want a count from 1 behind \":\"", text);
    atomic_store(&hits_left, hits);
    atomic_store(&armed, point);
    return 0;
}
