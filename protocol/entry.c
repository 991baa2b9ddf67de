#include "entry.h"

#include <string.h>

#define ROSTER_FORMAT 1

/* A checkpoint must have all in its past. */
static uint32_t parents_max(uint64_t kind)
{
    return kind == ENTRY_CHECKPOINT ? ROSTER_ENDS_MAX : ROSTER_PARENTS_MAX;
}

static void read_parents(struct reader *r, struct entry *n)
{
    uint8_t hash[HASH_BYTES], previous[HASH_BYTES];

    n->parent_count = read_array(r, parents_max(n->kind), "parents of a roster entry");
    n->parents = r->left.p;
    for (uint32_t i = 0; i < n->parent_count && !r->failed; i++) {
        read_bin_exact(r, hash, sizeof hash, "parent of a roster entry");
        if (i > 0 && !r->failed && memcmp(previous, hash, sizeof hash) >= 0)
            read_fail(r, ERR_INPUT, "the parents of a roster entry are not in rising order");
        memcpy(previous, hash, sizeof hash);
    }
}

static struct slice read_name(struct reader *r, const char *what)
{
    struct slice name = read_text(r, NAME_BYTES_MAX, what);

    if (!r->failed && !name_check(name, r->e))
        r->failed = true;
    return name;
}

/* Bytes that stay where they are; zeros when the reader has failed. */
static const uint8_t *read_lent(struct reader *r, uint32_t n, const char *what)
{
    static const uint8_t zeros[SIGNATURE_BYTES];
    struct slice bytes = read_bin(r, n, what);

    if (!r->failed && bytes.n != n)
        read_fail(r, ERR_INPUT, "%s has %zu bytes instead of %u", what, bytes.n, n);
    return r->failed ? zeros : bytes.p;
}

static void read_create(struct reader *r, struct entry *n)
{
    uint8_t random[ROSTER_RANDOM_BYTES];

    n->fleet_name = read_name(r, "fleet name");
    n->name = read_name(r, "site name");
    n->exchange_public = read_lent(r, KEY_BYTES, "exchange key");
    read_bin_exact(r, random, sizeof random, "random bytes of a fleet");
    n->sign_public = n->author;
    if (n->parent_count != 0)
        read_fail(r, ERR_INPUT, "the entry that creates a fleet has parents");
}

static void read_invite(struct reader *r, struct entry *n)
{
    read_bin_exact(r, n->invite_id, sizeof n->invite_id, "invitation id");
    n->ends_ms = read_uint(r, UINT64_MAX, "end of an invitation");
}

static void read_enrol(struct reader *r, struct entry *n)
{
    n->sign_public = read_lent(r, SIGN_PUBLIC_BYTES, "signing key");
    n->exchange_public = read_lent(r, KEY_BYTES, "exchange key");
    n->name = read_name(r, "site name");
    read_bin_exact(r, n->invite_id, sizeof n->invite_id, "invitation id");
}

/* Checked here, so that whoever folds them later meets no error. */
static void read_rules(struct reader *r, struct entry *n)
{
    n->change_count = read_array(r, RULE_CHANGES_MAX, "rules of a roster entry");
    if (!r->failed && n->change_count == 0)
        read_fail(r, ERR_INPUT, "a roster entry about rules has none");
    n->changes = r->left;
    for (uint32_t i = 0; i < n->change_count && !r->failed; i++) {
        struct rule_change c;

        rule_change_read(r, &c);
        rule_change_close(&c);
    }
}

static void read_target(struct reader *r, struct entry *n)
{
    read_bin_exact(r, n->target.bytes, sizeof n->target.bytes, "site of a roster entry");
}

/* A vector that speaks of one site's actors only. */
static struct slice read_own_cut(struct reader *r, const struct site_id *site)
{
    const uint8_t *start = r->left.p;
    struct vector cut = {0};
    struct slice bytes = {0};

