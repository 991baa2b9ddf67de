#include "dropfile.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include "agent.h"

#define SAME_NAMES_MAX   999
#define OTHERS_BYTES_MAX (1u << 20) /* of a file that is none of ours: read only to tell so */

static const char mark_utf8[] = "\xef\xbb\xbf";

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

/* ---- files of others ---- */

/* Whole, as lenient as those who write such files: a mark of the encoding in front and NaN are
 * fine. */
static struct json_object *parse_leniently(struct slice file)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *root = NULL;
    size_t end;

    if (file.n >= 3 && memcmp(file.p, mark_utf8, 3) == 0)
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

/* The next byte that is no space; 0 at the end. */
static uint8_t next_mark(struct slice *s)
{
    while (s->n > 0 && s->p[0] != '\0' && strchr(" \t\r\n", s->p[0]) != NULL)
        *s = (struct slice){s->p + 1, s->n - 1};
    return s->n > 0 ? s->p[0] : 0;
}

bool dropfile_begins(struct slice head)
{
    static const char key[] = "\"navette\"";

    if (next_mark(&head) != '{')
        return false;
    head = (struct slice){head.p + 1, head.n - 1};
    next_mark(&head);
    return head.n >= sizeof key - 1 && memcmp(head.p, key, sizeof key - 1) == 0;
}

bool dropfile_read(const char *path, struct buf *out, bool *foreign, struct err *e)
{
    struct slice head;
    struct file_info info;
    uint8_t mark;

    *foreign = false;
    if (!file_read_head(path, DROPFILE_HEAD_BYTES, out, e) || !file_stat(path, &info, e))
        return false;
    head = buf_slice(out);
    if (info.bytes <= OTHERS_BYTES_MAX || dropfile_begins(head)) {
        buf_clear(out);
        return file_read(path, DROP_BYTES_MAX, out, e);
    }
    if (head.n >= 3 && memcmp(head.p, mark_utf8, 3) == 0)
        head = (struct slice){head.p + 3, head.n - 3};
    mark = next_mark(&head);
    *foreign = mark == '{' || mark == '[';
    return err_set(e, ERR_INPUT, "line 1: this is no drop file of Navette");
}

/* ---- what is under way ---- */

bool transfer_begin(struct transfer *t, struct agent *a, agent_on_drop *on_done, void *context,
                    struct err *e)
{
    if (!transfer_may_go_on(a, e))
        return false;
    t->agent = a;
    t->on_done = on_done;
    t->context = context;
    t->next = a->transfers;
    a->transfers = t;
    return true;
}

static void transfer_unlink(struct transfer *t)
{
    struct transfer **at = &t->agent->transfers;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    t->on_done = NULL;
}

void transfer_end(struct transfer *t, const struct drop_done *done)
{
    agent_on_drop *on_done = t->on_done;

    transfer_unlink(t);
    on_done(t->context, done);
}

bool transfer_is_wanted(const struct transfer *t)
{
    return t->on_done != NULL;
}

bool transfer_may_go_on(const struct agent *a, struct err *e)
{
    if (!a->in_fleet)
        return err_set(e, ERR_REFUSED, "this PC is in no fleet yet: `agent-cli join TOKEN` first");
    if (a->store == NULL)
        return err_set(e, ERR_STORE, "the database is not open: %s", a->store_trouble.text);
    return true;
}

void agent_drop_forget(struct agent *a, void *context)
{
    struct transfer *t = a->transfers;

    while (t != NULL) {
        struct transfer *next = t->next;

        if (t->context == context)
            transfer_unlink(t);
        t = next;
    }
}
