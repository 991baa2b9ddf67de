/* Joining: what is said over a channel that an invitation's secret opened (CHANNEL_INVITE).
 *
 *     JOIN     joiner  -> member   [16, name: str, sign public: bin 32, exchange public: bin 32]
 *     WELCOME  member  -> joiner   [17, fleet key: bin 32, roster: bin]
 *     SORRY    member  -> joiner   [18, text: str]      why not; the channel is then closed
 *
 * The keys in JOIN must be those the channel authenticated, and only who has the token can make the
 * proof (invite.h). */
#ifndef NAVETTE_JOIN_H
#define NAVETTE_JOIN_H

#include <navette/bounds.h>
#include <navette/keys.h>

#define SORRY_BYTES_MAX   256
#define JOIN_BYTES_MAX    1024                      /* of a whole JOIN */
#define WELCOME_BYTES_MAX (ROSTER_BYTES_MAX + 1024) /* of a whole WELCOME */

enum join_kind { JOIN_JOIN = 16, JOIN_WELCOME = 17, JOIN_SORRY = 18 };

struct join_message {
    enum join_kind kind;
    char name[NAME_BYTES_MAX + 1];   /* JOIN */
    uint8_t sign_public[32];         /* JOIN */
    uint8_t exchange_public[32];     /* JOIN */
    uint8_t proof[SIGNATURE_BYTES];  /* JOIN: by the token's key, over join_statement */
    uint8_t fleet_key[KEY_BYTES];    /* WELCOME */
    struct slice roster;             /* WELCOME: borrowed */
    char sorry[SORRY_BYTES_MAX + 1]; /* SORRY: printable ASCII */
};

#define JOIN_STATEMENT_BYTES_MAX (3 * 32 + NAME_BYTES_MAX)

/* What a JOIN's proof signs: the channel's session (32 zeros: in a file), both keys, the name. */
void join_statement(struct buf *out, const struct join_message *m, const uint8_t session[32]);
/* Append the message to `out`. */
void join_message_write(struct buf *out, const struct join_message *m);
/* ERR_INPUT or ERR_LIMIT when it is none of the three. */
MUST_USE bool join_message_read(struct join_message *m, struct slice bytes, struct err *e);

#endif
