#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include <json-c/json.h>
#include <uv.h>

#include <navette/bytes.h>

#include "cli.h"
#include "text_field.h"

#define LABEL_COLUMNS     11
#define NAME_COLUMNS      24
#define STATE_COLUMNS     12
#define ADDRESS_COLUMNS   21
#define COUNT_COLUMNS     8
#define COUNT_MAX         9999999
#define TABLE_COLUMNS     32
#define TABLE_COLUMNS_MAX 48

/* ---- columns ---- */

static int width(const char *s, size_t bytes)
{
    int n = 0;

    for (size_t i = 0; i < bytes; i++)
        n += ((unsigned char)s[i] & 0xC0) != 0x80;
    return n;
}

/* Control characters, and the marks that break lines or turn the direction of text. */
static bool is_steering(uint32_t point)
{
    return point < 0x20 || (point >= 0x7F && point <= 0x9F) ||
           (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

/* The character in front of `left`, or "?" for one that a terminal should not get; drops it there.
 */
static void put_character(FILE *out, struct slice *left)
{
    uint32_t point = 0;
    size_t n = slice_code_point(*left, &point);

    if (n == 0 || is_steering(point))
        fputc('?', out);
    else
        fwrite(left->p, 1, n, out);
    n = n > 0 ? n : 1;
    *left = (struct slice){left->p + n, left->n - n};
}

void text_put(FILE *out, const char *s, size_t n)
{
    struct slice left = {(const uint8_t *)s, n};

    while (left.n > 0)
        put_character(out, &left);
}

void text_cell(FILE *out, const char *s, int columns)
{
    int room = columns < 0 ? -columns : columns;
    struct slice left = slice_text(s);
    int used = columns < 0 ? width(s, left.n) : 0;

    for (; columns < 0 && used < room; used++)
        fputc(' ', out);
    for (used = 0; left.n > 0 && used < room; used++)
        put_character(out, &left);
    for (; columns > 0 && used < room; used++)
        fputc(' ', out);
}

/* A number, or "-" where none is known; one that has no room is never cut to another one. */
static void count_cell(FILE *out, struct json_object *n)
{
    char digits[32];

    snprintf(digits, sizeof digits, "%" PRId64, json_object_get_int64(n));
    if (strlen(digits) > COUNT_COLUMNS)
        snprintf(digits, sizeof digits, ">%d", COUNT_MAX);
    text_cell(out, n != NULL ? digits : "-", -COUNT_COLUMNS);
}

/* Bytes of the word at `s`. */
static size_t word_bytes(const char *s)
{
    size_t n = strcspn(s, " \n`");
    const char *end;

    while (s[n] == '`') {
        end = strchr(s + n + 1, '`');
        n = end != NULL ? (size_t)(end + 1 - s) : n + 1;
        n += strcspn(s + n, " \n`");
    }
    return n;
}

void text_wrap(FILE *out, const char *s, int at, int indent)
{
    bool space = false; /* one is due, unless the line ends here */

    while (*s != '\0') {
        size_t n = word_bytes(s);
        int columns = width(s, n);

        if (at > indent && at + space + columns > TEXT_COLUMNS) {
            fprintf(out, "\n%*s", indent, "");
            at = indent;
        } else if (space) {
            fputc(' ', out);
            at++;
        }
        /* A word longer than a line, such as a path, is broken rather than left to the terminal. */
        while (at + columns > TEXT_COLUMNS && TEXT_COLUMNS - at > 1) {
            size_t part = 0;

            while (width(s, part + 1) <= TEXT_COLUMNS - at)
                part++;
            text_put(out, s, part);
            fprintf(out, "\n%*s", indent, "");
            s += part;
            n -= part;
            at = indent;
            columns = width(s, n);
        }
        text_put(out, s, n);
        s += n;
        at += columns;
        if (*s != '\0') {
            s++;
            space = true;
        }
    }
    fputc('\n', out);
}

void text_say(const char *format, ...)
{
    char line[4 * PATH_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    text_wrap(stdout, line, 0, 0);
}

/* Bytes of `s` that fit into `columns`: up to behind the last space, if there is one. */
static size_t piece_bytes(const char *s, int columns)
{
    size_t n = 0, space = 0;

    while (s[n] != '\0' && width(s, n + 1) <= columns) {
        if (s[n] == ' ')
            space = n + 1;
        n++;
    }
    return space > 0 ? space : n;
}

void text_typed(FILE *out, const char *line, int indent)
{
    int at = indent;

    fprintf(out, "%*s", indent, "");
    while (width(line, strlen(line)) > TEXT_COLUMNS - at) {
        size_t n = piece_bytes(line, TEXT_COLUMNS - at - 1);

        text_put(out, line, n);
        fputs("\\\n", out);
        line += n;
        at = 0; /* a space here would be one more in a quoted word */
    }
    text_put(out, line, strlen(line));
    fputc('\n', out);
}

static void label(FILE *out, const char *name, const char *value)
{
    text_cell(out, name, LABEL_COLUMNS);
    text_wrap(out, value, LABEL_COLUMNS, LABEL_COLUMNS);
}

/* ---- times ---- */

/* Days since 1970-01-01 of a date of the Gregorian calendar: years begin in March, so that leap
 * days are their last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

/* "2026-11-21T10:00:00Z" as seconds since 1970; -1 when it is not of that form. */
static int64_t seconds_of(const char *text)
{
    int year, month, day, hour, minute, second;

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ", &year, &month, &day, &hour, &minute, &second) != 6)
        return -1;
    return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

void text_when(char *out, size_t room, struct json_object *when)
{
    const char *stamp = json_object_get_string(when);
    int64_t then = stamp != NULL ? seconds_of(stamp) : -1;
    uv_timeval64_t now = {0};
    int64_t ago;

    uv_gettimeofday(&now);
    ago = now.tv_sec - then;
    if (then < 0)
        out[0] = '\0';
    else if (ago < 5)
        snprintf(out, room, "now");
    else if (ago < 120)
        snprintf(out, room, "%" PRId64 " s ago", ago);
    else if (ago < 7200)
        snprintf(out, room, "%" PRId64 " min ago", ago / 60);
    else if (ago < 172800)
        snprintf(out, room, "%" PRId64 " hours ago", ago / 3600);
    else
        snprintf(out, room, "%" PRId64 " days ago", ago / 86400);
}

/* ---- peers ---- */

void text_peers(FILE *out, struct json_object *peers)
{
    if (count(peers) == 0) {
        fputs("No other PC is in the fleet yet.\n", out);
        return;
    }
    text_cell(out, "PC", NAME_COLUMNS);
    text_cell(out, " state", STATE_COLUMNS);
    text_cell(out, " address", ADDRESS_COLUMNS + 2);
    text_cell(out, "lacks", -COUNT_COLUMNS);
    text_cell(out, "offers", -COUNT_COLUMNS);
    fputs("  last seen\n", out);
    for (size_t i = 0; i < count(peers); i++) {
        struct json_object *p = json_object_array_get_idx(peers, i);
        char when[40];

        text_when(when, sizeof when, field(p, "last_seen"));
        text_cell(out, text(p, "name"), NAME_COLUMNS);
        fputc(' ', out);
        text_cell(out, text(p, "state"), STATE_COLUMNS - 1);
        fputc(' ', out);
        text_cell(out, text(p, "address"), ADDRESS_COLUMNS + 1);
        count_cell(out, field(p, "behind"));
        count_cell(out, field(p, "ahead"));
        fputs("  ", out);
        fputs(when[0] != '\0' ? when : "never", out);
        fputc('\n', out);
    }
}

/* ---- status ---- */

struct standing {
    size_t peers;
    size_t connected;
    bool waits;       /* something here is not where it belongs yet */
    bool busy;        /* or on its way to a peer */
    const char *only; /* name of the one connected */
};

static struct standing standing_of(struct json_object *status)
{
    struct json_object *peers = field(status, "peers");
    struct json_object *pending = field(status, "pending");
    struct standing s = {
        .peers = count(peers),
        .waits = number(pending, "marks") > 0 || number(pending, "changesets") > 0 ||
                 number(pending, "unscanned") > 0 || number(pending, "incoming") > 0,
        .only = "",
    };

    s.busy = s.waits;
    for (size_t i = 0; i < s.peers; i++) {
        struct json_object *p = json_object_array_get_idx(peers, i);

        if (!is(p, "state", "connected"))
            continue;
        s.connected++;
        s.only = text(p, "name");
        s.busy = s.busy || number(p, "behind") > 0 || number(p, "ahead") > 0;
    }
    return s;
}

/* How it stands, in one sentence. */
static void print_sentence(FILE *out, struct json_object *status)
{
    struct standing s = standing_of(status);
    const char *name = text(status, "name");
    const char *attention =
        count(field(status, "warnings")) > 0 ? " Something needs attention." : "";
    char line[400];

    if (is(status, "state", "failing"))
        snprintf(line, sizeof line, "%s cannot do its work now; what to do is below.", name);
    else if (text(status, "fleet")[0] == '\0')
        snprintf(line, sizeof line, "%s captures changes, but is in no fleet yet.", name);
    else if (is(field(status, "database"), "state", "matching") &&
             number(field(status, "database"), "tracked_tables") == 0)
        snprintf(line, sizeof line, "%s is in the fleet, but shares no table yet.", name);
    else if (is(field(status, "database"), "state", "matching"))
        snprintf(line, sizeof line, "%s has joined, and compares its rows with the fleet's.", name);
    else if (s.peers == 0)
        snprintf(line, sizeof line, "%s works; no other PC is in its fleet yet.%s", name,
                 attention);
    else if (s.connected == 0)
        snprintf(line, sizeof line, "%s works, but reaches no other PC; %s.", name,
                 s.waits ? "its changes wait for one" : "nothing waits for one");
    else if (s.busy)
        snprintf(line, sizeof line, "%s is exchanging changes with %zu of %zu PCs.%s", name,
                 s.connected, s.peers, attention);
    else if (s.peers == 1)
        snprintf(line, sizeof line, "%s is in step with %s.%s", name, s.only, attention);
    else if (s.connected == s.peers)
        snprintf(line, sizeof line, "%s is in step with all %zu other PCs.%s", name, s.peers,
                 attention);
    else
        snprintf(line, sizeof line,
                 "%s is in step with %zu of %zu PCs; the others get their share when they are "
                 "back.%s",
                 name, s.connected, s.peers, attention);
    text_wrap(out, line, 0, 0);
}

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

/* What is not where it should be yet, of each kind that there is. */
static void pending_text(char *out, size_t room, struct json_object *pending)
{
    static const struct {
        const char *field, *what, *where;
    } kinds[] = {{"marks", "write", "to be sent"},
                 {"unscanned", "row", "to be sent"},
                 {"changesets", "change-set", "to be sent"},
                 {"incoming", "change-set", "to come in"}};
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        int64_t n = number(pending, kinds[i].field);

        if (n != 0 && at < room)
            at += (size_t)snprintf(out + at, room - at, "%s%" PRId64 " %s%s %s", at > 0 ? ", " : "",
                                   n, kinds[i].what, plural(n), kinds[i].where);
    }
}

static void print_what_waits(FILE *out, struct json_object *status)
{
    int64_t conflicts = number(status, "conflicts"), parked = number(status, "parked");
    char line[400];

    pending_text(line, sizeof line, field(status, "pending"));
    label(out, "waiting", line[0] != '\0' ? line : "nothing");
    snprintf(line, sizeof line, "%" PRId64 "%s", conflicts,
             conflicts > 0 ? " (agent-cli conflicts)" : "");
    label(out, "conflicts", line);
    snprintf(line, sizeof line, "%" PRId64 " row%s that the database cannot hold yet%s", parked,
             plural(parked), parked > 0 ? " (agent-cli parked)" : "");
    label(out, "parked", line);
}

static void print_facts(FILE *out, struct json_object *status)
{
    struct json_object *database = field(status, "database");
    char line[2048];

    label(out, "database", text(database, "path"));
    if (is(database, "state", "closed"))
        snprintf(line, sizeof line, "not known: the database is not open");
    else
        snprintf(line, sizeof line,
                 "%" PRId64 " shared, with %" PRId64 " row%s (journal mode %s)%s",
                 number(database, "tracked_tables"), number(database, "rows"),
                 plural(number(database, "rows")), text(database, "journal_mode"),
                 number(database, "gone_tables") > 0 ? "; some are gone: `agent-cli tables`" : "");
    label(out, "tables", line);
    snprintf(line, sizeof line, "%s (this PC: %s)",
             text(status, "fleet")[0] != '\0' ? text(status, "fleet") : "none",
             text(status, "site"));
    label(out, "fleet", line);
    if (is(database, "state", "closed")) {
        label(out, "waiting", "not known");
        label(out, "conflicts", "not known");
        label(out, "parked", "not known");
    } else {
        print_what_waits(out, status);
    }
    label(out, "version", text(status, "version"));
}

/* `sign`: "! " where something is to be done, as a rule. */
static void print_warning(FILE *out, const char *sign, struct json_object *w)
{
    char when[40];
    char line[1024];

    text_when(when, sizeof when, field(w, "since"));
    snprintf(line, sizeof line, "%s%s%s: %s", text(w, "code"), when[0] != '\0' ? ", since " : "",
             when, text(w, "text"));
    fputs(sign, out);
    text_wrap(out, line, 2, 2);
    if (text(w, "remedy")[0] == '\0')
        return;
    fputs("  What to do: ", out);
    text_wrap(out, text(w, "remedy"), 14, 14);
}

void text_status(FILE *out, struct json_object *status)
{
    struct json_object *warnings = field(status, "warnings");
    struct json_object *notices = field(status, "notices");

    print_sentence(out, status);
    fputc('\n', out);
    print_facts(out, status);
    if (count(field(status, "peers")) > 0) {
        fputc('\n', out);
        text_peers(out, field(status, "peers"));
    }
    for (size_t i = 0; i < count(warnings); i++) {
        fputc('\n', out);
        print_warning(out, "! ", json_object_array_get_idx(warnings, i));
    }
    for (size_t i = 0; i < count(notices); i++) {
        fputc('\n', out);
        print_warning(out, "- ", json_object_array_get_idx(notices, i));
    }
}

/* ---- tables ---- */

static bool is_tracked(struct json_object *t)
{
    return json_object_get_boolean(field(t, "tracked"));
}

static bool is_local(struct json_object *t)
{
    return json_object_get_boolean(field(t, "local"));
}

/* As wide as the longest name, so that none is cut: a person types it after `track`. One that is
 * too long for that has a line of its own. */
static int table_columns(struct json_object *tables)
{
    int columns = TABLE_COLUMNS;

    for (size_t i = 0; i < count(tables); i++) {
        const char *name = text(json_object_array_get_idx(tables, i), "name");
        int n = width(name, strlen(name));

        if (n > columns && n <= TABLE_COLUMNS_MAX)
            columns = n;
    }
    return columns;
}

static void print_table(FILE *out, struct json_object *t, int columns)
{
    const char *refused = text(t, "refused");
    const char *name = text(t, "name");

    if (width(name, strlen(name)) > columns) {
        text_wrap(out, name, 0, 0);
        name = "";
    }
    text_cell(out, name, columns);
    fputs("  ", out);
    if (refused[0] == '\0') {
        count_cell(out, field(t, "rows"));
        fputs(is_tracked(t) ? "  yes\n" : is_local(t) ? "  no: local by rule\n" : "  no\n", out);
        return;
    }
    text_cell(out, "-", -COUNT_COLUMNS);
    fputs("  cannot: ", out);
    text_wrap(out, refused, columns + COUNT_COLUMNS + 12, columns + COUNT_COLUMNS + 4);
}

void text_tables(FILE *out, struct json_object *tables)
{
    int columns = table_columns(tables);

    if (count(tables) == 0) {
        fputs("The database has no tables yet.\n", out);
        return;
    }
    text_cell(out, "table", columns);
    text_cell(out, "rows", -COUNT_COLUMNS - 2);
    fputs("  shared\n", out);
    for (size_t i = 0; i < count(tables); i++)
        print_table(out, json_object_array_get_idx(tables, i), columns);
}

void text_command(FILE *out, const struct cli *c, const char *program, const char *words)
{
    const char *home = c->home_given;
    const char *quote = home != NULL && strpbrk(home, " '$()&;") != NULL ? "\"" : "";

    char line[2 * PATH_BYTES_MAX];

    snprintf(line, sizeof line, "%s%s%s%s%s%s%s", program, home != NULL ? " --home " : "", quote,
             home != NULL ? home : "", quote, words[0] != '\0' ? " " : "", words);
    text_typed(out, line, 4);
}
