/* What a person reads: aligned, calm, within 100 columns, whatever is in the answer. */
#include "text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "cli.h"

#define TERMINAL 100

struct page {
    char *text;
    size_t n;
    FILE *out;
};

static struct page *page_open(struct page *p)
{
    *p = (struct page){0};
    p->out = open_memstream(&p->text, &p->n);
    return p;
}

/* In characters, as a terminal counts them. */
static int width(const char *line, size_t n)
{
    int columns = 0;

    for (size_t i = 0; i < n; i++)
        columns += ((unsigned char)line[i] & 0xc0) != 0x80;
    return columns;
}

static void page_close(struct page *p, const char *const *says, size_t n)
{
    fclose(p->out);
    for (const char *line = p->text; *line != '\0';) {
        size_t length = strcspn(line, "\n");

        if (width(line, length) > TERMINAL)
            fail_msg("%d columns: %.*s", width(line, length), (int)length, line);
        line += length + (line[length] == '\n');
    }
    for (size_t i = 0; i < n; i++)
        if (strstr(p->text, says[i]) == NULL)
            fail_msg("no \"%s\" in:\n%s", says[i], p->text);
    assert_null(strchr(p->text, '\033'));
    free(p->text);
}

static const char hostile[] =
    "{\"schema\":1,\"name\":\"\\u001b[2JCAISSE\",\"site\":\"00\",\"fleet\":\"%s\",\"version\":"
    "\"0.1.0\",\"state\":\"degraded\",\"port\":7400,\"started\":\"2026-11-21T10:00:00Z\",\"now\":"
    "\"2026-11-21T11:00:00Z\",\"database\":{\"path\":\"/%s/shop.db\",\"state\":\"ready\","
    "\"journal_mode\":\"wal\",\"tracked_tables\":3,\"rows\":123456789012,\"trouble\":null},"
    "\"pending\":{\"marks\":1,\"changesets\":2,\"incoming\":3,\"unscanned\":4},\"conflicts\":5,"
    "\"parked\":6,\"kept\":7,\"peers\":[{\"name\":\"%s\",\"site\":\"11\",\"state\":\"connected\","
    "\"address\":\"192.168.100.200:65535\",\"rtt_ms\":999999,\"behind\":1234567,\"ahead\":7654321,"
    "\"last_seen\":\"2026-11-21T10:59:00Z\",\"last_applied\":null,\"skew_ms\":0,\"admin\":true}],"
    "\"warnings\":[{\"code\":\"no-peer\",\"failing\":false,\"since\":\"2026-11-21T10:30:00Z\","
    "\"text\":\"%s long %s\",\"remedy\":\"`agent-cli %s`\"}],\"notices\":[{\"code\":"
    "\"pc-put-back\",\"since\":\"2026-11-21T10:30:00Z\",\"text\":\"it went back\","
    "\"remedy\":\"nothing\"}]}";

static void the_status_fits_whatever_is_in_it(void **state)
{
    static const char *const says[] = {"no-peer", "wal", "192.168.100.200:65535",
                                       "- pc-put-back, since", "What to do: nothing"};
    struct json_object *o;
    struct page p;
    char wide[201], text[4096];

    (void)state;
    memset(wide, 'W', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    snprintf(text, sizeof text, hostile, "Shop", wide, wide + 136, wide, wide, wide);
    o = json_tokener_parse(text);
    assert_non_null(o);
    text_status(page_open(&p)->out, o);
    page_close(&p, says, COUNT_OF(says));
    text_peers(page_open(&p)->out, json_object_object_get(o, "peers"));
    page_close(&p, says + 2, 1);
    json_object_put(o);
}

/* One is one, and what does not wait is not spoken of. */
static void the_status_counts_as_people_do(void **state)
{
    static const char *const says[] = {"with 1 row (",
                                       "1 write to be sent, 2 change-sets to come in",
                                       "1 row that the database cannot hold"};
    struct json_object *o = json_tokener_parse(
        "{\"name\":\"A\",\"state\":\"ok\",\"database\":{\"path\":\"/"
        "x\",\"state\":\"ready\",\"rows\":1,"
        "\"tracked_tables\":1,\"journal_mode\":\"wal\"},\"pending\":{\"marks\":1,\"changesets\":0,"
        "\"incoming\":2,\"unscanned\":0},\"parked\":1,\"peers\":[],\"warnings\":[]}");
    struct page p;

    (void)state;
    assert_non_null(o);
    text_status(page_open(&p)->out, o);
    page_close(&p, says, COUNT_OF(says));
    json_object_put(o);
}

/* Nobody can say what waits in a database that is not open. */
static void what_is_not_known_is_not_shown_as_nothing(void **state)
{
    static const char *const says[] = {"waiting    not known", "conflicts  not known",
                                       "parked     not known"};
    struct json_object *o = json_tokener_parse(
        "{\"name\":\"A\",\"state\":\"failing\",\"database\":{\"path\":\"/x\",\"state\":\"closed\"},"
        "\"pending\":{\"marks\":0},\"conflicts\":0,\"parked\":0,\"peers\":[],\"warnings\":[]}");
    struct page p;

    (void)state;
    text_status(page_open(&p)->out, o);
    page_close(&p, says, COUNT_OF(says));
    json_object_put(o);
}

/* An agent of another version may lack anything: what is not there is not shown. */
static void an_answer_that_lacks_everything_is_no_end_of_the_program(void **state)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    struct page p;

    (void)state;
    json_object_array_add(list, json_object_new_object());
    text_status(page_open(&p)->out, o);
    page_close(&p, NULL, 0);
    text_peers(page_open(&p)->out, list);
    page_close(&p, NULL, 0);
    text_tables(page_open(&p)->out, list);
    page_close(&p, NULL, 0);
    text_conflicts(page_open(&p)->out, o);
    page_close(&p, NULL, 0);
    text_conflict(page_open(&p)->out, o);
    page_close(&p, NULL, 0);
    text_parked(page_open(&p)->out, o);
    page_close(&p, NULL, 0);
    json_object_put(o);
    json_object_put(list);
}

