#include <navette/rules.h>

#include <stdlib.h>
#include <string.h>

/* What a kind speaks of: rules of one group in one place replace one another. */
enum group { GROUP_COUNTER, GROUP_LOCAL, GROUP_KEY, GROUP_REFERENCES, GROUP_WAY };

enum need { NONE, MAY, MUST };

static const struct {
    const char *name;
    enum group group;
    uint32_t columns_min, columns_max;
    enum need argument, where;
} kinds[] = {
    [RULE_COUNTER] = {"counter", GROUP_COUNTER, 1, 1, NONE, NONE},
    [RULE_LOCAL] = {"local", GROUP_LOCAL, 0, 1, MAY, NONE},
    [RULE_KEEP] = {"keep", GROUP_KEY, 1, KEY_COLUMNS_MAX, NONE, NONE},
    [RULE_MERGE] = {"merge", GROUP_KEY, 1, KEY_COLUMNS_MAX, NONE, NONE},
    [RULE_REFERENCES] = {"references", GROUP_REFERENCES, 1, 1, MUST, NONE},
    [RULE_PUBLISH] = {"publish", GROUP_WAY, 0, 0, NONE, MAY},
    [RULE_SUBSCRIBE] = {"subscribe", GROUP_WAY, 0, 0, NONE, NONE},
    [RULE_BOTH] = {"both", GROUP_WAY, 0, 0, NONE, MAY},
    [RULE_REFERENCES_BY] = {"references-by", GROUP_REFERENCES, 1, 1, MUST, MAY},
    [RULE_REFERENCES_TEXT] = {"references-text", GROUP_REFERENCES, 1, 1, MUST, MAY},
};

/* ---- names ---- */

static int lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static int name_order(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) - lower(*b);
}

bool rule_name_same(const char *a, const char *b)
{
    return name_order(a, b) == 0;
}

const char *rule_kind_name(enum rule_kind kind)
{
    return kinds[kind].name;
}

bool rule_kind_parse(enum rule_kind *kind, const char *word, struct err *e)
{
    for (int i = RULE_COUNTER; i <= RULE_KINDS; i++)
        if (strcmp(kinds[i].name, word) == 0) {
            *kind = (enum rule_kind)i;
            return true;
        }
    return err_set(e, ERR_USAGE,
                   "\"%.40s\" is no kind of rule: counter, local, keep, merge, references, "
                   "references-by, references-text, publish, subscribe or both",
                   word);
}

/* ---- one rule ---- */

void rule_close(struct rule *r)
{
    free(r->table);
    for (uint32_t i = 0; i < r->column_count; i++)
        free(r->columns[i]);
    free(r->columns);
    free(r->argument);
    free(r->where);
    *r = (struct rule){0};
}

void rule_copy(struct rule *to, const struct rule *from)
{
    *to = *from;
    to->table = mem_text(from->table);
    to->columns = mem_alloc((from->column_count + 1) * sizeof *to->columns);
    for (uint32_t i = 0; i < from->column_count; i++)
        to->columns[i] = mem_text(from->columns[i]);
    to->argument = from->argument == NULL ? NULL : mem_text(from->argument);
    to->where = from->where == NULL ? NULL : mem_text(from->where);
}

static int column_order(const void *a, const void *b)
{
    return name_order(*(char *const *)a, *(char *const *)b);
}

void rule_sort(struct rule *r)
{
    if (kinds[r->kind].group == GROUP_KEY)
        qsort(r->columns, r->column_count, sizeof *r->columns, column_order);
}

static bool text_check(const char *text, size_t min, size_t max, const char *what, struct err *e)
{
    size_t n = strlen(text);

    if (n < min || n > max)
        return err_set(e, ERR_LIMIT, "a rule's %s of %zu bytes, allowed %zu to %zu", what, n, min,
                       max);
    if (!slice_is_utf8(slice_text(text)))
        return err_set(e, ERR_INPUT, "a rule's %s is not UTF-8", what);
    return true;
}

static bool part_check(const char *kind, const char *what, const char *part, enum need need,
                       size_t max, struct err *e)
{
    if (part == NULL)
        return need != MUST || err_set(e, ERR_USAGE, "%s needs its %s", kind, what);
    if (need == NONE)
        return err_set(e, ERR_USAGE, "%s takes no %s", kind, what);
    return text_check(part, need == MUST ? 1 : 0, max, what, e);
}

