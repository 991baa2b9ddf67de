#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"

static bool parse(struct config *c, const char *text, struct err *e)
{
    *e = (struct err){0};
    config_defaults(c);
    return config_parse(c, slice_text(text), "agent.conf", e);
}

static void assert_refused(const char *text, const char *words)
{
    struct config c;
    struct err e;

    assert_false(parse(&c, text, &e));
    if (strstr(e.text, words) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", e.text, words);
}

static void an_empty_file_gives_the_defaults(void **state)
{
    struct config c;
    struct err e;

    (void)state;
    assert_true(parse(&c, "", &e));
    assert_string_equal(c.listen.host, "");
    assert_int_equal(c.listen.port, PORT_DEFAULT);
    assert_true(c.discovery);
    assert_int_equal(c.discovery_port, DISCOVERY_PORT_DEFAULT);
    assert_int_equal(c.quiet_ms, 20);
    assert_int_equal(c.quiet_wait_ms, 2000);
    assert_int_equal(c.rekey_s, 3600);
    assert_int_equal(c.renew_s, 86400);
    assert_int_equal(c.log_level, LOG_INFO);
    assert_false(c.copy);
    assert_int_equal(c.peer_count, 0);
}

static void every_option_is_read(void **state)
{
    struct config c;
    struct err e;

    (void)state;
    assert_true(parse(&c,
                      "# a comment\n"
                      "\n"
                      "database = /srv/shop of mine.db \r\n"
                      "\tname=CAISSE 01\n"
                      "listen = 192.168.1.20:7500\n"
                      "discovery = off\n"
                      "discovery_port = 9\n"
                      "peers = 10.0.0.1:7400, 10.0.0.2\n"
                      "drop_folder = /srv/exchange\n"
                      "copy = yes\n"
                      "log_level = debug\n"
                      "quiet_ms = 0\n"
                      "quiet_wait_ms = 60000\n"
                      "rekey_s = 60\n"
                      "renew_s = 3600",
                      &e));
    assert_string_equal(c.database, "/srv/shop of mine.db");
    assert_string_equal(c.name, "CAISSE 01");
    assert_string_equal(c.listen.host, "192.168.1.20");
    assert_int_equal(c.listen.port, 7500);
    assert_false(c.discovery);
    assert_int_equal(c.discovery_port, 9);
    assert_int_equal(c.peer_count, 2);
    assert_string_equal(c.peers[1].host, "10.0.0.2");
    assert_int_equal(c.peers[1].port, PORT_DEFAULT);
    assert_string_equal(c.drop_folder, "/srv/exchange");
    assert_true(c.copy);
    assert_int_equal(c.log_level, LOG_DEBUG);
    assert_int_equal(c.quiet_ms, 0);
    assert_int_equal(c.quiet_wait_ms, 60000);
    assert_int_equal(c.rekey_s, 60);
    assert_int_equal(c.renew_s, 3600);
}

static void an_unknown_name_is_an_error_with_file_and_line(void **state)
{
    (void)state;
    assert_refused("name = A\n\nport = 1\n", "agent.conf:3: unknown setting \"port\"");
}

static void a_line_that_is_no_setting_is_an_error_with_file_and_line(void **state)
{
    (void)state;
    assert_refused("name = A\ndatabase /srv/shop.db\n", "agent.conf:2: expected");
    assert_refused("= 3\n", "agent.conf:1: unknown setting");
}

static void a_name_given_twice_is_an_error(void **state)
{
    (void)state;
    assert_refused("name = A\nname = B\n", "agent.conf:2: name is set twice");
}

static void numbers_out_of_range_state_the_limits(void **state)
{
    (void)state;
    assert_refused("discovery_port = 0\n", "allowed 1 to 65535");
    assert_refused("discovery_port = 65536\n", "allowed 1 to 65535");
    assert_refused("quiet_ms = 99999999999999999999\n", "allowed 0 to 10000");
    assert_refused("quiet_ms = 20ms\n", "not a whole number");
    assert_refused("quiet_ms =\n", "not a whole number");
}

static void bad_values_name_the_setting(void **state)
{
    (void)state;
    assert_refused("discovery = maybe\n", "discovery: \"maybe\" is neither on nor off");
    assert_refused("log_level = loud\n", "log_level: \"loud\"");
    assert_refused("listen = kitchen:7400\n", "listen: \"kitchen:7400\" is not an address");
    assert_refused("listen = 1.2.3.4:0\n", "allowed 1 to 65535");
    assert_refused("listen = 1.2.3.4:99999\n", "allowed 1 to 65535");
    assert_refused("peers = 10.0.0.1, x\n", "peers: \"x\" is not an address");
    assert_refused("name = a\x01-b\n", "control character");
    assert_refused("name = \xff\n", "not UTF-8");
}

static void more_peers_than_allowed_are_refused(void **state)
{
    char text[1024] = "peers = ";

    (void)state;
    for (int i = 0; i <= CONFIG_PEERS_MAX; i++)
        strncat(text, "10.0.0.1:7400,", sizeof text - strlen(text) - 1);
    assert_refused(text, "more than 32 peers");
}

static void a_nul_byte_and_a_huge_file_are_refused(void **state)
{
    static const char nul[] = "name = A\0B\n";
    static char huge[CONFIG_BYTES_MAX + 1];
    struct config c;
    struct err e = {0};

    (void)state;
    config_defaults(&c);
    assert_false(
        config_parse(&c, (struct slice){(const uint8_t *)nul, sizeof nul - 1}, "agent.conf", &e));
    assert_non_null(strstr(e.text, "NUL"));
    e = (struct err){0};
    memset(huge, '\n', sizeof huge);
    assert_false(config_parse(&c, SLICE(huge), "agent.conf", &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static void a_long_value_is_refused_and_not_cut(void **state)
{
    static char text[3000] = "database = /";
    size_t n = strlen(text);

    (void)state;
    memset(text + n, 'x', sizeof text - n - 1);
    assert_refused(text, "agent.conf:1: a value of");
}

static void what_is_written_is_read_back(void **state)
{
    struct config c;
    struct config again;
    struct buf text;
    struct err e;

    (void)state;
    assert_true(parse(&c,
                      "database = /srv/shop.db\nname = \xc3\x89t\xc3\xa9\n"
                      "peers = 10.0.0.1:7400,10.0.0.2:7401\ncopy = on\nquiet_ms = 7\n",
                      &e));
    buf_open(&text, CONFIG_BYTES_MAX);
    config_write(&c, &text);
    assert_false(text.overflow);
    e = (struct err){0};
    config_defaults(&again);
    assert_true(config_parse(&again, buf_slice(&text), "agent.conf", &e));
    assert_string_equal(again.database, c.database);
    assert_string_equal(again.name, c.name);
    assert_int_equal(again.peer_count, 2);
    assert_string_equal(again.peers[1].host, "10.0.0.2");
    assert_int_equal(again.peers[1].port, 7401);
    assert_true(again.copy);
    assert_int_equal(again.quiet_ms, 7);
    assert_int_equal(again.quiet_wait_ms, 2000);
    buf_close(&text);
}

/* Files that are out there must be read, and a new one must look like them. */
static void a_settings_file_looks_as_it_always_did(void **state)
{
    struct config c;
    struct buf golden;
    struct buf text;
    struct err e = {0};

    (void)state;
    buf_open(&golden, CONFIG_BYTES_MAX);
    buf_open(&text, CONFIG_BYTES_MAX);
    assert_true(file_read(GOLDEN_DIR "/agent.conf", CONFIG_BYTES_MAX, &golden, &e));
    assert_true(config_load(&c, GOLDEN_DIR "/agent.conf", &e));
    assert_string_equal(c.database, "/srv/shop.db");
    assert_string_equal(c.name, "CAISSE01");
    config_write(&c, &text);
    assert_true(slice_equal(buf_slice(&golden), buf_slice(&text)));
    buf_close(&golden);
    buf_close(&text);
}

/* The most a person can set must fit into the file that is written. */
static void the_largest_settings_fit_into_a_file(void **state)
{
    struct config c;
    struct buf text;

    (void)state;
    config_defaults(&c);
    memset(c.database, 'x', sizeof c.database - 1);
    memset(c.drop_folder, 'x', sizeof c.drop_folder - 1);
    c.peer_count = CONFIG_PEERS_MAX;
    for (int i = 0; i < CONFIG_PEERS_MAX; i++)
        c.peers[i] = (struct address){"255.255.255.255", 65535};
    buf_open(&text, CONFIG_BYTES_MAX);
    config_write(&c, &text);
    assert_false(text.overflow);
    buf_close(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_the_defaults),
        cmocka_unit_test(every_option_is_read),
        cmocka_unit_test(an_unknown_name_is_an_error_with_file_and_line),
        cmocka_unit_test(a_line_that_is_no_setting_is_an_error_with_file_and_line),
        cmocka_unit_test(a_name_given_twice_is_an_error),
        cmocka_unit_test(numbers_out_of_range_state_the_limits),
        cmocka_unit_test(bad_values_name_the_setting),
        cmocka_unit_test(more_peers_than_allowed_are_refused),
        cmocka_unit_test(a_nul_byte_and_a_huge_file_are_refused),
        cmocka_unit_test(a_long_value_is_refused_and_not_cut),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_settings_file_looks_as_it_always_did),
        cmocka_unit_test(the_largest_settings_fit_into_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
