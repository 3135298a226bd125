/*
 * base/ids.h - random bytes, UUIDs, the text form of execution ids, and the hash of step keys.
 */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include "base/base.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { IDS_UUID_SIZE = 37 };

/* From getrandom(2); IFP_ESERVER when the kernel gives none. */
int ids_random(void *ret, size_t len) MUSTCHECK;
/* A random, non-zero, positive 63-bit number: a worker's incarnation id. */
int ids_worker(int64_t *ret_id) MUSTCHECK;
/* RFC 9562 version 7, from a Unix time in ms and 10 random bytes (pure). */
void ids_uuid7(int64_t unix_ms, const uint8_t random[10], char ret[IDS_UUID_SIZE]);
/* RFC 9562 version 4 from 16 random bytes (pure). */
void ids_uuid4(const uint8_t random[16], char ret[IDS_UUID_SIZE]);
/* The 63-bit number as "exe_" and 13 characters of Crockford base32, and back.  Parsing takes upper
 * and lower case; IFP_EINVALID for anything else. */
void ids_execution_format(int64_t id, char ret[IFP_ID_SIZE]);
int ids_execution_parse(const char *text, int64_t *ret_id) MUSTCHECK;
/* The key of the n-th (1...) occurrence of a step name: 64 bits, stable for ever (it is stored):
 * FNV-1a over name, a zero byte and n in little endian, then the finaliser of MurmurHash3. */
int64_t ids_step_key(const char *name, size_t len, uint32_t occurrence);
/* splitmix64 of (seed, call number, counter): ifp_random's and ifp_uuid's source (pure). */
uint64_t ids_derive(uint64_t seed, uint64_t call, uint64_t counter);

#endif
