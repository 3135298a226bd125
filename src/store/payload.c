/*
 * store/payload.c - the one place that decides between inline and large.
 */
#include "store/payload.h"

#include <assert.h>

int payload_split(struct payload *p, struct slice text, int64_t inline_max)
{
    int err;

    assert(inline_max >= 0);
    assert(text.text || text.len == 0);
    *p = (struct payload){ .codec = PAYLOAD_INLINE, .column = text };
    if (!text.text || (int64_t)text.len <= inline_max)
        return 0;
    err = crypto_sha256(text.text, text.len, p->hash);
    if (err)
        return err;
    p->codec = PAYLOAD_LARGE;
    p->column = (struct slice){ (const char *)p->hash, sizeof(p->hash) };
    p->large = text;
    return 0;
}
