/*
 * tests/unit/test_cli.c - the parser of the command line and its "did you mean".
 */
#include "app/cli.h"
#include "app/suggest.h"
#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct cli_option start_options[] = {
    { "input", "JSON", "" },
    { "delay", "DURATION", "" },
    { "limit", "N", "" },
    { "wait", NULL, "" },
    { 0 },
};

static const struct cli_command commands[] = {
    { .path = "worker", .args = "", .help = "", .example = "" },
    { .path = "worker list", .args = "", .help = "", .example = "" },
    { .path = "execution start",
      .args = "WORKFLOW [MORE]",
      .args_min = 1,
      .args_max = 2,
      .options = start_options,
      .help = "",
      .example = "" },
    { .path = "execution send",
      .args = "ID NAME",
      .args_min = 2,
      .args_max = 2,
      .help = "",
      .example = "" },
    { 0 },
};

enum { WORDS_MAX = 12 };

struct line {
    struct cli cli;
    struct err e;
    int rc;
};

/* Parses "program" and the words, which end with NULL. */
static void parse(struct line *l, const char *const *words)
{
    char *argv[WORDS_MAX + 1] = { (char *)"/usr/bin/program" };
    int argc = 1;

    for (; words[argc - 1]; argc++) {
        assert_true(argc < WORDS_MAX);
        argv[argc] = (char *)words[argc - 1];
    }
    err_clear(&l->e);
    assert_int_equal(cli_init(&l->cli, NULL, argv[0], &l->e), 0);
    l->rc = cli_parse(&l->cli, commands, argc, argv, &l->e);
}

#define PARSE(l, ...) parse(l, (const char *const[]){ __VA_ARGS__, NULL })

static void refuse(const char *const *words, const char *text)
{
    struct line l;

    parse(&l, words);
    assert_int_equal(l.rc, IFP_EINVALID);
    assert_int_equal(l.e.code, IFP_EINVALID);
    assert_string_equal(l.e.text, text);
    cli_release(&l.cli);
}

#define REFUSE(text, ...) refuse((const char *const[]){ __VA_ARGS__, NULL }, text)

static void a_path_of_two_words_finds_its_command(void **state)
{
    struct line l;

    (void)state;
    PARSE(&l, "execution", "start", "orders");
    assert_int_equal(l.rc, 0);
    assert_string_equal(l.cli.command->path, "execution start");
    assert_string_equal(l.cli.path, "execution start");
    assert_string_equal(cli_arg(&l.cli, 0), "orders");
    assert_null(cli_arg(&l.cli, 1));
    assert_string_equal(l.cli.program, "program");
    cli_release(&l.cli);
}

static void a_command_may_also_begin_a_longer_one(void **state)
{
    struct line l;

    (void)state;
    PARSE(&l, "worker");
    assert_string_equal(l.cli.command->path, "worker");
    cli_release(&l.cli);
    PARSE(&l, "worker", "--json", "list");
    assert_string_equal(l.cli.command->path, "worker list");
    assert_true(l.cli.json);
    cli_release(&l.cli);
}

static void options_stand_anywhere_in_both_forms(void **state)
{
    struct line l;

    (void)state;
    PARSE(&l, "--slots", "7", "execution", "start", "--input", "{}", "orders", "--delay=5s",
          "--wait");
    assert_int_equal(l.rc, 0);
    assert_int_equal(config_int(&l.cli.config, CONFIG_SLOTS), 7);
    assert_string_equal(cli_value(&l.cli, "input"), "{}");
    assert_string_equal(cli_value(&l.cli, "delay"), "5s");
    assert_string_equal(cli_value(&l.cli, "wait"), "");
    assert_null(cli_value(&l.cli, "limit"));
    cli_release(&l.cli);
}

static void the_last_of_an_option_counts(void **state)
{
    struct line l;

    (void)state;
    PARSE(&l, "execution", "start", "w", "--input", "1", "--input", "2", "--slots=3", "--slots=4");
    assert_string_equal(cli_value(&l.cli, "input"), "2");
    assert_int_equal(config_int(&l.cli.config, CONFIG_SLOTS), 4);
    cli_release(&l.cli);
}

static void an_option_may_be_read_one_by_one(void **state)
{
    struct line l;
    int pos = 0;

    (void)state;
    PARSE(&l, "execution", "start", "--input", "1", "orders", "--delay=5s", "--input=2");
    assert_int_equal(l.rc, 0);
    assert_string_equal(cli_next_value(&l.cli, "input", &pos), "1");
    assert_string_equal(cli_next_value(&l.cli, "input", &pos), "2");
    assert_null(cli_next_value(&l.cli, "input", &pos));
    assert_null(cli_next_value(&l.cli, "input", &pos));
    pos = 0;
    assert_null(cli_next_value(&l.cli, "limit", &pos));
    cli_release(&l.cli);
}

