#include <navette/letter.h>

#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include <navette/wire.h>

#include "json_text.h"

#define ASK_KEY        "navette ask key 1"
#define ASK_CONTEXT    "navette ask 1"
#define ANSWER_CONTEXT "navette answer 1"
#define SALT_BYTES     32
#define TAG_BYTES      crypto_aead_chacha20poly1305_ietf_ABYTES
#define ASK_BYTES_MAX  (JOIN_BYTES_MAX + 256)

static const char *const kind_names[] = {
    [LETTER_ASK] = "join-ask", [LETTER_ANSWER] = "join-answer"};

/* ---- the file ---- */

static bool skip(struct slice *s, const char *word)
{
    size_t n = strlen(word);

    while (s->n > 0 && strchr(" \t\r\n", s->p[0]) != NULL && s->p[0] != '\0')
        *s = (struct slice){s->p + 1, s->n - 1};
    if (s->n < n || memcmp(s->p, word, n) != 0)
        return false;
    *s = (struct slice){s->p + n, s->n - n};
    return true;
}

bool letter_is(struct slice head)
{
    return skip(&head, "{") && skip(&head, "\"navette\"") && skip(&head, ":") &&
           skip(&head, "\"join-");
}

void letter_write(struct buf *out, const struct letter *l)
{
    buf_open(out, LETTER_BYTES_MAX);
    json_add(out, "{\n\"navette\": \"%s\",\n\"format\": %d,\n\"invitation\": ", kind_names[l->kind],
             LETTER_FORMAT);
    json_add_hex(out, SLICE(l->invitation));
    json_add(out, ",\n\"sealed\": ");
    json_add_base64(out, buf_slice(&l->sealed));
    json_add(out, "\n}\n");
}

static struct json_object *field(struct json_cursor *c, const char *key, bool first)
{
    json_key(c, key, first);
    return json_piece(c, 0, key);
}

static void read_kind(struct json_cursor *c, struct letter *l)
{
    struct slice kind = json_string(c, field(c, "navette", true), "navette");
    bool answer = slice_equal(kind, slice_text(kind_names[LETTER_ANSWER]));
    uint64_t format;

    if (!c->failed && !answer && !slice_equal(kind, slice_text(kind_names[LETTER_ASK])))
        json_fail(c, ERR_INPUT,
                  "this is neither a request to join nor an answer to one: if it is Navette's, "
                  "update Navette on this PC");
    l->kind = answer ? LETTER_ANSWER : LETTER_ASK;
    format = json_uint(c, field(c, "format", false), UINT32_MAX, "format");
    if (!c->failed && format != LETTER_FORMAT)
        json_fail(c, ERR_INPUT,
                  "this file has format %" PRIu64
                  ", this program knows format %d: update Navette on this PC",
                  format, LETTER_FORMAT);
}

static void read_letter(struct json_cursor *c, struct letter *l)
{
    struct slice sealed;

    json_mark(c, '{');
    read_kind(c, l);
    json_hex(c, field(c, "invitation", false), l->invitation, sizeof l->invitation, "invitation");
    sealed = json_base64(c, field(c, "sealed", false), "sealed");
    json_mark(c, '}');
    if (!c->failed)
        buf_add(&l->sealed, sealed.p, sealed.n);
}

bool letter_read(struct letter *l, struct slice file, struct err *e)
{
    struct json_cursor c;
    bool ok;

    if (file.n > LETTER_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a file of %zu bytes, allowed up to %u", file.n,
                       LETTER_BYTES_MAX);
    buf_open(&l->sealed, LETTER_BYTES_MAX);
    json_open(&c, file, e);
    read_letter(&c, l);
    ok = !c.failed;
    json_close(&c);
    return ok || err_wrap(e, "it was changed or is not whole");
}

void letter_close(struct letter *l)
{
    buf_close(&l->sealed);
}

/* ---- ask ---- */

/* A key of its own for every letter: so its one nonce is zeros. */
static void ask_key(uint8_t key[HASH_BYTES], const struct invite_lock *lock, const uint8_t *salt)
{
    hash_derive(key, lock->psk, ASK_KEY, (struct slice){salt, SALT_BYTES});
}

static const uint8_t no_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
static const uint8_t no_session[32];

static void seal_ask(struct letter *l, struct slice record, const struct invite_lock *lock)
{
    uint8_t key[HASH_BYTES], *salt;

    buf_open(&l->sealed, SALT_BYTES + ASK_BYTES_MAX + TAG_BYTES);
    salt = buf_extend(&l->sealed, SALT_BYTES + record.n + TAG_BYTES);
    random_fill(salt, SALT_BYTES);
    ask_key(key, lock, salt);
    crypto_aead_chacha20poly1305_ietf_encrypt(salt + SALT_BYTES, NULL, record.p, record.n, NULL, 0,
                                              NULL, no_nonce, key);
    sodium_memzero(key, sizeof key);
}

static void prove(struct join_message *join, const struct invite *v)
{
    struct buf statement;

    join_statement(&statement, join, no_session);
    invite_prove(v, buf_slice(&statement), join->proof);
    buf_close(&statement);
}

