/*
 * tests/fuzz/signature.c - the signature header of webhooks: no text but a true signature passes.
 *
 * Up to the first line feed the input is a header, behind it a body.  The secret is not in the
 * input, so whatever passes would be a forgery; the same header that we write ourselves must pass,
 * also with the input's header behind it when that leaves it well formed.
 */
#include "api/sign.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define NOW INT64_C(1700000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const secrets[] = { SECRET };
    const char *text = (const char *)data, *end = size > 0 ? memchr(text, '\n', size) : NULL;
    struct slice header = { text, end ? (size_t)(end - text) : size };
    struct slice body = { end ? end + 1 : text + size, end ? size - header.len - 1 : 0 };
    struct buf ours;
    struct err e;
    int rc = sign_verify(SECRET, header, body, NOW, &e);

    assert(rc == IFP_EUNAUTHORIZED && e.text[0]);
    buf_init(&ours);
    rc = sign_header(secrets, 1, NOW, body, &ours);
    assert(rc == 0);
    rc = sign_verify(SECRET, (struct slice){ ours.data, ours.len }, body, NOW + SIGN_WINDOW_S, &e);
    assert(rc == 0);
    rc = sign_verify(SECRET, (struct slice){ ours.data, ours.len }, body, NOW + SIGN_WINDOW_S + 1,
                     &e);
    assert(rc == IFP_EUNAUTHORIZED);
    buf_release(&ours);
    return 0;
}
