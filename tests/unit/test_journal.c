/* tests/unit/test_journal.c - what it answers, when the workflow diverged, what is pending. */
#include "core/journal.h"

#include "base/fault.h"
#include "lib/deathtest.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROWS_MAX = 2000 };

struct fixture {
    struct arena arena;
    struct journal j;
    struct err e;
};

static int open_journal(void **state)
{
    static struct fixture f;

    arena_init(&f.arena, 0);
    journal_init(&f.j, &f.arena, ROWS_MAX);
    err_clear(&f.e);
    *state = &f;
    return 0;
}

static int close_journal(void **state)
{
    struct fixture *f = *state;

    fault_arm(FAULT_ALLOC, 0, false);
    arena_release(&f->arena);
    return 0;
}

/* A step's row; its key is made from its number, so each is another step. */
static struct journal_row step_row(int32_t seq, const char *name)
{
    return (struct journal_row){
        .step_key = 1000 + seq, .seq = seq, .kind = JOURNAL_STEP, .name = name, .sleep_ms = -1
    };
}

static struct journal_row pending_row(int32_t seq)
{
    struct journal_row row = step_row(seq, "p");

    row.pending = true;
    return row;
}

static int add(struct fixture *f, struct journal_row row)
{
    return journal_add(&f->j, &row);
}

static void must_add(struct fixture *f, struct journal_row row)
{
    assert_int_equal(add(f, row), 0);
}

static int ask(struct fixture *f, struct journal_call call, const struct journal_row **ret_row)
{
    return journal_answer(&f->j, &call, ret_row, &f->e);
}

static struct journal_call step_call(int32_t seq, const char *name)
{
    return (struct journal_call){ seq, JOURNAL_STEP, name, 1000 + (int64_t)seq };
}

static void assert_diverged(struct fixture *f, struct journal_call call, const char *text)
{
    const struct journal_row *row = NULL;

    assert_int_equal(ask(f, call, &row), IFP_ENONDETERMINISTIC);
    assert_int_equal(f->e.code, IFP_ENONDETERMINISTIC);
    assert_string_equal(f->e.text, text);
    assert_null(row);
}

static void assert_missing(struct fixture *f, struct journal_call call)
{
    const struct journal_row *row = NULL;

    assert_int_equal(ask(f, call, &row), 0);
    assert_null(row);
}

