/*
 * base/err.c - the error table, and texts that grow a context on the way up.
 *
 * The table is IFP_ERROR_MAP of inferpipe.h: one line an error, everything here is looked up in it.
 * A number that is not in it (a bug of a step, a newer peer) is answered like IFP_ESERVER, so that
 * nobody has to handle "no such error".  Texts are formatted aside first: a caller may pass the old
 * text as an argument of the new one.
 */
#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct entry {
    int code;
    int http;
    bool retryable;
    const char *name;
    const char *text;
};

#define ERROR_ENTRY(id, number, wire, status, retry, words) { id, status, retry, wire, words },
static const struct entry errors[] = { IFP_ERROR_MAP(ERROR_ENTRY) };
#undef ERROR_ENTRY

static const struct entry *find(int code)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (errors[i].code == code)
            return &errors[i];
    return NULL;
}

const char *ifp_error_name(int error)
{
    const struct entry *entry = find(error);

    if (entry)
        return entry->name;
    if (error == IFP_OK)
        return "OK";
    return error == IFP_SUSPENDED ? "SUSPENDED" : "UNKNOWN";
}

const char *ifp_error_text(int error)
{
    const struct entry *entry = find(error);

    if (entry)
        return entry->text;
    if (error == IFP_OK)
        return "no error";
    return error == IFP_SUSPENDED ? "the execution waits" : "an error without a name";
}

/* Takes an incomplete UTF-8 sequence off the end of a text that was cut. */
static void trim_cut_char(char *text)
{
    size_t len = strlen(text);
    size_t lead = len;
    size_t want;
    unsigned char c;

    while (lead > 0 && len - lead < 3 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
        lead--;
    if (lead == 0)
        return;
    c = (unsigned char)text[--lead];
    want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    if (len - lead < want)
        text[lead] = '\0';
}

/* Formats into `text`; a text that does not fit is cut on a UTF-8 border. */
static void format_text(char text[ERR_TEXT_SIZE], const char *format, va_list args)
{
    int len = vsnprintf(text, ERR_TEXT_SIZE, format, args);

    if (len < 0)
        text[0] = '\0';
    else if (len >= ERR_TEXT_SIZE)
        trim_cut_char(text);
}

void err_clear(struct err *e)
{
    assert(e != NULL);
    e->code = 0;
    e->sqlstate[0] = '\0';
    e->text[0] = '\0';
}

int err_set(struct err *e, int code, const char *format, ...)
{
    char text[ERR_TEXT_SIZE];
    va_list args;

    assert(e != NULL && code < 0);
    va_start(args, format);
    format_text(text, format, args);
    va_end(args);
    e->code = code;
    e->sqlstate[0] = '\0';
    memcpy(e->text, text, sizeof(text));
    return code;
}

int err_wrap(struct err *e, const char *format, ...)
{
    char text[ERR_TEXT_SIZE];
    size_t len, room, tail;
    va_list args;

    assert(e != NULL && e->code < 0);
    va_start(args, format);
    format_text(text, format, args);
    va_end(args);
    len = strlen(text);
    room = sizeof(text) - 1 - len;
    if (room > 2) {
        memcpy(text + len, ": ", 2);
        tail = MIN(strlen(e->text), room - 2);
        memcpy(text + len + 2, e->text, tail);
        text[len + 2 + tail] = '\0';
        trim_cut_char(text);
    }
    memcpy(e->text, text, strlen(text) + 1);
    return e->code;
}

int err_http_status(int code)
{
    const struct entry *entry = find(code);

    if (code >= 0)
        return 200;
    return entry ? entry->http : 500;
}

bool err_retryable(int code)
{
    const struct entry *entry = find(code);

    return entry ? entry->retryable : code < 0;
}

int err_from_name(const char *name)
{
    assert(name != NULL);
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (strcmp(errors[i].name, name) == 0)
            return errors[i].code;
    return 0;
}

int err_exit_code(int code)
{
    switch (code) {
    case IFP_OK:
        return 0;
    case IFP_EINVALID:
        return 2;
    case IFP_ENOTFOUND:
        return 3;
    case IFP_EUNAUTHORIZED:
    case IFP_EFORBIDDEN:
    case IFP_ECONFLICT:
    case IFP_ETOOLARGE:
    case IFP_EMISMATCH:
    case IFP_ERATELIMITED:
    case IFP_ESCHEMA:
        return 4;
    case IFP_ETIMEOUT:
        return 5;
    default:
        return 1;
    }
}
