/* tests/unit/test_config.c - each option at its limits, and which source wins. */
#include "base/config.h"

#include "base/duration.h"
#include "base/fault.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct config config;
    char path[64];
};

static struct fixture fixture;

static int set_up(void **state)
{
    struct err e;
    int fd;

    *state = &fixture;
    for (int id = 0; id < CONFIG_COUNT; id++)
        unsetenv(config_option((enum config_id)id)->env);
    unsetenv("DATABASE_URL_FILE");
    (void)snprintf(fixture.path, sizeof(fixture.path), "/tmp/ifp-config-XXXXXX");
    fd = mkstemp(fixture.path);
    if (fd < 0)
        return -1;
    close(fd);
    return config_init(&fixture.config, &e);
}

static int tear_down(void **state)
{
    (void)state;
    config_release(&fixture.config);
    unlink(fixture.path);
    return 0;
}

static void write_file(const struct fixture *f, const char *text, size_t len)
{
    FILE *file = fopen(f->path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static int load_text(struct fixture *f, const char *text, struct err *e)
{
    write_file(f, text, strlen(text));
    return config_load_file(&f->config, f->path, e);
}

/* Spells a value of an option; a text gets that length. */
static void spell(const struct config_option *o, int64_t v, char *ret, size_t size)
{
    if (o->type == CONFIG_TEXT || o->type == CONFIG_SECRET) {
        assert_true(v >= 0 && (size_t)v < size);
        memset(ret, 'x', (size_t)v);
        ret[v] = '\0';
    } else if (o->type == CONFIG_DURATION) {
        (void)snprintf(ret, size, "%lldms", (long long)v);
    } else {
        (void)snprintf(ret, size, "%lld", (long long)v);
    }
}

static void the_defaults_are_valid_together(void **state)
{
    struct fixture *f = *state;
    struct err e;

    assert_int_equal(config_check(&f->config, &e), 0);
    for (int id = 0; id < CONFIG_COUNT; id++) {
        assert_string_equal(config_text(&f->config, (enum config_id)id),
                            config_option((enum config_id)id)->def);
        assert_int_equal(f->config.values[id].source, CONFIG_FROM_DEFAULT);
    }
    assert_int_equal(config_int(&f->config, CONFIG_LEASE), 10000);
    assert_int_equal(config_int(&f->config, CONFIG_PAYLOAD_INLINE), 32768);
    assert_int_equal(config_int(&f->config, CONFIG_RUN_MEMORY), 134217728);
    assert_int_equal(config_int(&f->config, CONFIG_LISTEN), 1);
}

static void each_option_takes_its_limits_and_nothing_beyond(void **state)
{
    static char text[8192];
    struct fixture *f = *state;

    for (int i = 0; i < CONFIG_COUNT; i++) {
        enum config_id id = (enum config_id)i;
        const struct config_option *o = config_option(id);
        const int64_t inside[] = { o->min, o->max }, outside[] = { o->min - 1, o->max + 1 };
        bool is_text = o->type == CONFIG_TEXT || o->type == CONFIG_SECRET;
        struct err e;

        for (int k = 0; k < 2; k++) {
            spell(o, inside[k], text, sizeof(text));
            assert_int_equal(config_set(&f->config, id, text, CONFIG_FROM_FLAG, &e), 0);
            assert_string_equal(config_text(&f->config, id), text);
            assert_true(is_text || config_int(&f->config, id) == inside[k]);
        }
        for (int k = 0; k < 2; k++) {
            if (outside[k] < 0 && is_text)
                continue;
            spell(o, outside[k], text, sizeof(text));
            assert_int_equal(config_set(&f->config, id, text, CONFIG_FROM_FLAG, &e), IFP_EINVALID);
            assert_int_equal(strncmp(e.text, o->flag, strlen(o->flag)), 0);
            assert_true(is_text || config_int(&f->config, id) == o->max);
        }
    }
}

static void an_error_names_option_value_and_range(void **state)
{
    struct fixture *f = *state;
    struct err e;

    assert_int_equal(config_set(&f->config, CONFIG_SLOTS, "0", CONFIG_FROM_FLAG, &e), IFP_EINVALID);
    assert_string_equal(e.text, "slots: \"0\": want a number from 1 to 100000");
    assert_int_equal(config_set(&f->config, CONFIG_LEASE, "1h", CONFIG_FROM_FLAG, &e),
                     IFP_EINVALID);
    assert_string_equal(e.text, "lease: \"1h\": want a duration like 1m30s, from 1s to 10m");
    assert_int_equal(config_set(&f->config, CONFIG_LISTEN, "maybe", CONFIG_FROM_FLAG, &e),
                     IFP_EINVALID);
    assert_string_equal(e.text, "listen: \"maybe\": want on or off");
}

static void values_are_read_by_type(void **state)
{
    static const struct {
        enum config_id id;
        const char *text;
        int64_t want; /* -1: refused */
    } rows[] = {
        { CONFIG_SLOTS, "42", 42 },
        { CONFIG_SLOTS, "+42", -1 },
        { CONFIG_SLOTS, " 42", -1 },
        { CONFIG_SLOTS, "42x", -1 },
        { CONFIG_SLOTS, "", -1 },
        { CONFIG_SLOTS, "-", -1 },
        { CONFIG_SLOTS, "-5", -1 },
        { CONFIG_SLOTS, "0x10", -1 },
        { CONFIG_SLOTS, "1e3", -1 },
        { CONFIG_SLOTS, "99999999999999999999", -1 },
        { CONFIG_SLOTS, "18446744073709551617", -1 },
        { CONFIG_PAYLOAD_MAX, "4096", 4096 },
        { CONFIG_PAYLOAD_MAX, "64KiB", 65536 },
        { CONFIG_PAYLOAD_MAX, "2MiB", 2097152 },
        { CONFIG_RUN_MEMORY, "4GiB", 4294967296 },
        { CONFIG_PAYLOAD_MAX, "64K", -1 },
        { CONFIG_PAYLOAD_MAX, "64KB", -1 },
        { CONFIG_PAYLOAD_MAX, "64 KiB", -1 },
        { CONFIG_PAYLOAD_MAX, "1.5MiB", -1 },
        { CONFIG_PAYLOAD_MAX, "KiB", -1 },
        { CONFIG_RUN_MEMORY, "9223372036854775807GiB", -1 },
        { CONFIG_LEASE, "1m30s", 90000 },
        { CONFIG_LEASE, "10", -1 },
        { CONFIG_LISTEN, "on", 1 },
        { CONFIG_LISTEN, "off", 0 },
        { CONFIG_LISTEN, "true", 1 },
        { CONFIG_LISTEN, "False", 0 },
        { CONFIG_LISTEN, "1", 1 },
        { CONFIG_LISTEN, "0", 0 },
        { CONFIG_LISTEN, "YES", 1 },
        { CONFIG_LISTEN, "no", 0 },
        { CONFIG_LISTEN, "2", -1 },
        { CONFIG_LISTEN, "", -1 },
        { CONFIG_LISTEN, "onn", -1 },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e;
        int rc = config_set(&f->config, rows[i].id, rows[i].text, CONFIG_FROM_FLAG, &e);

        assert_int_equal(rc, rows[i].want < 0 ? IFP_EINVALID : 0);
        assert_true(rows[i].want < 0 || config_int(&f->config, rows[i].id) == rows[i].want);
    }
}

/* Whatever the order of loading. */
static void the_stronger_source_wins(void **state)
{
    static const enum config_source orders[][3] = {
        { CONFIG_FROM_FILE, CONFIG_FROM_ENV, CONFIG_FROM_FLAG },
        { CONFIG_FROM_FLAG, CONFIG_FROM_ENV, CONFIG_FROM_FILE },
        { CONFIG_FROM_ENV, CONFIG_FROM_FLAG, CONFIG_FROM_FILE },
    };
    static const char *const texts[] = { "", "2", "3", "4" };
    struct fixture *f = *state;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        config_release(&f->config);
        assert_int_equal(config_init(&f->config, &e), 0);
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(
                config_set(&f->config, CONFIG_SLOTS, texts[orders[i][k]], orders[i][k], &e), 0);
        assert_int_equal(config_int(&f->config, CONFIG_SLOTS), 4);
        assert_int_equal(f->config.values[CONFIG_SLOTS].source, CONFIG_FROM_FLAG);
    }
    assert_int_equal(config_set(&f->config, CONFIG_SLOTS, "5", CONFIG_FROM_FLAG, &e), 0);
    assert_int_equal(config_int(&f->config, CONFIG_SLOTS), 5); /* the same source: the later one */
}

static void environment_beats_file_and_flag_beats_both(void **state)
{
    struct fixture *f = *state;
    struct err e;

    setenv("INFERPIPE_SLOTS", "20", 1);
    setenv("INFERPIPE_THREADS", "21", 1);
    assert_int_equal(config_set(&f->config, CONFIG_THREADS, "30", CONFIG_FROM_FLAG, &e), 0);
    assert_int_equal(config_load_env(&f->config, &e), 0);
    assert_int_equal(load_text(f, "slots = 10\nthreads = 11\nprocesses = 12\n", &e), 0);
    assert_int_equal(config_int(&f->config, CONFIG_SLOTS), 20);
    assert_int_equal(config_int(&f->config, CONFIG_THREADS), 30);
    assert_int_equal(config_int(&f->config, CONFIG_PROCESSES), 12);
}

static void an_empty_variable_counts_as_not_set(void **state)
{
    struct fixture *f = *state;
    struct err e;

    setenv("INFERPIPE_SLOTS", "", 1);
    assert_int_equal(config_load_env(&f->config, &e), 0);
    assert_int_equal(f->config.values[CONFIG_SLOTS].source, CONFIG_FROM_DEFAULT);
}

static void a_bad_variable_is_named(void **state)
{
    struct fixture *f = *state;
    struct err e;

    setenv("INFERPIPE_SLOTS", "many", 1);
    assert_int_equal(config_load_env(&f->config, &e), IFP_EINVALID);
    assert_string_equal(e.text, "INFERPIPE_SLOTS: slots: \"many\": want a number from 1 to 100000");
}

static void a_file_has_comments_and_loose_white_space(void **state)
{
    struct fixture *f = *state;
    struct err e;

    assert_int_equal(load_text(f,
                               "# a comment\n\n  slots=7  \r\n\tlease = 20s\n"
                               "database-url = host=h password='a#b = c'\nworkspace =  w x",
                               &e),
                     0);
    assert_int_equal(config_int(&f->config, CONFIG_SLOTS), 7);
    assert_int_equal(config_int(&f->config, CONFIG_LEASE), 20000);
    assert_string_equal(config_text(&f->config, CONFIG_DATABASE_URL), "host=h password='a#b = c'");
    assert_string_equal(config_text(&f->config, CONFIG_WORKSPACE), "w x");
    assert_int_equal(load_text(f, "", &e), 0);
}

static void a_bad_file_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "slots = 1\nslotz = 2\n", ":2: there is no option \"slotz\"" },
        { "slots\n", ":1: want \"name = value\"" },
        { "= 3\n", ":1: there is no option \"\"" },
        { "\n\nslots = x", ":3: slots: \"x\": want a number from 1 to 100000" },
        { "SLOTS = 3", ":1: there is no option \"SLOTS\"" },
        { "slots = 3 # three", ":1: slots: \"3 # three\": want" },
        { "--slots = 3", ":1: there is no option \"--slots\"" },
    };
    struct fixture *f = *state;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(load_text(f, rows[i].text, &e), IFP_EINVALID);
        assert_int_equal(strncmp(e.text, f->path, strlen(f->path)), 0);
        assert_non_null(strstr(e.text, rows[i].want));
    }
    write_file(f, "slots = 1\0\n", 11);
    assert_int_equal(config_load_file(&f->config, f->path, &e), IFP_EINVALID);
    assert_non_null(strstr(e.text, "a zero byte"));
    assert_int_equal(config_load_file(&f->config, "/nonexistent/x", &e), IFP_EINVALID);
    assert_non_null(strstr(e.text, "/nonexistent/x: No such file"));
    assert_int_equal(config_load_file(&f->config, "/", &e), IFP_EINVALID);
}

