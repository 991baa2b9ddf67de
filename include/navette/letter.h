/* Letters: joining without a network. What a newcomer and the PC that made an invitation say to
 * each other over a channel (join.h) goes through a file instead, on a stick:
 *
 *     ASK     newcomer -> maker     a JOIN, sealed with the invitation's psk
 *     ANSWER  maker -> newcomer     a WELCOME, sealed to the newcomer's exchange key
 *
 *     file   = {"navette": "join-ask" or "join-answer", "format": 1,
 *               "invitation": "<hex of its id>", "sealed": "<base64>"}
 *     ask    = [[invitation: bin 8, machine: bin 32, JOIN: bin], signature: bin 64]
 *     answer = [[invitation: bin 8, joiner: bin 32, WELCOME: bin, have: vector, keys: bin],
 *               maker: bin 32, signature: bin 64]        the first element in a bin each time
 *
 * Who finds the stick reads the id of an invitation, which is public. The token is on neither. */
#ifndef NAVETTE_LETTER_H
#define NAVETTE_LETTER_H

#include <navette/invite.h>
#include <navette/join.h>
#include <navette/vector.h>

#define LETTER_FORMAT         1
#define LETTER_KEYS_BYTES_MAX (4u << 20) /* of the maker's local keys; more stay out */
#define LETTER_VECTOR_BYTES   (ACTORS_MAX * 70u)
#define LETTER_RECORD_BYTES_MAX                                                                    \
    (WELCOME_BYTES_MAX + LETTER_KEYS_BYTES_MAX + LETTER_VECTOR_BYTES + 1024u)
#define LETTER_BYTES_MAX  ((LETTER_RECORD_BYTES_MAX + 256u) / 3 * 4 + 512u) /* of a file */
#define LETTER_HEAD_BYTES 64 /* so many of its first bytes tell a letter from other files */

struct letter {
    enum letter_kind { LETTER_ASK, LETTER_ANSWER } kind;
    uint8_t invitation[INVITE_ID_BYTES];
    struct buf sealed;
};

/* Does a file that begins so look like a letter? */
bool letter_is(struct slice head);
/* As a file, into `out`, which it opens. */
void letter_write(struct buf *out, const struct letter *l);
/* `l` is empty (zeroed); close it also after a failure. */
MUST_USE bool letter_read(struct letter *l, struct slice file, struct err *e);
void letter_close(struct letter *l);

struct letter_ask {
    struct join_message join;    /* its proof is over a session of zeros (join_statement) */
    uint8_t machine[HASH_BYTES]; /* where the newcomer's home is: another one is a copy's */
};

/* Make the proof with the token, sign as the newcomer `k`, whose public keys and name `ask->join`
 * gets from here, and seal. */
void letter_ask_seal(struct letter *l, const char *name, const uint8_t machine[HASH_BYTES],
                     const struct invite *v, const struct keys *k);
/* ERR_CRYPTO: not sealed with this invitation's psk, changed, or not signed by the one who asks.
 * The proof is not looked at: letter_ask_proven. */
MUST_USE bool letter_ask_open(struct letter_ask *ask, const struct letter *l,
                              const struct invite_lock *lock, struct err *e);
/* Had whoever wrote it the token? */
MUST_USE bool letter_ask_proven(const struct letter_ask *ask, const struct invite_lock *lock,
                                struct err *e);
/* What was sealed, as bytes. */
MUST_USE bool letter_ask_read(struct letter_ask *ask, const uint8_t invitation[INVITE_ID_BYTES],
                              struct slice record, struct err *e);

struct letter_answer {
    uint8_t joiner[SIGN_PUBLIC_BYTES];
    struct join_message welcome; /* its fleet key is a secret; its roster is borrowed */
    struct vector have;          /* what the maker had of everybody's changes */
    struct slice keys;           /* store_keys, or as much as there is room for; borrowed */
    uint8_t maker[SIGN_PUBLIC_BYTES];
};

/* Sign as the maker `k` (which fills in `maker`), and seal to `exchange_public`. ERR_CRYPTO: to
 * this key nothing can be sealed. ERR_LIMIT: too much. */
MUST_USE bool letter_answer_seal(struct letter *l, struct letter_answer *a,
                                 const uint8_t exchange_public[KEY_BYTES], const struct keys *k,
                                 struct err *e);
/* For the newcomer `k`; `record` gets the bytes that `a` borrows, to be wiped when `a` was used,
 * and after a failure. The caller closes a->have, and checks who the maker is. */
MUST_USE bool letter_answer_open(struct letter_answer *a, struct buf *record,
                                 const struct letter *l, const struct keys *k, struct err *e);
/* What was sealed, as bytes. */
MUST_USE bool letter_answer_read(struct letter_answer *a, const uint8_t invitation[INVITE_ID_BYTES],
                                 struct slice record, struct err *e);

#endif
