#include "dropfile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include <navette/json.h>

#include "agent.h"
#include "links.h"
#include "log.h"
#include "pump.h"

#define EXPORT_BYTES   (128u << 20) /* a file ends here; another one follows */
#define FETCH_BYTES    (4u << 20)
#define SAME_NAMES_MAX 999

/* ---- names ---- */

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '_';
}

void dropfile_name(char out[DROP_NAME_BYTES], const char *pc, uint64_t wall_ms, uint32_t count)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    char name[NAME_BYTES_MAX + 1], when[32] = "00000000_000000", suffix[16] = "";
    struct tm parts;
    size_t i;

    snprintf(name, sizeof name, "%s", pc);
    for (i = 0; name[i] != '\0'; i++)
        if (!is_plain(name[i]))
            name[i] = '_';
    if (localtime_r(&seconds, &parts) != NULL)
        strftime(when, sizeof when, "%Y%m%d_%H%M%S", &parts);
    if (count > 0)
        snprintf(suffix, sizeof suffix, "_%03u", count % (SAME_NAMES_MAX + 1));
    snprintf(out, DROP_NAME_BYTES, "export_%s_%s%s.json", name, when, suffix);
}

bool dropfile_free_path(char *path, const char *directory, const char *name, struct err *e)
{
    const char *dot = strrchr(name, '.');
    int stem = dot != NULL ? (int)(dot - name) : (int)strlen(name);
    char numbered[PATH_BYTES_MAX];
    uint32_t count;

    for (count = 0; count <= SAME_NAMES_MAX; count++) {
        if (count == 0)
            snprintf(numbered, sizeof numbered, "%s", name);
        else
            snprintf(numbered, sizeof numbered, "%.*s_%03u%s", stem, name, count,
                     dot != NULL ? dot : "");
        if (!path_join(path, directory, numbered, e))
            return false;
        if (!file_exists(path))
            return true;
    }
    return err_set(e, ERR_LIMIT, "%s has %u files named like %s", directory, SAME_NAMES_MAX, name);
}

/* ---- import ---- */

static bool check_open(const struct agent *a, struct err *e)
{
    if (!a->in_fleet)
        return err_set(e, ERR_REFUSED, "this PC is in no fleet yet: agent-cli join TOKEN first");
    if (a->store == NULL)
        return err_set(e, ERR_STORE, "the database is not open: %s", a->store_trouble.text);
    return true;
}

static bool check_fleet(const struct agent *a, const struct drop_head *head, struct err *e)
{
    if (memcmp(head->fleet, a->roster.fleet, sizeof head->fleet) == 0)
        return true;
    return err_set(e, ERR_REFUSED,
                   "it is of the fleet \"%s\" (from %s); this PC is in the fleet \"%s\"",
                   head->fleet_name, head->from, a->roster.fleet_name);
}

/* Whose is it, and is it as its author signed it? */
static bool verify(const struct agent *a, struct slice bytes, struct changeset_header *h,
                   struct err *e)
{
    const struct roster_site *author;
    struct changeset c;
    struct site_id site;

    if (!changeset_split(&c, bytes, e) || !changeset_header_read(h, c.header, e))
        return false;
    if (memcmp(h->fleet, a->roster.fleet, sizeof h->fleet) != 0)
        return err_set(e, ERR_REFUSED, "it is of another fleet");
    site = actor_site(&h->actor);
    author = roster_find(&a->roster, &site);
    if (author == NULL)
        return err_set(e, ERR_STRANGER, "its author is no member of the fleet");
    if (!changeset_verify(&c, h, author->sign_public, e))
        return err_wrap(e, "of %s, number %" PRIu64, author->name, h->number);
    return true;
}

typedef bool on_changeset(void *context, uint32_t at, struct slice bytes, struct err *e);

static bool each(struct slice file, on_changeset *on, void *context, struct err *e)
{
    struct drop_reader *reader = NULL;
    struct drop_head head = {0};
    struct buf bytes = {0};
    uint32_t at = 1;
    bool ok = drop_open(&reader, file, &head, e);

    buf_open(&bytes, CHANGESET_BYTES_MAX);
    while (ok && drop_next(reader, &bytes, e))
        ok = on(context, at++, buf_slice(&bytes), e);
    ok = ok && e->code == ERR_NONE;
    buf_close(&bytes);
    vector_close(&head.have);
    drop_close(reader);
    return ok;
}

static bool verify_one(void *context, uint32_t at, struct slice bytes, struct err *e)
{
    struct changeset_header h = {0};
    bool ok = verify(context, bytes, &h, e);

    changeset_header_close(&h);
    return ok || err_wrap(e, "change-set %u of the file", at);
}

struct importing {
    struct agent *agent;
    uint32_t added;
    struct err gap; /* the first one */
};