static void a_secret_may_come_from_a_file_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct err e;

    write_file(f, "postgres://u:p@h/d\r\n\n", 21);
    setenv("DATABASE_URL_FILE", f->path, 1);
    assert_int_equal(config_load_env(&f->config, &e), 0);
    assert_string_equal(config_text(&f->config, CONFIG_DATABASE_URL), "postgres://u:p@h/d");
    assert_int_equal(f->config.values[CONFIG_DATABASE_URL].source, CONFIG_FROM_ENV);
    setenv("DATABASE_URL", "postgres://other", 1);
    assert_int_equal(config_load_env(&f->config, &e), IFP_EINVALID);
    assert_string_equal(e.text, "DATABASE_URL and DATABASE_URL_FILE are both set");
    unsetenv("DATABASE_URL");
    setenv("DATABASE_URL_FILE", "/nonexistent/x", 1);
    assert_int_equal(config_load_env(&f->config, &e), IFP_EINVALID);
    assert_non_null(strstr(e.text, "DATABASE_URL_FILE: /nonexistent/x: "));
}

static void a_secret_is_never_in_an_error(void **state)
{
    static char text[8192];
    struct fixture *f = *state;
    struct err e;

    memset(text, 'x', 5000);
    memcpy(text, "hunter2", 7);
    assert_int_equal(config_set(&f->config, CONFIG_DATABASE_URL, text, CONFIG_FROM_FLAG, &e),
                     IFP_EINVALID);
    assert_null(strstr(e.text, "hunter2"));
}