static void options_of_a_command_have_a_limit(void **state)
{
    char *argv[CLI_TAKEN_MAX + 4] = { (char *)"program", (char *)"execution", (char *)"start" };
    struct line l;

    (void)state;
    for (int i = 0; i <= CLI_TAKEN_MAX; i++)
        argv[3 + i] = (char *)"--wait";
    for (int over = 0; over <= 1; over++) {
        err_clear(&l.e);
        assert_int_equal(cli_init(&l.cli, NULL, argv[0], &l.e), 0);
        l.rc = cli_parse(&l.cli, commands, 3 + CLI_TAKEN_MAX + over, argv, &l.e);
        assert_int_equal(l.rc, IFP_EINVALID);
        assert_string_equal(l.e.text,
                            over ? "more than 128 options" : "argument WORKFLOW is missing");
        cli_release(&l.cli);
    }
}

static void a_dash_and_what_follows_two_are_arguments(void **state)
{
    struct line l;

    (void)state;
    PARSE(&l, "execution", "send", "-", "--", "--wait");
    assert_int_equal(l.rc, 0);
    assert_string_equal(cli_arg(&l.cli, 0), "-");
    assert_string_equal(cli_arg(&l.cli, 1), "--wait");
    cli_release(&l.cli);
}

static void a_joined_value_may_be_anything(void **state)
{
    struct line l;

    (void)state;
    PARSE(&l, "execution", "start", "w", "--input=--x=y");
    assert_string_equal(cli_value(&l.cli, "input"), "--x=y");
    cli_release(&l.cli);
    PARSE(&l, "execution", "start", "w", "--input=");
    assert_string_equal(cli_value(&l.cli, "input"), "");
    cli_release(&l.cli);
    PARSE(&l, "execution", "start", "w", "--input", "-5");
    assert_string_equal(cli_value(&l.cli, "input"), "-5");
    cli_release(&l.cli);
}

static void help_asks_for_nothing_else(void **state)
{
    struct line l;

    (void)state;
    PARSE(&l, "execution", "start", "--help");
    assert_int_equal(l.rc, 0);
    assert_true(l.cli.help);
    cli_release(&l.cli);
    PARSE(&l, "-h");
    assert_int_equal(l.rc, 0);
    assert_true(l.cli.help);
    assert_null(l.cli.command);
    cli_release(&l.cli);
}

static void json_is_known_before_an_error(void **state)
{
    struct line l;

    (void)state;
    PARSE(&l, "bogus", "--json");
    assert_int_equal(l.rc, IFP_EINVALID);
    assert_true(l.cli.json);
    cli_release(&l.cli);
    PARSE(&l, "bogus", "--", "--json");
    assert_false(l.cli.json);
    cli_release(&l.cli);
}

static void unknown_words_are_refused_with_the_nearest_known(void **state)
{
    (void)state;
    REFUSE("unknown command \"exection\"; did you mean \"execution\"?", "exection");
    REFUSE("unknown command \"strat\"; did you mean \"start\"?", "execution", "strat");
    REFUSE("unknown argument \"lits\"; did you mean \"list\"?", "worker", "lits");
    REFUSE("unknown command \"zebra\"", "zebra");
    REFUSE("one argument too many: \"c\"", "execution", "start", "a", "b", "c");
}

static void unknown_options_are_refused_with_the_nearest_known(void **state)
{
    (void)state;
    REFUSE("unknown option \"--inptu\"; did you mean \"--input\"?", "execution", "start", "w",
           "--inptu", "1");
    REFUSE("unknown option \"--slot\"; did you mean \"--slots\"?", "worker", "--slot", "1");
    REFUSE("unknown option \"--zzzzzz\"", "worker", "--zzzzzz");
    REFUSE("unknown option \"-x\"", "worker", "-x");
    REFUSE("unknown option \"--=1\"", "worker", "--=1");
    REFUSE("unknown option \"--input\"", "worker", "--input", "1");
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    REFUSE("needs one of: start, send", "execution");
    REFUSE("argument WORKFLOW is missing", "execution", "start");
    REFUSE("argument NAME is missing", "execution", "send", "x");
    REFUSE("option --input needs a value: --input JSON", "execution", "start", "--input");
    REFUSE("option --input needs a value: --input JSON", "execution", "start", "--input", "--wait");
    REFUSE("option --slots needs a value: --slots VALUE", "worker", "--slots");
    REFUSE("option --wait takes no value", "execution", "start", "--wait=1");
    REFUSE("option --json takes no value", "worker", "--json=1");
}

