/* engine/notes.c - notes are blocks of memory of their own: they go as soon as they are durable. */
#include "engine/notes.h"

#include "base/ids.h"
#include "base/mem.h"
#include "engine/call.h"
#include "engine/internal.h"
#include "store/client.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

void notes_init(struct notes *n)
{
    *n = (struct notes){ .last = 0 };
    list_init(&n->list);
}

void notes_acked(struct notes *n, int32_t upto)
{
    assert(upto == INT32_MAX || upto <= n->last);
    while (!list_empty(&n->list)) {
        struct note *note = CONTAINER_OF(n->list.next, struct note, link);

        if (note->body.number > upto)
            break;
        assert(n->bytes >= note->body.data.len);
        n->bytes -= note->body.data.len;
        list_del(&note->link);
        mem_free(note);
    }
}

void notes_clear(struct notes *n)
{
    notes_acked(n, INT32_MAX);
    assert(list_empty(&n->list) && n->bytes == 0);
}

/* Copies a text of `len` bytes to *at, zero-terminated, and moves *at behind it. */
static const char *keep(char **at, const char *text, size_t len)
{
    char *kept = *at;

    memcpy(kept, text, len);
    kept[len] = '\0';
    *at += len + 1;
    return kept;
}

struct note *notes_copy(const struct flush_note *note)
{
    size_t name = strlen(note->name), kind = note->kind ? strlen(note->kind) : 0;
    struct note *copy = mem_zalloc(sizeof(*copy) + name + kind + note->data.len + 3);
    char *at;

    if (!copy)
        return NULL;
    at = (char *)(copy + 1);
    list_init(&copy->link);
    copy->body = *note;
    copy->body.name = keep(&at, note->name, name);
    if (note->kind)
        copy->body.kind = keep(&at, note->kind, kind);
    if (note->data.text)
        copy->body.data.text = keep(&at, note->data.text, note->data.len);
    assert(at <= (char *)(copy + 1) + name + kind + note->data.len + 3);
    return copy;
}

void notes_push(struct notes *n, struct note *note)
{
    assert(n->last < INT32_MAX);
    note->body.number = ++n->last;
    n->bytes += note->body.data.len;
    n->events += note->body.what == FLUSH_EVENT;
    list_push(&n->list, &note->link);
}

int notes_add(struct notes *n, const struct flush_note *note)
{
    struct note *copy = notes_copy(note);

    if (!copy)
        return IFP_ENOMEM;
    notes_push(n, copy);
    return 0;
}

bool notes_any(const struct notes *n)
{
    return !list_empty(&n->list);
}

void notes_make_due(struct notes *n)
{
    assert(n->due <= n->last);
    n->due = n->last;
}

bool notes_due(const struct notes *n)
{
    return notes_any(n) && CONTAINER_OF(n->list.next, struct note, link)->body.number <= n->due;
}

bool notes_early(const struct notes *n)
{
    return notes_any(n) && CONTAINER_OF(n->list.next, struct note, link)->body.what != FLUSH_COST;
}

int32_t notes_fill_early(const struct notes *n, struct flush *f)
{
    int32_t number = 0;

    assert(notes_early(n));
    for (const struct list *l = n->list.next; l != &n->list; l = l->next) {
        const struct flush_note *note = &CONTAINER_OF(l, struct note, link)->body;

        if (note->what == FLUSH_COST)
            break;
        flush_add_note(f, note);
        number = note->number;
    }
    assert(number > 0 && number <= n->last);
    return number;
}

int32_t notes_fill(const struct notes *n, struct flush *f)
{
    for (const struct list *l = n->list.next; l != &n->list; l = l->next)
        flush_add_note(f, &CONTAINER_OF(l, struct note, link)->body);
    return n->last;
}

/* ---- what a workflow says ------------------------------------------------------------------- */

static int check_size(struct ifp_run *run, const char *what, struct slice text, enum config_id id)
{
    int64_t max = engine_limit(run->engine, id);

    if ((int64_t)text.len <= max)
        return 0;
    return call_fatal(run, IFP_ETOOLARGE, "%s: %zu bytes are over the limit of %" PRId64 " (%s)",
                      what, text.len, max, config_option(id)->flag);
}

/* A call in front of a recorded one was made before, and what it said is durable with that row. */
static bool is_replay(const struct ifp_run *run)
{
    return (uint32_t)run->seq < run->journal.durable;
}

int ifp_set_state(ifp_run *run, const ifp_json *state)
{
    struct flush_note note = {
        .what = FLUSH_STATE, .seq = run->seq, .name = "", .data = value_slice(state)
    };
    int64_t mark;
    int rc;

    if (call_is_over(run))
        return call_over(run);
    rc = check_size(run, "state", note.data, CONFIG_STATE_MAX);
    if (rc != 0 || is_replay(run))
        return rc;
    mark = ids_step_key(note.data.text, note.data.len, (uint32_t)run->seq + 1);
    if (mark == run->notes.state_mark)
        return 0; /* said in an earlier pass */
    if (notes_add(&run->notes, &note) != 0)
        return call_fatal(run, IFP_ENOMEM, "state: out of memory");
    run->notes.state_mark = mark;
    notes_make_due(&run->notes);
    return 0;
}

/* The event and the row that says that it was emitted become durable together. */
static int emit(struct ifp_run *run, const struct journal_call *call, struct flush_note *note)
{
    struct note *copy = notes_copy(note);
    int rc;

    assert(call->kind == JOURNAL_EMIT && note->seq == call->seq);
    if (!copy)
        return call_fatal(run, IFP_ENOMEM, "emit: out of memory");
    rc = call_record(run, &(struct journal_row){ .step_key = call->step_key,
                                                 .seq = call->seq,
                                                 .kind = JOURNAL_EMIT,
                                                 .attempts = 1,
                                                 .name = call->name,
                                                 .sleep_ms = -1,
                                                 .pending = true });
    if (rc != 0) {
        mem_free(copy);
        return rc;
    }
    notes_push(&run->notes, copy);
    notes_make_due(&run->notes);
    return 0;
}

int ifp_emit(ifp_run *run, const char *kind, const ifp_json *data)
{
    struct flush_note note = {
        .what = FLUSH_EVENT, .name = "", .kind = kind, .data = value_slice(data)
    };
    struct journal_call call = { .kind = JOURNAL_EMIT, .name = kind ? kind : "" };
    const struct journal_row *row = NULL;
    struct err e;
    int rc;

    if (call_is_over(run))
        return call_over(run);
    if (client_check_slug("emit: kind", call.name, &e) != 0)
        return call_fatal(run, e.code, "%s", e.text);
    rc = check_size(run, "emit", note.data, CONFIG_EVENT_MAX);
    if (rc == 0)
        rc = call_begin(run, &call, &row, NULL);
    if (rc != 0 || row)
        return rc;
    if (run->notes.events >= engine_limit(run->engine, CONFIG_EVENTS_MAX))
        return call_fatal(run, IFP_ETOOLARGE,
                          "emit: the execution has %d events already (events-max)",
                          run->notes.events);
    note.seq = call.seq;
    return emit(run, &call, &note);
}
