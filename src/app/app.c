/*
 * app/app.c - the front of the library: an application is made, filled with workflows, and run.
 *
 * Happy path: ifp_app_new, ifp_workflow for each, ifp_main: parse the command line, load the
 * configuration, run the command's handler, turn its answer into an exit code.
 * Failures: a wrong registration sticks to the app and is the first thing that ifp_main reports.
 * Every error of every command leaves here: one line on stderr (under --json one JSON object), then
 * the exit code.  Output that could not be written is an error too, else `... > /dev/full` lies.
 */
#include "app/app.h"

#include "app/cli.h"
#include "app/commands.h"
#include "app/help.h"
#include "base/crash.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/client.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- registration --------------------------------------------------------------------------- */

ifp_app *ifp_app_new(const char *name)
{
    ifp_app *app = mem_zalloc(sizeof(*app));
    const char *shown = name ? name : "";
    struct err e;

    if (!app)
        return NULL;
    err_clear(&app->mistake);
    arena_init(&app->texts, 0);
    if (client_check_name("name of the app", shown, &e) != 0) {
        app->mistake = e;
        shown = "app";
    }
    app->name = arena_strndup(&app->texts, shown, strlen(shown));
    if (!app->name) {
        ifp_app_free(app);
        return NULL;
    }
    return app;
}

void ifp_app_free(ifp_app *app)
{
    if (!app)
        return;
    mem_free(app->workflows);
    mem_free(app->schedules);
    arena_release(&app->texts);
    mem_free(app);
}

static int check_step_options(const ifp_step_options *o, struct err *e)
{
    if (o->attempts < -1 || o->attempts > 10000)
        return err_set(e, IFP_EINVALID, "attempts must be 1 to 10000, or -1 for no end");
    if (o->backoff != IFP_BACKOFF_DEFAULT && o->backoff != IFP_FIXED &&
        o->backoff != IFP_EXPONENTIAL)
        return err_set(e, IFP_EINVALID, "backoff must be IFP_FIXED or IFP_EXPONENTIAL");
    if (o->delay_ms < -1 || o->max_delay_ms < -1 || o->timeout_ms < -1 || o->heartbeat_ms < -1)
        return err_set(e, IFP_EINVALID, "times must not be negative, but for -1 (none)");
    if (!(o->jitter == -1 || (o->jitter >= 0 && o->jitter <= 1)))
        return err_set(e, IFP_EINVALID, "jitter must be 0 to 1, or -1 for none");
    if (o->flags & ~(unsigned)IFP_INLINE)
        return err_set(e, IFP_EINVALID, "unknown flags");
    return 0;
}

static int check_workflow(const ifp_app *app, const struct engine_workflow *w, struct err *e)
{
    int rc;

    if (!w->name)
        return err_set(e, IFP_EINVALID, "no name");
    rc = client_check_slug("name", w->name, e);
    if (rc == 0)
        rc = client_check_slug("version", w->version, e);
    if (rc == 0)
        rc = client_check_slug("queue", w->queue, e);
    if (rc == 0 && strncmp(w->name, "inferpipe.", 10) == 0)
        rc = err_set(e, IFP_EINVALID, "names that begin with inferpipe. are taken");
    if (rc == 0 && !w->fn)
        rc = err_set(e, IFP_EINVALID, "no function");
    if (rc == 0 && w->deadline_ms < -1)
        rc = err_set(e, IFP_EINVALID, "deadline_ms must not be negative, but for -1 (none)");
    if (rc == 0)
        rc = check_step_options(&w->step, e);
    for (size_t i = 0; rc == 0 && i < app->workflow_count; i++)
        if (strcmp(app->workflows[i].name, w->name) == 0 &&
            strcmp(app->workflows[i].version, w->version) == 0)
            rc = err_set(e, IFP_EINVALID, "version \"%s\" is registered twice", w->version);
    return rc;
}

static int grow(ifp_app *app, struct err *e)
{
    size_t cap = app->workflow_cap ? app->workflow_cap * 2 : 8;
    void *grown;

    if (app->workflow_count >= APP_WORKFLOWS_MAX)
        return err_set(e, IFP_EINVALID, "more than %d workflows", APP_WORKFLOWS_MAX);
    if (app->workflow_count < app->workflow_cap)
        return 0;
    grown = mem_resize(app->workflows, cap, sizeof(*app->workflows));
    if (!grown)
        return err_set(e, IFP_ENOMEM, "out of memory");
    app->workflows = grown;
    app->workflow_cap = cap;
    return 0;
}

static int add(ifp_app *app, struct engine_workflow w, struct err *e)
{
    int rc = check_workflow(app, &w, e);

    if (rc == 0)
        rc = grow(app, e);
    if (rc != 0)
        return rc;
    w.name = arena_strndup(&app->texts, w.name, strlen(w.name));
    w.version = arena_strndup(&app->texts, w.version, strlen(w.version));
    w.queue = arena_strndup(&app->texts, w.queue, strlen(w.queue));
    if (!w.name || !w.version || !w.queue)
        return err_set(e, IFP_ENOMEM, "out of memory");
    w.deadline_ms = MAX(w.deadline_ms, 0);
    app->workflows[app->workflow_count++] = w;
    return 0;
}

