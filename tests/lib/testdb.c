/*
 * tests/lib/testdb.c - plain libpq, so that a test of store/ or pg/ does not check itself with what
 * it tests.  One administrative connection makes and drops the copies, one looks into the present
 * copy; both are opened when first needed.
 */
#include "lib/testdb.h"

#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COPIES_MAX = 64, URL_SIZE = 1024, SQL_SIZE = 4096 };

static struct {
    pid_t owner;
    int count;
    char names[COPIES_MAX][64];
    char urls[COPIES_MAX][URL_SIZE];
    PGconn *admin;
    PGconn *present; /* the newest copy */
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
    for (int i = 0; i < copies.count; i++) {
        (void)snprintf(sql, sizeof(sql), "drop database if exists %s with (force)",
                       copies.names[i]);
        PQclear(PQexec(copies.admin, sql));
    }
    PQfinish(copies.admin);
}

static void create(const char *template, const char **ret_url)
{
    char sql[256];
    int i = copies.count;

    if (copies.count == COPIES_MAX)
        die("create", "too many databases in one program");
    if (!copies.owner) {
        copies.owner = getpid();
        atexit(drop_all);
    }
    (void)snprintf(copies.names[i], sizeof(copies.names[i]), "ifp_test_%d_%d", (int)getpid(), i);
    (void)snprintf(sql, sizeof(sql), "create database %s template %s", copies.names[i], template);
    PQclear(run(admin(), sql));
    copies.count++;
    make_url(copies.names[i], copies.urls[i]);
    PQfinish(copies.present);
    copies.present = connect_to(copies.urls[i]);
    *ret_url = copies.urls[i];
}

void testdb_create(const char **ret_url)
{
    PGresult *r = run(admin(), "select 1 from pg_database where datname = 'ifp_template'");
    int rows = PQntuples(r);

    PQclear(r);
    if (rows == 0)
        die("ifp_template", "the cluster has no such database: scripts/testdb makes it");
    create("ifp_template", ret_url);
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
    s->conn = connect_to(copies.urls[copies.count - 1]);
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
