/* tests/unit/test_router.c - which path goes to which route, and what of it is handed out. */
#include "http/route.h"

#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void handler(void *ctx, struct http_request *r)
{
    (void)ctx;
    (void)r;
}

#define ROUTE(m, p, name)                                                                          \
    {                                                                                              \
        .method = (m), .path = (p), .id = (name), .handler = handler                               \
    }

static const struct route first[] = {
    ROUTE(HTTP_GET, "/", "root"),
    ROUTE(HTTP_GET, "/health", "health"),
    ROUTE(HTTP_GET, "/v1/executions", "list"),
    ROUTE(HTTP_POST, "/v1/executions", "bulk"),
    ROUTE(HTTP_GET, "/v1/executions/{id}", "get"),
    ROUTE(HTTP_DELETE, "/v1/executions/{id}", "delete"),
    ROUTE(HTTP_POST, "/v1/executions/{id}/messages/{name}", "message"),
    ROUTE(HTTP_GET, "/v1/executions/latest", "latest"),
};
static const struct route second[] = {
    ROUTE(HTTP_GET, "/{a}/{b}/{c}/{d}", "four"),
    ROUTE(HTTP_PUT, "/v1/executions/latest/steps", "deep"),
};

struct fixture {
    struct router *router;
    struct http_request r;
    const char *allow;
    struct err e;
};

static int setup(void **state)
{
    static struct fixture f;
    const struct route *tables[] = { first, second };
    size_t counts[] = { ARRAY_LEN(first), ARRAY_LEN(second) };

    f = (struct fixture){ 0 };
    arena_init(&f.r.arena, 0);
    *state = &f;
    return router_open(tables, counts, 2, &f.router, &f.e);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fault_arm(FAULT_ALLOC, 0, false);
    arena_release(&f->r.arena);
    router_close(f->router);
    return 0;
}

static int find(struct fixture *f, enum http_method method, const char *path)
{
    arena_reset(&f->r.arena);
    f->r.method = method;
    f->r.path = (struct slice){ path, strlen(path) };
    memset(f->r.params, 0, sizeof(f->r.params));
    return router_find(f->router, &f->r, &f->allow);
}

static void expect(struct fixture *f, enum http_method method, const char *path, const char *id)
{
    assert_int_equal(find(f, method, path), 0);
    assert_string_equal(f->r.route->id, id);
}

static void each_path_finds_its_route(void **state)
{
    struct fixture *f = *state;

    expect(f, HTTP_GET, "/", "root");
    expect(f, HTTP_GET, "/health", "health");
    expect(f, HTTP_GET, "/v1/executions", "list");
    expect(f, HTTP_POST, "/v1/executions", "bulk");
    expect(f, HTTP_GET, "/v1/executions/exe_1", "get");
    assert_string_equal(f->r.params[0].text, "exe_1");
    assert_int_equal(f->r.params[0].len, 5);
    expect(f, HTTP_POST, "/v1/executions/exe_1/messages/go", "message");
    assert_string_equal(f->r.params[0].text, "exe_1");
    assert_string_equal(f->r.params[1].text, "go");
    expect(f, HTTP_GET, "/1/2/3/4", "four");
    assert_string_equal(f->r.params[0].text, "1");
    assert_string_equal(f->r.params[3].text, "4");
}

static void a_get_also_answers_head(void **state)
{
    struct fixture *f = *state;

    expect(f, HTTP_HEAD, "/health", "health");
    assert_int_equal(find(f, HTTP_HEAD, "/v1/executions/x/messages/go"), IFP_ECONFLICT);
}

static void a_literal_wins_and_hides_no_other_method(void **state)
{
    struct fixture *f = *state;

    expect(f, HTTP_GET, "/v1/executions/latest", "latest");
    assert_null(f->r.params[0].text);
    expect(f, HTTP_DELETE, "/v1/executions/latest", "delete");
    assert_string_equal(f->r.params[0].text, "latest");
    expect(f, HTTP_POST, "/v1/executions/latest/messages/go", "message");
    assert_string_equal(f->r.params[0].text, "latest");
    expect(f, HTTP_GET, "/v1/executions/latest/steps", "four");
}

