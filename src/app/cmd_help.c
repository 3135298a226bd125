/*
 * app/cmd_help.c - `help` and `version`: what needs neither configuration nor database.
 */
#include "app/cmd.h"
#include "app/help.h"
#include "store/migrate.h"

#include <stdio.h>
#include <string.h>

/* `help a b` is `a b --help`. */
int cmd_help_show(struct cli *c, struct err *e)
{
    char *argv[CLI_ARGS_MAX + 2] = { (char *)c->program };
    struct cli about;
    int argc = 1, rc;

    if (cli_arg(c, 0) && strcmp(cli_arg(c, 0), "settings") == 0) {
        help_print_settings(c, stdout);
        return 0;
    }
    for (int i = 0; i < c->arg_count; i++)
        argv[argc++] = (char *)c->args[i];
    argv[argc++] = (char *)"--help";
    rc = cli_init(&about, c->app, c->program, e);
    if (rc != 0)
        return rc;
    rc = cli_parse(&about, c->commands, argc, argv, e);
    if (rc == 0)
        help_print(&about, stdout);
    cli_release(&about);
    return rc;
}

int cmd_help_version(struct cli *c, struct err *e)
{
    struct jsondoc *doc;

    if (!c->json) {
        printf("InferPipe %s, schema %d\n", IFP_VERSION, migrate_latest());
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_str(doc, "version", IFP_VERSION);
    jsondoc_add_int(doc, "schema", migrate_latest());
    return cmd_print(doc, e);
}
