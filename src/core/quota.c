/* core/quota.c - a short flat table: a worker serves few limited queues. */
#include "core/quota.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>

void quota_init(struct quota *q)
{
    *q = (struct quota){ .count = 0 };
}

void quota_release(struct quota *q)
{
    mem_free(q->queues);
    quota_init(q);
}

struct quota_queue *quota_find(const struct quota *q, int32_t queue)
{
    assert(q->queues || q->count == 0);
    for (size_t i = 0; i < q->count; i++)
        if (q->queues[i].queue == queue)
            return &q->queues[i];
    return NULL;
}

static void mark(struct quota_queue *k)
{
    assert(k->queue > 0);
    k->due = true;
    k->marks++;
}

int quota_set(struct quota *q, const int32_t *queues, size_t n)
{
    struct quota_queue *table = mem_resize(NULL, n + 1, sizeof(*table));

    if (!table)
        return IFP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct quota_queue *old = quota_find(q, queues[i]);

        assert(queues[i] > 0);
        table[i] = old ? *old : (struct quota_queue){ .queue = queues[i] };
        mark(&table[i]); /* its limits may have changed */
    }
    mem_free(q->queues);
    *q = (struct quota){ .queues = table, .count = n };
    return 0;
}

void quota_restart(struct quota *q)
{
    for (size_t i = 0; i < q->count; i++) {
        assert(q->queues[i].held == 0);
        q->queues[i].told = 0;
        mark(&q->queues[i]);
    }
}

void quota_mark(struct quota *q, int32_t queue)
{
    assert(queue >= 0);
    for (size_t i = 0; i < q->count; i++)
        if (queue == 0 || q->queues[i].queue == queue)
            mark(&q->queues[i]);
}

void quota_expect(struct quota_queue *k, int64_t at_us)
{
    assert(at_us > 0);
    if (k->again_us == 0 || at_us < k->again_us)
        k->again_us = at_us;
}

void quota_count(struct quota_queue *k, int change)
{
    assert(change == 1 || change == -1);
    assert(k->held + change >= 0);
    k->held += change;
    if (change < 0)
        mark(k);
}

struct quota_queue *quota_next(struct quota *q, int64_t now_us)
{
    assert(q->count == 0 || q->next < q->count);
    for (size_t i = 0; i < q->count; i++) {
        struct quota_queue *k = &q->queues[(q->next + i) % q->count];

        if (!k->due && (k->again_us == 0 || k->again_us > now_us))
            continue;
        q->next = (q->next + i + 1) % q->count;
        return k;
    }
    return NULL;
}

void quota_sent(struct quota_queue *k)
{
    assert(k->held >= 0);
    k->asked = k->marks;
    k->told = k->held;
    k->again_us = 0;
}

void quota_answer(struct quota_queue *k, int taken, int limit, int64_t again_us)
{
    assert(taken >= 0 && taken <= limit);
    k->told += taken;
    if (taken < limit && k->marks == k->asked)
        k->due = false;
    if (again_us > 0)
        quota_expect(k, again_us);
}

struct quota_queue *quota_untold(struct quota *q)
{
    assert(q->queues || q->count == 0);
    for (size_t i = 0; i < q->count; i++)
        if (q->queues[i].told > q->queues[i].held)
            return &q->queues[i];
    return NULL;
}

int64_t quota_earliest(const struct quota *q)
{
    int64_t earliest = 0;

    for (size_t i = 0; i < q->count; i++) {
        int64_t at = q->queues[i].again_us;

        if (at != 0 && (earliest == 0 || at < earliest))
            earliest = at;
    }
    return earliest;
}
