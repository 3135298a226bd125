/*
 * api/admin.c - the routes of administration, and what their handlers share.
 *
 * Each handler reads its request on the loop and does its work through the blocking client on a
 * thread of the offload: the same calls, checks and texts as the command line's.
 */
#include "api/admin.h"

#include "base/err.h"

#include <string.h>

#define PAGE "limit cursor"

const struct route routes_admin[] = {
    { HTTP_GET, "/v1/workflows", SCOPE_WORKFLOWS_READ, 0, admin_list_workflows, "workflows.list",
      "workflows", "List the workflows that programs have registered", PAGE, NULL, "WorkflowList",
      200 },
    { HTTP_GET, "/v1/workflows/{workflowId}", SCOPE_WORKFLOWS_READ, 0, admin_get_workflow,
      "workflows.get", "workflows", "Get a workflow: its versions, their queues and workers", NULL,
      NULL, "Workflow", 200 },
    { HTTP_GET, "/v1/workers", SCOPE_WORKERS_READ, 0, admin_list_workers, "workers.list", "workers",
      "List the worker processes that the database knows", PAGE, NULL, "WorkerList", 200 },
    { HTTP_GET, "/v1/queues", SCOPE_QUEUES_READ, 0, admin_list_queues, "queues.list", "queues",
      "List the queues: what they hold, and their limits", PAGE, NULL, "QueueList", 200 },
    { HTTP_GET, "/v1/queues/{name}", SCOPE_QUEUES_READ, 0, admin_get_queue, "queues.get", "queues",
      "Get a queue", NULL, NULL, "Queue", 200 },
    { HTTP_PUT, "/v1/queues/{name}", SCOPE_QUEUES_WRITE, ROUTE_BODY, admin_put_queue, "queues.put",
      "queues", "Set the limits of a queue; those left out are removed", NULL, "QueueLimits",
      "Queue", 200 },
    { HTTP_PATCH, "/v1/queues/{name}", SCOPE_QUEUES_WRITE, ROUTE_BODY, admin_patch_queue,
      "queues.patch", "queues", "Change limits of a queue; 0 removes one", NULL, "QueueLimits",
      "Queue", 200 },
    { HTTP_DELETE, "/v1/queues/{name}", SCOPE_QUEUES_WRITE, 0, admin_delete_queue, "queues.delete",
      "queues", "Take all limits of a queue away", NULL, NULL, NULL, 204 },
    { HTTP_POST, "/v1/queues/{name}/pause", SCOPE_QUEUES_WRITE, 0, admin_pause_queue,
      "queues.pause", "queues", "Let nothing more begin in a queue", NULL, NULL, "Queue", 200 },
    { HTTP_POST, "/v1/queues/{name}/resume", SCOPE_QUEUES_WRITE, 0, admin_resume_queue,
      "queues.resume", "queues", "Let a paused queue go on", NULL, NULL, "Queue", 200 },
    { HTTP_GET, "/v1/cron", SCOPE_CRON_READ, 0, admin_list_cron, "cron.list", "cron",
      "List the schedules and when each fires next", PAGE, NULL, "CronJobList", 200 },
    { HTTP_POST, "/v1/cron", SCOPE_CRON_WRITE, ROUTE_BODY | ROUTE_CREATES, admin_create_cron,
      "cron.create", "cron", "Start a workflow by a schedule", NULL, "NewCronJob", "CronJob", 201 },
    { HTTP_GET, "/v1/cron/{name}", SCOPE_CRON_READ, 0, admin_get_cron, "cron.get", "cron",
      "Get a schedule", NULL, NULL, "CronJob", 200 },
    { HTTP_PUT, "/v1/cron/{name}", SCOPE_CRON_WRITE, ROUTE_BODY, admin_put_cron, "cron.put", "cron",
      "Make or change a schedule", NULL, "CronJobSettings", "CronJob", 200 },
    { HTTP_DELETE, "/v1/cron/{name}", SCOPE_CRON_WRITE, 0, admin_delete_cron, "cron.delete", "cron",
      "Delete a schedule and its history; its executions stay", NULL, NULL, NULL, 204 },
    { HTTP_POST, "/v1/cron/{name}/pause", SCOPE_CRON_WRITE, 0, admin_pause_cron, "cron.pause",
      "cron", "Let no time of a schedule fire until it is resumed", NULL, NULL, "CronJob", 200 },
    { HTTP_POST, "/v1/cron/{name}/resume", SCOPE_CRON_WRITE, 0, admin_resume_cron, "cron.resume",
      "cron", "Let a paused schedule go on from now", NULL, NULL, "CronJob", 200 },
    { HTTP_POST, "/v1/cron/{name}/trigger", SCOPE_CRON_WRITE, 0, admin_trigger_cron, "cron.trigger",
      "cron", "Start the workflow of a schedule now, once more", NULL, NULL, "CronTrigger", 202 },
    { HTTP_GET, "/v1/cron/{name}/history", SCOPE_CRON_READ, 0, admin_cron_history, "cron.history",
      "cron", "What became of the times of a schedule, newest first", "limit", NULL, "CronTickList",
      200 },
};
const size_t routes_admin_count = ARRAY_LEN(routes_admin);

