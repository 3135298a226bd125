/*
 * pg/pgdsn.c - from the user's conninfo to a connection with the settings that the protocol needs.
 *
 * The conninfo is taken apart once; what the user says stands, but for `options` (theirs first, so
 * that ours win: the protocol is not correct on other settings) and client_encoding (all our texts
 * are UTF-8).  What they leave out (host, port, user, ...) libpq fills in from the environment.
 *
 * Secrets: libpq quotes the conninfo when it cannot parse it, so its text is not passed on.  A
 * password with a bare '@' in a URI makes its rest look like a host, which later messages would
 * show; such a host is refused here.
 */
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "pg/pginternal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { KEYWORDS_MAX = 128 };

#define SETTINGS_ALWAYS " -c TimeZone=UTC -c client_min_messages=warning"
/* A user's transaction may wait for locks as long as it likes, but must not hold them for ever when
 * its process is frozen. */
#define SETTINGS_USER " -c idle_in_transaction_session_timeout=60s"
#define SETTINGS_RUNTIME                                                                           \
    " -c lock_timeout=6s -c idle_in_transaction_session_timeout=5s"                                \
    " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off"          \
    " -c enable_mergejoin=off -c jit=off -c default_transaction_isolation=read\\ committed"

/* A dead peer is noticed within about 20 s; what the user's conninfo sets comes first. */
static const struct {
    const char *keyword, *value;
} defaults[] = {
    { "keepalives_idle", "10" },
    { "keepalives_interval", "3" },
    { "keepalives_count", "3" },
    { "tcp_user_timeout", "15000" },
};

static const char *user_value(const struct pgdsn *d, const char *keyword)
{
    for (const PQconninfoOption *o = d->user; o && o->keyword; o++) {
        if (strcmp(o->keyword, keyword) == 0)
            return o->val;
    }
    return NULL;
}

static int parse(struct pgdsn *d, const char *conninfo, struct err *e)
{
    char *text = NULL;
    const char *host;

    d->user = PQconninfoParse(conninfo ? conninfo : "", &text);
    if (!d->user) {
        int code = text ? IFP_EINVALID : IFP_ENOMEM;

        PQfreemem(text);
        return err_set(e, code, "%s",
                       code == IFP_ENOMEM ? "connection string: out of memory"
                                          : "the connection string is neither a list of "
                                            "keyword=value nor a postgresql:// URI");
    }
    host = user_value(d, "host");
    if (host && strchr(host, '@'))
        return err_set(e, IFP_EINVALID,
                       "connection string: the host contains '@'; a password with special "
                       "characters must be percent-encoded");
    return 0;
}

static int build_settings(struct pgdsn *d, const struct pgdsn_options *options, struct err *e)
{
    const char *theirs = user_value(d, "options");
    struct buf b;

    if (!theirs)
        theirs = getenv("PGOPTIONS");
    buf_init(&b);
    buf_puts(&b, theirs ? theirs : "");
    buf_puts(&b, SETTINGS_ALWAYS);
    buf_printf(&b, " -c statement_timeout=%lld", (long long)options->statement_timeout_ms);
    buf_puts(&b, options->runtime_settings ? SETTINGS_RUNTIME : SETTINGS_USER);
    if (options->async_commit)
        buf_puts(&b, " -c synchronous_commit=off");
    d->settings = buf_take(&b);
    buf_release(&b);
    return d->settings ? 0 : err_set(e, IFP_ENOMEM, "connection settings: out of memory");
}

int pgdsn_open(struct pgdsn *d, const struct pgdsn_options *options, struct err *e)
{
    int rc;

    assert(options->application);
    assert(options->statement_timeout_ms >= 0);
    *d = (struct pgdsn){ 0 };
    rc = parse(d, options->conninfo, e);
    if (rc == 0)
        rc = build_settings(d, options, e);
    if (rc == 0) {
        d->application = mem_strdup(options->application);
        if (!d->application)
            rc = err_set(e, IFP_ENOMEM, "connection settings: out of memory");
    }
    if (rc < 0)
        pgdsn_release(d);
    return rc;
}

void pgdsn_release(struct pgdsn *d)
{
    PQconninfoFree(d->user);
    mem_free(d->settings);
    mem_free(d->application);
    *d = (struct pgdsn){ 0 };
}

/* libpq would print to stderr; the log decides where warnings of the server go. */
static void on_notice(void *ctx, const PGresult *res)
{
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

    (void)ctx;
    LOG_DEBUG("notice of the database", LOG_STR("detail", text ? text : ""));
}

struct keywords {
    const char *names[KEYWORDS_MAX];
    const char *values[KEYWORDS_MAX];
    int count;
};

static void add(struct keywords *k, const char *name, const char *value)
{
    assert(k->count + 1 < KEYWORDS_MAX); /* the last one stays NULL */
    k->names[k->count] = name;
    k->values[k->count] = value;
    k->count++;
}

PGconn *pgdsn_start(const struct pgdsn *d)
{
    struct keywords k = { .count = 0 };
    PGconn *pg;

    for (const PQconninfoOption *o = d->user; o->keyword; o++) {
        if (o->val && strcmp(o->keyword, "options") != 0 &&
            strcmp(o->keyword, "client_encoding") != 0)
            add(&k, o->keyword, o->val);
    }
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
        if (!user_value(d, defaults[i].keyword))
            add(&k, defaults[i].keyword, defaults[i].value);
    }
    if (!user_value(d, "application_name"))
        add(&k, "application_name", d->application);
    add(&k, "client_encoding", "UTF8");
    add(&k, "options", d->settings);
    pg = PQconnectStartParams(k.names, k.values, 0);
    if (pg)
        PQsetNoticeReceiver(pg, on_notice, NULL);
    return pg;
}
