/*
 * app/pgbin.c - Debian keeps each major version in a folder of its own, outside of PATH; others put
 * one version into PATH.
 */
#include "app/pgbin.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSIONS "/usr/lib/postgresql"

static bool has_program(const char *folder, const char *name)
{
    char path[PLACE_SIZE];
    struct err ignored;

    return place_join(folder, name, path, &ignored) == 0 && access(path, X_OK) == 0;
}

static bool is_bin(const char *folder)
{
    return has_program(folder, "initdb") && has_program(folder, "postgres");
}

static bool find_version(int major, char ret[PLACE_SIZE])
{
    DIR *versions = opendir(VERSIONS);
    const struct dirent *entry;
    char path[PLACE_SIZE];
    long best = 0;

    if (!versions)
        return false;
    while ((entry = readdir(versions))) {
        long n = strtol(entry->d_name, NULL, 10);

        if (n <= best || (major != 0 && n != major))
            continue;
        snprintf(path, sizeof(path), VERSIONS "/%ld/bin", n);
        if (!is_bin(path))
            continue;
        best = n;
        memcpy(ret, path, sizeof(path));
    }
    closedir(versions);
    return best > 0;
}

static bool find_in_path(char ret[PLACE_SIZE])
{
    const char *at = getenv("PATH");
    size_t len;

    for (; at && *at; at += len + (at[len] == ':')) {
        len = strcspn(at, ":");
        if (len == 0 || len >= PLACE_SIZE || *at != '/')
            continue;
        memcpy(ret, at, len);
        ret[len] = '\0';
        if (is_bin(ret))
            return true;
    }
    return false;
}

int pgbin_find(int major, char ret[PLACE_SIZE], struct err *e)
{
    const char *given = getenv("INFERPIPE_PG_BIN");

    if (given && *given) {
        if (strlen(given) >= PLACE_SIZE || !is_bin(given))
            return err_set(e, IFP_ENOTFOUND, "INFERPIPE_PG_BIN: no initdb and postgres in \"%s\"",
                           given);
        memcpy(ret, given, strlen(given) + 1);
        return 0;
    }
    if (find_version(major, ret) || (major == 0 && find_in_path(ret)))
        return 0;
    if (major != 0)
        return err_set(e, IFP_ENOTFOUND,
                       "the cluster was made by PostgreSQL %d, which is not installed: install "
                       "postgresql-%d or set INFERPIPE_PG_BIN",
                       major, major);
    return err_set(e, IFP_ENOTFOUND,
                   "PostgreSQL is not installed: install the package `postgresql`, or set "
                   "INFERPIPE_PG_BIN to the folder of initdb and postgres");
}
