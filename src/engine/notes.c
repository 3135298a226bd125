/* engine/notes.c - notes are blocks of memory of their own: they go as soon as they are durable. */
#include "engine/notes.h"

#include "base/ids.h"
#include "base/mem.h"
#include "engine/call.h"
#include "engine/internal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

void notes_init(struct notes *n)
{
    *n = (struct notes){ .last = 0 };
    list_init(&n->list);
}

/* Frees those up to this number. */
static void drop(struct notes *n, int32_t upto)
{
    while (!list_empty(&n->list)) {
        struct note *note = CONTAINER_OF(n->list.next, struct note, link);

        if (note->body.number > upto)
            break;
        list_del(&note->link);
        mem_free(note);
    }
}

void notes_clear(struct notes *n)
{
    drop(n, INT32_MAX);
    assert(list_empty(&n->list));
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

int notes_add(struct notes *n, const struct flush_note *note)
{
    size_t name = strlen(note->name), kind = note->kind ? strlen(note->kind) : 0;
    struct note *copy = mem_zalloc(sizeof(*copy) + name + kind + note->data.len + 3);
    char *at;

    if (!copy)
        return IFP_ENOMEM;
    at = (char *)(copy + 1);
    list_init(&copy->link);
    copy->body = *note;
    copy->body.number = ++n->last;
    copy->body.name = keep(&at, note->name, name);
    if (note->kind)
        copy->body.kind = keep(&at, note->kind, kind);
    if (note->data.text)
        copy->body.data.text = keep(&at, note->data.text, note->data.len);
    list_push(&n->list, &copy->link);
    return 0;
}

bool notes_any(const struct notes *n)
{
    return !list_empty(&n->list);
}

void notes_fill(struct notes *n, struct flush *f)
{
    n->sent = n->last;
    for (const struct list *l = n->list.next; l != &n->list; l = l->next)
        flush_add_note(f, &CONTAINER_OF(l, struct note, link)->body);
}

void notes_acked(struct notes *n)
{
    assert(n->sent <= n->last);
    drop(n, n->sent);
}

/* ---- what a workflow says ------------------------------------------------------------------- */

/* A call in front of a recorded one was made before, and what it said is durable with that row. */
static bool is_replay(const struct ifp_run *run)
{
    return (uint32_t)run->seq < run->journal.durable;
}

int ifp_set_state(ifp_run *run, const ifp_json *state)
{
    struct slice text = value_slice(state);
    int64_t mark;

    if (call_is_over(run))
        return call_over(run);
    if ((int64_t)text.len > engine_limit(run->engine, CONFIG_STATE_MAX))
        return call_fatal(run, IFP_ETOOLARGE,
                          "state: %zu bytes are over the limit of %" PRId64 " (state-max)",
                          text.len, engine_limit(run->engine, CONFIG_STATE_MAX));
    if (is_replay(run))
        return 0;
    mark = ids_step_key(text.text, text.len, (uint32_t)run->seq + 1);
    if (mark == run->notes.state_mark)
        return 0; /* said in an earlier pass */
    if (notes_add(&run->notes,
                  &(struct flush_note){
                      .what = FLUSH_STATE, .seq = run->seq, .name = "", .data = text }) != 0)
        return call_fatal(run, IFP_ENOMEM, "state: out of memory");
    run->notes.state_mark = mark;
    return 0;
}
