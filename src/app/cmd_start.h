/*
 * app/cmd_start.h - the part of `execution start` that reads a file.
 */
#ifndef APP_CMD_START_H
#define APP_CMD_START_H

#include "app/cli.h"

/* Starts an execution for each line of --from-file, with these options; their key is not read.
 * Prints as it goes; what was started stays so when a later batch fails. */
int cmd_start_file(const struct cli *c, const ifp_start_options *options, struct err *e) MUSTCHECK;

#endif
