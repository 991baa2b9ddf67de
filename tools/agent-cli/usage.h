/* The command line: one table of commands and one of options parse it, print the help and the
 * manual page. */
#ifndef NAVETTE_USAGE_H
#define NAVETTE_USAGE_H

#include "cli.h"

/* Take argv apart. ERR_USAGE says which word is wrong. No command at all is fine when help or
 * version is asked for. */
MUST_USE bool usage_parse(struct cli *c, int argc, char **argv, struct err *e);
/* Everything in short, or one command in full. */
void usage_print(FILE *out, const struct command *command);
/* The commands that begin with `word`, such as "drop", each in full; false when there is none. */
bool usage_print_group(FILE *out, const char *word);
/* One of the two (`group` is one that exists), or everything when both are NULL, as the command
 * line wants it: text or JSON. Returns the exit code. */
int usage_help(const struct cli *c, const struct command *command, const char *group);
int usage_version(const struct cli *c);
/* The same as a manual page (man(7) macros). */
void usage_print_man(FILE *out);
const struct command *usage_find(const char *word, const char *next);
const char *usage_name(const struct command *command);
int usage_run(struct cli *c);

/* "90", "90s", "15m", "500ms", "1h" as milliseconds; without a unit they are seconds. */
MUST_USE bool duration_parse(const char *text, int64_t *ms, struct err *e);

#endif
