/*
 * tests/integration/test_start_many.c - many starts at once through the public client: order, keys,
 * batches, and what is left when one item is bad.
 */
#include "lib/testdb.h"

#include <inferpipe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 2500, BATCH = 1000 };

struct test {
    const char *url;
    ifp_client *client;
    ifp_start_item items[MANY];
    ifp_start_options options[MANY];
    char inputs[MANY][16], keys[MANY][16], ids[MANY][IFP_ID_SIZE];
};

static int setup(void **state)
{
    struct test *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    testdb_create(&t->url);
    testdb_exec("select inferpipe.workflow_register(1, '{echo,wait}', '{1,1}', '{default,slow}',"
                " '{null,3600000}')");
    assert_int_equal(ifp_client_open(t->url, &t->client), 0);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(t->inputs[i], sizeof(t->inputs[i]), "%d", i);
        (void)snprintf(t->keys[i], sizeof(t->keys[i]), "key-%d", i);
        t->items[i] = (ifp_start_item){ "echo", t->inputs[i], &t->options[i] };
    }
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct test *t = *state;

    ifp_client_close(t->client);
    testdb_give_back(t->url);
    free(t);
    return 0;
}

static int64_t executions(void)
{
    return testdb_int8("select count(*) from inferpipe._inferpipe_executions");
}

static int start(struct test *t, size_t n)
{
    return ifp_client_start_many(t->client, t->items, n, t->ids);
}

static void expect_text(struct test *t, const char *part)
{
    if (!strstr(ifp_client_error(t->client), part))
        fail_msg("expected \"%s\" in \"%s\"", part, ifp_client_error(t->client));
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void ids_come_in_the_order_of_the_items(void **state)
{
    struct test *t = *state;

    assert_int_equal(start(t, MANY), 0);
    assert_int_equal(executions(), MANY);
    for (int i = 0; i < MANY; i += 499) {
        ifp_execution x;

        assert_int_equal(ifp_client_get(t->client, t->ids[i], &x), 0);
        assert_int_equal(x.status, IFP_QUEUED);
        ifp_execution_release(&x);
        assert_int_equal(testdb_int8f("select input::text::int from inferpipe.executions"
                                      " where id = '%s'",
                                      t->ids[i]),
                         i);
    }
}

static void each_item_has_its_options(void **state)
{
    struct test *t = *state;

    t->items[1].workflow = "wait";
    t->options[2] = (ifp_start_options){ .priority = 1, .delay_ms = 3600000, .queue = "other" };
    t->options[3] = (ifp_start_options){ .metadata = "{\"a\": 1}" };
    t->items[4] = (ifp_start_item){ .workflow = "echo" };
    assert_int_equal(start(t, 5), 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe.executions where"
                                 " (workflow = 'wait' and queue = 'slow' and deadline is not null)"
                                 " or (priority = 1 and queue = 'other' and ready_at > now())"
                                 " or metadata = '{\"a\": 1}' or input::text = 'null'"),
                     4);
}

static void keys_make_it_repeatable(void **state)
{
    char first[3][IFP_ID_SIZE];
    struct test *t = *state;

    for (int i = 0; i < 3; i++)
        t->options[i].key = t->keys[i];
    assert_int_equal(start(t, 3), 0);
    memcpy(first, t->ids, sizeof(first));
    for (int i = 3; i < MANY; i++)
        t->options[i].key = t->keys[i];
    assert_int_equal(start(t, MANY), 0);
    assert_memory_equal(first, t->ids, sizeof(first));
    assert_int_equal(executions(), MANY);
    assert_int_equal(start(t, MANY), 0);
    assert_int_equal(executions(), MANY);
}

static void a_bad_item_is_named_and_nothing_starts(void **state)
{
    struct test *t = *state;

    t->items[MANY - 1].input = "{";
    assert_int_equal(start(t, MANY), IFP_EINVALID);
    expect_text(t, "item 2499: input");
    t->items[MANY - 1].input = "1";
    t->items[17].workflow = NULL;
    assert_int_equal(start(t, MANY), IFP_EINVALID);
    expect_text(t, "item 17: workflow");
    t->items[17].workflow = "echo";
    t->options[3].workspace = "another";
    assert_int_equal(start(t, MANY), IFP_EINVALID);
    expect_text(t, "item 3: workspace");
    assert_int_equal(executions(), 0);
    assert_string_equal(t->ids[0], "");
}

static void a_batch_that_fails_leaves_those_before_it(void **state)
{
    struct test *t = *state;

    t->items[BATCH + 5].workflow = "unknown";
    assert_int_equal(start(t, MANY), IFP_ENOTFOUND);
    expect_text(t, "items from 1000 on");
    assert_int_equal(executions(), BATCH);
    assert_int_equal(strncmp(t->ids[BATCH - 1], "exe_", 4), 0);
    assert_string_equal(t->ids[BATCH], "");
    assert_string_equal(t->ids[MANY - 1], "");
}

static void none_is_fine(void **state)
{
    struct test *t = *state;

    assert_int_equal(start(t, 0), 0);
    assert_int_equal(executions(), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ids_come_in_the_order_of_the_items),
        TEST(each_item_has_its_options),
        TEST(keys_make_it_repeatable),
        TEST(a_bad_item_is_named_and_nothing_starts),
        TEST(a_batch_that_fails_leaves_those_before_it),
        TEST(none_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
