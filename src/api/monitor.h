/*
 * api/monitor.h - a small listener of a worker, or of one of several servers on one port: /metrics
 * and /health of this process, without a key, on CONFIG_METRICS_HOST and CONFIG_METRICS_PORT.
 */
#ifndef API_MONITOR_H
#define API_MONITOR_H

#include "base/config.h"
#include "loop/loop.h"

struct monitor;

/* *ret is NULL when the configuration asks for none; otherwise it is to be closed, after a failure
 * too. */
int monitor_open(struct loop *l, const struct config *config, struct monitor **ret,
                 struct err *e) MUSTCHECK;
int monitor_port(const struct monitor *m);
/* `closed` comes from the loop, or at once when m is NULL. */
void monitor_close(struct monitor *m, loop_fn *closed, void *ctx);

#endif
