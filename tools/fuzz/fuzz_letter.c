/* Any file is a letter or refused. Any bytes that somebody who has the token seals in one are read
 * or refused, the same whether they were sealed or not. A letter that was read is written to one
 * that reads back the same. */
#include <navette/letter.h>

#include "fuzz.h"

#define SALT_BYTES 32

/* The invitation and the PCs of the worked example, whose letters are in the corpus. */
static struct keys guest;
static struct invite_lock lock;

static void example_open(void)
{
    struct invite v = {0};
    uint8_t seed[32];

    if (lock.id[0] != 0)
        return;
    expect(sodium_init() >= 0);
    for (uint8_t i = 0; i < sizeof v.secret; i++)
        v.secret[i] = 0xc0 + i;
    for (uint8_t i = 0; i < sizeof seed; i++)
        seed[i] = 32 + i;
    invite_lock(&lock, &v);
    keys_from_seed(&guest, seed);
}

static void file(struct slice bytes)
{
    struct letter l = {0}, back = {0};
    struct buf out;
    struct err e = {0}, other = {0};

    if (letter_read(&l, bytes, &e)) {
        letter_write(&out, &l);
        expect(letter_is((struct slice){out.p, LETTER_HEAD_BYTES}));
        expect(letter_read(&back, buf_slice(&out), &other) && back.kind == l.kind &&
               slice_equal(buf_slice(&back.sealed), buf_slice(&l.sealed)));
        buf_close(&out);
    }
    letter_close(&l);
    letter_close(&back);
}

static void seal_ask(struct letter *l, struct slice record)
{
    static const uint8_t no_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    const size_t around = SALT_BYTES + crypto_aead_chacha20poly1305_ietf_ABYTES;
    uint8_t key[HASH_BYTES], *salt;

    buf_open(&l->sealed, record.n + around);
    salt = buf_extend(&l->sealed, record.n + around);
    hash_derive(key, lock.psk, "navette ask key 1", (struct slice){salt, SALT_BYTES});
    crypto_aead_chacha20poly1305_ietf_encrypt(salt + SALT_BYTES, NULL, record.p, record.n, NULL, 0,
                                              NULL, no_nonce, key);
}

static void ask(struct slice record)
{
    struct letter l = {.kind = LETTER_ASK};
    struct letter_ask as_read, as_opened;
    struct err read = {0}, opened = {0};
    bool ok = letter_ask_read(&as_read, lock.id, record, &read);

    expect(ok == (read.code == ERR_NONE));
    memcpy(l.invitation, lock.id, sizeof l.invitation);
    seal_ask(&l, record);
    expect(letter_ask_open(&as_opened, &l, &lock, &opened) ==
           (ok && record.n <= JOIN_BYTES_MAX + 256));
    expect(!ok || memcmp(as_read.machine, as_opened.machine, sizeof as_read.machine) == 0);
    letter_close(&l);
}

static void answer(struct slice record)
{
    struct letter l = {.kind = LETTER_ANSWER};
    struct letter_answer as_read, as_opened;
    struct buf bytes = {0};
    struct err read = {0}, opened = {0};
    bool ok = letter_answer_read(&as_read, lock.id, record, &read);

    expect(ok == (read.code == ERR_NONE));
    memcpy(l.invitation, lock.id, sizeof l.invitation);
    buf_open(&l.sealed, record.n + crypto_box_SEALBYTES);
    expect(crypto_box_seal(buf_extend(&l.sealed, record.n + crypto_box_SEALBYTES), record.p,
                           record.n, guest.exchange_public) == 0);
    expect(letter_answer_open(&as_opened, &bytes, &l, &guest, &opened) ==
           (ok && memcmp(as_read.joiner, guest.sign_public, sizeof as_read.joiner) == 0));
    vector_close(&as_read.have);
    vector_close(&as_opened.have);
    buf_wipe(&bytes);
    letter_close(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice record = {bytes, n};

    example_open();
    file(record);
    ask(record);
    answer(record);
    return 0;
}
