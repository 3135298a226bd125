/*
 * base/duration.h - durations as people write them: "500ms", "5m", "1h30m", "2w", "0s".
 * Units ms s m h d w, each at most once, largest first; no sign, no fraction, no white space.
 */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include "base/base.h"
#include "base/err.h"

#include <stdint.h>

#define DURATION_MAX_MS INT64_C(3155760000000) /* 100 years of 365.25 days */

/* IFP_EINVALID names the text and the rule; over 100 years is refused too. */
int duration_parse(const char *text, int64_t *ret_ms, struct err *e) MUSTCHECK;
/* The shortest exact form: 90000 is "1m30s".  At least 32 bytes. */
void duration_format(int64_t ms, char *ret, unsigned long size);

#endif
