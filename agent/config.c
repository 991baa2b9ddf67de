#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include <navette/keys.h>

#define VALUE_BYTES 1024 /* of one setting as text */
#define HELP_COLUMN 24

enum option_kind {
    KIND_PATH,
    KIND_NAME,
    KIND_BOOL,
    KIND_INT,
    KIND_ADDRESS,
    KIND_PEERS,
    KIND_LEVEL
};

/* One setting. Its default is a text that parses like any other value. */
struct option {
    const char *name;
    enum option_kind kind;
    size_t at; /* of its field in struct config */
    int64_t min;
    int64_t max;
    const char *preset;
    const char *help;
};

#define AT(field) offsetof(struct config, field)
#define OPTION_PATH(name, help)                                                                    \
    {                                                                                              \
#name, KIND_PATH, AT(name), 0, 0, "", help                                                 \
    }
#define OPTION_NAME(name, help)                                                                    \
    {                                                                                              \
#name, KIND_NAME, AT(name), 0, 0, "", help                                                 \
    }
#define OPTION_BOOL(name, preset, help)                                                            \
    {                                                                                              \
#name, KIND_BOOL, AT(name), 0, 0, preset, help                                             \
    }
#define OPTION_INT(name, min, max, preset, help)                                                   \
    {                                                                                              \
#name, KIND_INT, AT(name), min, max, preset, help                                          \
    }
#define OPTION_ADDRESS(name, help)                                                                 \
    {                                                                                              \
#name, KIND_ADDRESS, AT(name), 0, 0, "", help                                              \
    }
#define OPTION_PEERS(name, help)                                                                   \
    {                                                                                              \
#name, KIND_PEERS, AT(name), 0, 0, "", help                                                \
    }
#define OPTION_LEVEL(name, preset, help)                                                           \
    {                                                                                              \
#name, KIND_LEVEL, AT(name), 0, 0, preset, help                                            \
    }

static const struct option options[] = {
    OPTION_PATH(database, "the application's SQLite file"),
    OPTION_NAME(name, "what other PCs call this one"),
    OPTION_ADDRESS(listen, "ADDRESS:PORT for peers; empty: every address, port 7400 or a free one"),
    OPTION_BOOL(discovery, "on", "find peers by broadcast: on or off"),
    OPTION_INT(discovery_port, 1, 65535, "7401", "UDP port of the broadcasts, the same on all PCs"),
    OPTION_PEERS(peers, "ADDRESS:PORT of peers that broadcasts do not reach, separated by commas"),
    OPTION_PATH(drop_folder, "folder for exchange by files; empty for none"),
    OPTION_NAME(control_group,
                "group of users that may use agent-cli here; empty: the owner alone"),
    OPTION_BOOL(copy, "off", "when joining: this database is a copy of the fleet's: on or off"),
    OPTION_LEVEL(log_level, "info", "error, warn, info or debug"),
    OPTION_INT(quiet_ms, 0, 10000, "20", "apply when the application was quiet for so many ms..."),
    OPTION_INT(quiet_wait_ms, 0, 60000, "2000", "...or when that did not happen for so many ms"),
    OPTION_INT(rekey_s, 1, 3600, "3600", "a link's keys are replaced after so many seconds"),
    OPTION_INT(renew_s, 1, 86400, "86400", "a link is made anew before it is so many seconds old"),
};

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

static void *field_of(struct config *c, const struct option *o)
{
    return (char *)c + o->at;
}

static const void *value_of(const struct config *c, const struct option *o)
{
    return (const char *)c + o->at;
}

static bool parse_int(int64_t *out, const char *text, int64_t min, int64_t max, struct err *e)
{
    char *end = NULL;
    long long v;

    errno = 0;
    v = strtoll(text, &end, 10);
    if (text[0] == '\0' || *end != '\0')
        return err_set(e, ERR_INPUT, "\"%.40s\" is not a whole number", text);
    if (errno != 0 || v < min || v > max)
        return err_set(e, ERR_LIMIT, "%.40s is out of range, allowed %" PRId64 " to %" PRId64, text,
                       min, max);
    *out = v;
    return true;
}

