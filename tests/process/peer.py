"""A second implementation of the protocol, written from protocol/README.md without code of the agent: a peer for tests.

Headings in the comments are those of that page. It refuses what does not verify, but does not know every limit, and keeps
its change-sets no longer than it runs. wire.py is what lies below."""

import base64
import collections
import datetime
import itertools
import json
import os
import time

import msgpack
from nacl import bindings, exceptions

from wire import FLEET, INVITATION, WELCOME, Channel, Ref, blake, check, derive, pack, unpack, verify

INSERT, UPDATE, DELETE, REPAIR, UNITE = range(1, 6)
HELLO, ROSTER, HAVE, WANT, CHANGESET, PING, PONG, BYE, ASKKEYS, KEYS = range(1, 11)
ASKPRESENCE, PRESENCE = 15, 19
HEADER = ("format", "fleet", "actor", "number", "previous", "stamp", "needs", "repeats", "corrects", "schema",
          "roster", "rows", "body_bytes", "body_hash")


# ---- Joining ----

def enrol(site, name, token, address):
    """Join over the channel of an invitation: (fleet key, roster)."""
    channel = Channel(address, site, INVITATION, token.psk, token.id + bytes(8))
    check(blake(channel.peer, size=16)[:8] == token.maker, "not the PC that made the token")
    channel.send(token.join(site, name, channel.session))
    answer = unpack(channel.receive(10) or pack(None))
    channel.close()
    check(isinstance(answer, list) and answer[0] == WELCOME, "not welcome: %r" % (answer,))
    return answer[1], Roster(answer[2])


# ---- Roster ----

CREATE, INVITE, ENROL, RULES, REVOKE, RENAME, ADMIN, ROTATE, WITHDRAW, CHECKPOINT, ACKNOWLEDGE = range(1, 12)
MEMBER, REVOKED, VOID = range(3)
DAY_MS = 24 * 60 * 60 * 1000
GROUPS = {1: 0, 2: 1, 3: 2, 4: 2, 5: 3, 9: 3, 10: 3, 6: 4, 7: 4, 8: 4}     # of the kinds of rules


def _lower(name):
    return "".join(c.lower() if "A" <= c <= "Z" else c for c in name)


def _free_name(name, taken):
    """`name`, or the first of name-2, name-3... that is not taken, within 64 bytes."""
    for suffix in itertools.chain([""], ("-%d" % i for i in itertools.count(2))):
        free = name.encode()[:64 - len(suffix)].decode(errors="ignore") + suffix
        if _lower(free) not in taken:
            return free
    raise AssertionError


class Entry:
    def __init__(self, data, signature):
        self.data, self.signature, self.hash = data, signature, blake(data)
        version, self.kind, self.author, self.parents, *self.fields = unpack(data)
        check(version == 1 and CREATE <= self.kind <= ACKNOWLEDGE, "entry of a newer version")
        verify(self.author, signature, "navette roster 1", data)
        self.by = blake(self.author, size=16)
        self.enrols = {CREATE: self.by, ENROL: None}.get(self.kind)
        if self.kind == ENROL:
            self.enrols = blake(self.fields[0], size=16)
        self.about = self.fields[0] if self.kind in (REVOKE, RENAME, ADMIN) else None
        self.stands = None
        if self.kind == REVOKE:
            check(all(actor[:16] == self.about for actor, _, _ in self.fields[1]), "a cut of others")


class Said:
    """What the checkpoint that a log begins with says, as an entry that all others have in their past."""

    def __init__(self, kind, fields, enrols=None, about=None, by=None, stands=True):
        self.kind, self.fields, self.enrols, self.about, self.by = kind, fields, enrols, about, by
        self.stands = self.says = stands
        self.past, self.depth, self.hash, self.parents = set(), -1, b"", []


class Member:
    """A site, a member still or not."""

    def __init__(self, site_id, signing, exchange, mark):
        self.id, self.signing, self.exchange, self.mark, self.name = site_id, signing, exchange, mark, mark
        self.standing, self.admin, self.has_key, self.cut, self.by = "member", False, True, {}, bytes(16)


