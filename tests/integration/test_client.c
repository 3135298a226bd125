/*
 * tests/integration/test_client.c - the blocking client against a real database:
 * every call, every rule for input at its limit, lost connections and lost answers.
 */
#include "base/fault.h"
#include "base/mem.h"
#include "lib/clienttest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void refused(struct clienttest *t, const ifp_start_options *o, const char *text)
{
    bool created;
    int64_t id = -1;

    assert_int_equal(clienttest_start_with(t, "echo", "1", o, &id, &created), IFP_EINVALID);
    clienttest_expect_text(t, text);
    assert_int_equal(id, -1);
}

static int64_t executions(void)
{
    return testdb_int8("select count(*) from inferpipe._inferpipe_executions");
}

static char *json_string(size_t bytes)
{
    char *text = malloc(bytes + 1);

    assert_non_null(text);
    memset(text, 'x', bytes);
    text[0] = text[bytes - 1] = '"';
    text[bytes] = '\0';
    return text;
}

/* ---- start ---------------------------------------------------------------------------------- */

static void a_start_is_kept_byte_for_byte(void **state)
{
    struct clienttest *t = *state;
    const char *input = " {\"n\": 1.00, \"n2\":9007199254740993 } ";
    int64_t id = clienttest_started(t, "echo", input);
    ifp_execution x;
    char *got = NULL;

    assert_int_equal(client_get(&t->c, id, &x, &got, &t->e), 0);
    assert_string_equal(got, input);
    assert_int_equal(x.status, IFP_QUEUED);
    assert_string_equal(x.workflow, "echo");
    assert_string_equal(x.version, "1");
    assert_string_equal(x.queue, "default");
    assert_int_equal(strncmp(x.id, "exe_", 4), 0);
    assert_null(x.waiting_for);
    assert_null(x.output);
    assert_null(x.error_code);
    assert_true(x.created_ms > 1600000000000 && x.finished_ms == 0);
    ifp_execution_release(&x);
    ifp_execution_release(&x);
    ifp_execution_release(NULL);
    mem_free(got);
}

static void no_input_is_null(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", NULL);
    ifp_execution x;
    char *got = NULL;

    assert_int_equal(client_get(&t->c, id, &x, &got, &t->e), 0);
    assert_string_equal(got, "null");
    ifp_execution_release(&x);
    mem_free(got);
}

static void all_start_options_arrive(void **state)
{
    struct clienttest *t = *state;
    bool created;
    int64_t id;
    const ifp_start_options o = {
        .workspace = "default",
        .version = "1",
        .queue = "fast",
        .priority = 5,
        .delay_ms = 3600000,
        .deadline_ms = 7200000,
        .metadata = "{\"team\": \"a\"}",
        .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };

    assert_int_equal(clienttest_start_with(t, "echo", "1", &o, &id, &created), 0);
    assert_int_equal(testdb_int8f("select count(*) from inferpipe.executions where exec_id = %lld"
                                  " and queue = 'fast' and priority = 5 and metadata->>'team' = 'a'"
                                  " and traceparent like '00-0af%%'"
                                  " and ready_at - created_at = interval '1 hour'"
                                  " and deadline - created_at = interval '2 hours'",
                                  (long long)id),
                     1);
}

static void the_deadline_defaults_to_the_workflows_and_minus_1_is_none(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "wait", "1");
    const ifp_start_options none = { .deadline_ms = -1 };
    bool created;

    assert_int_equal(testdb_int8f("select extract(epoch from deadline - created_at)::int8 from"
                                  " inferpipe.executions where exec_id = %lld",
                                  (long long)id),
                     3600);
    assert_int_equal(clienttest_start_with(t, "wait", "1", &none, &id, &created), 0);
    assert_true(testdb_int8f("select extract(epoch from deadline)::int8 from inferpipe.executions"
                             " where exec_id = %lld",
                             (long long)id) == INT64_MIN);
}

static void a_key_makes_a_start_repeatable_and_another_request_is_a_mismatch(void **state)
{
    struct clienttest *t = *state;
    const ifp_start_options o = { .key = "order-7" };
    int64_t first, second;
    bool created;

    assert_int_equal(clienttest_start_with(t, "echo", "1", &o, &first, &created), 0);
    assert_true(created);
    assert_int_equal(clienttest_start_with(t, "echo", "1", &o, &second, &created), 0);
    assert_false(created);
    assert_true(first == second);
    assert_int_equal(clienttest_start_with(t, "echo", "2", &o, &second, &created), IFP_EMISMATCH);
    clienttest_expect_text(t, "key");
    assert_int_equal(executions(), 1);
}

