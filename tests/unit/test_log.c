/* tests/unit/test_log.c - lines as they arrive at the other end of a pipe. */
#include "base/log.h"

#include "base/clock.h"
#include "base/jsonscan.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TIME "2026-11-20T15:30:00.123Z"

struct fixture {
    int fds[2];
    char line[16384];
};

static int64_t fixed_time(void *ctx)
{
    (void)ctx;
    return INT64_C(1795188600123456);
}

static struct fixture fixture;

static int set_up(void **state)
{
    *state = &fixture;
    clock_replace(NULL, fixed_time, NULL);
    if (pipe(fixture.fds) != 0)
        return -1;
    return fcntl(fixture.fds[0], F_SETFL, O_NONBLOCK);
}

static int tear_down(void **state)
{
    (void)state;
    clock_replace(NULL, NULL, NULL);
    log_open(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, STDERR_FILENO);
    close(fixture.fds[0]);
    close(fixture.fds[1]);
    return 0;
}

/* All that was written since the last call. */
static const char *read_lines(struct fixture *f)
{
    ssize_t got = read(f->fds[0], f->line, sizeof(f->line) - 1);

    f->line[got > 0 ? got : 0] = '\0';
    return f->line;
}

static void logfmt_quotes_only_what_needs_it(void **state)
{
    struct fixture *f = *state;

    log_open(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, f->fds[1]);
    LOG_INFO("taken over", LOG_STR("id", "exe_1"), LOG_INT("fence", -3), LOG_BOOL("ok", true),
             LOG_FLOAT("load", 0.5), LOG_STR("none", NULL));
    assert_string_equal(read_lines(f), "time=" TIME " level=info msg=\"taken over\" id=exe_1 "
                                       "fence=-3 ok=true load=0.5 none=null\n");
    LOG_WARN("x", LOG_STR("a", ""), LOG_STR("b", "c=d"), LOG_STR("e", "say \"hi\"\\"),
             LOG_STR("f", "l1\nl2\t\x01\x7f"), LOG_STR("g", "\xc3\xa9"));
    assert_string_equal(read_lines(f),
                        "time=" TIME " level=warn msg=x a=\"\" b=\"c=d\" e=\"say \\\"hi\\\"\\\\\" "
                        "f=\"l1\\nl2\\t\\u0001\\u007f\" g=\xc3\xa9\n");
}

static void json_lines_are_json(void **state)
{
    struct fixture *f = *state;
    struct err e;

    log_open(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, f->fds[1]);
    LOG_DEBUG("a \"b\"\n", LOG_INT("n", INT64_MIN), LOG_FLOAT("nan", (double)NAN),
              LOG_BOOL("no", false), LOG_STR("none", NULL), LOG_STR("s", "\x02\\"));
    assert_string_equal(read_lines(f), "{\"time\":\"" TIME "\",\"level\":\"debug\",\"msg\":\"a "
                                       "\\\"b\\\"\\n\",\"n\":-9223372036854775808,\"nan\":null,"
                                       "\"no\":false,\"none\":null,\"s\":\"\\u0002\\\\\"}\n");
    assert_int_equal(jsonscan_check(f->line, strlen(f->line), &e), 0);
}

static void a_line_without_fields_is_fine(void **state)
{
    struct fixture *f = *state;

    log_open(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, f->fds[1]);
    LOG_ERROR("gone");
    assert_string_equal(read_lines(f), "time=" TIME " level=error msg=gone\n");
}

static void an_error_shows_name_and_text(void **state)
{
    struct fixture *f = *state;
    struct err e;

    err_set(&e, IFP_ENOTFOUND, "no row");
    log_open(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, f->fds[1]);
    LOG_ERROR("failed", LOG_ERR(&e));
    assert_non_null(strstr(read_lines(f), " error=NOT_FOUND detail=\"no row\"\n"));
}

static void lower_levels_are_silent(void **state)
{
    struct fixture *f = *state;
    int evaluated = 0;

    log_open(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT, f->fds[1]);
    LOG_INFO("no", LOG_INT("n", ++evaluated));
    assert_string_equal(read_lines(f), "");
    assert_int_equal(evaluated, 0);
    LOG_WARN("yes");
    assert_true(strlen(read_lines(f)) > 0);
    log_open(LOG_LEVEL_OFF, LOG_FORMAT_LOGFMT, f->fds[1]);
    LOG_ERROR("no");
    assert_string_equal(read_lines(f), "");
}

static void keys_that_name_secrets_hide_their_values(void **state)
{
    static const char *const keys[] = { "password",      "secret",    "token",   "authorization",
                                        "Authorization", "cookie",    "api_key", "db_password",
                                        "access_token",  "set-cookie" };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        for (int format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_JSON; format++) {
            log_open(LOG_LEVEL_INFO, (enum log_format)format, f->fds[1]);
            LOG_INFO("x", LOG_STR(keys[i], "hunter2"), LOG_STR("after", "seen"));
            assert_null(strstr(read_lines(f), "hunter2"));
            assert_non_null(strstr(f->line, "[redacted]"));
            assert_non_null(strstr(f->line, "seen"));
        }
}

