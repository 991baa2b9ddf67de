#include <navette/message.h>

#include <string.h>

#define FRAME_HEAD_BYTES 4

/* One put, get and drop per field type; the tables of message.h pick them. */

static void put_number(struct writer *w, const uint64_t *v)
{
    write_uint(w, *v);
}

static void put_actor(struct writer *w, const struct actor *v)
{
    write_bin(w, SLICE(v->bytes));
}

static void put_hash(struct writer *w, const uint8_t (*v)[HASH_BYTES])
{
    write_bin(w, SLICE(*v));
}

static void put_vector(struct writer *w, const struct vector *v)
{
    vector_write(w, v);
}

static void put_roster(struct writer *w, const struct slice *v)
{
    write_bin(w, *v);
}

static void put_changeset(struct writer *w, const struct slice *v)
{
    write_bin(w, *v);
}

static void put_keys(struct writer *w, const struct slice *v)
{
    write_bin(w, *v);
}

static void put_flag(struct writer *w, const bool *v)
{
    write_bool(w, *v);
}

static void put_header(struct writer *w, const struct slice *v)
{
    write_bin(w, *v);
}

static void put_signature(struct writer *w, const struct slice *v)
{
    write_bin(w, *v);
}

static void put_body(struct writer *w, const struct slice *v)
{
    write_bin(w, *v);
}

static void put_picks(struct writer *w, const struct slice *v)
{
    write_bin(w, *v);
}

static void put_word(struct writer *w, const struct slice *v)
{
    write_text(w, *v);
}

static void put_text(struct writer *w, const struct slice *v)
{
    write_text(w, *v);
}

static void get_number(struct reader *r, uint64_t *v, const char *what)
{
    *v = read_uint(r, MESSAGE_NUMBER_MAX, what);
}

static void get_actor(struct reader *r, struct actor *v, const char *what)
{
    read_bin_exact(r, v->bytes, sizeof v->bytes, what);
}

static void get_hash(struct reader *r, uint8_t (*v)[HASH_BYTES], const char *what)
{
    read_bin_exact(r, *v, sizeof *v, what);
}

static void get_vector(struct reader *r, struct vector *v, const char *what)
{
    (void)what;
    vector_read(r, v);
}

static void get_roster(struct reader *r, struct slice *v, const char *what)
{
    *v = read_bin(r, ROSTER_BYTES_MAX, what);
}

static void get_changeset(struct reader *r, struct slice *v, const char *what)
{
    *v = read_bin(r, CHANGESET_BYTES_MAX, what);
}

static void get_keys(struct reader *r, struct slice *v, const char *what)
{
    *v = read_bin(r, KEYS_BYTES_MAX, what);
}

static void get_flag(struct reader *r, bool *v, const char *what)
{
    (void)what;
    *v = read_bool(r);
}

static void get_header(struct reader *r, struct slice *v, const char *what)
{
    *v = read_bin(r, HEADER_BYTES_MAX, what);
}

static void get_signature(struct reader *r, struct slice *v, const char *what)
{
    *v = read_bin(r, SIGNATURE_BYTES, what);
    if (!r->failed && v->n != SIGNATURE_BYTES)
        read_fail(r, ERR_INPUT, "a %s of %zu bytes instead of %d", what, v->n, SIGNATURE_BYTES);
}

static void get_body(struct reader *r, struct slice *v, const char *what)
{
    *v = read_bin(r, BODY_BYTES_MAX, what);
}

static void get_picks(struct reader *r, struct slice *v, const char *what)
{
    *v = read_bin(r, PICKS_BYTES_MAX, what);
}

static void get_word(struct reader *r, struct slice *v, const char *what)
{
    *v = read_text(r, MESSAGE_WORD_BYTES_MAX, what);
}

static void get_text(struct reader *r, struct slice *v, const char *what)
{
    *v = read_text(r, MESSAGE_TEXT_BYTES_MAX, what);
}

