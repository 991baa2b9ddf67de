/* Which network cards this machine has. */
#include "cards.h"

#include "cards_of.h"

static void open_directory(char directory[64])
{
    snprintf(directory, 64, "/tmp/navette-cards-XXXXXX");
    assert_non_null(mkdtemp(directory));
}

static struct cards cards_of(const char *directory)
{
    struct cards c;

    cards_read(directory, &c);
    return c;
}

static void a_card_is_told_by_the_address_that_it_was_made_with(void **state)
{
    char one[64], other[64];
    struct cards a, b;

    (void)state;
    open_directory(one);
    open_directory(other);
    add_card(one, "eth0", "02:00:00:00:00:01", 0, true);
    add_card(other, "enp3s0", "02:00:00:00:00:01", 0, true);
    a = cards_of(one);
    b = cards_of(other);
    assert_int_equal(a.n, 1);
    assert_false(cards_differ(&a, &b)); /* whatever it is called */
    add_card(other, "enp3s0", "02:00:00:00:00:02", 0, true);
    b = cards_of(other);
    assert_true(cards_differ(&a, &b) && cards_differ(&b, &a));
    remove_tree(one);
    remove_tree(other);
}

static void one_card_in_common_is_enough(void **state)
{
    struct cards before, after;
    char directory[64];

    (void)state;
    open_directory(directory);
    add_card(directory, "eth0", "02:00:00:00:00:01", 0, true);
    add_card(directory, "wlan0", "02:00:00:00:00:02", 0, true);
    before = cards_of(directory);
    assert_int_equal(before.n, 2);
    add_card(directory, "eth0", "02:00:00:00:00:03", 0, true);
    add_card(directory, "usb0", "02:00:00:00:00:04", 0, true);
    after = cards_of(directory);
    assert_int_equal(after.n, 3);
    assert_false(cards_differ(&before, &after));
    add_card(directory, "wlan0", "02:00:00:00:00:05", 0, true);
    after = cards_of(directory);
    assert_true(cards_differ(&before, &after));
    remove_tree(directory);
}

static void what_is_no_card_or_not_its_own_address_does_not_count(void **state)
{
    struct cards none = {0}, one = {.n = 1}, c;
    char directory[64];

    (void)state;
    open_directory(directory);
    add_card(directory, "lo", "00:00:00:00:00:00", 0, true);
    add_card(directory, "br0", "02:00:00:00:00:01", 0, false);
    add_card(directory, "veth1", "02:00:00:00:00:02", 3, true);
    add_card(directory, "wlan0", "02:00:00:00:00:03", 1, true);
    c = cards_of(directory);
    assert_int_equal(c.n, 0);
    c = cards_of("/nowhere");
    assert_int_equal(c.n, 0);
    assert_false(cards_differ(&none, &one) || cards_differ(&one, &none));
    remove_tree(directory);
}

static void there_are_so_many_and_no_more(void **state)
{
    struct cards c;
    char directory[64];

    (void)state;
    open_directory(directory);
    for (int i = 0; i < CARDS_MAX + 2; i++) {
        char name[16], address[32];

        snprintf(name, sizeof name, "eth%d", i);
        snprintf(address, sizeof address, "02:00:00:00:00:%02d", i + 1);
        add_card(directory, name, address, 0, true);
    }
    c = cards_of(directory);
    assert_int_equal(c.n, CARDS_MAX);
    remove_tree(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_is_told_by_the_address_that_it_was_made_with),
        cmocka_unit_test(one_card_in_common_is_enough),
        cmocka_unit_test(what_is_no_card_or_not_its_own_address_does_not_count),
        cmocka_unit_test(there_are_so_many_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
