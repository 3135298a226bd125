/* tests/fuzz/eventid.c - Last-Event-ID: what is taken is what we would have written. */
#include "http/eventid.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[32];
    int64_t id = -1;
    int rc = eventid_parse((struct slice){ (const char *)data, size }, &id);

    assert(id >= 0 && id <= EVENTID_MAX);
    if (rc < 0) {
        assert(id == 0);
        return 0;
    }
    (void)snprintf(text, sizeof(text), "%" PRId64, id);
    assert(size == 0 ? id == 0 : strlen(text) == size && memcmp(text, data, size) == 0);
    return 0;
}
