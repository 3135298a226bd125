/*
 * app/place.c - folders and links.
 *
 * A folder elsewhere has a random name and is found again through the link alone: when the user
 * removed the link (rm -rf .inferpipe), they get a new folder and not the data of the old one.
 * Its owner is checked each time: under /tmp anybody could put something else into its place.
 */
#define _GNU_SOURCE 1 /* nftw */
#include "app/place.h"

#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REMOVE_FILES_OPEN = 16 };

int place_join(const char *dir, const char *name, char ret[PLACE_SIZE], struct err *e)
{
    int len = snprintf(ret, PLACE_SIZE, "%s/%s", dir, name);

    if (len < 0 || len >= PLACE_SIZE)
        return err_set(e, IFP_EINVALID, "the path of %s is too long", name);
    return 0;
}

int place_open(const char *folder, char ret[PLACE_SIZE], struct err *e)
{
    char full[PATH_MAX];

    if (mkdir(folder, 0755) == 0) {
        if (chmod(folder, 0755) != 0) /* whatever the umask: user postgres passes through */
            return err_set(e, IFP_ESERVER, "cannot open up %s: %s", folder, strerror(errno));
    } else if (errno != EEXIST) {
        return err_set(e, IFP_ESERVER, "cannot make %s: %s", folder, strerror(errno));
    }
    if (!realpath(folder, full))
        return err_set(e, IFP_ESERVER, "cannot find %s: %s", folder, strerror(errno));
    if (strlen(full) >= PLACE_SIZE)
        return err_set(e, IFP_EINVALID, "the path of %s is too long", folder);
    memcpy(ret, full, strlen(full) + 1);
    return 0;
}

/* The owner that a private folder must have. */
static uid_t owner_id(const struct child_user *owner)
{
    return owner ? owner->uid : geteuid();
}

static int check_private(const char *folder, const struct child_user *owner, struct err *e)
{
    struct stat st;

    if (lstat(folder, &st) != 0)
        return err_set(e, IFP_ESERVER, "cannot look at %s: %s", folder, strerror(errno));
    if (!S_ISDIR(st.st_mode) || st.st_uid != owner_id(owner) || (st.st_mode & 077) != 0)
        return err_set(e, IFP_ECONFLICT, "%s is not a private folder of user %d", folder,
                       (int)owner_id(owner));
    return 0;
}

static int give(const char *folder, const struct child_user *owner, struct err *e)
{
    if (owner && chown(folder, owner->uid, owner->gid) != 0)
        return err_set(e, IFP_ESERVER, "cannot hand over %s: %s", folder, strerror(errno));
    return 0;
}

int place_private(const char *folder, const struct child_user *owner, struct err *e)
{
    int rc;

    if (mkdir(folder, 0700) == 0) {
        rc = give(folder, owner, e);
        if (rc != 0)
            return rc;
    } else if (errno != EEXIST) {
        return err_set(e, IFP_ESERVER, "cannot make %s: %s", folder, strerror(errno));
    }
    return check_private(folder, owner, e);
}

/* Where the link leads, when a folder is there. */
static bool follow(const char *link, char ret[PLACE_SIZE])
{
    ssize_t len = readlink(link, ret, PLACE_SIZE - 1);

    if (len <= 0)
        return false;
    ret[len] = '\0';
    return place_exists(ret);
}

int place_elsewhere(const char *link, const char *const *templates, const struct child_user *owner,
                    char ret[PLACE_SIZE], bool *ret_made, struct err *e)
{
    int rc;

    *ret_made = false;
    if (follow(link, ret))
        return check_private(ret, owner, e);
    if (unlink(link) != 0 && errno != ENOENT)
        return err_set(e, IFP_ECONFLICT, "%s is in the way: %s", link, strerror(errno));
    for (; *templates; templates++) {
        snprintf(ret, PLACE_SIZE, "%s", *templates);
        if (mkdtemp(ret))
            break;
    }
    if (!*templates)
        return err_set(e, IFP_ESERVER, "cannot make a folder for %s: %s", link, strerror(errno));
    rc = give(ret, owner, e);
    if (rc == 0 && symlink(ret, link) != 0)
        rc = err_set(e, IFP_ESERVER, "cannot link %s: %s", link, strerror(errno));
    if (rc != 0)
        rmdir(ret);
    *ret_made = rc == 0;
    return rc;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

int place_remove(const char *folder, struct err *e)
{
    if (nftw(folder, remove_one, REMOVE_FILES_OPEN, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return err_set(e, IFP_ESERVER, "cannot remove %s: %s", folder, strerror(errno));
    return 0;
}

bool place_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}
