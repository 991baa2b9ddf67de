#!/usr/bin/env python3
"""A second implementation of protocol/README.md's values, change-sets and drop files.

It shares no code with the C one. It makes the sample change-sets from their description, and makes them again from the drop
files; both must be tests/golden/changeset_*.bin ("--check"). Needs python3-cryptography; without it, it ends with 77, which
the test runner counts as skipped.
"""
import base64
import json
import pathlib
import struct
import sys

from reference import A, blake2b

HERE = pathlib.Path(__file__).parent
CONTEXT = "navette change-set 1"


# ---- values: msgpack, always the shortest form ----

class Text(bytes):
    """Text as its bytes: it need not be UTF-8."""


class Ref(tuple):
    """(actor index, counter)"""


def head(n, short, *longer):
    """The first byte(s) of something with a length or count: `short` is (base, how many fit), `longer` (byte, format)."""
    if short and n < short[1]:
        return bytes([short[0] | n])
    for first, form in longer:
        if n < 1 << 8 * struct.calcsize(form):
            return bytes([first]) + struct.pack(form, n)
    raise ValueError(n)


def pack(v):
    if v is None:
        return b"\xc0"
    if isinstance(v, bool):
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, int) and v >= 0:
        return head(v, (0, 128), (0xCC, ">B"), (0xCD, ">H"), (0xCE, ">I"), (0xCF, ">Q"))
    if isinstance(v, int):
        if v >= -32:
            return struct.pack(">b", v)
        for first, form in ((0xD0, ">b"), (0xD1, ">h"), (0xD2, ">i"), (0xD3, ">q")):
            if v >= -(1 << 8 * struct.calcsize(form) - 1):
                return bytes([first]) + struct.pack(form, v)
    if isinstance(v, float):
        return b"\xcb" + struct.pack(">d", v)
    if isinstance(v, str):
        v = Text(v.encode())
    if isinstance(v, Text):
        return head(len(v), (0xA0, 32), (0xD9, ">B"), (0xDA, ">H"), (0xDB, ">I")) + v
    if isinstance(v, bytes):
        return head(len(v), None, (0xC4, ">B"), (0xC5, ">H"), (0xC6, ">I")) + v
    if isinstance(v, Ref):
        return b"\xc7\x0c\x01" + struct.pack(">IQ", *v)
    if isinstance(v, list):
        return head(len(v), (0x90, 16), (0xDC, ">H"), (0xDD, ">I")) + b"".join(map(pack, v))
    raise TypeError(v)


# ---- change-sets ----

INSERT, UPDATE, DELETE, REPAIR, UNITE = 1, 2, 3, 4, 5
INTEGER, REAL, DIGITS = 0, 1, 2  # how a counter's sum is shown; digits behind the point are added to the last


def body(actors, tables):
    """tables: (name, columns, keys, surrogate, rows); rows: (op, actor, counter, stamp, cells...)"""
    last, out = 0, []
    for name, columns, keys, surrogate, rows in tables:
        packed = []
        for op, actor, counter, stamp, *cells in rows:
            packed.append([op, actor, counter, stamp - last] + cells)
            last = stamp
        out.append([name, columns, keys, surrogate, packed])
    return pack([actors, out])


FIELDS = "fleet actor number previous stamp needs repeats corrects schema roster rows body_bytes body_hash".split()


def changeset(fields, signature, packed_body):
    header = pack([1] + [fields[name] for name in FIELDS])
    return pack([header, signature or A.signature(CONTEXT, header), packed_body])


STAMP = 1795000000000 << 16 | 3
US, THEM = A.site + b"\1" * 8, b"\2" * 24


def sealed(rows, packed, repeats, corrects):
    return changeset({
        "fleet": b"\xf1" * 16, "actor": US, "number": 2, "previous": b"\xab" * 32, "stamp": STAMP,
        "needs": [[THEM, 12, b"\x22" * 32], [b"\3" * 24, 1, b"\x33" * 32]], "repeats": repeats,
        "corrects": corrects, "schema": 0xFEDCBA9876543210, "roster": 3, "rows": rows,
        "body_bytes": len(packed), "body_hash": blake2b(packed)}, None, packed)


