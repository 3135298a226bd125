/* tests/fuzz/traceparent.c - a context that is read is written again as it was, but for flags. */
#include "base/traceparent.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct traceparent t, again;
    char text[TRACEPARENT_SIZE];
    int rc;

    if (traceparent_parse((const char *)data, size, &t) < 0)
        return 0;
    assert((t.high || t.low) && t.span);
    traceparent_format(&t, text);
    assert(strlen(text) == TRACEPARENT_SIZE - 1);
    if (size == TRACEPARENT_SIZE - 1)
        assert(memcmp(text, data, size - 2) == 0);
    rc = traceparent_parse(text, strlen(text), &again);
    assert(rc == 0 && again.high == t.high && again.low == t.low && again.span == t.span);
    assert(again.sampled == t.sampled);
    return 0;
}
