/* The command line of agent-cli: parsed, and told, from one table of commands and one of options.
 */
#include "usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli.h"
#include "manual.h"

static bool parse(struct cli *c, struct err *e, const char *line)
{
    static char words[400], program[] = "agent-cli";
    char *argv[24] = {program};
    int argc = 1;

    *c = (struct cli){0};
    snprintf(words, sizeof words, "%s", line);
    for (char *at = words; *at != '\0';) {
        argv[argc++] = at;
        at += strcspn(at, " ");
        if (*at != '\0')
            *at++ = '\0';
    }
    err_clear(e);
    return usage_parse(c, argc, argv, e);
}

static void expect_parsed(struct cli *c, const char *line, const char *command)
{
    struct err e = {0};

    if (!parse(c, &e, line))
        fail_msg("%s: %s", line, e.text);
    assert_string_equal(usage_name(c->command), command);
}

static void expect_refused(const char *line, const char *says)
{
    struct err e = {0};
    struct cli c;

    if (parse(&c, &e, line))
        fail_msg("%s was taken", line);
    assert_int_equal(e.code, ERR_USAGE);
    if (strstr(e.text, says) == NULL)
        fail_msg("%s: %s", line, e.text);
}

static void words_and_options_stand_in_any_order(void **state)
{
    struct cli c;

    (void)state;
    expect_parsed(&c, "init --db /x/shop.db --name CAISSE01 --copy --join T", "init");
    assert_string_equal(c.db, "/x/shop.db");
    assert_string_equal(c.name, "CAISSE01");
    assert_string_equal(c.join, "T");
    assert_true(c.copy);
    expect_parsed(&c, "--home /h track --json article client", "track");
    assert_string_equal(c.home_given, "/h");
    assert_true(c.json);
    assert_int_equal(c.word_count, 2);
    assert_string_equal(c.words[1], "client");
    expect_parsed(&c, "drop export --for COMPTA01 --to /stick", "drop export");
    assert_string_equal(c.for_peer, "COMPTA01");
    expect_parsed(&c, "invite --ttl 15m", "invite");
    expect_parsed(&c, "wait --timeout 30s", "wait");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    expect_refused("", "");
    expect_refused("frobnicate", "frobnicate");
    expect_refused("drop", "export or import");
    expect_refused("status --frobnicate", "--frobnicate");
    expect_refused("init --db", "--db");
    expect_refused("status --db /x", "--db");
    expect_refused("status extra", "extra");
    expect_refused("revoke", "PEER");
    expect_refused("drop import", "FILE");
}

/* As many as the table of words can hold, and not one more. */
static void more_words_than_can_be_are_refused(void **state)
{
    static char program[] = "agent-cli", command[] = "track", word[] = "t";
    char *argv[WORDS_MAX + 8];
    struct err e = {0};
    struct cli c = {0};
    int n = 0;

    (void)state;
    argv[n++] = program;
    argv[n++] = command;
    while (n < WORDS_MAX + 1)
        argv[n++] = word;
    assert_true(usage_parse(&c, n, argv, &e));
    assert_int_equal(c.word_count, WORDS_MAX - 1); /* the command was one of them */
    argv[n++] = word;
    c = (struct cli){0};
    assert_false(usage_parse(&c, n, argv, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static void durations_have_units_and_bounds(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"90", 90000},  {"90s", 90000},  {"15m", 900000},
                {"500ms", 500}, {"1h", 3600000}, {"2d", 172800000}};
    static const char *const bad[] = {"",
                                      "s",
                                      "-1",
                                      "1.5s",
                                      "1 s",
                                      "1w",
                                      "1hh",
                                      "0x1",
                                      "99999999999999999999",
                                      "9223372036854775807h"};
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct err e = {0};

        assert_true(duration_parse(good[i].text, &ms, &e));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct err e = {0};

        if (duration_parse(bad[i], &ms, &e))
            fail_msg("\"%s\" is %lld ms", bad[i], (long long)ms);
        assert_int_equal(e.code, ERR_USAGE);
    }
}

static char *printed(void (*print)(FILE *))
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    print(out);
    fclose(out);
    return text;
}

static void print_all(FILE *out)
{
    usage_print(out, NULL);
    usage_print_group(out, "drop");
    usage_print_group(out, "rules");
    usage_print(out, usage_find("init", NULL));
}

static void help_fits_a_terminal_and_knows_every_group(void **state)
{
    char *text = printed(print_all);

    (void)state;
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 100);
    assert_non_null(strstr(text, "drop export"));
    assert_non_null(strstr(text, "--join TOKEN"));
    free(text);
    {
        FILE *nowhere = fopen("/dev/null", "w");

        assert_false(usage_print_group(nowhere, "frobnicate"));
        fclose(nowhere);
    }
}

/* manual.c: a dot or a quote at the beginning of a line would be a command to the formatter. */
static void a_page_of_the_manual_takes_no_text_for_a_command(void **state)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    (void)state;
    manual_text(out, ".so /etc/passwd - or 'quoted \\here");
    fclose(out);
    assert_true(text[0] != '.');
    assert_null(strstr(text, "\n."));
    assert_non_null(strstr(text, "\\-"));
    free(text);
    text = printed(usage_print_man);
    assert_non_null(strstr(text, "\n.TH AGENT"));
    free(text);
    text = printed(manual_print_agent);
    assert_non_null(strstr(text, "discovery_port"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_options_stand_in_any_order),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(more_words_than_can_be_are_refused),
        cmocka_unit_test(durations_have_units_and_bounds),
        cmocka_unit_test(help_fits_a_terminal_and_knows_every_group),
        cmocka_unit_test(a_page_of_the_manual_takes_no_text_for_a_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
