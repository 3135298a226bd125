/*
 * api/admin_cron.c - schedules: make, look, change, pause, trigger, history.
 *
 * POST makes one and refuses a name that is taken; PUT makes or replaces it.  The rules for a
 * schedule are the store's and the calendar's (store/cronjob.h, prim/cronplan.h); only the shape of
 * the body is checked here.
 */
#include "api/admin.h"
#include "api/body.h"
#include "prim/cronplan.h"
#include "store/client_cron.h"

#include <string.h>

enum { HISTORY_DEFAULT = 20, HISTORY_MAX = 1000, TEXT_MAX = 255, NAME_MAX_BYTES = 63 };

/* ---- looking -------------------------------------------------------------------------------- */

static struct slice text_of(const char *json)
{
    return (struct slice){ json, json ? strlen(json) : 0 };
}

static void write_policies(struct answer *a, const struct client_cron_row *row)
{
    answer_int(a, "priority", row->priority);
    answer_raw(a, "input", text_of(row->input));
    answer_text(a, "overlap", row->overlap);
    answer_text(a, "catchup", row->catchup);
    answer_int(a, "catchupMax", row->catchup_max);
    answer_int(a, "jitterMs", row->jitter_ms);
    answer_bool(a, "paused", row->paused);
    answer_int(a, "waiting", row->waiting);
}

static void write_job(struct answer *a, const struct client_cron_row *row)
{
    answer_object(a, NULL);
    answer_text(a, "name", row->name);
    answer_text(a, "schedule", row->schedule);
    answer_text(a, "timezone", row->timezone);
    answer_text(a, "workflowId", row->workflow);
    answer_text(a, "version", row->version);
    answer_text(a, "queue", row->queue);
    write_policies(a, row);
    answer_text(a, "program", row->program);
    if (row->program)
        answer_bool(a, "declared", row->declared);
    answer_time(a, "nextAt", row->next_ms * 1000);
    answer_time(a, "lastAt", row->last_ms * 1000);
    answer_text(a, "lastOutcome", row->last_outcome);
    answer_time(a, "createdAt", row->created_ms * 1000);
    answer_close(a);
}

static int add_job(void *ctx, const struct client_cron_row *row)
{
    struct admin_page *p = ctx;

    if (admin_page_wants(p, row->name))
        write_job(&p->answer, row);
    return 0;
}

static int list_jobs(struct offload_call *call, struct client *client, struct err *e)
{
    struct admin_page *p = call->data;
    int rc = client_cron_list(client, NULL, add_job, p, e);

    return rc == 0 ? admin_page_end(p, &call->json, e) : rc;
}

void admin_list_cron(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct admin_page *p = arena_alloc(&r->arena, sizeof(*p));

    if (!p)
        admin_no_memory(r);
    else if (admin_page_begin(p, r))
        offload_run(api->offload, r, list_jobs, NULL, p);
}

static int write_one(void *ctx, const struct client_cron_row *row)
{
    write_job(ctx, row);
    return 0;
}

static int answer_job(struct offload_call *call, struct client *client, const char *name,
                      struct err *e)
{
    struct answer a;
    int rc;

    answer_begin(&a, &call->request->arena);
    rc = client_cron_list(client, name, write_one, &a, e);
    if (rc == 0 && a.len == 0 && !a.broken)
        rc = err_set(e, IFP_ENOTFOUND, "there is no schedule %.63s", name);
    return rc == 0 ? admin_answer(call, &a, e) : rc;
}

static const char *name_of(const struct offload_call *call)
{
    return call->request->params[0].text;
}

static int get_job(struct offload_call *call, struct client *client, struct err *e)
{
    return answer_job(call, client, name_of(call), e);
}

void admin_get_cron(void *ctx, struct http_request *r)
{
    struct api *api = ctx;

    offload_run(api->offload, r, get_job, NULL, NULL);
}

/* ---- history -------------------------------------------------------------------------------- */

struct history {
    struct answer answer;
    int64_t limit;
};

