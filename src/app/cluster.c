/*
 * app/cluster.c - makes, starts and ends the private PostgreSQL of `dev`.
 *
 * Happy path: lock the folder, find a place that the server's user can reach, run initdb once into
 * pgdata.new and rename it (so pgdata is whole or absent), run postgres as a child.
 * A killed dev: the kernel sends its server SIGINT, the fast shutdown.  Should the next dev come
 * before that is through, or the signal have been lost, the pid in postmaster.pid tells: with the
 * lock held no dev lives that it could belong to, so it is ended here.  Its working directory is
 * compared with pgdata first, because pids are used again.
 */
#include "app/cluster.h"

#include "app/pgbin.h"
#include "app/place.h"
#include "app/wait.h"
#include "base/log.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* sockaddr_un holds 108 bytes; "/.s.PGSQL.5432" and the zero are 15 of them. */
enum { SOCKET_FOLDER_MAX = 92, ORPHAN_WAIT_MS = 10000, ORPHAN_LOOK_MS = 20 };

static_assert((int)CLUSTER_PATH_SIZE == (int)PLACE_SIZE, "paths go from one to the other");

static const struct child_user *runner(const struct cluster *k)
{
    return k->as_user ? &k->user : NULL;
}

/* ---- the folder ----------------------------------------------------------------------------- */

static int open_file(const struct cluster *k, const char *name, int flags, int *ret_fd,
                     struct err *e)
{
    char path[PLACE_SIZE];
    int fd, rc = place_join(k->folder, name, path, e);

