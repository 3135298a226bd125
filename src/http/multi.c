/*
 * http/multi.c - libcurl's multi socket interface on the loop.
 *
 * Happy path: curl names a socket and what it waits for (on_socket), we poll it and tell curl when
 * it is ready (on_ready); curl names a delay (on_delay), we tell it when that is over.  After each
 * of the two the transfers that have ended are collected.
 *
 * Curl is never entered from inside one of its own callbacks: delays of zero also go through the
 * timer.  Of the handles only the polls need a close by the loop, so each is memory of its own that
 * may outlive the multi handle by a turn.
 *
 * Failure: a socket that is not polled would break all transfers, not one.  So each transfer brings
 * the memory for its polls along, and one that cannot have it does not begin.
 */
#include "http/multi.h"

#include "base/list.h"
#include "base/mem.h"

#include <assert.h>
#include <uv.h>

enum { POLLS_EACH = 4 }; /* two connections beside each other, and the resolver's pair */

struct multi {
    struct loop *loop; /* borrowed */
    CURLM *curl;       /* owned */
    struct timer timer;
    struct deferred again; /* the timer could not be armed */
    struct list spare;     /* of socket_poll.link, owned */
    int transfers;
    int polls; /* in use or spare: at least POLLS_EACH for each transfer */
    multi_ended_fn *ended;
    void *ctx;
};

struct socket_poll {  /* freed when the loop has closed it */
    struct list link; /* in multi->spare */
    uv_poll_t uv;
    struct multi *multi; /* borrowed; NULL once curl has let go of the socket */
    curl_socket_t fd;
};

static void collect(struct multi *m)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(m->curl, &left))) {
        CURL *easy = msg->easy_handle;
        CURLcode code = msg->data.result;

        assert(msg->msg == CURLMSG_DONE);
        multi_remove(m, easy); /* msg is gone with this */
        m->ended(m->ctx, easy, code);
    }
}

static void turn(struct multi *m, curl_socket_t fd, int events)
{
    int running;

    curl_multi_socket_action(m->curl, fd, events, &running);
    collect(m);
}

/* ---- time ----------------------------------------------------------------------------------- */

static void on_time(void *ctx)
{
    turn(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static int on_delay(CURLM *curl, long ms, void *ctx)
{
    struct multi *m = ctx;

    (void)curl;
    deferred_cancel(&m->again);
    if (ms < 0)
        timer_stop(&m->timer);
    else if (timer_start(&m->timer, (int64_t)ms * 1000) != 0)
        deferred_call(&m->again); /* early is fine: curl then says again how long to wait */
    return 0;
}

/* ---- sockets -------------------------------------------------------------------------------- */

static void on_ready(uv_poll_t *uv, int status, int events)
{
    struct socket_poll *p = CONTAINER_OF(uv, struct socket_poll, uv);
    int what = status < 0 ? CURL_CSELECT_ERR : 0;

    if (!p->multi)
        return;
    what |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    what |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    turn(p->multi, p->fd, what);
}

static void on_closed(uv_handle_t *uv)
{
    mem_free(CONTAINER_OF((uv_poll_t *)uv, struct socket_poll, uv));
}

static void forget(struct multi *m, struct socket_poll *p)
{
    curl_multi_assign(m->curl, p->fd, NULL);
    p->multi = NULL;
    m->polls--;
    uv_poll_stop(&p->uv);
    uv_close((uv_handle_t *)&p->uv, on_closed);
}

static bool have_polls(struct multi *m, int wanted)
{
    while (m->polls < wanted) {
        struct socket_poll *p = mem_zalloc(sizeof(*p));

        if (!p)
            return false;
        list_init(&p->link);
        list_push(&m->spare, &p->link);
        m->polls++;
    }
    return true;
}

static void drop_spare(struct multi *m, int wanted)
{
    struct list *link;

    while (m->polls > wanted && (link = list_pop(&m->spare))) {
        mem_free(CONTAINER_OF(link, struct socket_poll, link));
        m->polls--;
    }
}

static struct socket_poll *watch(struct multi *m, curl_socket_t fd)
{
    struct socket_poll *p;

    if (list_empty(&m->spare) && !have_polls(m, m->polls + 1))
        return NULL;
    p = CONTAINER_OF(m->spare.next, struct socket_poll, link);
    if (uv_poll_init_socket(loop_uv(m->loop), &p->uv, fd) < 0)
        return NULL;
    list_del(&p->link);
    p->multi = m;
    p->fd = fd;
    curl_multi_assign(m->curl, fd, p); /* which fails for a socket that is not curl's */
    return p;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *poll)
{
    struct multi *m = ctx;
    struct socket_poll *p = poll;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (p)
            forget(m, p);
        return 0;
    }
    if (!p)
        p = watch(m, fd);
    if (!p)
        return -1;
    events |= what & CURL_POLL_IN ? UV_READABLE : 0;
    events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
    return uv_poll_start(&p->uv, events, on_ready) < 0 ? -1 : 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

static bool configure(struct multi *m, long connections)
{
    return curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m) == CURLM_OK &&
           curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_delay) == CURLM_OK &&
           curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m) == CURLM_OK &&
           curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, connections) == CURLM_OK;
}

int multi_open(struct loop *l, int connections, multi_ended_fn *ended, void *ctx,
               struct multi **ret, struct err *e)
{
    struct multi *m = mem_zalloc(sizeof(*m));

    assert(connections >= 1);
    if (!m)
        return err_set(e, IFP_ENOMEM, "http client: out of memory");
    m->loop = l;
    m->ended = ended;
    m->ctx = ctx;
    list_init(&m->spare);
    timer_init(&m->timer, l, on_time, m);
    deferred_init(&m->again, l, on_time, m);
    m->curl = curl_multi_init();
    if (!m->curl || !configure(m, connections)) {
        multi_close(m);
        return err_set(e, IFP_ENOMEM, "http client: out of memory");
    }
    *ret = m;
    return 0;
}

void multi_close(struct multi *m)
{
    if (!m)
        return;
    if (m->curl)
        curl_multi_cleanup(m->curl); /* closes idle connections: on_socket lets go of them */
    timer_stop(&m->timer);
    deferred_cancel(&m->again);
    assert(m->transfers == 0);
    drop_spare(m, 0);
    mem_free(m);
}

int multi_add(struct multi *m, CURL *easy)
{
    if (!have_polls(m, (m->transfers + 1) * POLLS_EACH) ||
        curl_multi_add_handle(m->curl, easy) != CURLM_OK) {
        drop_spare(m, m->transfers * POLLS_EACH);
        return IFP_ENOMEM;
    }
    m->transfers++;
    return 0;
}

void multi_remove(struct multi *m, CURL *easy)
{
    curl_multi_remove_handle(m->curl, easy);
    assert(m->transfers > 0);
    m->transfers--;
    drop_spare(m, m->transfers * POLLS_EACH);
}
