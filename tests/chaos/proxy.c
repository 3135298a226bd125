/*
 * tests/chaos/proxy.c - one thread, one poll: each turn looks at the clock, moves what may move and
 * waits for the rest.
 *
 * A connection (struct pair) has two directions of one buffer each; a buffer is read into while it
 * is empty and written out once its time has come, so a slow reader slows its writer down as a real
 * socket would.  Faults are times until which they hold, per link; a pair asks them each turn.
 *
 * One lock guards everything; the thread gives it up only while it polls, and the other callers
 * only set times and write a byte to the pipe that wakes it.
 */
#define _GNU_SOURCE /* accept4, pipe2 */
#include "chaos/proxy.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MS INT64_C(1000)

enum {
    PAIRS_MAX = 512,
    BUFFER = 65536,
    TRICKLE_BYTES = 7,
    TRICKLE_US = 200,
    DELAY_MIN_MS = 20,
    DELAY_MAX_MS = 220,
    TURN_MS = 20, /* a turn at least so often while a fault or a delay is under way */
    BACKLOG = 64
};

struct direction {
    char *data; /* owned; BUFFER bytes */
    size_t from, len;
    int64_t due_us; /* when it may be written out */
    bool ended;     /* the reader saw the end of the stream */
    bool told;      /* and passed it on */
};

enum { TO_SERVER, TO_CLIENT };

struct pair {
    int link;
    int fd[2]; /* TO_SERVER reads fd[0] and writes fd[1], TO_CLIENT the other way */
    struct direction way[2];
    bool lose_next; /* the next reply is dropped and the pair reset */
    bool dead, orderly;
};

struct link {
    int listener[PROXY_SERVERS];
    int64_t until_us[PROXY_FAULTS];
};

struct proxy {
    pthread_t thread;
    pthread_mutex_t lock;
    int wake[2];
    bool closing;
    char sockets[PROXY_SERVERS][108];
    struct link links[PROXY_LINKS];
    int link_count;
    struct pair pairs[PAIRS_MAX];
    int pair_count;
    bool gone[PROXY_SERVERS];
    struct proxy_counts counts;
    uint32_t jitter;
};

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static bool holds(const struct proxy *p, int link, enum proxy_fault fault, int64_t now)
{
    return p->links[link].until_us[fault] > now;
}

/* ---- connections ---------------------------------------------------------------------------- */

/* Closed with a reset, as by a machine that was switched off and on. */
static void reset_fd(int fd)
{
    struct linger hard = { .l_onoff = 1, .l_linger = 0 };

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    (void)close(fd);
}

