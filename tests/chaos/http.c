/*
 * tests/chaos/http.c - make chaos-http: clients start executions over two servers while these are
 * killed, PostgreSQL is killed, and the network between them loses replies.  Afterwards each start
 * that was acknowledged is there, ended once, with the result that its input asks for.
 *
 *   http [--seconds N] [--seed S]
 *
 * Each client repeats a start under its Idempotency-Key, at either server, until it is
 * acknowledged, and now and then once more: then the answer must name the same execution.  Some
 * hang up before the answer comes, which is a reply lost on the way to the client.
 *
 * Exit status: 0 no violation, 1 violations or too little happened, 2 the harness itself failed.
 */
#define _GNU_SOURCE 1 /* pthread_tryjoin_np */

#include "base/apikey.h"
#include "base/base.h"
#include "base/clock.h"
#include "chaos/check.h"
#include "chaos/cluster.h"
#include "chaos/draw.h"
#include "chaos/proxy.h"
#include "lib/httptest.h"
#include "store/client_keys.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS INT64_C(1000)
#define S (1000 * MS)
enum {
    SERVERS = 2,
    CLIENTS = 4,
    PATHS = 512,
    ENDS = 60,
    SECONDS_DEFAULT = 60,
    TEXT = 256,
    KINDS = 4
};
enum { LOST_PERCENT = 5, AGAIN_PERCENT = 10, SYNC_PERCENT = 30, STARTS_MIN = 20 };

struct server {
    int link;
    pid_t pid; /* 0: none */
    atomic_int port;
    char conninfo[PATHS], ready[PATHS];
};

struct starter {
    pthread_t thread;
    int number;
    struct draw draw;
    int64_t acknowledged, tries, lost, repeated;
};

static struct run {
    int seconds;
    uint64_t seed;
    struct cluster cluster;
    struct proxy *proxy;
    struct check check;
    struct server servers[SERVERS];
    struct starter clients[CLIENTS];
    char build[PATHS], key[APIKEY_SIZE], log[PATHS];
    atomic_bool over, failed;
    int kills, losses, cuts, restarts;
} run;

static void violation(const char *what, const char *detail)
{
    atomic_store(&run.failed, true);
    printf("violation: %s: %s\n", what, detail);
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "chaos-http: %s: %s\n", what, why);
    exit(2);
}

/* ---- servers -------------------------------------------------------------------------------- */

static void become_server(const struct server *s, pid_t parent)
{
    char path[PATHS + 32];
    int log = open(run.log, O_WRONLY | O_CREAT | O_APPEND, 0644);

    (void)snprintf(path, sizeof(path), "%s/examples/samples", run.build);
    if (log < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        setenv("DATABASE_URL", s->conninfo, 1) != 0 || setenv("INFERPIPE_LEASE", "2s", 1) != 0 ||
        setenv("INFERPIPE_TICK", "200ms", 1) != 0)
        _exit(1);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    (void)execl(path, "samples", "serve", "--port", "0", "--ready-file", s->ready,
                "--connect-timeout", "2s", "--statement-timeout", "3s", (char *)NULL);
    _exit(127);
}

static void start_server(struct server *s)
{
    pid_t parent = getpid();

    (void)unlink(s->ready);
    atomic_store(&s->port, 0);
    s->pid = fork();
    if (s->pid < 0)
        die("fork", "no process");
    if (s->pid == 0)
        become_server(s, parent);
}

/* Clients use a server once it has said that it is ready; one that died is started again. */
static void tend(struct server *s)
{
    char url[TEXT] = "";
    FILE *in;
    int status;

    if (s->pid != 0 && waitpid(s->pid, &status, WNOHANG) == s->pid) {
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            violation("a server ended by itself", run.log);
        start_server(s);
    }
    if (atomic_load(&s->port) != 0 || !(in = fopen(s->ready, "re")))
        return;
    if (fgets(url, sizeof(url), in) && strchr(url, '\n'))
        atomic_store(&s->port, (int)strtol(strrchr(url, ':') + 1, NULL, 10));
    (void)fclose(in);
}

static void open_servers(void)
{
    for (int i = 0; i < SERVERS; i++) {
        struct server *s = &run.servers[i];

        s->link = proxy_link(run.proxy, "127.0.0.1");
        (void)snprintf(s->conninfo, sizeof(s->conninfo),
                       "host=127.0.0.1 port=%d user=postgres dbname=chaos",
                       proxy_port(run.proxy, s->link, 0));
        (void)snprintf(s->ready, sizeof(s->ready), "%s/ready-%d", run.cluster.home, i);
        start_server(s);
    }
}

/* ---- clients -------------------------------------------------------------------------------- */

struct start {
    char key[64], headers[TEXT], body[TEXT];
    char id[32]; /* of the first acknowledgement */
};

