/* The small files of a home, and the token that a person types. The first byte says which; whatever
 * is in one is read, or refused with a reason, and what was read is written to one that reads back
 * the same. */
#include <ftw.h>
#include <sys/stat.h>

#include <navette/invite.h>

#include "../../agent/agent.h"
#include "../../agent/invitation.h"
#include "../../agent/log.h"
#include "../../agent/origin.h"
#include "../../agent/stick.h"
#include "fuzz.h"

static struct agent agent;
static struct keys maker;

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *at)
{
    (void)s;
    (void)kind;
    (void)at;
    return remove(path);
}

static void home_close(void)
{
    nftw(agent.home.path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void home_open(void)
{
    static const uint8_t seed[32] = {1};
    char path[] = "/dev/shm/navette-fuzz-XXXXXX";
    struct err e = {0};

    if (agent.in_fleet)
        return;
    expect(sodium_init() >= 0 && mkdtemp(path) != NULL);
    log_level_set(LOG_ERROR);
    keys_from_seed(&maker, seed);
    expect(home_locate(&agent.home, path, &e) && home_create(&agent.home, &e));
    expect(atexit(home_close) == 0);
    agent.loop = uv_default_loop();
    expect(roster_create(&agent.roster, "Boutique", "A", &maker, &e) &&
           home_fleet_save(&agent.home, &agent.roster, seed, &e));
    agent.in_fleet = true;
}

static void put(const char *path, struct slice bytes)
{
    FILE *f = fopen(path, "wb");

    expect(f != NULL && fwrite(bytes.p, 1, bytes.n, f) == bytes.n && fclose(f) == 0);
    expect(chmod(path, 0600) == 0);
}

static void token(struct slice typed)
{
    char text[INVITE_TEXT_BYTES_MAX] = "", again[INVITE_TEXT_BYTES_MAX];
    struct invite v, back;
    struct err e = {0};

    memcpy(text, typed.p, typed.n < sizeof text ? typed.n : sizeof text - 1);
    if (!invite_parse(&v, text, &e)) {
        expect(e.code != ERR_NONE);
        return;
    }
    invite_format(again, &v);
    expect(invite_parse(&back, again, &e) && memcmp(back.secret, v.secret, sizeof v.secret) == 0 &&
           back.address_count == v.address_count);
}

static void identity(struct slice bytes)
{
    struct keys k = {0};
    struct err e = {0};

    put(agent.home.identity, bytes);
    expect(home_identity_load(&agent.home, &k, &e) || e.code != ERR_NONE);
    keys_wipe(&k);
}

static void fleet_keys(struct slice bytes)
{
    struct fleet_keys k = {0}, back = {0};
    struct roster r = {0};
    struct err e = {0};

    put(agent.home.fleet_key, bytes);
    if (home_fleet_load(&agent.home, &r, &k, &e)) {
        struct roster same = {0};

        expect(k.n >= 1 && k.n <= FLEET_KEYS_MAX);
        expect(home_fleet_keys_save(&agent.home, &r, &k, &e) &&
               home_fleet_load(&agent.home, &same, &back, &e) && memcmp(&k, &back, sizeof k) == 0);
        roster_close(&same);
    } else {
        expect(e.code != ERR_NONE);
    }
    roster_close(&r);
}

static void origin(const char *name, struct slice bytes)
{
    char path[PATH_BYTES_MAX], doubt[ORIGIN_DOUBT_BYTES_MAX];
    struct err e = {0};

    expect(path_join(path, agent.home.path, name, &e));
    put(path, bytes);
    expect(origin_check(&agent.home, doubt, &e) || e.code != ERR_NONE);
    expect(unlink(path) == 0);
}

static void invitations(struct slice bytes)
{
    uint8_t keys[INVITES_MAX][32];

    put(agent.home.invites, bytes);
    agent.invitations = invitations_start(&agent);
    expect(invitations_beacon_keys(agent.invitations, keys, INVITES_MAX) <= INVITES_MAX);
    invitations_stop(agent.invitations);
}

static void welcome(struct slice bytes)
{
    struct stick_welcome w;

    put(agent.home.welcome, bytes);
    if (stick_welcome_read(&agent, &w))
        stick_welcome_close(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice rest = {bytes + 1, n - 1};

    if (n == 0)
        return 0;
    home_open();
    switch (bytes[0] % 7) {
    case 0:
        token(rest);
        break;
    case 1:
        identity(rest);
        break;
    case 2:
        fleet_keys(rest);
        break;
    case 3:
        origin("machine", rest);
        break;
    case 4:
        origin("doubt", rest);
        break;
    case 5:
        invitations(rest);
        break;
    default:
        welcome(rest);
        break;
    }
    return 0;
}
