/* Asking and answering, the same for every command: over the socket or, without an agent, directly;
 * as text or as JSON. */
#ifndef NAVETTE_ANSWER_H
#define NAVETTE_ANSWER_H

#include "cli.h"

struct json_object;

#define ASK_MS 600000 /* an agent that is busy with a large database still answers */

/* Ask the agent. On failure the error is printed and `code` is the exit code. `args` is consumed.
 */
MUST_USE bool ask(const struct cli *c, const char *command, struct json_object *args,
                  uint64_t limit_ms, struct json_object **result, int *code);
/* The same, and the error is the caller's to tell. */
MUST_USE bool ask_silently(const struct cli *c, const char *command, struct json_object *args,
                           uint64_t limit_ms, struct json_object **result, int *code,
                           struct err *e);
/* The same for requests about tables, which work without an agent. */
MUST_USE bool ask_or_do(const struct cli *c, const char *command, struct json_object *args,
                        struct json_object **result, int *code);

/* Ask, and print what comes: as JSON, or as `print` says it to a person. Returns the exit code. */
MUST_USE int ask_and_print(const struct cli *c, const char *command, struct json_object *args,
                           void (*print)(struct json_object *result));

/* Is there a home? If not, that is printed, and `code` is the same for every command. */
MUST_USE bool answer_set_up(const struct cli *c, int *code);

/* Print the error: as text to stderr; with --json also {"schema": 1, "error": {...}} to stdout.
 * Returns the exit code. */
int answer_failed(const struct cli *c, const struct err *e);
/* Its two halves: "error": {code, text} in `o`; the text to stderr. */
void answer_add_error(struct json_object *o, const struct err *e);
void answer_error_text(const struct err *e);
/* Print `result` with "schema" in front. */
void answer_json(struct json_object *result);

/* "Go on?", unless --yes was given. Anything but a yes is a no; so is no answer at all. */
MUST_USE bool answer_confirmed(const struct cli *c, struct err *e);

#endif
