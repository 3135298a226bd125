/*
 * base/apikey.h - the text of an API key: "ifp_", a prefix that names it, "_", and the secret.
 *
 *   ifp_k3v9x0a1b2c7_vXo1...43 characters of base64url
 *
 * 256 random bits, shown once; what is stored is the prefix and a hash of the whole text.  "ifp_"
 * and the prefix are the key's id, which may be shown.
 */
#ifndef BASE_APIKEY_H
#define BASE_APIKEY_H

#include "base/base.h"
#include "base/crypto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { APIKEY_PREFIX_LEN = 12, APIKEY_SECRET_LEN = 43 };
enum { APIKEY_LEN = 4 + APIKEY_PREFIX_LEN + 1 + APIKEY_SECRET_LEN, APIKEY_SIZE = APIKEY_LEN + 1 };
enum { APIKEY_PREFIX_SIZE = APIKEY_PREFIX_LEN + 1, APIKEY_ID_SIZE = 4 + APIKEY_PREFIX_LEN + 1 };

/* A new key.  IFP_ESERVER: the kernel gives no random bytes. */
int apikey_generate(char ret[APIKEY_SIZE]) MUSTCHECK;
/* False when the text has not the form of a key; else its prefix. */
bool apikey_parse(const char *text, size_t len, char ret_prefix[APIKEY_PREFIX_SIZE]) MUSTCHECK;
/* What is stored of it; `text` has APIKEY_LEN characters. */
int apikey_hash(const char *text, uint8_t ret[CRYPTO_SHA256_SIZE]) MUSTCHECK;
/* An id, "ifp_" and the prefix, and back; false when it is none. */
void apikey_id_format(const char *prefix, char ret[APIKEY_ID_SIZE]);
bool apikey_id_parse(const char *id, char ret_prefix[APIKEY_PREFIX_SIZE]) MUSTCHECK;

#endif
