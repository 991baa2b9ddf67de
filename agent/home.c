#include "home.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <uv.h>

#include "cards.h"

/* identity:   navette-identity 1 <seed: 64 hexadecimal digits>\n
 * fleet.key:  navette-fleet-keys 1\n, then lines <fleet id: 32 digits> <key: 64 digits>\n; of a
 *             fleet's keys the present one is the last
 *
 * The fleet key is looked up by the roster's fleet: so a change of fleet writes the new key beside
 * the old one, then the roster, whose rename decides. */
#define IDENTITY_HEAD    "navette-identity 1 "
#define FLEET_HEAD       "navette-fleet-keys 1\n"
#define SECRET_BYTES_MAX 1024
#define FLEET_LINE_BYTES (2 * FLEET_ID_BYTES + 1 + 2 * KEY_BYTES + 1)
#define ALIVE_MS         1000
#define DIRECTORY_MODE   0700
#define SECRET_MODE      0600
#define PASSAGE_MODE     0010 /* a group may go through, and reads nothing */

#ifdef _WIN32
static bool default_path(char *out, struct err *e)
{
    char base[PATH_BYTES_MAX];
    size_t n = sizeof base;

    if (uv_os_getenv("ProgramData", base, &n) != 0)
        return err_set(e, ERR_USAGE, "ProgramData is not set: name the home with --home DIR");
    return path_join(out, base, "Navette", e);
}

bool home_socket_name(char *out, const char *path, struct err *e)
{
    uint8_t hash[HASH_BYTES];
    char digits[2 * 16 + 1];

    (void)e;
    hash_bytes(hash, slice_text(path));
    hex_write(digits, (struct slice){hash, 16});
    snprintf(out, PATH_BYTES_MAX, "\\\\.\\pipe\\navette-%s", digits);
    return true;
}

static bool is_trailing(char c)
{
    return c == '\\' || c == '/';
}
#else
#include <sys/un.h>
#include <unistd.h>

static bool default_path(char *out, struct err *e)
{
    char base[PATH_BYTES_MAX];
    size_t n = sizeof base;

    if (geteuid() == 0) {
        snprintf(out, PATH_BYTES_MAX, "/var/lib/navette");
        return true;
    }
    if (uv_os_getenv("XDG_STATE_HOME", base, &n) == 0 && base[0] == '/')
        return path_join(out, base, "navette", e);
    n = sizeof base;
    if (uv_os_homedir(base, &n) != 0)
        return err_set(e, ERR_USAGE, "no home directory: name Navette's home with --home DIR");
    return path_join(out, base, ".local/state/navette", e);
}

/* A socket's name has some hundred bytes on every Unix; a home's path may have more. The short name
 * must be the same for everybody who names this home, so it takes nothing from the environment. */
bool home_socket_name(char *out, const char *path, struct err *e)
{
    struct sockaddr_un limit;
    uint8_t hash[HASH_BYTES];
    char digits[2 * 8 + 1];

    if (!path_join(out, path, "agent.sock", e))
        return false;
    if (strlen(out) < sizeof limit.sun_path)
        return true;
    hash_bytes(hash, slice_text(path));
    hex_write(digits, (struct slice){hash, 8});
    snprintf(out, PATH_BYTES_MAX, "/tmp/navette-%ju/%s.sock", (uintmax_t)geteuid(), digits);
    return true;
}

static bool is_trailing(char c)
{
    return c == '/';
}
#endif

static bool locate_path(char *out, const char *given, struct err *e)
{
    char from_environment[PATH_BYTES_MAX];
    size_t n = sizeof from_environment;

    if (given != NULL)
        return path_absolute(out, given, e) || err_wrap(e, "--home");
    if (uv_os_getenv("NAVETTE_HOME", from_environment, &n) == 0 && from_environment[0] != '\0')
        return path_absolute(out, from_environment, e) || err_wrap(e, "NAVETTE_HOME");
    return default_path(out, e);
}

