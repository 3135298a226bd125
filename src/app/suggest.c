/*
 * app/suggest.c - the edit distance of short words, with swapped neighbours counted as one edit.
 *
 * The table of the textbook, three rows of it.  Words over SUGGEST_WORD_MAX bytes are far from
 * everything: nobody mistypes those.
 */
#include "app/suggest.h"

#include "base/base.h"

#include <assert.h>
#include <string.h>

void suggest_init(struct suggest *s, const char *word)
{
    *s = (struct suggest){ .word = word };
}

int suggest_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int rows[3][SUGGEST_WORD_MAX + 1];
    int *before = rows[0], *last = rows[1], *row = rows[2], *swap;

    if (a_len > SUGGEST_WORD_MAX || b_len > SUGGEST_WORD_MAX)
        return SUGGEST_WORD_MAX;
    for (size_t j = 0; j <= b_len; j++)
        before[j] = last[j] = (int)j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = (int)i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = last[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = MIN(row[j], MIN(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = MIN(row[j], before[j - 2] + 1);
        }
        swap = before;
        before = last;
        last = row;
        row = swap;
    }
    return last[b_len];
}

void suggest_offer(struct suggest *s, const char *candidate, size_t len)
{
    size_t typed = strlen(s->word);
    int distance = suggest_distance(s->word, typed, candidate, len);
    int allowed = (int)(MAX(typed, len) + 2) / 3;

    assert(distance >= 0);
    if (typed > SUGGEST_WORD_MAX || len > SUGGEST_WORD_MAX || distance > allowed ||
        distance >= (int)MAX(typed, len))
        return;
    if (s->best && distance >= s->distance)
        return;
    s->best = candidate;
    s->best_len = len;
    s->distance = distance;
}
