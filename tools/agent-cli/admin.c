/* The fleet itself: who is in it, who rules it, who goes. */
#include <inttypes.h>
#include <string.h>

#include <json-c/json.h>

#include <navette/bounds.h>

#include "answer.h"
#include "text.h"
#include "text_field.h"

#define NAME_COLUMNS 24
#define ID_COLUMNS   10
#define WORD_COLUMNS 12
#define ID_DIGITS    8 /* enough to name a PC by */

/* ---- the list ---- */

static void short_id(char out[ID_DIGITS + 1], struct json_object *site)
{
    snprintf(out, ID_DIGITS + 1, "%s", text(site, "site"));
}

static bool is_true(struct json_object *o, const char *name)
{
    return json_object_get_boolean(field(o, name));
}

static void print_members(struct json_object *members)
{
    for (size_t i = 0; i < count(members); i++) {
        struct json_object *m = json_object_array_get_idx(members, i);
        char id[ID_DIGITS + 1];

        short_id(id, m);
        text_cell(stdout, text(m, "name"), NAME_COLUMNS);
        fputs("  ", stdout);
        text_cell(stdout, id, ID_COLUMNS);
        if (is_true(m, "self"))
            text_cell(stdout, is_true(m, "admin") ? "admin" : "", WORD_COLUMNS);
        fputs(is_true(m, "self") ? "this PC\n" : is_true(m, "admin") ? "admin\n" : "\n", stdout);
    }
}

/* What became of it, in words. */
static void print_end(struct json_object *g)
{
    int64_t here = number(g, "here"), believed = number(g, "believed");
    const char *by = text(g, "by")[0] != '\0' ? text(g, "by") : "another PC";
    char end[400], beyond[100] = "";

    if (here > believed)
        snprintf(beyond, sizeof beyond, "; %" PRId64 " of its changes here count nowhere",
                 here - believed);
    if (is(g, "why", "revoked"))
        snprintf(end, sizeof end, "shut out by %.200s%s", by, beyond);
    else
        snprintf(end, sizeof end, "taken in by a PC that was no admin%s", beyond);
    text_wrap(stdout, end, NAME_COLUMNS + 2 + ID_COLUMNS, NAME_COLUMNS + 2 + ID_COLUMNS);
}

static void print_gone(struct json_object *gone)
{
    if (count(gone) == 0)
        return;
    puts("\nNo members any more:");
    for (size_t i = 0; i < count(gone); i++) {
        struct json_object *g = json_object_array_get_idx(gone, i);
        char id[ID_DIGITS + 1];

        short_id(id, g);
        text_cell(stdout, text(g, "name"), NAME_COLUMNS);
        fputs("  ", stdout);
        text_cell(stdout, id, ID_COLUMNS);
        print_end(g);
    }
}

static void print_invitations(struct json_object *invitations)
{
    bool any = false;

    for (size_t i = 0; i < count(invitations); i++) {
        struct json_object *v = json_object_array_get_idx(invitations, i);

        if (!is(v, "state", "open"))
            continue;
        if (!any)
            puts("\nTokens that are open (`agent-cli invite --cancel` withdraws them):");
        any = true;
        text_say("%s  made by %s, until %s", text(v, "id"), text(v, "by"), text(v, "ends"));
    }
}

#define MISSING_MAX   10 /* of those who are waited for */
#define MISSING_BYTES 1000

/* "A, B and 3 more", of those who have not seen what is pending. */
static void write_missing(struct json_object *missing, char *out, size_t room)
{
    size_t total = count(missing), n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < total && i < MISSING_MAX && n < room; i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(missing, i));

        n += (size_t)snprintf(out + n, room - n, "%s%.80s",
                              i == 0           ? ""
                              : i + 1 == total ? " and "
                                               : ", ",
                              name != NULL ? name : "another PC");
    }
    if (total > MISSING_MAX && n < room)
        snprintf(out + n, room - n, " and %zu more", total - MISSING_MAX);
}

