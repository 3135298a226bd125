/*
 * tests/lib/httptest.c - see httptest.h.  Sockets alone: what is under test does not check itself.
 */
#define _GNU_SOURCE 1 /* strcasestr, memmem */

#include "lib/httptest.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/jsonscan.h"
#include "lib/testdb.h"
#include "store/client_keys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SERVERS_MAX = 32, LOOK_MS = 10, LIMIT_S = 60, LOG_TAIL = 6000, TEXT_SIZE = 65536 };

static pid_t alive[SERVERS_MAX]; /* to be killed by httptest_cleanup */
static char folder[32];          /* of all logs; removed at exit */

static void die(const char *what, const char *why)
{
    fprintf(stderr, "httptest: %s: %s\n", what, why);
    exit(1);
}

/* ---- the database --------------------------------------------------------------------------- */

static void remove_folder(void)
{
    if (folder[0])
        (void)rmdir(folder); /* after a failure its files stay */
}

void httptest_make_key(const struct httptest *t, const char *workspace, const char *scopes,
                       char ret[HTTPTEST_KEY_SIZE])
{
    static const struct client_limits limits = { .payload_max = 1, .payload_inline = 0 };
    struct client_key_wanted wanted = { .name = "test", .scopes = scopes };
    struct client client;
    struct err e;

    if (client_open(&client, t->url, workspace, &limits, &e) != 0 ||
        client_key_create(&client, &wanted, ret, NULL, NULL, &e) != 0)
        die("make a key", e.text);
    client_release(&client);
}

void httptest_open(struct httptest *t)
{
    *t = (struct httptest){ 0 };
    testdb_create(&t->url);
    httptest_make_key(t, "default", NULL, t->key);
    (void)snprintf(t->auth, sizeof(t->auth), "authorization: Bearer %s\r\n", t->key);
    if (!folder[0]) {
        (void)snprintf(folder, sizeof(folder), "/tmp/ifp-http-XXXXXX");
        if (!mkdtemp(folder))
            die(folder, "cannot make this folder");
        (void)atexit(remove_folder);
    }
}

void httptest_close(struct httptest *t)
{
    testdb_give_back(t->url);
}

void httptest_pause(void)
{
    (void)poll(NULL, 0, LOOK_MS);
}

/* ---- servers -------------------------------------------------------------------------------- */

static void remember(pid_t from, pid_t to)
{
    for (size_t i = 0; i < ARRAY_LEN(alive); i++)
        if (alive[i] == from) {
            alive[i] = to;
            return;
        }
    die("servers", "too many");
}

int httptest_cleanup(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(alive); i++) {
        if (alive[i] <= 0)
            continue;
        (void)kill(alive[i], SIGKILL);
        (void)waitpid(alive[i], NULL, 0);
        alive[i] = 0;
    }
    return 0;
}

/* The build folder is two levels above the test's program. */
static void build_path(const char *program, char *ret, size_t size)
{
    ssize_t len = readlink("/proc/self/exe", ret, size - 1);

    if (len < 0)
        die("/proc/self/exe", strerror(errno));
    ret[len] = '\0';
    for (int i = 0; i < 3; i++)
        *strrchr(ret, '/') = '\0';
    (void)snprintf(ret + strlen(ret), size - strlen(ret), "/%s", program);
}

