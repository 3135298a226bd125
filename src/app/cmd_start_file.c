/*
 * app/cmd_start_file.c - `execution start --from-file`: one execution for each line of a file.
 *
 *   read lines until a batch is full -> check all of them -> start them in one transaction -> print
 *
 * A line is the input, in JSON; empty lines count and start nothing.  A batch with a bad line
 * starts nothing, and nothing behind it starts: every bad line of the batch is named, with its
 * number.
 * With --key K line 7 has the key K:7, with --key-from /id the text or number found there in the
 * line: then the same command may be run again after a failure, and goes over what was started.
 */
#include "app/cmd.h"
#include "app/cmd_start.h"
#include "base/ids.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH_BYTES = 4 << 20, KEY_SIZE = 257, KEY_ARENA_MAX = 1 << 20 };

/* One execution to be. */
struct line {
    size_t offset; /* of its text in `text`, zero-terminated */
    int64_t number;
    ifp_start_options options;
    char key[KEY_SIZE];
};

struct bulk {
    const struct cli *c; /* borrowed, as the next two */
    const char *workflow;
    const ifp_start_options *options;
    const char *key_prefix, *key_pointer; /* borrowed; NULL: not given */
    struct client client;
    FILE *in;
    struct buf text;
    struct line lines[CLIENT_BATCH_MAX];
    ifp_start_item items[CLIENT_BATCH_MAX];
    size_t count;
    int64_t number; /* of the last line read */
    int64_t started, known;
};

/* ---- reading -------------------------------------------------------------------------------- */

static bool is_blank(const char *text, size_t len)
{
    return strspn(text, " \t\r\n") >= len;
}

static int keep_line(struct bulk *b, const char *text, size_t len, struct err *e)
{
    struct line *line = &b->lines[b->count++];

    assert(b->count <= CLIENT_BATCH_MAX);
    line->offset = b->text.len;
    line->number = b->number;
    if (len > 0 && text[len - 1] == '\n')
        len--;
    buf_put(&b->text, text, len);
    buf_putc(&b->text, '\0');
    if (buf_broken(&b->text))
        return err_set(e, IFP_ENOMEM, "out of memory");
    if (memchr(text, '\0', len))
        return err_set(e, IFP_EINVALID, "line %lld: has a zero byte", (long long)b->number);
    return 0;
}

/* Reads the next batch; it is empty at the end of the file. */
static int read_batch(struct bulk *b, struct err *e)
{
    char *text = NULL;
    size_t cap = 0;
    ssize_t len = 0;
    int rc = 0;

    buf_reset(&b->text);
    b->count = 0;
    while (rc == 0 && b->count < CLIENT_BATCH_MAX && b->text.len < BATCH_BYTES) {
        errno = 0;
        len = getline(&text, &cap, b->in);
        if (len < 0)
            break;
        b->number++;
        if (!is_blank(text, (size_t)len))
            rc = keep_line(b, text, (size_t)len, e);
    }
    if (len < 0 && !feof(b->in))
        rc = err_set(e, IFP_EINVALID, "cannot read line %lld: %s", (long long)b->number + 1,
                     strerror(errno));
    free(text);
    return rc;
}

/* ---- checking ------------------------------------------------------------------------------- */

/* The key at the pointer: a text without its quotes and escapes, or a number as it is. */
static int key_at(const struct bulk *b, struct slice input, char key[KEY_SIZE], struct err *e)
{
    struct slice found;
    struct arena a;
    size_t len = 0;
    char *text = NULL;
    int rc = jsonscan_find(input, b->key_pointer, &found);

    if (rc == IFP_ENOTFOUND)
        return err_set(e, IFP_EINVALID, "has nothing at %s for the key", b->key_pointer);
    if (rc != 0)
        return err_set(e, IFP_EINVALID, "--key-from: \"%s\" is not a JSON Pointer", b->key_pointer);
    arena_init(&a, KEY_ARENA_MAX);
    if (jsonscan_type(found) == IFP_JSON_STRING)
        rc = jsonscan_string(found, &a, &text, &len);
    else if (jsonscan_type(found) == IFP_JSON_NUMBER)
        text = arena_strndup(&a, found.text, len = found.len);
    else
        rc = IFP_EINVALID;
    if (rc != 0 || !text || len < 1 || len >= KEY_SIZE - 1)
        rc = err_set(e, IFP_EINVALID, "%s: a key is a text of 1 to 255 bytes or a number",
                     b->key_pointer);
    else
        memcpy(key, text, len + 1);
    arena_release(&a);
    return rc;
}

