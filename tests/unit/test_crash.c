/* tests/unit/test_crash.c - children that are told where to die. */
#include "base/crash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PASSES = 4 };

/* Runs a child that passes all points PASSES times and writes a byte for each flush.sent it
 * survives.  Gives its wait status. */
static int run_child(const char *crash_at, int *ret_survived)
{
    int fds[2], status;
    char bytes[PASSES * 2];
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct err e;

        setenv("INFERPIPE_CRASH_AT", crash_at, 1);
        if (crash_arm_from_env(&e) != 0)
            _exit(9);
        for (int pass = 0; pass < PASSES; pass++)
            for (int point = 0; point < CRASH_POINTS; point++) {
                crash_here((enum crash_point)point);
                if (point == CRASH_FLUSH_SENT && write(fds[1], "x", 1) != 1)
                    _exit(8);
            }
        _exit(0);
    }
    close(fds[1]);
    *ret_survived = 0;
    for (ssize_t got; (got = read(fds[0], bytes, sizeof(bytes))) > 0;)
        *ret_survived += (int)got;
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_killed(int status)
{
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void a_bare_name_dies_at_the_first_hit(void **state)
{
    int survived;

    (void)state;
    assert_killed(run_child("flush.sent", &survived));
    assert_int_equal(survived, 0);
}

static void a_count_dies_at_that_hit(void **state)
{
    int survived;

    (void)state;
    for (int n = 1; n <= PASSES; n++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "flush.sent:%d", n);
        assert_killed(run_child(text, &survived));
        assert_int_equal(survived, n - 1);
    }
}

static void a_count_that_is_not_reached_does_no_harm(void **state)
{
    int survived;
    int status = run_child("flush.sent:5", &survived);

    (void)state;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(survived, PASSES);
}

static void every_point_of_the_table_can_kill(void **state)
{
    int survived;

    (void)state;
    for (int point = 0; point < CRASH_POINTS; point++)
        assert_killed(run_child(crash_point_name((enum crash_point)point), &survived));
}

static void names_are_unique(void **state)
{
    (void)state;
    for (int a = 0; a < CRASH_POINTS; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(crash_point_name((enum crash_point)a),
                                    crash_point_name((enum crash_point)b));
}

static void bad_variables_are_refused(void **state)
{
    static const char *const bad[] = {
        "no.such",      "flush",         "flush.sent:",    "flush.sent:0",          ":1",
        "flush.sent:x", "flush.sent:-1", "flush.sent:1:1", "flush.sent:99999999999"
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        setenv("INFERPIPE_CRASH_AT", bad[i], 1);
        assert_int_equal(crash_arm_from_env(&e), IFP_EINVALID);
        assert_non_null(strstr(e.text, bad[i]));
    }
    setenv("INFERPIPE_CRASH_AT", "", 1);
    assert_int_equal(crash_arm_from_env(&e), 0);
    unsetenv("INFERPIPE_CRASH_AT");
    assert_int_equal(crash_arm_from_env(&e), 0);
    crash_here(CRASH_FLUSH_SENT); /* still alive */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bare_name_dies_at_the_first_hit),
        cmocka_unit_test(a_count_dies_at_that_hit),
        cmocka_unit_test(a_count_that_is_not_reached_does_no_harm),
        cmocka_unit_test(every_point_of_the_table_can_kill),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(bad_variables_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
