/* One line of JSON: checked whole, or refused with the reason. */
#include "request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

static void expect_refused(const char *line, enum err_code code, const char *says)
{
    struct request r;
    struct err e = {0};

    if (request_parse(&r, slice_text(line), &e))
        fail_msg("%s was taken", line);
    if (e.code != code || strstr(e.text, says) == NULL)
        fail_msg("%.60s: %s: %s", line, err_code_name(e.code), e.text);
    assert_null(r.tables);
    assert_null(r.rules);
}

static void every_kind_has_a_word_that_asks_for_it(void **state)
{
    (void)state;
    for (int kind = REQUEST_STATUS; kind <= REQUEST_INVITE_CANCEL; kind++) {
        static const char args[] = "{\"id\":7,\"command\":\"%s\",\"args\":{%s}}";
        const char *with = "";
        struct request r;
        struct err e = {0};
        char line[300];

        switch (kind) {
        case REQUEST_TRACK:
        case REQUEST_CONFLICT_DISMISS:
            with = "\"all\":true";
            break;
        case REQUEST_UNTRACK:
            with = "\"tables\":[\"t\"]";
            break;
        case REQUEST_JOIN:
            with = "\"token\":\"T\"";
            break;
        case REQUEST_DROP_IMPORT:
            with = "\"path\":\"/x\"";
            break;
        case REQUEST_RULES_SET:
        case REQUEST_RULES_UNSET:
            with = "\"rules\":[{\"table\":\"t\",\"kind\":\"local\"}]";
            break;
        case REQUEST_JOIN_ASK:
            with = "\"directory\":\"/stick\"";
            break;
        case REQUEST_JOIN_TAKE:
            with = "\"path\":\"/stick/join.json\"";
            break;
        case REQUEST_RULES_PRESET:
            with = "\"name\":\"django\"";
            break;
        case REQUEST_CONFLICT_RESTORE:
            with = "\"number\":3";
            break;
        case REQUEST_CONFLICT_MERGE:
            with = "\"table\":\"t\",\"first\":1,\"second\":2";
            break;
        case REQUEST_REVOKE:
        case REQUEST_ADMIN_ADD:
        case REQUEST_ADMIN_REMOVE:
            with = "\"peer\":\"B\"";
            break;
        case REQUEST_RENAME:
            with = "\"peer\":\"B\",\"name\":\"C\"";
            break;
        default:
            break;
        }
        snprintf(line, sizeof line, args, request_kind_name((enum request_kind)kind), with);
        if (!request_parse(&r, slice_text(line), &e))
            fail_msg("%s: %s", line, e.text);
        assert_int_equal(r.kind, kind);
        assert_int_equal(r.id, 7);
        request_close(&r);
    }
}

static void what_is_left_out_has_its_usual_value(void **state)
{
    struct request r;
    struct err e = {0};

    (void)state;
    assert_true(request_parse(&r, slice_text("{\"id\":1,\"command\":\"invite\"}"), &e));
    assert_int_equal(r.ttl_ms, REQUEST_TTL_MS_DEFAULT);
    assert_true(request_parse(
        &r, slice_text("{\"id\":1,\"command\":\"invite\",\"args\":{\"stick\":true}}"), &e));
    assert_int_equal(r.ttl_ms, REQUEST_STICK_MS_DEFAULT);
    assert_true(request_parse(&r, slice_text("{\"id\":1,\"command\":\"wait\",\"args\":null}"), &e));
    assert_int_equal(r.timeout_ms, REQUEST_WAIT_MS_DEFAULT);
    assert_true(request_parse(&r, slice_text("{\"id\":1,\"command\":\"drop-export\"}"), &e));
    assert_string_equal(r.path, "");
    assert_string_equal(r.peer, "");
}

