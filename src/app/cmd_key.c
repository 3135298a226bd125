/*
 * app/cmd_key.c - the commands of keys and workspaces: they need the database and no server.
 *
 * The text of a new key is all that `key create` and `key rotate` print on stdout, so that a script
 * can take it; what else there is to say of it goes to stderr.  With --json both are one object.
 */
#include "api/scope.h"
#include "app/cmd.h"
#include "base/duration.h"
#include "base/secretbox.h"
#include "store/client_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 1000, LIST_DEFAULT = 100, US_PER_MS = 1000 };
enum { RATE_MAX = 10000000 };

static const struct table_column list_columns[] = {
    { "id", "KEY" },
    { "name", "NAME" },
    { "state", "STATE" },
    { "scopes", "SCOPES" },
    { "rate_per_minute", "RATE/MIN" },
    { "burst", NULL },
    { "created_at", "CREATED" },
    { "expires_at", "EXPIRES" },
    { "last_used_at", "LAST USED" },
    { "revoked_at", NULL },
    { "rotated_from", NULL },
    { 0 },
};

static const struct table_column record_columns[] = {
    { "id", "key" },
    { "name", "name" },
    { "state", "state" },
    { "scopes", "scopes" },
    { "rate_per_minute", "rate per minute" },
    { "burst", "burst" },
    { "created_at", "created" },
    { "expires_at", "expires" },
    { "last_used_at", "last used" },
    { "revoked_at", "revoked" },
    { "rotated_from", "rotated from" },
    { 0 },
};

static void add_number(struct table *t, int64_t n)
{
    if (n)
        table_int(t, n);
    else
        table_json(t, NULL);
}

static void add_key(void *ctx, const struct client_key *key)
{
    struct table *t = ctx;

    table_str(t, key->id);
    table_str(t, *key->name ? key->name : NULL);
    table_str(t, key->state);
    table_str(t, key->scopes);
    add_number(t, key->rate_per_min);
    add_number(t, key->burst);
    table_time(t, key->created_us / US_PER_MS);
    table_time(t, key->expires_us / US_PER_MS);
    table_time(t, key->last_used_us / US_PER_MS);
    table_time(t, key->revoked_us / US_PER_MS);
    table_str(t, key->rotated_from);
}

/* ---- create, rotate ------------------------------------------------------------------------- */

/* The scopes given, each checked, with blanks between them; "*" when there are none. */
static int read_scopes(const struct cli *c, char ret[SCOPE_TEXT_SIZE], struct err *e)
{
    const char *name;
    size_t len = 0;
    int pos = 0;

    ret[0] = '\0';
    while ((name = cli_next_value(c, "scope", &pos))) {
        if (strcmp(name, "*") != 0 && scope_find(name) < 0)
            return err_set(e, IFP_EINVALID,
                           "--scope: there is no scope \"%.40s\"; see docs/security.md", name);
        if (len + strlen(name) + 2 > SCOPE_TEXT_SIZE)
            return err_set(e, IFP_EINVALID, "--scope: too many");
        len += (size_t)snprintf(ret + len, SCOPE_TEXT_SIZE - len, "%s%s", len ? " " : "", name);
    }
    if (len == 0)
        (void)snprintf(ret, SCOPE_TEXT_SIZE, "*");
    return 0;
}

/* "600/min", "10/s", or a number a minute. */
static int read_rate(const struct cli *c, int64_t *ret, struct err *e)
{
    const char *text = cli_value(c, "rate");
    long long n;
    char *end;

    if (!text)
        return 0;
    n = strtoll(text, &end, 10);
    if (strcmp(end, "/s") == 0 && n > 0 && n <= RATE_MAX / 60)
        n *= 60;
    else if (*end && strcmp(end, "/min") != 0 && strcmp(end, "/s") != 0)
        n = 0;
    if (text[0] < '0' || text[0] > '9' || n < 1 || n > RATE_MAX)
        return err_set(e, IFP_EINVALID,
                       "--rate: \"%.40s\" is not a rate like 600/min or 10/s, at most %d a minute",
                       text, RATE_MAX);
    *ret = n;
    return 0;
}

static int read_wanted(const struct cli *c, struct client_key_wanted *w,
                       char scopes[SCOPE_TEXT_SIZE], struct err *e)
{
    int rc = read_scopes(c, scopes, e);

    w->name = cli_value(c, "name");
    w->scopes = scopes;
    if (rc == 0)
        rc = cli_duration(c, "expires", 0, &w->lifetime_ms, e);
    if (rc == 0)
        rc = read_rate(c, &w->rate_per_min, e);
    if (rc == 0)
        rc = cli_int(c, "burst", 1, RATE_MAX, 0, &w->burst, e);
    if (rc == 0 && w->burst && !w->rate_per_min)
        rc = err_set(e, IFP_EINVALID, "--burst: give --rate as well");
    return rc;
}

