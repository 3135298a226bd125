/*
 * tests/unit/test_http_tls.c - the HTTP server over TLS: versions, protocols, splits, reload, ends.
 * The openssl program makes the certificates when the test runs.
 */
#define _GNU_SOURCE 1 /* memmem */

#include "lib/rawhttp.h"
#include "lib/webserver.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"

static char folder[] = "/tmp/ifp-tls-XXXXXX";
static char cert[64], key[64];
static struct webserver server;

/* A self-signed certificate for `name` in the place of the present one. */
static void make_certificate(const char *name)
{
    char command[512];

    (void)snprintf(command, sizeof(command),
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                   "-subj /CN=%s -keyout %s -out %s 2>/dev/null",
                   name, key, cert);
    assert_int_equal(system(command), 0);
}

static int start(void **state)
{
    const struct webserver_option options[] = { { CONFIG_TLS_CERT, cert },
                                                { CONFIG_TLS_KEY, key },
                                                { CONFIG_HTTP_HEAD_TIME, "2s" } };

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", folder);
    (void)snprintf(key, sizeof(key), "%s/key.pem", folder);
    make_certificate("first");
    webserver_start(&server, options, ARRAY_LEN(options));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    webserver_stop(&server);
    (void)unlink(cert);
    (void)unlink(key);
    (void)rmdir(folder);
    return 0;
}

struct client {
    struct raw raw;
    SSL_CTX *ctx;
    SSL *ssl;
};

/* True when the handshake succeeds; alpn in the form of the wire, or NULL. */
static bool client_open(struct client *c, int max_version, const char *alpn)
{
    raw_open(&c->raw, server.port);
    c->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(c->ctx);
    if (max_version) {
        SSL_CTX_set_security_level(c->ctx, 0);
        assert_int_equal(SSL_CTX_set_min_proto_version(c->ctx, TLS1_VERSION), 1);
        assert_int_equal(SSL_CTX_set_max_proto_version(c->ctx, max_version), 1);
    }
    c->ssl = SSL_new(c->ctx);
    assert_non_null(c->ssl);
    if (alpn)
        assert_int_equal(
            SSL_set_alpn_protos(c->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn)), 0);
    assert_int_equal(SSL_set_fd(c->ssl, c->raw.fd), 1);
    return SSL_connect(c->ssl) == 1;
}

static void client_close(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    raw_close(&c->raw);
}

static void client_put(struct client *c, const char *text, size_t len)
{
    assert_int_equal(SSL_write(c->ssl, text, (int)len), (int)len);
}

/* Reads until `mark` was seen; gives how many bytes came. */
static size_t client_until(struct client *c, const char *mark)
{
    static char text[65536];
    size_t len = 0, total = 0;

    for (;;) {
        int n = SSL_read(c->ssl, text + len, (int)(sizeof(text) - 1 - len));

        assert_true(n > 0);
        total += (size_t)n;
        len += (size_t)n;
        text[len] = '\0';
        if (memmem(text, len, mark, strlen(mark)))
            return total;
        if (len > sizeof(text) / 2) {
            memmove(text, text + len - 100, 100);
            len = 100;
        }
    }
}

static void client_ask(struct client *c, const char *request, const char *mark)
{
    client_put(c, request, strlen(request));
    (void)client_until(c, mark);
}

static const char *common_name(struct client *c)
{
    static char name[64];
    X509 *peer = SSL_get1_peer_certificate(c->ssl);

    assert_non_null(peer);
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name,
                                          sizeof(name)) > 0);
    X509_free(peer);
    return name;
}

static void tls_1_2_and_1_3_are_spoken_and_no_older_one(void **state)
{
    struct client c;

    (void)state;
    assert_true(client_open(&c, 0, NULL));
    assert_int_equal(SSL_version(c.ssl), TLS1_3_VERSION);
    client_ask(&c, GET("/hello"), "\r\n\r\nhello");
    client_ask(&c, GET("/hello"), "\r\n\r\nhello");
    client_close(&c);
    assert_true(client_open(&c, TLS1_2_VERSION, NULL));
    client_ask(&c, GET("/hello"), "\r\n\r\nhello");
    client_close(&c);
    assert_false(client_open(&c, TLS1_1_VERSION, NULL));
    client_close(&c);
    assert_false(client_open(&c, TLS1_VERSION, NULL));
    client_close(&c);
}

static void the_protocol_is_http_1_1_or_not_named(void **state)
{
    const unsigned char *chosen;
    struct client c;
    unsigned len;

    (void)state;
    assert_true(client_open(&c, 0, "\x02h2\x08http/1.1"));
    SSL_get0_alpn_selected(c.ssl, &chosen, &len);
    assert_int_equal(len, 8);
    assert_memory_equal(chosen, "http/1.1", 8);
    client_close(&c);
    assert_false(client_open(&c, 0, "\x02h2"));
    client_close(&c);
}