static void secrets_inside_values_are_hidden(void **state)
{
    static const struct {
        const char *value, *seen;
    } rows[] = {
        { "postgres://user:hunter2@host/db", "postgres://user:[redacted]@host/db" },
        { "postgres://user:hun@ter2@host", "postgres://user:[redacted]@host" },
        { "postgres://user:hun/ter2@host:1/db", "postgres://user:[redacted]@host:1/db" },
        { "a://u:hunter2@h,b://v:hunter2@h", "a://u:[redacted]@h" },
        { "postgres://user@host:5432/db", "postgres://user@host:5432/db" },
        { "http://host:80/path", "http://host:80/path" },
        { "host=h password=hunter2 user=u", "host=h password=[redacted] user=u" },
        { "password = 'hun ter2\\'x' port=1", "password = [redacted] port=1" },
        { "password=hun\\ ter2 port=1", "password=[redacted] port=1" },
        { "password='hunter2", "password=[redacted]" },
        { "sslPassword=hunter2", "sslPassword=[redacted]" },
        { "postgres://h/d?password=hunter2&x=1", "postgres://h/d?password=[redacted]&x=1" },
        { "postgres://u:hunter2@h/d?password=hunter2",
          "postgres://u:[redacted]@h/d?password=[redacted]" },
        { "postgres://u:a?password=hunter2@h/d", "postgres://u:[redacted]" },
        { "postgres://u:a?password=x@hunter2", "postgres://u:[redacted]" },
        { "password=a://u:x&hunter2@h", "password=[redacted]@h" },
        { "password=hunter2 password=hunter2", "password=[redacted] password=[redacted]" },
        { "the password is wrong", "the password is wrong" },
    };
    struct fixture *f = *state;

    log_open(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, f->fds[1]);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        LOG_INFO(rows[i].value, LOG_STR("v", rows[i].value));
        assert_null(strstr(read_lines(f), "ter2"));
        assert_non_null(strstr(f->line, rows[i].seen));
    }
}

static void invalid_utf8_is_replaced(void **state)
{
    struct fixture *f = *state;

    log_open(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, f->fds[1]);
    LOG_INFO("x", LOG_STR("v", "a\xff\xc3z\xed\xa0\x80"));
    assert_non_null(strstr(read_lines(f), " v=a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd"));
    assert_true(jsonscan_utf8_ok(f->line, strlen(f->line)));
}

static void what_is_too_long_is_cut_and_says_so(void **state)
{
    struct fixture *f = *state;
    char value[4000];
    struct err e;

    memset(value, '\x01', sizeof(value) - 1); /* the worst case: six bytes for each */
    value[sizeof(value) - 1] = '\0';
    log_open(LOG_LEVEL_INFO, LOG_FORMAT_JSON, f->fds[1]);
    LOG_INFO("x", LOG_STR("a", value), LOG_STR("b", value), LOG_INT("c", 1));
    assert_non_null(strstr(read_lines(f), "\"c\":1,\"truncated\":true}\n"));
    assert_null(strstr(f->line, "\"b\":"));
    assert_int_equal(jsonscan_check(f->line, strlen(f->line), &e), 0);
    memset(value, 'v', sizeof(value) - 1);
    LOG_INFO("x", LOG_STR("a", value));
    assert_non_null(strstr(read_lines(f), "\"truncated\":true"));
    value[1024] = '\0';
    LOG_INFO("x", LOG_STR("a", value));
    assert_null(strstr(read_lines(f), "truncated"));
}

static void a_descriptor_that_fails_is_no_trouble(void **state)
{
    struct fixture *f = *state;

    log_open(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, f->fds[0]); /* the end to read from */
    errno = ENOENT;
    LOG_INFO("lost");
    assert_int_equal(errno, ENOENT);
}

static void level_names_are_read(void **state)
{
    static const char *const names[] = { "debug", "info", "warn", "error", "off" };
    enum log_level level;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(log_level_parse(names[i], &level), 0);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_level_parse("INFO", &level), IFP_EINVALID);
    assert_int_equal(log_level_parse("", &level), IFP_EINVALID);
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(logfmt_quotes_only_what_needs_it),
        LOG_TEST(json_lines_are_json),
        LOG_TEST(a_line_without_fields_is_fine),
        LOG_TEST(an_error_shows_name_and_text),
        LOG_TEST(lower_levels_are_silent),
        LOG_TEST(keys_that_name_secrets_hide_their_values),
        LOG_TEST(secrets_inside_values_are_hidden),
        LOG_TEST(invalid_utf8_is_replaced),
        LOG_TEST(what_is_too_long_is_cut_and_says_so),
        LOG_TEST(a_descriptor_that_fails_is_no_trouble),
        LOG_TEST(level_names_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