static void an_unknown_workflow_or_workspace_is_not_found(void **state)
{
    struct clienttest *t = *state;
    const ifp_start_options elsewhere = { .workspace = "elsewhere" };
    const ifp_start_options version = { .version = "2" };
    int64_t id;
    bool created;

    assert_int_equal(clienttest_start_with(t, "nothing", "1", NULL, &id, &created), IFP_ENOTFOUND);
    clienttest_expect_text(t, "nothing");
    assert_int_equal(clienttest_start_with(t, "echo", "1", &version, &id, &created), IFP_ENOTFOUND);
    assert_int_equal(clienttest_start_with(t, "echo", "1", &elsewhere, &id, &created),
                     IFP_ENOTFOUND);
    clienttest_expect_text(t, "elsewhere");
}

static void a_client_may_be_given_another_workspace(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1");
    ifp_execution found;
    int32_t own = t->c.workspace_id;

    testdb_exec("insert into inferpipe._inferpipe_workspaces(slug) values ('team-c')");
    assert_int_equal(client_set_workspace(&t->c, "team-c",
                                          (int32_t)testdb_int8("select inferpipe.workspace_id("
                                                               "'team-c')"),
                                          &t->e),
                     0);
    assert_int_equal(client_get(&t->c, id, &found, NULL, &t->e), IFP_ENOTFOUND);
    clienttest_expect_text(t, "in workspace \"team-c\"");
    assert_int_equal(client_set_workspace(&t->c, "default", own, &t->e), 0);
    assert_int_equal(client_get(&t->c, id, &found, NULL, &t->e), 0);
    ifp_execution_release(&found);
}

static void a_start_may_name_another_workspace(void **state)
{
    struct clienttest *t = *state;
    const ifp_start_options o = { .workspace = "team-b" };
    ifp_execution x;
    int64_t id;
    bool created;

    testdb_exec("insert into inferpipe._inferpipe_workspaces(slug) values ('team-b');"
                "select inferpipe.workflow_register(inferpipe.workspace_id('team-b'), '{echo}',"
                " '{1}', '{default}', '{null}')");
    assert_int_equal(clienttest_start_with(t, "echo", "1", &o, &id, &created), 0);
    assert_int_equal(client_get(&t->c, id, &x, NULL, &t->e), IFP_ENOTFOUND);
    clienttest_expect_text(t, "\"default\"");
    assert_int_equal(client_retry(&t->c, id, &t->e), IFP_ENOTFOUND);
}

static void large_inputs_go_to_their_table_at_inline_limit_plus_1(void **state)
{
    struct clienttest *t = *state;
    char *at_limit = json_string(CLIENTTEST_INLINE_MAX),
         *over = json_string(CLIENTTEST_INLINE_MAX + 1), *got = NULL;
    ifp_execution x;
    int64_t id;

    (void)clienttest_started(t, "echo", at_limit);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_payloads"), 0);
    id = clienttest_started(t, "echo", over);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_payloads"), 1);
    assert_int_equal(client_get(&t->c, id, &x, &got, &t->e), 0);
    assert_string_equal(got, over);
    ifp_execution_release(&x);
    mem_free(got);
    free(over);
    free(at_limit);
}

static void an_input_over_the_payload_limit_is_too_large(void **state)
{
    struct clienttest *t = *state;
    char *at_limit = json_string(CLIENTTEST_PAYLOAD_MAX),
         *over = json_string(CLIENTTEST_PAYLOAD_MAX + 1);
    int64_t id;
    bool created;

    assert_int_equal(clienttest_start_with(t, "echo", over, NULL, &id, &created), IFP_ETOOLARGE);
    clienttest_expect_text(t, "input: 2001 bytes, at most 2000");
    assert_int_equal(client_send(&t->c, 1, "m", over, strlen(over), NULL, &created, &t->e),
                     IFP_ETOOLARGE);
    clienttest_expect_text(t, "message");
    (void)clienttest_started(t, "echo", at_limit);
    assert_int_equal(executions(), 1);
    free(over);
    free(at_limit);
}

