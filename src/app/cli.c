/*
 * app/cli.c - the parser of the command line.
 *
 * Words are taken from left to right.  A word first tries to lengthen the path ("execution", then
 * "execution start"); once it cannot, it is an argument.  That is why `worker` may be a command and
 * the first word of `worker list` too: it takes no arguments.  An option is looked for among the
 * command's own, then among the common ones, then in the table of configuration.
 * Whatever is not known is refused with the nearest known word; nothing is guessed.
 */
#include "app/cli.h"

#include "app/app.h"
#include "app/suggest.h"
#include "base/duration.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cli_option cli_common[] = {
    { "config", "FILE", "read settings from a file (or INFERPIPE_CONFIG)" },
    { "json", NULL, "print JSON" },
    { "help", NULL, "say what the command does" },
    { 0 },
};

int cli_init(struct cli *c, const struct ifp_app *app, const char *argv0, struct err *e)
{
    const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

    *c = (struct cli){ .app = app, .program = slash ? slash + 1 : argv0 };
    if (!c->program || !*c->program)
        c->program = app ? app->name : "inferpipe";
    c->argv0 = argv0 && *argv0 ? argv0 : c->program;
    return config_init(&c->config, e);
}

void cli_release(struct cli *c)
{
    config_release(&c->config);
}

/* ---- words ---------------------------------------------------------------------------------- */

const char *cli_next_word(const char *path, const char *prefix, size_t *ret_len)
{
    size_t len = strlen(prefix);

    if (strncmp(path, prefix, len) != 0)
        return NULL;
    if (len > 0 && path[len] != ' ')
        return NULL;
    path += len > 0 ? len + 1 : 0;
    *ret_len = strcspn(path, " ");
    return path;
}

/* Lengthens the path by the word when the table goes on with it. */
static bool extend(struct cli *c, const char *word)
{
    const struct cli_command *found = NULL;
    bool group = false;
    size_t len = 0, word_len = strlen(word);

    for (const struct cli_command *d = c->commands; d->path; d++) {
        const char *next = cli_next_word(d->path, c->path, &len);

        if (!next || len != word_len || memcmp(next, word, len) != 0)
            continue;
        if (next[len] == '\0')
            found = d;
        else
            group = true;
    }
    if (!found && !group)
        return false;
    len = strlen(c->path);
    assert(len + word_len + 2 <= sizeof(c->path));
    snprintf(c->path + len, sizeof(c->path) - len, "%s%s", len > 0 ? " " : "", word);
    c->command = found;
    return true;
}

static int unknown_word(const struct cli *c, const char *word, struct err *e)
{
    struct suggest s;
    size_t len = 0;
    const char *what = c->command ? "argument" : "command";

    suggest_init(&s, word);
    for (const struct cli_command *d = c->commands; d->path; d++) {
        const char *next = cli_next_word(d->path, c->path, &len);

        if (next)
            suggest_offer(&s, next, len);
    }
    if (s.best)
        return err_set(e, IFP_EINVALID, "unknown %s \"%s\"; did you mean \"%.*s\"?", what, word,
                       (int)s.best_len, s.best);
    if (c->command)
        return err_set(e, IFP_EINVALID, "one argument too many: \"%s\"", word);
    return err_set(e, IFP_EINVALID, "unknown command \"%s\"", word);
}

static int take_word(struct cli *c, const char *word, struct err *e)
{
    if (c->arg_count == 0 && c->taken_count == 0 && extend(c, word))
        return 0;
    if (!c->command || c->arg_count >= c->command->args_max)
        return unknown_word(c, word, e);
    assert(c->arg_count < CLI_ARGS_MAX);
    c->args[c->arg_count++] = word;
    return 0;
}

/* ---- options -------------------------------------------------------------------------------- */

/* An option as it was written. */
struct written {
    char name[CLI_PATH_SIZE]; /* without dashes and value */
    const char *value;        /* NULL: nothing there */
    bool joined;              /* --name=value */
};

