/*
 * tests/lib/receiver.c - blocking sockets and threads: the opposite of what it tests.
 * Closing shuts all sockets down, so that every thread ends and can be joined.
 */
#include "lib/receiver.h"

#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4096, HEAD_MAX = 65536, WAIT_S = 20 };

struct connection {
    struct receiver *receiver;
    pthread_t thread;
    int fd;
};

struct receiver {
    receiver_fn *fn;
    void *ctx;
    int fd, port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct connection *connections[CONNECTIONS_MAX];
    int connection_count;
    struct receiver_request **requests;
    int request_count, busy, busiest;
    bool closing;
};

static bool read_head(int fd, char *head)
{
    size_t len = 0;

    while (len < HEAD_MAX - 1 && recv(fd, head + len, 1, 0) == 1) {
        head[++len] = '\0';
        if (head[0] < 'A' || head[0] > 'Z')
            return false; /* TLS, say */
        if (len >= 4 && strcmp(head + len - 4, "\r\n\r\n") == 0)
            return true;
    }
    return false;
}

void receiver_header(const struct receiver_request *r, const char *name, char *ret, size_t size)
{
    size_t len = strlen(name);

    ret[0] = '\0';
    for (const char *at = strstr(r->head, "\r\n"); at && at[2]; at = strstr(at + 2, "\r\n"))
        if (strncasecmp(at + 2, name, len) == 0 && at[2 + len] == ':') {
            const char *value = at + 3 + len + strspn(at + 3 + len, " ");

            snprintf(ret, size, "%.*s", (int)strcspn(value, "\r"), value);
            return;
        }
}

static struct receiver_request *read_request(int fd)
{
    struct receiver_request *r = calloc(1, sizeof(*r));
    char length[32];

    assert(r);
    r->head = calloc(1, HEAD_MAX);
    assert(r->head);
    if (!read_head(fd, r->head)) {
        free(r->head);
        free(r);
        return NULL;
    }
    receiver_header(r, "content-length", length, sizeof(length));
    r->body_len = (size_t)strtoul(length, NULL, 10);
    r->body = calloc(1, r->body_len + 1);
    assert(r->body);
    for (size_t got = 0; got < r->body_len;) {
        ssize_t n = recv(fd, r->body + got, r->body_len - got, 0);

        if (n <= 0)
            break;
        got += (size_t)n;
    }
    return r;
}

static void count(struct receiver *r, struct receiver_request *q)
{
    pthread_mutex_lock(&r->lock);
    r->requests = realloc(r->requests, (size_t)(r->request_count + 1) * sizeof(*r->requests));
    assert(r->requests);
    r->requests[r->request_count++] = q;
    q->number = r->request_count;
    if (++r->busy > r->busiest)
        r->busiest = r->busy;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void reply(int fd, const struct receiver_answer *a)
{
    const char *body = a->body ? a->body : "";
    char head[4096];
    int len = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s%s\r\n",
                       a->status, strlen(body) + (a->cut ? 1 : 0), a->headers ? a->headers : "",
                       a->keep ? "" : "Connection: close\r\n");

    assert(len < (int)sizeof(head));
    if (send(fd, head, (size_t)len, MSG_NOSIGNAL) == len && *body)
        (void)!send(fd, body, strlen(body), MSG_NOSIGNAL);
}

static void *serve(void *ctx)
{
    struct connection *c = ctx;
    struct receiver *r = c->receiver;
    struct receiver_answer a = { .keep = true };
    struct receiver_request *q;

    while (a.keep && (q = read_request(c->fd))) {
        a = (struct receiver_answer){ .status = 200 };
        count(r, q);
        if (r->fn)
            r->fn(r->ctx, q, &a);
        if (a.hang) {
            char byte;

            (void)!recv(c->fd, &byte, 1, 0);
            a.status = 0;
        }
        pthread_mutex_lock(&r->lock);
        r->busy--;
        pthread_mutex_unlock(&r->lock);
        if (a.status != 0)
            reply(c->fd, &a);
    }
    shutdown(c->fd, SHUT_RDWR);
    return NULL;
}

static void *listen_for(void *ctx)
{
    struct receiver *r = ctx;
    int fd;

    while ((fd = accept(r->fd, NULL, NULL)) >= 0) {
        struct connection *c = calloc(1, sizeof(*c));

        assert(c);
        c->receiver = r;
        c->fd = fd;
        pthread_mutex_lock(&r->lock);
        assert(r->connection_count < CONNECTIONS_MAX);
        r->connections[r->connection_count++] = c;
        if (r->closing)
            shutdown(fd, SHUT_RDWR);
        pthread_mutex_unlock(&r->lock);
        if (pthread_create(&c->thread, NULL, serve, c) != 0)
            abort();
    }
    return NULL;
}

struct receiver *receiver_open(receiver_fn *fn, void *ctx)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    struct receiver *r = calloc(1, sizeof(*r));
    int rc;

    assert(r);
    r->fn = fn;
    r->ctx = ctx;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    rc = bind(r->fd, (struct sockaddr *)&a, sizeof(a));
    assert(rc == 0);
    rc = listen(r->fd, 256);
    assert(rc == 0);
    rc = getsockname(r->fd, (struct sockaddr *)&a, &len);
    assert(rc == 0);
    r->port = ntohs(a.sin_port);
    rc = pthread_create(&r->thread, NULL, listen_for, r);
    assert(rc == 0);
    return r;
}

int receiver_port(const struct receiver *r)
{
    return r->port;
}

static int locked(struct receiver *r, const int *value)
{
    int now;

    pthread_mutex_lock(&r->lock);
    now = *value;
    pthread_mutex_unlock(&r->lock);
    return now;
}

int receiver_count(struct receiver *r)
{
    return locked(r, &r->request_count);
}

int receiver_connections(struct receiver *r)
{
    return locked(r, &r->connection_count);
}

int receiver_busiest(struct receiver *r)
{
    return locked(r, &r->busiest);
}

const struct receiver_request *receiver_get(struct receiver *r, int n)
{
    const struct receiver_request *q;

    pthread_mutex_lock(&r->lock);
    assert(n >= 1 && n <= r->request_count);
    q = r->requests[n - 1];
    pthread_mutex_unlock(&r->lock);
    return q;
}

bool receiver_wait(struct receiver *r, int n)
{
    struct timespec until;
    bool there;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&r->lock);
    while (r->request_count < n && pthread_cond_timedwait(&r->changed, &r->lock, &until) == 0)
        continue;
    there = r->request_count >= n;
    pthread_mutex_unlock(&r->lock);
    return there;
}

void receiver_close(struct receiver *r)
{
    pthread_mutex_lock(&r->lock);
    r->closing = true;
    for (int i = 0; i < r->connection_count; i++)
        shutdown(r->connections[i]->fd, SHUT_RDWR);
    pthread_mutex_unlock(&r->lock);
    shutdown(r->fd, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    close(r->fd);
    for (int i = 0; i < r->connection_count; i++) {
        pthread_join(r->connections[i]->thread, NULL);
        close(r->connections[i]->fd);
        free(r->connections[i]);
    }
    for (int i = 0; i < r->request_count; i++) {
        free(r->requests[i]->head);
        free(r->requests[i]->body);
        free(r->requests[i]);
    }
    free(r->requests);
    free(r);
}
