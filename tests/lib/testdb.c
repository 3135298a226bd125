/*
 * tests/lib/testdb.c - plain libpq, so that a test of store/ or pg/ does not check itself with what
 * it tests.  One administrative connection makes and drops the copies, one looks into the present
 * copy; both are opened when first needed.
 *
 * Making and dropping a copy take some tenths of a second each, most of it in the disk: so what a
 * test gives back is emptied (tests/sql/lib/reset.sql) and used again, and on a server that lives
 * no longer than the tests nothing is dropped.
 */
#include "lib/testdb.h"

#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COPIES_MAX = 64, URL_SIZE = 1024, SQL_SIZE = 4096 };

struct copy {
    char name[64];
    char url[URL_SIZE];
    bool of_template;
    bool given_back;
};

static struct {
    pid_t owner;
    int count;
    struct copy all[COPIES_MAX];
    PGconn *admin;
    PGconn *present; /* to the newest copy */
    struct copy *newest;
    char *text;
} copies;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "testdb: %s: %s\n", what, why);
    exit(1);
}

static PGconn *connect_to(const char *url)
{
    PGconn *c = PQconnectdb(url);

    if (PQstatus(c) != CONNECTION_OK)
        die("cannot connect (run the tests by scripts/testdb)", PQerrorMessage(c));
    PQclear(PQexec(c, "set client_min_messages = warning"));
    return c;
}

static PGresult *run(PGconn *c, const char *sql)
{
    PGresult *r = PQexec(c, sql);
    ExecStatusType status = PQresultStatus(r);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        die(sql, PQerrorMessage(c));
    return r;
}

/* The cluster's connection string with another database name, values quoted as libpq reads them. */
static void make_url(const char *name, char *ret)
{
    const char *base = getenv("DATABASE_URL");
    char *problem = NULL;
    PQconninfoOption *options = PQconninfoParse(base ? base : "", &problem);
    size_t len = 0;

    if (!options)
        die("DATABASE_URL", problem ? problem : "out of memory");
    for (PQconninfoOption *o = options; o->keyword; o++) {
        if (!o->val || strcmp(o->keyword, "dbname") == 0)
            continue;
        len += (size_t)snprintf(ret + len, URL_SIZE - len, "%s='", o->keyword);
        for (const char *v = o->val; *v && len < URL_SIZE - 4; v++) {
            if (*v == '\'' || *v == '\\')
                ret[len++] = '\\';
            ret[len++] = *v;
        }
        len += (size_t)snprintf(ret + len, URL_SIZE - len, "' ");
    }
    if (len + strlen(name) + 10 > URL_SIZE)
        die("DATABASE_URL", "is too long");
    (void)snprintf(ret + len, URL_SIZE - len, "dbname=%s", name);
    PQconninfoFree(options);
}

static PGconn *admin(void)
{
    char url[URL_SIZE];

    if (copies.admin)
        return copies.admin;
    if (!getenv("DATABASE_URL") && !getenv("PGHOST"))
        die("no cluster",
            "neither DATABASE_URL nor PGHOST is set: run the tests by scripts/testdb");
    make_url("postgres", url);
    copies.admin = connect_to(url);
    return copies.admin;
}

static void drop_all(void)
{
    char sql[128];

    if (copies.owner != getpid())
        return; /* a forked child's exit */
    PQfinish(copies.present);
    free(copies.text);
    for (int i = 0; i < copies.count && !getenv("INFERPIPE_TEST_PGDATA"); i++) {
        (void)snprintf(sql, sizeof(sql), "drop database if exists %s with (force)",
                       copies.all[i].name);
        PQclear(PQexec(copies.admin, sql));
    }
    PQfinish(copies.admin);
}

static void look_into(struct copy *c, const char **ret_url)
{
    PQfinish(copies.present);
    copies.present = connect_to(c->url);
    copies.newest = c;
    *ret_url = c->url;
}

static void create(const char *template, const char **ret_url)
{
    struct copy *c = &copies.all[copies.count];
    char sql[256];

    if (copies.count == COPIES_MAX)
        die("create", "too many databases in one program");
    if (!copies.owner) {
        copies.owner = getpid();
        atexit(drop_all);
    }
    (void)snprintf(c->name, sizeof(c->name), "ifp_test_%d_%d", (int)getpid(), copies.count);
    (void)snprintf(sql, sizeof(sql), "create database %s template %s", c->name, template);
    PQclear(run(admin(), sql));
    copies.count++;
    make_url(c->name, c->url);
    look_into(c, ret_url);
}

/* One that was given back and still has the template's shape. */
static bool use_again(const char **ret_url)
{
    for (int i = 0; i < copies.count; i++) {
        struct copy *c = &copies.all[i];

        if (!c->given_back)
            continue;
        c->given_back = false;
        look_into(c, ret_url);
        if (testdb_int8("select inferpipe_test.reset()::int4") == 1)
            return true;
    }
    return false;
}

void testdb_create(const char **ret_url)
{
    PGresult *r = run(admin(), "select 1 from pg_database where datname = 'ifp_template'");
    int rows = PQntuples(r);

    PQclear(r);
    if (rows == 0)
        die("ifp_template", "the cluster has no such database: scripts/testdb makes it");
    if (use_again(ret_url))
        return;
    create("ifp_template", ret_url);
    copies.newest->of_template = true;
}

void testdb_give_back(const char *url)
{
    for (int i = 0; i < copies.count; i++)
        if (url == copies.all[i].url)
            copies.all[i].given_back = copies.all[i].of_template;
}

void testdb_create_empty(const char **ret_url)
{
    create("template0", ret_url);
}

void testdb_exec(const char *sql)
{
    PQclear(run(copies.present, sql));
}

const char *testdb_text(const char *sql)
{
    PGresult *r = run(copies.present, sql);
    bool there = PQntuples(r) > 0 && !PQgetisnull(r, 0, 0);

    free(copies.text);
    copies.text = there ? strdup(PQgetvalue(r, 0, 0)) : NULL;
    PQclear(r);
    return copies.text;
}

int64_t testdb_int8(const char *sql)
{
    const char *text = testdb_text(sql);
    char *end;
    long long value;

    if (!text)
        return INT64_MIN;
    value = strtoll(text, &end, 10);
    if (*end)
        die(sql, "the answer is no integer");
    return value;
}

void testdb_execf(const char *format, ...)
{
    char sql[SQL_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    testdb_exec(sql);
}

void testdb_forcef(const char *format, ...)
{
    char sql[SQL_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    testdb_exec("set session_replication_role = replica");
    testdb_exec(sql);
    testdb_exec("reset session_replication_role");
}

int64_t testdb_int8f(const char *format, ...)
{
    char sql[SQL_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    return testdb_int8(sql);
}

struct testdb_session {
    PGconn *conn;
};

struct testdb_session *testdb_session_open(void)
{
    struct testdb_session *s = malloc(sizeof(*s));

    if (!s)
        die("session", "out of memory");
    s->conn = connect_to(copies.newest->url);
    return s;
}

void testdb_session_exec(struct testdb_session *s, const char *sql)
{
    PQclear(run(s->conn, sql));
}

void testdb_session_close(struct testdb_session *s)
{
    PQfinish(s->conn);
    free(s);
}