static int add_tick(void *ctx, const struct client_cron_tick *tick)
{
    struct answer *a = ctx;

    answer_object(a, NULL);
    answer_time(a, "scheduledAt", tick->scheduled_ms * 1000);
    answer_time(a, "firedAt", tick->fired_ms * 1000);
    answer_text(a, "outcome", tick->outcome);
    answer_bool(a, "manual", tick->manual);
    answer_text(a, "executionId", tick->id);
    answer_text(a, "status", tick->status);
    if (tick->duration_ms >= 0)
        answer_int(a, "durationMs", tick->duration_ms);
    answer_text(a, "errorCode", tick->error_code);
    answer_close(a);
    return 0;
}

static int list_history(struct offload_call *call, struct client *client, struct err *e)
{
    struct history *h = call->data;
    struct answer *a = &h->answer;
    int rc;

    answer_begin(a, &call->request->arena);
    answer_object(a, NULL);
    answer_array(a, "data");
    rc = client_cron_history(client, name_of(call), (int)h->limit, add_tick, a, e);
    if (rc != 0)
        return rc;
    answer_close(a);
    answer_null(a, "nextCursor");
    answer_close(a);
    return admin_answer(call, a, e);
}

void admin_cron_history(void *ctx, struct http_request *r)
{
    struct api *api = ctx;
    struct history *h = arena_alloc(&r->arena, sizeof(*h));

    if (!h)
        admin_no_memory(r);
    else if (admin_query_int(r, "limit", 1, HISTORY_MAX, HISTORY_DEFAULT, &h->limit))
        offload_run(api->offload, r, list_history, NULL, h);
}

/* ---- making and changing -------------------------------------------------------------------- */

struct wanted {
    const char *name, *schedule, *timezone, *workflow, *version, *queue;
    struct slice input;
    int64_t priority, catchup_max, jitter_ms;
    int overlap, catchup;
    bool paused, replace;
};

static const char *const overlaps[] = { "skip", "queue", "allow", NULL };
static const char *const catchups[] = { "last", "skip", "all", NULL };
static const struct body_field job_fields[] = {
    BODY_FIELD("name", BODY_SLUG, struct wanted, name),
    BODY_FIELD("schedule", BODY_TEXT, struct wanted, schedule, .required = true, .min = 1,
               .max = TEXT_MAX),
    BODY_FIELD("workflowId", BODY_SLUG, struct wanted, workflow, .required = true),
    BODY_FIELD("timezone", BODY_TEXT, struct wanted, timezone, .min = 1, .max = NAME_MAX_BYTES),
    BODY_FIELD("version", BODY_TEXT, struct wanted, version, .min = 1, .max = NAME_MAX_BYTES),
    BODY_FIELD("queue", BODY_SLUG, struct wanted, queue),
    BODY_FIELD("input", BODY_VALUE, struct wanted, input, .max = CRONJOB_INPUT_MAX),
    BODY_FIELD("priority", BODY_INT, struct wanted, priority, .min = 1, .max = 5),
    BODY_FIELD("overlap", BODY_WORD, struct wanted, overlap, .words = overlaps),
    BODY_FIELD("catchup", BODY_WORD, struct wanted, catchup, .words = catchups),
    BODY_FIELD("catchupMax", BODY_INT, struct wanted, catchup_max, .min = 1,
               .max = CRONJOB_CATCHUP_MAX),
    BODY_FIELD("jitterMs", BODY_INT, struct wanted, jitter_ms, .max = 86400000),
    BODY_FIELD("paused", BODY_BOOL, struct wanted, paused),
};

static struct cronjob job_from(const struct wanted *w, const char *input)
{
    struct cronjob job = { .name = w->name, .schedule = w->schedule, .workflow = w->workflow };

    job.o.timezone = w->timezone;
    job.o.version = w->version;
    job.o.queue = w->queue;
    job.o.input = input;
    job.o.priority = (int)w->priority;
    job.o.overlap = (enum ifp_overlap)w->overlap;
    job.o.catchup = (enum ifp_catchup)w->catchup;
    job.o.catchup_max = (int)w->catchup_max;
    job.o.jitter_ms = w->jitter_ms;
    cronjob_defaults(&job);
    return job;
}

