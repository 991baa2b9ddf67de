#include "../../protocol/entry.h"

#include "library.h"
#include "shop.h"

/* An entry written by hand, as a member that breaks the rules would. */
struct forged {
    struct buf entry, item;
    struct writer w; /* for the fields, after forge_begin */
};

static void forge_begin(struct forged *f)
{
    buf_open(&f->entry, ROSTER_ENTRY_BYTES_MAX);
    buf_open(&f->item, ROSTER_ENTRY_BYTES_MAX + 256);
    f->w = (struct writer){&f->entry};
}

/* Sign it with `k`, merge it, and give the error. */
static enum err_code forge_end(struct forged *f, const struct keys *k, struct roster *r)
{
    uint8_t signature[SIGNATURE_BYTES];
    struct err e = {0};
    bool changed, ok;

    keys_sign(k, ROSTER_CONTEXT, buf_slice(&f->entry), signature);
    item_write(&f->item, buf_slice(&f->entry), signature);
    ok = roster_merge(r, buf_slice(&f->item), &changed, &e);
    assert_int_equal(ok, e.code == ERR_NONE);
    assert_int_equal(changed, ok);
    buf_close(&f->entry);
    buf_close(&f->item);
    return e.code;
}

static void write_enrol(struct writer *w, const struct keys *who, const char *name)
{
    write_bin(w, SLICE(who->sign_public));
    write_bin(w, SLICE(who->exchange_public));
    write_text(w, slice_text(name));
    write_bin(w, SLICE(no_invite));
}

