/*
 * tests/integration/test_clientapi.c - the client half of inferpipe.h, as a program that only
 * starts and watches executions uses it.  Where something has to run, a real worker does it.
 */
#include <inferpipe.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/testdb.h"

#include <cmocka.h>

struct test {
    const char *url;
    ifp_client *client;
    pid_t worker;
};

static int setup(void **state)
{
    struct test *t = calloc(1, sizeof(*t));

    testdb_create(&t->url);
    testdb_exec("select inferpipe.workflow_register(1, array['echo'], array['1'],"
                " array['default'], array[null]::int8[])");
    assert_int_equal(ifp_client_open(t->url, &t->client), 0);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct test *t = *state;

    if (t->worker) {
        kill(t->worker, SIGTERM);
        assert_int_equal(waitpid(t->worker, NULL, 0), t->worker);
    }
    ifp_client_close(t->client);
    testdb_give_back(t->url);
    free(t);
    return 0;
}

/* tests/programs/demo lies beside the folder of this program. */
static void start_worker(struct test *t)
{
    char path[4096], *slash;
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

    assert_true(len > 0);
    path[len] = '\0';
    for (int up = 0; up < 2; up++) {
        slash = strrchr(path, '/');
        assert_non_null(slash);
        *slash = '\0';
    }
    len = (ssize_t)strlen(path);
    (void)snprintf(path + len, sizeof(path) - (size_t)len, "/programs/demo");
    t->worker = fork();
    assert_true(t->worker >= 0);
    if (t->worker > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("DATABASE_URL", t->url, 1);
    (void)execl(path, "demo", "worker", "--log-level", "error", (char *)NULL);
    _exit(127);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void a_start_runs_and_gives_its_output(void **state)
{
    struct test *t = *state;
    char id[IFP_ID_SIZE];
    ifp_execution x;

    start_worker(t);
    assert_int_equal(ifp_client_start(t->client, "echo", "{\"n\": 1.50}", NULL, id), 0);
    assert_int_equal(ifp_client_wait(t->client, id, 20000, &x), 0);
    assert_string_equal(x.id, id);
    assert_int_equal(x.status, IFP_COMPLETED);
    assert_string_equal(x.output, "{\"n\": 1.50}");
    assert_string_equal(x.workflow, "echo");
    assert_null(x.error);
    assert_true(x.finished_ms >= x.created_ms);
    ifp_execution_release(&x);
}

static void a_key_starts_once(void **state)
{
    struct test *t = *state;
    const ifp_start_options keyed = { .key = "order-7" };
    char first[IFP_ID_SIZE], again[IFP_ID_SIZE];

    assert_int_equal(ifp_client_start(t->client, "echo", "1", &keyed, first), 0);
    assert_int_equal(ifp_client_start(t->client, "echo", "1", &keyed, again), 0);
    assert_string_equal(first, again);
    assert_int_equal(ifp_client_start(t->client, "echo", "2", &keyed, again), IFP_EMISMATCH);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs"), 1);
}

static void cancel_and_retry(void **state)
{
    struct test *t = *state;
    char id[IFP_ID_SIZE];
    ifp_execution x;

    assert_int_equal(ifp_client_start(t->client, "echo", NULL, NULL, id), 0);
    assert_int_equal(ifp_client_retry(t->client, id), IFP_ECONFLICT);
    assert_int_equal(ifp_client_cancel(t->client, id, false), 0);
    assert_int_equal(ifp_client_get(t->client, id, &x), 0);
    assert_int_equal(x.status, IFP_STATUS_CANCELED);
    ifp_execution_release(&x);
    assert_int_equal(ifp_client_cancel(t->client, id, true), IFP_ECONFLICT);
    assert_int_equal(ifp_client_retry(t->client, id), 0);
    assert_int_equal(ifp_client_get(t->client, id, &x), 0);
    assert_int_equal(x.status, IFP_QUEUED);
    ifp_execution_release(&x);
}

static void messages_are_kept_and_told_apart(void **state)
{
    struct test *t = *state;
    char id[IFP_ID_SIZE];

    assert_int_equal(ifp_client_start(t->client, "echo", "1", NULL, id), 0);
    assert_int_equal(ifp_client_send(t->client, id, "go", "{}", "a"), 0);
    assert_int_equal(ifp_client_send(t->client, id, "go", "{}", "a"), 0);
    assert_int_equal(ifp_client_send(t->client, id, "go", "{}", NULL), 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_messages"), 2);
    assert_int_equal(ifp_client_cancel(t->client, id, true), 0);
    assert_int_equal(ifp_client_send(t->client, id, "go", "{}", NULL), IFP_ECONFLICT);
}

static void a_wait_has_an_end(void **state)
{
    struct test *t = *state;
    char id[IFP_ID_SIZE];
    ifp_execution x;

    assert_int_equal(ifp_client_start(t->client, "echo", "1", NULL, id), 0);
    assert_int_equal(ifp_client_wait(t->client, id, 50, &x), IFP_ETIMEOUT);
    assert_string_not_equal(ifp_client_error(t->client), "");
}

static void refused(struct test *t, int error, int wanted, const char *word)
{
    assert_int_equal(error, wanted);
    if (!strstr(ifp_client_error(t->client), word))
        fail_msg("\"%s\" does not name %s", ifp_client_error(t->client), word);
}

static void bad_input_is_named(void **state)
{
    struct test *t = *state;
    const ifp_start_options bad_priority = { .priority = 6 };
    char id[IFP_ID_SIZE];
    ifp_execution x;

    refused(t, ifp_client_start(t->client, "nobody", "1", NULL, id), IFP_ENOTFOUND, "workflow");
    refused(t, ifp_client_start(t->client, "No!", "1", NULL, id), IFP_EINVALID, "workflow");
    refused(t, ifp_client_start(t->client, "echo", "{\"a\":1,\"a\":2}", NULL, id), IFP_EINVALID,
            "input");
    refused(t, ifp_client_start(t->client, "echo", "1", &bad_priority, id), IFP_EINVALID,
            "priority");
    refused(t, ifp_client_get(t->client, "exe_x", &x), IFP_EINVALID, "exe_x");
    refused(t, ifp_client_get(t->client, "exe_0000000000001", &x), IFP_ENOTFOUND, "execution");
    refused(t, ifp_client_send(t->client, "exe_0000000000001", "", "1", NULL), IFP_EINVALID,
            "name");
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_executions"), 0);
}

struct heard {
    int count, refused, stop_at;
    char last[IFP_ID_SIZE], fork[IFP_ID_SIZE];
};

static int hear(void *ctx, const ifp_outcome *o)
{
    struct heard *h = ctx;

    assert_true(strcmp(o->id, h->last) > 0); /* the oldest first, each once */
    (void)snprintf(h->last, sizeof(h->last), "%s", o->id);
    (void)snprintf(h->fork, sizeof(h->fork), "%s", o->fork ? o->fork : "");
    h->refused += o->error != 0;
    return ++h->count == h->stop_at ? 77 : 0;
}

static void many_are_canceled_retried_and_forked(void **state)
{
    struct test *t = *state;
    ifp_filter queued = { .status = "queued", .workflow = "echo" };
    ifp_filter canceled = { .status = "canceled" };
    struct heard h = { 0 };
    char id[IFP_ID_SIZE];
    ifp_many n;

    for (int i = 0; i < 5; i++)
        assert_int_equal(ifp_client_start(t->client, "echo", "1", NULL, id), 0);
    assert_int_equal(ifp_client_find(t->client, &queued, hear, &h, &n), 0);
    assert_true(n.done == 5 && !n.more && h.count == 5);
    assert_string_equal(n.last, id);
    queued.limit = 2;
    assert_int_equal(ifp_client_cancel_many(t->client, &queued, false, NULL, NULL, &n), 0);
    assert_true(n.done == 2 && n.refused == 0 && n.more);
    assert_int_equal(ifp_client_retry_many(t->client, &canceled, NULL, NULL, NULL), 0);
    queued.limit = 0;
    h = (struct heard){ 0 };
    assert_int_equal(ifp_client_retry_many(t->client, &queued, hear, &h, &n), 0);
    assert_true(n.done == 0 && n.refused == 5 && h.refused == 5); /* they are all queued */
    h = (struct heard){ .stop_at = 3 };
    assert_int_equal(ifp_client_fork_many(t->client, &queued, NULL, hear, &h, &n), 77);
    assert_true(n.done == 3 && h.count == 3);
    assert_string_equal(n.last, h.last);
    assert_memory_equal(h.fork, "exe_", 4);
    queued.after = id; /* all that are left are the forks */
    assert_int_equal(ifp_client_find(t->client, &queued, NULL, NULL, &n), 0);
    assert_int_equal(n.done, 5);
}

static void bad_filters_are_named(void **state)
{
    struct test *t = *state;
    ifp_fork_options input = { .input = "1" };
    ifp_filter ok = { .status = "failed" };
    ifp_many n;

    refused(t, ifp_client_find(t->client, &(ifp_filter){ 0 }, NULL, NULL, &n), IFP_EINVALID,
            "status: ");
    refused(t, ifp_client_find(t->client, &(ifp_filter){ .status = "sad" }, NULL, NULL, &n),
            IFP_EINVALID, "status");
    refused(t,
            ifp_client_find(t->client, &(ifp_filter){ .status = "failed", .limit = 1000001 }, NULL,
                            NULL, &n),
            IFP_EINVALID, "limit: ");
    refused(t,
            ifp_client_find(t->client, &(ifp_filter){ .status = "failed", .after = "x" }, NULL,
                            NULL, &n),
            IFP_EINVALID, "after: ");
    refused(t, ifp_client_fork_many(t->client, &ok, &input, NULL, NULL, &n), IFP_EINVALID,
            "input and set");
    ok.limit = 1000000;
    assert_int_equal(ifp_client_find(t->client, &ok, NULL, NULL, &n), 0);
    assert_true(n.done == 0 && n.last[0] == '\0');
}

static void a_client_that_cannot_connect_says_why(void **state)
{
    ifp_client *client = NULL;
    char id[IFP_ID_SIZE];

    (void)state;
    assert_int_equal(ifp_client_open("host=/nonexistent dbname=x", &client), IFP_EUNAVAILABLE);
    assert_non_null(client);
    assert_string_not_equal(ifp_client_error(client), "");
    assert_int_equal(ifp_client_start(client, "echo", "1", NULL, id), IFP_EUNAVAILABLE);
    ifp_client_close(client);
    assert_int_equal(ifp_client_open("no such thing", &client), IFP_EINVALID);
    ifp_client_close(client);
    ifp_client_close(NULL);
    ifp_execution_release(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_runs_and_gives_its_output),
        TEST(a_key_starts_once),
        TEST(cancel_and_retry),
        TEST(messages_are_kept_and_told_apart),
        TEST(a_wait_has_an_end),
        TEST(bad_input_is_named),
        TEST(many_are_canceled_retried_and_forked),
        TEST(bad_filters_are_named),
        cmocka_unit_test(a_client_that_cannot_connect_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