static int put_job(struct offload_call *call, struct client *client, struct err *e)
{
    const struct wanted *w = call->data;
    const char *input = NULL;
    struct cronjob job;
    bool fresh;
    int rc;

    if (w->input.text)
        input = arena_strndup(&call->request->arena, w->input.text, w->input.len);
    if (w->input.text && !input)
        return err_set(e, IFP_ENOMEM, "out of memory");
    job = job_from(w, input);
    rc = cronjob_check(&job, e);
    if (rc == 0)
        rc = cronplan_put(client, &job, w->paused, w->replace, &fresh, e);
    if (rc != 0)
        return rc;
    call->status = fresh ? 201 : 200;
    return answer_job(call, client, w->name, e);
}

/* `name` is the path's; NULL: the body has it. */
static void read_job(struct api *api, struct http_request *r, const char *name)
{
    struct wanted *w = arena_zalloc(&r->arena, sizeof(*w));
    struct body body;
    struct err e;
    int rc;

    if (!w) {
        admin_no_memory(r);
        return;
    }
    body_init(&body, &r->arena);
    rc = body_read(&body, r->body, "", job_fields, ARRAY_LEN(job_fields), w, &e);
    if (rc == 0 && !name && !w->name)
        body_refuse(&body, "/name", "is required");
    if (rc == 0 && name && w->name && strcmp(name, w->name) != 0)
        body_refuse(&body, "/name", "must be the name in the path, or left out");
    if (rc == 0)
        rc = body_result(&body, &e);
    if (rc != 0) {
        answer_problem(r, &e, &(struct answer_problem){ .body = &body });
        return;
    }
    w->replace = name != NULL;
    w->name = name ? name : w->name;
    offload_run(api->offload, r, put_job, NULL, w);
}

void admin_create_cron(void *ctx, struct http_request *r)
{
    read_job(ctx, r, NULL);
}

void admin_put_cron(void *ctx, struct http_request *r)
{
    read_job(ctx, r, r->params[0].text);
}

/* ---- pause, resume, trigger, delete --------------------------------------------------------- */

static int pause_job(struct offload_call *call, struct client *client, struct err *e)
{
    bool changed;
    int rc = cronplan_pause(client, name_of(call), true, &changed, e);

    return rc == 0 ? answer_job(call, client, name_of(call), e) : rc;
}

void admin_pause_cron(void *ctx, struct http_request *r)
{
    struct api *api = ctx;

    offload_run(api->offload, r, pause_job, NULL, NULL);
}

static int resume_job(struct offload_call *call, struct client *client, struct err *e)
{
    bool changed;
    int rc = cronplan_pause(client, name_of(call), false, &changed, e);

    return rc == 0 ? answer_job(call, client, name_of(call), e) : rc;
}

void admin_resume_cron(void *ctx, struct http_request *r)
{
    struct api *api = ctx;

    offload_run(api->offload, r, resume_job, NULL, NULL);
}

static int trigger_job(struct offload_call *call, struct client *client, struct err *e)
{
    struct answer a;
    int64_t id;
    int rc = client_cron_trigger(client, name_of(call), &id, e);

    if (rc != 0)
        return rc;
    call->status = 202;
    answer_begin(&a, &call->request->arena);
    answer_object(&a, NULL);
    answer_id(&a, "id", id);
    answer_text(&a, "status", "queued");
    answer_close(&a);
    return admin_answer(call, &a, e);
}

void admin_trigger_cron(void *ctx, struct http_request *r)
{
    struct api *api = ctx;

    offload_run(api->offload, r, trigger_job, NULL, NULL);
}

static int delete_job(struct offload_call *call, struct client *client, struct err *e)
{
    return client_cron_delete(client, name_of(call), e);
}

void admin_delete_cron(void *ctx, struct http_request *r)
{
    struct api *api = ctx;

    offload_run(api->offload, r, delete_job, NULL, NULL);
}
