/*
 * app/place.h - the folders of dev's cluster: paths, private folders, links to folders elsewhere.
 */
#ifndef APP_PLACE_H
#define APP_PLACE_H

#include "app/child.h"
#include "base/base.h"
#include "base/err.h"

#include <stdbool.h>

enum { PLACE_SIZE = 512 };

/* "dir/name"; IFP_EINVALID when it is too long. */
int place_join(const char *dir, const char *name, char ret[PLACE_SIZE], struct err *e) MUSTCHECK;
/* Makes the folder, not its parents, if it is missing, and gives its absolute path. */
int place_open(const char *folder, char ret[PLACE_SIZE], struct err *e) MUSTCHECK;
/* Makes the folder if it is missing: mode 0700, owned by `owner` (NULL: us). */
int place_private(const char *folder, const struct child_user *owner, struct err *e) MUSTCHECK;
/* The folder that `link` points to; a missing one is made from the first template that works
 * ("/tmp/x-XXXXXX"; the list ends with NULL) and linked.  *ret_made tells. */
int place_elsewhere(const char *link, const char *const *templates, const struct child_user *owner,
                    char ret[PLACE_SIZE], bool *ret_made, struct err *e) MUSTCHECK;
/* Removes a folder with all in it, through no link; one that is not there is fine. */
int place_remove(const char *folder, struct err *e) MUSTCHECK;
bool place_exists(const char *path);

#endif