/* The file goes on after a gap: what other authors wrote is not concerned. */
static void note_gap(struct importing *i, struct slice bytes)
{
    const struct agent *a = i->agent;
    struct changeset_header h = {0};
    struct err e = {0};
    struct site_id site;
    const struct roster_site *author;

    if (verify(a, bytes, &h, &e)) {
        site = actor_site(&h.actor);
        author = roster_find(&a->roster, &site);
        err_set(&i->gap, ERR_GAP,
                "change-sets %" PRIu64 " to %" PRIu64
                " of %s are missing here: import the file that has them, then this one again",
                vector_get(store_have(a->store), &h.actor) + 1, h.number - 1,
                author != NULL ? author->name : "?");
    }
    changeset_header_close(&h);
}

static bool stage_one(void *context, uint32_t at, struct slice bytes, struct err *e)
{
    struct importing *i = context;
    enum stage_result result = STAGE_KNOWN;

    if (store_stage(i->agent->store, bytes, &result, e)) {
        i->added += result == STAGE_NEW;
        return true;
    }
    if (e->code != ERR_GAP)
        return err_wrap(e, "change-set %u of the file", at);
    err_clear(e);
    note_gap(i, bytes);
    return true;
}

static void note_sender(struct agent *a, const struct drop_head *head)
{
    const struct roster_site *from = roster_find_name(&a->roster, head->from);

    if (from != NULL && memcmp(&from->site, &a->keys.site, sizeof from->site) != 0)
        members_note_told(a, links_members(a->links), &from->site, &head->have);
}

static bool take_head(struct agent *a, struct slice file, struct err *e)
{
    struct drop_reader *reader = NULL;
    struct drop_head head = {0};
    bool ok = drop_open(&reader, file, &head, e) && check_fleet(a, &head, e) &&
              agent_roster_merge(a, head.roster, e);

    if (ok)
        note_sender(a, &head);
    vector_close(&head.have);
    drop_close(reader);
    return ok;
}

bool dropfile_import(struct agent *a, struct slice file, uint32_t *added, struct err *e)
{
    struct importing i = {.agent = a};
    bool ok;

    *added = 0;
    if (!check_open(a, e) || !take_head(a, file, e) || !each(file, verify_one, a, e))
        return false;
    ok = each(file, stage_one, &i, e);
    *added = i.added;
    if (i.added > 0) {
        pump_staged(a->pump);
        links_local_changed(a->links);
    }
    if (ok && i.gap.code != ERR_NONE) {
        *e = i.gap;
        return false;
    }
    return ok;
}

bool agent_drop_import(struct agent *a, const char *path, uint32_t *added, struct err *e)
{
    struct buf file = {0};
    bool ok;

    *added = 0;
    buf_open(&file, DROP_BYTES_MAX);
    ok = file_read(path, DROP_BYTES_MAX, &file, e);
    if (ok && !dropfile_import(a, buf_slice(&file), added, e))
        ok = err_wrap(e, "%s", path);
    if (ok)
        log_info("drop file imported file=%s changesets=%u", path_name(path), *added);
    buf_close(&file);
    return ok;
}

/* Whole, as lenient as those who write such files: a mark of the encoding in front and NaN are
 * fine. */
static struct json_object *parse_leniently(struct slice file)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *root = NULL;
    size_t end;

    if (file.n >= 3 && memcmp(file.p, "\xef\xbb\xbf", 3) == 0)
        file = (struct slice){file.p + 3, file.n - 3};
    if (tokener == NULL || file.n == 0 || file.n > INT32_MAX)
        goto out;
    root = json_tokener_parse_ex(tokener, (const char *)file.p, (int)file.n);
    for (end = json_tokener_get_parse_end(tokener); end < file.n; end++) {
        if (strchr(" \t\r\n", file.p[end]) != NULL)
            continue;
        json_object_put(root);
        root = NULL;
        break;
    }
out:
    if (tokener != NULL)
        json_tokener_free(tokener);
    return root;
}

bool dropfile_is_foreign(struct slice file)
{
    struct json_object *root = parse_leniently(file);
    bool foreign = false;

    if (json_object_is_type(root, json_type_array))
        foreign = json_object_array_length(root) > 0;
    else if (json_object_is_type(root, json_type_object))
        foreign = json_object_object_length(root) > 0 &&
                  !json_object_object_get_ex(root, "navette", NULL);
    json_object_put(root);
    return foreign;
}

/* ---- export ---- */

struct export
{
    struct agent *agent;
    const char *directory;
    const struct vector *base; /* what the receiver has */
    struct buf out;
    uint32_t in_file, in_all;
    uint32_t files;
    char *path; /* of the first file */
    uint64_t wall_ms;
};

static void head_of(const struct export *x, struct drop_head *head)
{
    const struct agent *a = x->agent;
    const struct roster_site *self = roster_find(&a->roster, &a->keys.site);

    *head = (struct drop_head){.made_ms = x->wall_ms, .roster = buf_slice(&a->roster.log)};
    memcpy(head->fleet, a->roster.fleet, sizeof head->fleet);
    memcpy(head->fleet_name, a->roster.fleet_name, sizeof head->fleet_name);
    snprintf(head->from, sizeof head->from, "%s", self != NULL ? self->name : a->config.name);
    vector_copy(&head->have, store_have(a->store));
}

