#include "stick.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include <navette/wire.h>

#include "agent.h"
#include "dropfile.h"
#include "invitation.h"
#include "join.h"
#include "log.h"

#define SECRET_MODE     0600
#define ID_DIGITS       8 /* of an invitation, in a file's name */
#define ASKED_BYTES_MAX 64
#define KEPT_BYTES_MAX  (LETTER_KEYS_BYTES_MAX + LETTER_VECTOR_BYTES + 256u)

/* "join_f67c6bf8.json": no name of a PC, for whoever finds the stick. */
static bool letter_path(char *path, const char *directory, const struct letter *l, struct err *e)
{
    char digits[2 * INVITE_ID_BYTES + 1], name[64];

    hex_write(digits, SLICE(l->invitation));
    digits[ID_DIGITS] = '\0';
    snprintf(name, sizeof name, "%s_%s.json", l->kind == LETTER_ASK ? "join" : "answer", digits);
    return path_join(path, directory, name, e);
}

static bool write_letter(const char *path, const struct letter *l, struct err *e)
{
    struct buf file;
    bool ok;

    letter_write(&file, l);
    ok = file_write_atomic(path, buf_slice(&file), 0644, e);
    buf_close(&file);
    return ok;
}

/* ---- the newcomer asks ---- */

/* The home's file `asked`: [invitation: bin 8, maker: bin 8]. The token itself is not kept. */
struct asked {
    uint8_t invitation[INVITE_ID_BYTES];
    uint8_t maker[INVITE_MAKER_BYTES];
};

static bool asked_write(const struct agent *a, const struct letter *l, const struct invite *v,
                        struct err *e)
{
    struct buf bytes;
    struct writer w = {.out = &bytes};
    bool ok;

    buf_open(&bytes, ASKED_BYTES_MAX);
    write_array(&w, 2);
    write_bin(&w, SLICE(l->invitation));
    write_bin(&w, SLICE(v->maker));
    ok = file_write_atomic(a->home.asked, buf_slice(&bytes), SECRET_MODE, e);
    buf_close(&bytes);
    return ok;
}

static bool asked_read(const struct agent *a, struct asked *asked, struct err *e)
{
    struct buf bytes = {0};
    struct reader r;
    bool ok;

    if (!file_exists(a->home.asked))
        return err_set(e, ERR_REFUSED,
                       "this PC has not asked to join: `agent-cli join TOKEN --to DIR` first");
    ok = home_secret_read(a->home.asked, &bytes, e);
    if (ok) {
        r = reader_of(buf_slice(&bytes), e);
        read_array_exact(&r, 2, "request");
        read_bin_exact(&r, asked->invitation, sizeof asked->invitation, "invitation");
        read_bin_exact(&r, asked->maker, sizeof asked->maker, "maker");
        ok = read_end(&r) || err_wrap(e, "%s is damaged: remove it and ask anew", a->home.asked);
    }
    buf_close(&bytes);
    return ok;
}

static bool token_of(const struct agent *a, const char *token, struct invite *v, struct err *e)
{
    char left[INVITE_TEXT_BYTES_MAX] = "";
    bool ok = token[0] != '\0' || home_join_token_read(&a->home, left, e);

    if (ok && token[0] == '\0' && left[0] == '\0')
        ok = err_set(e, ERR_USAGE, "with which token? `agent-cli join TOKEN --to DIR`");
    ok = ok && invite_parse(v, token[0] != '\0' ? token : left, e);
    sodium_memzero(left, sizeof left);
    return ok;
}

bool stick_ask(struct agent *a, const char *token, bool copy, const char *directory, char *path,
               struct err *e)
{
    uint8_t machine[HASH_BYTES];
    struct letter l = {0};
    struct invite v = {0};
    bool ok =
        join_allowed(a, e) && token_of(a, token, &v, e) && origin_machine(&a->home, machine, e);

    if (ok && copy && !a->config.copy) {
        a->config.copy = true;
        ok = config_save(&a->config, a->home.conf, e);
    }
    if (ok) {
        letter_ask_seal(&l, a->config.name, machine, &v, &a->keys);
        ok = asked_write(a, &l, &v, e) && letter_path(path, directory, &l, e) &&
             write_letter(path, &l, e);
    }
    if (ok)
        log_info("request to join written file=%s", path);
    letter_close(&l);
    sodium_memzero(&v, sizeof v);
    return ok;
}

/* ---- the maker answers ---- */

/* As over a network (talk.c): who tells his keys has published all that he has. */
static bool may_answer(struct agent *a, struct err *e)
{
    struct store_status s;

    if (!transfer_may_go_on(a, e) || !store_status(a->store, &s, e))
        return false;
    return (store_state(a->store) == STORE_READY && s.unscanned == 0) ||
           err_set(e, ERR_BUSY, "this PC has not published its own rows yet: try again later");
}

