/*
 * core/journal.c - slots in an array by call number; everything lives in the execution's arena.
 *
 * The array doubles inside the arena, so growth leaves at most as much behind as it uses.  Pending
 * rows are nearly always the newest ones, so the walk over them starts near the end.
 */
#include "core/journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 2, ELSEWHERE_ROWS = 64 };

void journal_init(struct journal *j, struct arena *a, uint32_t rows_max)
{
    assert(a && rows_max > 0);
    *j = (struct journal){ .arena = a, .rows_max = rows_max };
}

const char *journal_kind_name(enum journal_kind kind)
{
    switch (kind) {
    case JOURNAL_STEP:
        return "step";
    case JOURNAL_SLEEP:
        return "sleep";
    case JOURNAL_MESSAGE:
        return "receive";
    case JOURNAL_CHILD:
        return "child";
    case JOURNAL_NOW:
        return "now";
    case JOURNAL_TX:
        return "transactional step";
    case JOURNAL_PARALLEL:
        return "parallel step";
    case JOURNAL_ATTEMPTS:
        return "attempts";
    case JOURNAL_INTENT:
        return "intent";
    case JOURNAL_UNWIND:
        return "unwind";
    case JOURNAL_EMIT:
        return "emit";
    case JOURNAL_PATCH:
        return "patch";
    case JOURNAL_CHILD_END:
        return "end of a child";
    case JOURNAL_CONTINUED:
        return "continue as new";
    case JOURNAL_AWAIT:
        return "await";
    case JOURNAL_PROGRESS:
        return "progress";
    case JOURNAL_EVENTS:
        return "events";
    case JOURNAL_NONE:
        break;
    }
    return "nothing";
}

static bool grow(struct journal *j, uint32_t need)
{
    uint32_t cap = j->cap ? j->cap : SLOTS_FIRST;
    struct journal_slot *slots;

    assert(need > j->cap && need <= INT32_MAX);
    while (cap < need)
        cap *= 2;
    slots = arena_zalloc(j->arena, cap * sizeof(*slots));
    if (!slots)
        return false;
    if (j->cap > 0)
        memcpy(slots, j->slots, j->cap * sizeof(*slots));
    j->slots = slots;
    j->cap = cap;
    return true;
}

struct journal_slot *journal_slot(struct journal *j, int32_t seq)
{
    assert(seq >= 1);
    if ((uint32_t)seq > j->cap && !grow(j, (uint32_t)seq))
        return NULL;
    assert((uint32_t)seq <= j->cap);
    return &j->slots[seq - 1];
}

struct journal_slot *journal_find(const struct journal *j, int32_t seq)
{
    return seq >= 1 && (uint32_t)seq <= j->cap ? &j->slots[seq - 1] : NULL;
}

const struct journal_row *journal_ended(const struct journal *j, int32_t seq)
{
    const struct journal_slot *slot = journal_find(j, seq);

    if (!slot)
        return NULL;
    assert(!slot->end || slot->end->seq == seq);
    return slot->row.kind == JOURNAL_PARALLEL ? &slot->row : slot->end;
}

static const char *keep_text(struct journal *j, const char *text)
{
    return text ? arena_strndup(j->arena, text, strlen(text)) : NULL;
}

/* Copies texts into the arena; the arena's sticky flag tells about memory at the end. */
static int keep(struct journal *j, struct journal_row *to, const struct journal_row *row)
{
    struct journal_row copy = *row;

    assert(to->kind == JOURNAL_NONE);
    copy.name = keep_text(j, row->name ? row->name : "");
    copy.error_code = keep_text(j, row->error_code);
    copy.error = keep_text(j, row->error);
    if (row->result.text)
        copy.result.text = arena_strndup(j->arena, row->result.text, row->result.len);
    if (j->arena->broken)
        return IFP_ENOMEM;
    *to = copy;
    return 0;
}

static int add_end(struct journal *j, struct journal_slot *slot, const struct journal_row *row)
{
    struct journal_row *end;
    int rc;

    assert(!row->pending); /* whoever ends the child writes it */
    if (slot->end)
        return IFP_EINVALID;
    end = arena_zalloc(j->arena, sizeof(*end));
    rc = end ? keep(j, end, row) : IFP_ENOMEM;
    if (rc != 0)
        return rc;
    slot->end = end;
    j->ends++;
    return 0;
}

static int add_continued(struct journal *j, const struct journal_row *row)
{
    const char *number = row->name ? row->name : "";
    char *end;
    long generation = strtol(number, &end, 10);

    assert(!row->pending); /* the database writes it, with the end of the journal before */
    if (row->seq != 0 || j->generation != 0 || !row->result.text || *end != '\0' ||
        generation < 1 || generation > INT32_MAX)
        return IFP_EINVALID;
    j->input.text = arena_strndup(j->arena, row->result.text, row->result.len);
    if (!j->input.text)
        return IFP_ENOMEM;
    j->input.len = row->result.len;
    j->generation = (int32_t)generation;
    return 0;
}

