/*
 * app/cmd_completion.c - `completion`: scripts for bash, zsh and fish, made from the table
 * of commands.
 *
 * bash and zsh share one shape: the words typed so far that are no options make a path; a case over
 * the paths gives what may follow.  zsh runs the bash script through its bashcompinit.
 */
#include "app/cmd.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* The words that may follow a path, each once though several commands begin with it. */
static void print_next_words(const struct cli *c, const char *path)
{
    const char *last = "";
    size_t len = 0, last_len = 0;

    for (const struct cli_command *d = c->commands; d->path; d++) {
        const char *next = cli_next_word(d->path, path, &len);

        if (!next || (len == last_len && strncmp(next, last, len) == 0))
            continue;
        printf("%.*s ", (int)len, next);
        last = next;
        last_len = len;
    }
}

static void print_options(const struct cli_option *options)
{
    for (; options && options->name; options++)
        printf("--%s ", options->name);
}

/* The name as a part of a shell function's. */
static void print_function(const struct cli *c)
{
    putchar('_');
    for (const char *p = c->program; *p; p++)
        putchar(isalnum((unsigned char)*p) ? *p : '_');
}

static void print_case(const struct cli *c, const char *path, const struct cli_command *d)
{
    printf("        '%s'%s) list='", path, d ? "*" : "");
    print_next_words(c, path);
    if (d && d->run == cmd_completion_print)
        printf("bash zsh fish ");
    if (d)
        print_options(d->options);
    printf("' ;;\n");
}

/* True when no earlier command begins with the same word. */
static bool opens_group(const struct cli *c, const struct cli_command *d, size_t word_len)
{
    for (const struct cli_command *before = c->commands; before < d; before++)
        if (strncmp(before->path, d->path, word_len) == 0)
            return false;
    return true;
}

/* Two words before one: the first pattern that fits wins. */
static void print_cases(const struct cli *c)
{
    char group[CLI_PATH_SIZE];

    for (const struct cli_command *d = c->commands; d->path; d++) {
        size_t len = strcspn(d->path, " ");

        if (!d->path[len])
            continue;
        print_case(c, d->path, d);
        if (!opens_group(c, d, len))
            continue;
        snprintf(group, sizeof(group), "%.*s", (int)len, d->path);
        print_case(c, group, NULL);
    }
    for (const struct cli_command *d = c->commands; d->path; d++)
        if (!strchr(d->path, ' '))
            print_case(c, d->path, d);
}

static void print_bash(const struct cli *c)
{
    print_function(c);
    printf("()\n{\n"
           "    local cur=\"${COMP_WORDS[COMP_CWORD]}\" path='' list='' i\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        [[ ${COMP_WORDS[i]} == -* ]] || path+=\"${path:+ }${COMP_WORDS[i]}\"\n"
           "    done\n"
           "    case \"$path\" in\n"
           "        '') list='");
    print_next_words(c, "");
    printf("' ;;\n");
    print_cases(c);
    printf("    esac\n"
           "    [[ $cur == -* ]] && list+=' ");
    print_options(cli_common);
    for (int id = 0; id < CONFIG_COUNT; id++)
        printf("--%s ", config_option((enum config_id)id)->flag);
    printf("'\n"
           "    COMPREPLY=($(compgen -W \"$list\" -- \"$cur\"))\n"
           "}\n"
           "complete -o default -F ");
    print_function(c);
    printf(" %s\n", c->program);
}

static void print_zsh(const struct cli *c)
{
    printf("#compdef %s\n"
           "autoload -U +X bashcompinit && bashcompinit\n",
           c->program);
    print_bash(c);
}

/* A text in single quotes, as fish reads it. */
static void print_quoted(const char *s)
{
    putchar('\'');
    for (; *s; s++) {
        if (*s == '\'' || *s == '\\')
            putchar('\\');
        putchar(*s);
    }
    putchar('\'');
}

static void print_fish_option(const struct cli *c, const char *condition, const char *name,
                              bool takes_value, const char *doc)
{
    printf("complete -c %s -n ", c->program);
    print_quoted(condition);
    printf(" -l %s%s -d ", name, takes_value ? " -r" : "");
    print_quoted(doc);
    putchar('\n');
}

static void print_fish_command(const struct cli *c, const struct cli_command *d)
{
    const char *space = strchr(d->path, ' ');
    char condition[192];

    if (!space)
        snprintf(condition, sizeof(condition), "__fish_use_subcommand");
    else
        snprintf(condition, sizeof(condition), "__fish_seen_subcommand_from %.*s",
                 (int)(space - d->path), d->path);
    printf("complete -c %s -f -n ", c->program);
    print_quoted(condition);
    printf(" -a %s -d ", space ? space + 1 : d->path);
    print_quoted(d->help);
    putchar('\n');
    if (space)
        snprintf(condition, sizeof(condition),
                 "__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from %s",
                 (int)(space - d->path), d->path, space + 1);
    else
        snprintf(condition, sizeof(condition), "__fish_seen_subcommand_from %s", d->path);
    for (const struct cli_option *o = d->options; o && o->name; o++)
        print_fish_option(c, condition, o->name, o->value != NULL, o->doc);
}

static void print_fish(const struct cli *c)
{
    for (const struct cli_command *d = c->commands; d->path; d++)
        print_fish_command(c, d);
    for (const struct cli_option *o = cli_common; o->name; o++)
        print_fish_option(c, "true", o->name, o->value != NULL, o->doc);
    for (int id = 0; id < CONFIG_COUNT; id++) {
        const struct config_option *o = config_option((enum config_id)id);

        print_fish_option(c, "true", o->flag, true, o->doc);
    }
}

int cmd_completion_print(struct cli *c, struct err *e)
{
    const char *shell = cli_arg(c, 0);

    if (strcmp(shell, "bash") == 0)
        print_bash(c);
    else if (strcmp(shell, "zsh") == 0)
        print_zsh(c);
    else if (strcmp(shell, "fish") == 0)
        print_fish(c);
    else
        return err_set(e, IFP_EINVALID, "unknown shell \"%s\": bash, zsh or fish", shell);
    return 0;
}
