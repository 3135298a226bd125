/*
 * app/cmd_cron.c - the commands of schedules.
 *
 * `cron next` needs neither configuration nor database: it reads this machine's tz data and clock.
 * The others are prim/cronplan.h's and the store's.
 */
#include "app/cmd.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/tzfile.h"
#include "core/civil.h"
#include "prim/cronplan.h"
#include "prim/schedule.h"
#include "store/client_cron.h"

#include <stdio.h>
#include <string.h>

enum { NEXT_DEFAULT = 5, NEXT_MAX = 1000, LOCAL_SIZE = 40 };
enum { HISTORY_DEFAULT = 20, HISTORY_MAX = 1000 };

/* ---- next ----------------------------------------------------------------------------------- */

static const struct table_column next_columns[] = {
    { "at", "AT" },
    { "local", "LOCAL TIME" },
    { 0 },
};

/* "2026-03-08 03:00:00 -04:00" */
static void format_local(int64_t utc, int32_t offset, char ret[LOCAL_SIZE])
{
    int64_t local = utc + offset, day = civil_day_of(local), second = local - day * CIVIL_DAY;
    struct civil d = civil_date(day);
    int east = offset < 0 ? -offset : offset;

    (void)snprintf(ret, LOCAL_SIZE, "%04d-%02d-%02d %02d:%02d:%02d %c%02d:%02d", (int)d.year,
                   d.month, d.day, (int)(second / 3600), (int)(second / 60 % 60),
                   (int)(second % 60), offset < 0 ? '-' : '+', east / 3600, east / 60 % 60);
}

static int add_times(const struct schedule *s, int64_t utc, int64_t count, struct table *t,
                     struct err *e)
{
    char local[LOCAL_SIZE];
    int rc;

    for (int64_t i = 0; i < count; i++) {
        rc = schedule_next(s, utc, &utc, e);
        if (rc != 0)
            return rc;
        format_local(utc, zone_offset(s->zone, utc), local);
        table_time(t, utc * 1000);
        table_str(t, local);
    }
    return 0;
}

/* Now, or --from as seconds since 1970. */
static int parse_from(const struct cli *c, int64_t *ret, struct err *e)
{
    int64_t ms = clock_real_us() / 1000;
    int rc = cli_value(c, "from") ? cmd_time(c, "from", &ms, e) : 0;

    if (rc == 0)
        *ret = ms / 1000 - (ms % 1000 < 0);
    return rc;
}

int cmd_cron_next(struct cli *c, struct err *e)
{
    const char *zone = cli_value(c, "zone");
    struct schedule_zones zones;
    struct schedule s;
    struct table t;
    int64_t count, from;
    int rc = cli_int(c, "count", 1, NEXT_MAX, NEXT_DEFAULT, &count, e);

    if (rc == 0)
        rc = parse_from(c, &from, e);
    if (rc != 0)
        return rc;
    schedule_zones_init(&zones);
    table_init(&t, next_columns, c->json);
    rc = schedule_open(&zones, cli_arg(c, 0), zone ? zone : "UTC", &s, e);
    if (rc == 0)
        rc = add_times(&s, from, count, &t, e);
    if (rc == 0)
        rc = cmd_print_table(c, &t, "times", e);
    else
        table_release(&t);
    schedule_zones_release(&zones);
    return rc;
}

/* ---- create --------------------------------------------------------------------------------- */

/* The place of an option's word in the list; 0 when it was not given. */
static int option_word(const struct cli *c, const char *name, const char *const *words, int *ret,
                       struct err *e)
{
    const char *value = cli_value(c, name);

    *ret = 0;
    for (int i = 0; value && words[i]; i++) {
        if (strcmp(words[i], value) == 0) {
            *ret = i;
            return 0;
        }
    }
    return value ? err_set(e, IFP_EINVALID, "--%s: \"%.40s\" is not %s, %s or %s", name, value,
                           words[0], words[1], words[2])
                 : 0;
}

