/*
 * tests/integration/test_webhooks.c - webhooks from the end of an execution to a real receiver:
 * worker processes as users run them, killed where it hurts.
 */
#include "api/sign.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secretbox.h"
#include "base/traceparent.h"
#include "lib/enginetest.h"
#include "lib/receiver.h"
#include "store/client_webhook.h"

#include <inttypes.h>
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

#include <cmocka.h>

#define KEYS "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define INPUT "{\"b\":1.50,\"a\":[12345678901234567890, \"\\u00e9\"]}"
enum { WORKERS_MAX = 4, MANY = 60, LOG_MAX = 1 << 20 };

static struct {
    pid_t workers[WORKERS_MAX];
    int count;
    char log[64], lease[8];
    char secret[CLIENT_WEBHOOK_SECRET_SIZE];
} world;

/* ---- workers --------------------------------------------------------------------------------- */

static int echo(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)run;
    *ret = input;
    return 0;
}

static int boom(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    (void)ret;
    return ifp_fail(run, "E_BOOM", "it went \"boom\"");
}

static const struct engine_workflow workflows[] = { ENGINETEST_WORKFLOW(echo),
                                                    ENGINETEST_WORKFLOW(boom) };

static void be_worker(const struct enginetest *t, const struct receiver *allowed,
                      const char *crash_at)
{
    char *argv[] = { "worker", "worker", "--tick", "100ms", "--lease", world.lease, NULL };
    char allow[64];
    ifp_app *app = ifp_app_new("webhooks-test");

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(allow, sizeof(allow), "127.0.0.1");
    if (allowed)
        snprintf(allow, sizeof(allow), "127.0.0.1:%d", receiver_port(allowed));
    setenv("DATABASE_URL", t->url, 1);
    setenv("INFERPIPE_SECRET_KEY", KEYS, 1);
    setenv("INFERPIPE_EGRESS_ALLOW", allow, 1);
    setenv("INFERPIPE_WEBHOOK_RETRY_FIRST", "20ms", 1);
    setenv("INFERPIPE_WEBHOOK_RETRY_MAX", "100ms", 1);
    setenv("INFERPIPE_LOG_LEVEL", "debug", 1);
    if (crash_at)
        setenv("INFERPIPE_CRASH_AT", crash_at, 1);
    if (!freopen(world.log, "a", stderr))
        _exit(99);
    ifp_workflow(app, "echo", echo, NULL);
    ifp_workflow(app, "boom", boom, NULL);
    _exit(ifp_main(app, (int)ARRAY_LEN(argv) - 1, argv));
}

/* `allowed` NULL: it may reach all of loopback. */
static pid_t start_worker(struct enginetest *t, const struct receiver *allowed,
                          const char *crash_at)
{
    pid_t pid = fork();

    assert_true(pid >= 0 && world.count < WORKERS_MAX);
    if (pid == 0)
        be_worker(t, allowed, crash_at);
    world.workers[world.count++] = pid;
    return pid;
}

static int setup(void **state)
{
    int rc = enginetest_setup(state), fd;

    snprintf(world.log, sizeof(world.log), "/tmp/ifp-webhooks-XXXXXX");
    fd = mkstemp(world.log);
    assert_true(fd >= 0);
    close(fd);
    world.count = 0;
    snprintf(world.lease, sizeof(world.lease), "20s");
    enginetest_define(*state, workflows, ARRAY_LEN(workflows));
    return rc;
}

/* Workers end in order, with whatever is still under way, and say so. */
static int teardown(void **state)
{
    int wrong = 0, status;

    for (int i = 0; i < world.count; i++) {
        if (world.workers[i] == 0)
            continue;
        (void)kill(world.workers[i], SIGTERM);
        if (waitpid(world.workers[i], &status, 0) != world.workers[i] || !WIFEXITED(status) ||
            WEXITSTATUS(status) != 0)
            wrong++;
    }
    unlink(world.log);
    return enginetest_teardown(state) != 0 || wrong != 0;
}

