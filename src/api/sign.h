/*
 * api/sign.h - signatures of webhooks, ours and those of others.  Pure.
 *
 * Two formats go out with every delivery, over the same body:
 *
 *   x-inferpipe-signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">[,v1=...]
 *   webhook-signature: v1,<base64 HMAC-SHA256 of "id.t.body">[ v1,...]       (Standard Webhooks)
 *
 * While a secret rotates there is a value for the new one and one for the old.  A secret is
 * "whsec_" and the base64 of its bytes; the key is the bytes for the second format, and the whole
 * text for the first, which is what people put into INFERPIPE_WEBHOOK_SECRET.
 */
#ifndef API_SIGN_H
#define API_SIGN_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/jsonscan.h"

#include <stdint.h>

enum { SIGN_SECRETS_MAX = 2, SIGN_WINDOW_S = 300, SIGN_HEADER_MAX = 1024 };

/* "whsec_" and the base64 of 16 to 64 bytes? */
bool sign_secret_ok(const char *secret);

/* Appends the value of x-inferpipe-signature.  IFP_ENOMEM, IFP_ESERVER. */
int sign_header(const char *const *secrets, size_t count, int64_t unix_s, struct slice body,
                struct buf *ret) MUSTCHECK;
/* Appends the value of webhook-signature. */
int sign_standard(const char *const *secrets, size_t count, const char *id, int64_t unix_s,
                  struct slice body, struct buf *ret) MUSTCHECK;
/* Does one of the v1 values of an x-inferpipe-signature fit the secret, and is its time within 300
 * seconds of now?  IFP_EUNAUTHORIZED says what does not: the header (one t, at least one v1, names
 * that are not known are skipped), the time, or the value.  Wrong values all take the same time. */
int sign_verify(const char *secret, struct slice header, struct slice body, int64_t now_s,
                struct err *e) MUSTCHECK;

#endif
