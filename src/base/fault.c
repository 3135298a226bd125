/*
 * base/fault.c - counts the sites that may fail and fails the one that was asked for.
 *
 * Process-wide state, as sites are everywhere and know nothing of a test: one bit a kind says
 * whether anything is armed, so that a site costs one relaxed load in production.  Only an armed
 * kind counts its hits.  fault_arm is for one thread at a time, before the code under test runs;
 * hits come from any thread.
 */
#include "base/fault.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct site {
    atomic_uint_least64_t hits;
    atomic_uint_least64_t n;
    atomic_bool sticky;
};

static atomic_uint armed; /* a bit for each kind */
static struct site sites[FAULT_KINDS];

static const char *const names[FAULT_KINDS] = {
    [FAULT_ALLOC] = "alloc",
    [FAULT_STATEMENT] = "statement",
    [FAULT_REPLY] = "reply",
    [FAULT_WRITE] = "write",
};

void fault_arm(enum fault_kind kind, uint64_t n, bool sticky)
{
    struct site *site = &sites[kind];

    assert((unsigned)kind < FAULT_KINDS);
    atomic_fetch_and(&armed, ~(1u << kind));
    atomic_store(&site->hits, 0);
    atomic_store(&site->n, n);
    atomic_store(&site->sticky, sticky);
    if (n > 0)
        atomic_fetch_or(&armed, 1u << kind);
}

uint64_t fault_count(enum fault_kind kind)
{
    assert((unsigned)kind < FAULT_KINDS);
    return atomic_load(&sites[kind].hits);
}

static bool hit_armed(struct site *site)
{
    uint64_t hit = atomic_fetch_add(&site->hits, 1) + 1;
    uint64_t n = atomic_load(&site->n);

    return hit == n || (hit > n && atomic_load(&site->sticky));
}

bool fault_hit(enum fault_kind kind)
{
    assert((unsigned)kind < FAULT_KINDS);
    if (!(atomic_load_explicit(&armed, memory_order_relaxed) & (1u << kind)))
        return false;
    return hit_armed(&sites[kind]);
}

/* Reads "17" or "17+". */
static bool parse_count(const char *text, uint64_t *ret_n, bool *ret_sticky)
{
    uint64_t n = 0;

    if (*text < '1' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
            return false;
    *ret_sticky = *text == '+';
    *ret_n = n;
    return text[*ret_sticky ? 1 : 0] == '\0';
}

int fault_arm_from_env(struct err *e)
{
    const char *text = getenv("INFERPIPE_FAULT");
    const char *colon = text ? strchr(text, ':') : NULL;
    uint64_t n;
    bool sticky;

    if (!text || *text == '\0')
        return 0;
    for (int kind = 0; colon && kind < FAULT_KINDS; kind++) {
        size_t len = strlen(names[kind]);

        if (len != (size_t)(colon - text) || memcmp(names[kind], text, len) != 0)
            continue;
        if (!parse_count(colon + 1, &n, &sticky))
            break;
        fault_arm((enum fault_kind)kind, n, sticky);
        return 0;
    }
    return err_set(e, IFP_EINVALID,
                   "INFERPIPE_FAULT=\"%s\": want alloc, statement, reply or write, then :N or :N+",
                   text);
}
