#include <navette/join.h>

#include <string.h>

#include <navette/wire.h>

void join_statement(struct buf *out, const struct join_message *m, const uint8_t session[32])
{
    buf_open(out, JOIN_STATEMENT_BYTES_MAX);
    buf_add(out, session, 32);
    buf_add(out, m->sign_public, sizeof m->sign_public);
    buf_add(out, m->exchange_public, sizeof m->exchange_public);
    buf_add(out, m->name, strlen(m->name));
}

void join_message_write(struct buf *out, const struct join_message *m)
{
    struct writer w = {.out = out};

    write_array(&w, m->kind == JOIN_JOIN ? 5 : m->kind == JOIN_WELCOME ? 3 : 2);
    write_uint(&w, m->kind);
    switch (m->kind) {
    case JOIN_JOIN:
        write_text(&w, slice_text(m->name));
        write_bin(&w, SLICE(m->sign_public));
        write_bin(&w, SLICE(m->exchange_public));
        write_bin(&w, SLICE(m->proof));
        break;
    case JOIN_WELCOME:
        write_bin(&w, SLICE(m->fleet_key));
        write_bin(&w, m->roster);
        break;
    case JOIN_SORRY:
        write_text(&w, slice_text(m->sorry));
        break;
    }
}

static void copy_text(char *out, struct slice text)
{
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
}

static void read_join(struct reader *r, struct join_message *m)
{
    struct slice name = read_text(r, NAME_BYTES_MAX, "name");

    if (!r->failed && !name_check(name, r->e))
        r->failed = true;
    if (!r->failed)
        copy_text(m->name, name);
    read_bin_exact(r, m->sign_public, sizeof m->sign_public, "sign public key");
    read_bin_exact(r, m->exchange_public, sizeof m->exchange_public, "exchange public key");
    read_bin_exact(r, m->proof, sizeof m->proof, "proof");
}

/* It is shown to a person: nothing that could drive a terminal. */
static void read_sorry(struct reader *r, struct join_message *m)
{
    struct slice text = read_text(r, SORRY_BYTES_MAX, "reason");
    size_t i;

    for (i = 0; i < text.n; i++)
        if (text.p[i] < 0x20 || text.p[i] > 0x7e)
            read_fail(r, ERR_INPUT, "reason with byte 0x%02x at %zu", text.p[i], i);
    if (!r->failed)
        copy_text(m->sorry, text);
}

bool join_message_read(struct join_message *m, struct slice bytes, struct err *e)
{
    struct reader r = reader_of(bytes, e);
    uint32_t count = read_array(&r, 5, "join message");
    uint64_t kind = read_uint(&r, 255, "message kind");

    *m = (struct join_message){0};
    if (!r.failed && kind == JOIN_JOIN && count == 5) {
        read_join(&r, m);
    } else if (!r.failed && kind == JOIN_WELCOME && count == 3) {
        read_bin_exact(&r, m->fleet_key, sizeof m->fleet_key, "fleet key");
        m->roster = read_bin(&r, ROSTER_BYTES_MAX, "roster");
    } else if (!r.failed && kind == JOIN_SORRY && count == 2) {
        read_sorry(&r, m);
    } else {
        read_fail(&r, ERR_INPUT, "message %u of %u fields where a join message belongs",
                  (unsigned)kind, (unsigned)count);
    }
    m->kind = (enum join_kind)kind;
    return read_end(&r);
}
