/*
 * app/app_cron.c - ifp_cron: schedules in a program's code.  What can be checked without looking at
 * the machine is checked here; the time zone when a worker starts.
 */
#include "app/app.h"

#include "base/mem.h"
#include "core/cron.h"

#include <string.h>

static int grow(ifp_app *app, struct err *e)
{
    size_t cap = app->schedule_cap ? app->schedule_cap * 2 : 8;
    void *grown;

    if (app->schedule_count >= APP_SCHEDULES_MAX)
        return err_set(e, IFP_EINVALID, "more than %d schedules", APP_SCHEDULES_MAX);
    if (app->schedule_count < app->schedule_cap)
        return 0;
    grown = mem_resize(app->schedules, cap, sizeof(*app->schedules));
    if (!grown)
        return err_set(e, IFP_ENOMEM, "out of memory");
    app->schedules = grown;
    app->schedule_cap = cap;
    return 0;
}

static int check(const ifp_app *app, const struct cronjob *job, struct err *e)
{
    struct cron ignored;
    int rc = cronjob_check(job, e);

    if (rc == 0)
        rc = cron_parse(job->schedule, &ignored, e);
    for (size_t i = 0; rc == 0 && i < app->schedule_count; i++)
        if (strcmp(app->schedules[i].name, job->name) == 0)
            rc = err_set(e, IFP_EINVALID, "it is there twice");
    return rc;
}

/* Keeps a copy of the text in the app; NULL stays NULL. */
static bool keep(ifp_app *app, const char **text)
{
    if (*text)
        *text = arena_strndup(&app->texts, *text, strlen(*text));
    return !app->texts.broken;
}

static int add(ifp_app *app, struct cronjob *job, struct err *e)
{
    const char **texts[] = { &job->name,      &job->schedule, &job->workflow, &job->o.timezone,
                             &job->o.version, &job->o.queue,  &job->o.input };
    int rc = check(app, job, e);

    if (rc == 0)
        rc = grow(app, e);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(texts); i++)
        if (!keep(app, texts[i]))
            rc = err_set(e, IFP_ENOMEM, "out of memory");
    if (rc == 0)
        app->schedules[app->schedule_count++] = *job;
    return rc;
}

void ifp_cron(ifp_app *app, const char *name, const char *expression, const char *workflow,
              const ifp_cron_options *options)
{
    struct cronjob job = { .name = name, .schedule = expression, .workflow = workflow };
    struct err e;

    if (!app || app->mistake.code != 0)
        return;
    if (options)
        job.o = *options;
    cronjob_defaults(&job);
    err_clear(&e);
    if (add(app, &job, &e) != 0) {
        err_wrap(&e, "schedule \"%s\"", name ? name : "");
        app->mistake = e;
    }
}