bool address_parse(struct address *a, const char *text, uint16_t default_port, struct err *e)
{
    const char *colon = strchr(text, ':');
    size_t n = colon != NULL ? (size_t)(colon - text) : strlen(text);
    struct address parsed = {.port = default_port};
    struct sockaddr_in check;
    int64_t port = default_port;

    if (n >= sizeof parsed.host)
        return err_set(e, ERR_INPUT, "\"%.60s\" is not an address like 192.168.1.20:7400", text);
    memcpy(parsed.host, text, n);
    if (uv_inet_pton(AF_INET, parsed.host, &check.sin_addr) != 0)
        return err_set(e, ERR_INPUT, "\"%.60s\" is not an address like 192.168.1.20:7400", text);
    if (colon == NULL && default_port == 0)
        return err_set(e, ERR_INPUT, "\"%.60s\" has no port: write it like %s:7400", text,
                       parsed.host);
    if (colon != NULL && !parse_int(&port, colon + 1, 1, 65535, e))
        return err_wrap(e, "port of \"%.60s\"", text);
    parsed.port = (uint16_t)port;
    *a = parsed;
    return true;
}

/* Cut the next word off a comma-separated list; false at its end. */
static bool next_word(const char **list, char *word, size_t room)
{
    const char *p = *list + strspn(*list, ", \t");
    size_t n = strcspn(p, ", \t");

    *list = p + n;
    if (n == 0)
        return false;
    if (n >= room)
        n = room - 1;
    memcpy(word, p, n);
    word[n] = '\0';
    return true;
}

static bool set_peers(struct config *c, const char *text, struct err *e)
{
    struct address peers[CONFIG_PEERS_MAX];
    uint32_t n = 0;
    char word[64];

    while (next_word(&text, word, sizeof word)) {
        if (n == CONFIG_PEERS_MAX)
            return err_set(e, ERR_LIMIT, "more than %d peers", CONFIG_PEERS_MAX);
        if (!address_parse(&peers[n], word, PORT_DEFAULT, e))
            return false;
        n++;
    }
    memcpy(c->peers, peers, n * sizeof *peers);
    c->peer_count = n;
    return true;
}

static bool set_path(char *path, const char *text, struct err *e)
{
    if (text[0] == '\0') {
        path[0] = '\0';
        return true;
    }
    return path_absolute(path, text, e);
}

static bool set_name(char *name, const char *text, struct err *e)
{
    if (text[0] != '\0' && !name_check(slice_text(text), e))
        return false;
    memcpy(name, text, strlen(text) + 1);
    return true;
}

static bool set_bool(bool *v, const char *text, struct err *e)
{
    bool on = strcmp(text, "on") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
    bool off = strcmp(text, "off") == 0 || strcmp(text, "no") == 0 || strcmp(text, "false") == 0;

    if (!on && !off)
        return err_set(e, ERR_INPUT, "\"%.40s\" is neither on nor off", text);
    *v = on;
    return true;
}

static bool set_level(enum log_level *level, const char *text, struct err *e)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return err_set(e, ERR_INPUT, "\"%.40s\" is none of error, warn, info, debug", text);
}

static bool set_address(struct address *a, const char *text, struct err *e)
{
    if (text[0] == '\0') {
        *a = (struct address){.port = PORT_DEFAULT};
        return true;
    }
    return address_parse(a, text, PORT_DEFAULT, e);
}

static bool set_option(struct config *c, const struct option *o, const char *text, struct err *e)
{
    switch (o->kind) {
    case KIND_PATH:
        return set_path(field_of(c, o), text, e);
    case KIND_NAME:
        return set_name(field_of(c, o), text, e);
    case KIND_BOOL:
        return set_bool(field_of(c, o), text, e);
    case KIND_INT:
        return parse_int(field_of(c, o), text, o->min, o->max, e);
    case KIND_ADDRESS:
        return set_address(field_of(c, o), text, e);
    case KIND_PEERS:
        return set_peers(c, text, e);
    case KIND_LEVEL:
        return set_level(field_of(c, o), text, e);
    }
    return err_set(e, ERR_USAGE, "option %s has no kind", o->name);
}

