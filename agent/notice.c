#include "notice.h"

#include <stdio.h>

#include <json-c/json.h>

#include <navette/wire.h>

#include "agent.h"
#include "log.h"
#include "status.h"

#define META_BYTES 16

static const struct notice_kind {
    const char *code, *text, *remedy;
} kinds[STORE_NOTICES] = {
    [STORE_DATABASE_WENT_BACK] =
        {"database-put-back",
         "the database had gone back to an older state: a copy was put back, or the power failed; "
         "what it had lost was put back into it, and what was written since stayed",
         "nothing; if nobody put a copy back and the power did not fail, have the disk looked at"},
    [STORE_HOME_WENT_BACK] =
        {"home-put-back",
         "the agent's own files had gone back to an older state, or the database is another copy "
         "than they knew: its rows are compared with the other PCs' before anything is sent",
         "nothing"},
    [STORE_DISK_WENT_BACK] =
        {"pc-put-back",
         "this PC, or the agent's own files alone, had gone back to an older state, as when a copy "
         "is put back: what it had lost comes from the other PCs, and what was written since stays",
         "nothing; what no other PC had got before is gone with the old disk"},
    [STORE_TAKES_TURNS] =
        {"copies-take-turns",
         "another copy of this PC's disk is used while this one is off, and the other way round: "
         "what each has written is shared, but they are two PCs under one name",
         "on the copy: stop its agent, `agent-cli identity reset`, start it, and `agent-cli join` "
         "with a new token; nothing, if it is one PC whose disk was put back to and fro"},
};

static void meta_name(char out[META_BYTES], uint32_t notice)
{
    snprintf(out, META_BYTES, "note.%u", notice);
}

static void keep(struct agent *a, uint32_t notice)
{
    char name[META_BYTES];
    struct buf bytes = {0};
    struct writer w = {.out = &bytes};
    struct err e = {0};

    meta_name(name, notice);
    buf_open(&bytes, META_BYTES);
    write_uint(&w, a->notices.at_ms[notice]);
    if (!store_meta_set(a->store, name, buf_slice(&bytes), &e))
        log_warn("a notice is not kept over a restart reason=%s", e.text);
    buf_close(&bytes);
}

static uint64_t kept(struct agent *a, uint32_t notice)
{
    char name[META_BYTES];
    struct buf bytes;
    struct err e = {0};
    struct reader r;
    uint64_t at_ms = 0;

    meta_name(name, notice);
    buf_open(&bytes, META_BYTES);
    if (store_meta_get(a->store, name, &bytes, &e) && bytes.n > 0) {
        r = reader_of(buf_slice(&bytes), &e);
        at_ms = read_uint(&r, UINT64_MAX, "a time");
        if (!read_end(&r))
            at_ms = 0;
    }
    if (e.code != ERR_NONE)
        log_warn("a notice of an earlier run is lost reason=%s", e.text);
    buf_close(&bytes);
    return at_ms;
}

void notices_load(struct agent *a)
{
    for (uint32_t i = 0; i < STORE_NOTICES; i++) {
        uint64_t at_ms = kept(a, i);

        if (at_ms > a->notices.at_ms[i])
            a->notices.at_ms[i] = at_ms;
    }
}

void notices_take(struct agent *a)
{
    uint32_t noticed = a->store != NULL ? store_notices(a->store) : 0;
    const char *steps;

    while (a->store != NULL && (steps = store_steps(a->store)) != NULL)
        log_info("%s", steps);

    for (uint32_t i = 0; i < STORE_NOTICES; i++) {
        if ((noticed >> i & 1) == 0)
            continue;
        a->notices.at_ms[i] = agent_wall_ms(a);
        log_warn("notice code=%s %s", kinds[i].code, kinds[i].text);
        keep(a, i);
    }
}

/* A clock that was put back does not make it stay for longer than a day either. */
static bool is_shown(struct agent *a, uint32_t notice)
{
    uint64_t at_ms = a->notices.at_ms[notice], now_ms = agent_wall_ms(a);

    return at_ms != 0 && (now_ms > at_ms ? now_ms - at_ms : at_ms - now_ms) < NOTICE_MS;
}

struct json_object *notices_list(struct agent *a)
{
    struct json_object *list = json_object_new_array();

    for (uint32_t i = 0; i < STORE_NOTICES; i++) {
        struct json_object *o;

        if (!is_shown(a, i))
            continue;
        o = json_object_new_object();
        json_object_object_add(o, "code", json_object_new_string(kinds[i].code));
        status_add_time(o, "since", a->notices.at_ms[i]);
        json_object_object_add(o, "text", json_object_new_string(kinds[i].text));
        json_object_object_add(o, "remedy", json_object_new_string(kinds[i].remedy));
        json_object_array_add(list, o);
    }
    return list;
}