static void draw_start(struct starter *c, int64_t n, struct start *s)
{
    bool sync = draw_chance(&c->draw, SYNC_PERCENT);

    (void)snprintf(s->key, sizeof(s->key), "c%d-%" PRId64, c->number, n);
    (void)snprintf(s->headers, sizeof(s->headers),
                   "authorization: Bearer %s\r\nidempotency-key: %s\r\n", run.key, s->key);
    (void)snprintf(s->body, sizeof(s->body),
                   "{\"input\":{\"key\":\"%s\"},\"mode\":\"%s\",\"timeoutMs\":2000}", s->key,
                   sync ? "sync" : "async");
    s->id[0] = '\0';
}

static void check_answer(struct start *s, const struct httptest_answer *a)
{
    const char *at = strstr(a->body, "\"id\":\"exe_");
    char id[32] = "";

    if (at)
        (void)snprintf(id, sizeof(id), "%.17s", at + strlen("\"id\":\""));
    if (!id[0])
        violation("an acknowledgement without an id", a->body);
    else if (!s->id[0])
        memcpy(s->id, id, sizeof(id));
    else if (strcmp(s->id, id) != 0)
        violation("two executions for one key", s->key);
    if (a->status == 200 && !strstr(a->body, s->key))
        violation("a result that was not asked for", a->body);
}

/* True once it is acknowledged. */
static bool try_start(struct starter *c, struct start *s)
{
    int port = atomic_load(&run.servers[draw_between(&c->draw, 0, SERVERS - 1)].port);
    bool hang_up = draw_chance(&c->draw, LOST_PERCENT), good = false;
    struct httptest_answer a = { 0 };
    struct httptest_conn conn;
    char text[4 * TEXT];

    if (port == 0 || !httptest_connect(&conn, port))
        return false;
    c->tries++;
    if (hang_up) {
        (void)snprintf(text, sizeof(text),
                       "POST /v1/workflows/test-echo/executions HTTP/1.1\r\nhost: x\r\n%s"
                       "content-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
                       s->headers, strlen(s->body), s->body);
        (void)httptest_send(&conn, text, strlen(text));
        c->lost++;
    } else if (httptest_try(&conn, "POST", "/v1/workflows/test-echo/executions", s->headers,
                            s->body, &a)) {
        good = a.status == 200 || a.status == 202;
        if (good)
            check_answer(s, &a);
        else if (a.status < 500 && a.status != 409 && a.status != 429)
            violation("a start was refused", a.body);
    }
    httptest_release(&a);
    httptest_disconnect(&conn);
    return good;
}

static void until_acknowledged(struct starter *c, struct start *s)
{
    while (!try_start(c, s))
        (void)poll(NULL, 0, (int)draw_between(&c->draw, 5, 50));
}

static void *client_main(void *ctx)
{
    struct starter *c = ctx;
    struct start s;

    for (int64_t n = 0; !atomic_load(&run.over); n++) {
        draw_start(c, n, &s);
        until_acknowledged(c, &s);
        c->acknowledged++;
        if (draw_chance(&c->draw, AGAIN_PERCENT)) {
            until_acknowledged(c, &s);
            c->repeated++;
        }
    }
    return NULL;
}

/* ---- faults --------------------------------------------------------------------------------- */

/* The first ones are one of each kind. */
static void hurt(struct draw *d, int nth)
{
    static const int64_t firsts[] = { 1, 50, 100, 80 };
    struct server *s = &run.servers[draw_between(d, 0, SERVERS - 1)];
    int64_t what = nth < KINDS ? firsts[nth] : draw_between(d, 1, 100);

    if (what <= 40) {
        run.kills++;
        if (s->pid > 0)
            (void)kill(s->pid, SIGKILL);
    } else if (what <= 70) {
        run.losses++;
        proxy_inject(run.proxy, s->link, PROXY_LOSE, draw_between(d, 300, 1000) * MS);
    } else if (what <= 90) {
        run.cuts++;
        proxy_inject(run.proxy, s->link, PROXY_CUT, 0);
    } else {
        run.restarts++;
        cluster_restart(&run.cluster, "immediate");
    }
}

static void tend_for(int64_t us)
{
    int64_t until = clock_mono_us() + us;

    do {
        for (int i = 0; i < SERVERS; i++)
            tend(&run.servers[i]);
        (void)poll(NULL, 0, 10);
    } while (clock_mono_us() < until);
}

/* ---- the run -------------------------------------------------------------------------------- */

static void make_key(void)
{
    static const struct client_limits limits = { .payload_max = 1 };
    struct client_key_wanted wanted = { .name = "chaos" };
    char conninfo[PATHS];
    struct client client;
    struct err e;

    cluster_conninfo(&run.cluster, conninfo, sizeof(conninfo));
    if (client_open(&client, conninfo, "default", &limits, &e) != 0 ||
        client_key_create(&client, &wanted, run.key, NULL, NULL, &e) != 0)
        die("key", e.text);
    client_release(&client);
}

