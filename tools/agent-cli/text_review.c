/* What a person reads of conflicts and parked rows. */
#include "text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include <json-c/json.h>

#include "text_field.h"

#define NUMBER_COLUMNS 5
#define ROW_COLUMNS    44
#define COLUMN_COLUMNS 26
#define INDENT         7
#define LABEL_COLUMNS  10

/* "article 1042 (Riz 25 kg)" */
static void format_row(char *out, size_t room, struct json_object *o)
{
    const char *label = text(o, "label"), *key = text(o, "key");
    bool named = label[0] != '\0' && strcmp(label, key) != 0;

    snprintf(out, room, "%.100s%s%.100s%s%.100s%s", text(o, "table"), key[0] != '\0' ? " " : "",
             key, named ? " (" : "", named ? label : "", named ? ")" : "");
}

static void format_write(char *out, size_t room, struct json_object *w)
{
    const char *more = json_object_get_boolean(field(w, "cut")) ? "..." : "";

    if (is(w, "type", "deleted"))
        snprintf(out, room, "the row was deleted");
    else if (is(w, "type", "null"))
        snprintf(out, room, "nothing (NULL)");
    else if (is(w, "type", "unknown"))
        snprintf(out, room, "not known");
    else if (is(w, "type", "text"))
        snprintf(out, room, "\"%s\"%s", text(w, "value"), more);
    else
        snprintf(out, room, "%s%s", text(w, "value"), more);
}

static const char *author_of(struct json_object *w)
{
    return text(w, "by")[0] != '\0' ? text(w, "by") : "a PC that is no member";
}

/* ---- conflicts ---- */

/* What happened, in one line if the values are short. */
static void print_story(FILE *out, struct json_object *c)
{
    struct json_object *lost = field(c, "lost"), *won = field(c, "won");
    char lost_text[300], won_text[300], now_text[300], line[1600];

    format_write(lost_text, sizeof lost_text, lost);
    format_write(won_text, sizeof won_text, won);
    format_write(now_text, sizeof now_text, field(c, "now"));
    if (is(c, "why", "returned"))
        snprintf(line, sizeof line, "%s had deleted the row; it is back, since %s wrote %s",
                 author_of(lost), author_of(won), won_text);
    else if (is(c, "why", "deleted"))
        snprintf(line, sizeof line, "%s of %s was lost: %s deleted the row", lost_text,
                 author_of(lost), author_of(won));
    else if (is(c, "why", "yielded"))
        snprintf(line, sizeof line, "another row has %s, which %s gave this one: it is %s now",
                 lost_text, author_of(lost), now_text);
    else if (is(c, "why", "other"))
        snprintf(line, sizeof line, "%s of %s: %.500s", lost_text, author_of(lost),
                 text(c, "text"));
    else
        snprintf(line, sizeof line, "%s of %s was lost to %s of %s", lost_text, author_of(lost),
                 won_text, author_of(won));
    fprintf(out, "%*s", INDENT, "");
    text_wrap(out, line, INDENT, INDENT);
}

static void print_entry(FILE *out, struct json_object *c)
{
    char row[400], digits[32], when[40];

    format_row(row, sizeof row, c);
    snprintf(digits, sizeof digits, "%" PRId64, number(c, "number"));
    text_when(when, sizeof when, field(c, "noticed"));
    text_cell(out, digits, -NUMBER_COLUMNS);
    fputs("  ", out);
    text_cell(out, row, ROW_COLUMNS);
    fputs("  ", out);
    text_cell(out, text(c, "column"), COLUMN_COLUMNS);
    fprintf(out, "  %s\n", when);
    print_story(out, c);
}

void text_conflicts(FILE *out, struct json_object *answer)
{
    struct json_object *list = field(answer, "conflicts");

    if (number(answer, "dropped") > 0)
        fprintf(out, "%" PRId64 " older ones had to make room.\n", number(answer, "dropped"));
    if (count(list) == 0) {
        fputs("No two PCs have written into the same place without knowing of each other.\n", out);
        return;
    }
    text_cell(out, "no.", -NUMBER_COLUMNS);
    fputs("  ", out);
    text_cell(out, "row", ROW_COLUMNS);
    fputs("  ", out);
    text_cell(out, "column", COLUMN_COLUMNS);
    fputs("  noticed\n", out);
    for (size_t i = 0; i < count(list); i++)
        print_entry(out, json_object_array_get_idx(list, i));
    fputs("\n`agent-cli conflicts show NUMBER` tells all of one, `conflicts restore NUMBER` brings "
          "the lost\nvalue back, `conflicts dismiss NUMBER` takes it off this list.\n",
          out);
}

