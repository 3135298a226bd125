/*
 * tests/unit/test_http_load.c - many connections to a process: what each costs in memory, and what
 * slow ones cost a good client.
 *
 * Small by default; `make load` runs it with LOAD=10000 idle connections, a tenth as many streams
 * and half as many slow clients, and prints what it measured.
 */
#include "lib/rawhttp.h"
#include "lib/webserver.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"

enum { SMALL = 500, PROBES = 2000, PER_CONNECTION_KB = 20, TRIES = 5, QUICK_US = 50000 };

static const struct webserver_option options[] = {
    { CONFIG_HTTP_CONNECTIONS, "50000" }, { CONFIG_HTTP_PER_ADDRESS, "50000" },
    { CONFIG_HTTP_IDLE_TIME, "10m" },     { CONFIG_HTTP_HEAD_TIME, "10m" },
    { CONFIG_HTTP_WRITE_TIME, "10m" },
};

static int load(void)
{
    const char *text = getenv("LOAD");
    int n = text ? (int)strtol(text, NULL, 10) : SMALL;

    return n > 0 ? n : SMALL;
}

/* Memory as the sanitizers use it says nothing. */
static bool memory_counts(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#else
    return true;
#endif
}

static void allow_descriptors(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static struct raw *open_many(const struct webserver *s, int n, const char *request)
{
    struct raw *all = calloc((size_t)n, sizeof(*all));

    assert_non_null(all);
    for (int i = 0; i < n; i++) {
        raw_open(&all[i], s->port);
        assert_true(raw_puts(&all[i], request));
    }
    return all;
}

static void close_many(struct raw *all, int n)
{
    for (int i = 0; i < n; i++)
        raw_close(&all[i]);
    free(all);
}

/* Reads up to the end of the head, and lets go of the client's own memory. */
static void read_heads(struct raw *all, int n)
{
    for (int i = 0; i < n; i++) {
        assert_true(raw_read_head(&all[i]));
        assert_int_equal(all[i].answer.status, 200);
        free(all[i].data);
        all[i].data = NULL;
        all[i].len = all[i].cap = 0;
    }
}

static void report(const char *what, int n, long kb)
{
    printf("%6d %-28s %7.2f kB each\n", n, what, (double)kb / n);
    if (memory_counts())
        assert_true(kb <= (long)n * PER_CONNECTION_KB);
}

static void connections_cost_little_memory(void **state)
{
    int idle = load(), streams = MAX(load() / 10, 1);
    struct raw *waiting, *following;
    struct webserver s;
    long before, between;

    (void)state;
    allow_descriptors();
    webserver_start(&s, options, ARRAY_LEN(options));
    (void)webserver_stat(&s, "held"); /* warm */
    before = webserver_rss_kb(&s);
    waiting = open_many(&s, idle, GET("/hello"));
    read_heads(waiting, idle);
    webserver_until(&s, "connections", idle + 1);
    between = webserver_rss_kb(&s);
    report("idle connections", idle, between - before);
    following = open_many(&s, streams, GET("/tail"));
    read_heads(following, streams);
    webserver_until(&s, "held", streams);
    report("streams beside them", streams, webserver_rss_kb(&s) - between);
    assert_int_equal(webserver_stat(&s, "refused"), 0);
    close_many(following, streams);
    close_many(waiting, idle);
    webserver_stop(&s);
}

/* ---- TLS ---- */

static void connections_over_tls_cost_little_memory(void **state)
{
    char folder[] = "/tmp/ifp-load-XXXXXX", cert[64], key[64], command[512];
    struct webserver_option with_tls[ARRAY_LEN(options) + 2];
    int n = MAX(load() / 10, 50);
    struct raw *all = calloc((size_t)n, sizeof(*all));
    SSL **ssl = calloc((size_t)n, sizeof(SSL *));
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct webserver s;
    char text[1024];
    long before = 0;

    (void)state;
    assert_true(all && ssl && ctx && mkdtemp(folder));
    (void)snprintf(cert, sizeof(cert), "%s/cert", folder);
    (void)snprintf(key, sizeof(key), "%s/key", folder);
    (void)snprintf(command, sizeof(command),
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                   "-subj /CN=t -keyout %s -out %s 2>/dev/null",
                   key, cert);
    assert_int_equal(system(command), 0);
    memcpy(with_tls, options, sizeof(options));
    with_tls[ARRAY_LEN(options)] = (struct webserver_option){ CONFIG_TLS_CERT, cert };
    with_tls[ARRAY_LEN(options) + 1] = (struct webserver_option){ CONFIG_TLS_KEY, key };
    webserver_start(&s, with_tls, ARRAY_LEN(with_tls));
    for (int i = 0; i < n; i++) {
        if (i == 1)
            before = webserver_rss_kb(&s); /* the first has warmed it */
        raw_open(&all[i], s.port);
        ssl[i] = SSL_new(ctx);
        assert_true(ssl[i] && SSL_set_fd(ssl[i], all[i].fd) == 1 && SSL_connect(ssl[i]) == 1);
        assert_true(SSL_write(ssl[i], GET("/hello"), (int)strlen(GET("/hello"))) > 0);
        assert_true(SSL_read(ssl[i], text, sizeof(text)) > 0);
    }
    report("idle connections over TLS", n - 1, webserver_rss_kb(&s) - before);
    for (int i = 0; i < n; i++) {
        SSL_free(ssl[i]);
        raw_close(&all[i]);
    }
    SSL_CTX_free(ctx);
    webserver_stop(&s);
    (void)unlink(cert);
    (void)unlink(key);
    (void)rmdir(folder);
    free(all);
    free(ssl);
}

/* ---- slow clients ---- */

static int64_t now_us(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The 99th percentile of a good client; between its requests the slow ones drip. */
static int64_t p99_us(struct raw *good, struct raw *slow, int n)
{
    static int64_t took[PROBES];

    for (int i = 0; i < PROBES; i++) {
        int64_t start;

        if (n > 0)
            (void)raw_send(&slow[(i * 2 % n) & ~1], "x", 1);
        start = now_us();
        assert_int_equal(raw_ask(good, GET("/hello")), 200);
        took[i] = now_us() - start;
    }
    qsort(took, PROBES, sizeof(took[0]), by_size);
    return took[PROBES * 99 / 100];
}

/* Until the server has filled what the kernel takes for those who do not read. */
static void wait_for_rest(const struct webserver *s)
{
    int64_t before = -1, now = 0;

    for (int still = 0; still < 50; still = now == before ? still + 1 : 0) {
        before = now;
        now = webserver_stat(s, "produced");
    }
}

static void a_good_client_hardly_feels_slow_ones(void **state)
{
    int n = load() / 2;
    double ratio = 1e9;
    bool quick = false;
    struct webserver s;
    struct raw *slow = calloc((size_t)n, sizeof(*slow)), good;

    (void)state;
    assert_non_null(slow);
    webserver_start(&s, options, ARRAY_LEN(options));
    raw_open(&good, s.port);
    for (int try = 0; try < TRIES && ratio >= 2; try++) { /* a machine has hiccups of its own */
        int64_t alone = p99_us(&good, NULL, 0), beside;
        double now;

        for (int i = 0; i < n; i++) { /* heads that do not end, and answers nobody reads */
            raw_open(&slow[i], s.port);
            (void)raw_puts(&slow[i],
                           i % 2 ? GET("/stream?n=1000&size=10000") : "GET / HTTP/1.1\r\nX: ");
        }
        webserver_until(&s, "connections", n + 2);
        wait_for_rest(&s);
        beside = p99_us(&good, slow, n);
        now = (double)beside / (double)alone;
        ratio = MIN(ratio, now);
        quick = quick || beside < QUICK_US;
        printf("%6d slow clients: p99 %lld us beside them, %lld us alone, ratio %.2f\n", n,
               (long long)beside, (long long)alone, now);
        for (int i = 0; i < n; i++)
            raw_close(&slow[i]);
        webserver_until(&s, "connections", 2);
    }
    assert_true(ratio < 2 ||
                (quick && !getenv("LOAD"))); /* beside other tests: not slow is enough */
    raw_close(&good);
    free(slow);
    webserver_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_cost_little_memory),
        cmocka_unit_test(connections_over_tls_cost_little_memory),
        cmocka_unit_test(a_good_client_hardly_feels_slow_ones),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
