#include <navette/beacon.h>

#include "golden.h"
#include "library.h"

static struct beacon example(void)
{
    struct beacon b = {.kind = BEACON_HERE, .port = 7400, .wall_ms = 1700000000123};

    golden_take("beacon.txt", "site", b.site.bytes, sizeof b.site.bytes);
    return b;
}

static void example_key(uint8_t key[32])
{
    uint8_t secret[32];

    golden_take("beacon.txt", "secret", secret, sizeof secret);
    beacon_key(key, secret);
}

static void a_beacon_is_that_of_the_worked_example(void **state)
{
    struct beacon b = example();
    uint8_t key[32], datagram[BEACON_BYTES];

    (void)state;
    example_key(key);
    golden_check("beacon.txt", "key", SLICE(key));
    golden_random_from(0x80);
    beacon_write(datagram, &b, key);
    golden_random_end();
    golden_check("beacon.txt", "datagram", SLICE(datagram));
}

static void what_is_written_is_read(void **state)
{
    uint8_t key[32], datagram[BEACON_BYTES];

    (void)state;
    example_key(key);
    for (int kind = BEACON_HERE; kind <= BEACON_LEAVING; kind++) {
        struct beacon b = example(), got;
        struct err e = {0};

        b.kind = (enum beacon_kind)kind;
        beacon_write(datagram, &b, key);
        assert_true(beacon_read(&got, SLICE(datagram), key, &e));
        assert_int_equal(got.kind, kind);
        assert_int_equal(got.port, 7400);
        assert_true(got.wall_ms == b.wall_ms);
        assert_memory_equal(&got.site, &b.site, sizeof b.site);
    }
}

static void any_flipped_bit_and_any_other_size_is_refused(void **state)
{
    struct beacon b = example(), got;
    uint8_t key[32], datagram[BEACON_BYTES + 1] = {0};

    (void)state;
    example_key(key);
    beacon_write(datagram, &b, key);
    for (size_t bit = 0; bit < 8 * BEACON_BYTES; bit++) {
        struct err e = {0};

        datagram[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(beacon_read(&got, (struct slice){datagram, BEACON_BYTES}, key, &e));
        assert_int_equal(e.code, bit < 32 ? ERR_INPUT : ERR_CRYPTO);
        assert_int_equal(got.port, 0);
        datagram[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t n = 0; n <= sizeof datagram; n++) {
        struct err e = {0};

        assert_int_equal(beacon_read(&got, (struct slice){datagram, n}, key, &e),
                         n == BEACON_BYTES);
        assert_int_equal(e.code, n == BEACON_BYTES ? ERR_NONE : ERR_INPUT);
    }
}

static void another_fleet_s_beacon_is_refused(void **state)
{
    struct beacon b = example();
    uint8_t key[32], datagram[BEACON_BYTES];
    struct err e = {0};

    (void)state;
    example_key(key);
    beacon_write(datagram, &b, key);
    key[0] ^= 1;
    assert_false(beacon_read(&b, SLICE(datagram), key, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
}

/* Who listens must not be able to tell that two datagrams come from one site. */
static void two_beacons_of_one_site_share_only_the_magic(void **state)
{
    struct beacon b = example();
    uint8_t key[32], one[BEACON_BYTES], two[BEACON_BYTES];
    size_t same = 0;

    (void)state;
    example_key(key);
    beacon_write(one, &b, key);
    beacon_write(two, &b, key);
    assert_memory_equal(one, two, 4);
    for (size_t i = 4; i < BEACON_BYTES; i++)
        same += one[i] == two[i];
    assert_true(same < 10); /* of 60 random bytes; the odds against are 10^15 to one */
    for (size_t i = 0; i + SITE_ID_BYTES <= BEACON_BYTES; i++)
        assert_memory_not_equal(one + i, b.site.bytes, SITE_ID_BYTES);
}

/* Sealed by one who has the key, yet nonsense: byte `at` of the example's plaintext set to `value`.
 */
static void check_nonsense(size_t at, uint8_t value)
{
    uint8_t key[32], plain[32], datagram[BEACON_BYTES] = "NVB1";
    struct beacon got;
    struct err e = {0};

    example_key(key);
    golden_take("beacon.txt", "plain", plain, sizeof plain);
    plain[at] = value;
    crypto_aead_chacha20poly1305_ietf_encrypt(datagram + 16, NULL, plain, sizeof plain, datagram, 4,
                                              NULL, datagram + 4, key);
    assert_false(beacon_read(&got, SLICE(datagram), key, &e));
    assert_int_equal(e.code, ERR_INPUT);
}

static void nonsense_from_a_member_is_refused(void **state)
{
    struct beacon b = example();
    uint8_t key[32], datagram[BEACON_BYTES];
    struct err e = {0};

    (void)state;
    check_nonsense(0, 0);
    check_nonsense(0, 5);
    for (size_t i = 27; i < 32; i++)
        check_nonsense(i, 1);
    example_key(key);
    b.port = 0;
    beacon_write(datagram, &b, key);
    assert_false(beacon_read(&b, SLICE(datagram), key, &e));
    assert_int_equal(e.code, ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_beacon_is_that_of_the_worked_example),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(any_flipped_bit_and_any_other_size_is_refused),
        cmocka_unit_test(another_fleet_s_beacon_is_refused),
        cmocka_unit_test(two_beacons_of_one_site_share_only_the_magic),
        cmocka_unit_test(nonsense_from_a_member_is_refused),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