class Roster:
    def __init__(self, log):
        self.entries = {}                                               # hash: Entry
        self.fleet = None
        self.root, self.said, self.founded = None, [], {}               # the checkpoint that the log begins with
        self.merge(log)

    def merge(self, log):
        unpacker = msgpack.Unpacker(max_buffer_size=1 << 21)
        unpacker.feed(log)
        waiting = list(unpacker)
        check(b"".join(map(pack, waiting)) == log, "malformed roster log")
        waiting = [Entry(*item) for item in waiting]
        if not self.entries and waiting and waiting[0].kind == CHECKPOINT:
            self._begin(waiting[0])
        first, passed = waiting[0] if waiting else None, set()
        while waiting:
            ready = [entry for entry in waiting if entry is self.root or
                     all(parent in self.entries or parent in passed for parent in entry.parents) or
                     self.root and entry.kind == CHECKPOINT]
            check(ready, "the log builds on entries that are not here")
            for entry in ready:
                waiting.remove(entry)
                if self.root and entry.hash not in self.entries and not self._is_behind(entry):
                    check(entry.kind != CREATE or entry.hash[:16] == self.fleet, "another fleet")
                    check(entry.kind != CHECKPOINT or entry.fields[1] == self.fleet, "another fleet")
                    passed.add(entry.hash)
                else:
                    self._add(entry)
        check(not (first and first.hash in passed and first.kind == CHECKPOINT and
                   first.fields[3] > self.root.fields[3]), "the log begins with a checkpoint that is not here")
        self._judge()
        self._fold()

    # Checkpoints

    def _is_behind(self, entry):
        return entry.parents and all(parent in self.entries for parent in entry.parents)

    def _begin(self, root):
        """The log begins with this one."""
        _, self.fleet, _, depth, _, _, sites, key_id, boxes, invitations, rules = root.fields
        self.root, root.past, root.depth = root, set(), depth
        for signing, exchange, name, mark, standing, admin, has_key, by, cut in sites:
            site = blake(signing, size=16)
            check(site not in self.founded, "a site twice")
            self.founded[site] = Member(site, signing, exchange, mark)
            self.founded[site].name, self.founded[site].has_key = name, has_key
            self.said.append(Said(ENROL, [signing, exchange, mark, b""], enrols=site, stands=standing != VOID))
            if standing == REVOKED:
                self.said.append(Said(REVOKE, [site, cut], about=site, by=by))
            if standing == MEMBER and not admin:
                self.said.append(Said(ADMIN, [site, False], about=site))
        if key_id:
            self.said.append(Said(ROTATE, [key_id, boxes]))
        self.said += [Said(INVITE, invitation[:2], by=invitation[2]) for invitation in invitations]
        self.said.append(Said(RULES, [rules]))
        self.entries[root.hash] = root

    def _add(self, entry):
        if entry.hash in self.entries:
            return
        parents = [self.entries[parent] for parent in entry.parents]
        entry.past = set(parents).union(*(parent.past for parent in parents))
        entry.depth = 1 + max((parent.depth for parent in parents), default=-1)
        if entry.kind == CREATE:
            check(self.fleet in (None, entry.hash[:16]), "another fleet")
            self.fleet = entry.hash[:16]
        else:
            entry.past.update(self.said)
            check(any(e.enrols == entry.by for e in entry.past), "nobody enrolled the author")
        self.entries[entry.hash] = entry

    # What counts

    def _judge(self):
        self.order = self.said + sorted(self.entries.values(), key=lambda e: (e.depth, e.hash))
        self.rank = {}
        for at, entry in enumerate(self.order):
            if entry.enrols:
                self.rank.setdefault(entry.enrols, at)
        self.removals = [e for e in self.order if e.about in self.rank
                         and (e.kind == REVOKE or e.kind == ADMIN and not e.fields[1])]
        self._decide(None)
        for kept in (self._senior_member, self._founder):
            if not any(map(self._is_admin, filter(self._is_member, self.rank))):
                self._decide(kept())

    def _decide(self, kept):
        for entry in self.order:
            entry.stands = False if entry in self.removals and entry.about == kept else getattr(entry, "says", None)
        while True:
            found = False
            for entry in self.order:
                if entry.stands is None:
                    entry.stands = self._verdict(entry)
                    found |= entry.stands is not None
            if found:
                continue
            left = [e for e in self.removals if e.stands is None]
            if not left:
                return
            left = [e for e in left if self._enrolled(e) is True] or left
            min(left, key=lambda e: (self.rank[e.by], e.depth, e.hash)).stands = True

    @staticmethod
    def _any(verdicts):
        verdicts = list(verdicts)
        return True if True in verdicts else None if None in verdicts else False

    def _enrolled(self, entry):
        return self._any(e.stands for e in entry.past if e.enrols == entry.by)

    def _verdict(self, entry):
        if entry.kind == CREATE or entry is self.root:
            return True
        attacks = [self._attack(r, entry) for r in self.removals if r.about == entry.by]
        against, enrolled = self._any(attacks), self._enrolled(entry)
        if against is True or enrolled is False:
            return False
        return None if against is None or enrolled is None else True

    def _attack(self, removal, entry):
        if removal is entry or entry in removal.past:
            return False
        if removal.kind == ADMIN:
            if entry.kind == RENAME and entry.about == entry.by:
                return False
            back = self._given_back(removal, entry.past)
            if back is not False:
                return False if back or removal.stands is False else None
        return removal.stands

    def _given_back(self, removal, among):
        return self._any(e.stands for e in among if e.kind == ADMIN and e.fields[1] and e.about == removal.about
                         and removal in e.past)

    def _revocations(self, site):
        return [e for e in self.removals if e.kind == REVOKE and e.about == site and e.stands]

    def _is_member(self, site):
        return any(e.enrols == site and e.stands for e in self.order) and not self._revocations(site)

    def _is_admin(self, site):
        return all(self._given_back(r, self.order) for r in self.removals
                   if r.about == site and r.kind == ADMIN and r.stands)

    def _senior_member(self):
        return min(filter(self._is_member, self.rank), key=self.rank.get, default=self._founder())

    def _founder(self):
        return next((e.enrols for e in self.said if e.enrols and e.says), self.order[0].by if not self.said else None)

    # The state

    def _fold(self):
        sites = {}
        for stands in (True, False):
            for e in self.order:
                if e.enrols and e.stands is stands and e.enrols not in sites:
                    signing, exchange = (e.author, e.fields[2]) if e.kind == CREATE else e.fields[:2]
                    if isinstance(e, Said):
                        sites[e.enrols] = self._founded(e.enrols, sites)
                        continue
                    taken = {_lower(s.mark) for s in sites.values()} | {
                        _lower(s.name) for s in sites.values() if s.id in self.founded and self._is_member(s.id)}
                    mark = _free_name(e.fields[1 if e.kind == CREATE else 2], taken)
                    sites[e.enrols] = Member(e.enrols, signing, exchange, mark)
        for site in sites.values():
            if self._revocations(site.id):
                site.standing, (site.cut, site.by) = "revoked", self._cut(self._revocations(site.id))
            elif not self._is_member(site.id):
                site.standing = "void"
            site.admin = site.standing == "member" and self._is_admin(site.id)
        members = [s for s in sites.values() if s.standing == "member"]
        for e in self.order:
            if e.kind == RENAME and e.stands and e.about in sites:
                site = sites[e.about]
                taken = {_lower(n) for s in members if s is not site for n in (s.name, s.mark)}
                site.name = _free_name(e.fields[1], taken if site in members else set())
        self.sites = members + [s for s in sites.values() if s.standing != "member"]
        self.authors = sites                                            # site id: Member, also of those who are gone
        self.members = {s.id: s.signing for s in members}               # site id: signing key
        self.names = {s.name: s.signing for s in members}               # name: signing key
        self._fold_key()
        self._fold_invitations()
        self._fold_rules()

    def _founded(self, site_id, sites):
        """A site of the checkpoint, with the names that it has there."""
        was = self.founded[site_id]
        site = Member(was.id, was.signing, was.exchange, was.mark)
        if site_id not in [e.enrols for e in self.said if e.says]:
            site.mark = _free_name(was.mark, {_lower(s.mark) for s in sites.values()})
        site.name = was.name
        return site

    def _fold_invitations(self):
        self.invitations = {}                                           # id: (end, by), those that are of use
        ended = {e.fields[3] for e in self.order if e.kind == ENROL and not isinstance(e, Said) and e.stands}
        ended |= {e.fields[0] for e in self.order if e.kind == WITHDRAW and e.stands}
        for e in self.order:
            if e.kind == INVITE and e.stands and e.fields[0] not in ended:
                self.invitations.setdefault(e.fields[0], (e.fields[1], e.by))

    @staticmethod
    def _place(change):
        kind, table, columns, site = change[:4]
        return (_lower(table).encode(), [_lower(c).encode() for c in columns], GROUPS[kind], site is not None, site or b"")

    def _fold_rules(self):
        self.rules = {}
        for e in self.order:
            for change in e.fields[0] if e.kind == RULES and e.stands else ():
                place = str(self._place(change))
                if not change[6]:
                    self.rules.pop(place, None)
                elif place in self.rules or len(self.rules) < 2000:
                    others = sum(len(pack(self.rules[p])) for p in self.rules if p != place)
                    if others + len(pack(change)) <= 131072:
                        self.rules[place] = change

    def checkpoint(self, made):
        """The fields of a checkpoint of all that is here."""
        before = self.root.fields[4:6] if self.root else [0, 0]
        ends = [self.entries[end] for end in self.heads()]
        past = [e for e in set(ends).union(*(e.past for e in ends)) if not isinstance(e, Said)]
        sites = [[s.signing, s.exchange, s.name, s.mark, ["member", "revoked", "void"].index(s.standing), s.admin,
                  s.has_key, s.by, self._kept_cut(s)]
                 for s in sorted(self.sites, key=lambda s: self.rank[s.id])]
        boxes = {}
        for e in self.order:
            for whose, box in e.fields[1] if e.kind == ROTATE and e.stands and e.fields[0] == self.key_id else ():
                if whose in self.members:
                    boxes.setdefault(whose, box)
        create = self.root.fields[2] if self.root else self.order[0].fields[0]
        return [made, self.fleet, create, 1 + max(e.depth for e in past), before[0] + len(past),
                before[1] + sum(e.kind == RULES and e.stands for e in past), sites,
                self.key_id or b"", [[whose, boxes[whose]] for whose in sorted(boxes)],
                [[number, end, by] for number, (end, by) in self.invitations.items()
                 if end > made - DAY_MS and by in self.members][-256:],
                sorted(self.rules.values(), key=self._place)]

    def _kept_cut(self, site):
        """Of each site so many actors, those with the greatest numbers, that all cuts have no more than 1,024."""
        for share in range(1025):
            if sum(min(len(s.cut), share + 1) for s in self.sites) > 1024:
                break
        kept = sorted(site.cut.items(), key=lambda item: (item[1][0], item[0]))
        return sorted([actor, number, h] for actor, (number, h) in kept[max(0, len(kept) - share):])

    def begun_with(self, root):
        """The log that begins with this one, where everybody has acknowledged it."""
        left = {root: self.entries[root]}
        for e in self.order:
            if e.parents and all(parent in left for parent in e.parents):
                left[e.hash] = e
        return b"".join(pack([e.data, e.signature]) for e in left.values())

    @staticmethod
    def _cut(revocations):
        """actor: (number, hash), and who said so last"""
        last = [e for e in revocations if not any(e in other.past for other in revocations)]
        cuts = [{actor: (number, h) for actor, number, h in e.fields[1]} for e in last]
        least = {actor: min(cut[actor] for cut in cuts) for actor in cuts[0] if all(actor in cut for cut in cuts)}
        return least, last[-1].by

    def _fold_key(self):
        firsts = {}
        for e in self.order:
            if e.kind == ROTATE and e.stands:
                firsts.setdefault(e.fields[0], e)
        self.key_id, first = list(firsts.items())[-1] if firsts else (None, None)
        for site in self.sites if first else ():
            founded = self.founded.get(site.id)
            site.has_key = isinstance(first, Said) and founded is not None and founded.has_key or any(e.kind == ENROL and e.enrols == site.id and first in e.past or
                               e.kind == ROTATE and e.stands and e.fields[0] == self.key_id and
                               site.id in (whose for whose, _ in e.fields[1]) for e in self.order)

    def open_key(self, site):
        """The fleet's present key, from what is sealed to `site`; None."""
        for e in self.order:
            if e.kind == ROTATE and e.fields[0] == self.key_id:
                for whose, box in e.fields[1]:
                    if whose == site.id:
                        try:
                            key = bindings.crypto_box_seal_open(box, site.exchange, site.private)
                        except exceptions.CryptoError:
                            continue
                        if derive(key, "navette fleet key 1")[:16] == self.key_id:
                            return key
        return None

    def believed(self, actor):
        """The last number of this actor that counts, and its hash, or None of either for any."""
        site = self.authors.get(actor[:16])
        if site is None:
            return 0, None
        return (None, None) if site.standing == "member" else site.cut.get(actor, (0, None))

    def digest(self):
        return blake(b"".join(sorted(self.entries)))

    @staticmethod
    def _only_acknowledges(entry):
        return entry.kind == ACKNOWLEDGE and entry.parents == [entry.fields[0]]

    def heads(self):
        said = [e for e in self.entries.values() if not self._only_acknowledges(e)]
        return sorted({e.hash for e in said} - {parent for e in said for parent in e.parents})

    def say(self, site, kind, *fields):
        """Append an entry of `site`'s."""
        parents = [fields[0]] if kind == ACKNOWLEDGE else self.heads()
        data = pack([1, kind, site.signing, parents, *fields])
        self.merge(pack([data, site.sign("navette roster 1", data)]))

    def log(self):
        return b"".join(pack([e.data, e.signature]) for e in self.entries.values())  # begins with the root


