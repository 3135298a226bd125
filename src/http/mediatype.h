/*
 * http/mediatype.h - the interceptor "content-type": a body must be JSON, else 415.
 *
 * Of routes with ROUTE_BODY and without ROUTE_ANY_BODY.  A body that does not say what it is passes
 * for JSON: the handler's scanner is strict anyway.  Its `self` is not used.
 */
#ifndef HTTP_MEDIATYPE_H
#define HTTP_MEDIATYPE_H

#include "http/chain.h"

extern const struct interceptor mediatype_interceptor;
/* Is this value of Content-Type JSON, in UTF-8? */
bool mediatype_is_json(struct slice value);

#endif