void letter_ask_seal(struct letter *l, const char *name, const uint8_t machine[HASH_BYTES],
                     const struct invite *v, const struct keys *k)
{
    struct join_message join = {.kind = JOIN_JOIN};
    uint8_t signature[SIGNATURE_BYTES];
    struct buf message, inner, record;
    struct invite_lock lock;
    struct writer w;

    snprintf(join.name, sizeof join.name, "%s", name);
    memcpy(join.sign_public, k->sign_public, sizeof join.sign_public);
    memcpy(join.exchange_public, k->exchange_public, sizeof join.exchange_public);
    prove(&join, v);
    invite_lock(&lock, v);
    buf_open(&message, JOIN_BYTES_MAX);
    join_message_write(&message, &join);
    buf_open(&inner, ASK_BYTES_MAX);
    w = (struct writer){.out = &inner};
    write_array(&w, 3);
    write_bin(&w, SLICE(lock.id));
    write_bin(&w, (struct slice){machine, HASH_BYTES});
    write_bin(&w, buf_slice(&message));
    keys_sign(k, ASK_CONTEXT, buf_slice(&inner), signature);
    buf_open(&record, ASK_BYTES_MAX);
    w = (struct writer){.out = &record};
    write_array(&w, 2);
    write_bin(&w, buf_slice(&inner));
    write_bin(&w, SLICE(signature));
    l->kind = LETTER_ASK;
    memcpy(l->invitation, lock.id, sizeof l->invitation);
    seal_ask(l, buf_slice(&record), &lock);
    sodium_memzero(&lock, sizeof lock);
    buf_close(&message);
    buf_close(&inner);
    buf_close(&record);
}

/* The invitation stands inside as well, where nobody changes it. */
static bool read_invitation(struct reader *r, const uint8_t invitation[INVITE_ID_BYTES])
{
    uint8_t id[INVITE_ID_BYTES];

    read_bin_exact(r, id, sizeof id, "invitation");
    if (!r->failed && memcmp(id, invitation, sizeof id) != 0)
        read_fail(r, ERR_CRYPTO, "it was made for another invitation");
    return !r->failed;
}

/* The message inside, as one that joins over the network sends or gets it. */
static bool read_inside(struct join_message *m, enum join_kind kind, struct slice bytes,
                        struct err *e)
{
    if (!join_message_read(m, bytes, e))
        return false;
    return m->kind == kind || err_set(e, ERR_INPUT, "message %u where %s belongs",
                                      (unsigned)m->kind, kind == JOIN_JOIN ? "JOIN" : "WELCOME");
}

static bool read_ask_inner(struct letter_ask *ask, const uint8_t invitation[INVITE_ID_BYTES],
                           struct slice inner, struct err *e)
{
    struct reader r = reader_of(inner, e);
    struct slice message;

    read_array_exact(&r, 3, "request to join");
    read_invitation(&r, invitation);
    read_bin_exact(&r, ask->machine, sizeof ask->machine, "machine");
    message = read_bin(&r, JOIN_BYTES_MAX, "JOIN");
    return read_end(&r) && read_inside(&ask->join, JOIN_JOIN, message, e);
}

bool letter_ask_read(struct letter_ask *ask, const uint8_t invitation[INVITE_ID_BYTES],
                     struct slice record, struct err *e)
{
    struct reader r = reader_of(record, e);
    uint8_t signature[SIGNATURE_BYTES];
    struct slice inner;

    *ask = (struct letter_ask){0};
    read_array_exact(&r, 2, "request to join");
    inner = read_bin(&r, ASK_BYTES_MAX, "request to join");
    read_bin_exact(&r, signature, sizeof signature, "signature");
    return read_end(&r) && read_ask_inner(ask, invitation, inner, e) &&
           keys_verify(ask->join.sign_public, ASK_CONTEXT, inner, signature, e);
}

bool letter_ask_open(struct letter_ask *ask, const struct letter *l, const struct invite_lock *lock,
                     struct err *e)
{
    uint8_t key[HASH_BYTES], record[ASK_BYTES_MAX];
    size_t n = l->sealed.n - SALT_BYTES;
    bool ok;

    if (l->sealed.n <= SALT_BYTES + TAG_BYTES || n - TAG_BYTES > sizeof record)
        return err_set(e, ERR_INPUT, "a request to join of %zu bytes", l->sealed.n);
    ask_key(key, lock, l->sealed.p);
    ok = crypto_aead_chacha20poly1305_ietf_decrypt(record, NULL, NULL, l->sealed.p + SALT_BYTES, n,
                                                   NULL, 0, no_nonce, key) == 0;
    sodium_memzero(key, sizeof key);
    if (!ok)
        return err_set(e, ERR_CRYPTO, "somebody changed it, or it was cut off on the way");
    return letter_ask_read(ask, l->invitation, (struct slice){record, n - TAG_BYTES}, e);
}