# ---- Change-set ----

# A row of a change-set: gid is (actor, counter), cells a dictionary, and references in it are Ref(gid).
Row = collections.namedtuple("Row", "table op gid stamp cells")


class ChangeSet:
    """One that was checked as far as it can be without its predecessor."""

    def __init__(self, data, roster):
        self.data = data
        header_bytes, signature, body = unpack(data)
        header = unpack(header_bytes)
        check(len(header) == len(HEADER) and header[0] == 1, "unknown header")
        self.header = dict(zip(HEADER, header))
        self.actor, self.number = self.header["actor"], self.header["number"]
        self.hash = blake(header_bytes)
        check(self.header["fleet"] == roster.fleet, "another fleet")
        check(self.actor[:16] in roster.authors, "the author was never a member")
        last, last_hash = roster.believed(self.actor)
        check(last is None or self.number <= last, "beyond what is believed of one who is no member any more")
        check(self.number != last or last_hash in (bytes(32), self.hash), "another history of one who is no member")
        verify(roster.authors[self.actor[:16]].signing, signature, "navette change-set 1", header_bytes)
        check(len(body) == self.header["body_bytes"] and blake(body) == self.header["body_hash"], "another body")
        self.rows = list(self._decode(*unpack(body)))
        check(len(self.rows) == self.header["rows"], "number of rows")

    def _decode(self, actors, tables):
        stamp = 0
        for table, columns, keys, surrogate, rows in tables:
            check(1 <= keys <= len(columns) and isinstance(surrogate, bool), "malformed table")
            for op, actor, counter, difference, *cells in rows:
                stamp += difference
                check(0 <= stamp <= self.header["stamp"], "a row's stamp")
                cells = [Ref((actors[c[0]], c[1])) if isinstance(c, Ref) else c for c in cells]
                if op == INSERT:
                    check(len(cells) == len(columns), "cells of an insert")
                    cells = dict(zip(columns, cells))
                elif op in (UPDATE, REPAIR):
                    cells = cells[2:] if op == REPAIR else cells
                    check(cells and cells[::2] == sorted(set(cells[::2])), "cells of an update")
                    cells = {columns[i]: value for i, value in zip(cells[::2], cells[1::2])}
                else:
                    check(op == DELETE and not cells or op == UNITE and len(cells) == 2, "cells of a delete")
                    cells = {}
                yield Row(table, op, (actors[actor], counter), stamp, cells)


