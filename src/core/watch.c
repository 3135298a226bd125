/* core/watch.c - one small record a peer, kept between looks; see the header for the rules. */
#include "core/watch.h"

#include "base/mem.h"

#include <assert.h>

struct watch_peer {
    int64_t beats;
    int64_t changed_us;    /* when beats was last seen to change */
    int64_t backend_start; /* of the backend that was seen alive; 0: none was */
    int gone_looks;
    bool seen; /* in the present round */
};

void watch_init(struct watch *w, int64_t lease_us)
{
    assert(lease_us > 0);
    *w = (struct watch){ .lease_us = lease_us };
    map_init(&w->peers);
}

static void forget_all(struct watch *w)
{
    size_t pos = 0;
    uint64_t id;

    for (struct watch_peer *p; (p = map_next(&w->peers, &pos, &id)) != NULL;)
        mem_free(p);
    map_release(&w->peers);
    map_init(&w->peers);
}

void watch_release(struct watch *w)
{
    forget_all(w);
    map_release(&w->peers);
}

void watch_restart(struct watch *w, int64_t now_us)
{
    assert(now_us >= w->last_look_us);
    forget_all(w);
    w->since_us = now_us;
    w->last_look_us = now_us;
    w->postmaster = 0;
}

void watch_begin(struct watch *w, int64_t now_us, int64_t postmaster)
{
    size_t pos = 0;
    uint64_t id;

    assert(now_us >= w->last_look_us);
    if (now_us - w->last_look_us > w->lease_us / 2 ||
        (w->postmaster != 0 && w->postmaster != postmaster))
        watch_restart(w, now_us);
    assert(w->since_us <= now_us);
    w->last_look_us = now_us;
    w->postmaster = postmaster;
    for (struct watch_peer *p; (p = map_next(&w->peers, &pos, &id)) != NULL;)
        p->seen = false;
}

static struct watch_peer *meet(struct watch *w, int64_t now_us, const struct watch_look *look)
{
    struct watch_peer *p = map_get(&w->peers, (uint64_t)look->worker);

    if (p)
        return p;
    p = mem_zalloc(sizeof(*p));
    if (!p)
        return NULL;
    *p = (struct watch_peer){ .beats = look->beats, .changed_us = now_us };
    if (map_put(&w->peers, (uint64_t)look->worker, p) != 0) {
        mem_free(p);
        return NULL;
    }
    return p;
}

/* The hint: three looks without the backend that we once saw. */
static enum watch_verdict judge_backend(struct watch *w, int64_t now_us, struct watch_peer *p,
                                        const struct watch_look *look)
{
    assert(p->changed_us <= now_us && p->gone_looks >= 0);
    if (look->backend == WATCH_THERE) {
        p->backend_start = look->backend_start;
        p->gone_looks = 0;
        return WATCH_ALIVE;
    }
    if (look->backend == WATCH_UNKNOWN || look->backend_start == 0 ||
        p->backend_start != look->backend_start || now_us - w->since_us <= w->lease_us) {
        p->gone_looks = 0;
        return WATCH_ALIVE;
    }
    return ++p->gone_looks >= WATCH_GONE_LOOKS ? WATCH_DEAD_GONE : WATCH_SUSPECT;
}

enum watch_verdict watch_peer(struct watch *w, int64_t now_us, const struct watch_look *look)
{
    struct watch_peer *p = meet(w, now_us, look);

    assert(now_us >= w->last_look_us);
    assert(look->backend >= WATCH_UNKNOWN && look->backend <= WATCH_THERE);
    if (!p)
        return WATCH_ALIVE;
    assert(!p->seen); /* once a round */
    p->seen = true;
    if (look->beats != p->beats) {
        p->beats = look->beats;
        p->changed_us = now_us;
    }
    if (now_us - p->changed_us >= w->lease_us)
        return WATCH_DEAD_SILENT;
    return judge_backend(w, now_us, p, look);
}

void watch_end(struct watch *w)
{
    size_t pos = 0;
    uint64_t id;
    struct watch_peer *p;

    /* map_next allows no changes on its way: start again after each removal. */
    while ((p = map_next(&w->peers, &pos, &id)) != NULL) {
        if (p->seen)
            continue;
        map_del(&w->peers, id);
        mem_free(p);
        pos = 0;
    }
}