bool rule_check(const struct rule *r, struct err *e)
{
    const char *name;

    if (r->kind < RULE_COUNTER || r->kind > RULE_KINDS)
        return err_set(e, ERR_REFUSED, "a kind of rule that this version does not know");
    name = kinds[r->kind].name;
    if (!text_check(r->table, 1, IDENTIFIER_BYTES_MAX, "table", e))
        return false;
    if (r->column_count < kinds[r->kind].columns_min && r->column_count == 0)
        return err_set(e, ERR_USAGE, "%s needs TABLE.COLUMN", name);
    if (r->column_count > kinds[r->kind].columns_max)
        return err_set(e, kinds[r->kind].columns_max > 1 ? ERR_LIMIT : ERR_USAGE,
                       "%s takes at most %u columns", name, kinds[r->kind].columns_max);
    for (uint32_t i = 0; i < r->column_count; i++) {
        if (!text_check(r->columns[i], 1, IDENTIFIER_BYTES_MAX, "column", e))
            return false;
        if (i > 0 && name_order(r->columns[i - 1], r->columns[i]) >= 0)
            return err_set(e, ERR_INPUT, "the columns of a rule are not in rising order");
    }
    if (r->of_site && kinds[r->kind].group != GROUP_WAY)
        return err_set(e, ERR_USAGE, "%s holds for every site", name);
    if (r->kind == RULE_LOCAL && r->column_count == 0 && r->argument != NULL)
        return err_set(e, ERR_USAGE, "a table that is local takes no fill-in value");
    return part_check(name, "argument", r->argument, kinds[r->kind].argument, IDENTIFIER_BYTES_MAX,
                      e) &&
           part_check(name,
                      kinds[r->kind].group == GROUP_WAY ? "filter (--where)"
                                                        : "names of tables (--names)",
                      r->where, kinds[r->kind].where, RULE_WHERE_BYTES_MAX, e);
}

/* The order of places; 0: the same one. */
static int place_order(const struct rule *a, const struct rule *b)
{
    int order = name_order(a->table, b->table);

    for (uint32_t i = 0; order == 0 && i < a->column_count && i < b->column_count; i++)
        order = name_order(a->columns[i], b->columns[i]);
    if (order == 0 && a->column_count != b->column_count)
        order = a->column_count < b->column_count ? -1 : 1;
    if (order == 0)
        order = (int)kinds[a->kind].group - (int)kinds[b->kind].group;
    if (order == 0 && a->of_site != b->of_site)
        order = b->of_site ? -1 : 1;
    return order != 0 || !a->of_site ? order : memcmp(&a->site, &b->site, sizeof a->site);
}

bool rule_same_place(const struct rule *a, const struct rule *b)
{
    return place_order(a, b) == 0;
}