bool home_locate(struct home *h, const char *given, struct err *e)
{
    size_t n;

    *h = (struct home){.cards = CARDS_DIRECTORY};
    if (!locate_path(h->path, given, e))
        return false;
    n = strlen(h->path);
    while (n > 1 && is_trailing(h->path[n - 1]))
        h->path[--n] = '\0';
    return path_join(h->conf, h->path, "agent.conf", e) &&
           path_join(h->identity, h->path, "identity", e) &&
           path_join(h->roster, h->path, "roster", e) &&
           path_join(h->fleet_key, h->path, "fleet.key", e) &&
           path_join(h->join_token, h->path, "join-token", e) &&
           path_join(h->invites, h->path, "invites", e) &&
           path_join(h->asked, h->path, "asked", e) &&
           path_join(h->welcome, h->path, "welcome", e) &&
           path_join(h->ledger, h->path, "ledger.db", e) &&
           path_join(h->pid, h->path, "agent.pid", e) &&
           path_join(h->backup, h->path, "backup", e) && path_join(h->logs, h->path, "logs", e) &&
           path_join(h->log, h->logs, "agent.log", e) && home_socket_name(h->socket, h->path, e);
}

bool home_exists(const struct home *h)
{
    return file_exists(h->conf);
}

/* A directory that somebody made for us: empty, so nothing in it was meant to be seen by others. */
static bool adopt_empty(const struct home *h, struct err *e)
{
    struct file_names names = {0};
    bool empty = file_exists(h->path) && file_list(h->path, 1, &names, e) && names.n == 0;

    file_names_close(&names);
    err_clear(e);
    return !empty || file_set_mode(h->path, DIRECTORY_MODE, e);
}

bool home_create(const struct home *h, struct err *e)
{
    return adopt_empty(h, e) && file_make_directory(h->path, DIRECTORY_MODE, e) &&
           home_check(h, e) && file_make_directory(h->backup, DIRECTORY_MODE, e) &&
           file_make_directory(h->logs, DIRECTORY_MODE, e);
}

bool home_check(const struct home *h, struct err *e)
{
    struct file_info info;
    char real[PATH_BYTES_MAX];

    if (!file_exists(h->path))
        return err_set(e, ERR_REFUSED,
                       "there is no Navette home at %s: make one with "
                       "`agent-cli --home %s init --db FILE`, or name another with --home",
                       h->path, h->path);
    /* The home itself may be a link; what it leads to counts. */
    if (snprintf(real, sizeof real, "%s/.", h->path) >= (int)sizeof real)
        return err_set(e, ERR_LIMIT, "the path of the home is too long");
    if (!file_stat(real, &info, e) || !info.is_directory) {
        err_clear(e);
        return err_set(e, ERR_REFUSED, "%s is not a directory: name another home with --home",
                       h->path);
    }
    if (!info.is_ours)
        return err_set(e, ERR_REFUSED, "the home %s belongs to another user: run this as that user",
                       h->path);
    if ((info.mode & 077 & ~(uint32_t)PASSAGE_MODE) != 0)
        return err_set(e, ERR_REFUSED,
                       "the home %s is open to other users (mode %03o): run `chmod 700 %s`",
                       h->path, (unsigned)info.mode, h->path);
    return true;
}

bool home_check_set_up(const struct home *h, struct err *e)
{
    if (!home_check(h, e))
        return false;
    if (home_exists(h))
        return true;
    if (file_exists(h->identity))
        return err_set(e, ERR_REFUSED,
                       "%s is missing, and the rest of the home is there: write it anew with "
                       "`agent-cli --home %s init --db FILE` (FILE is the application's database, "
                       "as it is), then start navette-agent",
                       h->conf, h->path);
    return err_set(e, ERR_REFUSED,
                   "this home is not set up: do that with `agent-cli --home %s init --db FILE`, "
                   "then start navette-agent",
                   h->path);
}

/* ---- secrets ---- */

#define LOST_FILE                                                                                  \
    "put it back from a copy of this home; without one, make a new home and join the fleet again"

bool home_secret_read(const char *path, struct buf *text, struct err *e)
{
    struct file_info info;

    buf_open_secret(text, SECRET_BYTES_MAX * 8);
    if (!file_exists(path))
        return err_set(e, ERR_INPUT, "%s is missing: " LOST_FILE, path);
    if (!file_stat(path, &info, e))
        return false;
    if (!info.is_file)
        return err_set(e, ERR_REFUSED, "%s is not a regular file", path);
    if (!info.is_ours)
        return err_set(e, ERR_REFUSED, "%s belongs to another user: run this as that user", path);
    if ((info.mode & 077) != 0)
        return err_set(e, ERR_REFUSED,
                       "%s can be read by other users (mode %03o): if nobody has copied it, "
                       "run `chmod 600 %s`",
                       path, (unsigned)info.mode, path);
    return file_read(path, SECRET_BYTES_MAX * 8, text, e);
}

static bool write_secret(const char *path, struct buf *text, struct err *e)
{
    return file_write_atomic(path, buf_slice(text), SECRET_MODE, e);
}