bool letter_ask_proven(const struct letter_ask *ask, const struct invite_lock *lock, struct err *e)
{
    struct buf statement;
    bool ok;

    join_statement(&statement, &ask->join, no_session);
    ok = invite_check(lock, buf_slice(&statement), ask->join.proof, e);
    buf_close(&statement);
    return ok;
}

/* ---- answer ---- */

static void write_answer_inner(struct buf *inner, const struct letter *l,
                               const struct letter_answer *a)
{
    struct writer w = {.out = inner};
    struct buf message;

    buf_open_secret(&message, WELCOME_BYTES_MAX);
    join_message_write(&message, &a->welcome);
    write_array(&w, 5);
    write_bin(&w, SLICE(l->invitation));
    write_bin(&w, SLICE(a->joiner));
    write_bin(&w, buf_slice(&message));
    vector_write(&w, &a->have);
    write_bin(&w, a->keys);
    buf_wipe(&message);
}

static bool seal_answer(struct letter *l, struct slice record, const uint8_t *exchange_public,
                        struct err *e)
{
    uint8_t *box;

    buf_open(&l->sealed, record.n + crypto_box_SEALBYTES);
    box = buf_extend(&l->sealed, record.n + crypto_box_SEALBYTES);
    return crypto_box_seal(box, record.p, record.n, exchange_public) == 0 ||
           err_set(e, ERR_CRYPTO, "the newcomer's exchange key is none");
}

bool letter_answer_seal(struct letter *l, struct letter_answer *a,
                        const uint8_t exchange_public[KEY_BYTES], const struct keys *k,
                        struct err *e)
{
    uint8_t signature[SIGNATURE_BYTES];
    struct buf inner, record;
    struct writer w = {.out = &record};
    bool ok;

    l->kind = LETTER_ANSWER;
    memcpy(a->maker, k->sign_public, sizeof a->maker);
    buf_open_secret(&inner, LETTER_RECORD_BYTES_MAX);
    buf_open_secret(&record, LETTER_RECORD_BYTES_MAX);
    write_answer_inner(&inner, l, a);
    keys_sign(k, ANSWER_CONTEXT, buf_slice(&inner), signature);
    write_array(&w, 3);
    write_bin(&w, buf_slice(&inner));
    write_bin(&w, SLICE(a->maker));
    write_bin(&w, SLICE(signature));
    ok = !inner.overflow && !record.overflow
             ? seal_answer(l, buf_slice(&record), exchange_public, e)
             : err_set(e, ERR_LIMIT, "an answer of more than %u bytes", LETTER_RECORD_BYTES_MAX);
    buf_wipe(&inner);
    buf_wipe(&record);
    return ok;
}

static bool read_answer_inner(struct letter_answer *a, const uint8_t invitation[INVITE_ID_BYTES],
                              struct slice inner, struct err *e)
{
    struct reader r = reader_of(inner, e);
    struct slice message;

    read_array_exact(&r, 5, "answer");
    read_invitation(&r, invitation);
    read_bin_exact(&r, a->joiner, sizeof a->joiner, "joiner");
    message = read_bin(&r, WELCOME_BYTES_MAX, "WELCOME");
    vector_read(&r, &a->have);
    a->keys = read_bin(&r, LETTER_KEYS_BYTES_MAX, "keys");
    return read_end(&r) && read_inside(&a->welcome, JOIN_WELCOME, message, e);
}

bool letter_answer_read(struct letter_answer *a, const uint8_t invitation[INVITE_ID_BYTES],
                        struct slice record, struct err *e)
{
    struct reader r = reader_of(record, e);
    uint8_t signature[SIGNATURE_BYTES];
    struct slice inner;

    *a = (struct letter_answer){0};
    read_array_exact(&r, 3, "answer");
    inner = read_bin(&r, LETTER_RECORD_BYTES_MAX, "answer");
    read_bin_exact(&r, a->maker, sizeof a->maker, "maker");
    read_bin_exact(&r, signature, sizeof signature, "signature");
    return read_end(&r) && read_answer_inner(a, invitation, inner, e) &&
           keys_verify(a->maker, ANSWER_CONTEXT, inner, signature, e);
}

bool letter_answer_open(struct letter_answer *a, struct buf *record, const struct letter *l,
                        const struct keys *k, struct err *e)
{
    size_t n = l->sealed.n - crypto_box_SEALBYTES;

    *a = (struct letter_answer){0};
    if (l->sealed.n <= crypto_box_SEALBYTES || n > LETTER_RECORD_BYTES_MAX)
        return err_set(e, ERR_INPUT, "an answer of %zu bytes", l->sealed.n);
    buf_open_secret(record, n);
    if (crypto_box_seal_open(buf_extend(record, n), l->sealed.p, l->sealed.n, k->exchange_public,
                             k->exchange_secret) != 0)
        return err_set(e, ERR_CRYPTO,
                       "it is meant for another PC, or somebody changed it on the way");
    if (!letter_answer_read(a, l->invitation, buf_slice(record), e))
        return false;
    return memcmp(a->joiner, k->sign_public, sizeof a->joiner) == 0 ||
           err_set(e, ERR_CRYPTO, "it answers another PC");
}
