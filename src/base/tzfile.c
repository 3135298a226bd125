/*
 * base/tzfile.c - one file, read whole.  The name is checked first, so it cannot lead out of the
 * folder; what is in the file is for core/zone.h to judge.
 */
#include "base/tzfile.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_FOLDER "/usr/share/zoneinfo"

enum { PATH_SIZE = 512, FILE_MAX = 256 * 1024 };

static bool part_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '_';
}

bool tzfile_name_ok(const char *name)
{
    size_t len = strlen(name);

    if (len < 1 || len > TZFILE_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool at_edge = i == 0 || i == len - 1 || name[i - 1] == '/';

        if (!part_char(name[i]) && (name[i] != '/' || at_edge))
            return false;
    }
    return true;
}

static const char *folder(void)
{
    const char *set = getenv("TZDIR");

    return set && *set ? set : SYSTEM_FOLDER;
}

static int read_file(FILE *in, const char *name, struct buf *into, struct err *e)
{
    char chunk[8192];
    size_t n, total = 0;

    while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0) {
        total += n;
        if (total > FILE_MAX)
            return err_set(e, IFP_EINVALID, "timezone: %s is no time zone", name);
        buf_put(into, chunk, n);
    }
    if (ferror(in)) /* a folder opens like a file */
        return err_set(e, IFP_EINVALID, "timezone: %s is no time zone", name);
    return buf_broken(into) ? err_set(e, IFP_ENOMEM, "out of memory") : 0;
}

int tzfile_read(const char *name, struct buf *into, struct err *e)
{
    char path[PATH_SIZE];
    FILE *in;
    int rc;

    assert(name && into);
    if (!tzfile_name_ok(name))
        return err_set(e, IFP_EINVALID, "timezone: \"%.64s\" is not a name like Europe/Berlin",
                       name);
    if (access(folder(), R_OK) != 0)
        return err_set(e, IFP_ESERVER, "timezone: no tz data in %s (package tzdata)", folder());
    if (snprintf(path, sizeof(path), "%s/%s", folder(), name) >= (int)sizeof(path))
        return err_set(e, IFP_ESERVER, "timezone: the path in TZDIR is too long");
    in = fopen(path, "re");
    if (!in)
        return err_set(e, IFP_EINVALID, "timezone: there is no time zone %s", name);
    rc = read_file(in, name, into, e);
    (void)fclose(in);
    return rc;
}