static void add_hex(struct buf *out, struct slice bytes)
{
    char digits[2 * KEY_BYTES + 1];

    hex_write(digits, bytes);
    buf_add(out, digits, 2 * bytes.n);
    sodium_memzero(digits, sizeof digits);
}

/* 2 * n hexadecimal digits at `p`, which has at least as many bytes. */
static bool take_hex(uint8_t *out, size_t n, const uint8_t *p)
{
    char digits[2 * KEY_BYTES + 1];
    bool ok;

    memcpy(digits, p, 2 * n);
    digits[2 * n] = '\0';
    ok = hex_read(out, n, digits);
    sodium_memzero(digits, sizeof digits);
    return ok;
}

bool home_identity_create(const struct home *h, struct keys *k, struct err *e)
{
    struct buf text;
    bool ok;

    if (file_exists(h->identity))
        return err_set(e, ERR_REFUSED, "%s exists: this home has its identity already",
                       h->identity);
    keys_generate(k);
    buf_open_secret(&text, SECRET_BYTES_MAX);
    buf_add(&text, IDENTITY_HEAD, sizeof IDENTITY_HEAD - 1);
    add_hex(&text, SLICE(k->seed));
    buf_add_byte(&text, '\n');
    ok = write_secret(h->identity, &text, e);
    buf_wipe(&text);
    return ok;
}

bool home_identity_load(const struct home *h, struct keys *k, struct err *e)
{
    const size_t head = sizeof IDENTITY_HEAD - 1;
    const size_t whole = head + 2 * sizeof k->seed + 1;
    uint8_t seed[sizeof k->seed];
    struct buf text = {0};
    bool ok = false;

    if (!home_check(h, e) || !home_secret_read(h->identity, &text, e))
        goto out;
    ok = text.n == whole && memcmp(text.p, IDENTITY_HEAD, head) == 0 && text.p[whole - 1] == '\n' &&
         take_hex(seed, sizeof seed, text.p + head);
    if (!ok) {
        err_set(e, ERR_INPUT, "%s is damaged: " LOST_FILE, h->identity);
        goto out;
    }
    keys_from_seed(k, seed);
out:
    sodium_memzero(seed, sizeof seed);
    buf_wipe(&text);
    return ok;
}

static const char *const ledger_ends[] = {"-wal", "-shm", "-journal", ""};

bool home_identity_fits(const struct home *h, const struct keys *k, const struct roster *r,
                        struct err *e)
{
    if (roster_author(r, &k->site) != NULL)
        return true;
    return err_set(e, ERR_REFUSED,
                   "%s is another home's: the fleet \"%s\" has no PC with it; put this home's own "
                   "back from a copy; without one, make a new home and join the fleet again",
                   h->identity, r->fleet_name);
}

bool home_close_ledger(const struct home *h, struct err *e)
{
    char path[PATH_BYTES_MAX + 16];

    for (size_t i = 0; i < COUNT_OF(ledger_ends); i++) {
        snprintf(path, sizeof path, "%s%s", h->ledger, ledger_ends[i]);
        if (file_exists(path) && !file_set_mode(path, SECRET_MODE, e))
            return false;
    }
    return true;
}

bool home_share_socket(const struct home *h, const char *group, struct err *e)
{
    char directory[PATH_BYTES_MAX];

    path_directory(directory, h->socket);
    if (group[0] == '\0')
        return file_set_mode(h->socket, SECRET_MODE, e) &&
               file_set_mode(h->path, DIRECTORY_MODE, e);
    return (home_close_ledger(h, e) && file_set_group(h->path, group, e) &&
            file_set_mode(h->path, DIRECTORY_MODE | PASSAGE_MODE, e) &&
            file_set_group(directory, group, e) &&
            file_set_mode(directory, DIRECTORY_MODE | PASSAGE_MODE, e) &&
            file_set_group(h->socket, group, e) && file_set_mode(h->socket, 0660, e)) ||
           err_wrap(e, "control_group");
}

static bool forget_ledger(const struct home *h, struct err *e)
{
    char path[PATH_BYTES_MAX + 16];

    for (size_t i = 0; i < COUNT_OF(ledger_ends); i++) {
        snprintf(path, sizeof path, "%s%s", h->ledger, ledger_ends[i]);
        if (!file_remove(path, e))
            return false;
    }
    return true;
}