static void bad_input_names_its_field_and_is_not_sent(void **state)
{
    struct clienttest *t = *state;
    char text[17 * 1024] = { 0 };
    int64_t id;
    bool created;

    assert_int_equal(clienttest_start_with(t, "Bad Name", "1", NULL, &id, &created), IFP_EINVALID);
    clienttest_expect_text(t, "workflow: must be 1 to 63");
    assert_int_equal(clienttest_start_with(t, "echo", "{\"a\":}", NULL, &id, &created),
                     IFP_EINVALID);
    clienttest_expect_text(t, "input: ");
    assert_int_equal(clienttest_start_with(t, "echo", "\"\\u0000\"", NULL, &id, &created),
                     IFP_EINVALID);
    refused(t, &(ifp_start_options){ .queue = "" }, "queue: ");
    refused(t, &(ifp_start_options){ .queue = "Q" }, "queue: ");
    refused(t, &(ifp_start_options){ .workspace = "/" }, "workspace: ");
    refused(t, &(ifp_start_options){ .version = "" }, "version: must be 1 to 63");
    refused(t, &(ifp_start_options){ .version = "a\nb" }, "version: must be printable");
    refused(t, &(ifp_start_options){ .key = "" }, "key: must be 1 to 255");
    refused(t, &(ifp_start_options){ .key = "\xff" }, "key: must be UTF-8");
    refused(t, &(ifp_start_options){ .priority = 6 }, "priority: ");
    refused(t, &(ifp_start_options){ .priority = -1 }, "priority: ");
    refused(t, &(ifp_start_options){ .delay_ms = -1 }, "delay: ");
    refused(t, &(ifp_start_options){ .delay_ms = 3155760000001 }, "delay: ");
    refused(t, &(ifp_start_options){ .deadline_ms = -2 }, "deadline: ");
    refused(t, &(ifp_start_options){ .deadline_ms = 3155760000001 }, "deadline: ");
    refused(t, &(ifp_start_options){ .metadata = "[]" }, "metadata: must be a JSON object");
    refused(t, &(ifp_start_options){ .metadata = "{" }, "metadata: ");
    refused(t, &(ifp_start_options){ .traceparent = "00-x" }, "traceparent: ");
    refused(t,
            &(ifp_start_options){ .traceparent =
                                      "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
            "traceparent: ");
    memset(text, 'k', 256);
    refused(t, &(ifp_start_options){ .key = text }, "key: must be 1 to 255");
    (void)snprintf(text, sizeof(text), "{\"a\":\"%16384d\"}", 1);
    assert_int_equal(clienttest_start_with(t, "echo", "1", &(ifp_start_options){ .metadata = text },
                                           &id, &created),
                     IFP_ETOOLARGE);
    clienttest_expect_text(t, "metadata");
    assert_null(t->c.db); /* not even a connection */
}

static void limits_are_inclusive(void **state)
{
    struct clienttest *t = *state;
    char key[256] = { 0 }, slug[64] = { 0 }, name[202] = { 0 }, metadata[16 * 1024 + 1];
    const ifp_start_options o = { .key = key,
                                  .queue = slug,
                                  .priority = 1,
                                  .delay_ms = 3155760000000,
                                  .deadline_ms = 3155760000000,
                                  .metadata = metadata };
    int64_t id;
    bool created;

    memset(key, 'k', 255);
    memset(slug, 'q', 63);
    memset(name, 'n', 201);
    (void)snprintf(metadata, sizeof(metadata), "{\"a\":\"%16376d\"}", 1);
    assert_int_equal(strlen(metadata), 16 * 1024);
    if (clienttest_start_with(t, "echo", "1", &o, &id, &created) != 0)
        fail_msg("%s", t->e.text);
    assert_int_equal(client_check_name("name", name, &t->e), IFP_EINVALID);
    clienttest_expect_text(t, "name: must be 1 to 200");
    name[200] = '\0';
    assert_int_equal(client_check_name("name", name, &t->e), 0);
    assert_int_equal(client_check_name("name", "gr\xc3\xbc\xc3\x9f dich", &t->e), 0);
    assert_int_equal(client_check_name("name", "\xc2\x85", &t->e), IFP_EINVALID);
    assert_int_equal(client_check_name("name", "\x7f", &t->e), IFP_EINVALID);
    assert_int_equal(client_check_name("name", NULL, &t->e), IFP_EINVALID);
    assert_int_equal(client_check_slug("slug", slug, &t->e), 0);
    assert_int_equal(client_check_slug("slug", "-a", &t->e), IFP_EINVALID);
    assert_int_equal(client_check_slug("slug", "a-._9", &t->e), 0);
}

/* ---- send, cancel, retry -------------------------------------------------------------------- */

static int send_text(struct clienttest *t, int64_t id, const char *json, const char *dedupe,
                     bool *ret_new)
{
    return client_send(&t->c, id, "go", json, json ? strlen(json) : 0, dedupe, ret_new, &t->e);
}

static void a_message_arrives_once_per_dedupe_text(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1");
    char *large = json_string(CLIENTTEST_INLINE_MAX + 1);
    bool is_new = false;

    assert_int_equal(send_text(t, id, "{\"ok\": true}", "d", &is_new), 0);
    assert_true(is_new);
    assert_int_equal(send_text(t, id, "{\"ok\": true}", "d", &is_new), 0);
    assert_false(is_new);
    assert_int_equal(send_text(t, id, NULL, NULL, &is_new), 0);
    assert_true(is_new);
    assert_int_equal(send_text(t, id, large, NULL, &is_new), 0);
    assert_int_equal(testdb_int8("select count(*) from inferpipe.messages where name = 'go'"), 3);
    assert_int_equal(testdb_int8("select count(*) from inferpipe.messages"
                                 " where message::text in ('null', '{\"ok\": true}')"),
                     2);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_payloads"), 1);
    free(large);
}

static void a_message_needs_a_live_execution_a_name_and_json(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1");
    bool is_new, now;

    assert_int_equal(send_text(t, 12345, "1", NULL, &is_new), IFP_ENOTFOUND);
    assert_int_equal(send_text(t, id, "nope", NULL, &is_new), IFP_EINVALID);
    clienttest_expect_text(t, "message: ");
    assert_int_equal(send_text(t, id, "1", "", &is_new), IFP_EINVALID);
    clienttest_expect_text(t, "dedupe: ");
    assert_int_equal(client_send(&t->c, id, "", "1", 1, NULL, &is_new, &t->e), IFP_EINVALID);
    clienttest_expect_text(t, "name: ");
    assert_int_equal(client_cancel(&t->c, id, false, &now, &t->e), 0);
    assert_int_equal(send_text(t, id, "1", NULL, &is_new), IFP_ECONFLICT);
}

static void a_queued_execution_is_canceled_now_and_only_once(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1");
    ifp_execution x;
    bool now = false;

    assert_int_equal(client_cancel(&t->c, id, false, &now, &t->e), 0);
    assert_true(now);
    assert_int_equal(client_cancel(&t->c, id, false, &now, &t->e), IFP_ECONFLICT);
    assert_int_equal(client_cancel(&t->c, 77, false, &now, &t->e), IFP_ENOTFOUND);
    assert_int_equal(client_get(&t->c, id, &x, NULL, &t->e), 0);
    assert_int_equal(x.status, IFP_STATUS_CANCELED);
    assert_string_equal(x.error_code, "CANCELED");
    assert_true(x.finished_ms >= x.created_ms);
    ifp_execution_release(&x);
}

static void a_running_execution_is_asked_and_ends_by_force(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1");
    bool now = true;

    testdb_forcef("update inferpipe._inferpipe_runs set owner = 9, state = 1, fence = 1");
    assert_int_equal(client_cancel(&t->c, id, false, &now, &t->e), 0);
    assert_false(now);
    assert_int_equal(testdb_int8("select worker_id from inferpipe._inferpipe_cancels"), 9);
    assert_int_equal(client_cancel(&t->c, id, true, &now, &t->e), 0);
    assert_true(now);
}

static void a_retry_brings_a_failed_execution_back(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1");
    ifp_execution x;

    assert_int_equal(client_retry(&t->c, id, &t->e), IFP_ECONFLICT);
    clienttest_end(id, 2, "null");
    assert_int_equal(client_get(&t->c, id, &x, NULL, &t->e), 0);
    assert_int_equal(x.status, IFP_FAILED);
    assert_string_equal(x.error, "it is bad");
    ifp_execution_release(&x);
    assert_int_equal(client_retry(&t->c, id, &t->e), 0);
    assert_int_equal(client_get(&t->c, id, &x, NULL, &t->e), 0);
    assert_int_equal(x.status, IFP_RUNNING);
    assert_int_equal(x.finished_ms, 0);
    ifp_execution_release(&x);
}

static void a_completed_execution_has_its_output_byte_for_byte(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1");
    ifp_execution x;

    clienttest_end(id, 1, "'{\"a\" : 1.50}'");
    assert_int_equal(client_get(&t->c, id, &x, NULL, &t->e), 0);
    assert_int_equal(x.status, IFP_COMPLETED);
    assert_string_equal(x.output, "{\"a\" : 1.50}");
    assert_null(x.error_code);
    ifp_execution_release(&x);
}

static void a_waiting_execution_says_for_what(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1");
    ifp_execution x;

    testdb_forcef("update inferpipe._inferpipe_runs set state = 3, wait_key = 5, fence = 1");
    assert_int_equal(client_get(&t->c, id, &x, NULL, &t->e), 0);
    assert_int_equal(x.status, IFP_RUNNING);
    assert_string_equal(x.waiting_for, "message");
    ifp_execution_release(&x);
}

/* ---- schema and connection ------------------------------------------------------------------ */

static void an_unfit_schema_or_workspace_is_refused_before_anything_else(void **state)
{
    struct clienttest *t = *state;
    const struct client_limits limits = { CLIENTTEST_PAYLOAD_MAX, CLIENTTEST_INLINE_MAX, 60000 };
    struct client c;

    assert_int_equal(client_open(&c, t->url, "no/slug", &limits, &t->e), IFP_EINVALID);
    assert_int_equal(client_open(&c, t->url, "nowhere", &limits, &t->e), 0);
    assert_int_equal(client_ready(&c, &t->e), IFP_ENOTFOUND);
    client_release(&c);
    testdb_exec("insert into inferpipe._inferpipe_migrations(version, name, checksum)"
                " values (999, 'x', 'x')");
    assert_int_equal(client_ready(&t->c, &t->e), IFP_ESCHEMA);
    clienttest_expect_text(t, "use a newer binary");
    testdb_exec("delete from inferpipe._inferpipe_migrations where version = 999");
    assert_int_equal(client_ready(&t->c, &t->e), 0);
}

static void no_database_is_unavailable(void **state)
{
    struct clienttest *t = *state;
    const struct client_limits limits = { CLIENTTEST_PAYLOAD_MAX, CLIENTTEST_INLINE_MAX, 60000 };
    struct client c;

    assert_int_equal(client_open(&c, "host=/nonexistent", "default", &limits, &t->e), 0);
    assert_int_equal(client_ready(&c, &t->e), IFP_EUNAVAILABLE);
    client_release(&c);
    client_release(NULL);
}

static void kill_client(void)
{
    assert_int_equal(testdb_int8("select count(pg_terminate_backend(pid, 5000)) from"
                                 " pg_stat_activity where application_name = 'inferpipe client'"
                                 " and datname = current_database()"),
                     1);
}

static void a_connection_lost_while_idle_is_revived(void **state)
{
    struct clienttest *t = *state;

    (void)clienttest_started(t, "echo", "1");
    kill_client();
    (void)clienttest_started(t, "echo", "1");
    assert_int_equal(executions(), 2);
}

static void a_lost_answer_with_a_key_is_asked_again_and_starts_once(void **state)
{
    struct clienttest *t = *state;
    const ifp_start_options o = { .key = "k" };
    int64_t id;
    bool created = true;

    assert_int_equal(client_ready(&t->c, &t->e), 0);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(clienttest_start_with(t, "echo", "1", &o, &id, &created), 0);
    assert_false(created); /* by the first try, whose answer was lost */
    assert_int_equal(executions(), 1);
}

/* As a deadlock does: the server aborts what it has done so far. */
static void abort_starts(int times)
{
    testdb_execf("create sequence aborts;"
                 "create function abort_start() returns trigger language plpgsql as $$ begin"
                 " if nextval('aborts') <= %d then"
                 "  raise 'aborted by the test' using errcode = 'deadlock_detected';"
                 " end if; return new; end $$;"
                 "create trigger aborts before insert on inferpipe._inferpipe_executions"
                 " for each row execute function abort_start()",
                 times);
}

static void a_start_that_the_server_aborts_is_sent_again(void **state)
{
    struct clienttest *t = *state;

    abort_starts(4);
    (void)clienttest_started(t, "echo", "1");
    assert_int_equal(executions(), 1);
    assert_int_equal(testdb_int8("select last_value from aborts"), 5);
}

static void a_start_that_the_server_always_aborts_fails(void **state)
{
    struct clienttest *t = *state;
    int64_t id = -1;
    bool created;

    abort_starts(1000);
    assert_int_equal(clienttest_start_with(t, "echo", "1", NULL, &id, &created), IFP_ESERVER);
    clienttest_expect_text(t, "aborted by the test");
    assert_int_equal(executions(), 0);
    assert_int_equal(testdb_int8("select last_value from aborts"), 5);
}

static void a_lost_answer_without_a_key_is_unavailable_and_says_why(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1"), other;
    bool created;

    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(clienttest_start_with(t, "echo", "1", NULL, &other, &created),
                     IFP_EUNAVAILABLE);
    clienttest_expect_text(t, "may have been started");
    assert_int_equal(client_ready(&t->c, &t->e), 0);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(send_text(t, id, "1", NULL, &created), IFP_EUNAVAILABLE);
    clienttest_expect_text(t, "may have been sent");
    assert_int_equal(client_ready(&t->c, &t->e), 0);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(client_cancel(&t->c, id, true, &created, &t->e), IFP_EUNAVAILABLE);
    clienttest_expect_text(t, "may have been canceled");
    assert_int_equal(client_ready(&t->c, &t->e), 0);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(client_retry(&t->c, id, &t->e), IFP_EUNAVAILABLE);
    clienttest_expect_text(t, "may have been started again");
}

static void a_lost_answer_to_a_read_or_a_deduped_send_is_asked_again(void **state)
{
    struct clienttest *t = *state;
    int64_t id = clienttest_started(t, "echo", "1");
    ifp_execution x;
    bool is_new = true;

    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(client_get(&t->c, id, &x, NULL, &t->e), 0);
    ifp_execution_release(&x);
    fault_arm(FAULT_REPLY, 1, false);
    assert_int_equal(send_text(t, id, "1", "d", &is_new), 0);
    assert_false(is_new);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_messages"), 1);
}

#define WITH_CLIENT(f) cmocka_unit_test_setup_teardown(f, clienttest_setup, clienttest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CLIENT(a_start_is_kept_byte_for_byte),
        WITH_CLIENT(no_input_is_null),
        WITH_CLIENT(all_start_options_arrive),
        WITH_CLIENT(the_deadline_defaults_to_the_workflows_and_minus_1_is_none),
        WITH_CLIENT(a_key_makes_a_start_repeatable_and_another_request_is_a_mismatch),
        WITH_CLIENT(an_unknown_workflow_or_workspace_is_not_found),
        WITH_CLIENT(a_client_may_be_given_another_workspace),
        WITH_CLIENT(a_start_may_name_another_workspace),
        WITH_CLIENT(large_inputs_go_to_their_table_at_inline_limit_plus_1),
        WITH_CLIENT(an_input_over_the_payload_limit_is_too_large),
        WITH_CLIENT(bad_input_names_its_field_and_is_not_sent),
        WITH_CLIENT(limits_are_inclusive),
        WITH_CLIENT(a_message_arrives_once_per_dedupe_text),
        WITH_CLIENT(a_message_needs_a_live_execution_a_name_and_json),
        WITH_CLIENT(a_queued_execution_is_canceled_now_and_only_once),
        WITH_CLIENT(a_running_execution_is_asked_and_ends_by_force),
        WITH_CLIENT(a_retry_brings_a_failed_execution_back),
        WITH_CLIENT(a_completed_execution_has_its_output_byte_for_byte),
        WITH_CLIENT(a_waiting_execution_says_for_what),
        WITH_CLIENT(an_unfit_schema_or_workspace_is_refused_before_anything_else),
        WITH_CLIENT(no_database_is_unavailable),
        WITH_CLIENT(a_connection_lost_while_idle_is_revived),
        WITH_CLIENT(a_lost_answer_with_a_key_is_asked_again_and_starts_once),
        WITH_CLIENT(a_start_that_the_server_aborts_is_sent_again),
        WITH_CLIENT(a_start_that_the_server_always_aborts_fails),
        WITH_CLIENT(a_lost_answer_without_a_key_is_unavailable_and_says_why),
        WITH_CLIENT(a_lost_answer_to_a_read_or_a_deduped_send_is_asked_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
