/* tests/chaos/plan.c - see plan.h. */
#include "chaos/plan.h"

#include "base/base.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { OPS_MIN = 1, OPS_MAX = 6, FAILS_PERCENT = 5, ENDLESS_PERCENT = 7, MUST_PERCENT = 60 };
enum { NARROW_PERCENT = 15, NARROW_KEYS = 3 };
enum { LONG_PERCENT = 12, ENDLESS_STEP_MS = 600000, SLOW_MIN_MS = 4000, SLOW_MAX_MS = 5000 };

/* Usual and long arguments: milliseconds, bytes or failed attempts. */
static const struct op {
    const char *kind;
    int weight;
    int64_t from, to, long_from, long_to;
} ops[] = {
    { "step", 30, 0, 250, 500, 1500 },
    { "inline", 10, 0, 0, 0, 0 },
    { "flaky", 8, 1, 2, 3, 5 },
    { "parked", 3, 1, 1, 2, 2 },
    { "large", 4, 100, 40000, 60000, 150000 },
    { "tx", 15, 0, 50, 200, 800 },
    { "sleep", 12, 5, 300, 1000, 3000 },
    { "now", 6, 0, 0, 0, 0 },
    { "recv", 12, 50, 400, 1000, 1500 },
    { "kids", 6, 1, 3, 4, 8 },
    { "par", 6, 1, 3, 4, 8 },
    { "saga", 10, 0, 150, 300, 900 },
    { "chat", 6, 1, 5, 20, 60 },
    { "emit", 6, 1, 4, 10, 30 },
};

static const struct op *choose(struct draw *d)
{
    int sum = 0, at;

    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        sum += ops[i].weight;
    at = (int)draw_between(d, 1, sum);
    for (size_t i = 0;; i++) {
        at -= ops[i].weight;
        if (at <= 0)
            return &ops[i];
    }
}

static void append(struct plan *p, int *count, const char *kind, int64_t arg)
{
    size_t len = strlen(p->text);

    len += (size_t)snprintf(p->text + len, sizeof(p->text) - len, "%s[\"%s\",%" PRId64 "]",
                            *count ? "," : "", kind, arg);
    assert(len < sizeof(p->text) - 8);
    ++*count;
}

static void append_wait(struct plan *p, int *count, int64_t timeout_ms)
{
    struct plan_wait *w = &p->waits[p->wait_count++];

    assert(p->wait_count <= PLAN_WAITS);
    (void)snprintf(w->name, sizeof(w->name), "recv%d", *count);
    w->must = timeout_ms == 0;
    append(p, count, "recv", timeout_ms);
}

static void append_end(struct plan *p, int *count, struct draw *d)
{
    if (p->end == PLAN_FAILS)
        append(p, count, "fail", 0);
    else if (p->end == PLAN_ENDLESS && draw_chance(d, 50))
        append(p, count, "step", ENDLESS_STEP_MS);
    else if (p->end == PLAN_ENDLESS)
        append(p, count, "recv", 0); /* nobody sends to this one */
}

void plan_make(struct plan *p, struct draw *d, bool slow)
{
    int count = 0, wanted = (int)draw_between(d, OPS_MIN, OPS_MAX);

    *p = (struct plan){ .text = "{\"ops\":[" };
    if (slow)
        append(p, &count, "step", draw_between(d, SLOW_MIN_MS, SLOW_MAX_MS));
    while (!slow && count < wanted) {
        const struct op *op = choose(d);
        bool is_long = draw_chance(d, LONG_PERCENT);
        int64_t arg = is_long ? draw_between(d, op->long_from, op->long_to)
                              : draw_between(d, op->from, op->to);

        if (strcmp(op->kind, "recv") == 0)
            append_wait(p, &count, draw_chance(d, MUST_PERCENT) ? 0 : arg);
        else
            append(p, &count, op->kind, arg);
    }
    if (!slow && draw_chance(d, FAILS_PERCENT))
        p->end = PLAN_FAILS;
    else if (!slow && draw_chance(d, ENDLESS_PERCENT))
        p->end = PLAN_ENDLESS;
    append_end(p, &count, d);
    if (!slow && draw_chance(d, NARROW_PERCENT))
        (void)snprintf(p->narrow_key, sizeof(p->narrow_key), "key%d",
                       (int)draw_between(d, 1, NARROW_KEYS));
    (void)snprintf(p->text + strlen(p->text), sizeof(p->text) - strlen(p->text), "]}");
}

const char *plan_end_name(enum plan_end end)
{
    static const char *const names[] = { "completes", "fails", "endless" };

    return names[end];
}
