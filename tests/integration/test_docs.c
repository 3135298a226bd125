/*
 * tests/integration/test_docs.c - the OpenAPI document and the page of the server that is: made
 * from all of its tables, answered over HTTP; and that real answers are what it says.
 */
#define _GNU_SOURCE 1 /* memmem */
#include "api/api.h"
#include "api/openapi.h"
#include "lib/httptest.h"
#include "lib/openapicheck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const none[] = { NULL };

static int routes_shown(const struct router *router)
{
    const struct route *route;
    int n = 0;

    for (size_t i = 0; (route = router_at(router, i)) != NULL; i++)
        n += !(route->flags & ROUTE_HIDDEN);
    return n;
}

/* Each name that a route uses is there, and nothing is there that none uses. */
static void every_route_is_in_a_sound_document(void **state)
{
#define TABLE(name) name,
#define COUNT(name) name##_count,
    const struct route *tables[] = { API_TABLES(TABLE) };
    const size_t counts[] = { API_TABLES(COUNT) };
#undef TABLE
#undef COUNT
    struct router *router;
    struct openapi *doc;
    struct err e;

    (void)state;
    assert_int_equal(router_open(tables, counts, ARRAY_LEN(tables), &router, &e), 0);
    if (openapi_open(router, "", &doc, &e) < 0)
        fail_msg("%s", e.text);
    openapicheck(openapi_text(doc), "");
    assert_int_equal(openapicheck_operations(openapi_text(doc)), routes_shown(router));
    openapi_close(doc);
    router_close(router);
}

static void the_document_is_served_and_not_twice(void **state)
{
    struct httptest t;
    struct httptest_server s;
    struct httptest_answer a;
    char etag[64], headers[128];

    (void)state;
    httptest_open(&t);
    httptest_serve(&t, &s, "inferpipe", none);
    httptest_request(NULL, s.port, "GET", "/openapi.json", NULL, NULL, &a);
    assert_int_equal(a.status, 401);
    httptest_release(&a);
    httptest_request(&t, s.port, "GET", "/openapi.json", NULL, NULL, &a);
    httptest_expect(&a, 200, "/openapi", "\"3.1.0\"");
    openapicheck((struct slice){ a.body, a.len }, "");
    (void)snprintf(etag, sizeof(etag), "%s", httptest_header(&a, "etag"));
    (void)snprintf(headers, sizeof(headers), "if-none-match: %s\r\n", etag);
    httptest_release(&a);
    httptest_request(&t, s.port, "GET", "/openapi.json", headers, NULL, &a);
    assert_int_equal(a.status, 304);
    assert_string_equal(httptest_header(&a, "etag"), etag);
    httptest_release(&a);
    httptest_request(&t, s.port, "GET", "/openapi.json", "accept-encoding: gzip\r\n", NULL, &a);
    assert_string_equal(httptest_header(&a, "content-encoding"), "gzip");
    assert_true(a.len > 1000 && a.len < 20000);
    httptest_release(&a);
    httptest_stop(&s);
    httptest_close(&t);
}

