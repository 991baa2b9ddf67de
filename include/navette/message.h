/* Messages of a sync. Each is a msgpack array that begins with its kind; one table per message
 * makes its struct, its writer and its reader. Kinds above 127 are skipped by who does not know
 * them, the others are errors. */
#ifndef NAVETTE_MESSAGE_H
#define NAVETTE_MESSAGE_H

#include <navette/bounds.h>
#include <navette/changeset.h>

#define MESSAGE_PROTOCOL          1
#define MESSAGE_WORD_BYTES_MAX    32  /* the code of a BYE */
#define MESSAGE_TEXT_BYTES_MAX    256 /* its text */
#define MESSAGE_NUMBER_MAX        ((UINT64_C(1) << 63) - 1)
#define MESSAGE_KIND_SKIPPED_MIN  128
#define MESSAGE_SKIPPED_BYTES_MAX 1572864 /* of a kind that is skipped */

/* HELLO, first message each way: [1, protocol: uint, wall_ms: uint, actor: bin 24,
 *     roster digest: bin 32, have: vector, applied: vector]
 * Kind and protocol stand there in every version; of another protocol nothing else is read. */
#define MESSAGE_HELLO(X)                                                                           \
    X(number, protocol)                                                                            \
    X(number, wall_ms)                                                                             \
    X(actor, actor)                                                                                \
    X(hash, roster_digest)                                                                         \
    X(vector, have)                                                                                \
    X(vector, applied)

/* ROSTER: [2, digest: bin 32, log: bin <= ROSTER_BYTES_MAX] */
#define MESSAGE_ROSTER(X)                                                                          \
    X(hash, digest)                                                                                \
    X(roster, log)

/* HAVE, only what changed: [3, have: vector, applied: vector] */
#define MESSAGE_HAVE(X)                                                                            \
    X(vector, have)                                                                                \
    X(vector, applied)

/* WANT: [4, actor: bin 24, after: uint] */
#define MESSAGE_WANT(X)                                                                            \
    X(actor, actor)                                                                                \
    X(number, after)

/* CHANGESET: [5, change-set: bin <= CHANGESET_BYTES_MAX] */
#define MESSAGE_CHANGESET(X) X(changeset, bytes)

/* PING: [6, token: uint, wall_ms: uint]   PONG, its answer: [7, token: uint, wall_ms: uint] */
#define MESSAGE_PING(X)                                                                            \
    X(number, token)                                                                               \
    X(number, wall_ms)
#define MESSAGE_PONG(X) MESSAGE_PING(X)

/* BYE, last message: [8, code: str <= 32, text: str <= 256] */
#define MESSAGE_BYE(X)                                                                             \
    X(word, code)                                                                                  \
    X(text, text)

/* ASKKEYS: [9, at most so many bytes: uint]   KEYS, its answer: [10, keys: bin <= KEYS_BYTES_MAX]
 */
#define MESSAGE_ASKKEYS(X) X(number, bytes)
#define MESSAGE_KEYS(X)    X(keys, keys)

/* BRIEF, from a joiner whose rows may be a copy's: [11, send outlines: bool] */
#define MESSAGE_BRIEF(X) X(flag, wanted)

/* OUTLINE, in place of a CHANGESET: [12, header: bin, signature: bin, outline: bin] (outline.h) */
#define MESSAGE_OUTLINE(X)                                                                         \
    X(header, header)                                                                              \
    X(signature, signature)                                                                        \
    X(body, outline)

/* ASK, of a change-set told in outline:
 *     [13, token: uint, actor: bin 24, number: uint, what: uint, picks: bin]
 * TELL, its answer: [14, token: uint, bytes: bin] */
#define MESSAGE_ASK(X)                                                                             \
    X(number, token)                                                                               \
    X(actor, actor)                                                                                \
    X(number, number)                                                                              \
    X(number, what)                                                                                \
    X(picks, picks)
#define MESSAGE_TELL(X)                                                                            \
    X(number, token)                                                                               \
    X(body, bytes)

/* ASKPRESENCE: sign this session, please: [15, session: bin 32]
 * PRESENCE, its answer, and the same shown to the other one of two that claim one identity:
 *     [19, session: bin 32, run: bin 32, signature: bin 64] (protocol/README.md, "Twins") */