def sample():
    return sealed(7, body([US, THEM], [
        ("article", ["id", "name", "price", "photo", "family"], 1, True, [
            (INSERT, 0, 1, STAMP - 2, 101, "Thé \"vert\"\n\U0001F375", 12.1, b"\0\xff\x10", Ref((1, 70000))),
            (INSERT, 0, 2, STAMP - 1, -2**63, Text(b"caf\xe9"), -0.0, b"", None),
            (UPDATE, 1, 2**50 - 1, STAMP, 1, Text(b"a\0b"), 2, -33),
            (DELETE, 1, 9, STAMP),
            (REPAIR, 1, 7, STAMP - 1, 1, 40, 1, "#Caisse-Mangue"),
            (UNITE, 0, 1, STAMP, 1, 12)]),
        ("stock", ["shop", "article", "n"], 2, False, [
            (INSERT, 0, 3, 0, "Liège", Ref((0, 1)), 65536)])]), [], [])


def counters():
    return sealed(4, body([US, THEM], [
        ("article", ["id", "name", "stock", "price"], 1, True, [
            (UPDATE, 1, 70000, STAMP - 2, 2, [-3, INTEGER]),
            (UPDATE, 0, 1, STAMP - 1, 2, ["-2.5", REAL], 3, ["0.1", DIGITS + 2]),
            (UPDATE, 1, 70000, STAMP, 2, [7, 0, 1, -3, None, 1, 12, "0.5", None, 1, 4, 2, Ref((0, 9))]),
            (INSERT, 0, 3, STAMP, 103, "thé", [None, 1, 12, "0.5", None], 9.5)])]),
                  [[A.site + b"\4" * 8, 5, b"\x44" * 32]], [[A.site + b"\5" * 8, 9, bytes(32)]])


# ---- drop files ----

def value(v):
    if not isinstance(v, dict):
        return v
    if "total" in v:
        return [v["total"], {"integer": INTEGER, "real": REAL}[v["as"]] if isinstance(v["as"], str) else DIGITS + v["as"]]
    if "seen" in v:
        return [value(v["set"])] + [Ref(x) if isinstance(x, list) else x for x in v["seen"]]
    (kind, inside), = v.items()
    return {"real": lambda: float(inside), "text": lambda: Text(base64.b64decode(inside, validate=True)),
            "blob": lambda: base64.b64decode(inside, validate=True), "ref": lambda: Ref(inside)}[kind]()


def row(columns, op, actor, counter, stamp, *cells):
    op = {"insert": INSERT, "update": UPDATE, "delete": DELETE, "repair": REPAIR, "unite": UNITE}[op]
    both = cells[:2] if op in (REPAIR, UNITE) else ()
    cells = cells[len(both):]
    if op in (UPDATE, REPAIR):
        cells = [x for name, v in zip(cells[::2], cells[1::2]) for x in (columns.index(name), value(v))]
    return (op, actor, counter, stamp, *both, *map(value, cells))


def from_drop(record):
    b, h = record["body"], dict(record["header"])
    packed = body([bytes.fromhex(a) for a in b["actors"]],
                  [(t["name"], t["columns"], t["keys"], t["surrogate"], [row(t["columns"], *r) for r in t["rows"]])
                   for t in b["tables"]])
    for name in ("fleet", "actor", "previous", "body_hash"):
        h[name] = bytes.fromhex(h[name])
    for name in ("needs", "repeats", "corrects"):
        h[name] = [[bytes.fromhex(a), n, bytes.fromhex(x)] for a, n, x in h[name]]
    if h["body_hash"] != blake2b(packed) or h["body_bytes"] != len(packed):
        raise ValueError("the body is not the one that was signed")
    return changeset(h, bytes.fromhex(record["signature"]), packed)


def main():
    bad = 0
    for number, described in ((1, sample()), (2, counters())):
        golden = (HERE / f"changeset_{number}.bin").read_bytes()
        drop = json.loads((HERE / f"drop_{number}.json").read_text(encoding="utf-8"))
        for name, made in (("the description", [described]),
                           (f"drop_{number}.json", [from_drop(c) for c in drop["changesets"]])):
            if made != [golden]:
                print(f"changeset_{number}.bin is not what {name} gives", file=sys.stderr)
                bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