static void set_up(void)
{
    const char *sockets[PROXY_SERVERS] = { NULL };
    char program[PATHS + 32], tests[PATHS + 32];
    ssize_t len = readlink("/proc/self/exe", run.build, sizeof(run.build) - 1);

    if (len < 0)
        die("/proc/self/exe", "cannot be read");
    for (int i = 0; i < 3; i++) /* BUILD/tests/chaos/http */
        *strrchr(run.build, '/') = '\0';
    (void)snprintf(program, sizeof(program), "%s/inferpipe", run.build);
    (void)snprintf(tests, sizeof(tests), "tests");
    cluster_open(&run.cluster, program, tests, false);
    (void)snprintf(run.log, sizeof(run.log), "%s/servers.log", run.cluster.home);
    sockets[0] = run.cluster.socket[0];
    run.proxy = proxy_open(sockets);
    run.check = (struct check){ .cluster = &run.cluster };
    make_key();
    open_servers();
}

static void go(void)
{
    int64_t end;
    struct draw d;

    draw_seed(&d, run.seed, 0);
    for (int i = 0; i < SERVERS; i++)
        while (atomic_load(&run.servers[i].port) == 0)
            tend_for(20 * MS);
    for (int i = 0; i < CLIENTS; i++) {
        run.clients[i].number = i;
        draw_seed(&run.clients[i].draw, run.seed, (uint64_t)i + 1);
        if (pthread_create(&run.clients[i].thread, NULL, client_main, &run.clients[i]) != 0)
            die("client", "no thread");
    }
    end = clock_mono_us() + run.seconds * S;
    for (int n = 0; n < KINDS || clock_mono_us() < end; n++) {
        tend_for(draw_between(&d, 200, 900) * MS);
        hurt(&d, n);
    }
    proxy_heal(run.proxy);
    atomic_store(&run.over, true);
}

/* The clients' last starts are acknowledged, then all executions end. */
static void settle(void)
{
    int64_t give_up = clock_mono_us() + ENDS * S;
    int64_t open = -1;

    for (int i = 0; i < CLIENTS; i++)
        while (pthread_tryjoin_np(run.clients[i].thread, NULL) != 0) {
            if (clock_mono_us() > give_up) {
                violation("a start is never acknowledged", run.log);
                return;
            }
            tend_for(10 * MS);
        }
    while (open != 0 && clock_mono_us() < give_up) {
        tend_for(50 * MS);
        open = check_int8(&run.check, "select count(*) from inferpipe.executions"
                                      " where status in ('queued', 'running')");
    }
    if (open != 0)
        violation("executions that do not end", run.log);
}

static void judge(int64_t acknowledged)
{
    char text[TEXT];
    int64_t all = check_int8(&run.check, "select count(*) from inferpipe.executions"),
            good = check_int8(&run.check,
                              "select count(distinct input->>'key') from inferpipe.executions"
                              " where status = 'completed' and input::text = output::text");

    (void)snprintf(text, sizeof(text),
                   "%" PRId64 " acknowledged, %" PRId64 " executions, %" PRId64
                   " with their own result",
                   acknowledged, all, good);
    if (all != acknowledged || good != acknowledged)
        violation("starts and executions differ", text);
    if (check_doctor(&run.check) != 0)
        violation("doctor", "see above");
    printf("%s\n", text);
}

static int report(void)
{
    struct starter sum = { 0 };

    settle();
    for (int i = 0; i < CLIENTS; i++) {
        sum.acknowledged += run.clients[i].acknowledged;
        sum.tries += run.clients[i].tries;
        sum.lost += run.clients[i].lost;
        sum.repeated += run.clients[i].repeated;
    }
    judge(sum.acknowledged);
    printf("tries %" PRId64 ", hung up %" PRId64 ", asked again %" PRId64 "; kills %d, replies lost"
           " %d, cut %d, PostgreSQL stopped %d\n",
           sum.tries, sum.lost, sum.repeated, run.kills, run.losses, run.cuts, run.restarts);
    if (sum.acknowledged < STARTS_MIN || run.kills == 0)
        violation("too little happened", "give it more --seconds");
    printf("violations: %d\n", atomic_load(&run.failed) ? 1 : 0);
    return atomic_load(&run.failed) ? 1 : 0;
}

static void clean_up(void)
{
    for (int i = 0; i < SERVERS; i++)
        if (run.servers[i].pid > 0) {
            (void)kill(run.servers[i].pid, SIGKILL);
            (void)waitpid(run.servers[i].pid, NULL, 0);
        }
    check_close(&run.check);
    cluster_close(&run.cluster, atomic_load(&run.failed));
}

static void on_signal(int signum)
{
    (void)signum;
    exit(130);
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = { { "seconds", required_argument, NULL, 's' },
                                             { "seed", required_argument, NULL, 'S' },
                                             { 0 } };
    int c;

    run.seconds = SECONDS_DEFAULT;
    run.seed = (uint64_t)clock_real_us();
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 's')
            run.seconds = (int)strtol(optarg, NULL, 10);
        else if (c == 'S')
            run.seed = strtoull(optarg, NULL, 10);
        else
            exit(2);
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    printf("seed %" PRIu64 "\n", run.seed);
    (void)fflush(stdout);
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGPIPE, SIG_IGN);
    if (atexit(clean_up) != 0)
        die("atexit", "out of memory");
    set_up();
    go();
    return report();
}
