/* api/scope.c - the names of the scopes, and sets of them as texts. */
#include "api/scope.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *text;
} scopes[SCOPES] = {
#define SCOPE_ROW(id, name, text) [id] = { name, text },
    SCOPE_MAP(SCOPE_ROW)
#undef SCOPE_ROW
};

const char *scope_name(enum scope s)
{
    assert((unsigned)s < SCOPES);
    return scopes[s].name;
}

const char *scope_text(enum scope s)
{
    assert((unsigned)s < SCOPES);
    return scopes[s].text;
}

int scope_find(const char *name)
{
    for (int i = 0; i < SCOPES; i++)
        if (strcmp(scopes[i].name, name) == 0)
            return i;
    return -1;
}

bool scope_next(const char **text, char ret_name[SCOPE_NAME_SIZE])
{
    size_t len;

    *text += strspn(*text, " ");
    len = strcspn(*text, " ");
    (void)snprintf(ret_name, SCOPE_NAME_SIZE, "%.*s", (int)MIN(len, SCOPE_NAME_SIZE - 1), *text);
    *text += len;
    return len > 0;
}

uint32_t scope_read(const char *text)
{
    char name[SCOPE_NAME_SIZE];
    uint32_t set = 0;

    while (scope_next(&text, name)) {
        int scope = scope_find(name);

        if (strcmp(name, "*") == 0)
            set = SCOPE_ALL;
        else if (scope >= 0)
            set |= UINT32_C(1) << scope;
    }
    return set;
}

void scope_write(uint32_t set, char ret[SCOPE_TEXT_SIZE])
{
    size_t len = 0;

    (void)snprintf(ret, SCOPE_TEXT_SIZE, "%s", set == SCOPE_ALL ? "*" : "");
    for (int i = 0; set != SCOPE_ALL && i < SCOPES; i++)
        if (set & UINT32_C(1) << i)
            len += (size_t)snprintf(ret + len, SCOPE_TEXT_SIZE - len, "%s%s", len ? " " : "",
                                    scopes[i].name);
    assert(len < SCOPE_TEXT_SIZE);
}
