/*
 * tests/fuzz/headers.c - small header values: Accept-Encoding and Content-Type.
 *
 * What is taken must hold the word for it; white space around the value changes nothing.
 */
#define _GNU_SOURCE 1 /* strcasestr */
#include "http/gzip.h"
#include "http/mediatype.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice value = { (const char *)data, size }, wide;
    char *text = malloc(size + 3);
    bool gzip, json;

    if (!text)
        return 0;
    memcpy(text + 1, data, size);
    text[0] = text[size + 1] = ' ';
    text[size + 2] = '\0';
    wide = (struct slice){ text, size + 2 };
    gzip = gzip_accepted(value);
    json = mediatype_is_json(value);
    assert(gzip == gzip_accepted(wide) && json == mediatype_is_json(wide));
    if (!memchr(data, '\0', size)) {
        assert(!gzip || strcasestr(text, "gzip") || strchr(text, '*'));
        assert(!json || strcasestr(text, "json"));
    }
    free(text);
    return 0;
}
