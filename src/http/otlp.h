/*
 * http/otlp.h - spans as OTLP's JSON: an ExportTraceServiceRequest is head, spans with commas
 * between them, tail.  Pure, but for memory.
 */
#ifndef HTTP_OTLP_H
#define HTTP_OTLP_H

#include "base/buf.h"
#include "base/jsonscan.h"
#include "base/span.h"

struct otlp_resource {
    const char *service, *version, *instance, *host; /* NULL: left out */
};

void otlp_head(struct buf *b, const struct otlp_resource *r);
void otlp_span(struct buf *b, const struct span *s);
void otlp_tail(struct buf *b);
/* How many spans the receiver says that it did not take; 0 when it says nothing. */
int64_t otlp_rejected(struct slice answer);

#endif
