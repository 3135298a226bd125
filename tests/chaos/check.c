/* tests/chaos/check.c - see check.h; the rules are in tests/chaos/checks.sql. */
#include "chaos/check.h"

#include "core/moves.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SQL_SIZE = 4096, CHUNK = 65536, SHOWN_MAX = 60 };

/* That the server goes down is no news. */
static void ignore_notice(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

static PGconn *connection(struct check *k)
{
    char conninfo[CLUSTER_PATH * 2];

    if (k->db && k->primary == k->cluster->primary && PQstatus(k->db) == CONNECTION_OK)
        return k->db;
    PQfinish(k->db);
    cluster_conninfo(k->cluster, conninfo, sizeof(conninfo));
    k->db = PQconnectdb(conninfo);
    k->primary = k->cluster->primary;
    (void)PQsetNoticeProcessor(k->db, ignore_notice, NULL);
    return k->db;
}

/* NULL when it failed. */
static PGresult *run(struct check *k, const char *sql)
{
    PGresult *r = PQexec(connection(k), sql);
    ExecStatusType status = PQresultStatus(r);

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_COPY_IN)
        return r;
    PQclear(r);
    return NULL;
}

/* For what must not fail: nobody disturbs the server then. */
static PGresult *must(struct check *k, const char *sql)
{
    PGresult *r = run(k, sql);

    if (r)
        return r;
    fprintf(stderr, "chaos: %s: %s", sql, PQerrorMessage(k->db));
    exit(2);
}

int64_t check_int8(struct check *k, const char *sql)
{
    PGresult *r = run(k, sql);
    int64_t value = -1;

    if (r && PQntuples(r) > 0)
        value = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    return value;
}

void check_prepare(struct check *k)
{
    char sql[SQL_SIZE];
    size_t len = (size_t)snprintf(sql, sizeof(sql),
                                  "truncate inferpipe_test.legal_moves;"
                                  "insert into inferpipe_test.legal_moves values");

    for (int i = 0; i < moves_count; i++)
        len += (size_t)snprintf(sql + len, sizeof(sql) - len, "%s(%d, %d)", i ? "," : "",
                                (int)moves_rules[i].from, (int)moves_rules[i].to);
    PQclear(must(k, sql));
    PQclear(must(k, "select inferpipe.workflow_register(1, array['plan'], array['1'],"
                    " array['default'], array[null::int8])"));
    PQclear(must(k, "select inferpipe.limit('narrow', p_concurrency => 4,"
                    " p_key_concurrency => 2)"));
}

void check_weaken(struct check *k)
{
    PQclear(must(k, "do $$ declare"
                    "  c_predicate constant text := 'and r.owner = p_worker and r.fence = x.fence';"
                    "  c_fence constant text := 'select r.exec_id, r.fence,';"
                    "  v_text text := pg_get_functiondef('inferpipe.flush'::regproc);"
                    " begin"
                    "  if strpos(v_text, c_predicate) = 0 or strpos(v_text, c_fence) = 0 then"
                    "    raise exception 'the fence is not where it was';"
                    "  end if;"
                    "  v_text := replace(v_text, c_predicate, '');"
                    "  execute replace(v_text, c_fence, 'select r.exec_id, x.fence,');"
                    " end $$"));
}

static int print_rows(const char *what, const PGresult *r)
{
    int count = r ? PQntuples(r) : 0;

    for (int i = 0; i < count && i < SHOWN_MAX; i++)
        printf("%s: %s: %s: %s\n", what, PQgetvalue(r, i, 0), PQgetvalue(r, i, 1),
               PQgetvalue(r, i, 2));
    if (count > SHOWN_MAX)
        printf("%s: ... and %d more\n", what, count - SHOWN_MAX);
    return count;
}

int check_doctor(struct check *k)
{
    PGresult *r = run(k, "select check_name, subject, detail from inferpipe.doctor(null, null)"
                         " where severity = 'error'");
    int found = print_rows("violation: doctor", r);

    PQclear(r);
    return found;
}

static void load(struct check *k, const char *table, const char *path)
{
    FILE *f = fopen(path, "r");
    char sql[SQL_SIZE];
    static char data[CHUNK];
    size_t n;

    (void)snprintf(sql, sizeof(sql), "copy chaos.%s from stdin", table);
    PQclear(must(k, sql));
    while (f && (n = fread(data, 1, sizeof(data), f)) > 0)
        (void)PQputCopyData(k->db, data, (int)n);
    if (f)
        (void)fclose(f);
    if (PQputCopyEnd(k->db, NULL) != 1) {
        fprintf(stderr, "chaos: %s: %s", path, PQerrorMessage(k->db));
        exit(2);
    }
    for (PGresult *r; (r = PQgetResult(k->db)) != NULL; PQclear(r))
        if (PQresultStatus(r) != PGRES_COMMAND_OK) {
            fprintf(stderr, "chaos: %s: %s", path, PQerrorMessage(k->db));
            exit(2);
        }
}

int check_verdict(struct check *k, const char *ledger, const char *history)
{
    PGresult *r;
    int found;

    load(k, "ledger", ledger);
    load(k, "history", history);
    PQclear(must(k, "select chaos.prepare()"));
    r = must(k, "select name, value from chaos.figures()");
    for (int i = 0; i < PQntuples(r); i++)
        printf("%9s  %s\n", PQgetvalue(r, i, 1), PQgetvalue(r, i, 0));
    PQclear(r);
    r = must(k, "select invariant, id, what from chaos.violations()");
    found = print_rows("violation", r);
    PQclear(r);
    return found;
}

int64_t check_figure(struct check *k, const char *name)
{
    char sql[SQL_SIZE];

    (void)snprintf(sql, sizeof(sql), "select value from chaos.figures() where name = '%s'", name);
    return check_int8(k, sql);
}

void check_show_open(struct check *k)
{
    PGresult *r = run(k, "select inferpipe.id_text(r.exec_id), format('state %s owner %s fence %s'"
                         " ' flags %s', r.state, r.owner, r.fence, r.flags), format('ready in %s,'"
                         " waits for %s', r.ready_at - clock_timestamp(), r.wait_key)"
                         " from inferpipe._inferpipe_runs r order by 1");

    (void)print_rows("open", r);
    PQclear(r);
    r = run(k, "select w.worker_id, format('state %s beats %s pid %s', w.state, w.beats, w.pid),"
               " format('seen %s ago, %s', clock_timestamp() - w.seen_at, w.died_of)"
               " from inferpipe._inferpipe_workers w where w.state <> 2 order by 1");
    (void)print_rows("worker", r);
    PQclear(r);
}

void check_close(struct check *k)
{
    PQfinish(k->db);
    k->db = NULL;
}