static int prepare(struct bulk *b, struct line *line, ifp_start_item *item, struct err *e)
{
    const char *text = b->text.data + line->offset;
    struct slice input = { text, strlen(text) };
    size_t bad;
    int rc = 0;

    line->options = *b->options;
    line->options.key = NULL;
    *item = (ifp_start_item){ b->workflow, text, &line->options };
    rc = client_check_items(&b->client, item, 1, &bad, e);
    if (rc == 0 && b->key_pointer)
        rc = key_at(b, input, line->key, e);
    else if (rc == 0 && b->key_prefix)
        (void)snprintf(line->key, KEY_SIZE, "%s:%lld", b->key_prefix, (long long)line->number);
    if (rc == 0 && (b->key_pointer || b->key_prefix)) {
        line->options.key = line->key;
        rc = client_check_items(&b->client, item, 1, &bad, e);
    }
    return rc;
}

/* Names every bad line of the batch, the last one as the error. */
static int prepare_all(struct bulk *b, struct err *e)
{
    struct err bad;
    int failed = 0;

    for (size_t i = 0; i < b->count; i++) {
        if (prepare(b, &b->lines[i], &b->items[i], &bad) == 0)
            continue;
        if (failed)
            fprintf(stderr, "%s\n", e->text);
        failed = err_set(e, bad.code, "line %lld: %s", (long long)b->lines[i].number, bad.text);
    }
    return failed;
}

/* ---- starting ------------------------------------------------------------------------------- */

static int print_line(const struct bulk *b, int64_t number, int64_t id, bool created, struct err *e)
{
    char text[IFP_ID_SIZE];
    struct jsondoc *doc;

    ids_execution_format(id, text);
    if (!b->c->json) {
        puts(text);
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_int(doc, "line", number);
    jsondoc_add_str(doc, "id", text);
    jsondoc_add_bool(doc, "created", created);
    return cmd_print_line(doc, e);
}

static int start_batch(struct bulk *b, struct err *e)
{
    int64_t ids[CLIENT_BATCH_MAX];
    bool created[CLIENT_BATCH_MAX];
    int rc = client_start_many(&b->client, b->items, b->count, ids, created, e);

    if (rc != 0)
        return err_wrap(e, "lines %lld to %lld", (long long)b->lines[0].number,
                        (long long)b->lines[b->count - 1].number);
    for (size_t i = 0; i < b->count && rc == 0; i++) {
        b->started += created[i];
        b->known += !created[i];
        rc = print_line(b, b->lines[i].number, ids[i], created[i], e);
    }
    fflush(stdout);
    return rc;
}

static int start_all(struct bulk *b, struct err *e)
{
    bool tell = isatty(STDERR_FILENO);
    int rc;

    while ((rc = read_batch(b, e)) == 0 && b->count > 0) {
        rc = prepare_all(b, e);
        if (rc == 0)
            rc = start_batch(b, e);
        if (rc != 0)
            break;
        if (tell)
            fprintf(stderr, "\r%lld lines", (long long)b->number);
    }
    if (tell && b->number > 0)
        fputc('\n', stderr);
    fprintf(stderr, "started %lld", (long long)b->started);
    if (b->known)
        fprintf(stderr, ", %lld had been before", (long long)b->known);
    fputc('\n', stderr);
    return rc;
}

static int open_input(struct bulk *b, const char *path, struct err *e)
{
    b->in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (b->in)
        return 0;
    return err_set(e, IFP_EINVALID, "cannot open \"%s\": %s", path, strerror(errno));
}

int cmd_start_file(const struct cli *c, const ifp_start_options *options, struct err *e)
{
    struct bulk *b = mem_zalloc(sizeof(*b));
    int rc;

    if (!b)
        return err_set(e, IFP_ENOMEM, "out of memory");
    b->c = c;
    b->workflow = cli_arg(c, 0);
    b->options = options;
    b->key_prefix = cli_value(c, "key");
    b->key_pointer = cli_value(c, "key-from");
    buf_init(&b->text);
    rc = open_input(b, cli_value(c, "from-file"), e);
    if (rc == 0)
        rc = cmd_client_ready(c, &b->client, e);
    if (rc == 0) {
        rc = start_all(b, e);
        client_release(&b->client);
    }
    if (b->in && b->in != stdin)
        fclose(b->in);
    buf_release(&b->text);
    mem_free(b);
    return rc;
}
