/*
 * tests/chaos/clients.c - see clients.h.
 *
 * A client owns a table of executions (struct work).  Each turn draws one action; in the second
 * phase (`finishing`) the only action is to do what is still owed.  Clients share nothing but the
 * history, whose lines are written whole by stdio's own lock.
 */
#include "chaos/clients.h"

#include "base/base.h"
#include "base/clock.h"
#include "chaos/plan.h"

#include <inferpipe.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORK_MAX = 100000, /* of one client */
    KEY_SIZE = 32,
    RECENT = 40,      /* actions are about these many latest executions */
    PAUSE_MIN_MS = 5, /* between two actions */
    PAUSE_MAX_MS = 50,
    HELD_MAX_MS = 2000,
    SLOW_WORK_MAX = 4, /* of one client in a control */
    OPEN_MAX = 60,     /* executions that a client keeps open before it begins another one */
    STREAM = 100
};

struct work {
    char id[IFP_ID_SIZE]; /* "": not acknowledged */
    int number;
    int owed_waits; /* the first ones are answered, or need no answer */
    bool owes_cancel;
    bool settled; /* nothing is owed */
    struct plan plan;
};

struct client {
    struct clients *all; /* borrowed */
    int number, link;
    char conninfo[256];
    ifp_client *api; /* owned */
    struct draw draw;
    struct work *work[WORK_MAX]; /* owned */
    int count;
    int first_open; /* all before it are settled */
    pthread_t thread;
};

struct clients {
    struct client clients[CLIENTS];
    FILE *history; /* borrowed */
    bool slow;     /* the control's plans, and few of them */
    atomic_bool finishing, closing;
    atomic_int looking;       /* clients that have yet to look back */
    atomic_int open[CLIENTS]; /* executions that are owed something */
    atomic_llong retries;
};

/* ---- history -------------------------------------------------------------------------------- */

static void write_line(struct client *c, const char *what, const char *a, const char *b,
                       const char *d, int64_t from, int64_t to)
{
    if (from)
        fprintf(c->all->history, "%s\t%s\t%s\t%s\t%" PRId64 "\t%" PRId64 "\n", what, a, b, d, from,
                to);
    else
        fprintf(c->all->history, "%s\t%s\t%s\t%s\t\t\n", what, a, b, d);
}

static void make_key(const struct client *c, const struct work *w, char ret[KEY_SIZE])
{
    (void)snprintf(ret, KEY_SIZE, "c%d-%d", c->number, w->number);
}

/* True when it may succeed later.  Anything else cannot be answered to what we ask. */
static bool may_be_repeated(struct client *c, int rc, const char *about)
{
    if (rc == IFP_EUNAVAILABLE || rc == IFP_ETIMEOUT || rc == IFP_ESERVER) {
        (void)atomic_fetch_add(&c->all->retries, 1);
        return true;
    }
    write_line(c, "wrong", about, ifp_error_name(rc), ifp_client_error(c->api), 0, 0);
    return false;
}

/* ---- actions -------------------------------------------------------------------------------- */

static void start(struct client *c, struct work *w)
{
    char key[KEY_SIZE], id[IFP_ID_SIZE];
    ifp_start_options o = { .key = key };
    int rc;

    make_key(c, w, key);
    if (w->plan.narrow_key[0]) {
        o.queue = "narrow";
        o.queue_key = w->plan.narrow_key;
    }
    rc = ifp_client_start(c->api, "plan", w->plan.text, &o, id);
    if (rc != 0) {
        (void)may_be_repeated(c, rc, key);
        return;
    }
    write_line(c, "started", key, id, "", 0, 0);
    (void)snprintf(w->id, sizeof(w->id), "%s", id);
}

static void begin(struct client *c)
{
    struct work *w = calloc(1, sizeof(*w));
    char key[KEY_SIZE];

    if (!w || c->count == WORK_MAX) {
        free(w);
        return;
    }
    plan_make(&w->plan, &c->draw, c->all->slow);
    w->number = c->count;
    w->owes_cancel = w->plan.end == PLAN_ENDLESS;
    c->work[c->count++] = w;
    make_key(c, w, key);
    write_line(c, "plan", key, w->plan.text, plan_end_name(w->plan.end), 0, 0);
    start(c, w);
}

static void make_dedupe(const struct client *c, const struct work *w, int wait, char ret[KEY_SIZE])
{
    (void)snprintf(ret, KEY_SIZE, "m%d-%d-%d", c->number, w->number, wait);
}