static void print_pending(struct json_object *p)
{
    char missing[MISSING_BYTES];

    write_missing(field(p, "missing"), missing, sizeof missing);
    putchar('\n');
    if (is_true(p, "hopeless"))
        text_say("Its history was to be summed up (%s, by %s), and cannot be: the list changed "
                 "meanwhile on a PC that had not seen it, or a PC that was waited for is out. The "
                 "fleet does it anew by itself within an hour or so, or `agent-cli checkpoint` "
                 "does, at once.",
                 text(p, "made"), text(p, "by"));
    else
        text_say("Its history is being summed up (%s, by %s): that takes effect once %s %s seen "
                 "it. Where a PC is gone for good: `agent-cli revoke` it, then `agent-cli "
                 "checkpoint`.",
                 text(p, "made"), text(p, "by"), missing,
                 count(field(p, "missing")) == 1 ? "has" : "have");
}

static void print_history(struct json_object *r)
{
    struct json_object *before = field(r, "checkpoint"), *pending = field(r, "checkpoint_pending");

    if (before != NULL) {
        putchar('\n');
        text_say("Its history up to %s, %" PRId64 " entries, was summed up by %s.",
                 text(before, "made"), number(before, "entries"),
                 text(before, "by")[0] != '\0' ? text(before, "by") : "another PC");
    }
    if (pending != NULL)
        print_pending(pending);
    if (number(r, "entries") > number(r, "entries_max") / 5 * 4 ||
        number(r, "bytes") > number(r, "bytes_max") / 5 * 4) {
        putchar('\n');
        text_say("Its history is nearly full: %" PRId64 " of %" PRId64 " entries, %" PRId64
                 " of %" PRId64 " bytes. When it is full, nobody can join, and the fleet's key "
                 "cannot be changed. %s",
                 number(r, "entries"), number(r, "entries_max"), number(r, "bytes"),
                 number(r, "bytes_max"),
                 pending != NULL ? "So switch on the PCs that are waited for."
                                 : "`agent-cli checkpoint` sums it up.");
    }
}

static void print_roster(struct json_object *r)
{
    text_say("Fleet %s, %zu PC%s:", text(r, "fleet"), count(field(r, "members")),
             count(field(r, "members")) == 1 ? "" : "s");
    print_members(field(r, "members"));
    print_gone(field(r, "gone"));
    print_invitations(field(r, "invitations"));
    print_history(r);
}

int run_roster(struct cli *c)
{
    return ask_and_print(c, "roster", NULL, print_roster);
}

/* ---- changes ---- */

/* Ask for a change about the PC that the first word names; `result` is the caller's. */
static bool ask_about(const struct cli *c, const char *command, struct json_object *args,
                      struct json_object **result, int *code)
{
    if (args == NULL)
        args = json_object_new_object();
    if (c->word_count > 0)
        json_object_object_add(args, "peer", json_object_new_string(c->words[0]));
    return ask(c, command, args, ASK_MS, result, code);
}

static bool is_changed(struct json_object *result)
{
    return is_true(result, "changed");
}