void admin_no_memory(struct http_request *r)
{
    struct err e;

    err_set(&e, IFP_ENOMEM, "out of memory");
    http_answer_error(r, &e);
}

/* ---- the query ------------------------------------------------------------------------------ */

/* Absent: text NULL. */
static bool query(struct http_request *r, const char *name, struct slice *ret)
{
    struct err e;
    int rc;

    err_clear(&e);
    *ret = (struct slice){ NULL, 0 };
    rc = http_query(r, name, ret, &e);
    if (rc == 0 || rc == IFP_ENOTFOUND)
        return true;
    http_answer_error(r, &e);
    return false;
}

bool admin_query_int(struct http_request *r, const char *name, int64_t min, int64_t max,
                     int64_t fallback, int64_t *ret)
{
    struct slice text;
    struct err e;

    *ret = fallback;
    if (!query(r, name, &text))
        return false;
    if (!text.text)
        return true;
    if (text.len > 0 && jsonscan_check(text.text, text.len, &e) == 0 &&
        jsonscan_type(text) == IFP_JSON_NUMBER && jsonscan_int(text, ret) == 0 && *ret >= min &&
        *ret <= max)
        return true;
    err_set(&e, IFP_EINVALID, "%s: must be a number from %lld to %lld", name, (long long)min,
            (long long)max);
    http_answer_error(r, &e);
    return false;
}

/* ---- pages ---------------------------------------------------------------------------------- */

bool admin_page_begin(struct admin_page *p, struct http_request *r)
{
    *p = (struct admin_page){ 0 };
    if (!admin_query_int(r, "limit", 1, ADMIN_LIMIT_MAX, ADMIN_LIMIT, &p->limit) ||
        !query(r, "cursor", &p->after))
        return false;
    answer_begin(&p->answer, &r->arena);
    answer_object(&p->answer, NULL);
    answer_array(&p->answer, "data");
    return true;
}

bool admin_page_wants(struct admin_page *p, const char *name)
{
    if (p->after.text && strcmp(name, p->after.text) <= 0)
        return false;
    if (p->count == p->limit) {
        p->more = true;
        return false;
    }
    p->count++;
    p->last = arena_strndup(p->answer.arena, name, strlen(name));
    return p->last != NULL;
}

int admin_page_end(struct admin_page *p, struct slice *ret, struct err *e)
{
    answer_close(&p->answer);
    if (p->more)
        answer_text(&p->answer, "nextCursor", p->last);
    else
        answer_null(&p->answer, "nextCursor");
    answer_close(&p->answer);
    *ret = answer_end(&p->answer);
    if (!ret->text || p->answer.arena->broken)
        return err_set(e, IFP_ENOMEM, "out of memory");
    return 0;
}

int admin_answer(struct offload_call *call, struct answer *a, struct err *e)
{
    call->json = answer_end(a);
    return call->json.text ? 0 : err_set(e, IFP_ENOMEM, "out of memory");
}