    vector_read(r, &cut);
    if (!r->failed)
        bytes = (struct slice){start, (size_t)(r->left.p - start)};
    for (uint32_t i = 0; i < cut.n && !r->failed; i++)
        if (!actor_is_of(&cut.entries[i].actor, site))
            read_fail(r, ERR_INPUT, "a revocation speaks of change-sets of another site");
    vector_close(&cut);
    return bytes;
}

static void read_revoke(struct reader *r, struct entry *n)
{
    read_target(r, n);
    n->cut = read_own_cut(r, &n->target);
}

static void read_rename(struct reader *r, struct entry *n)
{
    read_target(r, n);
    n->name = read_name(r, "site name");
}

static void read_admin(struct reader *r, struct entry *n)
{
    read_target(r, n);
    n->admin = read_bool(r);
}

void entry_box(struct reader *r, struct site_id *site, uint8_t box[FLEET_KEY_BOX_BYTES])
{
    read_array_exact(r, 2, "sealed fleet key");
    read_bin_exact(r, site->bytes, sizeof site->bytes, "site of a sealed fleet key");
    read_bin_exact(r, box, FLEET_KEY_BOX_BYTES, "sealed fleet key");
}

static void read_boxes(struct reader *r, struct entry *n, uint32_t max)
{
    uint8_t box[FLEET_KEY_BOX_BYTES];
    struct site_id site, previous;

    n->box_count = read_array(r, max, "sealed fleet keys of a roster entry");
    n->boxes = r->left;
    for (uint32_t i = 0; i < n->box_count && !r->failed; i++) {
        entry_box(r, &site, box);
        if (i > 0 && !r->failed && memcmp(&previous, &site, sizeof site) >= 0)
            read_fail(r, ERR_INPUT, "the sealed fleet keys are not in rising order");
        previous = site;
    }
}

static void read_rotate(struct reader *r, struct entry *n)
{
    read_bin_exact(r, n->key_id, sizeof n->key_id, "id of a fleet key");
    read_boxes(r, n, ROSTER_BOXES_MAX);
    if (!r->failed && n->box_count == 0)
        read_fail(r, ERR_INPUT, "a roster entry about a fleet key has none");
}

static void read_withdraw(struct reader *r, struct entry *n)
{
    read_bin_exact(r, n->invite_id, sizeof n->invite_id, "invitation id");
}

static void read_acknowledge(struct reader *r, struct entry *n)
{
    n->checkpoint = read_lent(r, HASH_BYTES, "checkpoint that is acknowledged");
}

/* ---- checkpoints ---- */

void checkpoint_site_read(struct reader *r, struct checkpoint_site *s)
{
    struct site_id site;

    read_array_exact(r, 9, "site of a checkpoint");
    read_bin_exact(r, s->sign_public, sizeof s->sign_public, "signing key");
    read_bin_exact(r, s->exchange_public, sizeof s->exchange_public, "exchange key");
    s->name = read_name(r, "site name");
    s->mark = read_name(r, "enrolment name");
    s->standing = (uint8_t)read_uint(r, ROSTER_VOID, "standing of a site");
    s->admin = read_bool(r);
    s->has_key = read_bool(r);
    read_bin_exact(r, s->by.bytes, sizeof s->by.bytes, "who shut a site out");
    site = keys_site_id(s->sign_public);
    s->cut = read_own_cut(r, &site);
}

void checkpoint_invite_read(struct reader *r, struct roster_invite *v)
{
    *v = (struct roster_invite){0};
    read_array_exact(r, 3, "invitation of a checkpoint");
    read_bin_exact(r, v->id, sizeof v->id, "invitation id");
    v->ends_ms = read_uint(r, UINT64_MAX, "end of an invitation");
    read_bin_exact(r, v->by.bytes, sizeof v->by.bytes, "who invited");
}

