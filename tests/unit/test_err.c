#include <navette/err.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void the_first_error_stands(void **state)
{
    struct err e = {0};

    (void)state;
    assert_false(err_set(&e, ERR_LIMIT, "frame of %u bytes, allowed %u", 70000u, 65535u));
    assert_false(err_set(&e, ERR_NET, "the link is closed"));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(e.text, "frame of 70000 bytes, allowed 65535");
}

static void each_caller_adds_what_only_it_knows(void **state)
{
    struct err e = {0};

    (void)state;
    err_set(&e, ERR_INPUT, "a count of %d", -1);
    assert_false(err_wrap(&e, "table %s", "sale"));
    assert_false(err_wrap(&e, "peer %s", "kitchen"));
    assert_string_equal(e.text, "peer kitchen: table sale: a count of -1");
    assert_int_equal(e.code, ERR_INPUT);
}

/* What is too long is cut at its end, wherever that is: in the text, or in what stands before. */
static void a_text_that_is_too_long_is_cut(void **state)
{
    char words[2000];
    struct err e = {0};

    (void)state;
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    err_set(&e, ERR_STORE, "%s", words);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    err_wrap(&e, "here");
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_memory_equal(e.text, "here: xxx", 9);
    err_wrap(&e, "%s", words);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

static void an_error_that_was_cleared_makes_room_for_the_next(void **state)
{
    struct err e = {0};

    (void)state;
    err_set(&e, ERR_BUSY, "later");
    err_clear(&e);
    assert_int_equal(e.code, ERR_NONE);
    assert_string_equal(e.text, "");
    err_set(&e, ERR_FULL, "the disk is full");
    assert_int_equal(e.code, ERR_FULL);
}

static void every_code_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (int i = ERR_NONE; i <= ERR_USAGE; i++) {
        assert_non_null(err_code_name((enum err_code)i));
        for (int j = ERR_NONE; j < i; j++)
            assert_string_not_equal(err_code_name((enum err_code)i),
                                    err_code_name((enum err_code)j));
    }
    assert_string_equal(err_code_name(ERR_USAGE + 1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_stands),
        cmocka_unit_test(each_caller_adds_what_only_it_knows),
        cmocka_unit_test(a_text_that_is_too_long_is_cut),
        cmocka_unit_test(an_error_that_was_cleared_makes_room_for_the_next),
        cmocka_unit_test(every_code_has_a_word_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