static void a_path_with_other_methods_names_them(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(find(f, HTTP_PUT, "/v1/executions"), IFP_ECONFLICT);
    assert_string_equal(f->allow, "GET, HEAD, POST");
    assert_null(f->r.route);
    assert_int_equal(find(f, HTTP_POST, "/v1/executions/latest"), IFP_ECONFLICT);
    assert_string_equal(f->allow, "GET, HEAD, DELETE");
    assert_int_equal(find(f, HTTP_OTHER, "/v1/executions/latest/steps"), IFP_ECONFLICT);
    assert_string_equal(f->allow, "GET, HEAD, PUT");
}

static void other_paths_find_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {
        "/Health",
        "/health/",
        "//health",
        "/v1",
        "/v1/executions/",
        "/v1//executions",
        "/v1/executionsx",
        "/v1/executions//messages/go",
        "/1/2/3/4/5",
        "/1/2/3",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o",
        "/1/2//4",
        "/1/2/3/",
    };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_int_equal(find(f, HTTP_GET, paths[i]), IFP_ENOTFOUND);
        assert_null(f->r.route);
        assert_null(f->allow);
    }
}

static void segments_are_matched_and_handed_out_decoded(void **state)
{
    struct fixture *f = *state;

    expect(f, HTTP_GET, "/he%61lth", "health");
    expect(f, HTTP_GET, "/v1/executions/a%20b%c3%A9%25", "get");
    assert_string_equal(f->r.params[0].text, "a b\xc3\xa9%");
    expect(f, HTTP_GET, "/v1/executions/%6Catest", "latest");
}

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {
        "",
        "health",
        "/v1/executions/a%2fb",
        "/v1/executions/a%2Fb",
        "/%",
        "/%4",
        "/%4g",
        "/%zz",
        "/v1/executions/%00",
        "/v1/executions/%0a",
        "/%7f",
        "/%ff",
        "/%c3",
        "/%c0%af",
        "/v1/executions/%ed%a0%80",
        "/a\tb",
        "/%%41",
        "/health%",
    };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        assert_int_equal(find(f, HTTP_GET, paths[i]), IFP_EINVALID);
}

static void routes_are_listed_and_found_by_id(void **state)
{
    struct fixture *f = *state;
    size_t n = ARRAY_LEN(first) + ARRAY_LEN(second);

    assert_ptr_equal(router_at(f->router, 0), &first[0]);
    assert_ptr_equal(router_at(f->router, n - 1), &second[1]);
    assert_null(router_at(f->router, n));
    assert_ptr_equal(router_named(f->router, (struct slice){ "deep", 4 }), &second[1]);
    assert_null(router_named(f->router, (struct slice){ "dee", 3 }));
}

static void without_memory_there_is_no_router(void **state)
{
    struct fixture *f = *state;
    const struct route *tables[] = { first, second };
    size_t counts[] = { ARRAY_LEN(first), ARRAY_LEN(second) };
    int rc = IFP_ENOMEM;

    for (uint64_t n = 1; rc == IFP_ENOMEM; n++) {
        struct router *r = NULL;

        fault_arm(FAULT_ALLOC, n, false);
        rc = router_open(tables, counts, 2, &r, &f->e);
        assert_true(rc == IFP_ENOMEM || n > 2);
        router_close(r);
    }
    assert_int_equal(rc, 0);
    fault_arm(FAULT_ALLOC, 1, true);
    arena_release(&f->r.arena);
    f->r.method = HTTP_GET;
    f->r.path = (struct slice){ "/health", 7 };
    assert_int_equal(router_find(f->router, &f->r, &f->allow), IFP_ENOMEM);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(each_path_finds_its_route),
        CASE(a_get_also_answers_head),
        CASE(a_literal_wins_and_hides_no_other_method),
        CASE(a_path_with_other_methods_names_them),
        CASE(other_paths_find_nothing),
        CASE(segments_are_matched_and_handed_out_decoded),
        CASE(what_could_be_read_in_two_ways_is_refused),
        CASE(routes_are_listed_and_found_by_id),
        CASE(without_memory_there_is_no_router),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