/* The author is an admin by what it says itself. */
static void read_checkpoint_sites(struct reader *r, struct entry *n)
{
    bool has_author = false;
    uint32_t members = 0;

    n->base.site_count = read_array(r, SITES_EVER_MAX, "sites of a checkpoint");
    n->base.sites = r->left;
    for (uint32_t i = 0; i < n->base.site_count && !r->failed; i++) {
        struct checkpoint_site s;

        checkpoint_site_read(r, &s);
        members += s.standing == ROSTER_MEMBER;
        has_author |= s.standing == ROSTER_MEMBER && s.admin &&
                      memcmp(s.sign_public, n->author, SIGN_PUBLIC_BYTES) == 0;
    }
    if (!r->failed && members > SITES_MAX)
        read_fail(r, ERR_LIMIT, "a checkpoint of %u members, allowed %d", members, SITES_MAX);
    if (!r->failed && !has_author)
        read_fail(r, ERR_INPUT, "a checkpoint is by one who is no admin in it");
}

static void read_checkpoint_key(struct reader *r, struct entry *n)
{
    struct slice id = read_bin(r, FLEET_KEY_ID_BYTES, "id of a fleet key");

    n->base.rotated = id.n == FLEET_KEY_ID_BYTES;
    if (!r->failed && id.n != 0 && !n->base.rotated)
        read_fail(r, ERR_INPUT, "the id of a fleet key has %zu bytes", id.n);
    if (!r->failed && n->base.rotated)
        memcpy(n->key_id, id.p, id.n);
    read_boxes(r, n, SITES_MAX);
}

static void read_checkpoint_rules(struct reader *r, struct entry *n)
{
    n->change_count = read_array(r, RULES_MAX, "rules of a checkpoint");
    n->changes = r->left;
    for (uint32_t i = 0; i < n->change_count && !r->failed; i++) {
        struct rule_change c;

        rule_change_read(r, &c);
        if (!r->failed && !c.set)
            read_fail(r, ERR_INPUT, "a checkpoint has a rule that is none");
        rule_change_close(&c);
    }
}

static void read_checkpoint(struct reader *r, struct entry *n)
{
    n->ends_ms = read_uint(r, UINT64_MAX, "time of a checkpoint");
    read_bin_exact(r, n->base.fleet, sizeof n->base.fleet, "fleet id");
    n->fleet_name = read_name(r, "fleet name");
    n->base.depth = (uint32_t)read_uint(r, UINT32_MAX / 2, "depth of a checkpoint");
    n->base.entries = (uint32_t)read_uint(r, UINT32_MAX / 2, "entries of a checkpoint");
    n->base.ruled = (uint32_t)read_uint(r, UINT32_MAX / 2, "entries about rules");
    read_checkpoint_sites(r, n);
    read_checkpoint_key(r, n);
    n->base.invite_count = read_array(r, ROSTER_INVITES_MAX, "invitations of a checkpoint");
    n->base.invites = r->left;
    for (uint32_t i = 0; i < n->base.invite_count && !r->failed; i++) {
        struct roster_invite v;

        checkpoint_invite_read(r, &v);
    }
    read_checkpoint_rules(r, n);
}

static void read_fields(struct reader *r, struct entry *n, uint32_t count)
{
    static const struct {
        uint32_t count;
        void (*read)(struct reader *r, struct entry *n);
    } kinds[] = {
        [ENTRY_CREATE] = {8, read_create},
        [ENTRY_INVITE] = {6, read_invite},
        [ENTRY_ENROL] = {8, read_enrol},
        [ENTRY_RULES] = {5, read_rules},
        [ENTRY_REVOKE] = {6, read_revoke},
        [ENTRY_RENAME] = {6, read_rename},
        [ENTRY_ADMIN] = {6, read_admin},
        [ENTRY_ROTATE] = {6, read_rotate},
        [ENTRY_WITHDRAW] = {5, read_withdraw},
        [ENTRY_CHECKPOINT] = {15, read_checkpoint},
        [ENTRY_ACKNOWLEDGE] = {5, read_acknowledge},
    };

    if (count != kinds[n->kind].count) {
        read_fail(r, ERR_INPUT, "a roster entry of kind %u has %u fields instead of %u",
                  (unsigned)n->kind, count, kinds[n->kind].count);
        return;
    }
    if (n->kind != ENTRY_CREATE && n->parent_count == 0)
        read_fail(r, ERR_INPUT, "a roster entry has no parents");
    kinds[n->kind].read(r, n);
}

