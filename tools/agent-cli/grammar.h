/* What agent-cli understands: one table of commands and one of options, from which it parses, helps
 * and makes its manual page. */
#ifndef NAVETTE_GRAMMAR_H
#define NAVETTE_GRAMMAR_H

#include <stddef.h>

#include "cli.h"

struct command {
    const char *name;
    const char *arguments; /* besides the options; "" for none */
    const char *help;
    const char *more; /* for its own page; "" for none */
    uint32_t words_min, words_max;
    int (*run)(struct cli *c);
};

enum {
    INIT,
    TRACK,
    UNTRACK,
    TABLES,
    RULES_SET,
    RULES_UNSET,
    RULES_IMPORT,
    RULES_PRESET,
    RULES, /* behind those of two words */
    CONFLICTS_SHOW,
    CONFLICTS_RESTORE,
    CONFLICTS_DISMISS,
    CONFLICTS_MERGE,
    CONFLICTS, /* likewise */
    PARKED_ACCEPT,
    PARKED, /* likewise */
    INVITE,
    ROSTER,
    RENAME,
    REVOKE,
    ADMIN_ADD,
    ADMIN_REMOVE,
    ROTATE,
    CHECKPOINT,
    JOIN,
    STATUS,
    PEERS,
    SYNC,
    WAIT,
    IDENTITY_RESET,
    IDENTITY_CONFIRM,
    EXPORT,
    IMPORT,
    STOP,
    UNINSTALL,
    HELP,
    COMMANDS
};

#define ON(command) (UINT64_C(1) << (command))
#define EVERYWHERE  UINT64_MAX

struct option {
    const char *name;
    const char *value; /* what stands for its value in the help; NULL for a flag */
    uint64_t commands; /* that take it */
    uint64_t required; /* of these, those that cannot do without */
    size_t at;
    const char *help;
};

extern const struct command grammar_commands[COMMANDS];
extern const struct option grammar_options[];
extern const size_t grammar_option_count;

#endif
