#!/usr/bin/env python3
"""A second implementation of protocol/README.md's outlines: makes a body from its description, and its outline from the rows.

Both must be tests/golden/outline_*.bin ("--check"); without that it writes them."""
import hashlib
import pathlib
import sys

from reference_changeset import Ref, Text, pack

HERE = pathlib.Path(__file__).parent
RANGE_ROWS, MARK_BYTES, DIGEST_BYTES = 64, 4, 8
ACTORS = [bytes(range(0x10, 0x28)), bytes(range(0x40, 0x58))]


def array(n):
    return pack([None] * n)[:-n] if n else pack([])


def blake(data):
    return hashlib.blake2b(data, digest_size=32).digest()


class Row:
    def __init__(self, op, actor, counter, difference, cells):
        self.op, self.actor, self.counter, self.difference, self.cells = op, actor, counter, difference, cells

    def encoded_cells(self):
        return b"".join(map(pack, self.cells))

    def encode(self):
        return array(4 + len(self.cells)) + pack(self.op) + pack(self.actor) + pack(self.counter) + pack(
            self.difference) + self.encoded_cells()

    def follows(self, before, surrogate):
        return (self.op == before.op == 1 and self.actor == before.actor and self.counter == before.counter + 1
                and self.difference == 0 and (not surrogate or self.cells[0] > before.cells[0]))


def article(n, difference=0):
    """Numbers from -3 on, with some left out."""
    key = n - 3 + (2 if n > 10 else 0) + (1000 if n > 99 else 0)
    return Row(1, 0, 500 + n, difference, [key, "Article %d" % n, 1.5 * n, None if n % 7 else Ref((1, 70000 + n))])


ARTICLES = [Row(3, 1, 9, 5, [])] + [article(n, -5 if n == 0 else 0) for n in range(150)] + [
    Row(2, 1, 8, 1 << 20, [1, "another name"])]
PLACES = [Row(1, 0, 5000 + n, -(1 << 20) if n == 0 else 0,
              [Ref((0, 500 + n)), "shelf %d" % (n // 9), "standing there since some time in autumn"]) for n in range(70)]
TABLES = [("article", ["id", "name", "price", "like"], 1, True, ARTICLES),
          ("place", ["article", "shelf", "note"], 2, False, PLACES)]


def body():
    tables = b"".join(array(5) + pack(name) + pack(columns) + pack(keys) + pack(surrogate) + array(len(rows))
                      + b"".join(row.encode() for row in rows) for name, columns, keys, surrogate, rows in TABLES)
    return array(2) + pack(ACTORS) + array(len(TABLES)) + tables


def keys_of(rows, keys, surrogate):
    if not surrogate:
        out, before = b"", b""
        for row in rows[::RANGE_ROWS]:
            key = b"".join(map(pack, row.cells[:keys]))
            shared = next((i for i, (a, b) in enumerate(zip(key, before)) if a != b), min(len(key), len(before)))
            out, before = out + pack(shared) + pack(key[shared:]), key
        return out
    numbers = [row.cells[0] for row in rows]
    out, since = pack(numbers[0]), 0
    for i in range(1, len(numbers)):
        if numbers[i] != numbers[i - 1] + 1:
            out, since = out + pack(i - since) + pack(numbers[i] - numbers[i - 1] - 1), i
    return out


def digests(rows):
    out = b""
    for at in range(0, len(rows), RANGE_ROWS):
        marks = b"".join(blake(row.encoded_cells())[:MARK_BYTES] for row in rows[at:at + RANGE_ROWS])
        out += blake(marks)[:DIGEST_BYTES]
    return out


def pieces(rows, keys, surrogate):
    out, at = [], 0
    while at < len(rows):
        end, run = at + 1, rows[at].op == 1
        while end < len(rows) and (rows[end].follows(rows[end - 1], surrogate) if run else rows[end].op != 1):
            end += 1
        part, first = rows[at:end], rows[at]
        out.append(array(6) + pack(len(part)) + pack(first.actor) + pack(first.counter) + pack(first.difference)
                   + pack(keys_of(part, keys, surrogate)) + pack(digests(part)) if run
                   else array(2) + pack(len(part)) + pack(b"".join(row.encode() for row in part)))
        at = end
    return array(len(out)) + b"".join(out)


def outline():
    return array(2) + pack(ACTORS) + array(len(TABLES)) + b"".join(
        array(5) + pack(name) + pack(columns) + pack(keys) + pack(surrogate) + pieces(rows, keys, surrogate)
        for name, columns, keys, surrogate, rows in TABLES)


def main():
    for name, made in (("outline_body.bin", body()), ("outline_1.bin", outline())):
        path = HERE / name
        if sys.argv[1:] != ["--check"]:
            path.write_bytes(made)
        elif path.read_bytes() != made:
            sys.exit("%s is not what the description says" % name)


if __name__ == "__main__":
    main()
