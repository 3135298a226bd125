/*
 * tests/chaos/workers.h - the worker processes of a run: started, hurt, started again.
 *
 * Each slot is one command.  Slot 0 lives in a network namespace of its own where that is allowed,
 * the last slot is a supervisor with two workers, the others are plain.  Each has a link of the
 * proxy.  A command that dies is started again by workers_tend; one that ends by itself, or of
 * anything but SIGKILL, is a violation.
 */
#ifndef CHAOS_WORKERS_H
#define CHAOS_WORKERS_H

#include "chaos/proxy.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    WORKERS_SLOTS = 4,
    WORKERS_APART = 0,                      /* the slot in a namespace */
    WORKERS_SUPERVISED = WORKERS_SLOTS - 1, /* the slot with two workers */
    WORKERS_DEAF = 1,       /* of a control: it does not notice that it lost its lease */
    WORKERS_DEAF_SLOTS = 8, /* all taken: then it does not claim, which would tell it */
    WORKERS_LEASE_MS = 2000,
    WORKERS_PIDS = 4 /* processes of a slot, at most */
};

/* Lanes of the namespace's cable that can be cut. */
enum { WORKERS_CABLE_IN = 1, WORKERS_CABLE_OUT = 2 };

struct workers_slot {
    int link;
    pid_t pid;            /* 0: none */
    pid_t stopped;        /* which of its processes is paused; 0: none */
    int64_t resume_us;    /* until when */
    int64_t cable_us;     /* until when the cable is cut; 0: it is not */
    bool armed;           /* this process dies at a crash point */
    bool told;            /* it was told to stop */
    const char *crash_at; /* of the next process; borrowed, NULL: nowhere */
    char conninfo[256];
};

struct workers {
    struct workers_slot slots[WORKERS_SLOTS];
    char program[256], home[160], log[192];
    volatile int64_t *clocks; /* shared with the processes */
    bool deaf;                /* there is a deaf one */
    bool alone;               /* nobody but the deaf one is started yet */
    bool stopping;
    char space[32]; /* the namespace; "": none */
    char space_address[16], our_address[16], space_mac[24], our_mac[24];
    int violations;
    int started, died;
};

/* `home` gets the ledger and the log; `program` is the worker. */
void workers_open(struct workers *w, struct proxy *p, const char *program, const char *home,
                  bool deaf);
/* Starts what is missing, ends pauses and cable cuts whose time is over. */
void workers_tend(struct workers *w);
/* `which` chooses among the processes of the slot. */
void workers_kill(struct workers *w, int slot, uint64_t which);
void workers_pause(struct workers *w, int slot, uint64_t which, int64_t for_us);
/* Kills it; its successor dies at the n-th pass of a crash point. */
void workers_crash(struct workers *w, int slot, uint64_t which);
/* SIGTERM: it hands back what it has and ends with 0. */
void workers_tell(struct workers *w, int slot);
void workers_clock(struct workers *w, int slot, int64_t shift_us);
/* False: there is no namespace. */
bool workers_cable(struct workers *w, int lanes, int64_t for_us);
/* Ends all faults and goes on with workers that are left alone. */
void workers_heal(struct workers *w);
/* SIGTERM; each must end with 0 within a minute. */
void workers_stop(struct workers *w);
/* Kills what is left and removes the namespace.  Safe to call twice. */
void workers_close(struct workers *w);

#endif