static void print_label(FILE *out, const char *name, const char *value)
{
    text_cell(out, name, LABEL_COLUMNS);
    text_wrap(out, value, LABEL_COLUMNS, LABEL_COLUMNS);
}

/* Author and time, and below them the value, as long as it may be. */
static void print_write(FILE *out, const char *name, struct json_object *w)
{
    char line[400];
    bool dated = text(w, "at")[0] != '\0';

    snprintf(line, sizeof line, "%s%s%.10s%s%.8s", author_of(w), dated ? ", " : "", text(w, "at"),
             dated ? " " : "", dated ? text(w, "at") + 11 : "");
    print_label(out, name, line);
    fprintf(out, "%*s", LABEL_COLUMNS, "");
    if (is(w, "type", "text") && text(w, "value")[0] != '\0') {
        text_wrap(out, text(w, "value"), LABEL_COLUMNS, LABEL_COLUMNS);
        return;
    }
    format_write(line, sizeof line, w);
    text_wrap(out, line, LABEL_COLUMNS, LABEL_COLUMNS);
}

void text_conflict(FILE *out, struct json_object *c)
{
    bool yielded = is(c, "why", "yielded"); /* to nothing that is written in the same place */
    char line[1200];

    snprintf(line, sizeof line, "%" PRId64, number(c, "number"));
    print_label(out, "conflict", line);
    format_row(line, sizeof line, c);
    print_label(out, "row", line);
    print_label(out, "column", text(c, "column"));
    print_label(out, "why", text(c, "text"));
    print_write(out, "lost", field(c, "lost"));
    if (!yielded)
        print_write(out, "won", field(c, "won"));
    format_write(line, sizeof line, field(c, "now"));
    print_label(out, "now", line);
    snprintf(line, sizeof line, "%.10s %.8s (times are UTC)", text(c, "noticed"),
             strlen(text(c, "noticed")) > 11 ? text(c, "noticed") + 11 : "");
    print_label(out, "noticed", line);
    fprintf(out,
            yielded ? "\n`agent-cli conflicts dismiss %" PRId64 "` takes it off the list.\n"
                    : "\n`agent-cli conflicts restore %" PRId64 "` brings the lost value back.\n",
            number(c, "number"));
}

void text_restored(FILE *out, struct json_object *answer)
{
    struct json_object *c = field(answer, "conflict");
    bool applied = json_object_get_boolean(field(answer, "applied"));
    char row[400], value[300], line[1200];

    format_row(row, sizeof row, c);
    format_write(value, sizeof value, field(c, "lost"));
    if (is(c, "why", "returned"))
        snprintf(line, sizeof line, "%s is deleted again.", row);
    else if (is(c, "why", "deleted"))
        snprintf(line, sizeof line, "%s is back; %s is %s.", row, text(c, "column"), value);
    else
        snprintf(line, sizeof line, "%s of %s is %s again.", text(c, "column"), row, value);
    text_wrap(out, line, 0, 0);
    fputs(applied ? "The other PCs get it, too.\n"
                  : "It is written as soon as the application leaves its database for a moment.\n",
          out);
}

/* ---- parked ---- */

static void print_parked(FILE *out, struct json_object *list)
{
    for (size_t i = 0; i < count(list); i++) {
        struct json_object *p = json_object_array_get_idx(list, i);
        char row[400], when[40], line[1200];

        format_row(row, sizeof row, p);
        text_when(when, sizeof when, field(p, "since"));
        snprintf(line, sizeof line, "%s, %s: %.600s", row, when, text(p, "why"));
        text_wrap(out, line, 0, 2);
        fputs("  What helps: ", out);
        text_wrap(out, text(p, "help"), 14, 14);
    }
}

void text_parked(FILE *out, struct json_object *answer)
{
    struct json_object *parked = field(answer, "parked"), *kept = field(answer, "kept");
    int64_t more = number(answer, "parked_total") - (int64_t)count(parked);

    if (count(parked) == 0)
        fputs("This PC's database holds every row that it should.\n", out);
    print_parked(out, parked);
    if (more > 0)
        fprintf(out, "... and %" PRId64 " more.\n", more);
    if (count(kept) > 0)
        fputs("\nDeleted on another PC, and still here because rows here refer to them (no "
              "trouble):\n",
              out);
    for (size_t i = 0; i < count(kept); i++) {
        char row[400];

        format_row(row, sizeof row, json_object_array_get_idx(kept, i));
        fputs("  ", out);
        text_wrap(out, row, 2, 4);
    }
}