static void any_flipped_bit_of_a_log_is_refused(void **state)
{
    struct keys k = keys_counting_from(0), second = keys_counting_from(32);
    struct roster r = shop_of(&k), base = copy_of(&r);
    size_t from = r.log.n;

    (void)state;
    enrol(&r, &second, "COMPTA01", &k);
    for (size_t bit = 0; bit < 8 * r.log.n; bit++) {
        struct roster fresh = {0};
        struct err e = {0};
        bool changed = true;

        r.log.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(roster_load(&fresh, buf_slice(&r.log), &e));
        assert_int_not_equal(e.code, ERR_NONE);
        assert_int_equal(fresh.entries, 0);
        if (bit >= 8 * from) {
            struct slice item = {r.log.p + from, r.log.n - from};

            err_clear(&e);
            assert_false(roster_merge(&base, item, &changed, &e));
            assert_false(changed);
            assert_int_equal(base.entries, 1);
        }
        r.log.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    roster_close(&base);
    roster_close(&r);
}

static void a_log_that_is_cut_off_or_empty_is_refused(void **state)
{
    struct keys k = keys_counting_from(0), second = keys_counting_from(32);
    struct roster r = shop_of(&k);
    size_t first = r.log.n;

    (void)state;
    enrol(&r, &second, "COMPTA01", &k);
    for (size_t n = 0; n < r.log.n; n++) {
        struct roster fresh = {0};
        struct err e = {0};

        assert_int_equal(roster_load(&fresh, (struct slice){r.log.p, n}, &e), n == first);
        if (n != first)
            assert_int_equal(e.code, ERR_INPUT);
        roster_close(&fresh);
    }
    roster_close(&r);
}

/* An entry with the given head, from a member, correctly signed. */
static enum err_code code_of_forged(uint64_t format, uint64_t kind, bool parents, uint32_t fields)
{
    struct keys k = keys_counting_from(0);
    struct roster r = shop_of(&k);
    enum err_code code;
    struct forged f;

    forge_begin(&f);
    write_array(&f.w, 4 + fields);
    write_uint(&f.w, format);
    write_uint(&f.w, kind);
    write_bin(&f.w, SLICE(k.sign_public));
    write_array(&f.w, parents ? 1 : 0);
    if (parents)
        write_bin(&f.w, SLICE(r.heads[0]));
    if (fields > 0)
        write_bin(&f.w, SLICE(no_invite));
    for (uint32_t i = 1; i < fields; i++)
        write_uint(&f.w, i);
    code = forge_end(&f, &k, &r);
    roster_close(&r);
    return code;
}

static void entries_that_break_their_layout_are_refused(void **state)
{
    (void)state;
    assert_int_equal(code_of_forged(1, 2, true, 2), ERR_NONE);
    assert_int_equal(code_of_forged(1, 2, false, 2), ERR_INPUT); /* no parents */
    assert_int_equal(code_of_forged(1, 2, true, 1), ERR_INPUT);
    assert_int_equal(code_of_forged(1, 2, true, 3), ERR_INPUT);
    assert_int_equal(code_of_forged(1, 0, true, 2), ERR_REFUSED);
    assert_int_equal(code_of_forged(1, 12, true, 2), ERR_REFUSED); /* of a newer version */
    assert_int_equal(code_of_forged(2, 2, true, 2), ERR_REFUSED);
}

/* An entry of a member whose fields are what `write` writes. */
static enum err_code code_of_fields(enum entry_kind kind, uint32_t fields,
                                    void (*write)(struct writer *w, int variant), int variant)
{
    struct keys k = keys_counting_from(0);
    struct roster r = shop_of(&k);
    enum err_code code;
    struct forged f;

    forge_begin(&f);
    entry_begin(&f.w, &r, kind, fields, &k);
    write(&f.w, variant);
    code = forge_end(&f, &k, &r);
    assert_int_equal(r.site_count, 1);
    roster_close(&r);
    return code;
}

/* 0: right; 1: an actor of another site; 2: number 0; 3: a site id that is too short. */
static void write_revoke(struct writer *w, int variant)
{
    uint8_t site[SITE_ID_BYTES] = {7}, actor[SITE_ID_BYTES + 8] = {7}, hash[HASH_BYTES] = {1};

    actor[0] = variant == 1 ? 8 : 7;
    write_bin(w, (struct slice){site, sizeof site - (variant == 3)});
    write_array(w, 1);
    write_array(w, 3);
    write_bin(w, SLICE(actor));
    write_uint(w, variant != 2);
    write_bin(w, SLICE(hash));
}

static void a_revocation_that_breaks_its_layout_is_refused(void **state)
{
    (void)state;
    assert_int_equal(code_of_fields(ENTRY_REVOKE, 2, write_revoke, 0), ERR_NONE);
    assert_int_equal(code_of_fields(ENTRY_REVOKE, 2, write_revoke, 1), ERR_INPUT);
    assert_int_equal(code_of_fields(ENTRY_REVOKE, 2, write_revoke, 2), ERR_INPUT);
    assert_int_equal(code_of_fields(ENTRY_REVOKE, 2, write_revoke, 3), ERR_INPUT);
    assert_int_equal(code_of_fields(ENTRY_REVOKE, 3, write_revoke, 0), ERR_INPUT);
}

/* 0: right; 1: not rising; 2: none; 3: too many; 4: a box that is too long. */
static void write_rotate(struct writer *w, int variant)
{
    uint8_t id[FLEET_KEY_ID_BYTES] = {1}, site[SITE_ID_BYTES] = {0}, box[FLEET_KEY_BOX_BYTES + 1];
    uint32_t n = variant == 2 ? 0 : variant == 3 ? ROSTER_BOXES_MAX + 1 : ROSTER_BOXES_MAX;

    memset(box, 0, sizeof box);
    write_bin(w, SLICE(id));
    write_array(w, n);
    for (uint32_t i = 0; i < n; i++) {
        site[0] = (uint8_t)(variant == 1 && i == 1 ? 0 : i);
        write_array(w, 2);
        write_bin(w, SLICE(site));
        write_bin(w, (struct slice){box, sizeof box - (variant != 4)});
    }
}

static void a_rotation_that_breaks_its_layout_is_refused(void **state)
{
    (void)state;
    assert_int_equal(code_of_fields(ENTRY_ROTATE, 2, write_rotate, 0), ERR_NONE);
    assert_int_equal(code_of_fields(ENTRY_ROTATE, 2, write_rotate, 1), ERR_INPUT);
    assert_int_equal(code_of_fields(ENTRY_ROTATE, 2, write_rotate, 2), ERR_INPUT);
    assert_int_equal(code_of_fields(ENTRY_ROTATE, 2, write_rotate, 3), ERR_LIMIT);
    assert_int_equal(code_of_fields(ENTRY_ROTATE, 2, write_rotate, 4), ERR_LIMIT);
}

/* 0: right; 1: an empty name; 2: a control character. */
static void write_rename(struct writer *w, int variant)
{
    static const char *const names[] = {"BUREAU", "", "a\nb"};
    uint8_t site[SITE_ID_BYTES] = {7};

    write_bin(w, SLICE(site));
    write_text(w, slice_text(names[variant]));
}

/* 0: right; 1: a number where a bool belongs. */
static void write_admin(struct writer *w, int variant)
{
    uint8_t site[SITE_ID_BYTES] = {7};

    write_bin(w, SLICE(site));
    if (variant == 0)
        write_bool(w, true);
    else
        write_uint(w, 1);
}

static void write_withdraw(struct writer *w, int variant)
{
    write_bin(w, (struct slice){no_invite, sizeof no_invite - (size_t)variant});
}

static void other_entries_that_break_their_layout_are_refused(void **state)
{
    (void)state;
    assert_int_equal(code_of_fields(ENTRY_RENAME, 2, write_rename, 0), ERR_NONE);
    assert_int_equal(code_of_fields(ENTRY_RENAME, 2, write_rename, 1), ERR_INPUT);
    assert_int_equal(code_of_fields(ENTRY_RENAME, 2, write_rename, 2), ERR_INPUT);
    assert_int_equal(code_of_fields(ENTRY_ADMIN, 2, write_admin, 0), ERR_NONE);
    assert_int_equal(code_of_fields(ENTRY_ADMIN, 2, write_admin, 1), ERR_INPUT);
    assert_int_equal(code_of_fields(ENTRY_WITHDRAW, 1, write_withdraw, 0), ERR_NONE);
    assert_int_equal(code_of_fields(ENTRY_WITHDRAW, 1, write_withdraw, 1), ERR_INPUT);
}

/* One rule of the given fields, in an entry of a member. */
static enum err_code code_of_rule(uint64_t kind, const char *table, const char *column,
                                  const char *argument, bool set)
{
    struct keys k = keys_counting_from(0);
    struct roster r = shop_of(&k);
    enum err_code code;
    struct forged f;

    forge_begin(&f);
    entry_begin(&f.w, &r, ENTRY_RULES, 1, &k);
    write_array(&f.w, 1);
    write_array(&f.w, 7);
    write_uint(&f.w, kind);
    write_text(&f.w, slice_text(table));
    write_array(&f.w, column != NULL ? 2 : 0);
    if (column != NULL) {
        write_text(&f.w, slice_text("b"));
        write_text(&f.w, slice_text(column));
    }
    write_nil(&f.w);
    if (argument != NULL)
        write_text(&f.w, slice_text(argument));
    else
        write_nil(&f.w);
    write_nil(&f.w);
    write_bool(&f.w, set);
    code = forge_end(&f, &k, &r);
    if (code == ERR_NONE)
        assert_int_equal(r.rules.n, set);
    roster_close(&r);
    return code;
}

static void rules_that_break_their_layout_are_refused(void **state)
{
    (void)state;
    assert_int_equal(code_of_rule(RULE_MERGE, "t", "c", NULL, true), ERR_NONE);
    assert_int_equal(code_of_rule(RULE_MERGE, "t", "c", NULL, false), ERR_NONE);
    assert_int_equal(code_of_rule(RULE_MERGE, "t", "a", NULL, true), ERR_INPUT); /* order */
    assert_int_equal(code_of_rule(RULE_MERGE, "t", "B", NULL, true), ERR_INPUT); /* twice */
    assert_int_equal(code_of_rule(RULE_MERGE, "t", "c", "x", true), ERR_INPUT);
    assert_int_equal(code_of_rule(RULE_MERGE, "", "c", NULL, true), ERR_LIMIT);
    assert_int_equal(code_of_rule(RULE_COUNTER, "t", "c", NULL, true), ERR_INPUT);
    assert_int_equal(code_of_rule(RULE_LOCAL, "t", NULL, NULL, true), ERR_NONE);
    assert_int_equal(code_of_rule(RULE_LOCAL, "t", NULL, "x", false), ERR_INPUT);
    assert_int_equal(code_of_rule(RULE_KINDS + 1, "t", NULL, NULL, true), ERR_REFUSED);
    assert_int_equal(code_of_rule(0, "t", NULL, NULL, true), ERR_REFUSED);
}

/* A member is one in the past of what it signs: signing now and being enrolled elsewhere does not
 * count. */
static void an_author_must_be_a_member_in_the_past_of_its_entry(void **state)
{
    struct keys k = keys_counting_from(0), second = keys_counting_from(32),
                third = keys_counting_from(64);
    struct roster before = shop_of(&k), after = copy_of(&before);
    struct forged f;

    (void)state;
    enrol(&after, &second, "COMPTA01", &k);
    forge_begin(&f);
    entry_begin(&f.w, &before, ENTRY_ENROL, 4, &second); /* names the create entry only */
    write_enrol(&f.w, &third, "DEPOT");
    assert_int_equal(forge_end(&f, &second, &after), ERR_STRANGER);
    assert_int_equal(after.entries, 2);
    roster_close(&before);
    roster_close(&after);
}

static void an_entry_signed_by_another_than_its_author_is_refused(void **state)
{
    struct keys k = keys_counting_from(0), second = keys_counting_from(32);
    struct roster r = shop_of(&k);
    struct forged f;

    (void)state;
    forge_begin(&f);
    entry_begin(&f.w, &r, ENTRY_ENROL, 4, &k);
    write_enrol(&f.w, &second, "COMPTA01");
    assert_int_equal(forge_end(&f, &second, &r), ERR_CRYPTO);
    assert_int_equal(r.entries, 1);
    roster_close(&r);
}

/* A name given with its holder known is never taken away by an entry written later. */
static void an_older_entry_keeps_its_name(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct keys keys[3];
        struct roster r;
        struct forged f;

        for (int i = 0; i < 3; i++)
            keys_generate(&keys[i]);
        r = shop_of(&keys[0]);
        enrol(&r, &keys[1], "BUREAU", &keys[0]);
        forge_begin(&f);
        entry_begin(&f.w, &r, ENTRY_ENROL, 4, &keys[1]); /* a rude member repeats the name */
        write_enrol(&f.w, &keys[2], "BUREAU");
        assert_int_equal(forge_end(&f, &keys[1], &r), ERR_NONE);
        assert_string_equal(roster_find(&r, &keys[1].site)->name, "BUREAU");
        assert_string_equal(roster_find(&r, &keys[2].site)->name, "BUREAU-2");
        roster_close(&r);
    }
}

