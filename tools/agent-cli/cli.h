/* What the parts of agent-cli share. */
#ifndef NAVETTE_CLI_H
#define NAVETTE_CLI_H

#include <stdio.h>

#include <navette/err.h>

#include "home.h"

/* Exit codes, the same for every command. */
enum { CODE_OK = 0, CODE_DEGRADED = 1, CODE_FAILING = 2, CODE_UNREACHABLE = 3, CODE_USAGE = 64 };

#define WORDS_MAX 4096

struct command;

/* The command line, taken apart; texts are lent by argv. */
struct cli {
    const struct command *command;
    const char *group; /* first word of several commands, whose help is asked for; else NULL */
    struct home home;
    /* for every command */
    const char *home_given;
    bool json;
    bool help;
    bool version;
    /* options of commands: NULL or false when not given */
    const char *db, *name, *fleet, *drop, *listen, *join, *discovery_port, *peers;
    const char *ttl, *timeout, *to, *for_peer;
    const char *where, *names, *site;
    bool copy, all, yes, man, without_absent, clock_is_right, cancel, adopt, stick;
    const char *words[WORDS_MAX]; /* what is neither command nor option */
    uint32_t word_count;
};

/* ---- one function per command: does it, prints, returns the exit code ---- */

int run_init(struct cli *c);
int run_tables(struct cli *c);
int run_track(struct cli *c);
int run_untrack(struct cli *c);
int run_uninstall(struct cli *c);
int run_conflicts(struct cli *c);
int run_conflicts_show(struct cli *c);
int run_conflicts_restore(struct cli *c);
int run_conflicts_dismiss(struct cli *c);
int run_conflicts_merge(struct cli *c);
int run_parked(struct cli *c);
int run_parked_accept(struct cli *c);
int run_invite(struct cli *c);
int run_roster(struct cli *c);
int run_rename(struct cli *c);
int run_revoke(struct cli *c);
int run_admin_add(struct cli *c);
int run_admin_remove(struct cli *c);
int run_rotate(struct cli *c);
int run_checkpoint(struct cli *c);
int run_invite_cancel(struct cli *c);
int run_join(struct cli *c);
int run_status(struct cli *c);
int run_peers(struct cli *c);
int run_sync(struct cli *c);
int run_wait(struct cli *c);
int run_identity_reset(struct cli *c);
int run_identity_confirm(struct cli *c);
int run_stop(struct cli *c);
int run_export(struct cli *c);
int run_import(struct cli *c);
int run_rules(struct cli *c);
int run_rules_set(struct cli *c);
int run_rules_unset(struct cli *c);
int run_rules_import(struct cli *c);
int run_rules_preset(struct cli *c);
int run_help(struct cli *c);

#endif
