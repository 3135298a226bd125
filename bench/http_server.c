/*
 * bench/http_server.c - http/server.h with a handler that answers at once, for bench/http.sh.
 * Prints its port and serves until it is killed.
 */
#include "base/config.h"
#include "http/server.h"

#include <stdio.h>
#include <stdlib.h>

static void on_request(void *ctx, struct http_request *r)
{
    static const struct slice body = { "{\"status\":\"ok\"}", 15 };

    (void)ctx;
    http_answer(r, 200, "application/json", body);
}

int main(void)
{
    static struct config config;
    struct http_server_options o = { .config = &config, .request = on_request };
    struct http_server *server;
    struct loop *loop;
    struct err e;

    if (config_init(&config, &e) < 0 ||
        config_set(&config, CONFIG_PORT, "0", CONFIG_FROM_FLAG, &e) < 0 ||
        loop_open(&loop, &e) < 0 || http_server_open(loop, &o, &server, &e) < 0) {
        (void)fprintf(stderr, "http_server: %s\n", e.text);
        return 1;
    }
    printf("%d\n", http_server_port(server));
    (void)fflush(stdout);
    loop_run(loop);
    return 0;
}
