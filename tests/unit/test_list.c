/* tests/unit/test_list.c - order and membership of intrusive lists. */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
    int value;
    struct list link;
};

struct fixture {
    struct list head;
    struct item items[5];
};

static void set_up(struct fixture *f)
{
    list_init(&f->head);
    for (int i = 0; i < 5; i++) {
        f->items[i].value = i;
        list_init(&f->items[i].link);
    }
}

/* The values as one decimal number: 0, 1, 2 is 12 with a leading 1 before: 1012. */
static int digits_of(struct list *head)
{
    int digits = 1;

    LIST_EACH(it, head)
        digits = digits * 10 + CONTAINER_OF(it, struct item, link)->value;
    return digits;
}

static void push_appends_and_push_front_prepends(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    assert_true(list_empty(&f.head));
    list_push(&f.head, &f.items[1].link);
    list_push(&f.head, &f.items[2].link);
    list_push_front(&f.head, &f.items[0].link);
    assert_int_equal(digits_of(&f.head), 1012);
}

static void pop_gives_the_first_and_then_null(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    list_push(&f.head, &f.items[3].link);
    list_push(&f.head, &f.items[4].link);
    assert_ptr_equal(list_pop(&f.head), &f.items[3].link);
    assert_true(list_empty(&f.items[3].link));
    assert_ptr_equal(list_pop(&f.head), &f.items[4].link);
    assert_null(list_pop(&f.head));
}

static void del_twice_is_safe(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    for (int i = 0; i < 3; i++)
        list_push(&f.head, &f.items[i].link);
    list_del(&f.items[1].link);
    list_del(&f.items[1].link);
    assert_int_equal(digits_of(&f.head), 102);
}

static void splice_moves_all_to_the_end(void **state)
{
    struct fixture f;
    struct list other;

    (void)state;
    set_up(&f);
    list_init(&other);
    list_push(&f.head, &f.items[0].link);
    list_push(&other, &f.items[1].link);
    list_push(&other, &f.items[2].link);
    list_splice(&f.head, &other);
    assert_int_equal(digits_of(&f.head), 1012);
    assert_true(list_empty(&other));
    list_splice(&f.head, &other);
    assert_int_equal(digits_of(&f.head), 1012);
    list_splice(&other, &f.head);
    assert_int_equal(digits_of(&other), 1012);
}

static void a_walk_may_take_its_member_out(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    for (int i = 0; i < 5; i++)
        list_push(&f.head, &f.items[i].link);
    LIST_EACH(it, &f.head)
        if (CONTAINER_OF(it, struct item, link)->value % 2 == 0)
            list_del(it);
    assert_int_equal(digits_of(&f.head), 113);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push_appends_and_push_front_prepends),
        cmocka_unit_test(pop_gives_the_first_and_then_null),
        cmocka_unit_test(del_twice_is_safe),
        cmocka_unit_test(splice_moves_all_to_the_end),
        cmocka_unit_test(a_walk_may_take_its_member_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
