/*
 * tests/unit/test_openapi.c - the document and its page, made from a table of the test's own; what
 * the server's tables make of it is tested where these are (integration/test_openapi.c).
 */
#define _GNU_SOURCE /* memmem */
#include "api/openapi.h"

#include "api/openapi_page.h"
#include "api/scope.h"
#include "base/fault.h"
#include "lib/openapicheck.h"
#include "lib/requestdouble.h"

static void handler(void *ctx, struct http_request *r)
{
    (void)ctx;
    (void)r;
}

static const struct route routes[] = {
    { HTTP_GET, "/health", ROUTE_PUBLIC, 0, handler, "health", "system", "Does it live?", NULL,
      NULL, "Health", 200 },
    { HTTP_GET, "/v1/queues/{name}", SCOPE_QUEUES_READ, 0, handler, "queues.get", "queues",
      "Get \"one\"", NULL, NULL, "Queue", 200 },
    { HTTP_GET, "/v1/executions", SCOPE_EXECUTIONS_READ, 0, handler, "executions.list",
      "executions", "List", "workflow status limit", NULL, "ExecutionList", 200 },
    { HTTP_PUT, "/v1/queues/{name}", SCOPE_QUEUES_WRITE, ROUTE_BODY, handler, "queues.put",
      "queues", "Set", NULL, "QueueLimits", "Queue", 200 },
    { HTTP_POST, "/v1/workflows/{workflowId}/executions", SCOPE_EXECUTIONS_WRITE,
      ROUTE_BODY | ROUTE_CREATES, handler, "executions.start", "executions", "Start", NULL,
      "StartExecution", "ExecutionInfo", 202 },
    { HTTP_DELETE, "/v1/queues/{name}", ROUTE_ANY_KEY, 0, handler, "queues.delete", "queues",
      "Delete", NULL, NULL, NULL, 204 },
    { HTTP_GET, "/hidden", ROUTE_PUBLIC, ROUTE_HIDDEN, handler, "hidden", "system", "Hidden", NULL,
      NULL, NULL, 200 },
};

static struct router *route_these(const struct route *table, size_t count)
{
    const struct route *tables[] = { table };
    struct router *router;
    struct err e;

    assert_int_equal(router_open(tables, &count, 1, &router, &e), 0);
    return router;
}

static struct router *router;
static struct openapi *doc;
static struct err err;

static int setup(void **state)
{
    (void)state;
    router = route_these(routes, ARRAY_LEN(routes));
    return openapi_open(router, "https://flow.example", &doc, &err);
}

static int teardown(void **state)
{
    (void)state;
    fault_arm(FAULT_ALLOC, 0, false);
    openapi_close(doc);
    router_close(router);
    return 0;
}

static void expect(const char *pointer, const char *text)
{
    struct slice value;

    if (jsonscan_find(openapi_text(doc), pointer, &value) < 0)
        fail_msg("%s is not there", pointer);
    if (value.len != strlen(text) || memcmp(value.text, text, value.len) != 0)
        fail_msg("%s is %.*s", pointer, (int)value.len, value.text);
}

static void each_route_is_an_operation(void **state)
{
    struct slice value;

    (void)state;
    expect("/servers/0/url", "\"https://flow.example\"");
    expect("/paths/~1v1~1queues~1{name}/get/summary", "\"Get \\\"one\\\"\"");
    expect("/paths/~1v1~1queues~1{name}/put/operationId", "\"queues.put\"");
    expect("/paths/~1v1~1queues~1{name}/put/x-inferpipe-scope", "\"queues:write\"");
    expect("/paths/~1v1~1queues~1{name}/get/parameters/0/name", "\"name\"");
    expect("/paths/~1v1~1queues~1{name}/get/parameters/0/required", "true");
    expect("/paths/~1v1~1executions/get/parameters/1/name", "\"status\"");
    expect("/paths/~1v1~1executions/get/parameters/1/in", "\"query\"");
    expect("/paths/~1health/get/security", "[]");
    expect("/paths/~1health/get/parameters", "[]");
    expect("/paths/~1v1~1queues~1{name}/put/requestBody/content/application~1json/schema/$ref",
           "\"#/components/schemas/QueueLimits\"");
    expect("/paths/~1v1~1queues~1{name}/delete/responses/204/description", "\"Done.\"");
    expect("/paths/~1v1~1queues~1{name}/delete/security", "[{\"key\":[]}]");
    expect("/paths/~1v1~1workflows~1{workflowId}~1executions/post/parameters/1/$ref",
           "\"#/components/parameters/IdempotencyKey\"");
    assert_int_not_equal(jsonscan_find(openapi_text(doc), "/paths/~1hidden", &value), 0);
    assert_int_equal(openapicheck_operations(openapi_text(doc)), ARRAY_LEN(routes) - 1);
}

static void an_operation_may_have_more_answers_of_its_own(void **state)
{
    (void)state;
    expect("/paths/~1v1~1workflows~1{workflowId}~1executions/post/responses/202/content"
           "/application~1json/schema/$ref",
           "\"#/components/schemas/ExecutionInfo\"");
    expect("/paths/~1v1~1workflows~1{workflowId}~1executions/post/responses/200/content"
           "/application~1json/schema/$ref",
           "\"#/components/schemas/ExecutionResult\"");
}

