#!/usr/bin/env python3
"""Rosters of quarrelling admins and what becomes of them, by the second implementation in tests/process/peer.py:
quarrels.txt; and what they come to when they are summed up, and more is said behind that: checkpoints.txt. With --check it compares, with --write it writes. Without the packages that peer.py needs it ends with
77, which the test runner counts as skipped."""

import copy
import hashlib
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "process"))

try:
    import peer  # noqa: E402
    import wire  # noqa: E402
except ImportError as missing:
    print("skipped: %s" % missing)
    sys.exit(77)

QUARRELS = 16
CHECKPOINTS = 12
MADE = 1700000000000
NAMES = "ABCDEF"
SEED = 20261121


def site_of(number):
    return wire.Site(bytes(range(32 * number, 32 * number + 32)))


def pieces(size, *what):
    return hashlib.blake2b(repr(what).encode(), digest_size=size).digest()


def say_anything(roster, sites, rng):
    author, about = rng.choice(sites), rng.choice(sites)
    actor = about.id + bytes(7) + bytes([rng.randrange(2)])
    cut = [[actor, rng.randrange(1, 9), pieces(32, rng.randrange(2))]][:rng.randrange(3)]
    words = {
        peer.ENROL: lambda: (about.signing, about.exchange, rng.choice(NAMES), bytes(8)),
        peer.REVOKE: lambda: (about.id, cut),
        peer.RENAME: lambda: (about.id, rng.choice(NAMES)),
        peer.ADMIN: lambda: (about.id, rng.randrange(3) == 0),
        peer.ROTATE: lambda: (pieces(16, rng.randrange(3)), [[about.id, bytes(80)]]),
    }
    kind = rng.choice([peer.ENROL, peer.REVOKE, peer.REVOKE, peer.ADMIN, peer.ADMIN, peer.ROTATE, peer.RENAME])
    try:
        roster.say(author, kind, *words[kind]())
    except wire.Refused:
        pass  # nobody has enrolled the author yet


def quarrel(rng):
    """Three sides of a split, each of which knows of the others now and then."""
    sites = [site_of(i) for i in range(len(NAMES))]
    create = wire.pack([1, peer.CREATE, sites[0].signing, [], "Boutique", "A", sites[0].exchange,
                        pieces(16, rng.random())])
    roster = peer.Roster(wire.pack([create, sites[0].sign("navette roster 1", create)]))
    for i in 1, 2:
        roster.say(sites[i - 1], peer.ENROL, sites[i].signing, sites[i].exchange, NAMES[i], bytes(8))
    sides = [copy.deepcopy(roster) for _ in range(3)]
    for _ in range(rng.randrange(10, 20)):
        side = rng.choice(sides)
        if rng.randrange(6) == 0:
            side.merge(rng.choice(sides).log())
        else:
            say_anything(side, sites, rng)
    for side in sides:
        roster.merge(side.log())
    return roster


def state_of(roster):
    """One line for each site, one for the key."""
    lines = []
    for site in roster.sites:
        cut = "".join(" %s:%d:%s" % (actor.hex(), number, h.hex()) for actor, (number, h) in sorted(site.cut.items()))
        lines.append("%s %s %s %s %d %d%s\n" % (site.id.hex(), site.name, site.mark, site.standing, site.admin,
                                                site.has_key, cut))
    return "".join(lines) + "key %s\n" % (roster.key_id.hex() if roster.key_id else "-")


def quarrels(count, seed):
    rng = random.Random(seed)
    text = ""
    for _ in range(count):
        roster = quarrel(rng)
        text += "log=%s\nstate=%s\n\n" % (roster.log().hex(), state_of(roster).encode().hex())
    return text


def say_more(roster, admin, rng):
    """What a checkpoint has besides sites and keys."""
    for i in range(3):
        roster.say(admin, peer.INVITE, pieces(8, i), MADE + (i - 1) * peer.DAY_MS)
    roster.say(admin, peer.WITHDRAW, pieces(8, 2 * rng.randrange(2)))
    tables = rng.sample(["sale", "Line", "client", "stock"], 3)
    roster.say(admin, peer.RULES, [[2, table, [], None, None, None, True] for table in tables] +
               [[1, tables[0], ["quantity"], None, None, None, True], [4, tables[0], ["a", "b"], None, None, None, True]])
    roster.say(admin, peer.RULES, [[2, tables[1].upper(), [], None, None, None, False],
                                   [7, tables[1], [], admin.id, None, None, True]])


def summed_up(rng):
    """(log, by whom, fields, log that begins with it, that roster), or None: nobody may."""
    roster = quarrel(rng)
    sites = {site.id: site for site in map(site_of, range(len(NAMES)))}
    admin = sites[rng.choice([s.id for s in roster.sites if s.admin])]
    say_more(roster, admin, rng)
    log, fields = roster.log(), roster.checkpoint(MADE)
    roster.say(admin, peer.CHECKPOINT, *fields)
    root = roster.heads()[0]
    for site in roster.members:
        roster.say(sites[site], peer.ACKNOWLEDGE, root)
    begun = peer.Roster(roster.begun_with(root))
    sides = [begun, copy.deepcopy(begun)]
    for _ in range(rng.randrange(12)):
        say_anything(rng.choice(sides), list(sites.values()), rng)
    begun.merge(sides[1].log())
    begun.merge(log)  # is passed over
    return log, admin, wire.pack(fields)[1:], begun.log(), begun


def checkpoints(count, seed):
    rng = random.Random(seed)
    text = ""
    for _ in range(count):
        log, admin, fields, begun_log, begun = summed_up(rng)
        text += "log=%s\nby=%s\nfields=%s\nbegun=%s\nstate=%s\ndigest=%s\nagain=%s\n\n" % (
            log.hex(), admin.id.hex(), fields.hex(), begun_log.hex(), state_of(begun).encode().hex(),
            begun.digest().hex(), wire.pack(begun.checkpoint(MADE))[1:].hex())
    return text


def main():
    bad = 0
    for name, text in (("quarrels.txt", quarrels(QUARRELS, SEED)), ("checkpoints.txt", checkpoints(CHECKPOINTS, SEED))):
        path = HERE / name
        if sys.argv[1:2] == ["--write"]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print("%s differs from the specification" % name, file=sys.stderr)
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
