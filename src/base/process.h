/* base/process.h - what this process uses, as the kernel tells it. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdint.h>

struct process_usage {
    int64_t cpu_us;    /* of user and system together */
    int64_t rss_bytes; /* 0 when the kernel does not say */
    int64_t fds;       /* open file descriptors; 0: not known */
    int64_t born_us;   /* since 1970; 0: not known */
};

void process_usage(struct process_usage *ret);

#endif