/* A value goes into a line, a log and a screen: text, and nothing that steers a terminal. */
static bool check_text(const char *text, struct err *e)
{
    struct slice left = slice_text(text);

    if (left.n >= VALUE_BYTES)
        return err_set(e, ERR_LIMIT, "a value of %zu bytes, allowed %d", left.n, VALUE_BYTES - 1);
    if (!slice_is_utf8(left))
        return err_set(e, ERR_INPUT, "the value is not UTF-8");
    for (size_t i = 0; i < left.n; i++) {
        if (left.p[i] < 0x20 && left.p[i] != '\t')
            return err_set(e, ERR_INPUT, "the value has a control character (byte %zu)", i + 1);
    }
    return true;
}

static const struct option *find_option(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    }
    return NULL;
}

void config_defaults(struct config *c)
{
    struct err e = {0};

    *c = (struct config){0};
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (!set_option(c, &options[i], options[i].preset, &e))
            abort(); /* the table above is wrong */
    }
}

bool config_set(struct config *c, const char *name, const char *value, struct err *e)
{
    const struct option *o = find_option(name);

    if (o == NULL)
        return err_set(e, ERR_USAGE, "unknown setting \"%.40s\" (navette-agent --help lists them)",
                       name);
    if (!check_text(value, e) || !set_option(c, o, value, e))
        return err_wrap(e, "%s", name);
    return true;
}

/* ---- reading ---- */

static struct slice trim(struct slice s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && strchr(" \t\r", s.p[s.n - 1]) != NULL)
        s.n--;
    return s;
}

/* The next line of `text`, without its newline. */
static struct slice cut_line(struct slice *text)
{
    const uint8_t *end = memchr(text->p, '\n', text->n);
    struct slice line = {text->p, end != NULL ? (size_t)(end - text->p) : text->n};
    size_t used = line.n + (end != NULL ? 1 : 0);

    text->p += used;
    text->n -= used;
    return line;
}

static bool copy_word(char *out, size_t room, struct slice word, const char *what, struct err *e)
{
    if (word.n >= room)
        return err_set(e, ERR_LIMIT, "a %s of %zu bytes, allowed %zu", what, word.n, room - 1);
    if (memchr(word.p, '\0', word.n) != NULL)
        return err_set(e, ERR_INPUT, "a NUL byte in the %s", what);
    memcpy(out, word.p, word.n);
    out[word.n] = '\0';
    return true;
}

static bool parse_line(struct config *c, struct slice line, uint32_t *seen, struct err *e)
{
    const uint8_t *equals = memchr(line.p, '=', line.n);
    const struct option *o;
    struct slice left;
    struct slice right;
    char name[64];
    char value[VALUE_BYTES];
    uint32_t bit;

    if (equals == NULL)
        return err_set(e, ERR_INPUT, "expected \"name = value\"");
    left = trim((struct slice){line.p, (size_t)(equals - line.p)});
    right = trim((struct slice){equals + 1, line.n - (size_t)(equals - line.p) - 1});
    if (!copy_word(name, sizeof name, left, "name", e) ||
        !copy_word(value, sizeof value, right, "value", e) || !config_set(c, name, value, e))
        return false;
    o = find_option(name);
    bit = UINT32_C(1) << (o - options);
    if ((*seen & bit) != 0)
        return err_set(e, ERR_INPUT, "%s is set twice", name);
    *seen |= bit;
    return true;
}

bool config_parse(struct config *c, struct slice text, const char *label, struct err *e)
{
    uint32_t number = 0;
    uint32_t seen = 0;

    _Static_assert(COUNT_OF(options) <= 32, "one bit each");
    if (text.n > CONFIG_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "%s has %zu bytes, allowed %d", label, text.n,
                       CONFIG_BYTES_MAX);
    /* Some editors put a byte order mark in front. */
    if (text.n >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0)
        text = (struct slice){text.p + 3, text.n - 3};
    while (text.n > 0) {
        struct slice line = trim(cut_line(&text));

        number++;
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (!parse_line(c, line, &seen, e)) {
            /* A wrong word in a file, not on a command line. */
            e->code = e->code == ERR_USAGE ? ERR_INPUT : e->code;
            return err_wrap(e, "%s:%" PRIu32, label, number);
        }
    }
    return true;
}

