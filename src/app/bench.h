/*
 * app/bench.h - what the parts of `bench` share.
 */
#ifndef APP_BENCH_H
#define APP_BENCH_H

#include <inferpipe.h>

/* The workflows that are measured (bench_flows.c), for ifp_app_free; NULL when memory is out. */
ifp_app *bench_flows(void);

#endif
