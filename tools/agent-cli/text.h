/* What a person reads: aligned, calm, within 100 columns, made from the same answers that --json
 * prints. */
#ifndef NAVETTE_TEXT_H
#define NAVETTE_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include <navette/err.h>

struct cli;
struct json_object;

#define TEXT_COLUMNS 100

void text_status(FILE *out, struct json_object *status);
void text_peers(FILE *out, struct json_object *peers);
void text_tables(FILE *out, struct json_object *tables);
/* The answers of review.h. */
void text_conflicts(FILE *out, struct json_object *answer);
void text_conflict(FILE *out, struct json_object *conflict);
void text_restored(FILE *out, struct json_object *answer);
void text_parked(FILE *out, struct json_object *answer);
/* How long ago a time of the agent's was, "" when there is none. */
void text_when(char *out, size_t room, struct json_object *when);
/* `s` cut or filled to `columns`, counted in characters; negative: to the right. */
void text_cell(FILE *out, const char *s, int columns);
/* "agent-cli [--home DIR] WORDS" as it must be typed here, on a line of its own; see text_typed. */
void text_command(FILE *out, const struct cli *c, const char *program, const char *words);
/* `line` as it can be copied to a command line. What is longer than a terminal goes on in the next
 * line behind a backslash, which a shell takes for one line. */
void text_typed(FILE *out, const char *line, int indent);
/* Sentences on stdout, wrapped. */
void text_say(const char *format, ...) PRINTF_LIKE(1, 2);
/* `n` bytes, with "?" for what steers a terminal or is not UTF-8. */
void text_put(FILE *out, const char *s, size_t n);
/* Words of `text` in lines of at most TEXT_COLUMNS; the first goes on at column `at`, the others at
 * `indent`. What stands in `backquotes` is a command to be copied: it counts as one word. */
void text_wrap(FILE *out, const char *text, int at, int indent);

#endif
