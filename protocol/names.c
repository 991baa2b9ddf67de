/* A name that is taken gets a number. Names that are cut to the same stem share their numbers; for
 * each stem, and each count of digits, it is remembered up to which number all are taken. */
#include "names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

/* A name, in small letters; or a stem, behind its count of digits, which is no character of a
 * name. */
struct names_node {
    char key[NAME_BYTES_MAX + 1]; /* empty: a free place */
    uint32_t marks;               /* sites whose enrolment name it is */
    uint32_t members;             /* that are called so, or were enrolled so */
    uint32_t next[2];             /* of a stem: all below are taken, by members; for marks */
};

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool name_same(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

/* ---- the table ---- */

static struct names_node *find_place(const struct names *all, const char *key)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t at = 0;

    crypto_shorthash(hash, (const uint8_t *)key, strlen(key), all->secret);
    memcpy(&at, hash, sizeof hash);
    while (all->nodes[at & (all->room - 1)].key[0] != '\0' &&
           strcmp(all->nodes[at & (all->room - 1)].key, key) != 0)
        at++;
    return &all->nodes[at & (all->room - 1)];
}

static void make_room(struct names *all)
{
    struct names_node *old = all->nodes;
    uint32_t room = all->room;

    _Static_assert(crypto_shorthash_KEYBYTES == 16, "struct names");
    _Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "find_place");
    if (room == 0)
        random_fill(all->secret, sizeof all->secret);
    all->room = room == 0 ? 64 : 2 * room;
    all->nodes = mem_alloc(all->room * sizeof *all->nodes);
    for (uint32_t i = 0; i < room; i++)
        if (old[i].key[0] != '\0')
            *find_place(all, old[i].key) = old[i];
    free(old);
}

/* Its place in the table, for now: the next one that is asked for can move it. */
static struct names_node *node_of(struct names *all, const char *name)
{
    char key[NAME_BYTES_MAX + 1] = "";
    struct names_node *node;

    for (size_t i = 0; name[i] != '\0'; i++)
        key[i] = lower(name[i]);
    all->looks++;
    if (2 * all->used >= all->room)
        make_room(all);
    node = find_place(all, key);
    if (node->key[0] == '\0') {
        memcpy(node->key, key, sizeof key);
        all->used++;
    }
    return node;
}

/* ---- numbers ---- */

static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000};

#define DIGITS_MAX 5 /* there are not so many names in a roster */

/* As much of a name as leaves room for a dash and so many digits. */
static size_t stem_bytes(struct slice name, uint32_t digits)
{
    size_t n = name.n;

    if (n > NAME_BYTES_MAX - 1 - digits)
        for (n = NAME_BYTES_MAX - 1 - digits; n > 0 && (name.p[n] & 0xC0) == 0x80; n--)
            continue;
    return n;
}

static struct names_node *stem_node(struct names *all, struct slice stem, uint32_t digits)
{
    char key[NAME_BYTES_MAX + 1] = "";
    struct names_node *node;

    key[0] = (char)digits;
    memcpy(key + 1, stem.p, stem.n);
    node = node_of(all, key);
    for (int i = 0; i < 2 && node->next[i] == 0; i++)
        node->next[i] = digits == 1 ? 2 : powers[digits - 1];
    return node;
}

/* Is `name` a stem, a dash and a number of so many digits? The number, or 0. */
static uint32_t number_of(const char *name, uint32_t digits, size_t *stem_n)
{
    size_t n = strlen(name);
    uint32_t number = 0;

    if (n < digits + 1 || name[n - digits - 1] != '-' || name[n - digits] == '0')
        return 0;
    for (uint32_t i = digits; i > 0; i--) {
        if (name[n - i] < '0' || name[n - i] > '9')
            return 0;
        number = 10 * number + (uint32_t)(name[n - i] - '0');
    }
    *stem_n = n - digits - 1;
    return number < 2 ? 0 : number;
}

