/*
 * http/eventid.h - the number in Last-Event-ID: where a client that lost its stream goes on.
 *
 * Only what we would have sent is taken: decimal digits without sign, space or leading zero, up to
 * EVENTID_MAX, so that no arithmetic on it can overflow.  Pure.
 */
#ifndef HTTP_EVENTID_H
#define HTTP_EVENTID_H

#include "base/base.h"
#include "base/jsonscan.h"

#include <stdint.h>

/* What JavaScript counts to without loss; no execution has as many events. */
#define EVENTID_MAX INT64_C(9007199254740991)

/* IFP_EINVALID for anything else; a header that is not there (text NULL) or empty gives 0: from the
 * beginning. */
int eventid_parse(struct slice value, int64_t *ret) MUSTCHECK;

#endif