/* An invitation noted by hand, its parents being the heads at these indices. */
static enum err_code code_of_parents(struct roster *r, const struct keys *k, const uint32_t *heads,
                                     uint32_t n)
{
    struct forged f;

    forge_begin(&f);
    write_array(&f.w, 6);
    write_uint(&f.w, 1);
    write_uint(&f.w, ENTRY_INVITE);
    write_bin(&f.w, SLICE(k->sign_public));
    write_array(&f.w, n);
    for (uint32_t i = 0; i < n; i++)
        write_bin(&f.w, SLICE(r->heads[heads[i]]));
    write_bin(&f.w, SLICE(no_invite));
    write_uint(&f.w, 1);
    return forge_end(&f, k, r);
}

static void parents_must_rise(void **state)
{
    struct keys k = keys_counting_from(0);
    struct roster r = shop_of(&k), other = copy_of(&r);
    struct err e = {0};
    bool changed;

    (void)state;
    assert_true(roster_invite(&r, no_invite, 1, &k, &e));
    assert_true(roster_invite(&other, no_invite, 2, &k, &e));
    assert_true(roster_merge(&r, buf_slice(&other.log), &changed, &e));
    assert_int_equal(r.head_count, 2);
    assert_int_equal(code_of_parents(&r, &k, (const uint32_t[]){1, 0}, 2), ERR_INPUT);
    assert_int_equal(code_of_parents(&r, &k, (const uint32_t[]){0, 0}, 2), ERR_INPUT);
    assert_int_equal(code_of_parents(&r, &k, (const uint32_t[]){0, 1}, 2), ERR_NONE);
    assert_int_equal(r.head_count, 1);
    roster_close(&r);
    roster_close(&other);
}

