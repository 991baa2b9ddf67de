"""A second implementation of the messages of protocol/README.md, section Conversation: prints the golden files.

    python3 tests/golden/reference_messages.py DIRECTORY"""

import pathlib
import struct
import sys


def uint(value):
    for first, limit, layout in ((None, 1 << 7, ">B"), (0xCC, 1 << 8, ">B"), (0xCD, 1 << 16, ">H"), (0xCE, 1 << 32, ">I")):
        if value < limit:
            return (b"" if first is None else bytes([first])) + struct.pack(layout, value)
    return b"\xcf" + struct.pack(">Q", value)


def binary(value):
    if len(value) < 1 << 8:
        return b"\xc4" + struct.pack(">B", len(value)) + value
    return b"\xc5" + struct.pack(">H", len(value)) + value


def text(value):
    value = value.encode()
    return (bytes([0xA0 | len(value)]) if len(value) < 32 else b"\xd9" + bytes([len(value)])) + value


def array(*items):
    return bytes([0x90 | len(items)]) + b"".join(items)


def entry(actor, number, digest):
    return array(binary(actor), uint(number), binary(digest))


A, B = bytes(range(0x10, 0x28)), bytes(range(0x40, 0x58))
ONE, TWO, THREE = b"\x11" * 32, b"\x22" * 32, b"\x33" * 32
WALL = 1760000000000

MESSAGES = {
    "hello": array(
        uint(1), uint(1), uint(WALL), binary(B), binary(THREE), array(entry(A, 7, ONE), entry(B, 300, TWO)), array(entry(A, 6, THREE))
    ),
    "roster": array(uint(2), binary(TWO), binary(b"roster log")),
    "have": array(uint(3), array(entry(B, 70000, ONE)), array()),
    "want": array(uint(4), binary(A), uint(1 << 40)),
    "changeset": array(uint(5), binary(b"change-set")),
    "ping": array(uint(6), uint(1), uint(WALL + 1)),
    "pong": array(uint(7), uint(1), uint(WALL + 2)),
    "askkeys": array(uint(9), uint(32 << 20)),
    "keys": array(uint(10), binary(b"local keys")),
    "brief": array(uint(11), b"\xc3"),
    "outline": array(uint(12), binary(b"header"), binary(bytes(range(64))), binary(b"outline")),
    "ask": array(uint(13), uint(9), binary(A), uint(7), uint(2), binary(bytes.fromhex("920105"))),
    "tell": array(uint(14), uint(9), binary(b"cells")),
    "askpresence": array(uint(15), binary(ONE)),
    "presence": array(uint(19), binary(ONE), binary(TWO), binary(bytes(range(64)))),
    "bye": array(uint(8), text("timeout"), text("nothing heard for 9000 ms")),
}

for name, message in MESSAGES.items():
    digits = message.hex()
    lines = [digits[i : i + 96] + "\n" for i in range(0, len(digits), 96)]
    (pathlib.Path(sys.argv[1]) / f"message-{name}.hex").write_text("".join(lines))