static const struct journal_row *must_answer(struct fixture *f, struct journal_call call)
{
    const struct journal_row *row = NULL;

    assert_int_equal(ask(f, call, &row), 1);
    assert_non_null(row);
    assert_int_equal(row->seq, call.seq);
    return row;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void an_empty_journal_has_no_answer_and_no_rest(void **state)
{
    struct fixture *f = *state;
    uint32_t pos = 0;

    assert_missing(f, step_call(1, "a"));
    assert_missing(f, step_call(INT32_MAX, "a"));
    assert_int_equal(journal_finish(&f->j, 0, &f->e), 0);
    assert_null(journal_next_pending(&f->j, &pos));
    assert_int_equal(f->j.cap, 0);
}

static void a_row_answers_its_call_with_all_its_fields(void **state)
{
    struct fixture *f = *state;
    struct journal_row row = { .step_key = -5,
                               .seq = 1,
                               .kind = JOURNAL_TX,
                               .status = JOURNAL_FAILED,
                               .attempts = 4,
                               .wake_us = 77,
                               .took_us = 88,
                               .sleep_ms = 99,
                               .name = "pay",
                               .result = { "[1]", 3 },
                               .error_code = "NO_MONEY",
                               .error = "the card is empty" };
    const struct journal_row *got;

    must_add(f, row);
    got = must_answer(f, (struct journal_call){ 1, JOURNAL_TX, "pay", -5 });
    assert_int_equal(got->step_key, -5);
    assert_int_equal(got->kind, JOURNAL_TX);
    assert_int_equal(got->status, JOURNAL_FAILED);
    assert_int_equal(got->attempts, 4);
    assert_int_equal(got->wake_us, 77);
    assert_int_equal(got->took_us, 88);
    assert_int_equal(got->sleep_ms, 99);
    assert_string_equal(got->name, "pay");
    assert_int_equal(got->result.len, 3);
    assert_string_equal(got->result.text, "[1]");
    assert_string_equal(got->error_code, "NO_MONEY");
    assert_string_equal(got->error, "the card is empty");
    assert_false(got->pending);
}

static void texts_are_copied(void **state)
{
    struct fixture *f = *state;
    char name[] = "name", code[] = "CODE", error[] = "error", result[] = "\"result\"";
    struct journal_row row = step_row(1, name);
    const struct journal_row *got;

    row.error_code = code;
    row.error = error;
    row.result = (struct slice){ result, 3 }; /* not zero-terminated where it ends */
    must_add(f, row);
    name[0] = code[0] = error[0] = result[0] = '#';
    got = must_answer(f, step_call(1, "name"));
    assert_string_equal(got->error_code, "CODE");
    assert_string_equal(got->error, "error");
    assert_int_equal(got->result.len, 3);
    assert_string_equal(got->result.text, "\"re");
}

static void texts_that_are_not_there_stay_away(void **state)
{
    struct fixture *f = *state;
    const struct journal_row *got;

    must_add(f, step_row(1, NULL));
    got = must_answer(f, step_call(1, "")); /* a name is always a text */
    assert_null(got->result.text);
    assert_null(got->error_code);
    assert_null(got->error);
}

static void the_step_key_of_an_answered_call_is_not_compared(void **state)
{
    struct fixture *f = *state;
    struct journal_call call = step_call(1, "a");

    must_add(f, step_row(1, "a"));
    call.step_key = 4711;
    (void)must_answer(f, call);
}

static void the_workflow_goes_on_where_rows_end(void **state)
{
    struct fixture *f = *state;

    must_add(f, step_row(1, "a"));
    must_add(f, step_row(2, "b"));
    (void)must_answer(f, step_call(1, "a"));
    (void)must_answer(f, step_call(2, "b"));
    assert_missing(f, step_call(3, "c"));
    assert_missing(f, step_call(9, "c")); /* behind the array too */
}

/* ---- divergence ----------------------------------------------------------------------------- */

static void another_name_or_kind_is_a_divergence(void **state)
{
    struct fixture *f = *state;
    struct journal_call call = step_call(1, "charge");

    must_add(f, step_row(1, "charge"));
    assert_diverged(f, step_call(1, "refund"),
                    "call 1: expected step \"charge\" (recorded as call 1), found step \"refund\"");
    call.kind = JOURNAL_TX;
    assert_diverged(f, call,
                    "call 1: expected step \"charge\" (recorded as call 1), "
                    "found transactional step \"charge\"");
    call = (struct journal_call){ 1, JOURNAL_SLEEP, "sleep", 1 };
    assert_diverged(f, call,
                    "call 1: expected step \"charge\" (recorded as call 1), found sleep \"sleep\"");
}

static void names_are_compared_whole(void **state)
{
    struct fixture *f = *state;

    must_add(f, step_row(1, "charge"));
    assert_diverged(
        f, step_call(1, "charge2"),
        "call 1: expected step \"charge\" (recorded as call 1), found step \"charge2\"");
    assert_diverged(f, step_call(1, "charg"),
                    "call 1: expected step \"charge\" (recorded as call 1), found step \"charg\"");
}

static void a_step_recorded_under_a_later_number_is_a_divergence(void **state)
{
    struct fixture *f = *state;
    struct journal_call call = step_call(2, "ship");

    must_add(f, step_row(1, "charge"));
    must_add(f, step_row(4, "pack"));
    must_add(f, step_row(7, "ship"));
    call.step_key = 1007;
    assert_diverged(f, call,
                    "call 2: expected step \"ship\" (recorded as call 7), found step \"ship\"");
    call.step_key = 1004;
    assert_diverged(f, call,
                    "call 2: expected step \"pack\" (recorded as call 4), found step \"ship\"");
    call.seq = 3;
    assert_diverged(f, call,
                    "call 3: expected step \"pack\" (recorded as call 4), found step \"ship\"");
}

static void a_call_that_goes_on_by_itself_may_have_rows_behind_it(void **state)
{
    struct fixture *f = *state;
    struct journal_call call = { 2, JOURNAL_PARALLEL, "ship", 1002 };

    must_add(f, step_row(1, "charge"));
    must_add(f, step_row(4, "pack"));
    assert_missing(f, call);
    call.step_key = 0; /* what a slot without a row has in it */
    assert_missing(f, call);
    call.step_key = 1001; /* of the call before */
    assert_missing(f, call);
    call.kind = JOURNAL_CHILD;
    assert_missing(f, call);
}

static void any_other_call_may_not(void **state)
{
    struct fixture *f = *state;
    struct journal_row marker = step_row(6, "failed");

    must_add(f, step_row(1, "charge"));
    must_add(f, step_row(4, "pack"));
    assert_diverged(f, step_call(2, "ship"),
                    "call 2: expected a parallel step or a child, found step \"ship\"");
    assert_diverged(f, (struct journal_call){ 3, JOURNAL_SLEEP, "sleep", 1003 },
                    "call 3: expected a parallel step or a child, found sleep \"sleep\"");
    assert_missing(f, step_call(5, "ship"));
    marker.kind = JOURNAL_UNWIND; /* what had not ended when it was written never will */
    must_add(f, marker);
    assert_missing(f, step_call(2, "ship"));
}

static void rows_that_no_call_asked_for_are_found_at_the_end(void **state)
{
    struct fixture *f = *state;

    must_add(f, step_row(1, "a"));
    must_add(f, step_row(3, "c"));
    must_add(f, step_row(4, "d"));
    assert_int_equal(journal_finish(&f->j, 5, &f->e), 0);
    assert_int_equal(journal_finish(&f->j, 4, &f->e), 0);
    assert_int_equal(journal_finish(&f->j, 3, &f->e), IFP_ENONDETERMINISTIC);
    assert_string_equal(f->e.text, "call 4: expected step \"d\", found the end of the workflow");
    assert_int_equal(journal_finish(&f->j, 1, &f->e), IFP_ENONDETERMINISTIC);
    assert_string_equal(f->e.text, "call 3: expected step \"c\", found the end of the workflow");
    assert_int_equal(journal_finish(&f->j, 0, &f->e), IFP_ENONDETERMINISTIC);
    assert_string_equal(f->e.text, "call 1: expected step \"a\", found the end of the workflow");
    assert_int_equal(f->e.code, IFP_ENONDETERMINISTIC);
}

static void a_divergence_names_every_kind(void **state)
{
    static const struct {
        enum journal_kind kind;
        const char *name;
    } kinds[] = {
        { JOURNAL_NONE, "nothing" },
        { JOURNAL_STEP, "step" },
        { JOURNAL_SLEEP, "sleep" },
        { JOURNAL_MESSAGE, "receive" },
        { JOURNAL_NOW, "now" },
        { JOURNAL_TX, "transactional step" },
        { JOURNAL_ATTEMPTS, "attempts" },
        { JOURNAL_INTENT, "intent" },
        { JOURNAL_CHILD, "child" },
        { JOURNAL_PARALLEL, "parallel step" },
        { JOURNAL_CHILD_END, "end of a child" },
        { JOURNAL_AWAIT, "await" },
        { JOURNAL_CONTINUED, "continue as new" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        assert_string_equal(journal_kind_name(kinds[i].kind), kinds[i].name);
    assert_string_equal(journal_kind_name((enum journal_kind)99), "nothing");
}

/* ---- generations ---------------------------------------------------------------------------- */

static struct journal_row continued_row(const char *generation)
{
    return (struct journal_row){
        .step_key = 14, .kind = JOURNAL_CONTINUED, .name = generation, .result = { "[1]", 3 }
    };
}

static void a_journal_that_continues_knows_its_input_and_has_no_rows(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->j.generation, 0);
    assert_null(f->j.input.text);
    must_add(f, continued_row("2147483647"));
    assert_int_equal(f->j.generation, INT32_MAX);
    assert_string_equal(f->j.input.text, "[1]");
    assert_int_equal(f->j.input.len, 3);
    assert_int_equal(f->j.rows, 0);
    assert_missing(f, step_call(1, "a"));
    assert_int_equal(journal_finish(&f->j, 0, &f->e), 0);
}

static void a_beginning_that_cannot_be_is_refused(void **state)
{
    static const char *const numbers[] = { "", "0", "-1", "two", "2147483648" };
    struct fixture *f = *state;
    struct journal_row row;

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        assert_int_equal(add(f, continued_row(numbers[i])), IFP_EINVALID);
    row = continued_row("1");
    row.seq = 1;
    assert_int_equal(add(f, row), IFP_EINVALID);
    row = continued_row("1");
    row.result.text = NULL;
    assert_int_equal(add(f, row), IFP_EINVALID);
    assert_int_equal(f->j.generation, 0);
    must_add(f, continued_row("1"));
    assert_int_equal(add(f, continued_row("2")), IFP_EINVALID);
    assert_int_equal(f->j.generation, 1);
}

/* ---- children ------------------------------------------------------------------------------- */

static struct journal_row child_row(int32_t seq, enum journal_kind kind)
{
    struct journal_row row = step_row(seq, "c");

    row.kind = kind;
    return row;
}

static void a_child_ends_beside_its_start(void **state)
{
    struct fixture *f = *state;

    must_add(f, child_row(2, JOURNAL_CHILD_END)); /* keys have no order: the end may come first */
    must_add(f, child_row(1, JOURNAL_CHILD));
    assert_null(journal_ended(&f->j, 1));
    assert_non_null(journal_ended(&f->j, 2));
    must_add(f, child_row(2, JOURNAL_CHILD));
    assert_int_equal(journal_ended(&f->j, 2)->kind, JOURNAL_CHILD_END);
    assert_int_equal(add(f, child_row(2, JOURNAL_CHILD_END)), IFP_EINVALID);
    assert_int_equal(f->j.ends, 1);
    assert_int_equal(f->j.rows, 2);
    assert_null(journal_ended(&f->j, 0));
    assert_null(journal_ended(&f->j, 1000));
}

static void a_parallel_step_ends_with_its_row(void **state)
{
    struct fixture *f = *state;

    must_add(f, child_row(3, JOURNAL_PARALLEL));
    assert_null(journal_ended(&f->j, 2));
    assert_int_equal(journal_ended(&f->j, 3)->kind, JOURNAL_PARALLEL);
}

static void the_end_of_a_child_is_no_call_of_its_own(void **state)
{
    struct fixture *f = *state;

    must_add(f, child_row(1, JOURNAL_CHILD));
    must_add(f, child_row(5, JOURNAL_CHILD_END));
    assert_int_equal(journal_finish(&f->j, 1, &f->e), 0);
}

/* ---- limits --------------------------------------------------------------------------------- */

static void rows_max_is_the_last_number_that_may_be(void **state)
{
    static const enum journal_kind kinds[] = { JOURNAL_STEP, JOURNAL_INTENT, JOURNAL_ATTEMPTS };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct journal_row row = step_row(ROWS_MAX, "last");

        row.kind = kinds[i];
        must_add(f, row);
        row.seq = ROWS_MAX + 1;
        assert_int_equal(add(f, row), IFP_ETOOLARGE);
        row.seq = INT32_MAX;
        assert_int_equal(add(f, row), IFP_ETOOLARGE);
    }
    assert_int_equal(f->j.rows, 1);
    assert_int_equal(f->j.count, ROWS_MAX);
}

static void rows_that_cannot_be_are_refused(void **state)
{
    struct fixture *f = *state;
    struct journal_row none = step_row(1, "a");

    assert_int_equal(add(f, step_row(0, "a")), IFP_EINVALID);
    assert_int_equal(add(f, step_row(-1, "a")), IFP_EINVALID);
    assert_int_equal(add(f, step_row(INT32_MIN, "a")), IFP_EINVALID);
    none.kind = JOURNAL_NONE;
    assert_int_equal(add(f, none), IFP_EINVALID);
    assert_int_equal(f->j.rows, 0);
    assert_int_equal(f->j.count, 0);
}

static void a_second_row_of_one_number_is_refused_and_the_first_stays(void **state)
{
    struct fixture *f = *state;

    must_add(f, step_row(2, "first"));
    assert_int_equal(add(f, step_row(2, "second")), IFP_EINVALID);
    assert_int_equal(add(f, pending_row(2)), IFP_EINVALID);
    (void)must_answer(f, step_call(2, "first"));
    assert_int_equal(f->j.rows, 1);
    assert_int_equal(f->j.pending, 0);
}

/* ---- intents and attempts ------------------------------------------------------------------- */

static void intents_and_attempts_are_kept_beside_the_row(void **state)
{
    struct fixture *f = *state;
    const struct journal_slot *slot;

    must_add(f, (struct journal_row){ .seq = 3, .kind = JOURNAL_INTENT, .wake_us = 500 });
    must_add(f, (struct journal_row){
                    .seq = 3, .kind = JOURNAL_ATTEMPTS, .attempts = 2, .wake_us = 600 });
    must_add(f, step_row(3, "a"));
    slot = journal_slot(&f->j, 3);
    assert_int_equal(slot->intent_us, 500);
    assert_int_equal(slot->attempts, 2);
    assert_int_equal(slot->next_us, 600);
    assert_int_equal(slot->row.wake_us, 0);
    must_add(f, (struct journal_row){ .seq = 3, .kind = JOURNAL_INTENT, .wake_us = 501 });
    must_add(f, (struct journal_row){
                    .seq = 3, .kind = JOURNAL_ATTEMPTS, .attempts = 3, .wake_us = 601 });
    assert_int_equal(slot->intent_us, 501);
    assert_int_equal(slot->attempts, 3);
    assert_int_equal(slot->next_us, 601);
    (void)must_answer(f, step_call(3, "a"));
}

static void they_answer_nothing_and_are_no_rows(void **state)
{
    struct fixture *f = *state;
    uint32_t pos = 0;

    must_add(
        f, (struct journal_row){ .seq = 1, .kind = JOURNAL_INTENT, .wake_us = 5, .pending = true });
    must_add(f, (struct journal_row){
                    .seq = 2, .kind = JOURNAL_ATTEMPTS, .attempts = 1, .pending = true });
    assert_missing(f, step_call(1, "a"));
    assert_missing(f, step_call(2, "b"));
    assert_int_equal(journal_finish(&f->j, 0, &f->e), 0);
    assert_null(journal_next_pending(&f->j, &pos));
    assert_int_equal(f->j.rows, 0);
    assert_int_equal(f->j.count, 0);
    assert_int_equal(f->j.pending, 0);
}

/* ---- pending rows --------------------------------------------------------------------------- */

/* The numbers that the walk gives, as one text. */
static const char *walk(struct fixture *f)
{
    static char text[64];
    uint32_t pos = 0;
    size_t len = 0;

    for (struct journal_row *row; (row = journal_next_pending(&f->j, &pos)) != NULL;) {
        assert_true(row->seq >= 1 && row->seq <= 9 && len + 1 < sizeof(text));
        text[len++] = (char)('0' + row->seq);
    }
    text[len] = '\0';
    return text;
}

static void the_walk_gives_pending_rows_in_order(void **state)
{
    struct fixture *f = *state;

    must_add(f, pending_row(4));
    must_add(f, step_row(2, "loaded"));
    must_add(f, pending_row(1));
    must_add(f, pending_row(6));
    assert_string_equal(walk(f), "146");
    assert_int_equal(f->j.pending, 3);
    assert_int_equal(f->j.rows, 4);
    assert_string_equal(walk(f), "146"); /* a walk changes nothing */
}

static void committed_rows_are_pending_no_more(void **state)
{
    struct fixture *f = *state;

    must_add(f, pending_row(1));
    must_add(f, pending_row(2));
    journal_committed(&f->j);
    assert_string_equal(walk(f), "");
    assert_int_equal(f->j.pending, 0);
    assert_false(must_answer(f, step_call(2, "p"))->pending);
    must_add(f, pending_row(3));
    assert_string_equal(walk(f), "3");
    assert_true(must_answer(f, step_call(3, "p"))->pending);
    journal_committed(&f->j);
    assert_string_equal(walk(f), "");
    assert_int_equal(f->j.rows, 3);
}

static void rows_below_the_committed_mark_are_walked_too(void **state)
{
    struct fixture *f = *state;

    must_add(f, step_row(1, "a"));
    must_add(f, step_row(5, "e"));
    journal_committed(&f->j);
    assert_int_equal(f->j.committed, 5);
    must_add(f, step_row(4, "loaded late"));
    assert_int_equal(f->j.committed, 5);
    must_add(f, pending_row(3));
    assert_string_equal(walk(f), "3");
    must_add(f, pending_row(2)); /* the mark stands at exactly this number now */
    must_add(f, pending_row(6));
    assert_string_equal(walk(f), "236");
    assert_int_equal(f->j.pending, 3);
    journal_committed(&f->j);
    assert_string_equal(walk(f), "");
    assert_int_equal(f->j.committed, 6);
}

static void even_the_first_row_may_come_below_the_mark(void **state)
{
    struct fixture *f = *state;

    must_add(f, step_row(2, "b"));
    journal_committed(&f->j);
    must_add(f, pending_row(1));
    assert_int_equal(f->j.committed, 0);
    assert_string_equal(walk(f), "1");
}

/* ---- memory --------------------------------------------------------------------------------- */

static void the_array_doubles_and_keeps_what_it_has(void **state)
{
    struct fixture *f = *state;

    assert_non_null(journal_slot(&f->j, 8));
    assert_int_equal(f->j.cap, 8);
    must_add(f, step_row(8, "eighth"));
    must_add(f, (struct journal_row){ .seq = 7, .kind = JOURNAL_INTENT, .wake_us = 5 });
    must_add(f, step_row(9, "ninth"));
    assert_int_equal(f->j.cap, 16);
    must_add(f, step_row(1025, "far"));
    assert_int_equal(f->j.cap, 2048);
    (void)must_answer(f, step_call(8, "eighth"));
    (void)must_answer(f, step_call(9, "ninth"));
    (void)must_answer(f, step_call(1025, "far"));
    assert_int_equal(journal_slot(&f->j, 7)->intent_us, 5);
    assert_ptr_equal(journal_slot(&f->j, 2), &f->j.slots[1]);
    for (int32_t seq = 10; seq < 1025; seq++)
        assert_int_equal(journal_slot(&f->j, seq)->row.kind, JOURNAL_NONE);
}

/* Three rows in `limit` bytes; false when they do not fit.  A row is there whole or not at all. */
static bool fits(struct fixture *f, size_t limit)
{
    uint32_t added = 0;

    arena_init(&f->arena, limit);
    journal_init(&f->j, &f->arena, ROWS_MAX);
    for (int32_t seq = 1; seq <= 17; seq += 8) {
        struct journal_row row = pending_row(seq);
        int rc;

        row.error_code = "CODE";
        row.error = "error";
        row.result = (struct slice){ "[]", 2 };
        rc = add(f, row);
        if (rc != 0) {
            assert_int_equal(rc, IFP_ENOMEM);
            assert_int_equal(journal_finish(&f->j, seq - 1, &f->e), 0);
            break;
        }
        added++;
        assert_string_equal(must_answer(f, step_call(seq, "p"))->error, "error");
    }
    assert_int_equal(f->j.rows, added);
    assert_int_equal(f->j.pending, added);
    assert_int_equal(f->j.count, added ? added * 8 - 7 : 0);
    arena_release(&f->arena);
    return added == 3;
}

/* Each limit fails one allocation or the next: slots, name, code, error, result. */
static void a_row_that_does_not_fit_is_not_there(void **state)
{
    size_t limit = 1;

    while (!fits(*state, limit))
        limit++;
    assert_true(limit > 3 * 16 * sizeof(struct journal_slot));
}

/* Results of more than a block each, so that every row allocates. */
static int add_large(struct fixture *f)
{
    static char text[100000];
    int rc = 0;

    for (int32_t seq = 1; seq <= 10 && rc == 0; seq++) {
        struct journal_row row = step_row(seq, "a");

        row.result = (struct slice){ text, sizeof(text) };
        rc = add(f, row);
    }
    return rc;
}

static void every_failed_allocation_is_an_error(void **state)
{
    struct fixture *f = *state;
    uint64_t n = 1;

    for (;; n++) {
        int rc;

        arena_release(&f->arena);
        journal_init(&f->j, &f->arena, ROWS_MAX);
        fault_arm(FAULT_ALLOC, n, false);
        rc = add_large(f);
        if (fault_count(FAULT_ALLOC) < n) {
            assert_int_equal(rc, 0);
            break;
        }
        assert_int_equal(rc, IFP_ENOMEM);
        assert_int_equal(journal_finish(&f->j, (int32_t)f->j.rows, &f->e), 0);
    }
    assert_true(n > 10);
}

static void a_slot_without_memory_is_null(void **state)
{
    struct fixture *f = *state;

    assert_non_null(journal_slot(&f->j, 8));
    f->arena.limit = f->arena.used;
    assert_null(journal_slot(&f->j, 9));
    assert_non_null(journal_slot(&f->j, 8));
    assert_int_equal(add(f, (struct journal_row){ .seq = 9, .kind = JOURNAL_INTENT }), IFP_ENOMEM);
}

/* ---- bugs of the caller --------------------------------------------------------------------- */

static struct fixture bug;

static void ask_for_slot_zero(void)
{
    (void)!journal_slot(&bug.j, 0);
}

static void call_number_zero(void)
{
    const struct journal_row *row;

    (void)!ask(&bug, step_call(0, "a"), &row);
}

static void call_without_name(void)
{
    const struct journal_row *row;

    (void)!ask(&bug, step_call(1, NULL), &row);
}

static void finish_after_less_than_no_call(void)
{
    (void)!journal_finish(&bug.j, -1, &bug.e);
}

static void bugs_of_the_caller_abort(void **state)
{
    bug = *(struct fixture *)*state;
    assert_true(deathtest_aborts(ask_for_slot_zero));
    assert_true(deathtest_aborts(call_number_zero));
    assert_true(deathtest_aborts(call_without_name));
    assert_true(deathtest_aborts(finish_after_less_than_no_call));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_journal, close_journal)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_journal_has_no_answer_and_no_rest),
        TEST(a_row_answers_its_call_with_all_its_fields),
        TEST(texts_are_copied),
        TEST(texts_that_are_not_there_stay_away),
        TEST(the_step_key_of_an_answered_call_is_not_compared),
        TEST(the_workflow_goes_on_where_rows_end),
        TEST(another_name_or_kind_is_a_divergence),
        TEST(names_are_compared_whole),
        TEST(a_step_recorded_under_a_later_number_is_a_divergence),
        TEST(a_call_that_goes_on_by_itself_may_have_rows_behind_it),
        TEST(any_other_call_may_not),
        TEST(rows_that_no_call_asked_for_are_found_at_the_end),
        TEST(a_divergence_names_every_kind),
        TEST(a_child_ends_beside_its_start),
        TEST(a_parallel_step_ends_with_its_row),
        TEST(the_end_of_a_child_is_no_call_of_its_own),
        TEST(rows_max_is_the_last_number_that_may_be),
        TEST(rows_that_cannot_be_are_refused),
        TEST(a_journal_that_continues_knows_its_input_and_has_no_rows),
        TEST(a_beginning_that_cannot_be_is_refused),
        TEST(a_second_row_of_one_number_is_refused_and_the_first_stays),
        TEST(intents_and_attempts_are_kept_beside_the_row),
        TEST(they_answer_nothing_and_are_no_rows),
        TEST(the_walk_gives_pending_rows_in_order),
        TEST(committed_rows_are_pending_no_more),
        TEST(rows_below_the_committed_mark_are_walked_too),
        TEST(even_the_first_row_may_come_below_the_mark),
        TEST(the_array_doubles_and_keeps_what_it_has),
        TEST(a_row_that_does_not_fit_is_not_there),
        TEST(every_failed_allocation_is_an_error),
        TEST(a_slot_without_memory_is_null),
        TEST(bugs_of_the_caller_abort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