static void rules_between_options_are_checked(void **state)
{
    static const struct {
        enum config_id id;
        const char *good, *bad, *back;
    } rows[] = {
        { CONFIG_TICK, "2500ms", "2501ms", "600ms" },
        { CONFIG_LEASE, "2400ms", "2399ms", "10s" },
        { CONFIG_PAYLOAD_MAX, "32768", "32767", "4MiB" },
        { CONFIG_LOG_LEVEL, "off", "loud", "info" },
        { CONFIG_LOG_FORMAT, "json", "xml", "logfmt" },
        { CONFIG_TRACE_URL, "https://traces/{traceId}", "https://traces/", "" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e;

        assert_int_equal(config_set(&f->config, rows[i].id, rows[i].good, CONFIG_FROM_FLAG, &e), 0);
        assert_int_equal(config_check(&f->config, &e), 0);
        assert_int_equal(config_set(&f->config, rows[i].id, rows[i].bad, CONFIG_FROM_FLAG, &e), 0);
        assert_int_equal(config_check(&f->config, &e), IFP_EINVALID);
        assert_int_equal(config_set(&f->config, rows[i].id, rows[i].back, CONFIG_FROM_FLAG, &e), 0);
    }
}

static void options_are_found_by_flag_and_are_unique(void **state)
{
    (void)state;
    for (int a = 0; a < CONFIG_COUNT; a++) {
        const struct config_option *o = config_option((enum config_id)a);

        assert_int_equal(config_find(o->flag), a); /* the first with that name: unique */
        assert_true(o->min <= o->max && strlen(o->doc) > 0);
        for (int b = 0; b < a; b++)
            assert_string_not_equal(config_option((enum config_id)b)->env, o->env);
    }
    assert_int_equal(config_find("--slots"), -1);
    assert_int_equal(config_find(""), -1);
}

static void out_of_memory_keeps_the_old_value(void **state)
{
    struct fixture *f = *state;
    int64_t before = strtol(config_option(CONFIG_SLOTS)->def, NULL, 10);
    bool done = false;
    struct err e;

    write_file(f, "slots = 7\n", 10);
    for (uint64_t n = 1; !done; n++) {
        struct config c;
        int rc;

        fault_arm(FAULT_ALLOC, n, false);
        rc = config_init(&c, &e);
        if (rc == 0) {
            rc = config_load_file(&c, f->path, &e);
            assert_int_equal(config_int(&c, CONFIG_SLOTS), rc == 0 ? 7 : before);
            config_release(&c);
        }
        done = fault_count(FAULT_ALLOC) < n;
        assert_int_equal(rc, done ? 0 : IFP_ENOMEM);
        fault_arm(FAULT_ALLOC, 0, false);
        assert_true(n < 200);
    }
}

#define CONFIG_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(the_defaults_are_valid_together),
        CONFIG_TEST(each_option_takes_its_limits_and_nothing_beyond),
        CONFIG_TEST(an_error_names_option_value_and_range),
        CONFIG_TEST(values_are_read_by_type),
        CONFIG_TEST(the_stronger_source_wins),
        CONFIG_TEST(environment_beats_file_and_flag_beats_both),
        CONFIG_TEST(an_empty_variable_counts_as_not_set),
        CONFIG_TEST(a_bad_variable_is_named),
        CONFIG_TEST(a_file_has_comments_and_loose_white_space),
        CONFIG_TEST(a_bad_file_is_refused_with_its_line),
        CONFIG_TEST(a_secret_may_come_from_a_file_of_its_own),
        CONFIG_TEST(a_secret_is_never_in_an_error),
        CONFIG_TEST(rules_between_options_are_checked),
        CONFIG_TEST(options_are_found_by_flag_and_are_unique),
        CONFIG_TEST(out_of_memory_keeps_the_old_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
