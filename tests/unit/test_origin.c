/* One home belongs to one PC. */
#include "origin.h"

#include "cards_of.h"
#include "home.h"

/* A machine: its disk, and, beside it, its network cards. */
struct place {
    char directory[64];
    char cards[80];
    struct home home;
};

static void locate(struct place *p, const char *name)
{
    char path[128];
    struct err e = {0};

    snprintf(path, sizeof path, "%s/%s", p->directory, name);
    assert_true(home_locate(&p->home, path, &e));
    p->home.cards = p->cards;
}

static void open_place(struct place *p)
{
    struct err e = {0};

    snprintf(p->directory, sizeof p->directory, "/tmp/navette-origin-XXXXXX");
    assert_non_null(mkdtemp(p->directory));
    snprintf(p->cards, sizeof p->cards, "%s/cards", p->directory);
    add_card(p->cards, "eth0", "02:00:00:00:00:01", 0, true);
    locate(p, "home");
    assert_true(home_create(&p->home, &e));
}

static void close_place(struct place *p)
{
    remove_tree(p->directory);
}

static void run(const char *format, const char *directory)
{
    char command[256];

    snprintf(command, sizeof command, format, directory, directory);
    assert_int_equal(system(command), 0);
}

static void expect_doubt(const struct place *p, const char *says)
{
    char doubt[ORIGIN_DOUBT_BYTES_MAX];
    struct err e = {0};

    assert_true(origin_check(&p->home, doubt, &e));
    if (says[0] == '\0')
        assert_string_equal(doubt, "");
    else
        assert_non_null(strstr(doubt, says));
}

static void a_home_is_at_home_where_it_was_first_seen(void **state)
{
    struct place p;

    (void)state;
    open_place(&p);
    expect_doubt(&p, "");
    expect_doubt(&p, "");
    close_place(&p);
}

static void a_home_that_is_put_back_in_its_place_is_at_home(void **state)
{
    struct place p;

    (void)state;
    open_place(&p);
    expect_doubt(&p, "");
    run("cp -r %s/home %s/kept", p.directory);
    run("rm -r %s/home", p.directory);
    run("mv %s/kept %s/home", p.directory);
    expect_doubt(&p, "");
    close_place(&p);
}

static void a_copied_home_is_in_doubt_and_the_first_one_is_not(void **state)
{
    struct place p;

    (void)state;
    open_place(&p);
    expect_doubt(&p, "");
    run("cp -r %s/home %s/copy", p.directory);
    expect_doubt(&p, "");
    locate(&p, "copy");
    expect_doubt(&p, "/home: it was moved or copied");
    close_place(&p);
}

static void a_link_to_the_home_is_the_home(void **state)
{
    struct place p;

    (void)state;
    open_place(&p);
    expect_doubt(&p, "");
    run("ln -s %s/home %s/link", p.directory);
    locate(&p, "link");
    expect_doubt(&p, "");
    close_place(&p);
}

static void a_home_of_another_machine_is_in_doubt(void **state)
{
    struct place p;

    (void)state;
    open_place(&p);
    expect_doubt(&p, "");
    run("sed -i '2s/^........../0123456789/' %s/home/machine", p.directory);
    expect_doubt(&p, "another PC");
    close_place(&p);
}

/* The same path, and all that the disk says of the system is the same. */
static void an_imaged_disk_in_another_machine_is_in_doubt_and_the_first_one_is_not(void **state)
{
    struct place p;
    struct err e = {0};

    (void)state;
    open_place(&p);
    expect_doubt(&p, "");
    add_card(p.cards, "eth0", "02:00:00:00:00:02", 0, true);
    expect_doubt(&p, "none of the network cards that it had");
    add_card(p.cards, "eth0", "02:00:00:00:00:01", 0, true);
    expect_doubt(&p, "");
    add_card(p.cards, "eth1", "02:00:00:00:00:03", 0, true);
    expect_doubt(&p, "");
    add_card(p.cards, "eth0", "02:00:00:00:00:02", 0, true);
    expect_doubt(&p, "none of the network cards that it had");
    assert_true(origin_confirm(&p.home, &e));
    expect_doubt(&p, "");
    close_place(&p);
}

/* As early in a start, or where a disk went on from a machine without. */
static void cards_that_were_not_known_are_taken_down_when_they_are(void **state)
{
    struct place p;

    (void)state;
    open_place(&p);
    run("rm -r %s/cards", p.directory);
    expect_doubt(&p, "");
    add_card(p.cards, "eth0", "02:00:00:00:00:01", 0, true);
    expect_doubt(&p, "");
    run("rm -r %s/cards", p.directory);
    expect_doubt(&p, "");
    add_card(p.cards, "eth0", "02:00:00:00:00:02", 0, true);
    expect_doubt(&p, "none of the network cards");
    close_place(&p);
}

static void a_damaged_note_is_a_doubt(void **state)
{
    static const char *const damages[] = {
        "head -c 30 /dev/zero",
        "echo navette machine 1",
        "echo",
        "printf 'navette machine 1\\n0123456789abcdef0123456789abcdef'",
        "printf 'navette machine 1\\n0123456789abcdef0123456789abcdef 0123\\n/x\\n'",
        "printf 'navette machine 1\\n0123456789abcdef0123456789abcdef 0123456789abcdef0\\n/x\\n'",
        "printf 'navette machine 1\\n0123456789abcdef0123456789abcdef 0123456789abcdeg\\n/x\\n'",
        "(echo navette machine 1; printf %%032d; for i in 1 2 3 4 5 6 7 8 9; do printf ' %%016d'; "
        "done;"
        " echo; echo /x)",
        "printf 'navette machine 1\\n0123456789abcdef0123456789abcdef\\n\\n'",
    };
    struct place p;
    char command[256];

    (void)state;
    open_place(&p);
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        snprintf(command, sizeof command, "%s > %%s/home/machine", damages[i]);
        run(command, p.directory);
        expect_doubt(&p, "damaged");
    }
    close_place(&p);
}

static void a_doubt_lasts_until_a_person_ends_it(void **state)
{
    struct place p;
    struct err e = {0};

    (void)state;
    open_place(&p);
    expect_doubt(&p, "");
    assert_true(origin_doubt(&p.home, "seen twice", &e));
    expect_doubt(&p, "seen twice");
    expect_doubt(&p, "seen twice");
    run("mv %s/home %s/moved", p.directory);
    locate(&p, "moved");
    expect_doubt(&p, "seen twice");
    assert_true(origin_confirm(&p.home, &e));
    expect_doubt(&p, "");
    close_place(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_home_is_at_home_where_it_was_first_seen),
        cmocka_unit_test(a_home_that_is_put_back_in_its_place_is_at_home),
        cmocka_unit_test(a_copied_home_is_in_doubt_and_the_first_one_is_not),
        cmocka_unit_test(a_link_to_the_home_is_the_home),
        cmocka_unit_test(a_home_of_another_machine_is_in_doubt),
        cmocka_unit_test(an_imaged_disk_in_another_machine_is_in_doubt_and_the_first_one_is_not),
        cmocka_unit_test(cards_that_were_not_known_are_taken_down_when_they_are),
        cmocka_unit_test(a_damaged_note_is_a_doubt),
        cmocka_unit_test(a_doubt_lasts_until_a_person_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
