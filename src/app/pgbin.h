/*
 * app/pgbin.h - finds the programs of PostgreSQL on this machine.
 */
#ifndef APP_PGBIN_H
#define APP_PGBIN_H

#include "app/place.h"

/*
 * The folder with `initdb` and `postgres`: INFERPIPE_PG_BIN, else the newest one under
 * /usr/lib/postgresql (of exactly `major`, when that is not 0), else one of PATH.
 * IFP_ENOTFOUND says what to install.
 */
int pgbin_find(int major, char ret[PLACE_SIZE], struct err *e) MUSTCHECK;

#endif
