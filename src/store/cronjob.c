/*
 * store/cronjob.c - one table of the parameters serves a single job and arrays of them: each column
 * has its type and a function that adds one job's value.
 */
#include "store/cronjob.h"

#include "store/client_private.h"

#include <assert.h>
#include <string.h>

enum { PRIORITY_DEFAULT = 3, CATCHUP_DEFAULT = 100, VERSION_MAX = 63, TEXT_MAX = 255 };
#define JITTER_MAX_MS INT64_C(86400000)

/* ---- checking ------------------------------------------------------------------------------- */

void cronjob_defaults(struct cronjob *job)
{
    ifp_cron_options *o = &job->o;

    o->timezone = o->timezone ? o->timezone : "UTC";
    o->input = o->input ? o->input : "null";
    o->priority = o->priority ? o->priority : PRIORITY_DEFAULT;
    o->catchup_max = o->catchup_max ? o->catchup_max : CATCHUP_DEFAULT;
}

static int check_length(const char *field, const char *text, size_t max, struct err *e)
{
    size_t len = text ? strlen(text) : 0;

    if (len >= 1 && len <= max)
        return 0;
    return err_set(e, IFP_EINVALID, "%s: must be 1 to %zu bytes long", field, max);
}

static int check_numbers(const ifp_cron_options *o, struct err *e)
{
    if (o->priority < 1 || o->priority > 5)
        return err_set(e, IFP_EINVALID, "priority: must be 1 (first) to 5");
    if ((int)o->overlap < IFP_OVERLAP_SKIP || o->overlap > IFP_OVERLAP_ALLOW)
        return err_set(e, IFP_EINVALID, "overlap: must be skip, queue or allow");
    if ((int)o->catchup < IFP_CATCHUP_LAST || o->catchup > IFP_CATCHUP_ALL)
        return err_set(e, IFP_EINVALID, "catchup: must be last, skip or all");
    if (o->catchup_max < 1 || o->catchup_max > CRONJOB_CATCHUP_MAX)
        return err_set(e, IFP_EINVALID, "catchup-max: must be 1 to %d", CRONJOB_CATCHUP_MAX);
    if (o->jitter_ms < 0 || o->jitter_ms > JITTER_MAX_MS)
        return err_set(e, IFP_EINVALID, "jitter: must be 0 to 24h");
    return 0;
}

int cronjob_check(const struct cronjob *job, struct err *e)
{
    const ifp_cron_options *o = &job->o;
    int rc = client_check_slug("name", job->name, e);

    assert(o->timezone && o->input);
    if (rc == 0)
        rc = check_length("schedule", job->schedule, TEXT_MAX, e);
    if (rc == 0)
        rc = check_length("timezone", o->timezone, VERSION_MAX, e);
    if (rc == 0)
        rc = client_check_slug("workflow", job->workflow, e);
    if (rc == 0 && o->version)
        rc = check_length("version", o->version, VERSION_MAX, e);
    if (rc == 0 && o->queue)
        rc = client_check_slug("queue", o->queue, e);
    if (rc == 0)
        rc = check_numbers(o, e);
    if (rc == 0)
        rc = client_check_payload("input", (struct slice){ o->input, strlen(o->input) },
                                  CRONJOB_INPUT_MAX, e);
    return rc;
}

/* ---- parameters ----------------------------------------------------------------------------- */

typedef void column_fn(struct pgarray *a, const struct cronjob *job);

static void add_name(struct pgarray *a, const struct cronjob *job)
{
    pgarray_text(a, job->name);
}

static void add_schedule(struct pgarray *a, const struct cronjob *job)
{
    pgarray_text(a, job->schedule);
}

static void add_timezone(struct pgarray *a, const struct cronjob *job)
{
    pgarray_text(a, job->o.timezone);
}

static void add_next(struct pgarray *a, const struct cronjob *job)
{
    pgarray_timestamptz(a, job->next_us);
}

static void add_workflow(struct pgarray *a, const struct cronjob *job)
{
    pgarray_text(a, job->workflow);
}

static void add_version(struct pgarray *a, const struct cronjob *job)
{
    pgarray_text(a, job->o.version);
}

static void add_queue(struct pgarray *a, const struct cronjob *job)
{
    pgarray_text(a, job->o.queue);
}

static void add_priority(struct pgarray *a, const struct cronjob *job)
{
    pgarray_int2(a, (int16_t)job->o.priority);
}

static void add_input(struct pgarray *a, const struct cronjob *job)
{
    pgarray_bytes(a, job->o.input, strlen(job->o.input));
}

static void add_overlap(struct pgarray *a, const struct cronjob *job)
{
    pgarray_int2(a, (int16_t)job->o.overlap);
}

static void add_catchup(struct pgarray *a, const struct cronjob *job)
{
    pgarray_int2(a, (int16_t)job->o.catchup);
}

static void add_catchup_max(struct pgarray *a, const struct cronjob *job)
{
    pgarray_int4(a, job->o.catchup_max);
}

static void add_jitter(struct pgarray *a, const struct cronjob *job)
{
    pgarray_int8(a, job->o.jitter_ms);
}

static const struct column {
    enum pgtype type;
    column_fn *add;
} columns[] = {
    { PGTYPE_TEXT, add_name },     { PGTYPE_TEXT, add_schedule },
    { PGTYPE_TEXT, add_timezone }, { PGTYPE_TIMESTAMPTZ, add_next },
    { PGTYPE_TEXT, add_workflow }, { PGTYPE_TEXT, add_version },
    { PGTYPE_TEXT, add_queue },    { PGTYPE_INT2, add_priority },
    { PGTYPE_BYTEA, add_input },   { PGTYPE_INT2, add_overlap },
    { PGTYPE_INT2, add_catchup },  { PGTYPE_INT4, add_catchup_max },
    { PGTYPE_INT8, add_jitter },
};

void cronjob_add_all(struct pgargs *args, const struct cronjob *jobs, size_t n)
{
    assert(jobs || n == 0);
    for (size_t c = 0; c < ARRAY_LEN(columns); c++) {
        struct pgarray array;

        pgarray_init(&array, columns[c].type);
        for (size_t i = 0; i < n; i++)
            columns[c].add(&array, &jobs[i]);
        pgargs_array(args, &array);
        pgarray_release(&array);
    }
}