static void what_steers_a_terminal_is_shown_as_a_question_mark(void **state)
{
    static const char *const says[] = {"a?[31mb?c?d"};
    struct page p;

    (void)state;
    text_put(page_open(&p)->out,
             "a\033[31mb\tc\xff"
             "d",
             11);
    page_close(&p, says, 1);
}

static void a_cell_is_cut_or_filled_in_characters(void **state)
{
    struct page p;

    (void)state;
    text_cell(page_open(&p)->out, "d\xc3\xa9p\xc3\xb4t", 8);
    fputc('|', p.out);
    text_cell(p.out, "12", -5);
    fputc('|', p.out);
    text_cell(p.out, "a name that is too long", 6);
    fclose(p.out);
    assert_int_equal(strncmp(p.text, "d\xc3\xa9p\xc3\xb4t   |   12|", 17), 0);
    assert_int_equal(width(strrchr(p.text, '|') + 1, strlen(strrchr(p.text, '|') + 1)), 6);
    free(p.text);
}

static void words_are_wrapped_and_commands_stay_whole(void **state)
{
    struct page p;
    char text[800] = "";

    (void)state;
    for (int i = 0; i < 12; i++)
        strncat(text, "some words and `agent-cli conflicts dismiss --all` ",
                sizeof text - strlen(text) - 1);
    text_wrap(page_open(&p)->out, text, 10, 4);
    fclose(p.out);
    for (const char *at = p.text; (at = strstr(at, "agent-cli")) != NULL; at++)
        assert_int_equal(strncmp(at, "agent-cli conflicts dismiss --all", 33), 0);
    for (const char *line = p.text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= TERMINAL);
    assert_int_equal(strncmp(strchr(p.text, '\n') + 1, "    ", 4), 0);
    free(p.text);
}

static void a_command_can_be_copied_as_it_is_typed(void **state)
{
    struct page p;
    char home[300];
    struct cli c = {.home_given = home};

    (void)state;
    snprintf(home, sizeof home, "/srv/%0200d/it's here", 7);
    text_command(page_open(&p)->out, &c, "agent-cli", "track --all");
    fclose(p.out);
    assert_non_null(strstr(p.text, "--all"));
    for (const char *line = p.text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(line[strcspn(line, "\n") + 1] == '\0' || line[strcspn(line, "\n") - 1] == '\\');
    free(p.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_fits_whatever_is_in_it),
        cmocka_unit_test(the_status_counts_as_people_do),
        cmocka_unit_test(what_is_not_known_is_not_shown_as_nothing),
        cmocka_unit_test(an_answer_that_lacks_everything_is_no_end_of_the_program),
        cmocka_unit_test(what_steers_a_terminal_is_shown_as_a_question_mark),
        cmocka_unit_test(a_cell_is_cut_or_filled_in_characters),
        cmocka_unit_test(words_are_wrapped_and_commands_stay_whole),
        cmocka_unit_test(a_command_can_be_copied_as_it_is_typed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