static void become_server(const struct httptest *t, const struct httptest_server *s,
                          const char *program, const char *const *args, pid_t parent)
{
    const char *argv[HTTPTEST_ARGS_MAX + 8] = { program, "serve",        "--port",
                                                "0",     "--ready-file", s->ready };
    int n = 6, log = open(s->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    char path[512];

    if (log < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    build_path(program, path, sizeof(path));
    for (int i = 0; args && args[i] && i < HTTPTEST_ARGS_MAX; i++)
        argv[n++] = args[i];
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    if (setenv("DATABASE_URL", t->url, 1) != 0 || setenv("INFERPIPE_LEASE", "1s", 1) != 0 ||
        setenv("INFERPIPE_TICK", "100ms", 1) != 0)
        _exit(1);
    (void)execv(path, (char *const *)(void *)argv);
    _exit(127);
}

void httptest_spawn(struct httptest *t, struct httptest_server *s, const char *program,
                    const char *const *args)
{
    static int count;
    pid_t parent = getpid();

    count++;
    *s = (struct httptest_server){ 0 };
    (void)snprintf(s->ready, sizeof(s->ready), "%s/ready-%d", folder, count);
    (void)snprintf(s->log, sizeof(s->log), "%s/log-%d", folder, count);
    s->pid = fork();
    if (s->pid < 0)
        die("fork", strerror(errno));
    if (s->pid == 0)
        become_server(t, s, program, args, parent);
    remember(0, s->pid);
}

static char *read_file(const char *path)
{
    char *text = calloc(1, TEXT_SIZE * 16);
    FILE *in = fopen(path, "re");
    size_t len = 0;

    if (!text)
        die(path, "out of memory");
    if (in) {
        len = fread(text, 1, TEXT_SIZE * 16 - 1, in);
        (void)fclose(in);
    }
    text[len] = '\0';
    return text;
}

static void show_log(const struct httptest_server *s)
{
    char *text = read_file(s->log);
    size_t len = strlen(text);

    fprintf(stderr, "the end of %s:\n%s\n", s->log, text + (len > LOG_TAIL ? len - LOG_TAIL : 0));
    free(text);
}

static bool has_ended(struct httptest_server *s)
{
    if (s->pid == 0 || waitpid(s->pid, &s->status, WNOHANG) != s->pid)
        return s->pid == 0;
    remember(s->pid, 0);
    s->pid = 0;
    return true;
}

static void forget_files(const struct httptest_server *s)
{
    (void)unlink(s->ready);
    (void)unlink(s->log);
}

void httptest_until_ready(struct httptest_server *s)
{
    int64_t give_up = clock_mono_us() + LIMIT_S * INT64_C(1000000);

    while (clock_mono_us() < give_up) {
        char *url = read_file(s->ready);
        const char *colon = strrchr(url, ':');
        bool whole = colon && strchr(colon, '\n');

        s->port = whole ? (int)strtol(colon + 1, NULL, 10) : 0;
        free(url);
        if (whole)
            return;
        if (has_ended(s)) {
            show_log(s);
            fail_msg("the server ended before it was ready");
        }
        httptest_pause();
    }
    show_log(s);
    fail_msg("the server is not ready in time");
}

void httptest_serve(struct httptest *t, struct httptest_server *s, const char *program,
                    const char *const *args)
{
    httptest_spawn(t, s, program, args);
    httptest_until_ready(s);
}

int httptest_until_ended(struct httptest_server *s)
{
    int64_t give_up = clock_mono_us() + LIMIT_S * INT64_C(1000000);

    while (!has_ended(s)) {
        if (clock_mono_us() > give_up) {
            show_log(s);
            fail_msg("the server does not end");
        }
        httptest_pause();
    }
    return WIFEXITED(s->status) ? WEXITSTATUS(s->status) : -1;
}

void httptest_stop(struct httptest_server *s)
{
    int code;

    (void)kill(s->pid, SIGTERM);
    code = httptest_until_ended(s);
    if (code != 0)
        show_log(s);
    assert_int_equal(code, 0);
    forget_files(s);
}

void httptest_kill(struct httptest_server *s)
{
    (void)kill(s->pid, SIGKILL);
    (void)httptest_until_ended(s);
    forget_files(s);
}

int httptest_log_count(const struct httptest_server *s, const char *text)
{
    char *log = read_file(s->log);
    int count = 0;

    for (const char *at = log; (at = strstr(at, text)) != NULL; at += strlen(text))
        count++;
    free(log);
    return count;
}

void httptest_until_log(const struct httptest_server *s, const char *text)
{
    int64_t give_up = clock_mono_us() + LIMIT_S * INT64_C(1000000);

    while (httptest_log_count(s, text) == 0) {
        if (clock_mono_us() > give_up) {
            show_log(s);
            fail_msg("the log never said: %s", text);
        }
        httptest_pause();
    }
}

/* ---- bytes ---------------------------------------------------------------------------------- */

bool httptest_connect(struct httptest_conn *c, int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int on = 1;

    *c = (struct httptest_conn){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    if (c->fd < 0)
        die("socket", strerror(errno));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(c->fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return true;
    httptest_disconnect(c);
    return false;
}

void httptest_disconnect(struct httptest_conn *c)
{
    if (c->fd >= 0)
        (void)close(c->fd);
    free(c->in);
    *c = (struct httptest_conn){ .fd = -1 };
}

bool httptest_send(struct httptest_conn *c, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* Reads some more; false at the end, or after LIMIT_S without a byte. */
static bool fill(struct httptest_conn *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    ssize_t n;

    if (c->cap - c->len < TEXT_SIZE) {
        c->cap = c->cap * 2 + TEXT_SIZE;
        c->in = realloc(c->in, c->cap + 1);
        if (!c->in)
            die("client", "out of memory");
    }
    if (poll(&p, 1, LIMIT_S * 1000) <= 0)
        return false;
    n = recv(c->fd, c->in + c->len, c->cap - c->len, 0);
    if (n <= 0)
        return false;
    c->len += (size_t)n;
    c->in[c->len] = '\0';
    return true;
}

static void consume(struct httptest_conn *c, size_t n)
{
    memmove(c->in, c->in + n, c->len - n + 1);
    c->len -= n;
}

/* Waits for `text` in what was read; its place behind it, or 0. */
static size_t until(struct httptest_conn *c, const char *text)
{
    for (;;) {
        const char *at = c->len > 0 ? strstr(c->in, text) : NULL;

        if (at)
            return (size_t)(at - c->in) + strlen(text);
        if (!fill(c))
            return 0;
    }
}

static char *copy(const char *from, size_t len)
{
    char *text = malloc(len + 1);

    if (!text)
        die("client", "out of memory");
    memcpy(text, from, len);
    text[len] = '\0';
    return text;
}

/* ---- answers -------------------------------------------------------------------------------- */

static bool read_head(struct httptest_conn *c, struct httptest_answer *a)
{
    size_t len;

    do {
        len = until(c, "\r\n\r\n");
        if (len == 0 || sscanf(c->in, "HTTP/1.%*d %d", &a->status) != 1)
            return false;
        free(a->head);
        a->head = copy(c->in, len);
        consume(c, len);
    } while (a->status == 100);
    return true;
}

/* The next chunk's data is at the front of `in`; its length, 0 at the end, -1 when broken. */
static ssize_t next_chunk(struct httptest_conn *c)
{
    size_t line = until(c, "\r\n"), len;

    if (line == 0)
        return -1;
    len = strtoul(c->in, NULL, 16);
    consume(c, line);
    while (c->len < len + 2)
        if (!fill(c))
            return -1;
    return (ssize_t)len;
}

static bool read_chunked(struct httptest_conn *c, struct httptest_answer *a)
{
    ssize_t n;

    a->body = copy("", 0);
    while ((n = next_chunk(c)) > 0) {
        char *more = realloc(a->body, a->len + (size_t)n + 1);

        if (!more)
            die("client", "out of memory");
        a->body = more;
        memcpy(a->body + a->len, c->in, (size_t)n);
        a->len += (size_t)n;
        a->body[a->len] = '\0';
        consume(c, (size_t)n + 2);
    }
    if (n == 0)
        consume(c, 2);
    return n == 0;
}

static bool read_sized(struct httptest_conn *c, struct httptest_answer *a, size_t len)
{
    while (c->len < len)
        if (!fill(c))
            return false;
    a->body = copy(len > 0 ? c->in : "", len);
    a->len = len;
    if (len > 0)
        consume(c, len);
    return true;
}

bool httptest_receive(struct httptest_conn *c, struct httptest_answer *ret)
{
    const char *length, *value;

    *ret = (struct httptest_answer){ 0 };
    if (!read_head(c, ret))
        return false;
    value = httptest_header(ret, "connection");
    ret->keep = !value || strcasecmp(value, "close") != 0;
    if (ret->status == 204 || ret->status == 304)
        return read_sized(c, ret, 0);
    value = httptest_header(ret, "transfer-encoding");
    if (value && strcasecmp(value, "chunked") == 0)
        return read_chunked(c, ret);
    length = httptest_header(ret, "content-length");
    return length && read_sized(c, ret, strtoul(length, NULL, 10));
}

static bool ask(struct httptest_conn *c, const char *method, const char *path, const char *headers,
                const char *body)
{
    size_t size = strlen(path) + (headers ? strlen(headers) : 0) + (body ? strlen(body) : 0) + 256;
    char *text = malloc(size);
    bool good;

    if (!text)
        die("client", "out of memory");
    (void)snprintf(text, size, "%s %s HTTP/1.1\r\nhost: localhost\r\n%s", method, path,
                   headers ? headers : "");
    if (body)
        (void)snprintf(text + strlen(text), size - strlen(text), "%scontent-length: %zu\r\n\r\n%s",
                       headers && strcasestr(headers, "content-type:")
                           ? ""
                           : "content-type: application/json\r\n",
                       strlen(body), body);
    else
        (void)snprintf(text + strlen(text), size - strlen(text), "\r\n");
    good = httptest_send(c, text, strlen(text));
    free(text);
    return good;
}

bool httptest_try(struct httptest_conn *c, const char *method, const char *path,
                  const char *headers, const char *body, struct httptest_answer *ret)
{
    *ret = (struct httptest_answer){ 0 };
    return ask(c, method, path, headers, body) && httptest_receive(c, ret);
}

void httptest_release(struct httptest_answer *a)
{
    free(a->head);
    free(a->body);
    *a = (struct httptest_answer){ 0 };
}

void httptest_request(const struct httptest *t, int port, const char *method, const char *path,
                      const char *headers, const char *body, struct httptest_answer *ret)
{
    struct httptest_conn c;
    char all[4096];

    (void)snprintf(all, sizeof(all), "%s%s", t ? t->auth : "", headers ? headers : "");
    if (!httptest_connect(&c, port))
        fail_msg("%s %s: nobody listens on port %d", method, path, port);
    if (!httptest_try(&c, method, path, all, body, ret))
        fail_msg("%s %s: no whole answer", method, path);
    httptest_disconnect(&c);
}

const char *httptest_header(const struct httptest_answer *a, const char *name)
{
    static _Thread_local char value[1024]; /* chaos asks from several threads */
    size_t len = strlen(name);

    for (const char *line = strstr(a->head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        const char *end = strstr(line + 2, "\r\n");

        if (!end || strncasecmp(line + 2, name, len) != 0 || line[2 + len] != ':')
            continue;
        line += 3 + len;
        line += strspn(line, " ");
        (void)snprintf(value, sizeof(value), "%.*s", (int)(end - line), line);
        return value;
    }
    return NULL;
}

const char *httptest_json(const struct httptest_answer *a, const char *pointer)
{
    static _Thread_local char value[TEXT_SIZE];
    struct slice found, all = { a->body, a->len };
    struct err e;

    if (!a->body || jsonscan_check(a->body, a->len, &e) != 0 ||
        jsonscan_find(all, pointer, &found) != 0)
        return NULL;
    (void)snprintf(value, sizeof(value), "%.*s", (int)found.len, found.text);
    return value;
}

void httptest_expect(const struct httptest_answer *a, int status, const char *pointer,
                     const char *json)
{
    const char *value = pointer ? httptest_json(a, pointer) : NULL;

    if (a->status != status || (pointer && (!value || strcmp(value, json) != 0)))
        fail_msg("expected %d with %s at \"%s\", got %s%s", status, json ? json : "anything",
                 pointer ? pointer : "", a->head, a->body);
}

/* ---- server-sent events --------------------------------------------------------------------- */

int httptest_follow(struct httptest_conn *c, const char *method, const char *path,
                    const char *headers, const char *body)
{
    struct httptest_answer a = { 0 };
    const char *encoding;
    int status = 0;

    if (ask(c, method, path, headers, body) && read_head(c, &a)) {
        encoding = httptest_header(&a, "transfer-encoding");
        c->chunked = encoding && strcasecmp(encoding, "chunked") == 0;
        c->chunk = 0;
        c->stream_over = !c->chunked;
        status = a.status;
    }
    httptest_release(&a);
    return status;
}

/* The decoded part of the stream is the first `chunk` bytes of `in`. */
static bool more_stream(struct httptest_conn *c)
{
    char *kept = copy(c->chunk > 0 ? c->in : "", c->chunk);
    size_t len = c->chunk;
    ssize_t n;
    char *all;

    if (len > 0)
        consume(c, len);
    n = c->stream_over ? -1 : next_chunk(c);
    if (n <= 0) {
        c->stream_over = true;
        c->chunk = 0;
        free(kept);
        return false;
    }
    memmove(c->in + n, c->in + n + 2, c->len - (size_t)n - 1); /* the end of the chunk's line */
    c->len -= 2;
    all = malloc(c->len + len + 1);
    if (!all)
        die("client", "out of memory");
    memcpy(all, kept, len);
    memcpy(all + len, c->in, c->len + 1);
    free(kept);
    free(c->in);
    c->in = all;
    c->len += len;
    c->cap = c->len;
    c->chunk = len + (size_t)n;
    return true;
}

static void read_field(struct httptest_event *ev, char *line)
{
    char *value = strchr(line, ':');

    if (!value || value == line)
        return; /* a comment */
    *value++ = '\0';
    value += *value == ' ';
    if (strcmp(line, "id") == 0)
        (void)snprintf(ev->id, sizeof(ev->id), "%s", value);
    else if (strcmp(line, "event") == 0)
        (void)snprintf(ev->name, sizeof(ev->name), "%s", value);
    else if (strcmp(line, "data") == 0)
        ev->data = value;
}

bool httptest_event(struct httptest_conn *c, struct httptest_event *ret)
{
    static char text[TEXT_SIZE];
    const char *end;
    size_t len;
    char *rest = NULL;

    for (;;) {
        end = c->chunk > 0 ? memmem(c->in, c->chunk, "\n\n", 2) : NULL;
        if (!end) {
            if (!more_stream(c))
                return false;
            continue;
        }
        len = (size_t)(end - c->in) + 2;
        assert_true(len < sizeof(text));
        memcpy(text, c->in, len);
        text[len] = '\0';
        consume(c, len);
        c->chunk -= len;
        *ret = (struct httptest_event){ 0 };
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
            read_field(ret, line);
        if (ret->data)
            return true;
    }
}
