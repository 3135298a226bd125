/*
 * api/openapi_page.c - puts the document into the page.
 *
 * It stands in a <script type="application/json">, which no browser runs; "<" is written as \u003c
 * in it, so that nothing in it can end that element.
 */
#include "api/openapi_page.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define PLACE "@DOCUMENT@"
enum { HASH_TEXT_SIZE = 48 };

/* What stands between the two marks, which occur once each; text NULL when they do not. */
static struct slice between(const char *page, const char *begin, const char *end)
{
    const char *from = strstr(page, begin), *to;

    if (!from)
        return (struct slice){ 0 };
    from += strlen(begin);
    to = strstr(from, end);
    return to ? (struct slice){ from, (size_t)(to - from) } : (struct slice){ 0 };
}

/* The SHA-256 in the alphabet that policies use, with padding. */
static int hash(struct slice text, char ret[HASH_TEXT_SIZE], struct err *e)
{
    uint8_t sum[CRYPTO_SHA256_SIZE];
    int rc = crypto_sha256(text.text, text.len, sum);

    if (rc < 0)
        return err_set(e, rc, "openapi: SHA-256 failed");
    base64_encode(sum, sizeof(sum), ret);
    for (char *p = ret; *p; p++)
        *p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
    (void)snprintf(ret + strlen(ret), HASH_TEXT_SIZE - strlen(ret), "=");
    return 0;
}

static int make_policy(struct openapi_page *p, const char *page, struct err *e)
{
    struct slice style = between(page, "<style>", "</style>");
    struct slice script = between(page, "<script>", "</script>");
    char style_hash[HASH_TEXT_SIZE], script_hash[HASH_TEXT_SIZE];
    int rc;

    if (!style.text || !script.text)
        return err_set(e, IFP_ESERVER, "docs.html has no <style> or no <script>");
    rc = hash(style, style_hash, e);
    if (rc == 0)
        rc = hash(script, script_hash, e);
    if (rc == 0)
        (void)snprintf(p->policy, sizeof(p->policy),
                       "default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; "
                       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                       style_hash, script_hash);
    return rc;
}

int openapi_page_etag(struct slice text, char ret[OPENAPI_ETAG_SIZE], struct err *e)
{
    char sum[HASH_TEXT_SIZE];
    int rc = hash(text, sum, e);

    if (rc == 0)
        (void)snprintf(ret, OPENAPI_ETAG_SIZE, "\"%.22s\"", sum);
    return rc;
}

int openapi_page_open(struct openapi_page *p, const char *page, struct slice document,
                      struct err *e)
{
    const char *place = strstr(page, PLACE);
    struct buf b;

    *p = (struct openapi_page){ 0 };
    if (!place)
        return err_set(e, IFP_ESERVER, "docs.html has no " PLACE);
    buf_init(&b);
    buf_put(&b, page, (size_t)(place - page));
    for (size_t i = 0; i < document.len; i++) {
        if (document.text[i] == '<')
            buf_puts(&b, "\\u003c");
        else
            buf_putc(&b, document.text[i]);
    }
    buf_puts(&b, place + strlen(PLACE));
    p->len = b.len;
    p->text = buf_take(&b);
    buf_release(&b);
    if (!p->text)
        return err_set(e, IFP_ENOMEM, "openapi: out of memory");
    if (make_policy(p, page, e) < 0 ||
        openapi_page_etag((struct slice){ p->text, p->len }, p->etag, e) < 0) {
        openapi_page_release(p);
        return e->code;
    }
    return 0;
}

void openapi_page_release(struct openapi_page *p)
{
    mem_free(p->text);
    p->text = NULL;
}