bool home_forget(const struct home *h, struct err *e)
{
    return file_remove(h->roster, e) && file_remove(h->fleet_key, e) &&
           file_remove(h->join_token, e) && file_remove(h->invites, e) &&
           file_remove(h->asked, e) && file_remove(h->welcome, e) && forget_ledger(h, e) &&
           file_remove(h->identity, e);
}

/* ---- fleet ---- */

bool home_has_fleet(const struct home *h)
{
    return file_exists(h->roster);
}

bool fleet_keys_put(struct fleet_keys *k, const uint8_t key[KEY_BYTES])
{
    uint32_t i = 0;

    while (i < k->n && memcmp(k->keys[i], key, KEY_BYTES) != 0)
        i++;
    if (i == 0 && k->n > 0)
        return false;
    if (i == k->n && k->n < FLEET_KEYS_MAX)
        k->n++;
    i = i < k->n ? i : k->n - 1;
    memmove(k->keys[1], k->keys[0], i * sizeof k->keys[0]);
    memcpy(k->keys[0], key, KEY_BYTES);
    return true;
}

/* Find the lines of `fleet` among the keys, the latest last; damaged files fail. */
static bool find_fleet_keys(struct slice text, const uint8_t fleet[FLEET_ID_BYTES],
                            struct fleet_keys *k)
{
    const size_t head = sizeof FLEET_HEAD - 1;

    if (text.n < head || memcmp(text.p, FLEET_HEAD, head) != 0 ||
        (text.n - head) % FLEET_LINE_BYTES != 0)
        return false;
    for (size_t at = head; at < text.n; at += FLEET_LINE_BYTES) {
        const uint8_t *line = text.p + at;
        uint8_t id[FLEET_ID_BYTES];
        uint8_t value[KEY_BYTES];

        if (!take_hex(id, sizeof id, line) || line[2 * FLEET_ID_BYTES] != ' ' ||
            line[FLEET_LINE_BYTES - 1] != '\n' ||
            !take_hex(value, sizeof value, line + 2 * FLEET_ID_BYTES + 1))
            return false;
        if (memcmp(id, fleet, sizeof id) == 0)
            fleet_keys_put(k, value);
        sodium_memzero(value, sizeof value);
    }
    return true;
}

static bool load_fleet_keys(const struct home *h, const struct roster *r, struct fleet_keys *k,
                            struct err *e)
{
    struct buf text = {0};
    bool ok = false;

    if (!home_secret_read(h->fleet_key, &text, e))
        goto out;
    ok = find_fleet_keys(buf_slice(&text), r->fleet, k) && k->n > 0;
    if (!ok)
        err_set(e, ERR_INPUT, "%s is damaged or lacks the key of fleet \"%s\": " LOST_FILE,
                h->fleet_key, r->fleet_name);
out:
    buf_wipe(&text);
    return ok;
}

static bool load_roster(const struct home *h, struct roster *r, struct err *e)
{
    struct buf log;
    bool ok;

    buf_open(&log, ROSTER_BYTES_MAX);
    ok =
        file_read(h->roster, ROSTER_BYTES_MAX, &log, e) &&
        (roster_load(r, buf_slice(&log), e) || err_wrap(e, "%s is damaged: " LOST_FILE, h->roster));
    buf_close(&log);
    return ok;
}

bool home_fleet_load(const struct home *h, struct roster *r, struct fleet_keys *k, struct err *e)
{
    if (!load_roster(h, r, e))
        return false;
    if (!load_fleet_keys(h, r, k, e)) {
        roster_close(r);
        return false;
    }
    return true;
}

bool home_roster_save(const struct home *h, const struct roster *r, struct err *e)
{
    return file_write_atomic(h->roster, buf_slice(&r->log), SECRET_MODE, e);
}

/* The latest last. */
static void add_key_lines(struct buf *text, const struct roster *r, const struct fleet_keys *k)
{
    for (uint32_t i = k->n; i > 0; i--) {
        add_hex(text, SLICE(r->fleet));
        buf_add_byte(text, ' ');
        add_hex(text, SLICE(k->keys[i - 1]));
        buf_add_byte(text, '\n');
    }
}

/* The keys of the fleet that is there now, in front of the new one: until the roster is renamed, it
 * counts. */
static bool keep_old_keys(const struct home *h, struct buf *text, struct err *e)
{
    struct roster old = {0};
    struct fleet_keys keys = {0};

    if (!home_has_fleet(h))
        return true;
    if (!home_fleet_load(h, &old, &keys, e))
        return false;
    add_key_lines(text, &old, &keys);
    sodium_memzero(&keys, sizeof keys);
    roster_close(&old);
    return true;
}

