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

/* Reads up to len bytes of the file, zero-terminated; false when there are fewer. */
static bool read_text(const char *path, char *ret, size_t len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, ret, len) : -1;

    if (fd >= 0)
        close(fd);
    ret[n > 0 ? n : 0] = '\0';
    return n == (ssize_t)len;
}

/* False when the file is not there, or holds no key. */
static bool read_key(const char *path, char ret[APIKEY_SIZE])
{
    char prefix[APIKEY_PREFIX_SIZE];

    return read_text(path, ret, APIKEY_LEN) && apikey_parse(ret, APIKEY_LEN, prefix);
}

static int write_key(const char *path, const char *key, struct err *e)
{
    ssize_t len = (ssize_t)strlen(key);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, key, (size_t)len) == len &&
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

int devkey_secret(const char *folder, char ret[SECRETBOX_TEXT_SIZE], struct err *e)
{
    struct secretbox box;
    struct err ignored;
    char path[PLACE_SIZE];
    int rc = place_join(folder, "secret-key", path, e);

    if (rc != 0)
        return rc;
    if (read_text(path, ret, SECRETBOX_TEXT_SIZE - 1) && secretbox_init(&box, ret, &ignored) == 0) {
        secretbox_release(&box);
        return 0;
    }
    if (secretbox_generate(ret) != 0)
        return err_set(e, IFP_ESERVER, "no random numbers");
    return write_key(path, ret, e);
}
