#include <navette/changeset.h>

#include <inttypes.h>

#include <sodium.h>

/* format, and the fields of CHANGESET_HEADER */
#define ONE(type, name, max) +1
enum { HEADER_ELEMENTS = 1 CHANGESET_HEADER(ONE) };

/* ---- header ---- */

#define WRITE_bytes(name, max)  write_bin(&w, SLICE(h->name));
#define WRITE_actor(name, max)  write_bin(&w, SLICE(h->name.bytes));
#define WRITE_u64(name, max)    write_uint(&w, h->name);
#define WRITE_u32(name, max)    write_uint(&w, h->name);
#define WRITE_vector(name, max) vector_write(&w, &h->name);
#define WRITE(type, name, max)  WRITE_##type(name, max)

void changeset_header_write(struct buf *out, const struct changeset_header *h)
{
    struct writer w = {out};

    write_array(&w, HEADER_ELEMENTS);
    write_uint(&w, CHANGESET_FORMAT);
    CHANGESET_HEADER(WRITE)
}

/* Only what the same site has said as another actor can be said again by it. */
static bool repeats_ok(const struct changeset_header *h, struct err *e)
{
    const struct vector_entry *again = h->repeats.entries;
    struct site_id site = actor_site(&h->actor);

    if (h->repeats.n == 0)
        return true;
    if (h->repeats.n > 1)
        return err_set(e, ERR_LIMIT, "it repeats %" PRIu32 " change-sets, allowed up to 1",
                       h->repeats.n);
    if (!actor_is_of(&again->actor, &site))
        return err_set(e, ERR_INPUT, "it repeats a change-set of another site");
    if (actor_equal(&again->actor, &h->actor))
        return err_set(e, ERR_INPUT, "it repeats a change-set of its own chain");
    if (sodium_is_zero(again->hash, sizeof again->hash))
        return err_set(e, ERR_INPUT, "it repeats a change-set whose hash it does not tell");
    return true;
}

/* Whether its author may say so of another site, the roster tells. */
static bool corrects_ok(const struct changeset_header *h, struct err *e)
{
    const struct vector_entry *last = h->corrects.entries;

    if (h->corrects.n == 0)
        return true;
    if (h->corrects.n > 1)
        return err_set(e, ERR_LIMIT,
                       "it corrects the stamps of %" PRIu32 " actors, allowed up to 1",
                       h->corrects.n);
    if (actor_equal(&last->actor, &h->actor) && last->number >= h->number)
        return err_set(e, ERR_INPUT,
                       "it corrects the stamps of change-sets up to number %" PRIu64
                       ", and is number %" PRIu64 " itself",
                       last->number, h->number);
    return true;
}

/* What the fields' own limits do not say. */
static bool header_ok(const struct changeset_header *h, struct err *e)
{
    if (h->number == 0)
        return err_set(e, ERR_INPUT, "it has the number 0");
    if (h->number == 1 && !sodium_is_zero(h->previous, sizeof h->previous))
        return err_set(e, ERR_INPUT, "it is the first of its actor and names a previous one");
    return repeats_ok(h, e) && corrects_ok(h, e);
}

#define READ_bytes(name, max)  read_bin_exact(r, h->name, max, #name);
#define READ_actor(name, max)  read_bin_exact(r, h->name.bytes, max, #name);
#define READ_u64(name, max)    h->name = read_uint(r, max, #name);
#define READ_u32(name, max)    h->name = (uint32_t)read_uint(r, max, #name);
#define READ_vector(name, max) vector_read(r, &h->name);
#define READ(type, name, max)  READ_##type(name, max)

static void read_fields(struct reader *r, struct changeset_header *h)
{
    CHANGESET_HEADER(READ)
}

bool changeset_header_read(struct changeset_header *h, struct slice header, struct err *e)
{
    struct reader r = reader_of(header, e);
    uint32_t elements = read_array(&r, UINT32_MAX, "the header");
    uint64_t format = read_uint(&r, UINT64_MAX, "the format");

    *h = (struct changeset_header){0};
    if (!r.failed && format != CHANGESET_FORMAT)
        read_fail(&r, ERR_INPUT,
                  "it has format %" PRIu64
                  ", this program knows format %d: update Navette on this PC",
                  format, CHANGESET_FORMAT);
    if (!r.failed && elements != HEADER_ELEMENTS)
        read_fail(&r, ERR_INPUT, "its header has %" PRIu32 " elements instead of %d", elements,
                  HEADER_ELEMENTS);
    read_fields(&r, h);
    if (!read_end(&r) || !header_ok(h, e))
        return err_wrap(e, "change-set");
    return true;
}

