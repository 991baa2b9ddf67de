/* What was secret is looked for in all the memory of this process, freed memory and the stack
 * included: the sanitizer keeps what was freed as it was, so that nothing hides what a wipe forgot.
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <navette/invite.h>

#include "library.h"
#include "memory.h"
#include "pair.h"
#include "request.h"

#define NEEDLE_BYTES_MAX 128
#define WINDOW_BYTES     (1u << 16)

/* What is looked for, every bit of it turned, so that this is not what is found. */
struct needle {
    uint8_t turned[NEEDLE_BYTES_MAX];
    size_t n;
};

static struct needle needle_of(const void *bytes, size_t n)
{
    struct needle needle = {.n = n};

    assert_true(n >= 8 && n <= sizeof needle.turned);
    for (size_t i = 0; i < n; i++)
        needle.turned[i] = (uint8_t) ~((const uint8_t *)bytes)[i];
    return needle;
}

static bool is_here(const uint8_t *p, const struct needle *needle)
{
    for (size_t i = 0; i < needle->n; i++)
        if ((p[i] ^ needle->turned[i]) != 0xFF)
            return false;
    return true;
}

static uint8_t window[WINDOW_BYTES + NEEDLE_BYTES_MAX];

/* In the first n bytes of the window, which stood at `at`; those that begin behind WINDOW_BYTES are
 * the next window's. */
static uint32_t count_in_window(uint64_t at, size_t n, const struct needle *needle)
{
    const uint8_t *p = window, *end = window + n;
    uint32_t found = 0;

    while ((p = memchr(p, needle->turned[0] ^ 0xFF, (size_t)(end - p))) != NULL) {
        size_t i = (size_t)(p - window);
        bool ours =
            at + i + needle->n > (uintptr_t)window && at + i < (uintptr_t)window + sizeof window;

        if (i >= WINDOW_BYTES || i + needle->n > n)
            break;
        found += !ours && is_here(p, needle);
        p++;
    }
    return found;
}

static uint32_t count_in(FILE *memory, uint64_t from, uint64_t to, const struct needle *needle)
{
    uint32_t found = 0;

    for (uint64_t at = from; at < to; at += WINDOW_BYTES) {
        size_t n = to - at < sizeof window ? to - at : sizeof window;

        if (fseeko(memory, (off_t)at, SEEK_SET) != 0)
            return found;
        n = fread(window, 1, n, memory);
        found += count_in_window(at, n, needle);
    }
    memset(window, 0, sizeof window);
    return found;
}

/* How often it stands in memory that can be written to. The sanitizer's own books are left out. */
static uint32_t count(const struct needle *needle)
{
    FILE *maps = fopen("/proc/self/maps", "r"), *memory = fopen("/proc/self/mem", "rb");
    char line[512];
    uint32_t found = 0;

    assert_non_null(maps);
    assert_non_null(memory);
    setvbuf(memory, NULL, _IONBF, 0);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long long from, to;
        char rights[8];

        if (sscanf(line, "%llx-%llx %7s", &from, &to, rights) == 3 && rights[0] == 'r' &&
            rights[1] == 'w' && to - from < (1ull << 30))
            found += count_in(memory, from, to, needle);
    }
    fclose(maps);
    fclose(memory);
    return found;
}

static bool nothing_on_message(void *context, struct slice message, struct err *e)
{
    (void)context;
    (void)message;
    (void)e;
    return true;
}

/* So that what follows is not found missing by a search that finds nothing. */
static void what_is_in_memory_is_found_wherever_it_is(void **state)
{
    static uint8_t global[32];
    uint8_t local[32], *freed = mem_alloc(32), *locked = secret_alloc(32);
    struct needle needle;

    (void)state;
    random_fill(local, sizeof local);
    needle = needle_of(local, sizeof local);
    assert_int_equal(count(&needle), 1);
    memcpy(global, local, sizeof global);
    memcpy(freed, local, sizeof global);
    memcpy(locked, local, sizeof global);
    assert_int_equal(count(&needle), 4);
    secret_free(locked);
    assert_int_equal(count(&needle), 3);
    sodium_memzero(global, sizeof global);
    sodium_memzero(local, sizeof local);
    sodium_memzero(freed, 32);
    free(freed);
    assert_int_equal(count(&needle), 0);
}