static int connect_server(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void add_pair(struct proxy *p, int link, int client, int server)
{
    struct pair *c = &p->pairs[p->pair_count];
    int one = 1;

    *c = (struct pair){ .link = link, .fd = { client, server } };
    for (int w = 0; w < 2; w++) {
        c->way[w].data = malloc(BUFFER);
        if (!c->way[w].data)
            die("proxy");
    }
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    p->pair_count++;
    p->counts.connections++;
}

static void accept_one(struct proxy *p, int link, int server)
{
    int fd = accept4(p->links[link].listener[server], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int up;

    if (fd < 0)
        return;
    up = p->pair_count == PAIRS_MAX || holds(p, link, PROXY_REFUSE, clock_mono_us())
             ? -1
             : connect_server(p->sockets[server]);
    if (up < 0) {
        p->counts.refused++;
        reset_fd(fd);
        return;
    }
    add_pair(p, link, fd, up);
}

static void remove_dead(struct proxy *p)
{
    for (int i = 0; i < p->pair_count;) {
        struct pair *c = &p->pairs[i];

        if (!c->dead) {
            i++;
            continue;
        }
        if (c->orderly)
            (void)close(c->fd[0]);
        else
            reset_fd(c->fd[0]);
        (void)close(c->fd[1]);
        free(c->way[0].data);
        free(c->way[1].data);
        *c = p->pairs[--p->pair_count];
    }
}

/* ---- moving bytes --------------------------------------------------------------------------- */

static void fill(struct proxy *p, struct pair *c, int w, int64_t now)
{
    struct direction *d = &c->way[w];
    ssize_t n = read(c->fd[w], d->data, BUFFER);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        c->dead = true;
        return;
    }
    if (n == 0) {
        d->ended = true;
        return;
    }
    if (w == TO_CLIENT && c->lose_next && holds(p, c->link, PROXY_LOSE, now)) {
        p->counts.lost++;
        c->dead = true;
        return;
    }
    d->from = 0;
    d->len = (size_t)n;
    d->due_us = now;
    if (holds(p, c->link, PROXY_DELAY, now)) {
        p->jitter = p->jitter * 1103515245u + 12345u;
        d->due_us += (DELAY_MIN_MS + (p->jitter >> 16) % (DELAY_MAX_MS - DELAY_MIN_MS)) * MS;
    }
}

static void drain(struct proxy *p, struct pair *c, int w, int64_t now)
{
    struct direction *d = &c->way[w];
    bool trickle = holds(p, c->link, PROXY_TRICKLE, now);
    size_t len = trickle && d->len > TRICKLE_BYTES ? TRICKLE_BYTES : d->len;
    ssize_t n = send(c->fd[1 - w], d->data + d->from, len, MSG_NOSIGNAL);

    if (n < 0) {
        c->dead = errno != EAGAIN && errno != EINTR;
        return;
    }
    d->from += (size_t)n;
    d->len -= (size_t)n;
    if (trickle)
        d->due_us = now + TRICKLE_US;
    p->counts.bytes += n;
}

/* The end of a stream is passed on after its last byte; after the server's the pair is done. */
static void pass_end(struct pair *c, int w)
{
    struct direction *d = &c->way[w];

    if (!d->ended || d->told || d->len > 0)
        return;
    d->told = true;
    (void)shutdown(c->fd[1 - w], SHUT_WR);
    c->dead = c->orderly = w == TO_CLIENT;
}

static void move(struct proxy *p, struct pair *c, const struct pollfd *polled, int64_t now)
{
    for (int w = 0; w < 2 && !c->dead; w++) {
        struct direction *d = &c->way[w];

        if (d->len == 0 && !d->ended && (polled[w].revents & (POLLIN | POLLHUP | POLLERR)))
            fill(p, c, w, now);
        if (!c->dead && d->len > 0 && d->due_us <= now)
            drain(p, c, w, now);
        if (!c->dead)
            pass_end(c, w);
    }
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* What this pair waits for; gives how long at most, in milliseconds. */
static int want(struct proxy *p, struct pair *c, struct pollfd *ret, int64_t now)
{
    bool still = holds(p, c->link, PROXY_STALL, now);
    int wait = still ? TURN_MS : 1000;

    for (int w = 0; w < 2; w++)
        ret[w] = (struct pollfd){ .fd = -1 };
    for (int w = 0; w < 2 && !still; w++) {
        struct direction *d = &c->way[w];

        if (d->len == 0 && !d->ended) {
            ret[w].fd = c->fd[w];
            ret[w].events |= POLLIN;
        } else if (d->len > 0 && d->due_us <= now) {
            ret[1 - w].fd = c->fd[1 - w];
            ret[1 - w].events |= POLLOUT;
        } else if (d->len > 0) {
            wait = 1;
        }
    }
    return wait;
}

static int listener(const struct proxy *p, int link, int server, int64_t now)
{
    bool shut = p->gone[server] || holds(p, link, PROXY_STALL, now);

    return shut ? -1 : p->links[link].listener[server];
}

static int build(struct proxy *p, struct pollfd *polled, int64_t now)
{
    int wait = 1000, n = 0;

    polled[n++] = (struct pollfd){ .fd = p->wake[0], .events = POLLIN };
    for (int l = 0; l < p->link_count; l++)
        for (int s = 0; s < PROXY_SERVERS; s++)
            polled[n++] = (struct pollfd){ .fd = listener(p, l, s, now), .events = POLLIN };
    for (int i = 0; i < p->pair_count; i++) {
        int mine = want(p, &p->pairs[i], &polled[n], now);

        n += 2;
        wait = mine < wait ? mine : wait;
    }
    for (int l = 0; l < p->link_count; l++)
        if (holds(p, l, PROXY_STALL, now))
            wait = wait < TURN_MS ? wait : TURN_MS;
    return wait;
}

static void turn(struct proxy *p, struct pollfd *polled, int pairs, int links)
{
    int64_t now = clock_mono_us();
    int n = 1 + links * PROXY_SERVERS;
    char bytes[64];

    if (polled[0].revents)
        (void)!read(p->wake[0], bytes, sizeof(bytes));
    for (int i = 0; i < pairs; i++)
        if (!holds(p, p->pairs[i].link, PROXY_STALL, now))
            move(p, &p->pairs[i], &polled[n + 2 * i], now);
    for (int i = 0; i < links * PROXY_SERVERS; i++)
        if (polled[1 + i].revents & POLLIN)
            accept_one(p, i / PROXY_SERVERS, i % PROXY_SERVERS);
    remove_dead(p);
}

static void *serve(void *ctx)
{
    static struct pollfd polled[1 + PROXY_LINKS * PROXY_SERVERS + 2 * PAIRS_MAX + 1];
    struct proxy *p = ctx;

    (void)pthread_mutex_lock(&p->lock);
    while (!p->closing) {
        int wait = build(p, polled, clock_mono_us());
        int pairs = p->pair_count, links = p->link_count;

        (void)pthread_mutex_unlock(&p->lock);
        (void)poll(polled, (nfds_t)(1 + links * PROXY_SERVERS + 2 * pairs), wait);
        (void)pthread_mutex_lock(&p->lock);
        turn(p, polled, pairs, links);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- what others call ----------------------------------------------------------------------- */

static void wake(struct proxy *p)
{
    (void)!write(p->wake[1], "", 1);
}

struct proxy *proxy_open(const char *const sockets[PROXY_SERVERS])
{
    struct proxy *p = calloc(1, sizeof(*p));

    if (!p || pipe2(p->wake, O_CLOEXEC | O_NONBLOCK) != 0)
        die("proxy");
    for (int s = 0; s < PROXY_SERVERS; s++)
        (void)snprintf(p->sockets[s], sizeof(p->sockets[s]), "%s", sockets[s]);
    (void)pthread_mutex_init(&p->lock, NULL);
    if (pthread_create(&p->thread, NULL, serve, p) != 0)
        die("proxy: thread");
    return p;
}

static int listen_on(const char *address)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || inet_pton(AF_INET, address, &a.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, BACKLOG) != 0)
        die("proxy: listen");
    return fd;
}

int proxy_link(struct proxy *p, const char *address)
{
    int link;

    (void)pthread_mutex_lock(&p->lock);
    link = p->link_count;
    if (link == PROXY_LINKS) {
        fprintf(stderr, "proxy: too many links\n");
        exit(2);
    }
    for (int s = 0; s < PROXY_SERVERS; s++)
        p->links[link].listener[s] = listen_on(address);
    p->link_count++;
    (void)pthread_mutex_unlock(&p->lock);
    wake(p);
    return link;
}

int proxy_port(struct proxy *p, int link, int server)
{
    struct sockaddr_in a;
    socklen_t len = sizeof(a);

    if (getsockname(p->links[link].listener[server], (struct sockaddr *)&a, &len) != 0)
        die("proxy: port");
    return ntohs(a.sin_port);
}

void proxy_inject(struct proxy *p, int link, enum proxy_fault fault, int64_t for_us)
{
    (void)pthread_mutex_lock(&p->lock);
    p->links[link].until_us[fault] = clock_mono_us() + for_us;
    for (int i = 0; i < p->pair_count; i++) {
        struct pair *c = &p->pairs[i];

        if (c->link != link)
            continue;
        if (fault == PROXY_LOSE)
            c->lose_next = true;
        if (fault == PROXY_CUT || fault == PROXY_REFUSE) {
            c->dead = true;
            p->counts.cut++;
        }
    }
    (void)pthread_mutex_unlock(&p->lock);
    wake(p);
}

/* The descriptor stays, so that the thread never polls another file's number. */
void proxy_server_gone(struct proxy *p, int server)
{
    (void)pthread_mutex_lock(&p->lock);
    for (int l = 0; l < p->link_count; l++)
        (void)shutdown(p->links[l].listener[server], SHUT_RDWR);
    p->gone[server] = true;
    (void)pthread_mutex_unlock(&p->lock);
    wake(p);
}

void proxy_heal(struct proxy *p)
{
    (void)pthread_mutex_lock(&p->lock);
    for (int l = 0; l < p->link_count; l++)
        memset(p->links[l].until_us, 0, sizeof(p->links[l].until_us));
    for (int i = 0; i < p->pair_count; i++)
        p->pairs[i].lose_next = false;
    (void)pthread_mutex_unlock(&p->lock);
    wake(p);
}

struct proxy_counts proxy_counts(struct proxy *p)
{
    struct proxy_counts counts;

    (void)pthread_mutex_lock(&p->lock);
    counts = p->counts;
    (void)pthread_mutex_unlock(&p->lock);
    return counts;
}

void proxy_close(struct proxy *p)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->closing = true;
    (void)pthread_mutex_unlock(&p->lock);
    wake(p);
    (void)pthread_join(p->thread, NULL);
    for (int i = 0; i < p->pair_count; i++)
        p->pairs[i].dead = true;
    remove_dead(p);
    for (int l = 0; l < p->link_count; l++)
        for (int s = 0; s < PROXY_SERVERS; s++)
            (void)close(p->links[l].listener[s]);
    (void)close(p->wake[0]);
    (void)close(p->wake[1]);
    free(p);
}
