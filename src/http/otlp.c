/*
 * http/otlp.c - see the header.  Ids are hex, times and integers are strings, as OTLP/HTTP asks of
 * JSON.  Texts that are not UTF-8 lose what is not ASCII: a receiver refuses a whole batch for one.
 */
#include "http/otlp.h"

#include <inttypes.h>
#include <string.h>

enum { TEXT_MAX = 1024 };

static void put_text(struct buf *b, const char *text)
{
    char plain[TEXT_MAX];
    size_t len = strnlen(text, sizeof(plain));

    if (jsonscan_quote(b, text, len))
        return;
    for (size_t i = 0; i < len; i++)
        plain[i] = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
    (void)!jsonscan_quote(b, plain, len);
}

static void put_attribute(struct buf *b, const struct span_attribute *a, bool first)
{
    buf_puts(b, first ? "{\"key\":" : ",{\"key\":");
    put_text(b, a->key);
    if (a->text) {
        buf_puts(b, ",\"value\":{\"stringValue\":");
        put_text(b, a->text);
        buf_puts(b, "}}");
    } else {
        buf_printf(b, ",\"value\":{\"intValue\":\"%" PRId64 "\"}}", a->number);
    }
}

void otlp_head(struct buf *b, const struct otlp_resource *r)
{
    const struct span_attribute all[] = {
        SPAN_TEXT("service.name", r->service),
        SPAN_TEXT("service.version", r->version),
        SPAN_TEXT("service.instance.id", r->instance),
        SPAN_TEXT("host.name", r->host),
    };
    bool first = true;

    buf_puts(b, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (!all[i].text)
            continue;
        put_attribute(b, &all[i], first);
        first = false;
    }
    buf_puts(b, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"inferpipe\"},\"spans\":[");
}

void otlp_tail(struct buf *b)
{
    buf_puts(b, "]}]}]}");
}

static void put_ids(struct buf *b, const struct span *s)
{
    char trace[TRACE_ID_SIZE], id[SPAN_ID_SIZE];

    traceparent_trace_id(&s->trace, trace);
    traceparent_span_id(s->trace.span, id);
    buf_printf(b, "{\"traceId\":\"%s\",\"spanId\":\"%s\"", trace, id);
    if (s->parent != 0) {
        traceparent_span_id(s->parent, id);
        buf_printf(b, ",\"parentSpanId\":\"%s\"", id);
    }
}

void otlp_span(struct buf *b, const struct span *s)
{
    int64_t end_us = MAX(s->end_us, s->start_us);

    put_ids(b, s);
    buf_puts(b, ",\"name\":");
    put_text(b, s->name);
    buf_printf(b,
               ",\"kind\":%d,\"startTimeUnixNano\":\"%" PRId64
               "000\",\"endTimeUnixNano\":\"%" PRId64 "000\",\"attributes\":[",
               (int)s->kind, s->start_us, end_us);
    for (size_t i = 0; i < s->attribute_count; i++)
        put_attribute(b, &s->attributes[i], i == 0);
    buf_puts(b, "],\"status\":{");
    if (s->failed) {
        buf_puts(b, "\"code\":2");
        if (s->error) {
            buf_puts(b, ",\"message\":");
            put_text(b, s->error);
        }
    }
    buf_puts(b, "}}");
}

int64_t otlp_rejected(struct slice answer)
{
    struct slice value, text = { 0 };
    struct err e;
    int64_t n = 0;
    size_t pos = 0;

    if (!answer.text || jsonscan_check(answer.text, answer.len, &e) != 0 ||
        jsonscan_find(answer, "/partialSuccess/rejectedSpans", &value) != 0)
        return 0;
    if (value.len > 2 && value.text[0] == '"') { /* 64-bit numbers are strings in OTLP's JSON */
        text = (struct slice){ value.text + 1, value.len - 2 };
        value = text;
    }
    while (pos < value.len && value.text[pos] >= '0' && value.text[pos] <= '9' && n < 1000000000)
        n = n * 10 + (value.text[pos++] - '0');
    return n;
}