static int64_t make(struct enginetest *t, const struct receiver *r, int events,
                    const char *workflow)
{
    char url[64];
    struct client_webhook w = { .url = url, .workflow = workflow, .events = events };
    struct err e;
    int64_t id = 0;

    snprintf(url, sizeof(url), "http://127.0.0.1:%d/hook", receiver_port(r));
    assert_int_equal(client_webhook_create(&t->client, &w, KEYS, &id, world.secret, &e), 0);
    return id;
}

static int64_t start(struct enginetest *t, const char *workflow)
{
    return enginetest_start(t, workflow, INPUT,
                            &(ifp_start_options){ .metadata = "{\"customer\": 7}" });
}

static void until_delivered(struct enginetest *t, int count)
{
    enginetest_until_sql(t,
                         "select count(*) = %d from inferpipe._inferpipe_deliveries d "
                         "join inferpipe._inferpipe_results f using (exec_id)",
                         count);
}

static const char *header(const struct receiver_request *q, const char *name)
{
    static char value[4][512];
    static int next;

    next = (next + 1) % 4;
    receiver_header(q, name, value[next], sizeof(value[next]));
    return value[next];
}

static int verify(const struct receiver_request *q, const char *secret)
{
    const char *signature = header(q, "x-inferpipe-signature");
    struct err e;

    return sign_verify(secret, (struct slice){ signature, strlen(signature) },
                       (struct slice){ q->body, q->body_len }, clock_real_us() / 1000000, &e);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void an_end_is_told_once_signed_and_whole(void **state)
{
    struct enginetest *t = *state;
    struct receiver *r = receiver_open(NULL, NULL);
    const struct receiver_request *q;
    char expected[1024], event[64], id[IFP_ID_SIZE];
    struct err e;
    int64_t exec;
    char *at;

    make(t, r, WEBHOOK_COMPLETED, NULL);
    make(t, r, WEBHOOK_FAILED, "echo");
    start_worker(t, r, NULL);
    exec = start(t, "echo");
    start(t, "boom");
    until_delivered(t, 1);
    assert_int_equal(receiver_count(r), 1);
    q = receiver_get(r, 1);
    memcpy(id, enginetest_get(t, exec)->id, sizeof(id));
    snprintf(event, sizeof(event), "evt_%s_1", id + 4);
    at = strstr(q->body, ",\"createdAt\":\"20");
    assert_non_null(at);
    snprintf(expected, sizeof(expected),
             "{\"id\":\"%s\",\"type\":\"execution.completed\",\"executionId\":\"%s\","
             "\"workflowId\":\"echo\",\"status\":\"completed\",\"data\":" INPUT,
             event, id);
    assert_memory_equal(q->body, expected, strlen(expected));
    assert_ptr_equal(at, q->body + strlen(expected));
    assert_non_null(strstr(at, "Z\",\"metadata\":{\"customer\": 7}}"));
    assert_int_equal(jsonscan_check(q->body, q->body_len, &e), 0);
    assert_string_equal(header(q, "webhook-id"), event);
    assert_string_equal(header(q, "content-type"), "application/json");
    assert_memory_equal(header(q, "webhook-signature"), "v1,", 3);
    assert_memory_equal(q->head, "POST /hook HTTP/1.1", 19);
    q->body[20] ^= 1;
    assert_int_equal(verify(q, world.secret), IFP_EUNAUTHORIZED);
    receiver_close(r);
}

static void a_failure_is_told_with_its_error(void **state)
{
    struct enginetest *t = *state;
    struct receiver *r = receiver_open(NULL, NULL);
    const struct receiver_request *q;

    make(t, r, WEBHOOK_FAILED, "boom");
    start_worker(t, r, NULL);
    start(t, "echo");
    start(t, "boom");
    until_delivered(t, 1);
    q = receiver_get(r, 1);
    assert_non_null(strstr(q->body, "\"status\":\"failed\",\"error\":{\"code\":\"E_BOOM\","
                                    "\"message\":\"it went \\\"boom\\\"\"},\"createdAt\""));
    assert_int_equal(verify(q, world.secret), 0);
    assert_int_equal(verify(q, "whsec_another"), IFP_EUNAUTHORIZED);
    receiver_close(r);
}

/* Killed with the answer in its hands: the next worker sends the event again, with its id. */
static void a_worker_killed_before_its_commit_delivers_again(void **state)
{
    struct enginetest *t = *state;
    struct receiver *r = receiver_open(NULL, NULL);
    char id[64];
    int status = 0;

    make(t, r, WEBHOOK_COMPLETED, NULL);
    snprintf(world.lease, sizeof(world.lease), "1s");
    start_worker(t, r, "step.after");
    start(t, "echo");
    assert_true(receiver_wait(r, 1));
    assert_int_equal(waitpid(world.workers[0], &status, 0), world.workers[0]);
    assert_true(WIFSIGNALED(status));
    world.workers[0] = 0;
    start_worker(t, r, NULL);
    until_delivered(t, 1);
    assert_true(receiver_count(r) >= 2);
    snprintf(id, sizeof(id), "%s", header(receiver_get(r, 1), "webhook-id"));
    assert_string_equal(header(receiver_get(r, 2), "webhook-id"), id);
    assert_string_equal(receiver_get(r, 1)->body, receiver_get(r, 2)->body);
    receiver_close(r);
}

static void answer_late(void *ctx, const struct receiver_request *q, struct receiver_answer *ret)
{
    static const int statuses[] = { 500, 429, 404, 302, 204 };

    (void)ctx;
    ret->status = statuses[MIN(q->number, 5) - 1];
    if (ret->status == 302)
        ret->headers = "Location: http://127.0.0.1:1/\r\n";
}

static void attempts_are_recorded_until_one_succeeds(void **state)
{
    struct enginetest *t = *state;
    struct receiver *r = receiver_open(answer_late, NULL);

    make(t, r, WEBHOOK_COMPLETED, NULL);
    start_worker(t, r, NULL);
    start(t, "echo");
    until_delivered(t, 1);
    assert_int_equal(receiver_count(r), 5);
    for (int i = 2; i <= 5; i++)
        assert_string_equal(header(receiver_get(r, i), "webhook-id"),
                            header(receiver_get(r, 1), "webhook-id"));
    enginetest_sql("HTTP_500 HTTP_429 HTTP_404 HTTP_302",
                   "select string_agg(error_code, ' ' order by attempt) "
                   "from inferpipe._inferpipe_attempts");
    enginetest_sql("{\"status\":204}", "select output::text from inferpipe.executions "
                                       "where workflow = 'inferpipe.webhook'");
    receiver_close(r);
}

static void answer_gone(void *ctx, const struct receiver_request *q, struct receiver_answer *ret)
{
    (void)ctx;
    (void)q;
    ret->status = 410;
}

static void gone_disables_the_endpoint(void **state)
{
    struct enginetest *t = *state;
    struct receiver *r = receiver_open(answer_gone, NULL);
    int64_t id = make(t, r, 0, NULL);
    struct err e;

    start_worker(t, r, NULL);
    start(t, "echo");
    until_delivered(t, 1);
    enginetest_sql("it answered 410 Gone", "select disabled_why from inferpipe._inferpipe_webhooks "
                                           "where disabled_at is not null");
    enginetest_sql("GONE", "select error_code from inferpipe.executions "
                           "where workflow = 'inferpipe.webhook'");
    enginetest_completes(t, start(t, "echo"), INPUT);
    enginetest_sql("1", "select count(*) from inferpipe._inferpipe_deliveries");
    assert_int_equal(
        client_webhook_change(&t->client, id, &(struct client_webhook){ .enabled = 1 }, &e), 0);
    enginetest_completes(t, start(t, "echo"), INPUT);
    enginetest_until_sql(t, "select count(*) = 2 from inferpipe._inferpipe_deliveries");
    assert_true(receiver_wait(r, 2));
    until_delivered(t, 2);
    receiver_close(r);
}

static void while_a_secret_rotates_both_sign(void **state)
{
    struct enginetest *t = *state;
    struct receiver *r = receiver_open(NULL, NULL);
    int64_t id = make(t, r, 0, NULL), delivery;
    char before[CLIENT_WEBHOOK_SECRET_SIZE];
    const struct receiver_request *q;
    const char *second;
    struct err e;

    memcpy(before, world.secret, sizeof(before));
    assert_int_equal(client_webhook_rotate(&t->client, id, 3600000, KEYS, world.secret, &e), 0);
    assert_string_not_equal(before, world.secret);
    start_worker(t, r, NULL);
    assert_int_equal(client_webhook_ping(&t->client, id, &delivery, &e), 0);
    until_delivered(t, 1);
    q = receiver_get(r, 1);
    assert_non_null(strstr(q->body, "\"type\":\"webhook.test\""));
    assert_int_equal(verify(q, before), 0);
    assert_int_equal(verify(q, world.secret), 0);
    second = strstr(header(q, "x-inferpipe-signature"), ",v1=");
    assert_non_null(strstr(second + 1, ",v1="));
    assert_non_null(strstr(header(q, "webhook-signature"), " v1,"));
    assert_int_equal(client_webhook_rotate(&t->client, id, 0, KEYS, world.secret, &e), 0);
    assert_int_equal(client_webhook_redeliver(&t->client, id, delivery, &delivery, &e), 0);
    until_delivered(t, 2);
    q = receiver_get(r, 2);
    assert_int_equal(verify(q, before), IFP_EUNAUTHORIZED);
    assert_int_equal(verify(q, world.secret), 0);
    assert_string_equal(header(q, "webhook-id"), header(receiver_get(r, 1), "webhook-id"));
    receiver_close(r);
}

static void the_egress_policy_holds(void **state)
{
    struct enginetest *t = *state;
    struct receiver *r = receiver_open(NULL, NULL), *inside = receiver_open(NULL, NULL);

    make(t, inside, 0, NULL);
    start_worker(t, r, NULL);
    start(t, "echo");
    until_delivered(t, 1);
    enginetest_sql("REFUSED", "select error_code from inferpipe.executions "
                              "where workflow = 'inferpipe.webhook'");
    assert_int_equal(receiver_connections(inside), 0);
    receiver_close(inside);
    receiver_close(r);
}

static void hang(void *ctx, const struct receiver_request *q, struct receiver_answer *ret)
{
    (void)ctx;
    ret->hang = strstr(q->body, "\"workflowId\":\"boom\"") != NULL;
}

/* The dead one is another host to the client: another port. */
static void a_dead_endpoint_holds_back_no_other(void **state)
{
    struct enginetest *t = *state;
    struct receiver *well = receiver_open(NULL, NULL), *dead = receiver_open(hang, NULL);

    make(t, dead, WEBHOOK_FAILED, NULL);
    make(t, well, WEBHOOK_COMPLETED, NULL);
    start_worker(t, NULL, NULL);
    for (int i = 0; i < MANY; i++)
        start(t, "boom");
    for (int i = 0; i < MANY; i++)
        start(t, "echo");
    assert_true(receiver_wait(well, MANY));
    assert_true(receiver_wait(dead, 8));
    assert_int_equal(receiver_busiest(dead), 8);
    enginetest_until_sql(t, "select count(*) > 0 from inferpipe._inferpipe_attempts "
                            "where error_code = 'OVERLOADED'");
    receiver_close(dead);
    receiver_close(well);
}

static void an_execution_has_a_url_of_its_own(void **state)
{
    struct enginetest *t = *state;
    struct receiver *r = receiver_open(NULL, NULL);
    struct err e;
    int64_t exec;

    assert_int_equal(client_webhook_rotate(&t->client, 0, 0, KEYS, world.secret, &e), 0);
    exec = enginetest_start(t, "echo", "1", &(ifp_start_options){ .delay_ms = 3600000 });
    testdb_execf("update inferpipe._inferpipe_executions set options = "
                 "'{\"webhookUrl\": \"http://127.0.0.1:%d/own\"}' where exec_id = %" PRId64,
                 receiver_port(r), exec);
    testdb_execf("update inferpipe._inferpipe_runs set flags = 128, ready_at = now() "
                 "where exec_id = %" PRId64,
                 exec);
    start_worker(t, r, NULL);
    until_delivered(t, 1);
    assert_memory_equal(receiver_get(r, 1)->head, "POST /own ", 10);
    assert_int_equal(verify(receiver_get(r, 1), world.secret), 0);
    receiver_close(r);
}

/* In clear it is in no table and no log; also not what signs with it. */
static void secrets_are_seen_by_nobody(void **state)
{
    struct enginetest *t = *state;
    struct receiver *r = receiver_open(answer_late, NULL);
    static char text[LOG_MAX];
    FILE *f;
    size_t len;

    make(t, r, 0, NULL);
    start_worker(t, r, NULL);
    start(t, "echo");
    until_delivered(t, 1);
    enginetest_sql("0",
                   "select count(*) from pg_tables p, lateral query_to_xml(format("
                   "'select t::text from inferpipe.%%I t', p.tablename), true, true, '') x "
                   "where p.schemaname = 'inferpipe' and (x::text like '%%%s%%' or x::text like "
                   "'%%' || encode(convert_to('%s', 'UTF8'), 'hex') || '%%')",
                   world.secret + 6, world.secret + 6);
    f = fopen(world.log, "r");
    assert_non_null(f);
    len = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    assert_true(len > 0);
    assert_null(strstr(text, world.secret + 6));
    assert_null(strstr(text, KEYS));
    receiver_close(r);
}

/* Who receives it hangs under the request, the request under the delivery's attempt, the delivery
 * under the execution that it tells of. */
static void a_delivery_is_part_of_the_executions_trace(void **state)
{
    static const char trace[] = "0af7651916cd43dd8448eb211c80319c";
    struct enginetest *t = *state;
    struct receiver *r = receiver_open(NULL, NULL), *collector = receiver_open(NULL, NULL);
    struct traceparent seen;
    char endpoint[64], span[SPAN_ID_SIZE];
    const char *spans = NULL, *text;
    int64_t exec;

    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", receiver_port(collector));
    setenv("INFERPIPE_OTLP_ENDPOINT", endpoint, 1);
    make(t, r, WEBHOOK_COMPLETED, NULL);
    start_worker(t, r, NULL);
    unsetenv("INFERPIPE_OTLP_ENDPOINT");
    exec = enginetest_start(
        t, "echo", INPUT,
        &(ifp_start_options){ .traceparent =
                                  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" });
    until_delivered(t, 1);
    enginetest_sql("t",
                   "select e.traceparent = '00-%s-' || lpad(to_hex(%" PRId64 "), 16, '0') || '-01'"
                   " from inferpipe._inferpipe_deliveries d"
                   " join inferpipe._inferpipe_executions e on e.exec_id = d.exec_id",
                   trace, exec);
    text = header(receiver_get(r, 1), "traceparent");
    assert_int_equal(traceparent_parse(text, strlen(text), &seen), 0);
    assert_memory_equal(text + 3, trace, 32);
    (void)kill(world.workers[0], SIGTERM); /* it sends its spans first */
    assert_int_equal(waitpid(world.workers[0], NULL, 0), world.workers[0]);
    world.workers[0] = 0;
    traceparent_span_id(seen.span, span);
    for (int i = 1; i <= receiver_count(collector) && !spans; i++)
        spans = strstr(receiver_get(collector, i)->body, span);
    assert_non_null(spans);
    text = "\",\"parentSpanId\":\"";
    assert_memory_equal(spans + 16, text, strlen(text));
    text = "\",\"name\":\"POST\",\"kind\":3";
    assert_memory_equal(spans + 16 + 18 + 16, text, strlen(text));
    receiver_close(r);
    receiver_close(collector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_end_is_told_once_signed_and_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_delivery_is_part_of_the_executions_trace, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_failure_is_told_with_its_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_worker_killed_before_its_commit_delivers_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(attempts_are_recorded_until_one_succeeds, setup, teardown),
        cmocka_unit_test_setup_teardown(gone_disables_the_endpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(while_a_secret_rotates_both_sign, setup, teardown),
        cmocka_unit_test_setup_teardown(the_egress_policy_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_endpoint_holds_back_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(an_execution_has_a_url_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(secrets_are_seen_by_nobody, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
