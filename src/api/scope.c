/* api/scope.c - the names of the scopes. */
#include "api/scope.h"

#include <assert.h>
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
