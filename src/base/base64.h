/*
 * base/base64.h - RFC 4648's URL-safe alphabet without padding, as keys and tokens are written.
 * Reading is strict: no padding, no white space, and one spelling only for each value (the bits
 * that are left over in the last character are zero).
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/base.h"

#include <stddef.h>
#include <stdint.h>

/* Characters that n bytes take, without the zero byte. */
#define BASE64_LEN(n) (((n)*4 + 2) / 3)
/* Bytes that n characters stand for. */
#define BASE64_BYTES(n) ((n) / 4 * 3 + (n) % 4 * 3 / 4)

/* Writes BASE64_LEN(len) characters and a zero byte. */
void base64_encode(const uint8_t *data, size_t len, char *ret);
/* Writes BASE64_BYTES(len) bytes; IFP_EINVALID for anything that base64_encode does not write. */
int base64_decode(const char *text, size_t len, uint8_t *ret) MUSTCHECK;
/* The same for standard base64 (+ and /) with its padding, as `openssl rand -base64` prints it;
 * `ret` has room for len / 4 * 3 bytes. */
int base64_decode_padded(const char *text, size_t len, uint8_t *ret, size_t *ret_len) MUSTCHECK;

#endif