    if (rc != 0)
        return rc;
    fd = open(path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_set(e, IFP_ESERVER, "cannot open %s: %s", path, strerror(errno));
    *ret_fd = fd;
    return 0;
}

static int lock(struct cluster *k, struct err *e)
{
    int rc = open_file(k, "lock", O_RDWR, &k->lock_fd, e);

    if (rc != 0)
        return rc;
    if (flock(k->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(e, IFP_ECONFLICT, "%s is in use by another `dev`", k->folder);
    return err_set(e, IFP_ESERVER, "cannot lock %s: %s", k->folder, strerror(errno));
}

static int find_user(struct cluster *k, struct err *e)
{
    k->as_user = geteuid() == 0;
    if (!k->as_user)
        return 0;
    if (child_find_user("postgres", &k->user, e) != 0)
        return err_wrap(e, "PostgreSQL does not run as root: install the package `postgresql`");
    return 0;
}

static int find_base(struct cluster *k, struct err *e)
{
    static const char *const templates[] = { "/var/lib/inferpipe-dev-XXXXXX",
                                             "/tmp/inferpipe-dev-XXXXXX", NULL };
    char link[PLACE_SIZE];
    bool reachable = true, made = false;
    struct stat st;
    int rc = place_join(k->folder, "elsewhere", link, e);

    if (rc == 0 && k->as_user)
        rc = child_can_enter(&k->user, k->folder, &reachable, e);
    if (rc != 0)
        return rc;
    if (reachable && lstat(link, &st) != 0) {
        memcpy(k->base, k->folder, sizeof(k->base));
        return 0;
    }
    rc = place_elsewhere(link, templates, runner(k), k->base, &made, e);
    if (made)
        LOG_WARN("user postgres cannot reach the data folder, the database lives elsewhere",
                 LOG_STR("folder", k->folder), LOG_STR("database", k->base));
    return rc;
}

static int find_socket(struct cluster *k, struct err *e)
{
    static const char *const templates[] = { "/tmp/inferpipe-XXXXXX", NULL };
    bool made;
    int rc = place_join(k->base, "socket", k->socket, e);
    char link[PLACE_SIZE];

    if (rc != 0)
        return rc;
    if (strlen(k->socket) <= SOCKET_FOLDER_MAX)
        return place_private(k->socket, runner(k), e);
    memcpy(link, k->socket, sizeof(link));
    return place_elsewhere(link, templates, runner(k), k->socket, &made, e);
}

/* The major version that made the cluster; 0: there is none. */
static int read_version(const struct cluster *k)
{
    char path[PLACE_SIZE], line[16] = "";
    struct err ignored;
    FILE *in;

    if (place_join(k->data, "PG_VERSION", path, &ignored) != 0)
        return 0;
    in = fopen(path, "re");
    if (!in)
        return 0;
    if (!fgets(line, sizeof(line), in))
        line[0] = '\0';
    fclose(in);
    return (int)strtol(line, NULL, 10);
}

/* ---- a server left behind ------------------------------------------------------------------- */

/* The pid in postmaster.pid, if that process works in our pgdata; else 0. */
static pid_t find_orphan(const struct cluster *k)
{
    char path[PLACE_SIZE], line[32] = "", cwd[PATH_MAX], data[PATH_MAX];
    struct err ignored;
    ssize_t len;
    long pid;
    FILE *in;

    if (place_join(k->data, "postmaster.pid", path, &ignored) != 0 || !(in = fopen(path, "re")))
        return 0;
    if (!fgets(line, sizeof(line), in))
        line[0] = '\0';
    fclose(in);
    pid = strtol(line, NULL, 10);
    if (pid <= 1 || pid > INT_MAX)
        return 0;
    snprintf(path, sizeof(path), "/proc/%ld/cwd", pid);
    len = readlink(path, cwd, sizeof(cwd) - 1);
    if (len <= 0 || !realpath(k->data, data))
        return 0;
    cwd[len] = '\0';
    return strcmp(cwd, data) == 0 ? (pid_t)pid : 0;
}

static int end_orphan(const struct cluster *k, struct err *e)
{
    pid_t pid = find_orphan(k);

    if (pid == 0)
        return 0;
    LOG_WARN("ending the PostgreSQL that an earlier dev left behind", LOG_INT("pid", pid));
    kill(pid, SIGINT);
    for (int waited = 0; waited < ORPHAN_WAIT_MS; waited += ORPHAN_LOOK_MS) {
        if (find_orphan(k) == 0)
            return 0;
        wait_ms(ORPHAN_LOOK_MS);
    }
    return err_set(e, IFP_ECONFLICT,
                   "%s: a PostgreSQL of an earlier dev does not end: end process %d by hand",
                   k->folder, (int)pid);
}

/* ---- initdb --------------------------------------------------------------------------------- */

static int run_initdb(const struct cluster *k, const char *fresh, struct err *e)
{
    char program[PLACE_SIZE], text[CHILD_TEXT_SIZE];
    const char *argv[] = { program, /* with its folder: it looks for its siblings there */
                           "-D",
                           fresh,
                           "--username=postgres",
                           "--auth=trust",
                           "--no-locale",
                           "--encoding=UTF8",
                           "--no-instructions",
                           NULL };
    struct child_spec spec = { .file = program,
                               .argv = (char *const *)argv,
                               .user = runner(k),
                               .folder = "/",
                               .output_fd = k->log_fd,
                               .death_signal = SIGTERM };
    int status, rc = place_join(k->bin, "initdb", program, e);

    if (rc == 0)
        rc = child_run(&spec, &status, e);
    if (rc != 0)
        return rc;
    child_describe(status, text);
    if (status != 0)
        return err_set(e, IFP_ESERVER, "initdb: %s: see %s/postgres.log", text, k->folder);
    return 0;
}

static int make_cluster(const struct cluster *k, struct err *e)
{
    char fresh[PLACE_SIZE];
    int rc = place_join(k->base, "pgdata.new", fresh, e);

    if (rc == 0)
        rc = place_remove(fresh, e);
    if (rc == 0)
        rc = place_private(fresh, runner(k), e);
    if (rc != 0)
        return rc;
    LOG_INFO("making a private PostgreSQL", LOG_STR("folder", k->data));
    rc = run_initdb(k, fresh, e);
    if (rc == 0 && rename(fresh, k->data) != 0)
        rc = err_set(e, IFP_ESERVER, "cannot rename %s: %s", fresh, strerror(errno));
    return rc;
}

static int prepare(struct cluster *k, struct err *e)
{
    int version, rc = find_user(k, e);

    if (rc == 0)
        rc = open_file(k, "postgres.log", O_WRONLY | O_APPEND | O_TRUNC, &k->log_fd, e);
    if (rc == 0)
        rc = find_base(k, e);
    if (rc == 0)
        rc = place_join(k->base, "pgdata", k->data, e);
    if (rc == 0)
        rc = find_socket(k, e);
    if (rc != 0)
        return rc;
    version = read_version(k);
    if (version == 0 && place_exists(k->data))
        return err_set(e, IFP_ECONFLICT, "%s is not a PostgreSQL cluster: move it away", k->data);
    rc = pgbin_find(version, k->bin, e);
    if (rc != 0)
        return rc;
    return version == 0 ? make_cluster(k, e) : end_orphan(k, e);
}

int cluster_open(struct cluster *k, const char *folder, struct err *e)
{
    int rc;

    *k = (struct cluster){ .lock_fd = -1, .log_fd = -1 };
    rc = place_open(folder, k->folder, e);
    if (rc == 0)
        rc = lock(k, e);
    if (rc == 0)
        rc = prepare(k, e);
    if (rc != 0)
        cluster_close(k);
    return rc;
}

/* ---- the server ----------------------------------------------------------------------------- */

int cluster_start(struct cluster *k, int max_connections, struct err *e)
{
    char program[PLACE_SIZE], connections[48];
    const char *argv[] = { program,
                           "-D",
                           k->data,
                           "-k",
                           k->socket,
                           "-p",
                           "5432",
                           "-c",
                           "listen_addresses=",
                           "-c",
                           "unix_socket_permissions=0700",
                           "-c",
                           "logging_collector=off",
                           "-c",
                           "log_destination=stderr",
                           "-c",
                           connections,
                           NULL };
    struct child_spec spec = { .file = program,
                               .argv = (char *const *)argv,
                               .user = runner(k),
                               .folder = "/",
                               .output_fd = k->log_fd,
                               .death_signal = SIGINT };
    int rc = place_join(k->bin, "postgres", program, e);

    assert(k->pid == 0 && max_connections > 0);
    snprintf(connections, sizeof(connections), "max_connections=%d", max_connections);
    return rc == 0 ? child_spawn(&spec, &k->pid, e) : rc;
}

void cluster_stop(const struct cluster *k, bool now)
{
    if (k->pid != 0)
        kill(k->pid, now ? SIGQUIT : SIGINT);
}

bool cluster_reap(struct cluster *k, int *ret_status)
{
    if (k->pid == 0 || waitpid(k->pid, ret_status, WNOHANG) != k->pid)
        return false;
    k->pid = 0;
    return true;
}

void cluster_close(struct cluster *k)
{
    assert(k->pid == 0);
    if (k->log_fd >= 0)
        close(k->log_fd);
    if (k->lock_fd >= 0)
        close(k->lock_fd);
    k->log_fd = k->lock_fd = -1;
}

void cluster_url(const struct cluster *k, const char *database, char ret[CLUSTER_URL_SIZE])
{
    int at = snprintf(ret, CLUSTER_URL_SIZE, "postgresql://postgres@/%s?port=5432&host=", database);

    for (const char *p = k->socket; *p; p++) {
        bool plain = isalnum((unsigned char)*p) || strchr("/-_.", *p);

        assert(at > 0 && at + 4 <= CLUSTER_URL_SIZE);
        at += snprintf(ret + at, (size_t)(CLUSTER_URL_SIZE - at), plain ? "%c" : "%%%02X",
                       (unsigned char)*p);
    }
}