/* Nobody is called so any more. */
static void set_free(struct names *all, const char *name)
{
    for (uint32_t digits = 1; digits <= DIGITS_MAX; digits++) {
        size_t stem_n = 0;
        uint32_t number = number_of(name, digits, &stem_n);
        struct names_node *stem;

        if (number == 0)
            continue;
        stem = stem_node(all, (struct slice){(const uint8_t *)name, stem_n}, digits);
        for (int i = 0; i < 2; i++)
            if (number < stem->next[i])
                stem->next[i] = number;
    }
}

static bool has(const struct roster_site *s, const char *name)
{
    return name_same(s->mark, name) || name_same(s->name, name);
}

static bool is_free(struct names *all, const char *name, const struct roster_site *member)
{
    const struct names_node *node = node_of(all, name);

    if (member == NULL)
        return node->marks == 0 && node->members == 0;
    return node->members == (has(member, name) ? 1 : 0);
}

/* The least number below `next` under which `member` alone is called; or `next`. */
static uint32_t own_number(struct names *all, const struct roster_site *member, struct slice stem,
                           uint32_t digits, uint32_t next)
{
    const char *own[2] = {member->mark, member->name};

    for (int i = 0; i < 2; i++) {
        size_t stem_n = 0;
        uint32_t number = number_of(own[i], digits, &stem_n);
        bool same = number != 0 && stem_n == stem.n;

        for (size_t j = 0; same && j < stem.n; j++)
            same = lower(own[i][j]) == lower((char)stem.p[j]);
        if (same && number < next && is_free(all, own[i], member))
            next = number;
    }
    return next;
}

/* The first free number of so many digits. */
static bool find_number(struct names *all, struct slice stem, uint32_t digits,
                        const struct roster_site *member, char out[NAME_BYTES_MAX + 1])
{
    uint32_t next = stem_node(all, stem, digits)->next[member == NULL], number = next;
    bool found = false;

    if (member != NULL)
        number = own_number(all, member, stem, digits, next);
    while (number < powers[digits] && !found) {
        memcpy(out, stem.p, stem.n);
        snprintf(out + stem.n, NAME_BYTES_MAX + 1 - stem.n, "-%" PRIu32, number);
        found = is_free(all, out, member);
        if (!found)
            number++;
    }
    if (number > next)
        stem_node(all, stem, digits)->next[member == NULL] = number;
    return found;
}

void names_make_unique(struct names *all, struct slice name, const struct roster_site *member,
                       char out[NAME_BYTES_MAX + 1])
{
    bool found;

    memset(out, 0, NAME_BYTES_MAX + 1);
    memcpy(out, name.p, name.n);
    found = is_free(all, out, member);
    for (uint32_t digits = 1; digits <= DIGITS_MAX && !found; digits++) {
        memset(out, 0, NAME_BYTES_MAX + 1);
        found =
            find_number(all, (struct slice){name.p, stem_bytes(name, digits)}, digits, member, out);
    }
}

/* ---- who is called so ---- */

void names_put(struct names *all, const struct roster_site *s)
{
    node_of(all, s->mark)->marks++;
    if (s->standing != ROSTER_MEMBER)
        return;
    node_of(all, s->mark)->members++;
    if (!name_same(s->mark, s->name))
        node_of(all, s->name)->members++;
}

void names_rename(struct names *all, struct roster_site *s, const char *name)
{
    if (!name_same(s->name, name)) {
        if (!name_same(s->mark, s->name) && --node_of(all, s->name)->members == 0)
            set_free(all, s->name);
        if (!name_same(s->mark, name))
            node_of(all, name)->members++;
    }
    memset(s->name, 0, sizeof s->name);
    memcpy(s->name, name, strlen(name));
}

void names_close(struct names *all)
{
    free(all->nodes);
    *all = (struct names){0};
}

void roster_make_unique(const struct roster *r, struct slice name, const struct roster_site *member,
                        char out[NAME_BYTES_MAX + 1])
{
    bool is_void = member != NULL && member->standing == ROSTER_VOID;
    struct names all = {0};

    for (uint32_t i = 0; i < r->known_count; i++)
        if (!is_void || &r->sites[i] != member)
            names_put(&all, &r->sites[i]);
    names_make_unique(&all, name, is_void ? NULL : member, out);
    names_close(&all);
}