static int job_options(const struct cli *c, struct cronjob *job, struct err *e)
{
    static const char *const overlaps[] = { "skip", "queue", "allow", NULL };
    static const char *const catchups[] = { "last", "skip", "all", NULL };
    int64_t priority = 0, catchup_max = 0;
    int overlap = 0, catchup = 0;
    int rc = cli_int(c, "priority", 1, 5, 0, &priority, e);

    if (rc == 0)
        rc = option_word(c, "overlap", overlaps, &overlap, e);
    if (rc == 0)
        rc = option_word(c, "catchup", catchups, &catchup, e);
    if (rc == 0)
        rc = cli_int(c, "catchup-max", 1, CRONJOB_CATCHUP_MAX, 0, &catchup_max, e);
    if (rc == 0)
        rc = cli_duration(c, "jitter", 0, &job->o.jitter_ms, e);
    job->o.priority = (int)priority;
    job->o.overlap = (enum ifp_overlap)overlap;
    job->o.catchup = (enum ifp_catchup)catchup;
    job->o.catchup_max = (int)catchup_max;
    job->o.timezone = cli_value(c, "zone");
    job->o.version = cli_value(c, "version");
    job->o.queue = cli_value(c, "queue");
    return rc;
}

static int print_done(const struct cli *c, const char *key, bool value, const char *text,
                      struct err *e)
{
    struct jsondoc *doc;

