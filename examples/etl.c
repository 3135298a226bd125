/*
 * etl.c - imports a text file into a table, chunk by chunk, each line exactly once.
 *
 *   prepare -> plan -> load, load, load ... -> summary
 *
 * `load` is a transactional step: the rows of a chunk and the record that the chunk is done commit
 * together.  A worker that is killed in the middle leaves neither; one that is killed behind the
 * commit has left both.  So there is no "on conflict do nothing": a chunk that took effect twice
 * would fail on the primary key.  Each chunk tells the next one where in the file to go on.
 *
 *   build/examples/etl execution start import-words --wait --input '{"import": "mine",
 *     "file": "/usr/share/dict/american-english", "chunk": 5000}'
 *
 * Input:
 *   import      a name; lines of different imports do not meet           (required)
 *   file        a UTF-8 text file, the same for all workers              (required)
 *   first_line  where to begin                                           1
 *   lines       how many at most; several executions can share a file    all
 *   chunk       lines a step                                             1000
 *   pace_ms     how long the source takes for a chunk                    0
 *   ledger      a file; each step begins by adding a line to it          none
 *
 * The ledger is a witness outside the database: what it says about a step that was killed is not
 * rolled back.  scripts/demo compares it with the journal.  A line of it:
 *
 *   execution step-key attempt pid microseconds-since-1970
 */
#include <inferpipe.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_LINES = 1000, CHUNK_LINES_MAX = 100000, CHUNK_BYTES_MAX = 16 << 20 };

/* ---- the ledger ------------------------------------------------------------------------------ */

/* One write to a file opened with O_APPEND: lines of several processes do not mix. */
static int append_line(const char *path, const char *line, size_t len)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    bool good;

    if (fd < 0)
        return -1;
    good = write(fd, line, len) == (ssize_t)len;
    return close(fd) == 0 && good ? 0 : -1;
}

