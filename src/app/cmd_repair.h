/*
 * app/cmd_repair.h - what `execution retry`, `cancel` and `fork` do when no ID is given.
 */
#ifndef APP_CMD_REPAIR_H
#define APP_CMD_REPAIR_H

#include "app/cli.h"
#include "store/repair.h"

/* No ID was given. */
bool cmd_repair_wanted(const struct cli *c);
/* With an ID the options of the filter have no place. */
int cmd_repair_check_single(const struct cli *c, struct err *e) MUSTCHECK;
/* Exit code 4 when one was refused. */
int cmd_repair_run(const struct cli *c, enum repair_kind kind, struct err *e) MUSTCHECK;

#endif
