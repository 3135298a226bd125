/*
 * app/devkey.c - the file first, then the database: a key that was written and not created is
 * created at the next start; the other way round it would be lost.
 */
#include "app/devkey.h"

#include "app/place.h"
#include "store/client_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* False when the file is not there, or holds no key. */
static bool read_key(const char *path, char ret[APIKEY_SIZE])
{
    char prefix[APIKEY_PREFIX_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, ret, APIKEY_LEN) : -1;

    if (fd >= 0)
        close(fd);
    ret[n > 0 ? n : 0] = '\0';
    return n == APIKEY_LEN && apikey_parse(ret, APIKEY_LEN, prefix);
}

static int write_key(const char *path, const char *key, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, key, APIKEY_LEN) == APIKEY_LEN &&
                write(fd, "\n", 1) == 1;
    int error = errno;

    if (fd >= 0 && close(fd) != 0)
        good = false;
    return good ? 0 : err_set(e, IFP_ESERVER, "cannot write %s: %s", path, strerror(error));
}

int devkey_ensure(struct client *client, const char *folder, char ret[APIKEY_SIZE], struct err *e)
{
    struct client_key_wanted wanted = { .name = "dev", .text = ret };
    char path[PLACE_SIZE], same[APIKEY_SIZE];
    int rc = place_join(folder, "api-key", path, e);

    if (rc != 0)
        return rc;
    if (!read_key(path, ret)) {
        if (apikey_generate(ret) != 0)
            return err_set(e, IFP_ESERVER, "no random numbers");
        rc = write_key(path, ret, e);
    }
    return rc == 0 ? client_key_create(client, &wanted, same, NULL, NULL, e) : rc;
}
