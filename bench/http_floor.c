/*
 * bench/http_floor.c - what libuv and llhttp can do at best: a responder with nothing around them.
 *
 * No request objects, no timers, no limits, no checks: the floor that http/server.h is compared
 * with.  It answers the bytes of bench/http_server.c to every request; bench/http.sh runs wrk
 * against both in turns.  Prints its port and serves until it is killed.
 */
#include <llhttp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define BODY "{\"status\":\"ok\"}"
static char answer[] = "HTTP/1.1 200 OK\r\n"
                       "date: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
                       "content-type: application/json\r\n"
                       "content-length: 15\r\n"
                       "x-request-id: 0123456789abcdef0123456789abcdef\r\n\r\n" BODY;

struct client {
    uv_tcp_t tcp;
    llhttp_t parser;
};

static char inbox[65536]; /* of all clients: a read is parsed at once */

static void check(int rc)
{
    if (rc >= 0)
        return;
    (void)fprintf(stderr, "http_floor: %s\n", uv_strerror(rc));
    exit(1);
}

static void on_closed(uv_handle_t *tcp)
{
    free(tcp->data);
}

static int on_message(llhttp_t *parser)
{
    struct client *c = parser->data;
    uv_buf_t out = uv_buf_init(answer, sizeof(answer) - 1);

    return uv_try_write((uv_stream_t *)&c->tcp, &out, 1) == (int)out.len ? 0 : -1;
}

static const llhttp_settings_t settings = { .on_message_complete = on_message };

static void on_alloc(uv_handle_t *tcp, size_t suggested, uv_buf_t *ret)
{
    (void)tcp;
    (void)suggested;
    *ret = uv_buf_init(inbox, sizeof(inbox));
}

static void on_read(uv_stream_t *tcp, ssize_t len, const uv_buf_t *buf)
{
    struct client *c = tcp->data;

    if (len < 0 || llhttp_execute(&c->parser, buf->base, (size_t)len) != HPE_OK)
        uv_close((uv_handle_t *)tcp, on_closed);
}

static void on_client(uv_stream_t *listener, int status)
{
    struct client *c = calloc(1, sizeof(*c));

    check(c ? status : UV_ENOMEM);
    check(uv_tcp_init(listener->loop, &c->tcp));
    c->tcp.data = c;
    check(uv_accept(listener, (uv_stream_t *)&c->tcp));
    check(uv_tcp_nodelay(&c->tcp, 1));
    llhttp_init(&c->parser, HTTP_REQUEST, &settings);
    c->parser.data = c;
    check(uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read));
}

int main(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    int size = sizeof(at);
    uv_tcp_t listener;

    (void)signal(SIGPIPE, SIG_IGN);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(uv_tcp_init(uv_default_loop(), &listener));
    check(uv_tcp_bind(&listener, (struct sockaddr *)&at, 0));
    check(uv_listen((uv_stream_t *)&listener, 1024, on_client));
    check(uv_tcp_getsockname(&listener, (struct sockaddr *)&at, &size));
    printf("%d\n", ntohs(at.sin_port));
    (void)fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
