/* tests/chaos/cluster.c - see cluster.h.  Shell commands: what the harness trusts is visible. */
#include "chaos/cluster.h"

#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COMMAND_SIZE = 2048, PORT = 5432, STOP_WITHIN_S = 8 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "chaos: %s: %s\n", what, why);
    exit(2);
}

static int __attribute__((format(printf, 1, 2))) shell(const char *format, ...)
{
    char command[COMMAND_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return system(command);
}

static void find_server(struct cluster *c)
{
    const char *path = getenv("INFERPIPE_TEST_PGBIN");
    glob_t found;

    if (path) {
        (void)snprintf(c->bin, sizeof(c->bin), "%s", path);
        return;
    }
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0 || found.gl_pathc == 0)
        die("no PostgreSQL server here", "try scripts/deps");
    (void)snprintf(c->bin, sizeof(c->bin), "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

static void make_home(struct cluster *c)
{
    char home[] = "/tmp/ifp-chaos-XXXXXX";

    if (!mkdtemp(home) || chmod(home, 0755) != 0)
        die(home, "cannot make this folder");
    (void)snprintf(c->home, sizeof(c->home), "%s", home);
    c->run_as = geteuid() == 0 ? "runuser -u postgres --" : "";
    for (int s = 0; s < CLUSTER_SERVERS; s++) {
        (void)snprintf(c->data[s], sizeof(c->data[s]), "%s/server%d/data", home, s);
        (void)snprintf(c->socket[s], sizeof(c->socket[s]), "%s/server%d/.s.PGSQL.%d", home, s,
                       PORT);
        if (shell("mkdir %s/server%d", c->home, s) != 0 ||
            (geteuid() == 0 && shell("chown postgres %s/server%d", c->home, s) != 0))
            die(c->home, "cannot make the servers' folders");
    }
}

static int pg_ctl(const struct cluster *c, int server, const char *what)
{
    return shell("cd / && %s %s/pg_ctl -D %s -l %s/server%d/log -w -t 60 %s"
                 " >>%s/pg_ctl.log 2>&1",
                 c->run_as, c->bin, c->data[server], c->home, server, what, c->home);
}

/* The settings lie in the file: they outlive a restart, and the standby gets them with its copy. */
static void start_primary(struct cluster *c)
{
    if (shell("cd / && %s %s/initdb -D %s -U postgres -A trust -E UTF8 --locale=C --no-sync"
              " >%s/initdb.log 2>&1",
              c->run_as, c->bin, c->data[0], c->home) != 0)
        die("initdb", "failed");
    if (shell("cat >>%s/postgresql.conf <<END\n"
              "listen_addresses = ''\n"
              "unix_socket_directories = '..'\n" /* of the data folder, whichever it is */
              "port = %d\n"
              "max_connections = 300\n"
              "shared_buffers = 128MB\n"
              "fsync = on\n"
              "track_commit_timestamp = on\n"
              "wal_retrieve_retry_interval = 200ms\n"
              "max_wal_senders = 5\n"
              "log_line_prefix = '%%m [%%p] '\n"
              "END\n",
              c->data[0], PORT) != 0)
        die("postgresql.conf", "cannot write");
    if (pg_ctl(c, 0, "start") != 0)
        die("the server does not start", c->home);
}

static void make_database(const struct cluster *c, const char *program, const char *tests)
{
    char conninfo[CLUSTER_PATH * 2];

    cluster_conninfo(c, conninfo, sizeof(conninfo));
    if (shell("%s/createdb -h %s/server0 -U postgres chaos && DATABASE_URL=\"%s\" %s migrate"
              " >%s/migrate.log 2>&1",
              c->bin, c->home, conninfo, program, c->home) != 0)
        die("the database cannot be made", c->home);
    if (shell("for file in %s/sql/lib/*.sql %s/chaos/checks.sql; do %s/psql -Xq -v ON_ERROR_STOP=1"
              " -d \"%s\" -f \"$file\" >>%s/migrate.log 2>&1 || exit 1; done",
              tests, tests, c->bin, conninfo, c->home) != 0)
        die("the test schema cannot be made; see migrate.log in", c->home);
}

/* The primary alone is told to wait for its standby: after a failover there is none to wait for. */
static void start_standby(struct cluster *c)
{
    if (shell("cd / && %s %s/pg_basebackup -h %s/server0 -U postgres -D %s -R -X stream -c fast"
              " -d 'application_name=standby' --no-sync >>%s/pg_ctl.log 2>&1",
              c->run_as, c->bin, c->home, c->data[1], c->home) != 0 ||
        pg_ctl(c, 1, "start") != 0)
        die("the standby does not start", c->home);
    if (shell("%s/psql -Xq -h %s/server0 -U postgres -c"
              " \"alter system set synchronous_standby_names = 'standby'\" -c"
              " 'select pg_reload_conf()' >>%s/pg_ctl.log 2>&1",
              c->bin, c->home, c->home) != 0)
        die("the standby cannot be made synchronous", c->home);
}

void cluster_open(struct cluster *c, const char *program, const char *tests, bool standby)
{
    *c = (struct cluster){ .standby = standby };
    find_server(c);
    make_home(c);
    start_primary(c);
    make_database(c, program, tests);
    if (standby)
        start_standby(c);
}

void cluster_conninfo(const struct cluster *c, char *ret, int size)
{
    (void)snprintf(ret, (size_t)size, "host=%s/server%d port=%d user=postgres dbname=chaos",
                   c->home, c->primary, PORT);
}

static void give_up(const struct cluster *c, const char *why)
{
    cluster_show_log(c);
    die(why, c->home);
}

/* A fast stop waits for the standby, which may never come back to a server that is stopping: then
 * an operator would stop it at once, as we do. */
void cluster_restart(struct cluster *c, const char *mode)
{
    char what[64];

    (void)snprintf(what, sizeof(what), "-t %d -m %s restart", STOP_WITHIN_S, mode);
    if (pg_ctl(c, c->primary, what) != 0 && pg_ctl(c, c->primary, "-m immediate restart") != 0 &&
        pg_ctl(c, c->primary, "start") != 0)
        give_up(c, "the server does not restart");
}

/* The postmaster first, so that nothing is cleaned up; its children go with the socket to it or by
 * their own signal. */
static void kill_server(const struct cluster *c, int server)
{
    (void)shell("pid=$(head -n 1 %s/postmaster.pid) && children=$(cat"
                " /proc/$pid/task/$pid/children) && kill -9 $pid $children",
                c->data[server]);
}

void cluster_failover(struct cluster *c)
{
    if (!c->standby || c->primary != 0)
        die("failover", "there is no standby");
    kill_server(c, 0);
    c->primary = 1;
    if (pg_ctl(c, 1, "promote") != 0)
        give_up(c, "the standby is not promoted");
}

void cluster_show_log(const struct cluster *c)
{
    (void)shell("tail -n 5 %s/pg_ctl.log >&2", c->home);
    for (int s = 0; s < CLUSTER_SERVERS; s++)
        (void)shell("grep -E 'LOG|FATAL|PANIC' %s/server%d/log | grep -v starting | tail -n 20 >&2",
                    c->home, s);
}

void cluster_close(struct cluster *c, bool keep)
{
    if (!c->home[0])
        return;
    for (int s = CLUSTER_SERVERS; s-- > 0;)
        (void)pg_ctl(c, s, "-m immediate stop");
    if (!keep)
        (void)shell("rm -rf %s", c->home);
    c->home[0] = '\0';
}