int run_rename(struct cli *c)
{
    struct json_object *args = json_object_new_object();
    struct json_object *result;
    int code;

    json_object_object_add(args, "name", json_object_new_string(c->words[1]));
    if (!ask_about(c, "rename", args, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else
        text_say("%s is called %s%s.", c->words[0], text(result, "name"),
                 is_changed(result) ? " now" : " already");
    json_object_put(result);
    return code;
}

static int run_admin(struct cli *c, bool admin)
{
    struct json_object *result;
    int code;

    if (!ask_about(c, admin ? "admin-add" : "admin-remove", NULL, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else
        text_say("%s %s an admin of the fleet%s.", text(result, "name"), admin ? "is" : "is not",
                 is_changed(result) ? " now" : ", as before");
    json_object_put(result);
    return code;
}

int run_admin_add(struct cli *c)
{
    return run_admin(c, true);
}

int run_admin_remove(struct cli *c)
{
    return run_admin(c, false);
}

static void print_rotated(struct json_object *result)
{
    (void)result;
    text_say("The fleet has a new key. Every PC gets it by itself when it meets another one.");
}

int run_rotate(struct cli *c)
{
    return ask_and_print(c, "rotate", NULL, print_rotated);
}

static void print_checkpoint(struct json_object *result)
{
    struct json_object *missing = field(field(result, "checkpoint_pending"), "missing");
    char names[MISSING_BYTES];

    write_missing(missing, names, sizeof names);
    if (count(missing) > 0)
        text_say("The list of members was summed up. That takes effect once %s %s seen it.", names,
                 count(missing) == 1 ? "has" : "have");
    else
        text_say("The list of members was summed up: %" PRId64 " entries of its history are "
                 "dropped.",
                 number(field(result, "checkpoint"), "entries"));
}

int run_checkpoint(struct cli *c)
{
    return ask_and_print(c, "checkpoint", NULL, print_checkpoint);
}

static void print_cancelled(struct json_object *result)
{
    puts(is_changed(result) ? "Nobody can join with it any more."
                            : "No token was open: nothing was changed.");
}

int run_invite_cancel(struct cli *c)
{
    struct json_object *args = json_object_new_object();

    if (c->word_count > 0)
        json_object_object_add(args, "id", json_object_new_string(c->words[0]));
    return ask_and_print(c, "invite-cancel", args, print_cancelled);
}

/* ---- revoke ---- */

/* The member that the person means; NULL: it is none any more. */
static struct json_object *find_member(struct json_object *roster)
{
    for (size_t i = 0; i < count(field(roster, "members")); i++) {
        struct json_object *s = json_object_array_get_idx(field(roster, "members"), i);

        if (is(s, "site", text(roster, "site")))
            return s;
    }
    return NULL;
}

/* What it said before it was shut out stays, also against others: "" or whom it shut out. */
static void write_victims(struct json_object *roster, char *out, size_t room)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count(field(roster, "gone")) && n + 1 < room; i++) {
        struct json_object *g = json_object_array_get_idx(field(roster, "gone"), i);

        if (is(g, "by", text(roster, "name")))
            n += (size_t)snprintf(out + n, room - n, "%s%.80s", n > 0 ? ", " : "", text(g, "name"));
    }
}

static bool asked(const struct cli *c, const char *what, struct err *e)
{
    if (!c->yes)
        text_wrap(stderr, what, 0, 0);
    return answer_confirmed(c, e);
}

static bool is_wanted(const struct cli *c, struct json_object *roster, struct err *e)
{
    struct json_object *member = find_member(roster);
    const char *name = text(roster, "name");
    char what[1000], victims[200], id[ID_DIGITS + 1];
    size_t n;

    if (!is_true(roster, "admin") || (member != NULL && is_true(member, "self")))
        return true; /* the agent says why it will not */
    write_victims(roster, victims, sizeof victims);
    short_id(id, roster);
    if (member != NULL)
        snprintf(
            what, sizeof what,
            "This shuts %.80s (%s) out of the fleet %.80s for good: what it wrote and this PC has "
            "stays, what it writes from now on or has not sent yet reaches no other PC. It can "
            "come back only under a new identity (`identity reset` there) and with a new token.",
            name, id, text(roster, "fleet"));
    else
        snprintf(
            what, sizeof what,
            "%.80s (%s) was shut out already. This makes every PC take what is here of it, also "
            "what came after that was decided.",
            name, id);
    n = strlen(what);
    if (victims[0] != '\0')
        snprintf(what + n, sizeof what - n,
                 " What it shut out (%s) stays out, too: it comes back likewise.", victims);
    return asked(c, what, e);
}

static void print_victims(struct json_object *result)
{
    char victims[200];

    write_victims(result, victims, sizeof victims);
    if (victims[0] != '\0')
        text_say("What it shut out stays out: %s. If that was wrong: `identity reset` there, and "
                 "`join` with a new token.",
                 victims);
}

static void print_revoked(const struct cli *c, struct json_object *result)
{
    if (!is_changed(result)) {
        text_say("%s is no member any more, and nothing of it is here that does not count.",
                 c->words[0]);
        return;
    }
    text_say(
        "%s is shut out of the fleet %s. The PCs that are connected know it now, the others as "
        "soon as they meet one.",
        c->words[0], text(result, "fleet"));
    print_victims(result);
}

int run_revoke(struct cli *c)
{
    struct json_object *roster, *result;
    struct err e = {0};
    bool wanted;
    int code;

    if (!ask_about(c, "roster", NULL, &roster, &code))
        return code;
    wanted = is_wanted(c, roster, &e);
    json_object_put(roster);
    if (!wanted)
        return answer_failed(c, &e);
    if (!ask_about(c, "revoke", NULL, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else
        print_revoked(c, result);
    json_object_put(result);
    return code;
}
