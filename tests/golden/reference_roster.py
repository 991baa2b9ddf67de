#!/usr/bin/env python3
"""Rosters of quarrelling admins and what becomes of them, by the second implementation in tests/process/peer.py:
quarrels.txt. With --check it compares, with --write it writes. Without the packages that peer.py needs it ends with
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


def main():
    path = HERE / "quarrels.txt"
    if sys.argv[1:2] == ["--write"]:
        path.write_text(quarrels(QUARRELS, SEED))
    elif not path.exists() or path.read_text() != quarrels(QUARRELS, SEED):
        print("%s differs from the specification" % path.name, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
