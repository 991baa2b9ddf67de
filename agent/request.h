/* A request on the control socket, from one line of JSON; and the lines that answer it. Pure.
 *
 *     -> {"id": 1, "command": "status", "args": {}}
 *     <- {"id": 1, "ok": true, "result": {...}}
 *     <- {"id": 1, "ok": false, "error": {"code": "refused", "text": "..."}} */
#ifndef NAVETTE_REQUEST_H
#define NAVETTE_REQUEST_H

#include <navette/bounds.h>
#include <navette/bytes.h>
#include <navette/invite.h>
#include <navette/roster.h>

#include "file.h"
#include "rulejson.h"

struct json_object;

#define REQUEST_WAIT_MS_MAX      86400000
#define REQUEST_WAIT_MS_DEFAULT  30000
#define REQUEST_TTL_MS_MIN       1000
#define REQUEST_TTL_MS_MAX       86400000
#define REQUEST_TTL_MS_DEFAULT   900000
#define REQUEST_STICK_MS_MAX     604800000 /* of a token whose guest comes with a stick: a week */
#define REQUEST_STICK_MS_DEFAULT 86400000
#define ANSWER_BYTES_MAX         (16u << 20) /* a client reads no longer line */

enum request_kind {
    REQUEST_STATUS,       /* -> the snapshot */
    REQUEST_PEERS,        /* -> peers: [] */
    REQUEST_TABLES,       /* -> tables: [{name, tracked, refused, rows}] */
    REQUEST_TRACK,        /* tables: [text] or all: true -> as tables */
    REQUEST_UNTRACK,      /* tables: [text] -> as tables */
    REQUEST_UNINSTALL,    /* -> {} */
    REQUEST_INVITE,       /* ttl_ms, stick -> token, ttl_ms */
    REQUEST_JOIN,         /* token, copy -> {} when this PC is a member */
    REQUEST_JOIN_ASK,     /* token (or none: that of init), copy, directory -> path */
    REQUEST_JOIN_TAKE,    /* path -> kind: request or answer, name, fleet; path of the answer to a
                             request, else null */
    REQUEST_SYNC,         /* without_absent, clock_is_right -> connected, at once */
    REQUEST_WAIT,         /* timeout_ms -> settled, connected, peers */
    REQUEST_STOP,         /* -> {} and the agent ends */
    REQUEST_DROP_EXPORT,  /* directory, peer -> path (of the first file or null), paths, changesets
                           */
    REQUEST_DROP_IMPORT,  /* path, adopt -> added, roster, key, refused, refused_of (or null) */
    REQUEST_RULES,        /* -> rules: [rulejson.h], changed: 0 */
    REQUEST_RULES_SET,    /* rules: [...], all or none -> as rules, changed: how many */
    REQUEST_RULES_UNSET,  /* likewise; argument and where are not looked at */
    REQUEST_RULES_PRESET, /* name -> as rules-set */
    REQUEST_CONFLICTS,    /* number or none -> review.h */
    REQUEST_CONFLICT_RESTORE, /* number -> review.h */
    REQUEST_CONFLICT_DISMISS, /* number or all: true -> review.h */
    REQUEST_CONFLICT_MERGE,   /* table, first, second: the keys of two rows -> review.h */
    REQUEST_PARKED,           /* -> review.h */
    REQUEST_PARKED_ACCEPT,    /* what waits for a migration comes in -> review.h */
    REQUEST_ROSTER,           /* [peer] -> admin.h */
    REQUEST_REVOKE,           /* peer -> admin.h */
    REQUEST_RENAME,           /* peer, name -> admin.h */
    REQUEST_ADMIN_ADD,        /* peer -> admin.h */
    REQUEST_ADMIN_REMOVE,     /* peer -> admin.h */
    REQUEST_ROTATE,           /* -> admin.h */
    REQUEST_INVITE_CANCEL,    /* id or none: all that are open -> admin.h */
    REQUEST_CHECKPOINT,       /* -> admin.h */
};

/* Checked: every text is UTF-8 without NUL and within its maximum; every number within its limits.
 */
struct request {
    int64_t id;
    enum request_kind kind;
    char **tables; /* owned */
    uint32_t table_count;
    struct asked_rule *rules; /* owned */
    uint32_t rule_count;
    char preset[32];
    char name[NAME_BYTES_MAX + 1];                   /* rename: the new one */
    char invitation[2 * ROSTER_INVITE_ID_BYTES + 1]; /* its id in digits, "" for all */
    bool all;
    bool copy;
    bool without_absent;
    bool clock_is_right;
    bool adopt;
    bool stick;
    int64_t number; /* of a conflict, 0: none was given */
    char table[IDENTIFIER_BYTES_MAX + 1];
    int64_t first, second; /* keys */
    char token[INVITE_TEXT_BYTES_MAX];
    int64_t ttl_ms; /* as it was asked for, or what is usual */
    int64_t timeout_ms;
    char path[PATH_BYTES_MAX]; /* drop-import, join-take: file; join-ask: directory; drop-export:
                                  directory, "" for the configured one */
    char peer[NAME_BYTES_MAX + 1]; /* "" for anybody */
};

/* Parse and check one line without its newline. On failure `r` holds nothing but the id, if it
 * could be read. */
MUST_USE bool request_parse(struct request *r, struct slice line, struct err *e);
void request_close(struct request *r);
/* The word of a kind ("drop-export"). */
const char *request_kind_name(enum request_kind kind);

/* A text for a result that the JSON library, which does not wipe, must not see: it shows dashes,
 * for which answer_ok puts the text. At most one in a result, named "token". */
struct json_object *answer_secret(const char *text);
/* Answers as lines with their newline, appended. `result` is consumed; NULL gives {}. */
void answer_ok(struct buf *out, int64_t id, struct json_object *result);
void answer_error(struct buf *out, int64_t id, const struct err *e);

#endif