/* Sends what the execution's next wait is for; IFP_ECONFLICT means that it has ended. */
static void feed(struct client *c, struct work *w)
{
    const struct plan_wait *wait = &w->plan.waits[w->owed_waits];
    char dedupe[KEY_SIZE], message[KEY_SIZE + 2];
    int rc;

    make_dedupe(c, w, w->owed_waits, dedupe);
    (void)snprintf(message, sizeof(message), "\"%s\"", dedupe);
    write_line(c, "try", w->id, wait->name, dedupe, 0, 0);
    rc = ifp_client_send(c->api, w->id, wait->name, message, dedupe);
    if (rc == 0)
        write_line(c, "sent", w->id, wait->name, dedupe, 0, 0);
    else if (rc != IFP_ECONFLICT && may_be_repeated(c, rc, w->id))
        return;
    w->owed_waits++;
}

/* That the server goes down is no news. */
static void ignore_notice(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

/* The same message from a transaction that stays open for a while: it holds the execution's row. */
static void feed_slowly(struct client *c, struct work *w)
{
    const struct plan_wait *wait = &w->plan.waits[w->owed_waits];
    char dedupe[KEY_SIZE], message[KEY_SIZE + 2];
    const char *values[] = { w->id, wait->name, message, dedupe };
    PGconn *db = PQconnectdb(c->conninfo);
    PGresult *r;
    bool ok;

    make_dedupe(c, w, w->owed_waits, dedupe);
    (void)snprintf(message, sizeof(message), "\"%s\"", dedupe);
    write_line(c, "try", w->id, wait->name, dedupe, 0, 0);
    (void)PQsetNoticeProcessor(db, ignore_notice, NULL);
    PQclear(PQexec(db, "begin"));
    r = PQexecParams(db, "select inferpipe.send($1, $2, $3::json, $4)", 4, NULL, values, NULL, NULL,
                     0);
    ok = PQresultStatus(r) == PGRES_TUPLES_OK;
    PQclear(r);
    if (ok)
        (void)poll(NULL, 0, (int)draw_between(&c->draw, 50, HELD_MAX_MS));
    r = PQexec(db, "commit");
    ok = ok && PQresultStatus(r) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(r), "COMMIT") == 0;
    PQclear(r);
    PQfinish(db);
    if (!ok)
        return; /* unknown: it is sent again, with the same dedupe text */
    write_line(c, "sent", w->id, wait->name, dedupe, 0, 0);
    w->owed_waits++;
}

static void cancel(struct client *c, struct work *w, bool force)
{
    int rc;

    write_line(c, "cancel", w->id, force ? "force" : "soft", "", 0, 0);
    rc = ifp_client_cancel(c->api, w->id, force);
    if (rc == 0 || rc == IFP_ECONFLICT || !may_be_repeated(c, rc, w->id))
        w->owes_cancel = false;
}

static void look(struct client *c, struct work *w, int64_t wait_ms)
{
    static const char *const names[] = { "queued", "running", "completed", "failed", "canceled" };
    int64_t from = clock_mono_us();
    ifp_execution e = { .status = IFP_QUEUED };
    int rc =
        wait_ms ? ifp_client_wait(c->api, w->id, wait_ms, &e) : ifp_client_get(c->api, w->id, &e);

    if (rc == 0)
        write_line(c, "seen", w->id, names[e.status],
                   e.output       ? e.output
                   : e.error_code ? e.error_code
                                  : "",
                   from, clock_mono_us());
    else
        (void)may_be_repeated(c, rc, w->id);
    ifp_execution_release(&e);
}

/* ---- turns ---------------------------------------------------------------------------------- */

static struct work *recent(struct client *c)
{
    int from = c->count > RECENT ? c->count - RECENT : 0;

    return c->count ? c->work[draw_between(&c->draw, from, c->count - 1)] : NULL;
}

/* One thing that this execution needs from us. */
static void owe(struct client *c, struct work *w)
{
    if (!w || w->settled)
        return;
    if (!w->id[0])
        start(c, w);
    else if (w->owed_waits < w->plan.wait_count && draw_chance(&c->draw, 8))
        feed_slowly(c, w);
    else if (w->owed_waits < w->plan.wait_count)
        feed(c, w);
    else if (w->owes_cancel)
        cancel(c, w, draw_chance(&c->draw, 40));
    else
        w->settled = true;
}

static int count_open(struct client *c)
{
    int open = 0;

    while (c->first_open < c->count && c->work[c->first_open]->settled)
        c->first_open++;
    for (int i = c->first_open; i < c->count; i++)
        open += !c->work[i]->settled;
    return open;
}

/* One of the open executions; NULL when there is none. */
static struct work *some_open(struct client *c)
{
    int open = count_open(c), nth = open ? (int)draw_between(&c->draw, 1, open) : 0;

