/*
 * base/traceparent.c - see the header.  The span of an execution is its id, which SQL knows too:
 * sql/schema/flush_children.sql makes the context of a child from its parent's.
 */
#include "base/traceparent.h"

#include "base/clock.h"
#include "base/ids.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53 };

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to 16 digits; *ok is kept false once it was. */
static uint64_t read_hex(const char *text, int digits, bool *ok)
{
    uint64_t n = 0;

    assert(digits <= 16);
    for (int i = 0; i < digits; i++) {
        int d = digit(text[i]);

        *ok &= d >= 0;
        n = n << 4 | (uint64_t)(d & 15);
    }
    return n;
}

int traceparent_parse(const char *text, size_t len, struct traceparent *ret)
{
    struct traceparent t;
    bool ok = true;
    uint64_t flags;

    if (len != TRACEPARENT_SIZE - 1 || memcmp(text, "00-", 3) != 0 || text[SPAN_AT - 1] != '-' ||
        text[FLAGS_AT - 1] != '-')
        return IFP_EINVALID;
    t.high = read_hex(text + TRACE_AT, 16, &ok);
    t.low = read_hex(text + TRACE_AT + 16, 16, &ok);
    t.span = read_hex(text + SPAN_AT, 16, &ok);
    flags = read_hex(text + FLAGS_AT, 2, &ok);
    t.sampled = (flags & 1) != 0;
    if (!ok || (t.high | t.low) == 0 || t.span == 0)
        return IFP_EINVALID;
    *ret = t;
    return 0;
}

/* Of all that are written the hottest: a line of the log has one. */
static void write_hex(uint64_t n, char ret[16])
{
    for (int i = 15; i >= 0; i--, n >>= 4)
        ret[i] = "0123456789abcdef"[n & 15];
}

void traceparent_format(const struct traceparent *t, char ret[TRACEPARENT_SIZE])
{
    assert((t->high | t->low) != 0 && t->span != 0);
    memcpy(ret, "00-", 3);
    write_hex(t->high, ret + TRACE_AT);
    write_hex(t->low, ret + TRACE_AT + 16);
    ret[SPAN_AT - 1] = '-';
    write_hex(t->span, ret + SPAN_AT);
    ret[FLAGS_AT - 1] = '-';
    ret[FLAGS_AT] = '0';
    ret[FLAGS_AT + 1] = t->sampled ? '1' : '0';
    ret[TRACEPARENT_SIZE - 1] = '\0';
}

void traceparent_trace_id(const struct traceparent *t, char ret[TRACE_ID_SIZE])
{
    write_hex(t->high, ret);
    write_hex(t->low, ret + 16);
    ret[TRACE_ID_SIZE - 1] = '\0';
}

void traceparent_span_id(uint64_t span, char ret[SPAN_ID_SIZE])
{
    write_hex(span, ret);
    ret[SPAN_ID_SIZE - 1] = '\0';
}

/* Random once a process, then counted: no system call for each request. */
static uint64_t draw(void)
{
    static _Atomic uint64_t seed, count;
    uint64_t mine = atomic_load_explicit(&seed, memory_order_relaxed), number;

    if (mine == 0) {
        uint64_t none = 0;

        if (ids_random(&mine, sizeof(mine)) != 0 || mine == 0)
            mine = (uint64_t)clock_real_us();
        if (!atomic_compare_exchange_strong(&seed, &none, mine))
            mine = none;
    }
    number = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    return ids_derive(mine, number, 0);
}

uint64_t traceparent_span(void)
{
    uint64_t span = draw();

    return span ? span : 1;
}

struct traceparent traceparent_new(void)
{
    return (struct traceparent){
        .high = draw(), .low = traceparent_span(), .span = traceparent_span(), .sampled = true
    };
}

uint64_t traceparent_execution(int64_t exec_id)
{
    assert(exec_id > 0);
    return (uint64_t)exec_id;
}

struct traceparent traceparent_of(int64_t exec_id, const char *stored)
{
    struct traceparent t;

    assert(exec_id > 0);
    if (stored && traceparent_parse(stored, strlen(stored), &t) == 0)
        return t;
    return (struct traceparent){
        .high = (uint64_t)exec_id, .low = (uint64_t)exec_id, .span = 0, .sampled = true
    };
}

uint64_t traceparent_step(int64_t exec_id, int32_t generation, int64_t step_key)
{
    uint64_t span = ids_derive((uint64_t)exec_id, (uint64_t)step_key, (uint64_t)generation);

    return span ? span : 1;
}

uint64_t traceparent_attempt(uint64_t step, int attempt)
{
    uint64_t span = ids_derive(step, (uint64_t)attempt, 1);

    assert(attempt >= 1);
    return span ? span : 1;
}
