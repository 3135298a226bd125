/* app/devkey.h - the keys of `dev`: the same ones at each start, kept in its folder. */
#ifndef APP_DEVKEY_H
#define APP_DEVKEY_H

#include "base/apikey.h"
#include "base/secretbox.h"
#include "store/client.h"

/* Reads FOLDER/api-key, or makes it (readable by its owner alone), and sees to it that the database
 * knows the key, with all scopes. */
int devkey_ensure(struct client *client, const char *folder, char ret[APIKEY_SIZE],
                  struct err *e) MUSTCHECK;
/* The same for FOLDER/secret-key, which seals stored secrets. */
int devkey_secret(const char *folder, char ret[SECRETBOX_TEXT_SIZE], struct err *e) MUSTCHECK;

#endif
