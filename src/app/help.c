/*
 * app/help.c - prints what the table of commands and the table of configuration know.
 */
#include "app/help.h"

#include <assert.h>
#include <string.h>

enum { LEFT_COLUMN = 26 };

static void print_row(FILE *out, const char *left, const char *doc)
{
    if (strlen(left) >= LEFT_COLUMN)
        fprintf(out, "  %s\n  %*s%s\n", left, LEFT_COLUMN, "", doc);
    else
        fprintf(out, "  %-*s%s\n", LEFT_COLUMN, left, doc);
}

static void print_options(FILE *out, const char *title, const struct cli_option *options)
{
    char left[96];

    if (!options || !options->name)
        return;
    fprintf(out, "\n%s:\n", title);
    for (; options->name; options++) {
        snprintf(left, sizeof(left), "--%s %s", options->name,
                 options->value ? options->value : "");
        print_row(out, left, options->doc);
    }
}

static void print_command(const struct cli *c, FILE *out)
{
    const struct cli_command *d = c->command;

    fprintf(out, "%s %s - %s\n\n", c->program, d->path, d->help);
    fprintf(out, "Usage: %s %s%s%s [OPTIONS]\n", c->program, d->path, *d->args ? " " : "", d->args);
    print_options(out, "Options", d->options);
    print_options(out, "Options of every command", cli_common);
    fprintf(out, "  and every setting of `%s help settings`\n", c->program);
    fprintf(out, "\nExample:\n  %s %s\n", c->program, d->example);
}

/* All commands whose path begins with the words named so far. */
static void print_commands(const struct cli *c, FILE *out)
{
    char left[128];
    size_t len;

    fputs("\nCommands:\n", out);
    for (const struct cli_command *d = c->commands; d->path; d++) {
        if (strcmp(d->path, c->path) != 0 && !cli_next_word(d->path, c->path, &len))
            continue;
        snprintf(left, sizeof(left), "%s", d->path);
        print_row(out, left, d->help);
    }
}

static void print_program(const struct cli *c, FILE *out)
{
    fprintf(out, "%s - durable workflows on PostgreSQL (InferPipe %s)\n\n", c->program,
            IFP_VERSION);
    fprintf(out, "Usage: %s COMMAND [ARGUMENTS] [OPTIONS]\n", c->program);
    print_commands(c, out);
    print_options(out, "Options of every command", cli_common);
    fprintf(out, "  and every setting of `%s help settings`\n", c->program);
    fprintf(out,
            "\n`%s COMMAND --help` says more about one.\n"
            "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 refused, 5 timeout.\n",
            c->program);
}

void help_print(const struct cli *c, FILE *out)
{
    assert(c->commands);
    if (c->command) {
        print_command(c, out);
    } else if (*c->path) {
        fprintf(out, "Usage: %s %s COMMAND [ARGUMENTS] [OPTIONS]\n", c->program, c->path);
        print_commands(c, out);
    } else {
        print_program(c, out);
    }
}

void help_print_settings(const struct cli *c, FILE *out)
{
    char left[96];

    fprintf(out,
            "Settings of %s.  Each is a flag, else an environment variable, else a line\n"
            "`name = value` of the file given by --config, else the default.\n\n",
            c->program);
    for (int id = 0; id < CONFIG_COUNT; id++) {
        const struct config_option *o = config_option((enum config_id)id);

        snprintf(left, sizeof(left), "--%s", o->flag);
        print_row(out, left, o->doc);
        fprintf(out, "  %*s%s, default \"%s\"\n", LEFT_COLUMN, "", o->env, o->def);
    }
}
