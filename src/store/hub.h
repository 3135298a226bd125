/*
 * store/hub.h - waits for the ends of executions, and follows their streams, for all requests of a
 * server together: one statement a turn for however many wait, no polling by each.
 *
 *   hub_wait ----> IDLE -told, or its time came-> READY -> FLIGHT -ended-> `ended`, and out
 *                   ^                                        |
 *                   +----------------------------------------+
 *   hub_follow --> READY -> FLIGHT -> `event` for each, then `page` -> READY, IDLE or PAUSED
 *
 * Woken by notifications (sql/schema/awaited.sql), which may be lost: so each watch is also looked
 * at every 500 ms, every 100 ms while nothing can be heard, at most HUB_POLL of them a look.
 * A callback may end any watch, its own included.  Loop thread only.
 */
#ifndef STORE_HUB_H
#define STORE_HUB_H

#include "base/jsonscan.h"
#include "store/front.h"

enum { HUB_BATCH = 200, HUB_POLL = 1000, HUB_PAGE = 100, HUB_PAGE_BYTES = 262144 };

struct hub;
struct hub_watch;

/* How an execution has ended; texts and slices live during the callback. */
struct hub_end {
    int64_t exec_id;
    enum hub_status { HUB_COMPLETED = 1, HUB_FAILED, HUB_CANCELED } status;
    const char *workflow, *version, *traceparent; /* the last may be NULL */
    int64_t created_us, started_us, finished_us;  /* started 0: it never was */
    struct slice output;                          /* text NULL: none */
    const char *error_code, *error;               /* NULL: none */
    int64_t tokens;                               /* -1: nobody said */
    const char *usd;                              /* NULL: nobody said */
};
struct hub_event {
    int32_t seq;
    int64_t at_us;
    const char *kind;
    struct slice data;
};

struct hub_watch {
    struct list link; /* in a list of the hub, by state */
    struct list same; /* the watches of one execution */
    struct hub *hub;  /* borrowed; NULL: not in any */
    int64_t exec_id, looked_us;
    int32_t after; /* of a stream: the number of the last event given */
    int32_t last;  /* of a stream: the highest number there was */
    int state, slot;
    bool stream;
    void *ctx;
    void (*ended)(struct hub_watch *w, const struct hub_end *end); /* it is out of the hub then */
    void (*event)(struct hub_watch *w, const struct hub_event *event);
    /* After a page.  `ended`: there is nothing behind it and never will be; else true goes on,
     * false pauses it until hub_resume. */
    bool (*page)(struct hub_watch *w, bool ended);
};

int hub_open(struct front *f, struct hub **ret, struct err *e) MUSTCHECK;
/* No watch may be in it. */
void hub_close(struct hub *h, loop_fn *closed, void *ctx);
/* So many may be in it: CONFIG_WAITS_MAX. */
bool hub_full(const struct hub *h);
int hub_count(const struct hub *h);
/* `told`: the execution was started with STARTS_FLAG_AWAITED; else that is set now. */
int hub_wait(struct hub *h, struct hub_watch *w, int64_t exec_id, bool told) MUSTCHECK;
int hub_follow(struct hub *h, struct hub_watch *w, int64_t exec_id, int32_t after,
               bool told) MUSTCHECK;
void hub_resume(struct hub_watch *w);
/* At once; fine when it is in no hub. */
void hub_leave(struct hub_watch *w);

#endif
