/* tests/chaos/schedule.c - see schedule.h. */
#include "chaos/schedule.h"

#include "base/base.h"
#include "chaos/draw.h"

#include <inttypes.h>
#include <stdio.h>

#define MS INT64_C(1000)

#define HIT_ROW(id, name, cards, shortest, longest) { name, cards, shortest, longest },
static const struct {
    const char *name;
    int cards;
    int64_t shortest_ms, longest_ms;
} rows[] = { HIT_MAP(HIT_ROW) };
#undef HIT_ROW

enum { DECK_MAX = 128, STREAM = 1 };

struct deck {
    uint64_t kinds;
    enum hit_kind cards[DECK_MAX];
    int count;
};

/* A full deck in random order. */
static void shuffle(struct deck *deck, struct draw *d)
{
    deck->count = 0;
    for (size_t k = 0; k < ARRAY_LEN(rows); k++)
        for (int i = 0; i < rows[k].cards && (deck->kinds >> k & 1); i++)
            deck->cards[deck->count++] = (enum hit_kind)k;
    for (int i = deck->count - 1; i > 0; i--) {
        int64_t j = draw_between(d, 0, i);
        enum hit_kind kept = deck->cards[i];

        deck->cards[i] = deck->cards[j];
        deck->cards[j] = kept;
    }
}

/* Every hit takes the same number of draws, so that one kind's needs do not move the others. */
static struct hit deal(struct deck *deck, struct draw *d, int64_t at_us)
{
    struct hit h = { .at_us = at_us };

    if (deck->count == 0)
        shuffle(deck, d);
    h.kind = deck->cards[--deck->count];
    h.for_us = draw_between(d, rows[h.kind].shortest_ms, rows[h.kind].longest_ms) * MS;
    h.target = draw_bits(d);
    return h;
}

int schedule_deck(uint64_t kinds)
{
    int count = 0;

    for (size_t k = 0; k < ARRAY_LEN(rows); k++)
        if (schedule_deals(kinds, (enum hit_kind)k))
            count += rows[k].cards;
    return count;
}

bool schedule_deals(uint64_t kinds, enum hit_kind kind)
{
    return (kinds >> kind & 1) != 0 && rows[kind].cards > 0;
}

int schedule_make(uint64_t seed, uint64_t kinds, int64_t length_us, int64_t failover_us,
                  struct hit ret[SCHEDULE_MAX])
{
    struct deck deck = { .kinds = kinds };
    int64_t at = 0;
    struct draw d;
    int count = 0;

    draw_seed(&d, seed, STREAM);
    for (;;) {
        int64_t next = at + draw_between(&d, SCHEDULE_GAP_MIN_MS, SCHEDULE_GAP_MAX_MS) * MS;

        if (failover_us > at && failover_us <= next && count < SCHEDULE_MAX)
            ret[count++] = (struct hit){ .kind = HIT_FAILOVER, .at_us = failover_us };
        at = next;
        if (at >= length_us || count == SCHEDULE_MAX)
            return count;
        if (kinds != 0)
            ret[count++] = deal(&deck, &d, at);
    }
}

const char *schedule_name(enum hit_kind kind)
{
    return rows[kind].name;
}

void schedule_print(const struct hit *hits, int count)
{
    for (int i = 0; i < count; i++)
        printf("%8" PRId64 " ms  %-28s %5" PRId64 " ms  %016" PRIx64 "\n", hits[i].at_us / MS,
               rows[hits[i].kind].name, hits[i].for_us / MS, hits[i].target);
}
