/*
 * tests/unit/test_app_interceptor.c - ifp_interceptor: what a program's functions see of a request
 * and may do to it; which mistakes stick.  Requests are doubles (lib/requestdouble.h).
 */
#include "app/app.h"

#include "base/fault.h"
#include "base/log.h"
#include "http/chain.h"
#include "lib/requestdouble.h"

static char seen[256];
static int seen_status;

static int look(ifp_request *r, void *user)
{
    const char *secret = ifp_request_header(r, "authorization");
    const char *cookie = ifp_request_header(r, "cookie");

    (void)snprintf(seen, sizeof(seen), "%s %s %s %s [%s] [%s] %d", ifp_request_method(r),
                   ifp_request_path(r), ifp_request_route(r), ifp_request_id(r),
                   ifp_request_header(r, "x-gateway") ? ifp_request_header(r, "x-gateway") : "none",
                   secret || cookie ? "secret" : "", ifp_request_status(r));
    ifp_request_answer_header(r, "x-served-by", user);
    ifp_request_answer_header(r, "bad: x\r\ny", "z");
    ifp_request_answer_header(r, "", "z");
    return 0;
}

static void last_look(ifp_request *r, void *user)
{
    seen_status = ifp_request_status(r);
    assert_string_equal(ifp_request_path(r), "/a");
    ifp_request_answer_header(r, "x-late", user); /* does nothing */
    assert_int_equal(ifp_request_refuse(r, IFP_EINVALID, "late"), IFP_EINVALID);
}

static int refuse(ifp_request *r, void *user)
{
    return ifp_request_refuse(r, IFP_EFORBIDDEN, user);
}

static int refuse_briefly(ifp_request *r, void *user)
{
    (void)r;
    return *(int *)user;
}

static void handler(void *ctx, struct http_request *r)
{
    (void)ctx;
    http_answer(r, 200, NULL, (struct slice){ 0 });
}

static const struct route route = {
    .method = HTTP_GET, .path = "/a", .id = "a", .handler = handler
};

struct fixture {
    struct ifp_app made; /* by hand: what makes one brings the whole server with it */
    ifp_app *app;
    struct chain *chain;
    struct double_request d;
    struct err e;
};

static int setup(void **state)
{
    static struct fixture f;

    log_open(LOG_LEVEL_OFF, LOG_FORMAT_LOGFMT, 2);
    seen[0] = '\0';
    seen_status = -1;
    f = (struct fixture){ .app = &f.made };
    arena_init(&f.made.texts, 0);
    *state = &f;
    return chain_open(&(struct chain_options){ .pool_max = 4 }, &f.chain, &f.e);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fault_arm(FAULT_ALLOC, 0, false);
    chain_close(f->chain);
    arena_release(&f->made.texts);
    return 0;
}

static int run(struct fixture *f)
{
    assert_int_equal(f->app->mistake.code, 0);
    assert_int_equal(app_interceptor_add(f->app, f->chain, &f->e), 0);
    double_init(&f->d, HTTP_GET, &route);
    f->d.r.path = (struct slice){ "/a?", 2 };
    double_put(&f->d, "x-gateway", "eu-1");
    double_put(&f->d, "authorization", "Bearer secret");
    double_put(&f->d, "cookie", "secret");
    chain_run(f->chain, &f->d.r, NULL, NULL);
    double_end(&f->d);
    return f->d.r.status;
}

static void a_program_sees_requests_without_their_secrets(void **state)
{
    struct fixture *f = *state;

    ifp_interceptor(f->app, "first", look, last_look, "orders");
    assert_int_equal(run(f), 200);
    assert_string_equal(seen, "GET /a a req-1 [eu-1] [] 0");
    assert_int_equal(seen_status, 200);
    assert_string_equal(double_answered(&f->d, "x-served-by"), "orders");
    assert_int_equal(f->d.answer_headers, 1);
}

static void a_program_may_refuse(void **state)
{
    struct fixture *f = *state;

    ifp_interceptor(f->app, "first", NULL, last_look, NULL);
    ifp_interceptor(f->app, "second", refuse, NULL, "not from here");
    ifp_interceptor(f->app, "third", look, NULL, NULL);
    assert_int_equal(run(f), 403);
    assert_string_equal(f->d.body, "FORBIDDEN: not from here");
    assert_string_equal(seen, "");
    assert_int_equal(seen_status, 403);
}

static void a_code_alone_refuses_and_any_other_number_fails(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int gives, status;
    } cases[] = { { IFP_ERATELIMITED, 429 }, { IFP_SUSPENDED, 500 }, { -9999, 500 }, { 0, 200 } };
    int gives;

    ifp_interceptor(f->app, "first", refuse_briefly, NULL, &gives);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        gives = cases[i].gives;
        if (i == 0) {
            assert_int_equal(run(f), cases[i].status);
            continue;
        }
        double_init(&f->d, HTTP_GET, &route);
        chain_run(f->chain, &f->d.r, NULL, NULL);
        double_end(&f->d);
        assert_int_equal(f->d.r.status, cases[i].status);
    }
}

static void mistakes_stick(void **state)
{
    struct fixture *f = *state;
    char name[16];

    ifp_interceptor(NULL, "first", look, NULL, NULL);
    for (int i = 0; i < 16; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        ifp_interceptor(f->app, name, look, NULL, NULL);
    }
    assert_int_equal(f->app->mistake.code, 0);
    ifp_interceptor(f->app, "one-more", look, NULL, NULL);
    assert_non_null(strstr(f->app->mistake.text, "interceptor \"one-more\": more than 16"));
    ifp_interceptor(f->app, "n1", look, NULL, NULL);
    assert_non_null(strstr(f->app->mistake.text, "one-more"));
    f->app->mistake.code = 0;
    ifp_interceptor(f->app, "n1", look, NULL, NULL);
    assert_non_null(strstr(f->app->mistake.text, "it is there twice"));
    f->app->mistake.code = 0;
    ifp_interceptor(f->app, "Not a name", look, NULL, NULL);
    assert_int_equal(f->app->mistake.code, IFP_EINVALID);
    f->app->mistake.code = 0;
    ifp_interceptor(f->app, NULL, look, NULL, NULL);
    assert_int_equal(f->app->mistake.code, IFP_EINVALID);
}

static void want_of_memory_sticks_too(void **state)
{
    struct fixture *f = *state;

    fault_arm(FAULT_ALLOC, 1, true);
    for (int i = 0; i < 16 && f->app->mistake.code == 0; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "n%d", i);
        ifp_interceptor(f->app, name, look, NULL, NULL);
    }
    assert_int_equal(f->app->mistake.code, IFP_ENOMEM);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_program_sees_requests_without_their_secrets),
        CASE(a_program_may_refuse),
        CASE(a_code_alone_refuses_and_any_other_number_fails),
        CASE(mistakes_stick),
        CASE(want_of_memory_sticks_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
