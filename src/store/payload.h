/*
 * store/payload.h - how a payload goes into a row: as it is up to the inline limit; above it as its
 * SHA-256, while the text itself goes to the table of payloads, once per execution.
 */
#ifndef STORE_PAYLOAD_H
#define STORE_PAYLOAD_H

#include "base/base.h"
#include "base/crypto.h"
#include "base/jsonscan.h"

#include <stdint.h>

/* The numbers in the codec columns. */
enum { PAYLOAD_INLINE = 0, PAYLOAD_LARGE = 1 };

struct payload {
    int16_t codec;
    struct slice column; /* borrowed: the text, or `hash`; text NULL: none */
    struct slice large;  /* borrowed: the text when it is large, else text NULL */
    uint8_t hash[CRYPTO_SHA256_SIZE];
};

/* `p` must stay where it is while it is read, and `text` too.  IFP_ENOMEM or IFP_ESERVER when it
 * cannot be hashed. */
int payload_split(struct payload *p, struct slice text, int64_t inline_max) MUSTCHECK;

#endif
