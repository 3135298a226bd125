/*
 * engine/claim.h - brings executions into this process: claims, their journals, and the adoption
 * of what the database says is ours after an answer was lost.
 */
#ifndef ENGINE_CLAIM_H
#define ENGINE_CLAIM_H

#include "base/map.h"
#include "core/probe.h"
#include "loop/loop.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct ifp_run;

enum { CLAIM_LOADS_MAX = 200 }; /* journals read by one statement */

struct claim_lane {
    int32_t id;
    const struct engine_workflow *workflow; /* borrowed */
    int32_t queue; /* a limited one: quotas.h claims from it; 0: it is not limited */
    bool paused;
};

struct claim { /* part of struct engine */
    struct store_op op, load, owned, lanes_op;
    struct probe probe;
    struct probe_spot spots[PROBE_BATCH_MAX]; /* of the claim in flight */
    size_t spot_count;
    int64_t claimed_as, owned_as; /* who sent what is in flight */
    int64_t sent_us;              /* when the last claim was sent */
    int limit;                    /* of the claim in flight */
    int load_limit;               /* rows a run, of the journal read in flight */
    struct claim_lane *lanes;     /* owned */
    int32_t *lane_ids;            /* owned: those not paused, the limited ones last */
    size_t lane_count, id_count;
    size_t plain_count; /* of lane_ids, those that this file claims from */
    bool lanes_stale;   /* read them again when the answer is there */
    bool hungry;        /* the last claim found less than it asked for */
    struct timer wake;  /* something will be due at a spot */
    int64_t wake_us;    /* when that timer ends, database clock; 0: it is not armed */
    struct timer poll;  /* without notifications */
    struct timer adopt;
    bool adopt_due, adopt_again;
    struct map released; /* executions let go while a look-up of owned ones is under way */
    struct list loading; /* runs whose journal is being read */
};

void claim_open(struct engine *e);
void claim_close(struct engine *e);
/* (Re)reads the lanes. */
void claim_lanes(struct engine *e);
/* How many shards the database has: claims look into each. */
void claim_shards(struct engine *e, int shards);
/* Claims, loads and adopts what it may. */
void claim_turn(struct engine *e);
/* Executions may be taken in: there is a lease, a free slot, and nothing that forbids it. */
bool claim_allowed(const struct engine *e);
/* Takes a claimed row in; what memory has no room for stays ours and is adopted later. */
int claim_take_in(struct engine *e, const struct store_claimed *row);
/* Executions that a claim in flight may bring. */
int claim_asked(const struct engine *e);
/* Something may be ready in the lane (0: in any). */
void claim_mark(struct engine *e, int32_t lane);
/* A notification: work came for the lane (0: for any). */
void claim_wake(struct engine *e, int32_t lane);
/* Something will be ready there then (database time). */
void claim_expect(struct engine *e, int32_t lane, int16_t shard, int16_t prio, int64_t ready_us);
/* After a lost connection: look for what is ours, now and again after a lease. */
void claim_adopt_soon(struct engine *e);
/* The run left this process. */
void claim_released(struct engine *e, int64_t exec_id);

#endif