    for (int i = c->first_open; nth > 0; i++)
        if (!c->work[i]->settled && --nth == 0)
            return c->work[i];
    return NULL;
}

static bool may_begin(struct client *c)
{
    return c->all->slow ? c->count < SLOW_WORK_MAX : count_open(c) < OPEN_MAX;
}

static void act(struct client *c)
{
    int64_t card = draw_between(&c->draw, 1, 100);
    struct work *w = recent(c);

    if (!w || (card <= 40 && may_begin(c)))
        begin(c);
    else if (card <= 70)
        owe(c, some_open(c));
    else if (card <= 77)
        start(c, w); /* once more, under the same key */
    else if (card <= 95 && w->id[0])
        look(c, w, card <= 80 ? 200 : 0);
    else if (card <= 97 && w->id[0] && !c->all->slow)
        cancel(c, w, card == 97);
}

/* What is owed, to each once. */
static void settle(struct client *c)
{
    for (int i = 0; i < c->count && !atomic_load(&c->all->closing); i++)
        owe(c, c->work[i]);
}

static void look_back(struct client *c)
{
    for (int i = 0; i < c->count && !atomic_load(&c->all->closing); i++)
        if (c->work[i]->id[0])
            look(c, c->work[i], 0);
}

static void *live(void *ctx)
{
    struct client *c = ctx;
    struct clients *all = c->all;
    int seen_back = 0;

    while (!atomic_load(&all->closing)) {
        if (atomic_load(&all->looking) > 0 && !seen_back) {
            look_back(c);
            seen_back = 1;
            (void)atomic_fetch_sub(&all->looking, 1);
        }
        if (atomic_load(&all->finishing))
            settle(c);
        else
            act(c);
        atomic_store(&all->open[c->number], count_open(c));
        (void)poll(NULL, 0, (int)draw_between(&c->draw, PAUSE_MIN_MS, PAUSE_MAX_MS));
    }
    return NULL;
}

/* ---- what the run calls --------------------------------------------------------------------- */

static void open_one(struct clients *all, int number, struct proxy *p, uint64_t seed)
{
    struct client *c = &all->clients[number];

    c->all = all;
    c->number = number;
    c->link = proxy_link(p, "127.0.0.1");
    draw_seed(&c->draw, seed, STREAM + (uint64_t)number);
    (void)snprintf(c->conninfo, sizeof(c->conninfo),
                   "host=127.0.0.1,127.0.0.1 port=%d,%d user=postgres dbname=chaos sslmode=disable"
                   " gssencmode=disable target_session_attrs=read-write connect_timeout=5",
                   proxy_port(p, c->link, 0), proxy_port(p, c->link, 1));
    if (ifp_client_open(c->conninfo, &c->api) != 0 && !c->api) {
        fprintf(stderr, "chaos: no memory for a client\n");
        exit(2);
    }
    atomic_store(&all->open[number], 1);
    if (pthread_create(&c->thread, NULL, live, c) != 0) {
        fprintf(stderr, "chaos: no thread for a client\n");
        exit(2);
    }
}

struct clients *clients_open(struct proxy *p, uint64_t seed, bool slow, FILE *history)
{
    struct clients *all = calloc(1, sizeof(*all));

    if (!all) {
        fprintf(stderr, "chaos: out of memory\n");
        exit(2);
    }
    all->history = history;
    all->slow = slow;
    for (int i = 0; i < CLIENTS; i++)
        open_one(all, i, p, seed);
    return all;
}

int clients_link(const struct clients *c, int client)
{
    return c->clients[client].link;
}

void clients_finish(struct clients *c)
{
    for (int i = 0; i < CLIENTS; i++)
        atomic_store(&c->open[i], 1); /* until they have looked */
    atomic_store(&c->finishing, true);
}

int clients_open_work(struct clients *c)
{
    int open = 0;

    for (int i = 0; i < CLIENTS; i++)
        open += atomic_load(&c->open[i]);
    return open;
}

void clients_look_back(struct clients *c)
{
    atomic_store(&c->looking, CLIENTS);
    while (atomic_load(&c->looking) > 0)
        (void)poll(NULL, 0, 10);
}

int64_t clients_retries(struct clients *c)
{
    return atomic_load(&c->retries);
}

void clients_close(struct clients *c)
{
    if (!c)
        return;
    atomic_store(&c->closing, true);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *one = &c->clients[i];

        (void)pthread_join(one->thread, NULL);
        ifp_client_close(one->api);
        for (int k = 0; k < one->count; k++)
            free(one->work[k]);
    }
    free(c);
}