static void no_command_at_all_is_refused(void **state)
{
    char *argv[] = { (char *)"program", NULL };
    struct err e;
    struct cli c;

    (void)state;
    assert_int_equal(cli_init(&c, NULL, argv[0], &e), 0);
    assert_int_equal(cli_parse(&c, commands, 1, argv, &e), IFP_EINVALID);
    assert_string_equal(e.text, "no command given");
    cli_release(&c);
}

static void a_setting_out_of_range_is_refused(void **state)
{
    struct line l;

    (void)state;
    PARSE(&l, "worker", "--slots", "0");
    assert_int_equal(l.rc, IFP_EINVALID);
    assert_non_null(strstr(l.e.text, "slots"));
    cli_release(&l.cli);
}

static void numbers_and_durations_are_checked(void **state)
{
    static const char *const bad[] = { "", "x", "1x", "0", "11", "-1", "99999999999999999999" };
    struct line l;
    int64_t n;

    (void)state;
    PARSE(&l, "execution", "start", "w", "--limit", "10", "--delay", "1m30s");
    assert_int_equal(cli_int(&l.cli, "limit", 1, 10, 5, &n, &l.e), 0);
    assert_int_equal(n, 10);
    assert_int_equal(cli_duration(&l.cli, "delay", 0, &n, &l.e), 0);
    assert_int_equal(n, 90000);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        l.cli.values[2] = bad[i];
        assert_int_equal(cli_int(&l.cli, "limit", 1, 10, 5, &n, &l.e), IFP_EINVALID);
        assert_non_null(strstr(l.e.text, "--limit"));
    }
    l.cli.values[1] = "5";
    assert_int_equal(cli_duration(&l.cli, "delay", 0, &n, &l.e), IFP_EINVALID);
    assert_non_null(strstr(l.e.text, "--delay"));
    assert_int_equal(n, 90000); /* untouched */
    l.cli.values[1] = l.cli.values[2] = NULL;
    assert_int_equal(cli_int(&l.cli, "limit", 1, 10, 5, &n, &l.e), 0);
    assert_int_equal(n, 5);
    cli_release(&l.cli);
}

static void distance_counts_the_four_kinds_of_slips(void **state)
{
    (void)state;
    assert_int_equal(suggest_distance("start", 5, "start", 5), 0);
    assert_int_equal(suggest_distance("strat", 5, "start", 5), 1);
    assert_int_equal(suggest_distance("star", 4, "start", 5), 1);
    assert_int_equal(suggest_distance("sstart", 6, "start", 5), 1);
    assert_int_equal(suggest_distance("stbrt", 5, "start", 5), 1);
    assert_int_equal(suggest_distance("", 0, "start", 5), 5);
    assert_int_equal(suggest_distance("list", 4, "watch", 5), 5);
}

static void a_long_word_is_near_to_nothing(void **state)
{
    char word[200];
    struct suggest s;

    (void)state;
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    suggest_init(&s, word);
    suggest_offer(&s, "aaaa", 4);
    assert_null(s.best);
}

static void no_memory_fails_the_line_and_leaks_nothing(void **state)
{
    char *argv[] = { (char *)"program", (char *)"worker", (char *)"--slots", (char *)"9", NULL };
    int rc = -1;

    (void)state;
    for (uint64_t n = 1; rc != 0; n++) {
        struct err e;
        struct cli c;

        err_clear(&e);
        assert_true(n < 1000);
        fault_arm(FAULT_ALLOC, n, false);
        rc = cli_init(&c, NULL, argv[0], &e);
        if (rc == 0)
            rc = cli_parse(&c, commands, 4, argv, &e);
        fault_arm(FAULT_ALLOC, 0, false);
        assert_true(rc == 0 || rc == IFP_ENOMEM);
        cli_release(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_of_two_words_finds_its_command),
        cmocka_unit_test(a_command_may_also_begin_a_longer_one),
        cmocka_unit_test(options_stand_anywhere_in_both_forms),
        cmocka_unit_test(the_last_of_an_option_counts),
        cmocka_unit_test(an_option_may_be_read_one_by_one),
        cmocka_unit_test(options_of_a_command_have_a_limit),
        cmocka_unit_test(a_dash_and_what_follows_two_are_arguments),
        cmocka_unit_test(a_joined_value_may_be_anything),
        cmocka_unit_test(help_asks_for_nothing_else),
        cmocka_unit_test(json_is_known_before_an_error),
        cmocka_unit_test(unknown_words_are_refused_with_the_nearest_known),
        cmocka_unit_test(unknown_options_are_refused_with_the_nearest_known),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(no_command_at_all_is_refused),
        cmocka_unit_test(a_setting_out_of_range_is_refused),
        cmocka_unit_test(numbers_and_durations_are_checked),
        cmocka_unit_test(distance_counts_the_four_kinds_of_slips),
        cmocka_unit_test(a_long_word_is_near_to_nothing),
        cmocka_unit_test(no_memory_fails_the_line_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
