/* What a person should know: one line per thing that is wrong, since when, and the command that
 * mends it. Shown by `agent-cli status` until it is over. */
#ifndef NAVETTE_WARNING_H
#define NAVETTE_WARNING_H

#include "log.h"

/* word, failing (else degraded), what mends it */
#define WARNINGS(X)                                                                                \
    X(DATABASE, "database-unreachable", true,                                                      \
      "check that the file is where agent.conf says and that this user may read and write it")     \
    X(LEDGER, "ledger-failed", true,                                                               \
      "do what the text says; where it names a failure only, see to it that this user may read "   \
      "and write the home")                                                                        \
    X(DISK_FULL, "disk-full", true, "free some space; nothing is lost, work goes on by itself")    \
    X(UNSAVED, "roster-not-saved", true,                                                           \
      "free some space where the home is, and see to it that this user may write there: it is "    \
      "saved by itself, and then this is over; do not restart this PC before; if it was "          \
      "restarted, connect it with a member that is right before anything else")                    \
    X(STORE, "store-failed", true, "the text says why; it is tried again, see the log")            \
    X(NO_FLEET, "no-fleet", false,                                                                 \
      "on a PC of the fleet: `agent-cli invite`; here: `agent-cli join TOKEN`")                    \
    X(JOIN, "join-failed", false,                                                                  \
      "on a PC of the fleet: `agent-cli invite`; here: `agent-cli join TOKEN`")                    \
    X(MATCHING, "matching-waits", false,                                                           \
      "start the PC that is named; if it is gone for good: `agent-cli sync --without-absent`")     \
    X(NO_PEER, "no-peer", false,                                                                   \
      "start another PC; if it runs, check cable and firewall (TCP: the port of `listen` in "      \
      "agent.conf, 7400 unless set; UDP: `discovery_port`, 7401); if this PC was away for long, "  \
      "`agent-cli drop export` on another one and `drop import` here bring it the fleet's key")    \
    X(KEY, "key-too-old", false,                                                                   \
      "`agent-cli status` on that PC tells what is wrong there; if all is well: `agent-cli drop "  \
      "export --to DIR` on the PC that was not away, and `agent-cli drop import` on the one that " \
      "was, bring the list of members and the fleet's key")                                        \
    X(PORT, "port-in-use", false,                                                                  \
      "set listen in agent.conf to a free port, or stop the other program")                        \
    X(DISCOVERY, "discovery-off", false, "name the other PCs in agent.conf: peers = ADDRESS:PORT") \
    X(CLOCK, "clock-skew", false, "set the clock of the PC that is named")                         \
    X(AHEAD, "clock-was-ahead", false,                                                             \
      "see to it that date and time are right on all PCs, and connect them; if they are and this " \
      "stays: `agent-cli sync --clock-is-right` here")                                             \
    X(EARLY, "changes-too-early", false,                                                           \
      "see to it that date and time are right on that PC and here, and connect it: it then puts "  \
      "them right by itself; if it is gone for good, or is made anew: `agent-cli revoke` it, "     \
      "before a PC joins in its place, and what waits comes in")                                   \
    X(IDENTITY, "same-identity", true,                                                             \
      "stop this agent; on the PC that goes on as before: `agent-cli identity confirm-move`; on "  \
      "the copy: `agent-cli identity reset`; then start it again")                                 \
    X(TWICE, "seen-twice", false,                                                                  \
      "on the copy: `agent-cli identity reset`, on the other: `agent-cli identity confirm-move`")  \
    X(FORK, "forked-history", false,                                                               \
      "switch on the PC that the text names, beside this one: it mends itself; if it does not, "   \
      "that PC says two things: `agent-cli revoke` shuts it out")                                  \
    X(REVOKED, "shut-out", true,                                                                   \
      "its sales can be saved: `agent-cli drop export` here, `drop import --adopt` on another "    \
      "PC; to take part again: stop this agent, `agent-cli identity reset`, start it, and "        \
      "`agent-cli join` with a token")                                                             \
    X(VOID, "not-let-in", true,                                                                    \
      "`agent-cli invite` on a PC that is an admin, and here `agent-cli join` with its token: "    \
      "all that was written here comes along")                                                     \
    X(CONTESTED, "roster-contested", false,                                                        \
      "connect an admin that joined before it and was not there: once that hears of the end, it "  \
      "settles it by itself; else decide which list is right, and on each PC that has the other "  \
      "one: stop its agent, `agent-cli identity reset`; on one that is right: `agent-cli revoke` " \
      "it; there again: start the agent, `agent-cli join --copy` with a token of the one that is " \
      "right. Where all have one list, `agent-cli admin add` the PC that is named says that it "   \
      "may stay")                                                                                  \
    X(REFUSED, "refused-changes", false,                                                           \
      "if it is out rightly, nothing needs to be done; if it sold honestly meanwhile: `agent-cli " \
      "drop export` there, `drop import --adopt` here; if roster-contested is told, too, see "     \
      "that first")                                                                                \
    X(CROWDED, "began-too-often", false,                                                           \
      "if its disk is put back all the time: on it `agent-cli identity reset`, and a new token; "  \
      "else somebody means harm: `agent-cli revoke` shuts it out")                                 \
    X(DISTRUSTED, "distrusted-changes", false,                                                     \
      "if they are right: `agent-cli revoke` that PC once more, here, and every PC takes them")    \
    X(BURNED, "invitation-burned", false,                                                          \
      "`agent-cli invite` makes another; find out who can read this home or a copy of it")         \
    X(TOKENS, "invitations-void", false,                                                           \
      "`agent-cli invite` makes new ones; if it cannot, take away what the text names, or give "   \
      "the file back to the agent's user alone (chmod 600) and start the agent again")             \
    X(ROSTER, "roster-full", false,                                                                \
      "`agent-cli revoke` whoever filled it (`agent-cli roster` shows who is there); the list is " \
      "then summed up by itself, or at once by `agent-cli checkpoint`. A PC of yours that has "    \
      "another list even then: `revoke` it, `agent-cli identity reset` there, and join it anew")   \
    X(ROOM, "roster-fills", false,                                                                 \
      "switch on the PCs that the text names, where they meet the others; shut out one that is "   \
      "gone for good: `agent-cli revoke`; then `agent-cli checkpoint`, and `agent-cli roster` "    \
      "says how that stands")                                                                      \
    X(FLOOD, "flooded", false,                                                                     \
      "find the PC that the text names and unplug it; nothing else needs to be done")              \
    X(NO_MEMBER, "not-a-member", false, "invite that PC anew: `agent-cli invite`")                 \
    X(PARKED, "rows-parked", false, "`agent-cli parked` says which, why, and what helps each")     \
    X(MIGRATION, "migration-waits", false,                                                         \
      "install the new version on the PC that lacks it; else `agent-cli parked accept`")           \
    X(LACKING, "changes-wait", false,                                                              \
      "start the PC that is named; if it is gone for good: `agent-cli sync --without-absent`")     \
    X(CONFLICTS, "conflicts-dropped", false,                                                       \
      "`agent-cli conflicts`; when you have seen them, `agent-cli conflicts dismiss --all`")       \
    X(TROUBLE, "database-trouble", false, "the text says what; see `agent-cli tables`")            \
    X(UNSENT, "value-not-sent", false,                                                             \
      "make it smaller, or keep the column, for a key the table, on each PC:"                      \
      " `agent-cli rules set TABLE.COLUMN local`, `agent-cli rules set TABLE local`")              \
    X(BUSY, "database-busy", false, "the application holds its database for long; let it finish")  \
    X(DROP, "drop-rejected", false, "see archive/rejected in the drop folder and its .reason.txt") \
    X(UNSHARED, "table-not-shared", false,                                                         \
      "undo in the table what the text names, and it is shared again by itself, with what was "    \
      "written meanwhile; or give it up: `agent-cli untrack TABLE`")                               \
    X(GONE, "tables-gone", false,                                                                  \
      "put them back, even empty: the rows that other PCs have come by themselves; or "            \
      "`agent-cli untrack TABLE` if they are not needed any more")                                 \
    X(TABLES, "nothing-tracked", false, "`agent-cli track --all`")

#define WARNING_ID(id, word, failing, remedy) WARNING_##id,
enum warning_id { WARNINGS(WARNING_ID) WARNING_COUNT };
#undef WARNING_ID

struct warning {
    uint64_t since_ms; /* wall clock; 0: it is not so */
    char text[400];
    struct log_limit said;
};

/* A zeroed struct has none. */
struct warnings {
    struct warning list[WARNING_COUNT];
};

/* It is so, as `text` says. Logged when it is new or its text is, some times a minute: a peer may
 * make it come and go. How many lines were left out is logged before the next one, or when
 * warnings_log_more is called after that minute. */
void warning_set(struct warnings *w, enum warning_id id, uint64_t wall_ms, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* It is over; logged if it was so. */
void warning_clear(struct warnings *w, enum warning_id id);
void warnings_log_more(struct warnings *w, uint64_t wall_ms);
bool warning_is_set(const struct warnings *w, enum warning_id id);

const char *warning_word(enum warning_id id);
const char *warning_remedy(enum warning_id id);
bool warning_is_failing(enum warning_id id);

#endif