static int split(const char *word, const char *next, struct written *ret, struct err *e)
{
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);

    if (strcmp(word, "-h") == 0) {
        *ret = (struct written){ .name = "help" };
        return 0;
    }
    if (strcmp(word, "-n") == 0) {
        *ret = (struct written){ .name = "count", .value = next };
        return 0;
    }
    if (word[1] != '-' || len < 3 || len - 2 >= sizeof(ret->name))
        return err_set(e, IFP_EINVALID, "unknown option \"%s\"", word);
    *ret = (struct written){ .value = equals ? equals + 1 : next, .joined = equals != NULL };
    memcpy(ret->name, word + 2, len - 2);
    if (!equals && next && strncmp(next, "--", 2) == 0)
        ret->value = NULL;
    return 0;
}

/* Checks that a value is there exactly when the option takes one. */
static int check_value(const struct written *w, const char *takes, struct err *e)
{
    if (takes && !w->value)
        return err_set(e, IFP_EINVALID, "option --%s needs a value: --%s %s", w->name, w->name,
                       takes);
    if (!takes && w->joined)
        return err_set(e, IFP_EINVALID, "option --%s takes no value", w->name);
    return 0;
}

static int find_option(const struct cli_option *options, const char *name)
{
    for (int i = 0; options && options[i].name; i++)
        if (strcmp(options[i].name, name) == 0)
            return i;
    return -1;
}

static int unknown_option(const struct cli *c, const char *name, struct err *e)
{
    const struct cli_option *own = c->command ? c->command->options : NULL;
    struct suggest s;

    suggest_init(&s, name);
    for (; own && own->name; own++)
        suggest_offer(&s, own->name, strlen(own->name));
    for (const struct cli_option *o = cli_common; o->name; o++)
        suggest_offer(&s, o->name, strlen(o->name));
    for (int id = 0; id < CONFIG_COUNT; id++) {
        const char *flag = config_option((enum config_id)id)->flag;

        suggest_offer(&s, flag, strlen(flag));
    }
    if (s.best)
        return err_set(e, IFP_EINVALID, "unknown option \"--%s\"; did you mean \"--%s\"?", name,
                       s.best);
    return err_set(e, IFP_EINVALID, "unknown option \"--%s\"", name);
}

static int take_common(struct cli *c, int at, const struct written *w, struct err *e)
{
    int rc = check_value(w, cli_common[at].value, e);

    if (rc != 0)
        return rc;
    if (strcmp(w->name, "config") == 0)
        c->config_file = w->value;
    else if (strcmp(w->name, "json") == 0)
        c->json = true;
    else
        c->help = true;
    return 0;
}

static int keep_value(struct cli *c, int at, const char *value, struct err *e)
{
    if (c->taken_count == CLI_TAKEN_MAX)
        return err_set(e, IFP_EINVALID, "more than %d options", CLI_TAKEN_MAX);
    c->values[at] = value;
    c->taken[c->taken_count].at = at;
    c->taken[c->taken_count++].value = value;
    return 0;
}

/* *ret_used: the next word was its value. */
static int take_option(struct cli *c, const char *word, const char *next, bool *ret_used,
                       struct err *e)
{
    const struct cli_option *own = c->command ? c->command->options : NULL;
    struct written w = { .value = NULL };
    const char *takes;
    int at, rc = split(word, next, &w, e);

    if (rc != 0)
        return rc;
    at = find_option(own, w.name);
    if (own && at >= 0) {
        assert(at < CLI_OPTIONS_MAX);
        takes = own[at].value;
        rc = check_value(&w, takes, e);
        if (rc == 0)
            rc = keep_value(c, at, takes ? w.value : "", e);
    } else if ((at = find_option(cli_common, w.name)) >= 0) {
        takes = cli_common[at].value;
        rc = take_common(c, at, &w, e);
    } else if ((at = config_find(w.name)) >= 0) {
        takes = "VALUE";
        rc = check_value(&w, takes, e);
        if (rc == 0)
            rc = config_set(&c->config, (enum config_id)at, w.value, CONFIG_FROM_FLAG, e);
    } else {
        return unknown_option(c, w.name, e);
    }
    *ret_used = rc == 0 && takes && !w.joined;
    return rc;
}