int journal_add(struct journal *j, const struct journal_row *row)
{
    struct journal_slot *slot;
    int rc;

    if (row->kind == JOURNAL_CONTINUED)
        return add_continued(j, row);
    if (row->seq < 1 || row->kind == JOURNAL_NONE)
        return IFP_EINVALID;
    if ((uint32_t)row->seq > j->rows_max)
        return IFP_ETOOLARGE;
    slot = journal_slot(j, row->seq);
    if (!slot)
        return IFP_ENOMEM;
    if (row->kind == JOURNAL_INTENT) {
        slot->intent_us = row->wake_us;
        return 0;
    }
    if (row->kind == JOURNAL_ATTEMPTS) {
        slot->attempts = row->attempts;
        slot->next_us = row->wake_us;
        return 0;
    }
    if (row->kind == JOURNAL_CHILD_END)
        return add_end(j, slot, row);
    if (row->kind == JOURNAL_PROGRESS) {
        slot->progress = (struct slice){ arena_strndup(j->arena, row->result.text, row->result.len),
                                         row->result.len };
        return slot->progress.text ? 0 : IFP_ENOMEM;
    }
    if (slot->row.kind != JOURNAL_NONE)
        return IFP_EINVALID;
    rc = keep(j, &slot->row, row);
    if (rc != 0)
        return rc;
    j->rows++;
    j->pending += row->pending;
    if (row->pending && (uint32_t)row->seq <= j->committed)
        j->committed = (uint32_t)row->seq - 1;
    if ((uint32_t)row->seq > j->count)
        j->count = (uint32_t)row->seq;
    if (row->kind == JOURNAL_UNWIND)
        j->marker = (uint32_t)row->seq;
    if (!row->pending)
        j->durable = MAX(j->durable, (uint32_t)row->seq);
    assert(j->pending <= j->rows && j->rows <= j->count);
    assert(j->count <= j->cap && j->committed <= j->count);
    return 0;
}

static const struct journal_row *row_at(const struct journal *j, uint32_t seq)
{
    assert(seq >= 1 && j->count <= j->cap);
    if (seq > j->count || j->slots[seq - 1].row.kind == JOURNAL_NONE)
        return NULL;
    assert(j->slots[seq - 1].row.seq == (int32_t)seq);
    return &j->slots[seq - 1].row;
}

/* A row of this very step under a later number: calls were added in front of it.  A few rows are
 * looked at: parallel steps leave wide gaps, and what is further away shows at the next call. */
static const struct journal_row *elsewhere(const struct journal *j, const struct journal_call *call)
{
    uint32_t last = MIN(j->count, (uint32_t)call->seq + ELSEWHERE_ROWS);

    for (uint32_t seq = (uint32_t)call->seq + 1; seq <= last; seq++) {
        const struct journal_row *row = row_at(j, seq);

        if (row && row->step_key == call->step_key)
            return row;
    }
    return NULL;
}

/* The function goes past this call with its row in the journal, unless it is being unwound.  Only
 * what is started and left alone has none for a while. */
static bool leaves_row(enum journal_kind kind)
{
    return kind != JOURNAL_PARALLEL && kind != JOURNAL_CHILD;
}

int journal_answer(const struct journal *j, const struct journal_call *call,
                   const struct journal_row **ret_row, struct err *e)
{
    const struct journal_row *row;

    assert(call->seq >= 1 && call->name);
    assert(call->kind != JOURNAL_NONE && call->kind != JOURNAL_ATTEMPTS);
    assert(call->kind != JOURNAL_INTENT && call->kind != JOURNAL_CHILD_END);
    row = row_at(j, (uint32_t)call->seq);
    if (!row)
        row = elsewhere(j, call);
    if (!row && (uint32_t)call->seq < j->count && !j->marker && leaves_row(call->kind))
        return err_set(e, IFP_ENONDETERMINISTIC,
                       "call %d: expected a parallel step or a child, found %s \"%s\"", call->seq,
                       journal_kind_name(call->kind), call->name);
    if (!row)
        return 0;
    if (row->seq == call->seq && row->kind == call->kind && strcmp(row->name, call->name) == 0) {
        *ret_row = row;
        return 1;
    }
    return err_set(e, IFP_ENONDETERMINISTIC,
                   "call %d: expected %s \"%s\" (recorded as call %d), found %s \"%s\"", call->seq,
                   journal_kind_name(row->kind), row->name, row->seq, journal_kind_name(call->kind),
                   call->name);
}

bool journal_passed(const struct journal *j, int32_t seq)
{
    assert(seq >= 1);
    for (uint32_t at = (uint32_t)seq; at <= j->cap; at++)
        if (j->slots[at - 1].row.kind != JOURNAL_NONE || j->slots[at - 1].attempts > 0 ||
            j->slots[at - 1].intent_us != 0 || j->slots[at - 1].progress.text)
            return true;
    return false;
}

int journal_finish(const struct journal *j, int32_t calls, struct err *e)
{
    assert(calls >= 0);
    for (uint32_t seq = (uint32_t)calls + 1; seq <= j->count; seq++) {
        const struct journal_row *row = row_at(j, seq);

        if (row)
            return err_set(e, IFP_ENONDETERMINISTIC,
                           "call %d: expected %s \"%s\", found the end of the workflow", row->seq,
                           journal_kind_name(row->kind), row->name);
    }
    return 0;
}

struct journal_row *journal_next_pending(struct journal *j, uint32_t *pos)
{
    assert(j->committed <= j->count);
    if (*pos < j->committed)
        *pos = j->committed;
    while (*pos < j->count) {
        struct journal_row *row = &j->slots[(*pos)++].row;

        if (row->kind == JOURNAL_NONE || !row->pending)
            continue;
        assert(j->pending > 0);
        return row;
    }
    return NULL;
}

void journal_committed(struct journal *j)
{
    uint32_t pos = 0;

    for (struct journal_row *row; (row = journal_next_pending(j, &pos)) != NULL;) {
        row->pending = false;
        j->pending--;
    }
    assert(j->pending == 0);
    j->committed = j->count;
    j->durable = j->count;
}