bool home_fleet_save(const struct home *h, const struct roster *r, const uint8_t key[KEY_BYTES],
                     struct err *e)
{
    struct fleet_keys keys = {.n = 1};
    struct buf text;
    bool ok = false;

    memcpy(keys.keys[0], key, KEY_BYTES);
    buf_open_secret(&text, (SECRET_BYTES_MAX * 8));
    buf_add(&text, FLEET_HEAD, sizeof FLEET_HEAD - 1);
    if (!keep_old_keys(h, &text, e))
        goto out;
    add_key_lines(&text, r, &keys);
    ok = write_secret(h->fleet_key, &text, e) && home_roster_save(h, r, e);
out:
    sodium_memzero(&keys, sizeof keys);
    buf_wipe(&text);
    return ok;
}

bool home_fleet_keys_save(const struct home *h, const struct roster *r, const struct fleet_keys *k,
                          struct err *e)
{
    struct buf text;
    bool ok;

    buf_open_secret(&text, (SECRET_BYTES_MAX * 8));
    buf_add(&text, FLEET_HEAD, sizeof FLEET_HEAD - 1);
    add_key_lines(&text, r, k);
    ok = write_secret(h->fleet_key, &text, e);
    buf_wipe(&text);
    return ok;
}

/* ---- the token that init left ---- */

bool home_join_token_write(const struct home *h, const char *text, struct err *e)
{
    return file_write_atomic(h->join_token, slice_text(text), SECRET_MODE, e);
}

bool home_join_token_read(const struct home *h, char *text, struct err *e)
{
    struct buf file = {0};
    bool ok = false;

    text[0] = '\0';
    if (!file_exists(h->join_token))
        return true;
    if (!home_secret_read(h->join_token, &file, e))
        goto out;
    if (file.n >= INVITE_TEXT_BYTES_MAX) {
        err_set(e, ERR_INPUT, "%s is damaged: remove it and use `agent-cli join TOKEN`",
                h->join_token);
        goto out;
    }
    if (file.n > 0)
        memcpy(text, file.p, file.n);
    text[file.n] = '\0';
    ok = true;
out:
    buf_wipe(&file);
    return ok;
}

bool home_join_token_remove(const struct home *h, struct err *e)
{
    return file_remove(h->join_token, e);
}

/* ---- who runs here ---- */

bool home_pid_write(const struct home *h, struct err *e)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%" PRId64 "\n", (int64_t)uv_os_getpid());

    return file_write_atomic(h->pid, (struct slice){(uint8_t *)text, (size_t)n}, SECRET_MODE, e);
}

void home_pid_remove(const struct home *h)
{
    struct err ignored = {0};

    /* Left over, it only names a process that is gone. */
    if (!file_remove(h->pid, &ignored))
        err_clear(&ignored);
}

int64_t home_pid_read(const struct home *h)
{
    struct buf text;
    struct err ignored = {0};
    char *end = NULL;
    long long pid = 0;

    buf_open(&text, 32);
    if (file_read(h->pid, 31, &text, &ignored)) {
        buf_add_byte(&text, '\0');
        pid = strtoll((const char *)text.p, &end, 10);
    }
    buf_close(&text);
    return pid > 0 ? pid : 0;
}

static void on_alive(uv_connect_t *connect, int status)
{
    bool *alive = connect->data;

    *alive = status == 0;
    uv_stop(connect->handle->loop);
}

static void on_late(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

bool home_is_served(const struct home *h)
{
    uv_loop_t loop;
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_connect_t connect;
    bool alive = false;

    if (uv_loop_init(&loop) != 0)
        return false;
    uv_timer_init(&loop, &timer);
    uv_pipe_init(&loop, &pipe, 0);
    connect.data = &alive;
    uv_timer_start(&timer, on_late, ALIVE_MS, 0);
    uv_pipe_connect(&connect, &pipe, h->socket, on_alive);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_close((uv_handle_t *)&pipe, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) == 0 && alive;
}

bool home_taken(const struct home *h, struct err *e)
{
    int64_t pid = home_pid_read(h);
    char who[48] = "";

    if (pid != 0)
        snprintf(who, sizeof who, " (process %" PRId64 ")", pid);
    return err_set(e, ERR_REFUSED,
                   "an agent already runs on the home %s%s: stop it with `agent-cli --home %s "
                   "stop`, or give this one a home of its own",
                   h->path, who, h->path);
}
