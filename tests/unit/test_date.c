#include <navette/date.h>

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "random.h"

static void expect(uint64_t ms, const char *text)
{
    char out[DATE_BYTES + 1];
    uint64_t back = 0;

    date_write(out, ms);
    assert_string_equal(out, text);
    assert_true(date_read(&back, slice_text(text)));
    assert_int_equal(back, ms);
}

static void known_dates_are_written_and_read(void **state)
{
    (void)state;
    expect(0, "1970-01-01T00:00:00.000Z");
    expect(UINT64_C(951782399999), "2000-02-28T23:59:59.999Z");
    expect(UINT64_C(951782400000), "2000-02-29T00:00:00.000Z");
    expect(UINT64_C(1795000000123), "2026-11-18T11:06:40.123Z");
    expect(UINT64_C(4107542400000), "2100-03-01T00:00:00.000Z");
    expect(DATE_MS_MAX, "9999-12-31T23:59:59.999Z");
}

static void a_date_beyond_the_last_year_is_written_as_the_last(void **state)
{
    char out[DATE_BYTES + 1];

    (void)state;
    date_write(out, UINT64_MAX);
    assert_string_equal(out, "9999-12-31T23:59:59.999Z");
}

static void dates_agree_with_the_c_library(void **state)
{
    struct random_source s = {test_seed(8)};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t ms = random_next(&s) % (DATE_MS_MAX + 1), back;
        time_t seconds = (time_t)(ms / 1000);
        char out[DATE_BYTES + 1], other[DATE_BYTES + 1];
        struct tm tm;

        assert_non_null(gmtime_r(&seconds, &tm));
        strftime(other, sizeof other, "%Y-%m-%dT%H:%M:%S", &tm);
        date_write(out, ms);
        assert_memory_equal(out, other, 19);
        assert_true(date_read(&back, slice_text(out)));
        assert_int_equal(back, ms);
    }
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "2026-11-18",
        "2026-11-18T11:06:40.123",
        "2026-11-18T11:06:40.123z",
        "2026-11-18 11:06:40.123Z",
        "2026-11-18T11:06:40.1234Z",
        "2026-02-29T00:00:00.000Z",
        "2026-00-01T00:00:00.000Z",
        "2026-13-01T00:00:00.000Z",
        "2026-11-31T00:00:00.000Z",
        "2026-11-00T00:00:00.000Z",
        "2026-11-18T24:00:00.000Z",
        "2026-11-18T11:60:00.000Z",
        "2026-11-18T11:06:60.000Z",
        "1969-12-31T23:59:59.999Z",
        "2026-11-18T11:06:4:.123Z",
        "\xff\xff\xff\xff-11-18T11:06:40.123Z",
        "    -  -  T  :  :  .   Z",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t ms = 1;

        assert_false(date_read(&ms, slice_text(cases[i])));
        assert_int_equal(ms, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_dates_are_written_and_read),
        cmocka_unit_test(a_date_beyond_the_last_year_is_written_as_the_last),
        cmocka_unit_test(dates_agree_with_the_c_library),
        cmocka_unit_test(what_is_no_date_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
