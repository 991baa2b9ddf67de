#include "outcome.h"

#include "record.h"

static bool read_bytes(struct slice *in, struct slice *out, uint64_t n)
{
    if (n > in->n)
        return false;
    *out = (struct slice){in->p, (size_t)n};
    in->p += n;
    in->n -= (size_t)n;
    return true;
}

void outcome_write(struct buf *out, const struct outcome *o)
{
    varint_write(out, (uint64_t)o->gid);
    buf_add_byte(out, (uint8_t)o->kind);
    if (o->kind == OUTCOME_IN || o->kind == OUTCOME_NEW) {
        buf_add_byte(out, (uint8_t)o->key.kind);
        if (o->key.kind == KEY_INT)
            varint_write(out, (uint64_t)o->key.i << 1 ^ (o->key.i < 0 ? UINT64_MAX : 0));
        if (o->key.kind == KEY_PACKED) {
            varint_write(out, o->key.bytes.n);
            buf_add(out, o->key.bytes.p, o->key.bytes.n);
        }
        varint_write(out, o->shadow.p == NULL ? 0 : o->shadow.n + 1);
        buf_add(out, o->shadow.p, o->shadow.p == NULL ? 0 : o->shadow.n);
    }
    if (o->kind == OUTCOME_UNITE)
        varint_write(out, (uint64_t)o->other);
    if (o->kind == OUTCOME_PARKED || o->kind == OUTCOME_KEPT) {
        varint_write(out, o->reason.n);
        buf_add(out, o->reason.p, o->reason.n);
    }
}

static bool read_key(struct slice *in, struct row_key *key)
{
    struct slice kind;
    uint64_t u;

    *key = (struct row_key){0};
    if (!read_bytes(in, &kind, 1) || *kind.p > KEY_PACKED)
        return false;
    key->kind = (int)*kind.p;
    if (key->kind == KEY_NONE)
        return true;
    if (!varint_read(in, &u))
        return false;
    if (key->kind == KEY_PACKED)
        return read_bytes(in, &key->bytes, u);
    key->i = (int64_t)(u >> 1 ^ ((u & 1) != 0 ? UINT64_MAX : 0));
    return true;
}

bool outcome_read(struct slice *in, struct outcome *o)
{
    struct slice kind;
    uint64_t u;

    *o = (struct outcome){0};
    if (!varint_read(in, &u) || !read_bytes(in, &kind, 1) || *kind.p < OUTCOME_IN ||
        *kind.p > OUTCOME_UNITE)
        return false;
    o->gid = (int64_t)u;
    o->kind = (enum outcome_kind) * kind.p;
    if (o->kind == OUTCOME_IN || o->kind == OUTCOME_NEW) {
        if (!read_key(in, &o->key) || !varint_read(in, &u))
            return false;
        return u == 0 || read_bytes(in, &o->shadow, u - 1);
    }
    if (o->kind == OUTCOME_UNITE) {
        if (!varint_read(in, &u))
            return false;
        o->other = (int64_t)u;
    }
    if (o->kind == OUTCOME_PARKED || o->kind == OUTCOME_KEPT)
        return varint_read(in, &u) && read_bytes(in, &o->reason, u);
    return true;
}
