/*
 * http/shield.h - the interceptor "security-headers": what answers say to browsers and caches.
 *
 * Nothing of the API is to be cached, framed, sniffed or run as a page; over TLS the address is to
 * be used with TLS only.  A handler replaces what does not suit it (/docs has a policy of its own)
 * by adding the header itself.  Its `self` is not used.
 */
#ifndef HTTP_SHIELD_H
#define HTTP_SHIELD_H

#include "http/chain.h"

extern const struct interceptor shield_interceptor;

#endif