static void the_page_is_public_when_told_so(void **state)
{
    static const char *const public[] = { "--public-docs", "on", NULL };
    struct httptest t;
    struct httptest_server s;
    struct httptest_answer a;

    (void)state;
    httptest_open(&t);
    httptest_serve(&t, &s, "inferpipe", public);
    httptest_request(NULL, s.port, "GET", "/docs", NULL, NULL, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(httptest_header(&a, "content-type"), "text/html; charset=utf-8");
    assert_non_null(strstr(httptest_header(&a, "content-security-policy"), "script-src 'sha256-"));
    assert_string_equal(httptest_header(&a, "cache-control"), "no-cache");
    assert_non_null(memmem(a.body, a.len, "\"operationId\":\"health\"", 22));
    httptest_release(&a);
    httptest_request(NULL, s.port, "GET", "/openapi.json", NULL, NULL, &a);
    assert_int_equal(a.status, 200);
    httptest_release(&a);
    httptest_stop(&s);
    httptest_close(&t);
}

/* ---- answers are what the document says ---- */

static struct slice document;

static struct slice at(struct slice value, const char *pointer)
{
    struct slice found = { 0 };

    return jsonscan_find(value, pointer, &found) == 0 ? found : (struct slice){ 0 };
}

/* The schema itself, behind its $ref. */
static struct slice resolve(struct slice schema)
{
    struct slice ref = at(schema, "/$ref");
    char pointer[200];

    if (!ref.text)
        return schema;
    (void)snprintf(pointer, sizeof(pointer), "%.*s", (int)ref.len - 3, ref.text + 2);
    return at(document, pointer);
}

static void check_object(const char *what, struct slice value, struct slice schema);

static void check_value(const char *what, struct slice value, struct slice schema)
{
    struct slice key, element;
    size_t pos = 0;

    schema = resolve(schema);
    if (at(schema, "/properties").text && jsonscan_type(value) == IFP_JSON_OBJECT)
        check_object(what, value, schema);
    if (at(schema, "/items").text && jsonscan_type(value) == IFP_JSON_ARRAY)
        while (jsonscan_each(value, &pos, &key, &element))
            check_value(what, element, at(schema, "/items"));
}

/* Every member is in the schema, and what it requires is there. */
static void check_object(const char *what, struct slice value, struct slice schema)
{
    struct slice key, member, known;
    char pointer[200];
    size_t pos = 0;

    while (jsonscan_each(value, &pos, &key, &member)) {
        (void)snprintf(pointer, sizeof(pointer), "/properties/%.*s", (int)key.len, key.text);
        known = at(schema, pointer);
        if (!known.text)
            fail_msg("%s: \"%.*s\" is not in its schema", what, (int)key.len, key.text);
        check_value(what, member, known);
    }
    pos = 0;
    while (at(schema, "/required").text &&
           jsonscan_each(at(schema, "/required"), &pos, &key, &member)) {
        (void)snprintf(pointer, sizeof(pointer), "/%.*s", (int)member.len - 2, member.text + 1);
        if (!at(value, pointer).text)
            fail_msg("%s: %s is missing", what, pointer);
    }
}

/* Asks, and compares the answer with the schema of this name. */
static void ask(const struct httptest *t, int port, const char *request, const char *body,
                int status, const char *schema, struct httptest_answer *ret)
{
    char method[8], path[200], pointer[100];

    assert_int_equal(sscanf(request, "%7s %199s", method, path), 2);
    httptest_request(t, port, method, path, body ? "content-type: application/json\r\n" : NULL,
                     body, ret);
    if (ret->status != status)
        fail_msg("%s: %d %s", request, ret->status, ret->body);
    (void)snprintf(pointer, sizeof(pointer), "/components/schemas/%s", schema);
    check_value(request, (struct slice){ ret->body, ret->len }, at(document, pointer));
}

static void expect(const struct httptest *t, int port, const char *request, const char *body,
                   int status, const char *schema)
{
    struct httptest_answer a;

    ask(t, port, request, body, status, schema, &a);
    httptest_release(&a);
}

/* The same for the routes under what the first of them made: "%s" is its id. */
static void expect_under(const struct httptest *t, int port, const char *id, const char *request,
                         const char *body, int status, const char *schema)
{
    char text[300];

    (void)snprintf(text, sizeof(text), request, id);
    expect(t, port, text, body, status, schema);
}

static void check_executions(const struct httptest *t, int port)
{
    struct httptest_answer a;
    char id[64];

    ask(t, port, "POST /v1/workflows/test-echo/executions",
        "{\"input\":{\"message\":\"hi\"},\"mode\":\"sync\",\"metadata\":{\"a\":1}}", 200,
        "ExecutionResult", &a);
    (void)snprintf(id, sizeof(id), "%.*s", 17, httptest_json(&a, "/id") + 1);
    httptest_release(&a);
    expect(t, port, "POST /v1/workflows/test-echo/executions",
           "{\"input\":{},\"delayMs\":3600000,\"priority\":1}", 202, "ExecutionInfo");
    expect(t, port, "POST /v1/executions",
           "[{\"workflowId\":\"test-echo\",\"input\":{}},{\"workflowId\":\"nowhere\"}]", 200,
           "StartManyResult");
    expect(t, port, "GET /v1/executions?limit=5", NULL, 200, "ExecutionList");
    expect_under(t, port, id, "GET /v1/executions/%s", NULL, 200, "ExecutionStatus");
    expect_under(t, port, id, "GET /v1/executions/%s/steps", NULL, 200, "StepList");
    expect_under(t, port, id, "GET /v1/executions/%s/events", NULL, 200, "EventList");
    expect_under(t, port, id, "POST /v1/executions/%s/fork", "{}", 202, "ExecutionInfo");
    expect_under(t, port, id, "POST /v1/executions/%s/messages/go", "1", 409, "Problem");
    expect(t, port, "POST /v1/workflows/test-echo/executions", "{\"nothing\":1}", 400, "Problem");
    expect(t, port, "GET /v1/nowhere", NULL, 404, "Problem");
}

static void check_administration(const struct httptest *t, int port)
{
    expect(t, port, "GET /v1/workflows", NULL, 200, "WorkflowList");
    expect(t, port, "GET /v1/workflows/test-echo", NULL, 200, "Workflow");
    expect(t, port, "GET /v1/workers", NULL, 200, "WorkerList");
    expect(t, port, "PUT /v1/queues/default", "{\"concurrency\":5,\"rate\":9}", 200, "Queue");
    expect(t, port, "GET /v1/queues", NULL, 200, "QueueList");
    expect(t, port, "POST /v1/cron",
           "{\"name\":\"nightly\",\"schedule\":\"@daily\",\"workflowId\":\"test-echo\"}", 201,
           "CronJob");
    expect(t, port, "POST /v1/cron/nightly/trigger", NULL, 202, "CronTrigger");
    expect(t, port, "GET /v1/cron", NULL, 200, "CronJobList");
    expect(t, port, "GET /v1/cron/nightly/history", NULL, 200, "CronTickList");
    expect(t, port, "POST /v1/keys", "{\"name\":\"ci\",\"scopes\":[\"executions:read\"]}", 201,
           "KeySecret");
    expect(t, port, "GET /v1/keys", NULL, 200, "KeyList");
    expect(t, port, "GET /v1/jwt-keys", NULL, 200, "JwtKeyList");
    expect(t, port, "GET /v1/webhooks", NULL, 200, "WebhookList");
    expect(t, port, "GET /health", NULL, 200, "Health");
    expect(t, port, "GET /ready", NULL, 200, "Ready");
}

static void answers_are_what_the_document_says(void **state)
{
    struct httptest t;
    struct httptest_server s;
    struct httptest_answer doc;

    (void)state;
    httptest_open(&t);
    httptest_serve(&t, &s, "examples/samples", none);
    httptest_request(&t, s.port, "GET", "/openapi.json", NULL, NULL, &doc);
    assert_int_equal(doc.status, 200);
    document = (struct slice){ doc.body, doc.len };
    check_executions(&t, s.port);
    check_administration(&t, s.port);
    httptest_release(&doc);
    httptest_stop(&s);
    httptest_close(&t);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_teardown(f, httptest_cleanup)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_in_a_sound_document),
        CASE(the_document_is_served_and_not_twice),
        CASE(the_page_is_public_when_told_so),
        CASE(answers_are_what_the_document_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
