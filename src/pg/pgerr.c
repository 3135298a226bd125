/*
 * pg/pgerr.c - what libpq and the server report, as our numbers and texts.
 *
 * A statement's error keeps its SQLSTATE; the number says what the caller can do about it.  Texts
 * come from the server's primary message and a short DETAIL, or from libpq's connection message;
 * neither holds a password (what a user writes into a conninfo that cannot be parsed might: see
 * pgdsn.c).  Line ends become spaces, as texts end up in log lines.
 */
#include "pg/pginternal.h"
#include "pg/pgsync.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { DETAIL_MAX = 200 };

static const struct {
    const char *prefix; /* of the SQLSTATE */
    int code;
} codes[] = {
    { "IP400", IFP_EINVALID },     { "IP403", IFP_EFORBIDDEN },   { "IP404", IFP_ENOTFOUND },
    { "IP409", IFP_ECONFLICT },    { "IP413", IFP_ETOOLARGE },    { "IP422", IFP_EMISMATCH },
    { "IP429", IFP_ERATELIMITED }, { "IP001", IFP_ELEASE },       { "08", IFP_EUNAVAILABLE },
    { "57P01", IFP_EUNAVAILABLE }, { "57P02", IFP_EUNAVAILABLE }, { "57P03", IFP_EUNAVAILABLE },
    { "53300", IFP_EUNAVAILABLE }, { "57014", IFP_ETIMEOUT },     { "53200", IFP_ENOMEM },
    { "3F000", IFP_ESCHEMA },      { "42P01", IFP_ESCHEMA },      { "42883", IFP_ESCHEMA },
    { "42501", IFP_EFORBIDDEN },
};

int pg_error_code(const char *sqlstate)
{
    assert(sqlstate);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (strncmp(sqlstate, codes[i].prefix, strlen(codes[i].prefix)) == 0)
            return codes[i].code;
    }
    return IFP_ESERVER;
}

static void flatten(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
        text[--len] = '\0';
    for (char *c = text; *c; c++) {
        if (*c == '\n' || *c == '\t' || *c == '\r')
            *c = ' ';
    }
}

static const char *field(const PGresult *res, int which)
{
    const char *text = PQresultErrorField(res, which);

    return text ? text : "";
}

int pgerr_from_result(const PGresult *res, struct err *e)
{
    const char *state = field(res, PG_DIAG_SQLSTATE);
    const char *message = field(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = field(res, PG_DIAG_MESSAGE_DETAIL);
    /* libpq's own errors have no SQLSTATE: they are about the connection. */
    int code = *state ? pg_error_code(state) : IFP_EUNAVAILABLE;

    if (!*message)
        message = PQresultErrorMessage(res);
    if (strlen(detail) > DETAIL_MAX)
        detail = "";
    err_set(e, code, "%s%s%s%s%s", message, *detail ? " (" : "", detail, *detail ? ")" : "",
            code == IFP_ESCHEMA ? ": the schema is missing or old, run `inferpipe migrate`" : "");
    flatten(e->text);
    snprintf(e->sqlstate, sizeof(e->sqlstate), "%s", state);
    return code;
}

int pgerr_from_conn(const PGconn *pg, struct err *e)
{
    const char *message = pg ? PQerrorMessage(pg) : "";

    err_set(e, IFP_EUNAVAILABLE, "%s", *message ? message : "the connection was lost");
    flatten(e->text);
    return IFP_EUNAVAILABLE;
}

bool pgerr_fatal(const PGresult *res)
{
    const char *severity = field(res, PG_DIAG_SEVERITY_NONLOCALIZED);

    return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}