def encode_insert(site, header, table, gid, keys, surrogate, cells):
    """A change-set of one new row."""
    actors = list(dict.fromkeys([gid[0]] + [value[0] for value in cells.values() if isinstance(value, Ref)]))
    values = [Ref((actors.index(v[0]), v[1])) if isinstance(v, Ref) else v for v in cells.values()]
    row = [INSERT, 0, gid[1], header["stamp"], *values]
    body = pack([actors, [[table, list(cells), keys, surrogate, [row]]]])
    header = dict(header, rows=1, body_bytes=len(body), body_hash=blake(body))
    encoded = pack([header[field] for field in HEADER])
    return pack([encoded, site.sign("navette change-set 1", encoded), body])


# ---- Drop file ----

def _drop_value(value):
    if not isinstance(value, dict):
        return value
    if "total" in value:
        form = value["as"]
        return [value["total"], form + 2 if isinstance(form, int) else ("integer", "real").index(form)]
    if "seen" in value:
        return [_drop_value(value["set"])] + [Ref(x) if isinstance(x, list) else x for x in value["seen"]]
    (kind, content), = value.items()
    if kind == "real":
        return float(content)
    if kind == "ref":
        return Ref(content)
    content = base64.b64decode(content, validate=True)
    return content if kind == "blob" else content.decode("utf-8", "surrogateescape")


