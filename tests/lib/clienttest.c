/*
 * tests/lib/clienttest.c - see the header.
 */
#include "lib/clienttest.h"

#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

int clienttest_setup(void **state)
{
    static struct clienttest t;
    const struct client_limits limits = { CLIENTTEST_PAYLOAD_MAX, CLIENTTEST_INLINE_MAX, 60000 };

    testdb_create(&t.url);
    assert_int_equal(client_open(&t.c, t.url, "default", &limits, &t.e), 0);
    testdb_exec("select inferpipe.workflow_register(1, '{echo,wait}', '{1,1}', '{default,slow}',"
                " '{null,3600000}')");
    *state = &t;
    return 0;
}

int clienttest_teardown(void **state)
{
    struct clienttest *t = *state;

    for (int kind = 0; kind < FAULT_KINDS; kind++)
        fault_arm((enum fault_kind)kind, 0, false);
    client_release(&t->c);
    client_release(&t->c);
    testdb_give_back(t->url);
    return 0;
}

int clienttest_start_with(struct clienttest *t, const char *workflow, const char *input,
                          const ifp_start_options *o, int64_t *ret_id, bool *ret_created)
{
    return client_start(&t->c, workflow, input, input ? strlen(input) : 0, o, ret_id, ret_created,
                        &t->e);
}

int64_t clienttest_started(struct clienttest *t, const char *workflow, const char *input)
{
    bool created = false;
    int64_t id = 0;

    if (clienttest_start_with(t, workflow, input, NULL, &id, &created) != 0)
        fail_msg("%s", t->e.text);
    assert_true(created);
    return id;
}

void clienttest_expect_text(const struct clienttest *t, const char *text)
{
    if (!strstr(t->e.text, text))
        fail_msg("expected \"%s\" in \"%s\"", text, t->e.text);
}

void clienttest_end(int64_t id, int status, const char *output)
{
    testdb_execf(
        "select inferpipe.run_end(array[%lld::int8], array[%d::int2], array[1], array[0::int2],"
        " array[%s::bytea], array[%s::text], array[%s::text])",
        (long long)id, status, output, status == 1 ? "null" : "'BAD'",
        status == 1 ? "null" : "'it is bad'");
}
