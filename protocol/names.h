/* Who is called what in a roster, ASCII case aside, to find names that are free: as a rule in the
 * same few looks, however many sites want the same name. */
#ifndef NAVETTE_NAMES_H
#define NAVETTE_NAMES_H

#include <navette/roster.h>

struct names_node;

/* Empty when zeroed. */
struct names {
    struct names_node *nodes; /* a hash table; a power of two */
    uint32_t room, used;
    uint8_t secret[16]; /* of the hash: nobody chooses names that meet in one place */
    uint64_t looks;
};

char lower(char c);
bool name_same(const char *a, const char *b);

/* Note how a site is called: its mark and, of a member, its name. */
void names_put(struct names *all, const struct roster_site *s);
/* A member that is there is called otherwise from now on. */
void names_rename(struct names *all, struct roster_site *s, const char *name);
/* `name` itself, or cut where a character ends and with "-2", "-3"..., the first that nobody has
 * but `member`; NULL: that it can have for a mark, which nobody ever had for one. */
void names_make_unique(struct names *all, struct slice name, const struct roster_site *member,
                       char out[NAME_BYTES_MAX + 1]);
void names_close(struct names *all);

/* The same, of all that the roster knows. A `member` that is VOID is enrolled anew: it finds a
 * mark, its own of before if it likes. */
void roster_make_unique(const struct roster *r, struct slice name, const struct roster_site *member,
                        char out[NAME_BYTES_MAX + 1]);

#endif