static bool begin_file(struct export *x, struct err *e)
{
    struct drop_head head;
    bool ok;

    buf_clear(&x->out);
    x->in_file = 0;
    head_of(x, &head);
    ok = drop_write_begin(&x->out, &head, e);
    vector_close(&head.have);
    return ok;
}

static bool end_file(struct export *x, struct err *e)
{
    char name[DROP_NAME_BYTES], path[PATH_BYTES_MAX];

    dropfile_name(name, x->agent->config.name, x->wall_ms, 0);
    if (!drop_write_end(&x->out, e) || !dropfile_free_path(path, x->directory, name, e) ||
        !file_write_atomic(path, buf_slice(&x->out), 0644, e))
        return false;
    log_info("drop file written file=%s changesets=%u", path, x->in_file);
    if (x->files++ == 0)
        snprintf(x->path, PATH_BYTES_MAX, "%s", path);
    return true;
}

static bool add_changeset(struct export *x, struct slice changeset, struct err *e)
{
    if (x->out.n > EXPORT_BYTES && (!end_file(x, e) || !begin_file(x, e)))
        return false;
    if (!drop_write_changeset(&x->out, x->in_file == 0, changeset, e))
        return false;
    x->in_file++;
    x->in_all++;
    return true;
}

/* All of one author's that the receiver lacks. */
static bool add_actor(struct export *x, const struct vector_entry *entry, struct err *e)
{
    struct store *store = x->agent->store;
    uint64_t after = vector_get(x->base, &entry->actor);
    struct buf bytes = {0};
    bool ok = true;

    buf_open(&bytes, CHANGESET_BYTES_MAX + FETCH_BYTES);
    while (ok && after < entry->number) {
        struct slice left, one;
        uint64_t before = after;

        buf_clear(&bytes);
        ok = store_fetch(store, &entry->actor, after, FETCH_BYTES, &bytes, e);
        left = buf_slice(&bytes);
        while (ok && store_fetch_next(&left, &one, e)) {
            ok = add_changeset(x, one, e);
            after++;
        }
        ok = ok && e->code == ERR_NONE;
        if (ok && after == before)
            ok = err_set(e, ERR_STORE,
                         "the ledger lacks change-set %" PRIu64 " that it should have", after + 1);
    }
    buf_close(&bytes);
    return ok;
}

static bool export_all(struct export *x, struct err *e)
{
    struct vector have = {0};
    uint32_t i;
    bool ok = begin_file(x, e);

    vector_copy(&have, store_have(x->agent->store));
    for (i = 0; ok && i < have.n; i++)
        ok = add_actor(x, &have.entries[i], e);
    vector_close(&have);
    return ok && end_file(x, e);
}

/* What the receiver said that it has, over the network or in a file. */
static bool base_of(struct agent *a, const char *peer, struct vector *base, struct err *e)
{
    const struct roster_site *site = roster_find_name(&a->roster, peer);
    const struct talk *talk;
    struct member *member;
    uint32_t i;

    if (site == NULL)
        return err_set(e, ERR_USAGE, "no PC of the fleet is called %s: see agent-cli peers", peer);
    talk = links_talk(a->links, &site->site);
    if (talk != NULL)
        members_note(a, links_members(a->links), &talk->sync);
    member = members_get(links_members(a->links), &site->site);
    if (member == NULL)
        return true;
    vector_copy(base, &member->have);
    for (i = 0; i < member->told.n; i++)
        if (member->told.entries[i].number > vector_get(base, &member->told.entries[i].actor))
            vector_set(base, &member->told.entries[i].actor, member->told.entries[i].number,
                       member->told.entries[i].hash);
    return true;
}

bool agent_drop_export(struct agent *a, const char *directory, const char *peer, char *path,
                       uint32_t *changesets, struct err *e)
{
    char outgoing[PATH_BYTES_MAX];
    struct vector base = {0};
    struct export x = {.agent = a, .directory = directory, .base = &base, .path = path};
    bool ok;

    *changesets = 0;
    if (!check_open(a, e))
        return false;
    if (directory == NULL) {
        if (a->config.drop_folder[0] == '\0')
            return err_set(e, ERR_USAGE, "no drop folder is set: say where with --to DIR");
        if (!path_join(outgoing, a->config.drop_folder, "sortant", e))
            return false;
        x.directory = outgoing;
    }
    x.wall_ms = agent_wall_ms(a);
    buf_open(&x.out, DROP_BYTES_MAX);
    ok = (peer == NULL || base_of(a, peer, &base, e)) && export_all(&x, e);
    *changesets = x.in_all;
    buf_close(&x.out);
    vector_close(&base);
    return ok || err_wrap(e, "drop export");
}