static void a_name_that_is_not_there_is_told(void **state)
{
    static const struct {
        struct route route;
        const char *text;
    } cases[] = {
        { { .id = "a", .path = "/a", .tag = "system", .response = "Nothing" },
          "schemas has no \"Nothing\", used by a" },
        { { .id = "a", .path = "/a", .tag = "nothing" }, "tags has no \"nothing\"" },
        { { .id = "a", .path = "/{nothing}", .tag = "system" }, "path has no \"nothing\"" },
        { { .id = "a", .path = "/a", .tag = "system", .query = "limit nothing" },
          "query has no \"nothing\"" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct route one = cases[i].route;
        struct router *r;
        struct openapi *o;

        one.handler = handler;
        one.summary = "A";
        one.success = 200;
        r = route_these(&one, 1);
        assert_int_equal(openapi_open(r, "", &o, &err), IFP_ESERVER);
        assert_non_null(strstr(err.text, cases[i].text));
        assert_null(o);
        router_close(r);
    }
}

/* ---- answers -------------------------------------------------------------------------------- */

static void the_document_is_answered_once_until_it_changes(void **state)
{
    struct double_request d;
    const char *etag;

    (void)state;
    double_init(&d, HTTP_GET, &routes[0]);
    openapi_answer(doc, &d.r);
    assert_int_equal(d.r.status, 200);
    assert_string_equal(d.r.answer_type, "application/json");
    assert_ptr_equal(d.r.answer.text, openapi_text(doc).text);
    etag = double_answered(&d, "etag");
    assert_true(etag && strlen(etag) == 24 && etag[0] == '"' && etag[23] == '"');
    for (int i = 0; i < 4; i++) {
        struct double_request again;
        char tags[100];

        (void)snprintf(tags, sizeof(tags),
                       i == 0   ? "%s"
                       : i == 1 ? "\"x\", W/%s"
                       : i == 2 ? "*"
                                : "\"other\"",
                       etag);
        double_init(&again, HTTP_GET, &routes[0]);
        double_put(&again, "if-none-match", tags);
        openapi_answer(doc, &again.r);
        assert_int_equal(again.r.status, i < 3 ? 304 : 200);
        assert_string_equal(double_answered(&again, "etag"), etag);
    }
}

static void the_page_holds_the_document_and_a_strict_policy(void **state)
{
    struct double_request d;
    const char *policy;

    (void)state;
    double_init(&d, HTTP_GET, &routes[0]);
    openapi_answer_docs(doc, &d.r);
    assert_int_equal(d.r.status, 200);
    assert_string_equal(d.r.answer_type, "text/html; charset=utf-8");
    policy = double_answered(&d, "content-security-policy");
    assert_non_null(strstr(policy, "default-src 'none'; style-src 'sha256-"));
    assert_null(strstr(policy, "unsafe"));
    assert_non_null(memmem(d.r.answer.text, d.r.answer.len, "\"operationId\":\"queues.put\"", 26));
    assert_null(memmem(d.r.answer.text, d.r.answer.len, "@DOCUMENT@", 10));
    assert_null(memmem(d.r.answer.text, d.r.answer.len, " src=", 5));
    assert_null(memmem(d.r.answer.text, d.r.answer.len, "http://", 7));
}

/* The hashes are those of sha256sum; the document cannot end its element. */
static void a_page_is_made_of_its_parts(void **state)
{
    struct openapi_page p;
    struct slice document = { "{\"a\":\"</script><b>\"}", 20 };

    (void)state;
    assert_int_equal(
        openapi_page_open(&p, "<style>a</style>@DOCUMENT@<script>b</script>", document, &err), 0);
    assert_string_equal(p.text, "<style>a</style>{\"a\":\"\\u003c/script>\\u003cb>\"}"
                                "<script>b</script>");
    assert_non_null(
        strstr(p.policy, "style-src 'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='"));
    assert_non_null(
        strstr(p.policy, "script-src 'sha256-PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0='"));
    openapi_page_release(&p);
    assert_int_equal(openapi_page_open(&p, "<style>a</style><script>b</script>", document, &err),
                     IFP_ESERVER);
    assert_int_equal(openapi_page_open(&p, "@DOCUMENT@<script>b</script>", document, &err),
                     IFP_ESERVER);
    assert_int_equal(openapi_page_open(&p, "@DOCUMENT@<style>b</style>", document, &err),
                     IFP_ESERVER);
}

static void without_memory_there_is_no_document(void **state)
{
    int rc = IFP_ENOMEM;

    (void)state;
    for (uint64_t n = 1; rc != 0; n++) {
        struct openapi *o;

        fault_arm(FAULT_ALLOC, n, false);
        rc = openapi_open(router, "", &o, &err);
        assert_true(rc == 0 ? n > 5 : rc == IFP_ENOMEM);
        assert_true((rc == 0) == (o != NULL));
        openapi_close(o);
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(each_route_is_an_operation),
        CASE(an_operation_may_have_more_answers_of_its_own),
        CASE(a_name_that_is_not_there_is_told),
        CASE(the_document_is_answered_once_until_it_changes),
        CASE(the_page_holds_the_document_and_a_strict_policy),
        CASE(a_page_is_made_of_its_parts),
        CASE(without_memory_there_is_no_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
