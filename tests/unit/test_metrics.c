/* tests/unit/test_metrics.c - what is counted, from many threads too, and its text. */
#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

static char *print(void)
{
    struct buf b;
    char *text;

    buf_init(&b);
    metrics_print(&b);
    text = buf_take(&b);
    assert_non_null(text);
    return text;
}

static void assert_line(const char *text, const char *line)
{
    size_t len = strlen(line);

    for (const char *p = text; p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, line, len) == 0 && p[len] == '\n')
            return;
    }
    fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void a_counter_adds_and_a_gauge_is_set(void **state)
{
    int64_t before = metrics_get(METRIC_CLAIMED, NULL);
    char *text;

    (void)state;
    metrics_add(METRIC_CLAIMED, NULL, 2);
    metrics_add(METRIC_CLAIMED, NULL, 40);
    assert_int_equal(metrics_get(METRIC_CLAIMED, NULL), before + 42);
    metrics_set(METRIC_SLOTS, NULL, 7);
    metrics_set(METRIC_SLOTS, NULL, 2000);
    metrics_add(METRIC_SLOTS, NULL, -1);
    text = print();
    assert_line(text, "# TYPE inferpipe_executions_claimed_total counter");
    assert_line(text, "inferpipe_slots 1999");
    free(text);
}

static void values_of_a_label_are_counted_apart(void **state)
{
    char *text;

    (void)state;
    metrics_add(METRIC_ENDED, "completed", 3);
    metrics_add(METRIC_ENDED, "failed", 1);
    metrics_add(METRIC_ENDED, "completed", 1);
    assert_int_equal(metrics_get(METRIC_ENDED, "completed"), 4);
    assert_int_equal(metrics_get(METRIC_ENDED, "failed"), 1);
    assert_int_equal(metrics_get(METRIC_ENDED, "canceled"), 0);
    text = print();
    assert_line(text, "inferpipe_executions_ended_total{status=\"completed\"} 4");
    assert_line(text, "inferpipe_executions_ended_total{status=\"failed\"} 1");
    assert_null(strstr(text, "status=\"canceled\""));
    free(text);
}

/* Quotes and backslashes are escaped; bytes outside printable ASCII cannot break a line. */
static void a_value_cannot_break_its_line(void **state)
{
    char *text;

    (void)state;
    metrics_add(METRIC_STARTED, "a\"b\\c\nd\x80", 1);
    text = print();
    assert_line(text, "inferpipe_executions_started_total{via=\"a\\\"b\\\\c_d_\"} 1");
    free(text);
}

static void long_values_count_as_far_as_they_are_kept(void **state)
{
    char longer[METRICS_VALUE_SIZE + 8], kept[METRICS_VALUE_SIZE];

    (void)state;
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    memset(kept, 'x', sizeof(kept));
    kept[sizeof(kept) - 1] = '\0';
    metrics_add(METRIC_STEPS, longer, 5);
    assert_int_equal(metrics_get(METRIC_STEPS, kept), 5);
    kept[sizeof(kept) - 2] = '\0';
    assert_int_equal(metrics_get(METRIC_STEPS, kept), 0);
}

static void values_beyond_the_limit_are_the_others(void **state)
{
    char value[24], *text;

    (void)state;
    for (int i = 0; i < METRICS_VALUES_MAX; i++) {
        snprintf(value, sizeof(value), "code_%d", i);
        metrics_add(METRIC_HTTP_ERRORS, value, i + 1);
    }
    assert_int_equal(metrics_get(METRIC_HTTP_ERRORS, "other"), 0);
    text = print();
    assert_null(strstr(text, "code=\"other\""));
    free(text);
    metrics_add(METRIC_HTTP_ERRORS, "one_too_many", 10);
    metrics_add(METRIC_HTTP_ERRORS, "two_too_many", 20);
    metrics_add(METRIC_HTTP_ERRORS, NULL, 30);
    metrics_add(METRIC_HTTP_ERRORS, "other", 40);
    assert_int_equal(metrics_get(METRIC_HTTP_ERRORS, "one_too_many"), 0);
    assert_int_equal(metrics_get(METRIC_HTTP_ERRORS, "other"), 100);
    metrics_add(METRIC_HTTP_ERRORS, "code_63", 1);
    assert_int_equal(metrics_get(METRIC_HTTP_ERRORS, "code_63"), 65);
    text = print();
    assert_line(text, "inferpipe_http_errors_total{code=\"other\"} 100");
    assert_line(text, "inferpipe_http_errors_total{code=\"code_0\"} 1");
    free(text);
}

static void a_histogram_has_cumulative_buckets_in_seconds(void **state)
{
    char *text;

    (void)state;
    metrics_observe_us(METRIC_HTTP_SECONDS, "health", 500);
    metrics_observe_us(METRIC_HTTP_SECONDS, "health", 501);
    metrics_observe_us(METRIC_HTTP_SECONDS, "health", 1500000);
    metrics_observe_us(METRIC_HTTP_SECONDS, "health", INT64_C(4000000000));
    metrics_observe_us(METRIC_HTTP_SECONDS, "health", -5);
    assert_int_equal(metrics_get(METRIC_HTTP_SECONDS, "health"), 5);
    text = print();
#define NAME "inferpipe_http_request_duration_seconds"
    assert_line(text, "# TYPE " NAME " histogram");
    assert_line(text, NAME "_bucket{route=\"health\",le=\"0.0005\"} 2");
    assert_line(text, NAME "_bucket{route=\"health\",le=\"0.001\"} 3");
    assert_line(text, NAME "_bucket{route=\"health\",le=\"1\"} 3");
    assert_line(text, NAME "_bucket{route=\"health\",le=\"2.5\"} 4");
    assert_line(text, NAME "_bucket{route=\"health\",le=\"3600\"} 4");
    assert_line(text, NAME "_bucket{route=\"health\",le=\"+Inf\"} 5");
    assert_line(text, NAME "_sum{route=\"health\"} 4001.501001");
    assert_line(text, NAME "_count{route=\"health\"} 5");
#undef NAME
    free(text);
}

