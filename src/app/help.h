/*
 * app/help.h - the help texts, made from the table of commands.
 */
#ifndef APP_HELP_H
#define APP_HELP_H

#include "app/cli.h"

#include <stdio.h>

/* Of what was named on the command line: a command, a group of commands, or the program. */
void help_print(const struct cli *c, FILE *out);
/* Every setting of base/config.h. */
void help_print_settings(const struct cli *c, FILE *out);

#endif
