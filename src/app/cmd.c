/*
 * app/cmd.c - what several commands share: the client, ids, values from files, printing.
 */
#include "app/cmd.h"

#include "base/ids.h"
#include "base/mem.h"
#include "core/civil.h"
#include "store/dbclient.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- the database --------------------------------------------------------------------------- */

int cmd_client(const struct cli *c, struct client *ret, struct err *e)
{
    return dbclient_open(&c->config, NULL, ret, e);
}

int cmd_client_ready(const struct cli *c, struct client *ret, struct err *e)
{
    int rc = cmd_client(c, ret, e);

    if (rc != 0)
        return rc;
    rc = client_ready(ret, e);
    if (rc != 0)
        client_release(ret);
    return rc;
}

/* ---- arguments ------------------------------------------------------------------------------ */

int cmd_id(const struct cli *c, int64_t *ret_id, struct err *e)
{
    const char *text = cli_arg(c, 0);

    assert(text);
    if (ids_execution_parse(text, ret_id) != 0)
        return err_set(e, IFP_EINVALID, "\"%s\" is not an execution id: \"exe_\" and 13 characters",
                       text);
    return 0;
}

/* Reads to the end, but never much more than `max` bytes. */
static int read_all(FILE *in, const char *name, int64_t max, struct buf *into, struct err *e)
{
    char chunk[16384];
    size_t n;

    while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0) {
        buf_put(into, chunk, n);
        if (buf_broken(into))
            return err_set(e, IFP_ENOMEM, "out of memory");
        if ((int64_t)into->len > max)
            return err_set(e, IFP_ETOOLARGE, "%s is over the limit of %lld bytes (--payload-max)",
                           name, (long long)max);
    }
    if (ferror(in))
        return err_set(e, IFP_EINVALID, "cannot read %s: %s", name, strerror(errno));
    return 0;
}

static int read_file(const char *path, int64_t max, struct buf *into, struct err *e)
{
    FILE *in = fopen(path, "re");
    int rc;

    if (!in)
        return err_set(e, IFP_EINVALID, "cannot open \"%s\": %s", path, strerror(errno));
    rc = read_all(in, path, max, into, e);
    fclose(in);
    return rc;
}

int cmd_time(const struct cli *c, const char *name, int64_t *ret_ms, struct err *e)
{
    const char *text = cli_value(c, name);

    assert(text);
    if (civil_parse(text, ret_ms))
        return 0;
    return err_set(e, IFP_EINVALID, "--%s: \"%.40s\" is not a time like 2026-03-08T07:00:00Z", name,
                   text);
}

int cmd_value(const struct cli *c, const char *field, const char *text, struct buf *into,
              struct err *e)
{
    int64_t max = config_int(&c->config, CONFIG_PAYLOAD_MAX);
    int rc = 0;

    if (strcmp(text, "-") == 0)
        rc = read_all(stdin, "stdin", max, into, e);
    else if (text[0] == '@')
        rc = read_file(text + 1, max, into, e);
    else
        buf_puts(into, text);
    if (rc == 0 && !buf_cstr(into))
        rc = err_set(e, IFP_ENOMEM, "out of memory");
    if (rc != 0)
        err_wrap(e, "%s", field);
    return rc;
}

/* ---- printing ------------------------------------------------------------------------------- */

static int print_doc(struct jsondoc *doc, bool pretty, struct err *e)
{
    char *text = doc ? jsondoc_print(doc, pretty) : NULL;

    jsondoc_free(doc);
    if (!text)
        return err_set(e, IFP_ENOMEM, "out of memory");
    puts(text);
    mem_free(text);
    return 0;
}

int cmd_print(struct jsondoc *doc, struct err *e)
{
    return print_doc(doc, isatty(STDOUT_FILENO), e);
}

int cmd_print_line(struct jsondoc *doc, struct err *e)
{
    return print_doc(doc, false, e);
}

static int print_rows(struct table *t, const char *key, struct err *e)
{
    struct jsondoc *doc, *rows;
    int rc = table_take_rows(t, &rows, e);

    if (rc != 0)
        return rc;
    doc = jsondoc_object();
    if (!jsondoc_add(doc, key, rows)) {
        jsondoc_free(doc);
        doc = NULL;
    }
    return cmd_print(doc, e);
}

int cmd_print_table(const struct cli *c, struct table *t, const char *key, struct err *e)
{
    int rc = c->json ? print_rows(t, key, e) : table_print(t, stdout, e);

    table_release(t);
    return rc;
}

const char *cmd_status(enum ifp_status status)
{
    static const char *const names[] = { [IFP_QUEUED] = "queued",
                                         [IFP_RUNNING] = "running",
                                         [IFP_COMPLETED] = "completed",
                                         [IFP_FAILED] = "failed",
                                         [IFP_STATUS_CANCELED] = "canceled" };

    assert((size_t)status < ARRAY_LEN(names));
    return names[status];
}

int cmd_exit_code(enum ifp_status status)
{
    return status == IFP_FAILED || status == IFP_STATUS_CANCELED ? 1 : 0;
}