static void what_is_no_request_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *line;
        enum err_code code;
        const char *says;
    } lines[] = {
        {"", ERR_INPUT, "empty"},
        {"{", ERR_INPUT, "cut off"},
        {"nonsense", ERR_INPUT, "not JSON"},
        {"[]", ERR_INPUT, "not a JSON object"},
        {"null", ERR_INPUT, "not a JSON object"},
        {" null ", ERR_INPUT, "not a JSON object"},
        {"7", ERR_INPUT, "not a JSON object"},
        {"{} {}", ERR_INPUT, "not JSON"},
        {"{\"command\":\"status\"}", ERR_INPUT, "\"id\""},
        {"{\"id\":\"1\",\"command\":\"status\"}", ERR_INPUT, "\"id\""},
        {"{\"id\":1}", ERR_INPUT, "\"command\""},
        {"{\"id\":1,\"command\":7}", ERR_INPUT, "not a text"},
        {"{\"id\":1,\"command\":\"format-disk\"}", ERR_USAGE, "unknown command"},
        {"{\"id\":1,\"command\":\"status\",\"args\":[]}", ERR_INPUT, "not an object"},
        {"{\"id\":1,\"command\":\"status\",\"args\":{\"x\":1}}", ERR_USAGE, "takes no"},
        {"{\"id\":1,\"command\":\"join\"}", ERR_INPUT, "needs \"token\""},
        {"{\"id\":1,\"command\":\"join\",\"args\":{\"token\":1}}", ERR_INPUT, "not a text"},
        {"{\"id\":1,\"command\":\"join\",\"args\":{\"token\":\"a\\u0000b\"}}", ERR_INPUT, "NUL"},
        {"{\"id\":1,\"command\":\"join\",\"args\":{\"token\":\"\xff\"}}", ERR_INPUT, "not JSON"},
        {"{\"id\":1,\"command\":\"invite\",\"args\":{\"ttl_ms\":999}}", ERR_LIMIT, "999"},
        {"{\"id\":1,\"command\":\"invite\",\"args\":{\"ttl_ms\":86400001}}", ERR_LIMIT, "allowed"},
        {"{\"id\":1,\"command\":\"invite\",\"args\":{\"stick\":true,\"ttl_ms\":604800001}}",
         ERR_LIMIT, "allowed"},
        {"{\"id\":1,\"command\":\"invite\",\"args\":{\"ttl_ms\":1e3}}", ERR_INPUT, "whole number"},
        {"{\"id\":1,\"command\":\"wait\",\"args\":{\"timeout_ms\":-1}}", ERR_LIMIT, "-1"},
        {"{\"id\":1,\"command\":\"track\"}", ERR_USAGE, "either"},
        {"{\"id\":1,\"command\":\"track\",\"args\":{\"all\":true,\"tables\":[\"t\"]}}", ERR_USAGE,
         "either"},
        {"{\"id\":1,\"command\":\"track\",\"args\":{\"tables\":\"t\"}}", ERR_INPUT, "not a list"},
        {"{\"id\":1,\"command\":\"untrack\",\"args\":{\"tables\":[]}}", ERR_USAGE, "at least one"},
        {"{\"id\":1,\"command\":\"untrack\",\"args\":{\"tables\":[\"a\",\"\"]}}", ERR_INPUT,
         "empty"},
        {"{\"id\":1,\"command\":\"untrack\",\"args\":{\"tables\":[\"a\",3]}}", ERR_INPUT,
         "not a text"},
        {"{\"id\":1,\"command\":\"rules-set\",\"args\":{\"rules\":[]}}", ERR_INPUT, "no list"},
        {"{\"id\":1,\"command\":\"rules-set\",\"args\":{\"rules\":[{\"table\":\"t\",\"kind\":"
         "\"local\"},{\"kind\":\"odd\"}]}}",
         ERR_INPUT, "rule 2"},
        {"{\"id\":1,\"command\":\"conflict-dismiss\"}", ERR_USAGE, "either"},
        {"{\"id\":1,\"command\":\"conflict-restore\"}", ERR_USAGE, "needs the number"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct request r;
        struct err e = {0};

        if (request_parse(&r, slice_text(lines[i].line), &e))
            fail_msg("%s was taken", lines[i].line);
        if (strstr(e.text, lines[i].says) == NULL)
            fail_msg("%s: %s: %s", lines[i].line, err_code_name(e.code), e.text);
        assert_true(e.code == lines[i].code || strcmp(lines[i].says, "rule 2") == 0);
        assert_null(r.tables);
        assert_null(r.rules);
    }
}

static void a_sound_request_keeps_its_id_when_its_arguments_do_not_do(void **state)
{
    struct request r;
    struct err e = {0};

    (void)state;
    assert_false(request_parse(&r, slice_text("{\"id\":42,\"command\":\"join\"}"), &e));
    assert_int_equal(r.id, 42);
}

static void what_is_too_long_is_refused_before_it_is_looked_at(void **state)
{
    static char line[CONTROL_LINE_BYTES_MAX + 2];
    char name[IDENTIFIER_BYTES_MAX + 80], deep[256];

    (void)state;
    memset(line, '[', sizeof line - 1);
    expect_refused(line, ERR_LIMIT, "allowed 65536");
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    expect_refused(deep, ERR_INPUT, "not JSON");
    snprintf(name, sizeof name, "{\"id\":1,\"command\":\"untrack\",\"args\":{\"tables\":[\"");
    memset(name + strlen(name), 'x', IDENTIFIER_BYTES_MAX + 1);
    strncpy(name + strlen("{\"id\":1,\"command\":\"untrack\",\"args\":{\"tables\":[\"") +
                IDENTIFIER_BYTES_MAX + 1,
            "\"]}}", 5);
    expect_refused(name, ERR_LIMIT, "allowed 256");
}

/* What a person is told may quote what somebody sent. */
static void an_answer_is_one_line_of_sound_json_whatever_is_in_it(void **state)
{
    struct buf out;
    struct err e = {0};
    struct json_object *o, *error;

    (void)state;
    buf_open(&out, 4096);
    err_set(&e, ERR_REFUSED, "no \"such\"\nthing \xc3");
    answer_error(&out, -5, &e);
    buf_add_byte(&out, '\0');
    assert_ptr_equal(strchr((char *)out.p, '\n'), (char *)out.p + out.n - 2);
    o = json_tokener_parse((char *)out.p);
    assert_non_null(o);
    assert_int_equal(json_object_get_int64(json_object_object_get(o, "id")), -5);
    assert_false(json_object_get_boolean(json_object_object_get(o, "ok")));
    error = json_object_object_get(o, "error");
    assert_string_equal(json_object_get_string(json_object_object_get(error, "code")), "refused");
    assert_string_equal(json_object_get_string(json_object_object_get(error, "text")),
                        "no \"such\"\nthing ?");
    json_object_put(o);
    buf_clear(&out);
    answer_ok(&out, 9, NULL);
    buf_add_byte(&out, '\0');
    assert_string_equal((char *)out.p, "{\"id\":9,\"ok\":true,\"result\":{}}\n");
    buf_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_word_that_asks_for_it),
        cmocka_unit_test(what_is_left_out_has_its_usual_value),
        cmocka_unit_test(what_is_no_request_is_refused_with_the_reason),
        cmocka_unit_test(a_sound_request_keeps_its_id_when_its_arguments_do_not_do),
        cmocka_unit_test(what_is_too_long_is_refused_before_it_is_looked_at),
        cmocka_unit_test(an_answer_is_one_line_of_sound_json_whatever_is_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
