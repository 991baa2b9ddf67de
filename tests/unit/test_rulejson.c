/* Rules as people write them into files, and as they come back. */
#include "rulejson.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

static bool read_rule(struct asked_rule *a, const char *text, struct err *e)
{
    struct json_object *o = json_tokener_parse(text);
    bool ok = rulejson_read(a, o, e);

    json_object_put(o);
    return ok;
}

static void expect_rule(const char *text, const char *again)
{
    struct roster nobody = {0};
    struct asked_rule a;
    struct err e = {0};
    struct json_object *o;

    if (!read_rule(&a, text, &e))
        fail_msg("%s: %s", text, e.text);
    o = rulejson_write(&a.rule, &nobody);
    assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), again);
    json_object_put(o);
    asked_rule_close(&a);
}

static void a_rule_comes_back_as_it_was_said(void **state)
{
    (void)state;
    expect_rule("{\"table\": \"lot\", \"columns\": [\"quantite\"], \"kind\": \"counter\"}",
                "{\"table\":\"lot\",\"columns\":[\"quantite\"],\"kind\":\"counter\"}");
    expect_rule("{\"target\": \"lot.quantite\", \"kind\": \"counter\", \"missing\": true}",
                "{\"table\":\"lot\",\"columns\":[\"quantite\"],\"kind\":\"counter\"}");
    expect_rule(
        "{\"target\": \"sale\", \"kind\": \"both\", \"where\": \"agence_id = 8\"}",
        "{\"table\":\"sale\",\"columns\":[],\"kind\":\"both\",\"where\":\"agence_id = 8\"}");
    expect_rule("{\"target\": \"user.password\", \"kind\": \"local\", \"argument\": \"\"}",
                "{\"table\":\"user\",\"columns\":[\"password\"],\"kind\":\"local\","
                "\"argument\":\"\"}");
    expect_rule("{\"target\": \"note.object_id\", \"kind\": \"references-by\", \"argument\":"
                " \"type_id\", \"names\": \"shop.client=people\", \"site\": null}",
                "{\"table\":\"note\",\"columns\":[\"object_id\"],\"kind\":\"references-by\","
                "\"argument\":\"type_id\",\"names\":\"shop.client=people\"}");
}

static void the_columns_of_a_key_stand_in_one_order(void **state)
{
    (void)state;
    expect_rule("{\"target\": \"type.model,app\", \"kind\": \"merge\"}",
                "{\"table\":\"type\",\"columns\":[\"app\",\"model\"],\"kind\":\"merge\"}");
}

static void the_site_is_still_a_name(void **state)
{
    struct asked_rule a;
    struct err e = {0};

    (void)state;
    assert_true(
        read_rule(&a, "{\"target\": \"sale\", \"kind\": \"both\", \"site\": \"DEPOT\"}", &e));
    assert_string_equal(a.site, "DEPOT");
    assert_false(a.rule.of_site);
    asked_rule_close(&a);
}

static void what_is_no_rule_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"7", "not a JSON object"},
        {"{}", "without a \"table\""},
        {"{\"table\": \"\", \"kind\": \"local\"}", "without a \"table\""},
        {"{\"table\": \"sale\"}", "without a \"kind\""},
        {"{\"table\": \"sale\", \"kind\": \"frobnicate\"}", "frobnicate"},
        {"{\"table\": 7, \"kind\": \"local\"}", "\"table\" of a rule is not a text"},
        {"{\"table\": \"a\\u0000b\", \"kind\": \"local\"}", "NUL"},
        {"{\"table\": \"sale\", \"target\": \"sale\", \"kind\": \"local\"}", "\"target\" twice"},
        {"{\"target\": \"sale\", \"table\": \"sale\", \"kind\": \"local\"}", "\"table\" twice"},
        {"{\"table\": \"sale\", \"columns\": \"a\", \"kind\": \"counter\"}", "\"columns\""},
        {"{\"table\": \"sale\", \"columns\": [7], \"kind\": \"counter\"}", "\"columns\""},
        {"{\"table\": \"sale\", \"kind\": \"local\", \"colour\": \"blue\"}", "has no \"colour\""},
        {"{\"table\": \"sale\", \"kind\": \"both\", \"names\": \"a=b\"}", "names of tables"},
        {"{\"target\": \"a.b\", \"kind\": \"references-by\", \"where\": \"1\"}", "filter"},
        {"{\"table\": \"sale\", \"kind\": \"both\", \"site\": 8}", "\"site\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct asked_rule a;
        struct err e = {0};

        assert_false(read_rule(&a, wrong[i].text, &e));
        if (strstr(e.text, wrong[i].says) == NULL)
            fail_msg("%s: \"%s\" does not say %s", wrong[i].text, e.text, wrong[i].says);
    }
}

static void texts_have_their_limits(void **state)
{
    static const char *const formats[] = {
        "{\"table\": \"%s\", \"kind\": \"local\"}",
        "{\"table\": \"a\", \"kind\": \"both\", \"where\": \"%s\"}",
        "{\"table\": \"a\", \"kind\": \"both\", \"site\": \"%s\"}",
        "{\"table\": \"a\", \"columns\": [\"%s\"], \"kind\": \"counter\"}",
    };
    static const size_t limits[] = {IDENTIFIER_BYTES_MAX, RULE_WHERE_BYTES_MAX, NAME_BYTES_MAX,
                                    IDENTIFIER_BYTES_MAX};
    char words[RULE_WHERE_BYTES_MAX + 2], text[2 * RULE_WHERE_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        struct asked_rule a;
        struct err e = {0};

        memset(words, 'x', sizeof words);
        words[limits[i]] = '\0';
        snprintf(text, sizeof text, formats[i], words);
        assert_true(read_rule(&a, text, &e));
        asked_rule_close(&a);
        words[limits[i]] = 'x';
        words[limits[i] + 1] = '\0';
        snprintf(text, sizeof text, formats[i], words);
        assert_false(read_rule(&a, text, &e));
        assert_int_equal(e.code, ERR_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_comes_back_as_it_was_said),
        cmocka_unit_test(the_columns_of_a_key_stand_in_one_order),
        cmocka_unit_test(the_site_is_still_a_name),
        cmocka_unit_test(what_is_no_rule_is_refused_with_the_reason),
        cmocka_unit_test(texts_have_their_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
