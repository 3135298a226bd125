/*
 * pg/pgsetup.c - the one question asked on each new connection: may the protocol run here?
 *
 * Our connection options set everything in the table, but a pooler may drop them without a word.
 * Wrong planner settings would show only as a slow database once tables have grown, and another
 * isolation level would break the fencing, so both are refused (protocol.md, correction 26).
 * A standby is refused as unavailable: it may be promoted.
 */
#include "pg/pginternal.h"

#include <assert.h>
#include <string.h>

enum { VERSION_MIN = 130000, FIXED_COLUMNS = 2 };

/* name, the value it must have */
#define SETTING_MAP(X)                                                                             \
    X(default_transaction_isolation, "read committed")                                             \
    X(transaction_isolation, "read committed")                                                     \
    X(plan_cache_mode, "force_generic_plan")                                                       \
    X(enable_seqscan, "off")                                                                       \
    X(enable_hashjoin, "off")                                                                      \
    X(enable_mergejoin, "off")                                                                     \
    X(jit, "off")                                                                                  \
    X(client_encoding, "UTF8")

#define SETTING_ROW(name, wanted) { #name, wanted },
static const struct {
    const char *name, *wanted;
} settings[] = { SETTING_MAP(SETTING_ROW) };

#define SETTING_COLUMN(name, wanted) ", pg_catalog.current_setting('" #name "')"
const struct pgstmt pgsetup_stmt = {
    NULL, "select pg_catalog.current_setting('server_version_num')::pg_catalog.int4,"
          " pg_catalog.pg_is_in_recovery()" SETTING_MAP(SETTING_COLUMN)
};

int pgsetup_check(const struct pgres *res, struct err *e)
{
    int version;

    assert(pgres_rows(res) == 1);
    version = pgres_int4(res, 0, 0);
    if (version < VERSION_MIN)
        return err_set(e, IFP_ESCHEMA, "PostgreSQL %d is too old: 13 or newer is needed",
                       version / 10000);
    if (pgres_bool(res, 0, 1))
        return err_set(e, IFP_EUNAVAILABLE, "the server is a standby: it cannot be written to");
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        const char *value = pgres_text(res, 0, (int)i + FIXED_COLUMNS);

        if (!value || strcmp(value, settings[i].wanted) != 0)
            return err_set(e, IFP_ESCHEMA,
                           "the setting %s is \"%s\" and must be \"%s\": a pooler seems to ignore "
                           "connection options, set it with ALTER ROLE",
                           settings[i].name, value ? value : "", settings[i].wanted);
    }
    return 0;
}