/* More than a letter holds are left out: then rows are matched by what is in them. */
static bool add_keys(struct agent *a, struct letter_answer *answer, struct buf *keys, struct err *e)
{
    buf_open(keys, KEYS_BYTES_MAX);
    if (!store_keys(a->store, keys, e))
        return false;
    if (keys->n <= LETTER_KEYS_BYTES_MAX)
        answer->keys = buf_slice(keys);
    return true;
}

static bool write_answer(struct agent *a, const char *path, const struct letter *asked,
                         const struct letter_ask *ask, struct err *e)
{
    struct letter_answer answer = {.welcome = {.kind = JOIN_WELCOME}};
    struct letter l = {0};
    struct buf keys = {0};
    bool ok;

    memcpy(l.invitation, asked->invitation, sizeof l.invitation);
    memcpy(answer.joiner, ask->join.sign_public, sizeof answer.joiner);
    memcpy(answer.welcome.fleet_key, a->fleet_keys.keys[0], sizeof answer.welcome.fleet_key);
    answer.welcome.roster = buf_slice(&a->roster.log);
    answer.have = *store_have(a->store); /* lent */
    ok = add_keys(a, &answer, &keys, e) &&
         letter_answer_seal(&l, &answer, ask->join.exchange_public, &a->keys, e) &&
         write_letter(path, &l, e);
    sodium_memzero(&answer, sizeof answer);
    buf_close(&keys);
    letter_close(&l);
    return ok;
}

static bool admit(struct agent *a, const char *path, const struct letter *l,
                  struct stick_done *done, struct err *e)
{
    struct letter answer = {.kind = LETTER_ANSWER};
    char directory[PATH_BYTES_MAX];
    const struct roster_site *guest;
    struct letter_ask ask;
    struct site_id site;

    path_directory(directory, path);
    memcpy(answer.invitation, l->invitation, sizeof answer.invitation);
    if (!may_answer(a, e) || !letter_path(done->path, directory, &answer, e) ||
        !invitations_admit(a->invitations, l, &ask, e))
        return false;
    site = keys_site_id(ask.join.sign_public);
    guest = roster_find(&a->roster, &site);
    if (guest == NULL)
        return err_set(e, ERR_REFUSED, "%s is no member of the fleet", ask.join.name);
    snprintf(done->name, sizeof done->name, "%s", guest->name);
    return write_answer(a, done->path, l, &ask, e) ||
           err_wrap(e, "%s is a member now, but has no answer yet; take this file in again",
                    done->name);
}

/* ---- the newcomer is answered ---- */

/* The home's file `welcome`: [fleet: bin 16, maker: bin 16, have: vector, keys: bin]. */
static bool welcome_write(const struct agent *a, const struct roster *r,
                          const struct letter_answer *answer, struct err *e)
{
    struct site_id maker = keys_site_id(answer->maker);
    struct buf bytes;
    struct writer w = {.out = &bytes};
    bool ok;

    buf_open(&bytes, KEPT_BYTES_MAX);
    write_array(&w, 4);
    write_bin(&w, SLICE(r->fleet));
    write_bin(&w, SLICE(maker.bytes));
    vector_write(&w, &answer->have);
    write_bin(&w, answer->keys);
    ok = file_write_atomic(a->home.welcome, buf_slice(&bytes), SECRET_MODE, e);
    buf_close(&bytes);
    return ok;
}

static bool welcome_parse(const struct agent *a, struct slice bytes, struct stick_welcome *w,
                          struct err *e)
{
    struct reader r = reader_of(bytes, e);
    uint8_t fleet[FLEET_ID_BYTES];
    struct slice keys;

    read_array_exact(&r, 4, "welcome");
    read_bin_exact(&r, fleet, sizeof fleet, "fleet");
    read_bin_exact(&r, w->maker.bytes, sizeof w->maker.bytes, "maker");
    vector_read(&r, &w->have);
    keys = read_bin(&r, LETTER_KEYS_BYTES_MAX, "keys");
    if (!read_end(&r))
        return false;
    buf_open(&w->keys, LETTER_KEYS_BYTES_MAX);
    buf_add(&w->keys, keys.p, keys.n);
    return memcmp(fleet, a->roster.fleet, sizeof fleet) == 0;
}

