/*
 * api/admin_list.c - what programs and workers have told of themselves: workflows and workers.
 *
 * A workflow is a name; each version that a program registered is an entry of it, the newest first.
 */
#include "api/admin.h"
#include "store/listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- workflows ------------------------------------------------------------------------------ */

/* Rows come by name, then the newest version first: an object is open from the first row of a name
 * to the next name. */
struct workflows {
    struct admin_page page;
    const char *only; /* borrowed; NULL: all */
    const char *open; /* in the arena: the name whose object is open; NULL: none */
    int64_t live;
    bool found;
};

static void close_workflow(struct workflows *w)
{
    if (!w->open)
        return;
    answer_close(&w->page.answer);
    answer_int(&w->page.answer, "live", w->live);
    answer_close(&w->page.answer);
    w->open = NULL;
}

static bool open_workflow(struct workflows *w, const struct listing_workflow *row)
{
    struct answer *a = &w->page.answer;

    close_workflow(w);
    if (w->only ? strcmp(w->only, row->name) != 0 : !admin_page_wants(&w->page, row->name))
        return false;
    w->open = arena_strndup(a->arena, row->name, strlen(row->name));
    w->live = 0;
    w->found = true;
    answer_object(a, NULL);
    answer_text(a, "id", row->name);
    answer_text(a, "version", row->version);
    answer_text(a, "queue", row->queue);
    answer_array(a, "versions");
    return w->open != NULL;
}

static int add_workflow(void *ctx, const struct listing_workflow *row)
{
    struct workflows *w = ctx;
    struct answer *a = &w->page.answer;

    if ((!w->open || strcmp(w->open, row->name) != 0) && !open_workflow(w, row))
        return 0;
    w->live += row->live;
    answer_object(a, NULL);
    answer_text(a, "version", row->version);
    answer_text(a, "queue", row->queue);
    if (row->deadline_ms > 0)
        answer_int(a, "deadlineMs", row->deadline_ms);
    answer_int(a, "live", row->live);
    answer_int(a, "workers", row->workers);
    answer_time(a, "registeredAt", row->registered_ms * 1000);
    answer_close(a);
    return 0;
}

static int list_workflows(struct offload_call *call, struct client *client, struct err *e)
{
    struct workflows *w = call->data;
    int rc = listing_workflows(client, add_workflow, w, e);

    if (rc != 0)
        return rc;
    close_workflow(w);
    return admin_page_end(&w->page, &call->json, e);
}

static int get_workflow(struct offload_call *call, struct client *client, struct err *e)
{
    struct workflows *w = call->data;
    int rc = listing_workflows(client, add_workflow, w, e);

    if (rc != 0)
        return rc;
    close_workflow(w);
    if (!w->found)
        return err_set(e, IFP_ENOTFOUND, "there is no workflow %.63s", w->only);
    return admin_answer(call, &w->page.answer, e);
}

static struct workflows *new_workflows(struct http_request *r)
{
    struct workflows *w = arena_zalloc(&r->arena, sizeof(*w));

    if (!w)
        admin_no_memory(r);
    return w;
}

void admin_list_workflows(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct workflows *w = new_workflows(r);

    if (w && admin_page_begin(&w->page, r))
        offload_run(api->offload, r, list_workflows, NULL, w);
}

void admin_get_workflow(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct workflows *w = new_workflows(r);

    if (!w)
        return;
    w->only = r->params[0].text;
    answer_begin(&w->page.answer, &r->arena);
    offload_run(api->offload, r, get_workflow, NULL, w);
}

/* ---- workers -------------------------------------------------------------------------------- */

struct workers {
    struct admin_page page;
    bool begun; /* the cursor's worker was seen, or there is no cursor */
};

/* "name/version name/version" */
static void add_names(struct answer *a, const char *names)
{
    answer_array(a, "workflows");
    while (names && *names) {
        size_t len = strcspn(names, " ");
        char *name = arena_strndup(a->arena, names, len);

        if (name)
            answer_text(a, NULL, name);
        names += len + (names[len] == ' ');
    }
    answer_close(a);
}

static void write_worker(struct answer *a, const char *id, const struct listing_worker *row)
{
    answer_object(a, NULL);
    answer_text(a, "id", id);
    answer_text(a, "state", row->state);
    answer_int(a, "executions", row->executions);
    answer_text(a, "host", row->host);
    answer_int(a, "pid", row->pid);
    answer_text(a, "program", row->program);
    answer_text(a, "version", row->version);
    add_names(a, row->workflows);
    answer_time(a, "startedAt", row->started_ms * 1000);
    answer_time(a, "seenAt", row->seen_ms * 1000);
    answer_text(a, "diedOf", row->died_of);
    answer_close(a);
}

static int add_worker(void *ctx, const struct listing_worker *row)
{
    struct workers *w = ctx;
    char id[24];

    (void)snprintf(id, sizeof(id), "%" PRId64, row->id);
    if (!w->begun)
        w->begun = strcmp(w->page.after.text, id) == 0;
    else if (w->page.count == w->page.limit)
        w->page.more = true;
    else {
        w->page.count++;
        w->page.last = arena_strndup(w->page.answer.arena, id, strlen(id));
        write_worker(&w->page.answer, id, row);
    }
    return 0;
}

static int list_workers(struct offload_call *call, struct client *client, struct err *e)
{
    struct workers *w = call->data;
    int rc = listing_workers(client, add_worker, w, e);

    if (rc == 0 && !w->begun)
        rc = err_set(e, IFP_EINVALID, "cursor: its worker is not listed any more, start anew");
    return rc == 0 ? admin_page_end(&w->page, &call->json, e) : rc;
}

void admin_list_workers(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct workers *w = arena_zalloc(&r->arena, sizeof(*w));

    if (!w) {
        admin_no_memory(r);
        return;
    }
    if (!admin_page_begin(&w->page, r))
        return;
    w->begun = !w->page.after.text;
    offload_run(api->offload, r, list_workers, NULL, w);
}
