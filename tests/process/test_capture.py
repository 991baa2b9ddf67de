"""Capture comes and goes, killed at any moment, while an application that knows of nothing keeps writing."""

import json
import pathlib
import random
import sqlite3
import subprocess
import sys

import pytest

from conftest import PROGRAMS

WRITER = pathlib.Path(__file__).parent / "writer.py"
KILLS = 60


def connect(path):
    return sqlite3.connect(path, timeout=5, isolation_level=None)


def schema(path):
    db = connect(path)
    try:
        return db.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid").fetchall()
    finally:
        db.close()


def make(path, journal_mode):
    db = connect(path)
    db.execute("PRAGMA journal_mode = " + journal_mode)
    db.executescript("""
        CREATE TABLE sale(id INTEGER PRIMARY KEY AUTOINCREMENT, ticket TEXT NOT NULL UNIQUE, total REAL, note BLOB);
        CREATE TABLE line(sale_id INTEGER NOT NULL REFERENCES sale, nr INTEGER NOT NULL, qty, PRIMARY KEY(sale_id, nr)) WITHOUT ROWID;
        CREATE TABLE setting(name TEXT PRIMARY KEY NOT NULL, value);
    """)
    db.close()


class Writer:
    """tests/process/writer.py in a process of its own."""

    def __init__(self, path, seed):
        self.process = subprocess.Popen([sys.executable, str(WRITER), str(path), str(seed)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "writing\n"

    def stop(self):
        out, _ = self.process.communicate()
        assert self.process.returncode == 0
        return json.loads(out)


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_killed_while_it_installs_capture_never_disturbs_a_write_nor_misses_one(directory, seed, journal_mode):
    chance = random.Random(seed)
    loop = PROGRAMS / "capture_loop"
    path = directory / "shop.sqlite3"
    make(path, journal_mode)
    before = schema(path)
    writers = [Writer(path, seed + i) for i in range(2)]
    killed = set()
    for _ in range(KILLS):
        process = subprocess.Popen([str(loop), str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(chance.randrange(1, 14)):
            line = process.stdout.readline()
            assert line, process.stderr.read()
        killed.add(line)
        process.kill()
        process.communicate()
    reports = [writer.stop() for writer in writers]
    for report in reports:
        assert report["errors"] == []
        assert report["captured"] > 0 and report["plain"] > 0, report
    assert len(killed) > 1
    done = subprocess.run([str(loop), str(path), "uninstall"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    db = connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
    assert schema(path) == before