bool stick_welcome_read(const struct agent *a, struct stick_welcome *w)
{
    struct buf bytes;
    struct err e = {0};
    bool ok;

    *w = (struct stick_welcome){0};
    if (!a->in_fleet || !file_exists(a->home.welcome))
        return false;
    buf_open(&bytes, KEPT_BYTES_MAX);
    ok = file_read(a->home.welcome, KEPT_BYTES_MAX, &bytes, &e) &&
         welcome_parse(a, buf_slice(&bytes), w, &e);
    if (e.code != ERR_NONE)
        log_warn("the answer to a request to join is not kept reason=%s", e.text);
    buf_close(&bytes);
    if (!ok)
        stick_welcome_close(w);
    return ok;
}

void stick_welcome_close(struct stick_welcome *w)
{
    vector_close(&w->have);
    buf_close(&w->keys);
    *w = (struct stick_welcome){0};
}

void stick_welcome_forget(const struct agent *a)
{
    struct err e = {0};

    if (!file_remove(a->home.welcome, &e))
        log_warn("%s stays behind reason=%s", a->home.welcome, e.text);
}

/* Of the fleet that the answer speaks of: it was taken before. */
static bool is_member_of(const struct agent *a, const struct roster *r)
{
    return a->in_fleet && memcmp(a->roster.fleet, r->fleet, sizeof r->fleet) == 0 &&
           roster_find(&a->roster, &a->keys.site) != NULL;
}

/* It must answer what was asked last, and come from the PC that the token named. */
static bool check_asked(const struct agent *a, const struct letter *l,
                        const struct letter_answer *answer, struct err *e)
{
    struct site_id maker = keys_site_id(answer->maker);
    struct asked asked;

    if (!asked_read(a, &asked, e))
        return false;
    if (memcmp(asked.invitation, l->invitation, sizeof asked.invitation) != 0)
        return err_set(e, ERR_REFUSED,
                       "it answers another request than the last one of this PC; if it is the one "
                       "that is to count, ask with its token again, `agent-cli join TOKEN --to "
                       "DIR`, and take this file in once more");
    return memcmp(asked.maker, maker.bytes, sizeof asked.maker) == 0 ||
           err_set(e, ERR_STRANGER, "it is not from the PC that made the token");
}

/* Without a request it can only be the answer that was taken before. */
static bool check_welcome(struct agent *a, const struct letter *l,
                          const struct letter_answer *answer, struct roster *r, bool *again,
                          struct err *e)
{
    struct site_id maker = keys_site_id(answer->maker);

    if (file_exists(a->home.asked) && !check_asked(a, l, answer, e))
        return false;
    if (!join_check_welcome(a, &answer->welcome, &maker, r, e))
        return false;
    *again = is_member_of(a, r);
    return *again || (check_asked(a, l, answer, e) && join_allowed(a, e));
}

static bool adopt(struct agent *a, const struct letter *l, const struct letter_answer *answer,
                  struct stick_done *done, struct err *e)
{
    struct roster r = {0};
    struct err left = {0};
    bool again = false;
    bool ok = check_welcome(a, l, answer, &r, &again, e) &&
              (again || (welcome_write(a, &r, answer, e) &&
                         agent_fleet_adopt(a, &r, answer->welcome.fleet_key, e)));

    roster_close(&r);
    if (!ok)
        return false;
    join_done(a->join);
    if (!file_remove(a->home.asked, &left))
        log_warn("%s stays behind reason=%s", a->home.asked, left.text);
    snprintf(done->name, sizeof done->name, "%s", roster_find(&a->roster, &a->keys.site)->name);
    log_info("joined by a file fleet=%s as=%s", a->roster.fleet_name, done->name);
    return true;
}

static bool take_answer(struct agent *a, const struct letter *l, struct stick_done *done,
                        struct err *e)
{
    struct letter_answer answer = {0};
    struct buf record = {0};
    bool ok = letter_answer_open(&answer, &record, l, &a->keys, e) && adopt(a, l, &answer, done, e);

    vector_close(&answer.have);
    sodium_memzero(&answer, sizeof answer);
    buf_wipe(&record);
    return ok;
}

/* ---- either ---- */

bool stick_take(struct agent *a, const char *path, struct stick_done *done, struct err *e)
{
    struct letter l = {0};
    struct buf file;
    bool ok;

    *done = (struct stick_done){0};
    buf_open(&file, LETTER_BYTES_MAX);
    ok = file_read(path, LETTER_BYTES_MAX, &file, e) && letter_read(&l, buf_slice(&file), e);
    buf_close(&file);
    done->kind = l.kind;
    if (ok)
        ok = l.kind == LETTER_ASK ? admit(a, path, &l, done, e) : take_answer(a, &l, done, e);
    if (ok)
        snprintf(done->fleet, sizeof done->fleet, "%s", a->roster.fleet_name);
    letter_close(&l);
    return ok;
}