void ifp_workflow(ifp_app *app, const char *name, ifp_workflow_fn *fn,
                  const ifp_workflow_options *options)
{
    static const ifp_workflow_options defaults = { 0 };
    const ifp_workflow_options *o = options ? options : &defaults;
    struct engine_workflow w = {
        .name = name,
        .version = o->version ? o->version : "1",
        .queue = o->queue ? o->queue : "default",
        .deadline_ms = o->deadline_ms,
        .fn = fn,
        .step = o->step,
    };
    struct err e;

    if (!app || app->mistake.code != 0)
        return;
    err_clear(&e);
    if (add(app, w, &e) != 0) {
        err_wrap(&e, "workflow \"%s\"", name ? name : "");
        app->mistake = e;
    }
}

/* ---- running a command ---------------------------------------------------------------------- */

static int load_config(struct cli *c, struct err *e)
{
    const char *file = c->config_file ? c->config_file : getenv("INFERPIPE_CONFIG");
    enum log_level level = LOG_LEVEL_INFO;
    bool json;
    int rc = 0;

    if (file && *file)
        rc = config_load_file(&c->config, file, e);
    if (rc == 0)
        rc = config_load_env(&c->config, e);
    if (rc == 0)
        rc = config_check(&c->config, e);
    if (rc != 0)
        return rc;
    rc = log_level_parse(config_text(&c->config, CONFIG_LOG_LEVEL), &level);
    json = strcmp(config_text(&c->config, CONFIG_LOG_FORMAT), "json") == 0;
    assert(rc == 0); /* config_check has seen it */
    log_open(level, json ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT, STDERR_FILENO);
    return rc;
}

static int perform(struct cli *c, struct err *e)
{
    int rc = 0;

    if (c->help) {
        help_print(c, stdout);
        return 0;
    }
    assert(c->command);
    if (!(c->command->flags & CLI_BARE))
        rc = load_config(c, e);
    if (rc == 0)
        rc = crash_arm_from_env(e);
    if (rc == 0)
        rc = fault_arm_from_env(e);
    return rc == 0 ? c->command->run(c, e) : rc;
}

static void report_json(const struct cli *c, const struct err *e)
{
    struct jsondoc *doc = jsondoc_object(), *error = jsondoc_object();
    char *text;

    jsondoc_add_str(error, "code", ifp_error_name(e->code));
    jsondoc_add_str(error, "command", c->path);
    jsondoc_add_str(error, "message", e->text);
    jsondoc_add(doc, "error", error);
    text = doc ? jsondoc_print(doc, false) : NULL;
    fprintf(stderr, "%s\n", text ? text : "{\"error\":{\"code\":\"OUT_OF_MEMORY\"}}");
    mem_free(text);
    jsondoc_free(doc);
}

static void report(const struct cli *c, const struct err *e, bool usage)
{
    const char *gap = *c->path ? " " : "";

    if (c->json) {
        report_json(c, e);
        return;
    }
    fprintf(stderr, "%s: %s%s%s\n", c->program, c->path, *c->path ? ": " : "", e->text);
    if (usage)
        fprintf(stderr, "see: %s %s%s--help\n", c->program, c->path, gap);
}

/* The exit code of a command that gave `rc`; says on stderr what has not been said. */
static int finish(const struct cli *c, int rc, struct err *e, bool usage)
{
    if (rc >= 0 && (fflush(stdout) != 0 || ferror(stdout)))
        rc = err_set(e, IFP_ESERVER, "cannot write the output: %s", strerror(errno));
    if (rc >= 0)
        return rc;
    assert(e->code == rc);
    fflush(stdout);
    report(c, e, usage);
    return err_exit_code(rc);
}

static int run(const ifp_app *app, int argc, char **argv)
{
    struct cli c;
    struct err e;
    bool usage = false;
    int rc;

    err_clear(&e);
    rc = cli_init(&c, app, argc > 0 ? argv[0] : NULL, &e);
    if (rc == 0 && app->mistake.code != 0) {
        e = app->mistake;
        rc = e.code;
    } else if (rc == 0) {
        rc = cli_parse(&c, commands_table, argc, argv, &e);
        usage = rc != 0;
    }
    if (rc == 0)
        rc = perform(&c, &e);
    rc = finish(&c, rc, &e, usage);
    cli_release(&c);
    return rc;
}

int ifp_main(ifp_app *app, int argc, char **argv)
{
    int code;

    if (!app) {
        fputs("out of memory\n", stderr);
        return 1;
    }
    code = run(app, argc, argv);
    ifp_app_free(app);
    return code;
}
