/*
 * tests/fuzz/http.c - requests as bytes: heads and bodies of a connection, parsed and judged.
 *
 * The first two bytes say how the rest is cut into reads; the verdict must not depend on it.
 */
#include "lib/wire.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_verdict cut, whole;
    const char *text;

    if (size < 3)
        return 0;
    text = (const char *)data + 2;
    cut = wire_judge(text, size - 2, (size_t)data[0] + 1, (size_t)data[1] + 1);
    whole = wire_judge(text, size - 2, size - 2, 1);
    assert(cut.requests == whole.requests && cut.status == whole.status);
    if (whole.status == 0)
        assert(cut.body_bytes == whole.body_bytes);
    return 0;
}