/* With 128, 129... for random bytes, as in the worked example. */
static void nothing_is_left_of_a_handshake_once_it_is_done(void **state)
{
    struct keys *keys = secret_alloc(2 * sizeof *keys);
    struct channel *a = secret_alloc(sizeof *a), *b = secret_alloc(sizeof *b);
    struct channel_secret *secret = secret_alloc(sizeof *secret);
    struct needle ephemeral[2], psk, session;
    struct buf to_a, to_b;
    struct err e = {0};
    uint8_t bytes[32];

    (void)state;
    for (int i = 0; i < 2; i++) {
        keys[i] = keys_counting_from(i == 0 ? 0 : 32);
        for (size_t j = 0; j < sizeof bytes; j++)
            bytes[j] = (uint8_t)((i == 0 ? 0x80 : 0xA0) + j);
        ephemeral[i] = needle_of(bytes, sizeof bytes);
    }
    sodium_memzero(bytes, sizeof bytes);
    secret->mode = CHANNEL_FLEET;
    random_fill(secret->psk, sizeof secret->psk);
    psk = needle_of(secret->psk, sizeof secret->psk);
    buf_open(&to_a, 1024);
    buf_open(&to_b, 1024);
    golden_random_from(0x80);
    assert_true(channel_open(a, true, &keys[0], secret, 1, NULL, &to_b, &e));
    assert_true(channel_open(b, false, &keys[1], secret, 1, NULL, &to_a, &e));
    secret_free(secret);
    assert_int_equal(count(&ephemeral[0]), 1); /* in the channel */
    assert_int_equal(count(&psk), 2);
    assert_true(channel_feed(b, buf_slice(&to_b), &to_a, nothing_on_message, NULL, &e));
    golden_random_end();
    buf_clear(&to_b);
    assert_true(channel_feed(a, buf_slice(&to_a), &to_b, nothing_on_message, NULL, &e));
    assert_true(channel_feed(b, buf_slice(&to_b), &to_a, nothing_on_message, NULL, &e));
    assert_int_equal(a->state, CHANNEL_OPEN);
    assert_int_equal(b->state, CHANNEL_OPEN);
    assert_int_equal(count(&ephemeral[0]), 0);
    assert_int_equal(count(&ephemeral[1]), 0);
    assert_int_equal(count(&psk), 0);
    session = needle_of(a->send.key, sizeof a->send.key);
    assert_int_equal(count(&session), 2); /* at both ends */
    noise_rekey(&a->send);
    noise_rekey(&b->receive);
    assert_int_equal(count(&session), 0);
    session = needle_of(a->send.key, sizeof a->send.key);
    assert_int_equal(count(&session), 2);
    channel_close(a);
    channel_close(b);
    assert_int_equal(count(&session), 0);
    secret_free(a);
    secret_free(b);
    secret_free(keys);
    buf_close(&to_a);
    buf_close(&to_b);
}

static void nothing_is_left_of_an_identity_that_was_wiped(void **state)
{
    struct keys *k = secret_alloc(sizeof *k);
    struct needle seed, sign, exchange;

    (void)state;
    keys_generate(k);
    seed = needle_of(k->seed, sizeof k->seed);
    sign = needle_of(k->sign_secret, 32);
    exchange = needle_of(k->exchange_secret, sizeof k->exchange_secret);
    assert_int_equal(count(&seed), 1);
    assert_int_equal(count(&sign), 1);
    assert_int_equal(count(&exchange), 1);
    secret_free(k);
    assert_int_equal(count(&seed) + count(&sign) + count(&exchange), 0);
}

/* It is moved twenty times while it grows. Something stands in front, since where memory begins
 * that was freed, the allocator keeps its own notes. */
static void nothing_is_left_of_a_secret_buffer_that_grew(void **state)
{
    uint8_t bytes[32];
    struct needle needle;
    struct buf b;

    (void)state;
    random_fill(bytes, sizeof bytes);
    needle = needle_of(bytes, sizeof bytes);
    buf_open_secret(&b, 1u << 20);
    buf_add(&b, window, 30);
    buf_add(&b, bytes, sizeof bytes);
    assert_int_equal(count(&needle), 2);
    buf_close(&b);
    assert_int_equal(count(&needle), 1);
    buf_open_secret(&b, 1u << 20);
    buf_add(&b, window, 30);
    buf_add(&b, bytes, sizeof bytes);
    sodium_memzero(bytes, sizeof bytes);
    while (b.n < 1u << 19)
        buf_add(&b, window, 1000);
    assert_int_equal(count(&needle), 1);
    buf_close(&b);
    assert_int_equal(count(&needle), 0);
}

/* As it comes over the control socket. */
static void nothing_is_left_of_a_token_once_its_request_is_closed(void **state)
{
    struct request *r = secret_alloc(sizeof *r);
    struct invite *v = secret_alloc(sizeof *v);
    struct needle text, secret;
    char *line = secret_alloc(512), *token = secret_alloc(INVITE_TEXT_BYTES_MAX);
    struct err e = {0};

    (void)state;
    random_fill(v->secret, sizeof v->secret);
    invite_format(token, v);
    secret = needle_of(v->secret, sizeof v->secret);
    text = needle_of(token, strlen(token));
    snprintf(line, 512, "{\"id\": 7, \"command\": \"join\", \"args\": {\"token\" : \"%s\"}}",
             token);
    assert_true(request_parse(r, slice_text(line), &e));
    assert_string_equal(r->token, token);
    sodium_memzero(token, INVITE_TEXT_BYTES_MAX);
    sodium_memzero(v, sizeof *v);
    assert_true(count(&text) >= 2); /* the line, and the request */
    assert_true(invite_parse(v, r->token, &e));
    assert_int_equal(count(&secret), 1);
    request_close(r);
    secret_free(r);
    secret_free(v);
    secret_free(line);
    secret_free(token);
    assert_int_equal(count(&text), 0);
    assert_int_equal(count(&secret), 0);
}

/* That it is locked, real agents show (test_secrets.py): the sanitizer locks nothing. */
static void a_process_that_hides_leaves_no_core_dump(void **state)
{
    struct rlimit limit;

    (void)state;
    memory_hide();
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    assert_true(limit.rlim_cur == 0 && limit.rlim_max == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_memory_is_found_wherever_it_is),
        cmocka_unit_test(nothing_is_left_of_a_handshake_once_it_is_done),
        cmocka_unit_test(nothing_is_left_of_an_identity_that_was_wiped),
        cmocka_unit_test(nothing_is_left_of_a_secret_buffer_that_grew),
        cmocka_unit_test(nothing_is_left_of_a_token_once_its_request_is_closed),
        cmocka_unit_test(a_process_that_hides_leaves_no_core_dump),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
