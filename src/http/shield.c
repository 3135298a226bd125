/* http/shield.c - constant headers, added first so that whoever answers may replace them. */
#include "http/shield.h"

static const struct {
    const char *name, *value;
} headers[] = {
    { "cache-control", "no-store" },
    { "content-security-policy", "default-src 'none'; frame-ancestors 'none'" },
    { "referrer-policy", "no-referrer" },
    { "x-content-type-options", "nosniff" },
    { "x-frame-options", "DENY" },
};

static enum chain_verdict on_enter(void *self, struct http_request *r, void *slot, struct err *e)
{
    (void)self;
    (void)slot;
    (void)e;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        http_answer_header(r, headers[i].name, headers[i].value);
    if (r->secure)
        http_answer_header(r, "strict-transport-security", "max-age=31536000");
    return CHAIN_NEXT;
}

const struct interceptor shield_interceptor = { .name = "security-headers", .enter = on_enter };