static bool entry_parse(struct entry *n, struct err *e)
{
    struct reader r = reader_of(n->bytes, e);
    uint32_t count = read_array(&r, 64, "roster entry"); /* each kind has its own */
    uint64_t format = read_uint(&r, UINT64_MAX, "format of a roster entry");

    n->kind = read_uint(&r, UINT64_MAX, "kind of a roster entry");
    if (!r.failed &&
        (format != ROSTER_FORMAT || n->kind < ENTRY_CREATE || n->kind > ENTRY_ACKNOWLEDGE))
        read_fail(&r, ERR_REFUSED,
                  "a roster entry was written by a newer version of Navette: update this PC");
    n->author = read_lent(&r, SIGN_PUBLIC_BYTES, "author of a roster entry");
    read_parents(&r, n);
    n->fields = r.left;
    n->field_count = count - 4;
    if (!r.failed)
        read_fields(&r, n, count);
    hash_bytes(n->hash, n->bytes);
    return read_end(&r);
}

bool entry_read(struct reader *r, struct entry *n)
{
    read_array_exact(r, 2, "roster item");
    n->bytes = read_bin(r, ROSTER_CHECKPOINT_BYTES_MAX, "roster entry");
    n->signature = read_lent(r, SIGNATURE_BYTES, "signature of a roster entry");
    if (r->failed || !entry_parse(n, r->e))
        return false;
    if (n->kind != ENTRY_CHECKPOINT && n->bytes.n > ROSTER_ENTRY_BYTES_MAX)
        return err_set(r->e, ERR_LIMIT, "a roster entry of %zu bytes, allowed %d", n->bytes.n,
                       ROSTER_ENTRY_BYTES_MAX);
    return true;
}

const uint8_t *entry_parent(const struct entry *n, uint32_t i)
{
    return n->parents + (size_t)i * PARENT_BYTES + 2;
}

bool entry_only_acknowledges(const struct entry *n)
{
    return n->kind == ENTRY_ACKNOWLEDGE && n->parent_count == 1 &&
           memcmp(entry_parent(n, 0), n->checkpoint, HASH_BYTES) == 0;
}

void entry_begin(struct writer *w, const struct roster *r, enum entry_kind kind, uint32_t fields,
                 const struct keys *k)
{
    uint32_t heads = r->head_count < parents_max(kind) ? r->head_count : parents_max(kind);

    write_array(w, 4 + fields);
    write_uint(w, ROSTER_FORMAT);
    write_uint(w, kind);
    write_bin(w, SLICE(k->sign_public));
    write_array(w, heads);
    for (uint32_t i = 0; i < heads; i++)
        write_bin(w, (struct slice){r->heads[i], HASH_BYTES});
}

struct writer entry_open(struct buf *entry, const struct roster *r, enum entry_kind kind,
                         uint32_t fields, const struct keys *k)
{
    struct writer w = {entry};

    buf_open(entry, ROSTER_ENTRY_BYTES_MAX);
    entry_begin(&w, r, kind, fields, k);
    return w;
}

void item_write(struct buf *log, struct slice entry, const uint8_t signature[SIGNATURE_BYTES])
{
    struct writer w = {log};

    write_array(&w, 2);
    write_bin(&w, entry);
    write_bin(&w, (struct slice){signature, SIGNATURE_BYTES});
}
