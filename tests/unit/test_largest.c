/* The largest list of members goes every way that one goes: on a link, to a newcomer, in a drop
 * file, and on a stick to who joins. One byte more goes none. */
#include <navette/json.h>
#include <navette/letter.h>
#include <navette/message.h>

#include <stdlib.h>
#include <string.h>

#include "library.h"

static struct slice list_of(size_t n)
{
    uint8_t *bytes = mem_alloc(n);

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 31 >> 3);
    return (struct slice){bytes, n};
}

static void drop(struct slice list)
{
    free((void *)(uintptr_t)list.p);
}

static bool goes_on_a_link(struct slice list, struct err *e)
{
    struct message m = {.kind = MESSAGE_KIND_ROSTER}, back = {0};
    struct slice left, one;
    struct buf out;
    bool ok;

    m.roster.log = list;
    buf_open(&out, MESSAGE_BYTES_MAX);
    message_write(&out, &m);
    assert_false(out.overflow);
    left = buf_slice(&out);
    assert_true(message_next(&left, &one));
    ok = message_begins(one, one.n, e) && message_read(&back, one, e);
    assert_true(!ok || slice_equal(back.roster.log, list));
    message_close(&back);
    buf_close(&out);
    return ok;
}

static bool goes_to_a_newcomer(struct slice list, struct err *e)
{
    struct join_message m = {.kind = JOIN_WELCOME, .roster = list}, back;
    struct buf out;
    bool ok;

    buf_open(&out, WELCOME_BYTES_MAX);
    join_message_write(&out, &m);
    ok = !out.overflow && join_message_read(&back, buf_slice(&out), e);
    assert_true(!ok || slice_equal(back.roster, list));
    buf_close(&out);
    return ok;
}

static bool goes_into_a_drop_file(struct slice list, struct err *e)
{
    struct drop_head head = {.fleet_name = "Boutique", .from = "A", .roster = list}, back;
    struct drop_reader *d = NULL;
    struct buf file = {0};
    bool ok = drop_write_begin(&file, &head, e) && drop_write_end(&file, e) &&
              drop_open(&d, buf_slice(&file), &back, e);

    if (ok) {
        assert_true(slice_equal(back.roster, list));
        vector_close(&back.have);
        drop_close(d);
    }
    buf_close(&file);
    return ok;
}

/* With as many local keys as an answer has room for, and a have-vector that is full. */
static bool goes_on_a_stick(struct slice list, struct err *e)
{
    struct slice keys = list_of(LETTER_KEYS_BYTES_MAX);
    struct letter l = {0}, read = {0};
    struct letter_answer a = {.welcome = {.kind = JOIN_WELCOME, .roster = list}, .keys = keys},
                         back = {0};
    struct keys maker = {0}, guest = {0};
    struct buf file = {0}, record = {0};
    bool ok;

    keys_generate(&maker);
    keys_generate(&guest);
    memcpy(a.joiner, guest.sign_public, sizeof a.joiner);
    for (uint32_t i = 0; i < ACTORS_MAX; i++) {
        struct actor actor = {{(uint8_t)(i >> 8), (uint8_t)i}};

        assert_true(vector_set(&a.have, &actor, VECTOR_NUMBER_MAX, NULL));
    }
    ok = letter_answer_seal(&l, &a, guest.exchange_public, &maker, e);
    if (ok)
        letter_write(&file, &l);
    ok = ok && !file.overflow && letter_read(&read, buf_slice(&file), e) &&
         letter_answer_open(&back, &record, &read, &guest, e);
    assert_true(!ok || slice_equal(back.welcome.roster, list));
    vector_close(&a.have);
    vector_close(&back.have);
    letter_close(&l);
    letter_close(&read);
    buf_close(&file);
    buf_wipe(&record);
    drop(keys);
    return ok;
}

static void the_largest_list_goes_every_way_and_a_larger_one_none(void **state)
{
    static const struct {
        bool (*goes)(struct slice list, struct err *e);
    } ways[] = {{goes_on_a_link}, {goes_to_a_newcomer}, {goes_into_a_drop_file}, {goes_on_a_stick}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct slice list = list_of(ROSTER_BYTES_MAX), larger = list_of(ROSTER_BYTES_MAX + 1);
        struct err e = {0};

        if (!ways[i].goes(list, &e))
            fail_msg("way %zu: %s", i, e.text);
        assert_false(ways[i].goes(larger, &e));
        drop(list);
        drop(larger);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_list_goes_every_way_and_a_larger_one_none),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
