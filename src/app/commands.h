/*
 * app/commands.h - the table of commands.  Parser, help and completion are made from it: a new
 * command is one entry here and its handler in a cmd_*.c.
 */
#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include "app/cli.h"

extern const struct cli_command commands_table[]; /* ends with a path of NULL */

#endif