#define MESSAGE_ASKPRESENCE(X) X(hash, session)
#define MESSAGE_PRESENCE(X)                                                                        \
    X(hash, session)                                                                               \
    X(hash, run)                                                                                   \
    X(signature, signature)

/* kind, name, table */
#define MESSAGES(X)                                                                                \
    X(1, HELLO, hello, MESSAGE_HELLO)                                                              \
    X(2, ROSTER, roster, MESSAGE_ROSTER)                                                           \
    X(3, HAVE, have, MESSAGE_HAVE)                                                                 \
    X(4, WANT, want, MESSAGE_WANT)                                                                 \
    X(5, CHANGESET, changeset, MESSAGE_CHANGESET)                                                  \
    X(6, PING, ping, MESSAGE_PING)                                                                 \
    X(7, PONG, pong, MESSAGE_PONG)                                                                 \
    X(8, BYE, bye, MESSAGE_BYE)                                                                    \
    X(9, ASKKEYS, askkeys, MESSAGE_ASKKEYS)                                                        \
    X(10, KEYS, keys, MESSAGE_KEYS)                                                                \
    X(11, BRIEF, brief, MESSAGE_BRIEF)                                                             \
    X(12, OUTLINE, outline, MESSAGE_OUTLINE)                                                       \
    X(13, ASK, ask, MESSAGE_ASK)                                                                   \
    X(14, TELL, tell, MESSAGE_TELL)                                                                \
    X(15, ASKPRESENCE, askpresence, MESSAGE_ASKPRESENCE)                                           \
    X(19, PRESENCE, presence, MESSAGE_PRESENCE)

#define MESSAGE_KIND(kind, NAME, name, table) MESSAGE_KIND_##NAME = kind,
enum message_kind { MESSAGES(MESSAGE_KIND) };

#define MESSAGE_FIELD_number(name)    uint64_t name;
#define MESSAGE_FIELD_actor(name)     struct actor name;
#define MESSAGE_FIELD_hash(name)      uint8_t name[HASH_BYTES];
#define MESSAGE_FIELD_vector(name)    struct vector name;
#define MESSAGE_FIELD_roster(name)    struct slice name;
#define MESSAGE_FIELD_changeset(name) struct slice name;
#define MESSAGE_FIELD_keys(name)      struct slice name;
#define MESSAGE_FIELD_flag(name)      bool name;
#define MESSAGE_FIELD_header(name)    struct slice name;
#define MESSAGE_FIELD_signature(name) struct slice name;
#define MESSAGE_FIELD_body(name)      struct slice name;
#define MESSAGE_FIELD_picks(name)     struct slice name;
#define MESSAGE_FIELD_word(name)      struct slice name;
#define MESSAGE_FIELD_text(name)      struct slice name;
#define MESSAGE_FIELD(type, name)     MESSAGE_FIELD_##type(name)
#define MESSAGE_STRUCT(kind, NAME, name, table)                                                    \
    struct message_##name {                                                                        \
        table(MESSAGE_FIELD)                                                                       \
    };
MESSAGES(MESSAGE_STRUCT)

#define MESSAGE_MEMBER(kind, NAME, name, table) struct message_##name name;
struct message {
    uint64_t kind; /* a message_kind, or 128 and above: to be skipped, nothing else is set */
    union {
        MESSAGES(MESSAGE_MEMBER)
    };
};

/* Append the message, preceded by its length (u32 BE). When it does not fit, `out->overflow` says
 * so and nothing is appended. */
void message_write(struct buf *out, const struct message *m);
/* Decode; slices borrow `bytes`. Close it also after a failure. */
MUST_USE bool message_read(struct message *m, struct slice bytes, struct err *e);
void message_close(struct message *m);
/* Is it, by its first bytes, of this kind (below 128)? */
bool message_is(struct slice message, enum message_kind kind);
/* `bytes` of a message have come, of which `start` are the first, or all; may it go on? Fails as
 * soon as it is longer than its kind, or what it says of its own length, allows: so what cannot
 * become a message is not waited for. */
MUST_USE bool message_begins(struct slice start, size_t bytes, struct err *e);
/* Take the next length-prefixed message from the front of what message_write appended; false when
 * there is none (or an unfinished one). */
bool message_next(struct slice *left, struct slice *message);

#endif