void changeset_header_close(struct changeset_header *h)
{
    vector_close(&h->needs);
    vector_close(&h->repeats);
    vector_close(&h->corrects);
}

/* ---- the whole ---- */

void changeset_join(struct buf *out, const struct changeset *c)
{
    struct writer w = {out};

    write_array(&w, 3);
    write_bin(&w, c->header);
    write_bin(&w, (struct slice){c->signature, SIGNATURE_BYTES});
    write_bin(&w, c->body);
}

static void read_parts(struct reader *r, struct changeset *c)
{
    struct slice signature;

    read_array_exact(r, 3, "a change-set");
    c->header = read_bin(r, HEADER_BYTES_MAX, "a change-set's header");
    signature = read_bin(r, SIGNATURE_BYTES, "a change-set's signature");
    c->body = read_bin(r, BODY_BYTES_MAX, "a change-set's body");
    c->signature = signature.p;
    if (!r->failed && signature.n != SIGNATURE_BYTES)
        read_fail(r, ERR_INPUT, "a change-set's signature has %zu bytes instead of %d", signature.n,
                  SIGNATURE_BYTES);
}

bool changeset_split(struct changeset *c, struct slice bytes, struct err *e)
{
    struct reader r = reader_of(bytes, e);

    read_parts(&r, c);
    return read_end(&r);
}

bool changeset_header_front(struct changeset_header *h, struct slice front, struct err *e)
{
    struct reader r = reader_of(front, e);
    struct slice header;

    *h = (struct changeset_header){0};
    read_array_exact(&r, 3, "a change-set");
    header = read_bin(&r, HEADER_BYTES_MAX, "a change-set's header");
    return !r.failed && changeset_header_read(h, header, e);
}

bool changeset_open(struct changeset *c, struct changeset_header *h, struct slice bytes,
                    struct err *e)
{
    *h = (struct changeset_header){0};
    return changeset_split(c, bytes, e) && changeset_header_read(h, c->header, e);
}

bool changeset_front(struct slice *left, struct slice *one, struct err *e)
{
    struct reader r = reader_of(*left, e);
    struct changeset c;

    if (left->n == 0)
        return false;
    read_parts(&r, &c);
    if (r.failed)
        return false;
    *one = (struct slice){left->p, left->n - r.left.n};
    *left = r.left;
    return true;
}

void changeset_hash(const struct changeset *c, uint8_t hash[HASH_BYTES])
{
    hash_bytes(hash, c->header);
}

bool changeset_seal(struct changeset_header *h, uint32_t rows, struct slice body,
                    const struct keys *k, struct buf *out, uint8_t hash[HASH_BYTES], struct err *e)
{
    struct changeset c = {.body = body};
    uint8_t signature[SIGNATURE_BYTES];
    struct buf header;
    bool ok = false;

    buf_open(&header, HEADER_BYTES_MAX);
    h->rows = rows;
    h->body_bytes = (uint32_t)body.n;
    hash_bytes(h->body_hash, body);
    if (!body_check(body, h->stamp, rows, e) || !header_ok(h, e))
        goto out;
    changeset_header_write(&header, h);
    if (header.overflow) {
        err_set(e, ERR_LIMIT, "a change-set's header exceeds %d bytes", HEADER_BYTES_MAX);
        goto out;
    }
    c.header = buf_slice(&header);
    keys_sign(k, CHANGESET_CONTEXT, c.header, signature);
    c.signature = signature;
    changeset_hash(&c, hash);
    out->max = CHANGESET_BYTES_MAX;
    buf_clear(out);
    changeset_join(out, &c);
    ok = true;
out:
    buf_close(&header);
    return ok || err_wrap(e, "seal a change-set");
}

bool changeset_verify(const struct changeset *c, const struct changeset_header *h,
                      const uint8_t sign_public[32], struct err *e)
{
    uint8_t hash[HASH_BYTES];

    if (!keys_verify(sign_public, CHANGESET_CONTEXT, c->header, c->signature, e))
        return false;
    if (c->body.n != h->body_bytes)
        return err_set(e, ERR_CRYPTO, "a body of %zu bytes, its header says %" PRIu32, c->body.n,
                       h->body_bytes);
    hash_bytes(hash, c->body);
    if (sodium_memcmp(hash, h->body_hash, HASH_BYTES) != 0)
        return err_set(e, ERR_CRYPTO, "a change-set's body is not the one that was signed");
    return body_check(c->body, h->stamp, h->rows, e);
}
