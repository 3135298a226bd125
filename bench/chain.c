/*
 * bench/chain.c - what the chain of interceptors costs a request: make bench-chain.
 *
 *   chain [--requests N]      prints ns per request and per interceptor, and the pool's reuse
 *
 * A request is a struct whose handler answers nothing but tells the chain that it did, so what is
 * measured is the chain alone: an invocation from the pool, each `enter`, `answering` and
 * `finished`, each with a slot that it writes, and the invocation given back.  Each figure is the
 * median of ROUNDS runs, after one run to warm up.
 */
#include "http/chain.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 9, SLOT = 32, MANY = 10 };
#define REQUESTS 200000

/* What an answer does to the chain, without a connection. */
static void handler(void *ctx, struct http_request *r)
{
    (void)ctx;
    r->status = 200;
    r->watch.answering(r->watch.ctx, r);
    r->watch.finished(r->watch.ctx, r);
}

static enum chain_verdict enter(void *self, struct http_request *r, void *slot, struct err *e)
{
    (void)self;
    (void)e;
    *(int64_t *)slot = r->start_us;
    return CHAIN_NEXT;
}

static void leave(void *self, struct http_request *r, void *slot)
{
    *(int64_t *)self += r->start_us - *(int64_t *)slot;
}

static struct chain *open_chain(int count)
{
    static struct interceptor parts[MANY];
    static char names[MANY][16];
    static int64_t sums[MANY];
    struct chain *c;
    struct err e;
    int rc = chain_open(&(struct chain_options){ .pool_max = 64 }, &c, &e);

    for (int i = 0; rc == 0 && i < count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "part%d", i);
        parts[i] = (struct interceptor){ .name = names[i],
                                         .slot_size = SLOT,
                                         .enter = enter,
                                         .answering = leave,
                                         .finished = leave };
        rc = chain_add(c, &parts[i], &sums[i], &e);
    }
    if (rc < 0) {
        (void)fprintf(stderr, "chain: %s\n", e.text);
        exit(1);
    }
    return c;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Nanoseconds a request through a chain of so many. */
static double measure(int count, int64_t requests, double *ret_reuse)
{
    static const struct route route = { .method = HTTP_GET, .id = "bench", .handler = handler };
    struct chain *c = open_chain(count);
    struct chain_stats warm, end;
    double ns[ROUNDS];

    for (int round = -1; round < ROUNDS; round++) {
        int64_t start = clock_mono_ns();

        for (int64_t i = 0; i < requests; i++) {
            struct http_request r = { .method = HTTP_GET, .route = &route, .start_us = i };

            chain_run(c, &r, NULL, NULL);
        }
        if (round < 0)
            warm = chain_stats(c);
        else
            ns[round] = (double)(clock_mono_ns() - start) / (double)requests;
    }
    end = chain_stats(c);
    *ret_reuse = 100.0 * (double)(end.reused - warm.reused) / (double)(end.runs - warm.runs);
    chain_close(c);
    qsort(ns, ROUNDS, sizeof(*ns), by_value);
    return ns[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    int64_t requests =
        argc == 3 && strcmp(argv[1], "--requests") == 0 ? strtoll(argv[2], NULL, 10) : REQUESTS;
    double reuse[2], empty, many;

    if (requests <= 0) {
        (void)fprintf(stderr, "chain: --requests must be a positive number\n");
        return 2;
    }
    empty = measure(0, requests, &reuse[0]);
    many = measure(MANY, requests, &reuse[1]);
    (void)printf("empty chain       %8.1f ns a request, pool reuse %.2f %%\n", empty, reuse[0]);
    (void)printf("%d interceptors   %8.1f ns a request, pool reuse %.2f %%\n", MANY, many,
                 reuse[1]);
    (void)printf("per interceptor   %8.1f ns\n", (many - empty) / MANY);
    return reuse[0] == 100.0 && reuse[1] == 100.0 ? 0 : 1;
}
