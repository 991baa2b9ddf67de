#include "warning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

static char path[64];

static int setup(void **state)
{
    int fd;

    (void)state;
    snprintf(path, sizeof path, "/tmp/navette-test-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    log_open(LOG_INFO, path, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_close();
    assert_int_equal(unlink(path), 0);
    return 0;
}

static uint32_t lines_logged(void)
{
    FILE *f = fopen(path, "r");
    uint32_t n = 0;

    assert_non_null(f);
    for (int c = fgetc(f); c != EOF; c = fgetc(f))
        n += c == '\n';
    fclose(f);
    return n;
}

static bool is_logged(const char *words)
{
    char text[16384];
    FILE *f = fopen(path, "r");
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    return strstr(text, words) != NULL;
}

/* What is said again and again is told once, with the time when it began. */
static void it_is_so_since_it_was_first_said(void **state)
{
    struct warnings w = {0};

    (void)state;
    assert_false(warning_is_set(&w, WARNING_PORT));
    warning_set(&w, WARNING_PORT, 1000, "port %d is taken", 7400);
    warning_set(&w, WARNING_PORT, 2000, "port %d is taken", 7400);
    assert_int_equal(w.list[WARNING_PORT].since_ms, 1000);
    assert_int_equal(lines_logged(), 1);
    warning_set(&w, WARNING_PORT, 3000, "port %d is taken", 7401);
    assert_int_equal(w.list[WARNING_PORT].since_ms, 1000);
    assert_string_equal(w.list[WARNING_PORT].text, "port 7401 is taken");
    assert_int_equal(lines_logged(), 2);
}

static void it_is_over_once_and_may_come_again(void **state)
{
    struct warnings w = {0};

    (void)state;
    warning_clear(&w, WARNING_DISK_FULL);
    assert_int_equal(lines_logged(), 0);
    warning_set(&w, WARNING_DISK_FULL, 0, "full"); /* also where the clock says nothing */
    assert_true(warning_is_set(&w, WARNING_DISK_FULL));
    warning_clear(&w, WARNING_DISK_FULL);
    warning_clear(&w, WARNING_DISK_FULL);
    assert_false(warning_is_set(&w, WARNING_DISK_FULL));
    assert_int_equal(lines_logged(), 2);
    warning_set(&w, WARNING_DISK_FULL, 5000, "full");
    assert_int_equal(w.list[WARNING_DISK_FULL].since_ms, 5000);
}

static void a_long_text_is_cut(void **state)
{
    struct warnings w = {0};
    char words[1000];

    (void)state;
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    warning_set(&w, WARNING_STORE, 1, "%s", words);
    warning_set(&w, WARNING_STORE, 2, "%s", words);
    assert_int_equal(strlen(w.list[WARNING_STORE].text), sizeof w.list[WARNING_STORE].text - 1);
    assert_int_equal(lines_logged(), 1);
}

/* A person needs a word to ask about, and something to do. */
static void every_warning_has_a_word_of_its_own_and_a_remedy(void **state)
{
    (void)state;
    for (int i = 0; i < WARNING_COUNT; i++) {
        assert_true(strlen(warning_word((enum warning_id)i)) > 3);
        assert_true(strlen(warning_remedy((enum warning_id)i)) > 10);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(warning_word((enum warning_id)i),
                                    warning_word((enum warning_id)j));
    }
}

/* A peer that comes and goes makes it come and go. */
static void one_that_comes_and_goes_is_logged_some_times_a_minute(void **state)
{
    struct warnings w = {0};

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        warning_set(&w, WARNING_NO_PEER, 60000 + i, "nobody is there");
        assert_true(warning_is_set(&w, WARNING_NO_PEER));
        warning_clear(&w, WARNING_NO_PEER);
    }
    assert_in_range(lines_logged(), 2, 20);
    warning_set(&w, WARNING_NO_PEER, 120000, "nobody is there");
    warning_clear(&w, WARNING_NO_PEER);
    assert_in_range(lines_logged(), 4, 23);
    assert_true(is_logged("code=no-peer 990 more of this kind were not written"));
}

static void what_was_not_written_is_counted_when_the_minute_is_over(void **state)
{
    struct warnings w = {0};

    (void)state;
    for (int i = 0; i < 12; i++)
        warning_set(&w, WARNING_STORE, 60000, "failure %d", i);
    warnings_log_more(&w, 119999);
    assert_int_equal(lines_logged(), 10);
    warnings_log_more(&w, 120000);
    warnings_log_more(&w, 180000);
    assert_int_equal(lines_logged(), 11);
    assert_true(is_logged("code=store-failed 2 more of this kind were not written"));
    warning_set(&w, WARNING_STORE, 180001, "failure");
    assert_int_equal(lines_logged(), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_comes_and_goes_is_logged_some_times_a_minute,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_not_written_is_counted_when_the_minute_is_over,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_so_since_it_was_first_said, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_over_once_and_may_come_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_text_is_cut, setup, teardown),
        cmocka_unit_test(every_warning_has_a_word_of_its_own_and_a_remedy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
