/* http/compress.c - replaces the body just before its head leaves. */
#include "http/compress.h"

static void on_answering(void *self, struct http_request *r, void *slot)
{
    struct slice small;

    (void)slot;
    if (r->answer.len < GZIP_MIN || r->answer.len > GZIP_MAX || !gzip_worthwhile(r->answer_type))
        return;
    http_answer_header(r, "vary", "accept-encoding");
    if (r->method == HTTP_HEAD || !gzip_accepted(http_header(r, "accept-encoding")))
        return;
    small = gzip_whole(self, &r->arena, r->answer);
    if (!small.text)
        return;
    r->answer = small;
    http_answer_header(r, "content-encoding", "gzip");
}

const struct interceptor compress_interceptor = { .name = "compression",
                                                  .answering = on_answering };