static void a_fleet_has_its_limit_of_sites(void **state)
{
    struct keys k = keys_counting_from(0), other = {0};
    struct roster r = shop_of(&k);
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};

    (void)state;
    for (uint32_t i = 1; i < SITES_MAX; i++) {
        be32_write(other.sign_public, i);
        enrol(&r, &other, "CAISSE", &k);
    }
    assert_int_equal(r.site_count, SITES_MAX);
    assert_non_null(roster_find_name(&r, "CAISSE-255"));
    be32_write(other.sign_public, SITES_MAX);
    assert_false(
        roster_enrol(&r, other.sign_public, other.exchange_public, "X", no_invite, &k, name, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(r.entries, SITES_MAX);
    roster_close(&r);
}

static void a_log_beyond_its_limit_is_refused(void **state)
{
    struct roster r = {0};
    uint8_t *bytes = mem_alloc(ROSTER_BYTES_MAX + 1);
    struct err e = {0};

    (void)state;
    assert_false(roster_load(&r, (struct slice){bytes, ROSTER_BYTES_MAX + 1}, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_flipped_bit_of_a_log_is_refused),
        cmocka_unit_test(a_log_that_is_cut_off_or_empty_is_refused),
        cmocka_unit_test(entries_that_break_their_layout_are_refused),
        cmocka_unit_test(a_revocation_that_breaks_its_layout_is_refused),
        cmocka_unit_test(a_rotation_that_breaks_its_layout_is_refused),
        cmocka_unit_test(other_entries_that_break_their_layout_are_refused),
        cmocka_unit_test(rules_that_break_their_layout_are_refused),
        cmocka_unit_test(parents_must_rise),
        cmocka_unit_test(an_author_must_be_a_member_in_the_past_of_its_entry),
        cmocka_unit_test(an_entry_signed_by_another_than_its_author_is_refused),
        cmocka_unit_test(an_older_entry_keeps_its_name),
        cmocka_unit_test(a_fleet_has_its_limit_of_sites),
        cmocka_unit_test(a_log_beyond_its_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