    if (!c->json) {
        puts(text);
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_str(doc, "name", cli_arg(c, 0));
    jsondoc_add_bool(doc, key, value);
    return cmd_print(doc, e);
}

static int create(struct cli *c, struct cronjob *job, struct err *e)
{
    struct client client;
    bool fresh = false;
    int rc = cmd_client(c, &client, e);

    if (rc != 0)
        return rc;
    rc = cronplan_put(&client, job, cli_value(c, "paused") != NULL, cli_value(c, "replace") != NULL,
                      &fresh, e);
    client_release(&client);
    if (rc == 0)
        rc = print_done(c, "created", fresh, fresh ? "created" : "changed", e);
    return rc;
}

int cmd_cron_create(struct cli *c, struct err *e)
{
    struct cronjob job = { .name = cli_arg(c, 0),
                           .schedule = cli_arg(c, 1),
                           .workflow = cli_arg(c, 2) };
    const char *given = cli_value(c, "input");
    struct buf input;
    int rc = job_options(c, &job, e);

    buf_init(&input);
    if (rc == 0)
        rc = cmd_value(c, "input", given ? given : "null", &input, e);
    if (rc == 0) {
        job.o.input = buf_cstr(&input);
        cronjob_defaults(&job);
        rc = cronjob_check(&job, e);
    }
    if (rc == 0)
        rc = create(c, &job, e);
    buf_release(&input);
    return rc;
}

/* ---- list, get, history --------------------------------------------------------------------- */

static const struct table_column job_columns[] = {
    { "name", "NAME" },
    { "schedule", "SCHEDULE" },
    { "timezone", "ZONE" },
    { "workflow", "WORKFLOW" },
    { "version", NULL },
    { "queue", NULL },
    { "priority", NULL },
    { "input", NULL },
    { "overlap", NULL },
    { "catchup", NULL },
    { "catchup_max", NULL },
    { "jitter_ms", NULL },
    { "state", "STATE" },
    { "waiting", NULL },
    { "program", NULL },
    { "declared", NULL },
    { "next_at", "NEXT" },
    { "last_at", "LAST" },
    { "last_outcome", "OUTCOME" },
    { "created_at", NULL },
    { 0 },
};

/* The same, with a title each: what `get` shows. */
static const struct table_column job_record[] = {
    { "name", "name" },
    { "schedule", "schedule" },
    { "timezone", "zone" },
    { "workflow", "workflow" },
    { "version", "version" },
    { "queue", "queue" },
    { "priority", "priority" },
    { "input", "input" },
    { "overlap", "overlap" },
    { "catchup", "catch-up" },
    { "catchup_max", "at most" },
    { "jitter_ms", "jitter in ms" },
    { "state", "state" },
    { "waiting", "waiting" },
    { "program", "declared by" },
    { "declared", "still declared" },
    { "next_at", "next" },
    { "last_at", "last" },
    { "last_outcome", "outcome" },
    { "created_at", "created" },
    { 0 },
};

static const char *job_state(const struct client_cron_row *r)
{
    if (r->paused)
        return "paused";
    return r->program && !r->declared ? "not declared" : "active";
}

static int add_job(void *ctx, const struct client_cron_row *r)
{
    struct table *t = ctx;

    table_str(t, r->name);
    table_str(t, r->schedule);
    table_str(t, r->timezone);
    table_str(t, r->workflow);
    table_str(t, r->version);
    table_str(t, r->queue);
    table_int(t, r->priority);
    table_json(t, r->input);
    table_str(t, r->overlap);
    table_str(t, r->catchup);
    table_int(t, r->catchup_max);
    table_int(t, r->jitter_ms);
    table_str(t, job_state(r));
    table_int(t, r->waiting);
    table_str(t, r->program);
    table_json(t, r->declared ? "true" : "false");
    table_time(t, r->next_ms);
    table_time(t, r->last_ms);
    table_str(t, r->last_outcome);
    table_time(t, r->created_ms);
    return 0;
}

int cmd_cron_list(struct cli *c, struct err *e)
{
    struct client client;
    struct table t;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    table_init(&t, job_columns, c->json);
    rc = client_cron_list(&client, NULL, add_job, &t, e);
    client_release(&client);
    if (rc == 0)
        return cmd_print_table(c, &t, "schedules", e);
    table_release(&t);
    return rc;
}

static int not_there(const struct cli *c, struct err *e)
{
    return err_set(e, IFP_ENOTFOUND, "there is no schedule %s", cli_arg(c, 0));
}

static int print_job(const struct cli *c, struct table *t, struct err *e)
{
    struct jsondoc *doc;
    int rc;

    if (t->rows == 0)
        return not_there(c, e);
    if (!c->json)
        return table_print_record(t, stdout, e);
    rc = table_take_row(t, &doc, e);
    return rc == 0 ? cmd_print(doc, e) : rc;
}

int cmd_cron_get(struct cli *c, struct err *e)
{
    struct client client;
    struct table t;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    table_init(&t, job_record, c->json);
    rc = client_cron_list(&client, cli_arg(c, 0), add_job, &t, e);
    client_release(&client);
    if (rc == 0)
        rc = print_job(c, &t, e);
    table_release(&t);
    return rc;
}

static const struct table_column tick_columns[] = {
    { "scheduled_at", "SCHEDULED" },
    { "fired_at", NULL },
    { "lateness_ms", "LATE (ms)" },
    { "outcome", "OUTCOME" },
    { "manual", NULL },
    { "id", "EXECUTION" },
    { "status", "STATUS" },
    { "duration_ms", "TOOK (ms)" },
    { "error_code", "ERROR" },
    { 0 },
};

static int add_tick(void *ctx, const struct client_cron_tick *k)
{
    struct table *t = ctx;

    table_time(t, k->scheduled_ms);
    table_time(t, k->fired_ms);
    table_int(t, k->fired_ms - k->scheduled_ms);
    table_str(t, k->manual ? "by hand" : k->outcome);
    table_json(t, k->manual ? "true" : "false");
    table_str(t, k->id);
    table_str(t, k->status);
    if (k->duration_ms >= 0)
        table_int(t, k->duration_ms);
    else
        table_json(t, NULL);
    table_str(t, k->error_code);
    return 0;
}

int cmd_cron_history(struct cli *c, struct err *e)
{
    struct client client;
    struct table t;
    int64_t limit;
    int rc = cli_int(c, "limit", 1, HISTORY_MAX, HISTORY_DEFAULT, &limit, e);

    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    table_init(&t, tick_columns, c->json);
    rc = client_cron_history(&client, cli_arg(c, 0), (int)limit, add_tick, &t, e);
    client_release(&client);
    if (rc == 0)
        return cmd_print_table(c, &t, "history", e);
    table_release(&t);
    return rc;
}

/* ---- pause, resume, trigger, delete --------------------------------------------------------- */

static int set_paused(struct cli *c, bool paused, const char *done, struct err *e)
{
    struct client client;
    bool changed = false;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    rc = cronplan_pause(&client, cli_arg(c, 0), paused, &changed, e);
    client_release(&client);
    if (rc == 0)
        rc = print_done(c, "changed", changed, done, e);
    return rc;
}

int cmd_cron_pause(struct cli *c, struct err *e)
{
    return set_paused(c, true, "paused", e);
}

int cmd_cron_resume(struct cli *c, struct err *e)
{
    return set_paused(c, false, "active", e);
}

int cmd_cron_trigger(struct cli *c, struct err *e)
{
    char id[IFP_ID_SIZE];
    struct client client;
    struct jsondoc *doc;
    int64_t number;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    rc = client_cron_trigger(&client, cli_arg(c, 0), &number, e);
    client_release(&client);
    if (rc != 0)
        return rc;
    ids_execution_format(number, id);
    if (!c->json) {
        puts(id);
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_str(doc, "id", id);
    return cmd_print(doc, e);
}

int cmd_cron_delete(struct cli *c, struct err *e)
{
    struct client client;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    rc = client_cron_delete(&client, cli_arg(c, 0), e);
    client_release(&client);
    if (rc == 0)
        rc = print_done(c, "deleted", true, "deleted", e);
    return rc;
}