/* ---- the whole line ------------------------------------------------------------------------- */

static int missing_command(const struct cli *c, struct err *e)
{
    char list[256] = "";
    size_t len = 0, at = 0;

    if (!*c->path)
        return err_set(e, IFP_EINVALID, "no command given");
    for (const struct cli_command *d = c->commands; d->path; d++) {
        const char *next = cli_next_word(d->path, c->path, &len);

        if (next && at + len + 3 < sizeof(list))
            at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", at ? ", " : "", next);
    }
    return err_set(e, IFP_EINVALID, "needs one of: %s", list);
}

static int check_complete(const struct cli *c, struct err *e)
{
    const char *args;
    size_t len;

    if (!c->command)
        return missing_command(c, e);
    if (c->arg_count >= c->command->args_min)
        return 0;
    args = c->command->args;
    for (int i = 0; i < c->arg_count; i++)
        args += strcspn(args, " ") + 1;
    len = strcspn(args, " ");
    return err_set(e, IFP_EINVALID, "argument %.*s is missing", (int)len, args);
}

/* Errors are reported in the form that was asked for, wherever --json stands. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

int cli_parse(struct cli *c, const struct cli_command *commands, int argc, char **argv,
              struct err *e)
{
    bool options_over = false, used = false;
    int rc = 0;

    c->commands = commands;
    c->json = wants_json(argc, argv);
    for (int i = 1; i < argc && rc == 0; i++, used = false) {
        if (options_over || argv[i][0] != '-' || argv[i][1] == '\0')
            rc = take_word(c, argv[i], e);
        else if (strcmp(argv[i], "--") == 0)
            options_over = true;
        else
            rc = take_option(c, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used, e);
        i += used;
    }
    if (rc != 0 || c->help)
        return rc;
    return check_complete(c, e);
}

/* ---- for the handlers ----------------------------------------------------------------------- */

const char *cli_arg(const struct cli *c, int n)
{
    assert(n >= 0 && n < CLI_ARGS_MAX);
    return n < c->arg_count ? c->args[n] : NULL;
}

const char *cli_value(const struct cli *c, const char *name)
{
    int at = find_option(c->command->options, name);

    assert(at >= 0);
    return c->values[at];
}

const char *cli_next_value(const struct cli *c, const char *name, int *pos)
{
    int at = find_option(c->command->options, name);

    assert(at >= 0 && *pos >= 0);
    while (*pos < c->taken_count) {
        int i = (*pos)++;

        if (c->taken[i].at == at)
            return c->taken[i].value;
    }
    return NULL;
}

int cli_int(const struct cli *c, const char *name, int64_t min, int64_t max, int64_t fallback,
            int64_t *ret, struct err *e)
{
    const char *text = cli_value(c, name);
    long long n;
    char *end;

    if (!text) {
        *ret = fallback;
        return 0;
    }
    errno = 0;
    n = strtoll(text, &end, 10);
    if (end == text || *end || errno || n < min || n > max)
        return err_set(e, IFP_EINVALID, "--%s: \"%s\" is not a number from %lld to %lld", name,
                       text, (long long)min, (long long)max);
    *ret = n;
    return 0;
}

int cli_duration(const struct cli *c, const char *name, int64_t fallback, int64_t *ret_ms,
                 struct err *e)
{
    const char *text = cli_value(c, name);
    int rc;

    if (!text) {
        *ret_ms = fallback;
        return 0;
    }
    rc = duration_parse(text, ret_ms, e);
    if (rc != 0)
        err_wrap(e, "--%s", name);
    return rc;
}
