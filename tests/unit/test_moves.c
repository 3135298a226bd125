/* tests/unit/test_moves.c - the table of moves against the picture of the header, cell by cell. */
#include "core/moves.h"

#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const enum moves_state states[] = {
    MOVES_NONE,    MOVES_READY, MOVES_RUNNING, MOVES_TIMER,
    MOVES_MESSAGE, MOVES_RETRY, MOVES_CHILD,   MOVES_SLOT,
};

/* One line for each `from`, one column for each `to`, both in the order of `states`. */
static const char *const picture[] = {
    ".xx....x", /* none */
    "xxx.....", /* ready */
    "xxxxxxx.", /* running */
    "xxxx....", /* timer */
    "xxx.x...", /* message */
    "xxx..x..", /* retry */
    "xxx...x.", /* child */
    "xxx....x", /* slot */
};

static void the_legal_moves_are_those_of_the_picture(void **state)
{
    (void)state;
    for (size_t from = 0; from < ARRAY_LEN(states); from++)
        for (size_t to = 0; to < ARRAY_LEN(states); to++)
            if (moves_legal(states[from], states[to]) != (picture[from][to] == 'x'))
                fail_msg("%s to %s", moves_name(states[from]), moves_name(states[to]));
}

static void no_move_stands_in_the_table_twice(void **state)
{
    int legal = 0;

    (void)state;
    for (size_t from = 0; from < ARRAY_LEN(states); from++)
        for (size_t to = 0; to < ARRAY_LEN(states); to++)
            legal += moves_legal(states[from], states[to]);
    assert_int_equal(legal, moves_count);
}

static void every_rule_says_what_makes_the_move(void **state)
{
    (void)state;
    for (int i = 0; i < moves_count; i++) {
        assert_non_null(moves_rules[i].by);
        assert_true(moves_rules[i].by[0] != '\0');
    }
}

static void the_numbers_are_those_of_the_database(void **state)
{
    static const int numbers[] = { -1, 0, 1, 2, 3, 4, 6, 7 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        assert_int_equal(states[i], numbers[i]);
}

static void every_state_has_its_name(void **state)
{
    static const char *const names[] = {
        "none", "ready", "running", "timer", "message", "retry", "child", "slot",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        assert_string_equal(moves_name(states[i]), names[i]);
    assert_string_equal(moves_name((enum moves_state)5), "unknown");
    assert_string_equal(moves_name((enum moves_state)8), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_legal_moves_are_those_of_the_picture),
        cmocka_unit_test(no_move_stands_in_the_table_twice),
        cmocka_unit_test(every_rule_says_what_makes_the_move),
        cmocka_unit_test(the_numbers_are_those_of_the_database),
        cmocka_unit_test(every_state_has_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