def _drop_change_set(item):
    before, tables = 0, []
    for table in item["body"]["tables"]:
        rows = []
        for op, actor, counter, stamp, *cells in table["rows"]:
            op = ("insert", "update", "delete", "repair", "unite").index(op) + 1
            pair = cells[:2] if op in (REPAIR, UNITE) else []
            cells = cells[len(pair):]
            if op in (UPDATE, REPAIR):
                cells[::2] = map(table["columns"].index, cells[::2])
            rows.append([op, actor, counter, stamp - before, *pair, *map(_drop_value, cells)])
            before = stamp
        tables.append([table["name"], table["columns"], table["keys"], table["surrogate"], rows])
    body = pack([[bytes.fromhex(actor) for actor in item["body"]["actors"]], tables])
    header = dict(item["header"])
    for field in ("needs", "repeats", "corrects"):
        header[field] = [[bytes.fromhex(actor), number, bytes.fromhex(h)] for actor, number, h in header[field]]
    for field in ("fleet", "actor", "previous", "body_hash"):
        header[field] = bytes.fromhex(header[field])
    check(header["body_bytes"] == len(body) and header["body_hash"] == blake(body), "the body was changed")
    return pack([pack([header[field] for field in HEADER]), bytes.fromhex(item["signature"]), body])


