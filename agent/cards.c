#include "cards.h"

#include <string.h>

#include <navette/keys.h>

#include "file.h"

#define LISTED_MAX 1024
#define TEXT_BYTES 64

/* What the system says of one card in one word; false: nothing, or too much. */
static bool read_word(const char *card, const char *name, char out[TEXT_BYTES])
{
    char path[PATH_BYTES_MAX];
    struct err ignored = {0};
    struct buf text;
    bool ok;

    buf_open(&text, TEXT_BYTES);
    ok = path_join(path, card, name, &ignored) &&
         file_read_head(path, TEXT_BYTES, &text, &ignored) && text.n > 0 && text.n < TEXT_BYTES;
    if (ok) {
        memcpy(out, text.p, text.n);
        out[text.n] = '\0';
        out[strcspn(out, "\n")] = '\0';
    }
    buf_close(&text);
    return ok;
}

static bool is_a_things(const char *card)
{
    char path[PATH_BYTES_MAX];
    struct err ignored = {0};

    return path_join(path, card, "device", &ignored) && file_exists(path);
}

static void add(struct cards *c, const char *card)
{
    char address[TEXT_BYTES], given[TEXT_BYTES];
    uint8_t hash[HASH_BYTES];

    if (!is_a_things(card) || !read_word(card, "address", address) ||
        !read_word(card, "addr_assign_type", given) || strcmp(given, "0") != 0 ||
        strspn(address, "0:") == strlen(address))
        return;
    hash_bytes(hash, slice_text(address));
    memcpy(c->all[c->n++], hash, CARD_BYTES);
}

void cards_read(const char *directory, struct cards *c)
{
    struct file_names names;
    struct err ignored = {0};
    char card[PATH_BYTES_MAX];

    *c = (struct cards){0};
    if (!file_list(directory, LISTED_MAX, &names, &ignored))
        return;
    for (uint32_t i = 0; i < names.n && c->n < CARDS_MAX; i++)
        if (path_join(card, directory, names.names[i], &ignored))
            add(c, card);
    file_names_close(&names);
}

static bool has(const struct cards *c, const uint8_t card[CARD_BYTES])
{
    for (uint32_t i = 0; i < c->n; i++)
        if (memcmp(c->all[i], card, CARD_BYTES) == 0)
            return true;
    return false;
}

bool cards_differ(const struct cards *a, const struct cards *b)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (has(b, a->all[i]))
            return false;
    return a->n > 0 && b->n > 0;
}
