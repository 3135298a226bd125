/*
 * store/dbclient.h - opens a store client as the configuration says.
 */
#ifndef STORE_DBCLIENT_H
#define STORE_DBCLIENT_H

#include "base/config.h"
#include "store/client.h"

/* `conninfo` NULL: the configured database.  It connects with the first call. */
int dbclient_open(const struct config *config, const char *conninfo, struct client *ret,
                  struct err *e) MUSTCHECK;

#endif
