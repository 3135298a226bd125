/*
 * app/cli.h - reads a command line against the table of commands.
 *
 *   PROGRAM [OPTIONS] WORD [WORD] [ARGUMENTS] [OPTIONS]
 *
 * Options stand anywhere, as --name VALUE or --name=VALUE; `--` ends them; "-" is an argument.
 * Each command has options of its own; --config FILE, --json, --help and every option of
 * base/config.h belong to all.  A value that begins with "--" needs the form with `=`.  Of an
 * option given twice the last one counts, but where a command reads them one by one.  All errors
 * are IFP_EINVALID with a text that names the word.
 */
#ifndef APP_CLI_H
#define APP_CLI_H

#include "base/base.h"
#include "base/config.h"
#include "base/err.h"

#include <inferpipe.h>
#include <stdbool.h>
#include <stdint.h>

enum { CLI_ARGS_MAX = 4, CLI_OPTIONS_MAX = 32, CLI_PATH_SIZE = 64, CLI_TAKEN_MAX = 128 };
enum { CLI_BARE = 1 }; /* runs without looking at the configuration */

struct cli;
/* 0, a negative IFP_E* whose text is in `e` and is reported by the caller, or a positive exit code
 * when all is said. */
typedef int cli_run_fn(struct cli *c, struct err *e);

struct cli_option {
    const char *name;  /* without the dashes; NULL ends a list */
    const char *value; /* what follows, for the help; NULL: a switch */
    const char *doc;
};

struct cli_command {
    const char *path; /* "execution start"; NULL ends the table */
    const char *args; /* for the help; optional ones in brackets */
    int args_min, args_max;
    const struct cli_option *options; /* NULL: none of its own */
    const char *help;                 /* one line */
    const char *example;              /* what follows the program's name */
    cli_run_fn *run;
    unsigned flags;
};

struct cli {
    const struct ifp_app *app;          /* borrowed */
    const struct cli_command *commands; /* borrowed: the table */
    const struct cli_command *command;  /* borrowed: the one named; NULL: none, or only a group */
    const char *argv0;                  /* borrowed: how it was called */
    const char *program;                /* borrowed: the last part of that */
    char path[CLI_PATH_SIZE];           /* the words of the command or group, "" for none */
    const char *args[CLI_ARGS_MAX];     /* borrowed */
    int arg_count;
    const char
        *values[CLI_OPTIONS_MAX]; /* borrowed; by place in command->options; NULL: not given */
    struct {
        int at; /* in command->options */
        const char *value;
    } taken[CLI_TAKEN_MAX]; /* borrowed: all of the command's own options, as they came */
    int taken_count;
    bool json, help;
    const char *config_file; /* borrowed; NULL: not given */
    struct config config;    /* defaults and flags; the caller loads file and environment */
};

/* The options that belong to every command, beside those of base/config.h. */
extern const struct cli_option cli_common[];

int cli_init(struct cli *c, const struct ifp_app *app, const char *argv0, struct err *e) MUSTCHECK;
void cli_release(struct cli *c);
/* With --help, what was not named is not missed. */
int cli_parse(struct cli *c, const struct cli_command *commands, int argc, char **argv,
              struct err *e) MUSTCHECK;

/* The n-th argument, or NULL. */
const char *cli_arg(const struct cli *c, int n);
/* The value of one of the command's own options ("" for a switch), or NULL when it was not given.
 * Asking for one that is not in its list is a bug. */
const char *cli_value(const struct cli *c, const char *name);
/* Each value of an option that may be given several times: *pos begins at 0; NULL at the end. */
const char *cli_next_value(const struct cli *c, const char *name, int *pos);
int cli_int(const struct cli *c, const char *name, int64_t min, int64_t max, int64_t fallback,
            int64_t *ret, struct err *e) MUSTCHECK;
int cli_duration(const struct cli *c, const char *name, int64_t fallback, int64_t *ret_ms,
                 struct err *e) MUSTCHECK;

/* The word of a path that follows the prefix ("" for the first), and its length; NULL when the path
 * does not go on from there. */
const char *cli_next_word(const char *path, const char *prefix, size_t *ret_len);

#endif