def read_drop(text):
    """(roster log, [change-set bytes...]) of a drop file; the change-sets still have to be accepted."""
    whole = json.loads(text)
    check(list(whole) == ["navette", "format", "fleet", "fleet_name", "from", "made", "roster", "have", "signature",
                          "changesets"] and whole["navette"] == "change-sets" and whole["format"] == 1, "not a drop file")
    roster = base64.b64decode(whole["roster"], validate=True)
    made = datetime.datetime.strptime(whole["made"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    have = [[bytes.fromhex(actor), number, bytes.fromhex(h)] for actor, number, h in whole["have"]]
    head = pack([whole["format"], bytes.fromhex(whole["fleet"]), whole["fleet_name"], whole["from"],
                 round(made.timestamp() * 1000), blake(roster), have])
    verify(Roster(roster).names[whole["from"]], bytes.fromhex(whole["signature"]), "navette drop 1", head)
    return roster, list(map(_drop_change_set, whole["changesets"]))


# ---- Conversation ----

class Peer:
    """A member of a fleet, with one chain of its own and one connection."""

    def __init__(self, site, fleet_key, roster):
        self.site, self.fleet_key, self.roster = site, fleet_key, roster
        self.actor = site.id + os.urandom(8)
        self.chains = {}                                                # actor: [ChangeSet...]
        self.peer_have, self.peer_applied = {}, {}                      # actor: number
        self.needed = {}                                                # actor: number said in a header
        self.stamp = self.counter = self.pongs = 0
        self.bye = None

    def connect(self, address):
        self.channel = Channel(address, self.site, FLEET, self.fleet_key, self.roster.fleet)
        self._send(HELLO, 1, self._now(), self.actor, self.roster.digest(), self._vector(), self._vector())
        hello = unpack(self.channel.receive(5) or pack(None))
        check(isinstance(hello, list) and hello[:2] == [HELLO, 1], "not a HELLO: %r" % (hello,))
        check(hello[3][:16] == blake(self.channel.peer, size=16), "HELLO of another site")
        check(hello[3][:16] in self.roster.members, "not a member")
        self.pinged = time.monotonic()
        self._compare_rosters(hello[4])
        self._take_have(hello[5], hello[6])

    def _send(self, *message):
        self.channel.send(pack(list(message)))

    @staticmethod
    def _now():
        return int(time.time() * 1000)

    def _vector(self, actors=None):
        return [[a, len(self.chains[a]), self.chains[a][-1].hash] for a in sorted(actors or self.chains)]

    def _compare_rosters(self, digest):
        if digest != self.roster.digest():
            self._send(ROSTER, self.roster.digest(), self.roster.log())

    def _take_have(self, have, applied):
        for actor, number, _ in have:
            self.peer_have[actor] = number
            here = len(self.chains.get(actor, ()))
            if number > here:
                self._send(WANT, actor, here)
        self.peer_applied.update((actor, number) for actor, number, _ in applied)

    def run(self, until, seconds=20):
        """Take part in the conversation until something is so; False when it is not so in time."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end or self.bye:
                return False
            message = self.channel.receive(0.05)
            if message is not None:
                self._take(*unpack(message))
            if time.monotonic() > self.pinged + 3:
                self.pinged = time.monotonic()
                self._send(PING, 1, self._now())
            check(time.monotonic() < self.channel.heard + 9, "silence")
        return True

    def _take(self, kind, *fields):
        if kind == ROSTER:
            self.roster.merge(fields[1])
            self.fleet_key = self.roster.open_key(self.site) or self.fleet_key
            self._compare_rosters(fields[0])
        elif kind == HAVE:
            self._take_have(*fields)
        elif kind == WANT:
            for change_set in self.chains.get(fields[0], ())[fields[1]:]:
                self._send(CHANGESET, change_set.data)
        elif kind == CHANGESET:
            self._accept(ChangeSet(fields[0], self.roster))
        elif kind == PING:
            self._send(PONG, fields[0], self._now())
        elif kind == PONG:
            self.pongs += 1
        elif kind == BYE:
            self.bye = fields
        elif kind == ASKKEYS:
            self._send(KEYS, pack([[], []]))
        else:
            check(kind >= 128, "message of kind %d" % kind)

    def _accept(self, new):
        chain = self.chains.get(new.actor, [])
        if new.number <= len(chain):
            check(chain[new.number - 1].hash == new.hash, "another history")
            return
        check(new.number == len(chain) + 1, "a gap")
        check(new.header["previous"] == (chain[-1].hash if chain else bytes(32)), "a broken chain")
        self.chains[new.actor] = chain + [new]
        self.stamp = max(self.stamp, new.header["stamp"])
        self._send(HAVE, self._vector([new.actor]), self._vector([new.actor]))

    def rows(self, table=None):
        """The rows of all change-sets, or those of one table."""
        return [row for chain in self.chains.values() for change_set in chain for row in change_set.rows
                if table in (None, row.table)]

    def publish(self, table, keys, surrogate, cells, had=()):
        """Insert one row and push it; returns its gid. `had`: what this peer says to have had besides."""
        chain = self.chains.get(self.actor, [])
        needs = [entry for entry in self._vector()
                 if entry[0] != self.actor and entry[1] > self.needed.get(entry[0], 0)]
        self.needed.update((actor, number) for actor, number, _ in needs)
        needs = sorted([entry for entry in needs if entry[0] not in [actor for actor, _ in had]] +
                       [[actor, number, bytes(32)] for actor, number in had])
        self.stamp = max(self._now() << 16, self.stamp + 1)
        self.counter += 1
        header = {"format": 1, "fleet": self.roster.fleet, "actor": self.actor, "number": len(chain) + 1,
                  "previous": chain[-1].hash if chain else bytes(32), "stamp": self.stamp, "needs": needs,
                  "repeats": [], "corrects": [], "schema": 0, "roster": len(self.roster.entries)}
        data = encode_insert(self.site, header, table, (self.actor, self.counter), keys, surrogate, cells)
        self.chains[self.actor] = chain + [ChangeSet(data, self.roster)]
        self._send(CHANGESET, data)
        return self.actor, self.counter

    def leave(self):
        self._send(BYE, "stop", "this peer leaves")
        self.channel.close()