static void much_passes_both_ways(void **state)
{
    static const char head[] = "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\n";
    enum { SIZE = 1000000 };
    char *body = malloc(SIZE), *echoed = malloc(SIZE + 1000);
    struct client c;
    size_t len = 0;

    (void)state;
    assert_non_null(body);
    assert_non_null(echoed);
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)('a' + i % 23);
    assert_true(client_open(&c, 0, NULL));
    client_put(&c, head, sizeof(head) - 1);
    client_put(&c, body, SIZE);
    while (len < SIZE || memcmp(echoed + len - SIZE, body, SIZE) != 0) {
        int n = SSL_read(c.ssl, echoed + len, (int)(SIZE + 1000 - len));

        assert_true(n > 0);
        len += (size_t)n;
    }
    client_put(&c, GET("/stream?n=300&size=10000") GET("/hello"),
               strlen(GET("/stream?n=300&size=10000") GET("/hello")));
    assert_true(client_until(&c, "\r\n\r\nhello") > 3000000);
    client_close(&c);
    free(body);
    free(echoed);
}

static void records_may_be_as_small_as_one_byte(void **state)
{
    static const char text[] =
        "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\n\r\n" GET("/hello") GET("/show");
    struct client c;

    (void)state;
    assert_true(client_open(&c, 0, NULL));
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        client_put(&c, text + i, 1);
    (void)client_until(&c, "127.0.0.1\nhost=[t]\n");
    client_close(&c);
}

/* Requests that wait for their turn are kept as they are and gone on with. */
static void a_pipeline_waits_for_its_turn(void **state)
{
    struct client c, other;
    char many[4096] = "";

    (void)state;
    for (int i = 0; i < 40; i++)
        strncat(many, GET("/hold"), sizeof(many) - strlen(many) - 1);
    assert_true(client_open(&c, 0, NULL));
    assert_true(client_open(&other, 0, NULL));
    client_put(&c, many, strlen(many));
    for (int held = 0; held < 40;) {
        client_put(&other, GET("/release"), strlen(GET("/release")));
        {
            char answer[1024];
            int n = SSL_read(other.ssl, answer, sizeof(answer) - 1);
            char *body;

            assert_true(n > 0);
            answer[n] = '\0';
            body = strstr(answer, "\r\n\r\n");
            assert_non_null(body);
            held += (int)strtol(body + 4, NULL, 10);
        }
    }
    client_ask(&c, GET("/hello"), "\r\n\r\nhello");
    client_close(&c);
    client_close(&other);
}

static void a_reload_is_for_connections_to_come(void **state)
{
    struct client old, new;

    (void)state;
    assert_true(client_open(&old, 0, NULL));
    assert_string_equal(common_name(&old), "first");
    make_certificate("second");
    assert_int_equal(kill(server.pid, SIGHUP), 0);
    for (int i = 0; i < 10000; i++) { /* until the signal has come */
        assert_true(client_open(&new, 0, NULL));
        if (strcmp(common_name(&new), "second") == 0)
            break;
        client_close(&new);
    }
    assert_string_equal(common_name(&new), "second");
    client_ask(&new, GET("/hello"), "\r\n\r\nhello");
    client_ask(&old, GET("/hello"), "\r\n\r\nhello");
    client_close(&old);
    client_close(&new);
}

static void a_bad_certificate_leaves_the_old_one(void **state)
{
    struct client c;
    FILE *f = fopen(cert, "w");

    (void)state;
    assert_non_null(f);
    (void)fputs("not a certificate\n", f);
    (void)fclose(f);
    assert_int_equal(kill(server.pid, SIGHUP), 0);
    for (int i = 0; i < 5; i++) {
        assert_true(client_open(&c, 0, NULL));
        assert_string_equal(common_name(&c), "second");
        client_ask(&c, GET("/hello"), "\r\n\r\nhello");
        client_close(&c);
    }
}

static void the_end_is_announced(void **state)
{
    struct client c;
    char byte;

    (void)state;
    assert_true(client_open(&c, 0, NULL));
    client_ask(&c, "GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", "\r\n\r\nhello");
    assert_int_equal(SSL_read(c.ssl, &byte, 1), 0);
    assert_int_equal(SSL_get_error(c.ssl, 0), SSL_ERROR_ZERO_RETURN); /* close_notify */
    client_close(&c);
}

static void who_does_not_speak_tls_is_cut(void **state)
{
    struct raw c;
    char byte;

    (void)state;
    raw_open(&c, server.port);
    (void)raw_puts(&c, GET("/hello"));
    while (read(c.fd, &byte, 1) > 0) /* an alert, and the end */
        ;
    raw_close(&c);
    raw_open(&c, server.port); /* nothing at all: the handshake has a time */
    assert_true(raw_ended(&c));
    raw_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_1_2_and_1_3_are_spoken_and_no_older_one),
        cmocka_unit_test(the_protocol_is_http_1_1_or_not_named),
        cmocka_unit_test(much_passes_both_ways),
        cmocka_unit_test(records_may_be_as_small_as_one_byte),
        cmocka_unit_test(a_pipeline_waits_for_its_turn),
        cmocka_unit_test(a_reload_is_for_connections_to_come),
        cmocka_unit_test(a_bad_certificate_leaves_the_old_one),
        cmocka_unit_test(the_end_is_announced),
        cmocka_unit_test(who_does_not_speak_tls_is_cut),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start, stop);
}