/* Prints a new key, whose row is in the table; releases the table. */
static int print_new(const struct cli *c, struct table *t, const char *text, struct err *e)
{
    struct jsondoc *doc;
    int rc;

    if (c->json) {
        rc = table_take_row(t, &doc, e);
        table_release(t);
        if (rc != 0)
            return rc;
        jsondoc_add_str(doc, "key", text);
        return cmd_print(doc, e);
    }
    puts(text);
    fflush(stdout);
    rc = table_print_record(t, stderr, e);
    table_release(t);
    (void)fprintf(stderr, "This is the only time that the key is shown.\n");
    return rc;
}

int cmd_key_create(struct cli *c, struct err *e)
{
    struct client_key_wanted w = { 0 };
    char scopes[SCOPE_TEXT_SIZE], text[APIKEY_SIZE];
    struct client client;
    struct table t;
    int rc = read_wanted(c, &w, scopes, e);

    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    table_init(&t, record_columns, c->json);
    rc = client_key_create(&client, &w, text, add_key, &t, e);
    if (rc == 0)
        rc = print_new(c, &t, text, e);
    else
        table_release(&t);
    client_release(&client);
    return rc;
}

int cmd_key_rotate(struct cli *c, struct err *e)
{
    enum { DAY_MS = 86400000 };
    char text[APIKEY_SIZE];
    struct client client;
    struct table t;
    int64_t overlap;
    int rc = cli_duration(c, "overlap", DAY_MS, &overlap, e);

    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    table_init(&t, record_columns, c->json);
    rc = client_key_rotate(&client, cli_arg(c, 0), overlap, text, add_key, &t, e);
    if (rc == 0)
        rc = print_new(c, &t, text, e);
    else
        table_release(&t);
    client_release(&client);
    return rc;
}

/* ---- list, revoke --------------------------------------------------------------------------- */

int cmd_key_list(struct cli *c, struct err *e)
{
    struct client client;
    struct table t;
    int64_t limit;
    int rc = cli_int(c, "limit", 1, LIST_MAX, LIST_DEFAULT, &limit, e);

    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc != 0)
        return rc;
    table_init(&t, list_columns, c->json);
    rc = client_key_list(&client, cli_value(c, "cursor"), (int)limit, add_key, &t, e);
    if (rc == 0)
        rc = cmd_print_table(c, &t, "keys", e);
    else
        table_release(&t);
    client_release(&client);
    return rc;
}

int cmd_key_revoke(struct cli *c, struct err *e)
{
    struct jsondoc *doc = NULL;
    struct client client;
    struct table t;
    int rc = cmd_client_ready(c, &client, e);

    if (rc != 0)
        return rc;
    table_init(&t, record_columns, c->json);
    rc = client_key_revoke(&client, cli_arg(c, 0), add_key, &t, e);
    if (rc == 0 && c->json)
        rc = table_take_row(&t, &doc, e);
    if (rc == 0)
        rc = c->json ? cmd_print(doc, e) : table_print_record(&t, stdout, e);
    table_release(&t);
    client_release(&client);
    return rc;
}

/* ---- workspaces, the secret key ------------------------------------------------------------- */

static const struct table_column workspace_columns[] = {
    { "name", "WORKSPACE" },
    { "created_at", "CREATED" },
    { "keys", "KEYS" },
    { 0 },
};

static void add_workspace(void *ctx, const char *slug, int64_t created_us, int64_t keys)
{
    struct table *t = ctx;

    table_str(t, slug);
    table_time(t, created_us / US_PER_MS);
    table_int(t, keys);
}

int cmd_key_workspaces(struct cli *c, struct err *e)
{
    struct client client;
    struct table t;
    int rc = cmd_client(c, &client, e);

    if (rc != 0)
        return rc;
    table_init(&t, workspace_columns, c->json);
    rc = client_workspace_list(&client, add_workspace, &t, e);
    if (rc == 0)
        rc = cmd_print_table(c, &t, "workspaces", e);
    else
        table_release(&t);
    client_release(&client);
    return rc;
}

int cmd_key_workspace(struct cli *c, struct err *e)
{
    struct jsondoc *doc;
    struct client client;
    bool new = false;
    int rc = cmd_client(c, &client, e);

    if (rc != 0)
        return rc;
    rc = client_workspace_create(&client, cli_arg(c, 0), &new, e);
    client_release(&client);
    if (rc != 0)
        return rc;
    if (!c->json) {
        puts(new ? "created" : "there already");
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_str(doc, "name", cli_arg(c, 0));
    jsondoc_add_bool(doc, "created", new);
    return cmd_print(doc, e);
}

int cmd_key_secret(struct cli *c, struct err *e)
{
    char text[SECRETBOX_TEXT_SIZE];
    struct jsondoc *doc;

    if (secretbox_generate(text) != 0)
        return err_set(e, IFP_ESERVER, "the system gives no random bytes");
    if (!c->json) {
        puts(text);
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_str(doc, "secret_key", text);
    return cmd_print(doc, e);
}