static bool text_same(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

bool rule_equal(const struct rule *a, const struct rule *b)
{
    return a->kind == b->kind && place_order(a, b) == 0 && text_same(a->argument, b->argument) &&
           text_same(a->where, b->where);
}

/* ---- targets as text ---- */

static bool is_plain(const char *name)
{
    return name[0] != '\0' && name[strcspn(name, "., \"")] == '\0';
}

/* The name in front of `*text`, which then stands behind it. */
static bool take_name(const char **text, char **name, struct err *e)
{
    const char *p = *text;
    struct buf out;
    bool quoted = *p == '"';

    buf_open(&out, IDENTIFIER_BYTES_MAX + 1);
    if (!quoted) {
        size_t n = strcspn(p, ".,\"");

        buf_add(&out, p, n);
        p += n;
    } else {
        for (p++; *p != '\0' && (*p != '"' || p[1] == '"'); p++) {
            p += *p == '"';
            buf_add_byte(&out, (uint8_t)*p);
        }
        if (*p++ != '"') {
            buf_close(&out);
            return err_set(e, ERR_USAGE, "a quoted name has no end: %.100s", *text);
        }
    }
    if (out.overflow || out.n == 0) {
        buf_close(&out);
        return err_set(e, ERR_USAGE, "%s: write TABLE, TABLE.COLUMN or TABLE.COLUMN,COLUMN",
                       **text == '\0' ? "a name is missing" : "a name is too long or missing");
    }
    buf_add_byte(&out, 0);
    *name = mem_text((const char *)out.p);
    buf_close(&out);
    *text = p;
    return true;
}

static bool take_target(struct rule *r, const char *text, struct err *e)
{
    if (!take_name(&text, &r->table, e))
        return false;
    for (char want = '.'; *text != '\0'; want = ',') {
        if (*text++ != want || r->column_count == KEY_COLUMNS_MAX)
            return err_set(e, ERR_USAGE,
                           "write TABLE, TABLE.COLUMN or TABLE.COLUMN,COLUMN (names with . , \" "
                           "or spaces in double quotes)");
        if (!take_name(&text, &r->columns[r->column_count], e))
            return false;
        r->column_count++;
    }
    return true;
}

bool rule_target_parse(struct rule *r, const char *text, struct err *e)
{
    r->columns = mem_alloc((KEY_COLUMNS_MAX + 1) * sizeof *r->columns);
    if (take_target(r, text, e))
        return true;
    rule_close(r);
    return false;
}

static void print_name(const char *name, struct buf *out)
{
    if (is_plain(name)) {
        buf_add(out, name, strlen(name));
        return;
    }
    buf_add_byte(out, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"')
            buf_add_byte(out, '"');
        buf_add_byte(out, (uint8_t)*name);
    }
    buf_add_byte(out, '"');
}

void rule_target_print(const struct rule *r, struct buf *out)
{
    print_name(r->table, out);
    for (uint32_t i = 0; i < r->column_count; i++) {
        buf_add_byte(out, i == 0 ? '.' : ',');
        print_name(r->columns[i], out);
    }
}

void rule_target_text(const struct rule *r, char out[RULE_TARGET_BYTES_MAX])
{
    struct buf text;
    size_t n;

    buf_open(&text, (KEY_COLUMNS_MAX + 1) * (2 * IDENTIFIER_BYTES_MAX + 3));
    rule_target_print(r, &text);
    n = text.n < RULE_TARGET_BYTES_MAX ? text.n : RULE_TARGET_BYTES_MAX - 1;
    memcpy(out, text.p, n);
    out[n] = '\0';
    buf_close(&text);
}

/* ---- on the wire ---- */

static void write_optional(struct writer *w, const char *text)
{
    if (text == NULL)
        write_nil(w);
    else
        write_text(w, slice_text(text));
}

void rule_change_write(struct writer *w, const struct rule_change *c)
{
    const struct rule *r = &c->rule;

    write_array(w, 7);
    write_uint(w, r->kind);
    write_text(w, slice_text(r->table));
    write_array(w, r->column_count);
    for (uint32_t i = 0; i < r->column_count; i++)
        write_text(w, slice_text(r->columns[i]));
    if (r->of_site)
        write_bin(w, SLICE(r->site.bytes));
    else
        write_nil(w);
    write_optional(w, c->set ? r->argument : NULL);
    write_optional(w, c->set ? r->where : NULL);
    write_bool(w, c->set);
}

static char *copy_text(struct reader *r, struct slice text)
{
    char *copy = mem_alloc(text.n + 1);

    if (text.n > 0 && memchr(text.p, '\0', text.n) != NULL)
        read_fail(r, ERR_INPUT, "a rule has a NUL in it");
    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    return copy;
}

static char *read_optional(struct reader *r, size_t max, const char *what)
{
    struct value v = read_value(r);

    if (r->failed || v.type == VALUE_NULL)
        return NULL;
    if (v.type != VALUE_TEXT || v.bytes.n > max) {
        read_fail(r, ERR_INPUT, "the %s of a rule is no text of at most %zu bytes", what, max);
        return NULL;
    }
    return copy_text(r, v.bytes);
}

static void read_site(struct reader *r, struct rule *rule)
{
    struct value v = read_value(r);

    if (r->failed || v.type == VALUE_NULL)
        return;
    if (v.type != VALUE_BLOB || v.bytes.n != sizeof rule->site) {
        read_fail(r, ERR_INPUT, "the site of a rule is no site id");
        return;
    }
    rule->of_site = true;
    memcpy(&rule->site, v.bytes.p, sizeof rule->site);
}

static void read_fields(struct reader *r, struct rule_change *c)
{
    struct rule *rule = &c->rule;
    uint64_t kind = read_uint(r, UINT64_MAX, "kind of a rule");
    uint32_t n;

    if (!r->failed && (kind < RULE_COUNTER || kind > RULE_KINDS))
        read_fail(r, ERR_REFUSED,
                  "a rule was written by a newer version of Navette: update this PC");
    rule->kind = r->failed ? RULE_COUNTER : (enum rule_kind)kind;
    rule->table = copy_text(r, read_text(r, IDENTIFIER_BYTES_MAX, "table of a rule"));
    n = read_array(r, KEY_COLUMNS_MAX, "columns of a rule");
    rule->columns = mem_alloc((n + 1) * sizeof *rule->columns);
    while (rule->column_count < n && !r->failed)
        rule->columns[rule->column_count++] =
            copy_text(r, read_text(r, IDENTIFIER_BYTES_MAX, "column of a rule"));
    read_site(r, rule);
    rule->argument = read_optional(r, IDENTIFIER_BYTES_MAX, "argument");
    rule->where = read_optional(r, RULE_WHERE_BYTES_MAX, "filter");
    c->set = read_bool(r);
}

/* One that is unset has its place only. */
static bool change_check(const struct rule_change *c, struct err *e)
{
    struct rule place = c->rule;

    if (c->set)
        return rule_check(&c->rule, e);
    if (place.argument != NULL || place.where != NULL)
        return err_set(e, ERR_INPUT, "a rule that is unset has an argument or a filter");
    place.argument = kinds[place.kind].argument == MUST ? place.table : NULL;
    return rule_check(&place, e);
}

void rule_change_read(struct reader *r, struct rule_change *c)
{
    struct err e = {0};

    *c = (struct rule_change){0};
    read_array_exact(r, 7, "rule");
    if (!r->failed)
        read_fields(r, c);
    if (!r->failed && !change_check(c, &e))
        read_fail(r, e.code == ERR_USAGE ? ERR_INPUT : e.code, "%s", e.text);
    if (r->failed)
        rule_change_close(c);
}

void rule_change_close(struct rule_change *c)
{
    rule_close(&c->rule);
}

/* ---- a set of rules ---- */

/* The index of the rule in this place, or (false) where one would go. */
static bool search(const struct rules *all, const struct rule *like, uint32_t *at)
{
    uint32_t low = 0, high = all->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = place_order(&all->rules[middle], like);

        if (order == 0) {
            *at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return false;
}

const struct rule *rules_at(const struct rules *all, const struct rule *like)
{
    uint32_t at;

    return search(all, like, &at) ? &all->rules[at] : NULL;
}

/* Of a change that sets it. */
static size_t encoded_bytes(const struct rule *r)
{
    struct rule_change c = {*r, true};
    struct buf bytes;
    struct writer w = {&bytes};
    size_t n;

    buf_open(&bytes, RULES_BYTES_MAX);
    rule_change_write(&w, &c);
    n = bytes.n;
    buf_close(&bytes);
    return n;
}

bool rules_would_change(const struct rules *all, const struct rule_change *c)
{
    const struct rule *was = rules_at(all, &c->rule);
    size_t bytes = all->bytes;

    if (!c->set)
        return was != NULL;
    if (was == NULL ? all->n == RULES_MAX : rule_equal(was, &c->rule))
        return false;
    bytes -= was == NULL ? 0 : encoded_bytes(was);
    return bytes + encoded_bytes(&c->rule) <= RULES_BYTES_MAX;
}

static void make_room(struct rules *all, uint32_t at)
{
    if (all->n == all->room) {
        all->room = all->room == 0 ? 16 : 2 * all->room;
        all->rules = mem_grow(all->rules, all->room * sizeof *all->rules);
    }
    memmove(&all->rules[at + 1], &all->rules[at], (all->n - at) * sizeof *all->rules);
    all->n++;
}

bool rules_apply(struct rules *all, const struct rule_change *c)
{
    uint32_t at;
    bool known;

    if (!rules_would_change(all, c))
        return false;
    known = search(all, &c->rule, &at);
    if (known) {
        all->bytes -= (uint32_t)encoded_bytes(&all->rules[at]);
        rule_close(&all->rules[at]);
    }
    if (!c->set) {
        all->n--;
        memmove(&all->rules[at], &all->rules[at + 1], (all->n - at) * sizeof *all->rules);
        return true;
    }
    if (!known)
        make_room(all, at);
    rule_copy(&all->rules[at], &c->rule);
    all->bytes += (uint32_t)encoded_bytes(&c->rule);
    return true;
}

void rules_close(struct rules *all)
{
    for (uint32_t i = 0; i < all->n; i++)
        rule_close(&all->rules[i]);
    free(all->rules);
    *all = (struct rules){0};
}

/* The lists of names in a look-up are only read. */
static char *lent(const char *name)
{
    return (char *)(uintptr_t)name;
}

const struct rule *rules_find(const struct rules *all, enum rule_kind kind, const char *table,
                              const char *column)
{
    char *columns[1] = {column == NULL ? NULL : lent(column)};
    struct rule like = {.kind = kind,
                        .table = lent(table),
                        .columns = columns,
                        .column_count = column == NULL ? 0 : 1};
    const struct rule *found = rules_at(all, &like);

    return found != NULL && found->kind == kind ? found : NULL;
}

const struct rule *rules_way(const struct rules *all, const char *table, const struct site_id *site)
{
    struct rule like = {.kind = RULE_BOTH, .table = lent(table), .of_site = true, .site = *site};
    const struct rule *own = rules_at(all, &like);

    like.of_site = false;
    return own != NULL ? own : rules_at(all, &like);
}

enum rule_kind rules_key(const struct rules *all, const char *table, const char *const *columns,
                         uint32_t n)
{
    char *sorted[KEY_COLUMNS_MAX];
    struct rule like = {
        .kind = RULE_KEEP, .table = lent(table), .columns = sorted, .column_count = n};
    const struct rule *found;

    if (n > KEY_COLUMNS_MAX)
        return 0;
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = lent(columns[i]);
    rule_sort(&like);
    found = rules_at(all, &like);
    return found == NULL ? 0 : found->kind;
}