static void a_histogram_of_sizes_counts_things(void **state)
{
    char *text;

    (void)state;
    metrics_observe(METRIC_FLUSH_SIZE, NULL, 1);
    metrics_observe(METRIC_FLUSH_SIZE, NULL, 500);
    metrics_observe(METRIC_FLUSH_SIZE, NULL, 6000);
    text = print();
    assert_line(text, "inferpipe_flush_executions_bucket{le=\"1\"} 1");
    assert_line(text, "inferpipe_flush_executions_bucket{le=\"500\"} 2");
    assert_line(text, "inferpipe_flush_executions_bucket{le=\"5000\"} 2");
    assert_line(text, "inferpipe_flush_executions_bucket{le=\"+Inf\"} 3");
    assert_line(text, "inferpipe_flush_executions_sum 6501");
    free(text);
}

static void a_forgotten_gauge_is_absent_until_it_is_set(void **state)
{
    char *text;

    (void)state;
    metrics_set(METRIC_OLDEST, "default", 1500000);
    metrics_set(METRIC_OLDEST, "mail", 2000000);
    metrics_forget(METRIC_OLDEST);
    metrics_set(METRIC_OLDEST, "mail", 250000);
    metrics_set(METRIC_OLDEST, "late", 0);
    text = print();
    assert_null(strstr(text, "queue=\"default\""));
    assert_line(text, "inferpipe_oldest_runnable_age_seconds{queue=\"mail\"} 0.250000");
    assert_line(text, "inferpipe_oldest_runnable_age_seconds{queue=\"late\"} 0");
    free(text);
    metrics_forget(METRIC_OLDEST);
    text = print();
    assert_null(strstr(text, "inferpipe_oldest_runnable_age_seconds"));
    free(text);
}

static void give_connections(void *ctx)
{
    metrics_set(METRIC_HTTP_CONNECTIONS, NULL, ++*(int *)ctx);
}

static void a_source_is_read_when_somebody_asks(void **state)
{
    struct metrics_source source;
    int connections = 10;
    char *text;

    (void)state;
    metrics_source_add(&source, give_connections, &connections);
    assert_int_equal(connections, 10);
    text = print();
    assert_line(text, "inferpipe_http_connections 11");
    free(text);
    metrics_source_remove(&source);
    metrics_source_remove(&source);
    text = print();
    assert_int_equal(connections, 11);
    free(text);
}

static void the_process_tells_what_it_uses(void **state)
{
    char *text = print();

    (void)state;
    assert_true(metrics_get(METRIC_RSS, NULL) > 100000);
    assert_true(metrics_get(METRIC_FDS, NULL) >= 3);
    assert_true(metrics_get(METRIC_BORN, NULL) > INT64_C(1700000000000000)); /* the year 2023 */
    assert_non_null(strstr(text, "\nprocess_cpu_seconds_total "));
    free(text);
}

enum { THREADS = 8, ROUNDS = 20000 };

/* All threads meet the same new values at once. */
static void *count_much(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < ROUNDS; i++) {
        char value[24];

        snprintf(value, sizeof(value), "class_%d", i % 80);
        metrics_add(METRIC_DB_ERRORS, value, 1);
        metrics_observe_us(METRIC_LOOP_LAG, NULL, i);
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    int64_t before = metrics_get(METRIC_LOOP_LAG, NULL), sum = 0;
    pthread_t threads[THREADS];
    char value[24];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_much, NULL), 0);
    free(print());
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(metrics_get(METRIC_LOOP_LAG, NULL), before + THREADS * ROUNDS);
    for (int i = 0; i < 80; i++) {
        snprintf(value, sizeof(value), "class_%d", i);
        sum += metrics_get(METRIC_DB_ERRORS, value);
    }
    assert_int_equal(sum + metrics_get(METRIC_DB_ERRORS, "other"), THREADS * ROUNDS);
    assert_int_equal(metrics_get(METRIC_DB_ERRORS, "other"), THREADS * ROUNDS / 80 * 16);
}

/* After all of the above there is something of every kind to look at. */
static void the_text_is_clean_for_promtool(void **state)
{
    FILE *check = popen("promtool check metrics >&2", "w");
    char *text = print();
    int status;

    (void)state;
    assert_non_null(check);
    assert_true(fputs(text, check) >= 0);
    status = pclose(check);
    if (status != 0)
        fail_msg("promtool gave %d for:\n%s", status, text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_adds_and_a_gauge_is_set),
        cmocka_unit_test(values_of_a_label_are_counted_apart),
        cmocka_unit_test(a_value_cannot_break_its_line),
        cmocka_unit_test(long_values_count_as_far_as_they_are_kept),
        cmocka_unit_test(values_beyond_the_limit_are_the_others),
        cmocka_unit_test(a_histogram_has_cumulative_buckets_in_seconds),
        cmocka_unit_test(a_histogram_of_sizes_counts_things),
        cmocka_unit_test(a_forgotten_gauge_is_absent_until_it_is_set),
        cmocka_unit_test(a_source_is_read_when_somebody_asks),
        cmocka_unit_test(the_process_tells_what_it_uses),
        cmocka_unit_test(nothing_is_lost_between_threads),
        cmocka_unit_test(the_text_is_clean_for_promtool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