bool config_load(struct config *c, const char *path, struct err *e)
{
    struct buf text;
    bool ok = false;

    buf_open(&text, CONFIG_BYTES_MAX);
    config_defaults(c);
    if (!file_read(path, CONFIG_BYTES_MAX, &text, e) || !config_parse(c, buf_slice(&text), path, e))
        goto out;
    if (c->database[0] == '\0')
        err_set(e, ERR_INPUT, "%s: add a line \"database = PATH\" with the application's file",
                path);
    else if (c->name[0] == '\0')
        err_set(e, ERR_INPUT, "%s: add a line \"name = NAME\" with what this PC is called", path);
    else
        ok = true;
out:
    buf_close(&text);
    return ok;
}

/* ---- writing ---- */

static void add_text(struct buf *out, const char *text)
{
    buf_add(out, text, strlen(text));
}

static void format_address(char *out, size_t room, const struct address *a)
{
    if (a->host[0] == '\0')
        out[0] = '\0';
    else
        snprintf(out, room, "%s:%u", a->host, (unsigned)a->port);
}

static void format_peers(char *out, size_t room, const struct config *c)
{
    size_t n = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < c->peer_count && n < room; i++) {
        char one[32];

        format_address(one, sizeof one, &c->peers[i]);
        n += (size_t)snprintf(out + n, room - n, "%s%s", i == 0 ? "" : ", ", one);
    }
}

static void format_value(char *out, size_t room, const struct config *c, const struct option *o)
{
    const void *v = value_of(c, o);

    switch (o->kind) {
    case KIND_PATH:
    case KIND_NAME:
        snprintf(out, room, "%s", (const char *)v);
        break;
    case KIND_BOOL:
        snprintf(out, room, "%s", *(const bool *)v ? "on" : "off");
        break;
    case KIND_INT:
        snprintf(out, room, "%" PRId64, *(const int64_t *)v);
        break;
    case KIND_ADDRESS:
        format_address(out, room, v);
        break;
    case KIND_PEERS:
        format_peers(out, room, c);
        break;
    case KIND_LEVEL:
        snprintf(out, room, "%s", level_names[*(const enum log_level *)v]);
        break;
    }
}

void config_write(const struct config *c, struct buf *out)
{
    add_text(out,
             "# Settings of this Navette agent: name = value. Restart the agent after a change.\n"
             "# Lines that begin with # are comments; the values in them are the defaults.\n");
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        const struct option *o = &options[i];
        char value[VALUE_BYTES];

        format_value(value, sizeof value, c, o);
        add_text(out, "\n# ");
        add_text(out, o->help);
        add_text(out, strcmp(value, o->preset) == 0 ? "\n#" : "\n");
        add_text(out, o->name);
        add_text(out, value[0] == '\0' ? " =" : " = ");
        add_text(out, value);
        add_text(out, "\n");
    }
}

bool config_save(const struct config *c, const char *path, struct err *e)
{
    struct buf text;
    bool ok;

    buf_open(&text, CONFIG_BYTES_MAX);
    config_write(c, &text);
    ok = !text.overflow ? file_write_atomic(path, buf_slice(&text), 0600, e)
                        : err_set(e, ERR_LIMIT, "%s: more than %d bytes", path, CONFIG_BYTES_MAX);
    buf_close(&text);
    return ok;
}

void config_help(FILE *out)
{
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        const struct option *o = &options[i];

        fprintf(out, "  %-*s %s%s%s%s\n", HELP_COLUMN - 8, o->name, o->help,
                o->preset[0] != '\0' ? " (" : "", o->preset, o->preset[0] != '\0' ? ")" : "");
    }
}

bool config_option(size_t i, const char **name, const char **preset, const char **help)
{
    if (i >= COUNT_OF(options))
        return false;
    *name = options[i].name;
    *preset = options[i].preset;
    *help = options[i].help;
    return true;
}
