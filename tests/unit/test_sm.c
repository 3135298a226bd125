/* tests/unit/test_sm.c - moves in the table are made, any other ends the process. */
#include "base/sm.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { DOOR_OPEN, DOOR_CLOSED, DOOR_GONE };

static const struct sm_state doors[] = {
    [DOOR_OPEN] = { "open", SM_TO(DOOR_CLOSED) },
    [DOOR_CLOSED] = { "closed", SM_TO(DOOR_OPEN) | SM_TO(DOOR_GONE) },
    [DOOR_GONE] = { "gone", 0 },
};

static void legal_moves_are_made(void **state)
{
    struct sm sm;

    (void)state;
    sm_init(&sm, doors, DOOR_OPEN);
    assert_true(sm_is(&sm, DOOR_OPEN));
    sm_move(&sm, DOOR_CLOSED);
    sm_move(&sm, DOOR_OPEN);
    sm_move(&sm, DOOR_CLOSED);
    assert_string_equal(sm_name(&sm), "closed");
    sm_move(&sm, DOOR_GONE);
    assert_true(sm_is(&sm, DOOR_GONE));
    assert_false(sm_is(&sm, DOOR_CLOSED));
}

static void may_answers_from_the_table_without_moving(void **state)
{
    struct sm sm;

    (void)state;
    sm_init(&sm, doors, DOOR_OPEN);
    assert_true(sm_may(&sm, DOOR_CLOSED));
    assert_false(sm_may(&sm, DOOR_GONE));
    assert_false(sm_may(&sm, DOOR_OPEN));
    assert_true(sm_is(&sm, DOOR_OPEN));
}

/* Also in release builds: the assert must not be compiled away. */
static void an_illegal_move_aborts(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sm sm;

        (void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        sm_init(&sm, doors, DOOR_OPEN);
        sm_move(&sm, DOOR_GONE);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legal_moves_are_made),
        cmocka_unit_test(may_answers_from_the_table_without_moving),
        cmocka_unit_test(an_illegal_move_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
