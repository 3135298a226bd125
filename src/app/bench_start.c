/*
 * app/bench_start.c - how fast executions are started while no worker runs, one by one and in bulk:
 * by the client library, by SQL alone, and by the command line from a file.
 */
#include "app/bench.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 500 };

static void put_rate(struct bench *b, const char *key, int64_t n, int64_t from_us)
{
    bench_put(b, key, (double)n / ((double)(clock_mono_us() - from_us) / 1e6));
}

static int singly(struct bench *b, struct err *e)
{
    int64_t n = b->quick ? 200 : 5000, from_us, id;
    bool created;

    IFP_TRY(bench_start(b, "bench-1", 1, e)); /* connects */
    from_us = clock_mono_us();
    for (int64_t i = 0; i < n; i++)
        IFP_TRY(client_start(&b->client, "bench-1", "12345", 5, &(ifp_start_options){ 0 }, &id,
                             &created, e));
    put_rate(b, "enqueue_single_per_s", n, from_us);
    return 0;
}

static int in_bulk(struct bench *b, int64_t n, struct err *e)
{
    int64_t from_us = clock_mono_us();

    for (int64_t i = 0; i < n; i += BATCH)
        IFP_TRY(bench_start(b, "bench-1", BATCH, e));
    put_rate(b, "enqueue_per_s", n, from_us);
    return 0;
}

/* As a program without our library would: one statement with an array. */
static int by_sql(struct bench *b, int64_t n, struct err *e)
{
    static const char start[] = "select count(*) from inferpipe.start_many('bench-1',"
                                " array_fill('12345'::json, array[500]))";
    int64_t from_us = clock_mono_us(), started;

    for (int64_t i = 0; i < n; i += BATCH)
        IFP_TRY(bench_ask(b, start, &started, e));
    put_rate(b, "enqueue_sql_per_s", n, from_us);
    return 0;
}

static int write_lines(const char *path, int fd, int64_t n, struct err *e)
{
    FILE *out = fdopen(fd, "w");

    if (!out) {
        close(fd);
        return err_set(e, IFP_ESERVER, "%s: %s", path, strerror(errno));
    }
    for (int64_t i = 0; i < n; i++)
        fprintf(out, "%" PRId64 "\n", i);
    return fclose(out) == 0 ? 0 : err_set(e, IFP_ESERVER, "%s: %s", path, strerror(errno));
}

static int run_file(struct bench *b, const char *path, int64_t n, struct err *e)
{
    char *argv[] = { (char *)"/proc/self/exe",
                     (char *)"execution",
                     (char *)"start",
                     (char *)"bench-1",
                     (char *)"--from-file",
                     (char *)path,
                     (char *)"--database-url",
                     b->url,
                     NULL };
    int64_t from_us = clock_mono_us();
    char *output;

    IFP_TRY(bench_program(b, argv, &output, e));
    mem_free(output);
    put_rate(b, "enqueue_file_per_s", n, from_us);
    return 0;
}

/* The command with its process and its connection. */
static int from_file(struct bench *b, int64_t n, struct err *e)
{
    char path[] = "/tmp/inferpipe-bench-XXXXXX";
    int fd = mkstemp(path), rc;

    if (fd < 0)
        return err_set(e, IFP_ESERVER, "%s: %s", path, strerror(errno));
    rc = write_lines(path, fd, n, e);
    if (rc == 0)
        rc = run_file(b, path, n, e);
    (void)unlink(path);
    return rc;
}

int bench_enqueue(struct bench *b, struct err *e)
{
    int64_t n = b->quick ? 5000 : 100000;

    IFP_TRY(bench_fresh(b, e));
    IFP_TRY(singly(b, e));
    IFP_TRY(in_bulk(b, n, e));
    IFP_TRY(by_sql(b, n, e));
    return from_file(b, n, e);
}
