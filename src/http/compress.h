/*
 * http/compress.h - the interceptor "compression": whole answers from 1 KiB on leave as gzip when
 * the client takes it and their type shrinks.
 *
 * Every answer that depends on it says so (`vary: accept-encoding`).  Answers in parts are left
 * alone: events are small and must not wait for each other.
 */
#ifndef HTTP_COMPRESS_H
#define HTTP_COMPRESS_H

#include "http/chain.h"
#include "http/gzip.h"

/* Its `self` is a struct gzip. */
extern const struct interceptor compress_interceptor;

#endif