#define DROP_number(field)
#define DROP_actor(field)
#define DROP_hash(field)
#define DROP_vector(field) vector_close(&m->field);
#define DROP_roster(field)
#define DROP_changeset(field)
#define DROP_keys(field)
#define DROP_flag(field)
#define DROP_header(field)
#define DROP_signature(field)
#define DROP_body(field)
#define DROP_picks(field)
#define DROP_word(field)
#define DROP_text(field)

#define WRITE(type, field) put_##type(w, &m->field);
#define READ(type, field)  get_##type(r, &m->field, #field);
#define DROP(type, field)  DROP_##type(field)
#define ONE(type, field)   +1

/* hello_write, hello_read, hello_drop, and so on for each message. */
#define FUNCTIONS(number, NAME, name, table)                                                       \
    static void name##_write(struct writer *w, const struct message_##name *m)                     \
    {                                                                                              \
        write_array(w, 1 table(ONE));                                                              \
        write_uint(w, number);                                                                     \
        table(WRITE)                                                                               \
    }                                                                                              \
    static void name##_read(struct reader *r, struct message_##name *m, uint32_t count)            \
    {                                                                                              \
        if (count != 1 table(ONE))                                                                 \
            read_fail(r, ERR_INPUT, #NAME " of %u fields, not %u", count, 1u table(ONE));          \
        table(READ)                                                                                \
    }                                                                                              \
    static void name##_drop(struct message_##name *m)                                              \
    {                                                                                              \
        (void)m;                                                                                   \
        table(DROP)                                                                                \
    }
MESSAGES(FUNCTIONS)

void message_write(struct buf *out, const struct message *m)
{
    struct writer w = {.out = out};
    size_t start = out->n;

    buf_extend(out, FRAME_HEAD_BYTES);
    switch (m->kind) {
#define CASE(number, NAME, name, table)                                                            \
    case number:                                                                                   \
        name##_write(&w, &m->name);                                                                \
        break;
        MESSAGES(CASE)
#undef CASE
    }
    if (out->overflow)
        out->n = start;
    else
        be32_write(out->p + start, (uint32_t)(out->n - start - FRAME_HEAD_BYTES));
}

bool message_read(struct message *m, struct slice bytes, struct err *e)
{
    struct reader r = reader_of(bytes, e);
    struct reader ahead;
    uint32_t count = read_array(&r, UINT32_MAX, "message");

    memset(m, 0, sizeof *m);
    m->kind = read_uint(&r, MESSAGE_NUMBER_MAX, "kind of message");
    if (r.failed)
        return false;
    if (m->kind >= MESSAGE_KIND_SKIPPED_MIN)
        return true;
    if (m->kind == MESSAGE_KIND_HELLO) {
        ahead = r;
        m->hello.protocol = read_uint(&ahead, MESSAGE_NUMBER_MAX, "protocol");
        if (ahead.failed || m->hello.protocol != MESSAGE_PROTOCOL)
            return !ahead.failed;
    }
    switch (m->kind) {
#define CASE(number, NAME, name, table)                                                            \
    case number:                                                                                   \
        name##_read(&r, &m->name, count);                                                          \
        break;
        MESSAGES(CASE)
#undef CASE
    default:
        return err_set(e, ERR_INPUT, "message of unknown kind %u", (unsigned)m->kind);
    }
    return read_end(&r);
}

void message_close(struct message *m)
{
    switch (m->kind) {
#define CASE(number, NAME, name, table)                                                            \
    case number:                                                                                   \
        name##_drop(&m->name);                                                                     \
        break;
        MESSAGES(CASE)
#undef CASE
    }
    memset(m, 0, sizeof *m);
}

/* An array of few values, of which the first is the kind. */
bool message_is(struct slice message, enum message_kind kind)
{
    return message.n > 1 && message.p[1] == kind;
}

/* The most bytes of a field, its head included. */
#define MOST_head      5 /* of what may be long */
#define MOST_number    9
#define MOST_actor     (2 + ACTOR_BYTES)
#define MOST_hash      (2 + HASH_BYTES)
#define MOST_vector    (3 + ACTORS_MAX * (1 + MOST_actor + MOST_number + MOST_hash))
#define MOST_roster    (MOST_head + ROSTER_BYTES_MAX)
#define MOST_changeset (MOST_head + CHANGESET_BYTES_MAX)
#define MOST_keys      (MOST_head + KEYS_BYTES_MAX)
#define MOST_flag      1
#define MOST_header    (MOST_head + HEADER_BYTES_MAX)
#define MOST_signature (2 + SIGNATURE_BYTES)
#define MOST_body      (MOST_head + BODY_BYTES_MAX)
#define MOST_picks     (MOST_head + PICKS_BYTES_MAX)
#define MOST_word      (2 + MESSAGE_WORD_BYTES_MAX)
#define MOST_text      (3 + MESSAGE_TEXT_BYTES_MAX)

#define MOST(type, field) +MOST_##type

static size_t bytes_most(uint64_t kind)
{
    if (kind >= MESSAGE_KIND_SKIPPED_MIN)
        return MESSAGE_SKIPPED_BYTES_MAX;
    switch (kind) {
#define CASE(number, NAME, name, table)                                                            \
    case number:                                                                                   \
        return 2 table(MOST);
        MESSAGES(CASE)
#undef CASE
    }
    return 0;
}

/* What may be big says in its head how big it is. */
static size_t bytes_told(struct slice field)
{
    const uint8_t *p = field.p;

    switch (p[0]) {
    case 0xC4:
        return 2 + (size_t)p[1];
    case 0xC5:
        return 3 + (size_t)(p[1] << 8 | p[2]);
    case 0xC6:
        return 5 + (size_t)be32_read(p + 1);
    default:
        return 0;
    }
}

/* The field of a message of `kind` that may be big, as far as it has come; `fields` are all. */
static struct slice big_field(uint64_t kind, struct slice fields)
{
    size_t before = kind == MESSAGE_KIND_ROSTER ? MOST_hash : 0;

    if ((kind != MESSAGE_KIND_CHANGESET && kind != MESSAGE_KIND_ROSTER &&
         kind != MESSAGE_KIND_KEYS) ||
        fields.n < before + MOST_head)
        return (struct slice){0};
    return (struct slice){fields.p + before, fields.n - before};
}

bool message_begins(struct slice start, size_t bytes, struct err *e)
{
    struct err short_of = {0}; /* too little of it to tell is no error */
    struct reader r = reader_of(start, &short_of);
    struct slice big;
    uint64_t kind;
    size_t most, told, before;

    (void)read_array(&r, UINT32_MAX, "message");
    kind = read_uint(&r, MESSAGE_NUMBER_MAX, "kind of message");
    if (r.failed)
        return bytes < MOST_number || err_set(e, ERR_INPUT, "a message that begins with no kind");
    most = bytes_most(kind);
    big = big_field(kind, r.left);
    if (big.n > 0) {
        told = bytes_told(big);
        before = start.n - big.n;
        most = told <= most - before ? before + told : 0;
    }
    return bytes <= most || err_set(e, ERR_LIMIT, "more than %zu bytes of a message of kind %llu",
                                    most, (unsigned long long)kind);
}

bool message_next(struct slice *left, struct slice *message)
{
    uint32_t n;

    if (left->n < FRAME_HEAD_BYTES)
        return false;
    n = be32_read(left->p);
    if (n > left->n - FRAME_HEAD_BYTES)
        return false;
    *message = (struct slice){left->p + FRAME_HEAD_BYTES, n};
    *left = (struct slice){message->p + n, left->n - FRAME_HEAD_BYTES - n};
    return true;
}