/* Each step begins with it; `job` is the execution's input. */
static int witness(ifp_step_ctx *step, const ifp_json *job)
{
    const char *path = ifp_json_str(job, "/ledger", NULL);
    struct timespec now;
    char line[256];
    int len;

    if (!path)
        return 0;
    clock_gettime(CLOCK_REALTIME, &now);
    len = snprintf(line, sizeof(line), "%s %s %d %d %" PRId64 "\n", ifp_step_execution(step),
                   ifp_step_key(step), ifp_step_attempt(step), (int)getpid(),
                   (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    if (len < 0 || (size_t)len >= sizeof(line) || append_line(path, line, (size_t)len) != 0)
        return ifp_step_fail(step, "LEDGER", IFP_RETRY, "%s: %s", path, strerror(errno));
    return 0;
}

/* ---- the database ---------------------------------------------------------------------------- */

/* Runs one statement; the result is the caller's to clear.  NULL: the step has been told why. */
static PGresult *query(ifp_step_ctx *step, PGconn *db, const char *sql, int count,
                       const char *const *values)
{
    PGresult *result = PQexecParams(db, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return result;
    ifp_step_fail(step, "SQL", IFP_RETRY, "%s", PQerrorMessage(db));
    PQclear(result);
    return NULL;
}

static int execute(ifp_step_ctx *step, PGconn *db, const char *sql, int count,
                   const char *const *values)
{
    PGresult *result = query(step, db, sql, count, values);

    PQclear(result);
    return result ? 0 : IFP_ESTEP_FAILED;
}

/* `create table if not exists` fails when two transactions do it at once, hence the lock. */
static int prepare(ifp_step_ctx *step, PGconn *db, const ifp_json *job, const ifp_json **ret)
{
    IFP_TRY(witness(step, job));
    IFP_TRY(execute(step, db, "select pg_advisory_xact_lock(hashtext('etl_words'))", 0, NULL));
    IFP_TRY(
        execute(step, db,
                "create table if not exists etl_words (import text, line int, word text not null,"
                " bytes int not null, primary key (import, line))",
                0, NULL));
    return ifp_json_build(step, ret, "{s:s}", "table", "etl_words");
}

/* ---- the source ------------------------------------------------------------------------------ */

/* The file at that byte; NULL: the step has been told why. */
static FILE *open_source(ifp_step_ctx *step, const ifp_json *job, int64_t offset)
{
    const char *path = ifp_json_str(job, "/file", "");
    FILE *file = fopen(path, "re");

    if (file && fseeko(file, offset, SEEK_SET) == 0)
        return file;
    ifp_step_fail(step, "SOURCE", IFP_FINAL, "%s: byte %" PRId64 ": %s", path, offset,
                  strerror(errno));
    if (file)
        fclose(file);
    return NULL;
}

/* Passes at most `max` lines and gives their number and bytes.  A last line without its newline
 * counts. */
static int64_t pass_lines(FILE *file, int64_t max, int64_t *ret_bytes)
{
    int64_t lines = 0, bytes = 0;
    int last = '\n', c;

    while (lines < max && (c = getc_unlocked(file)) != EOF) {
        last = c;
        bytes++;
        lines += c == '\n';
    }
    *ret_bytes = bytes;
    return lines + (last != '\n');
}

/* Where our part of the file begins and how long it is. */
static int plan(ifp_step_ctx *step, const ifp_json *job, const ifp_json **ret_plan)
{
    int64_t skip = ifp_json_int(job, "/first_line", 1) - 1, offset, bytes, lines;
    bool failed;
    FILE *file;

    IFP_TRY(witness(step, job));
    file = open_source(step, job, 0);
    if (!file)
        return IFP_ESTEP_FAILED;
    pass_lines(file, skip, &offset);
    lines = pass_lines(file, ifp_json_int(job, "/lines", INT32_MAX), &bytes);
    failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        return ifp_step_fail(step, "SOURCE", IFP_RETRY, "cannot read the file");
    return ifp_json_build(step, ret_plan, "{s:I, s:I, s:I}", "offset", offset, "lines", lines,
                          "bytes", bytes);
}

/* The text of `lines` lines from `offset`, without the last newline; *ret_bytes counts it.  NULL:
 * the step has been told why. */
static const char *read_chunk(ifp_step_ctx *step, const ifp_json *chunk, int64_t *ret_bytes)
{
    int64_t offset = ifp_json_int(chunk, "/offset", 0), bytes;
    FILE *file = open_source(step, ifp_json_get(chunk, "/job"), offset);
    char *text = NULL;
    size_t got = 0;

    if (!file)
        return NULL;
    pass_lines(file, ifp_json_int(chunk, "/lines", 0), &bytes);
    if (bytes > 0 && bytes <= CHUNK_BYTES_MAX)
        text = ifp_step_alloc(step, (size_t)bytes + 1);
    if (text && fseeko(file, offset, SEEK_SET) == 0)
        got = fread(text, 1, (size_t)bytes, file);
    fclose(file);
    if (!text || got != (size_t)bytes || memchr(text, '\0', got)) {
        ifp_step_fail(step, "SOURCE", IFP_FINAL, "no chunk of text at byte %" PRId64, offset);
        return NULL;
    }
    text[got - (text[got - 1] == '\n')] = '\0';
    *ret_bytes = bytes;
    return text;
}

/* Makes the source a slow one, for demonstrations. */
static int pace(ifp_step_ctx *step, PGconn *db, const ifp_json *job)
{
    int64_t ms = ifp_json_int(job, "/pace_ms", 0);
    const char *values[1];
    char text[24];

    if (ms <= 0)
        return 0;
    snprintf(text, sizeof(text), "%" PRId64, ms);
    values[0] = text;
    return execute(step, db, "select pg_sleep($1::float8 / 1000)", 1, values);
}

/* ---- the steps that write -------------------------------------------------------------------- */

static int load(ifp_step_ctx *step, PGconn *db, const ifp_json *chunk, const ifp_json **ret_done)
{
    static const char sql[] =
        "insert into etl_words (import, line, word, bytes)"
        " select $1, $2::int + n - 1, word, octet_length(word)"
        " from unnest(string_to_array($3, e'\\n')) with ordinality as w(word, n)";
    const ifp_json *job = ifp_json_get(chunk, "/job");
    char first[24];
    const char *values[] = { ifp_json_str(job, "/import", ""), first, NULL };
    int64_t bytes = 0;

    IFP_TRY(witness(step, job));
    IFP_TRY(pace(step, db, job));
    snprintf(first, sizeof(first), "%" PRId64, ifp_json_int(chunk, "/line", 0));
    values[2] = read_chunk(step, chunk, &bytes);
    if (!values[2])
        return IFP_ESTEP_FAILED;
    IFP_TRY(execute(step, db, sql, 3, values));
    return ifp_json_build(step, ret_done, "{s:I}", "offset",
                          ifp_json_int(chunk, "/offset", 0) + bytes);
}

/* Counts what is in the table now, over our lines. */
static int summary(ifp_step_ctx *step, PGconn *db, const ifp_json *chunk, const ifp_json **ret)
{
    static const char sql[] =
        "select json_build_object('rows', count(*), 'bytes', coalesce(sum(bytes), 0), 'sha256',"
        " encode(sha256(convert_to(coalesce(string_agg(word || e'\\n', '' order by line), ''),"
        " 'UTF8')), 'hex'))"
        " from etl_words where import = $1 and line >= $2::int and line < $3::int";
    const ifp_json *job = ifp_json_get(chunk, "/job");
    int64_t from = ifp_json_int(job, "/first_line", 1);
    char first[24], end[24];
    const char *values[] = { ifp_json_str(job, "/import", ""), first, end };
    PGresult *result;
    int rc;

    IFP_TRY(witness(step, job));
    snprintf(first, sizeof(first), "%" PRId64, from);
    snprintf(end, sizeof(end), "%" PRId64, from + ifp_json_int(chunk, "/lines", 0));
    result = query(step, db, sql, 3, values);
    if (!result)
        return IFP_ESTEP_FAILED;
    rc = ifp_json_parse(step, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0), ret);
    PQclear(result);
    return rc;
}

/* ---- the workflow ---------------------------------------------------------------------------- */

static int check_job(ifp_run *run, const ifp_json *job)
{
    int64_t first = ifp_json_int(job, "/first_line", 1), lines = ifp_json_int(job, "/lines", 1);
    int64_t chunk = ifp_json_int(job, "/chunk", CHUNK_LINES);

    if (!ifp_json_str(job, "/import", NULL) || !ifp_json_str(job, "/file", NULL))
        return ifp_fail(run, "INVALID_JOB", "the input needs /import and /file");
    if (first < 1 || first > INT32_MAX || lines < 1 || lines > INT32_MAX)
        return ifp_fail(run, "INVALID_JOB", "/first_line and /lines must be 1 to %d", INT32_MAX);
    if (chunk < 1 || chunk > CHUNK_LINES_MAX)
        return ifp_fail(run, "INVALID_JOB", "/chunk must be 1 to %d", CHUNK_LINES_MAX);
    return 0;
}

/* One chunk after the other; how many there are is in the recorded plan, so it is the same on each
 * replay. */
static int load_all(ifp_run *run, const ifp_json *job, const ifp_json *todo)
{
    int64_t line = ifp_json_int(job, "/first_line", 1), left = ifp_json_int(todo, "/lines", 0);
    int64_t offset = ifp_json_int(todo, "/offset", 0);
    int64_t size = ifp_json_int(job, "/chunk", CHUNK_LINES);

    while (left > 0) {
        int64_t lines = left < size ? left : size;
        const ifp_json *chunk, *done;

        IFP_TRY(ifp_json_build(run, &chunk, "{s:v, s:I, s:I, s:I}", "job", job, "line", line,
                               "lines", lines, "offset", offset));
        IFP_TRY(ifp_step_tx(run, "load", load, chunk, &done));
        offset = ifp_json_int(done, "/offset", 0);
        line += lines;
        left -= lines;
    }
    return 0;
}

static int import_words(ifp_run *run, const ifp_json *job, const ifp_json **result)
{
    const ifp_json *table, *todo, *whole;

    IFP_TRY(check_job(run, job));
    IFP_TRY(ifp_step_tx(run, "prepare", prepare, job, &table));
    IFP_TRY(ifp_step(run, "plan", plan, job, &todo));
    IFP_TRY(load_all(run, job, todo));
    IFP_TRY(ifp_json_build(run, &whole, "{s:v, s:I}", "job", job, "lines",
                           ifp_json_int(todo, "/lines", 0)));
    return ifp_step_tx(run, "summary", summary, whole, result);
}

int main(int argc, char **argv)
{
    ifp_app *app = ifp_app_new("etl");

    ifp_workflow(app, "import-words", import_words, NULL);
    return ifp_main(app, argc, argv);
}
