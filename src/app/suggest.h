/*
 * app/suggest.h - "did you mean": the known word that is nearest to what was typed.
 * Offer every candidate, then look at `best`.  Pure.
 */
#ifndef APP_SUGGEST_H
#define APP_SUGGEST_H

#include <stddef.h>

enum { SUGGEST_WORD_MAX = 40 };

struct suggest {
    const char *word; /* borrowed: what was typed */
    const char *best; /* borrowed; NULL: nothing is near */
    size_t best_len;
    int distance; /* of the best */
};

void suggest_init(struct suggest *s, const char *word);
/* Takes the candidate when it is nearer than the best one: at most a third of its letters are
 * wrong. */
void suggest_offer(struct suggest *s, const char *candidate, size_t len);
/* Letters put in, left out, changed, or swapped with their neighbour. */
int suggest_distance(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
