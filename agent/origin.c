#include "origin.h"

#include <string.h>

#include <uv.h>

#include <navette/keys.h>

#include "cards.h"
#include "home.h"

#define FILE_MODE      0600
#define FILE_BYTES_MAX (PATH_BYTES_MAX + 256)
#define HEAD           "navette machine 1\n"
#define MACHINE_BYTES  16
#define CARD_TEXT      (1 + 2 * CARD_BYTES)

#ifdef _WIN32
static void machine_name(struct buf *out)
{
    char name[256] = "";
    size_t n = sizeof name;

    if (uv_os_gethostname(name, &n) == 0)
        buf_add(out, name, n);
}
#else
/* What the system was called when it was installed; without that, the path alone counts. */
static void machine_name(struct buf *out)
{
    struct err ignored = {0};

    if (!file_read("/etc/machine-id", FILE_BYTES_MAX, out, &ignored))
        buf_clear(out);
}
#endif

struct origin {
    char machine[2 * MACHINE_BYTES + 1];
    struct cards cards;
    char path[PATH_BYTES_MAX];
};

static bool origin_here(const struct home *h, struct origin *o, struct err *e)
{
    uint8_t hash[HASH_BYTES];
    struct buf name;

    buf_open(&name, FILE_BYTES_MAX);
    machine_name(&name);
    hash_bytes(hash, buf_slice(&name));
    buf_close(&name);
    hex_write(o->machine, (struct slice){hash, MACHINE_BYTES});
    cards_read(h->cards, &o->cards);
    return path_real(o->path, h->path, e);
}

static bool file_path(char *out, const struct home *h, const char *name, struct err *e)
{
    return path_join(out, h->path, name, e);
}

static bool note_write(const struct home *h, const char *name, const char *text, struct err *e)
{
    char path[PATH_BYTES_MAX];

    return file_path(path, h, name, e) && file_write_atomic(path, slice_text(text), FILE_MODE, e);
}

/* The text of a file in the home; "" when there is none. */
static bool note_read(const struct home *h, const char *name, char *out, size_t room, struct err *e)
{
    char path[PATH_BYTES_MAX];
    struct buf text;
    bool ok;

    out[0] = '\0';
    if (!file_path(path, h, name, e))
        return false;
    if (!file_exists(path))
        return true;
    buf_open(&text, room - 1);
    ok = file_read(path, room - 1, &text, e);
    if (ok && text.n > 0 && memchr(text.p, '\0', text.n) == NULL) {
        memcpy(out, text.p, text.n);
        out[text.n] = '\0';
    } else if (ok) {
        memcpy(out, "?", 2); /* it is there, and says nothing */
    }
    buf_close(&text);
    return ok;
}

static bool write_origin(const struct home *h, const struct origin *o, struct err *e)
{
    char cards[CARDS_MAX * CARD_TEXT + 1] = "", text[FILE_BYTES_MAX];

    for (uint32_t i = 0; i < o->cards.n; i++) {
        cards[i * CARD_TEXT] = ' ';
        hex_write(cards + i * CARD_TEXT + 1, SLICE(o->cards.all[i]));
    }
    snprintf(text, sizeof text, HEAD "%s%s\n%s\n", o->machine, cards, o->path);
    return note_write(h, "machine", text, e);
}

/* Up to the end of the line; `text` is what follows it. */
static bool parse_cards(struct cards *c, char **text)
{
    char *p = *text;

    for (; *p == ' '; p += CARD_TEXT) {
        char digits[CARD_TEXT];

        if (c->n == CARDS_MAX || strlen(p) <= CARD_TEXT)
            return false;
        memcpy(digits, p + 1, CARD_TEXT - 1);
        digits[CARD_TEXT - 1] = '\0';
        if (!hex_read(c->all[c->n++], CARD_BYTES, digits))
            return false;
    }
    *text = p + 1;
    return *p == '\n';
}

/* False when the text is not one of ours: who was cut off or edited it is asked, too. */
static bool parse_origin(struct origin *o, char *text)
{
    const size_t head = sizeof HEAD - 1, digits = sizeof o->machine - 1;
    size_t n = strlen(text);

    if (n < head + digits || memcmp(text, HEAD, head) != 0)
        return false;
    memcpy(o->machine, text + head, digits);
    o->machine[digits] = '\0';
    text += head + digits;
    if (!parse_cards(&o->cards, &text))
        return false;
    n = strlen(text);
    if (n < 2 || n > sizeof o->path || text[n - 1] != '\n')
        return false;
    memcpy(o->path, text, n - 1);
    o->path[n - 1] = '\0';
    return true;
}

#define NOT_TWICE "so that no two PCs speak under one name, nothing is sent from here"

static void compare(const struct origin *here, const struct origin *made, char *doubt)
{
    if (made->path[0] == '\0')
        snprintf(doubt, ORIGIN_DOUBT_BYTES_MAX, "the home's file `machine` is damaged; " NOT_TWICE);
    else if (strcmp(made->machine, here->machine) != 0)
        snprintf(doubt, ORIGIN_DOUBT_BYTES_MAX,
                 "this home was made on another PC, or this system was installed anew; " NOT_TWICE);
    else if (strcmp(made->path, here->path) != 0)
        snprintf(doubt, ORIGIN_DOUBT_BYTES_MAX,
                 "this home was made at %.120s: it was moved or copied; " NOT_TWICE, made->path);
    else if (cards_differ(&made->cards, &here->cards))
        snprintf(
            doubt, ORIGIN_DOUBT_BYTES_MAX,
            "this PC has none of the network cards that it had: its disk, or an image of it, is "
            "in another machine now, or the card was replaced; " NOT_TWICE);
}

bool origin_check(const struct home *h, char doubt[ORIGIN_DOUBT_BYTES_MAX], struct err *e)
{
    char text[FILE_BYTES_MAX];
    struct origin here, made = {0};

    if (!note_read(h, "doubt", doubt, ORIGIN_DOUBT_BYTES_MAX, e) ||
        !note_read(h, "machine", text, sizeof text, e) || !origin_here(h, &here, e))
        return err_wrap(e, "where the home was made");
    if (doubt[0] != '\0')
        return true;
    if (text[0] == '\0')
        return write_origin(h, &here, e);
    if (!parse_origin(&made, text))
        made.path[0] = '\0';
    compare(&here, &made, doubt);
    if (doubt[0] == '\0' && made.cards.n == 0 && here.cards.n > 0)
        return write_origin(h, &here, e); /* none was known when it was made */
    return true;
}

bool origin_machine(const struct home *h, uint8_t out[HASH_BYTES], struct err *e)
{
    char text[FILE_BYTES_MAX];
    struct origin here;

    if (!origin_here(h, &here, e))
        return err_wrap(e, "where the home is");
    snprintf(text, sizeof text, "%s\n%s", here.machine, here.path);
    hash_bytes(out, slice_text(text));
    return true;
}

bool origin_doubt(const struct home *h, const char *why, struct err *e)
{
    return note_write(h, "doubt", why, e);
}

bool origin_confirm(const struct home *h, struct err *e)
{
    char path[PATH_BYTES_MAX];
    struct origin here;

    return origin_here(h, &here, e) && write_origin(h, &here, e) &&
           file_path(path, h, "doubt", e) && file_remove(path, e);
}
