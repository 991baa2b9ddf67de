"""The figures: those of navette-bench, and those that take two real agents. Started by tools/bench/run."""

import argparse
import json
import os
import pathlib
import random
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "tools")]

from pc import Pc, database, wait_for  # noqa: E402

PROGRAMS = pathlib.Path(os.environ.get("NAVETTE_BIN", REPO / "build" / "release" / "bin"))
ROWS = 100000
ITEM = ("CREATE TABLE item(id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, name TEXT NOT NULL, price REAL NOT NULL,"
        " stock INTEGER NOT NULL, changed TEXT NOT NULL, note TEXT, flag INTEGER)")
INSERT = "INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Figures:
    """What was measured: name, value, unit, what it should be at most or at least, and what lies behind it."""

    def __init__(self):
        self.rows = []

    def add(self, name, value, unit, aim, at_most=True, limit=None, **details):
        """`limit`: the best that this machine allows for it, measured in the same run; None: not known."""
        met = value <= aim if at_most else value >= aim
        self.rows.append({"name": name, "value": round(value, 3), "unit": unit,
                          "aim": ("<= " if at_most else ">= ") + format(aim, ","), "met": met,
                          "limit": limit and round(limit, 3), **details})

    def table(self):
        lines = ["%-52s %10s %-7s %-11s %-7s %s" % ("", "measured", "", "aim", "", "limit here")]
        for row in self.rows:
            value = "%.2f" % row["value"] if row["value"] < 1000 else "{:,.0f}".format(row["value"])
            lines.append(("%-52s %10s %-7s %-11s %-7s %s" % (
                row["name"], value, row["unit"], row["aim"], "" if row["met"] else "missed",
                "" if row["limit"] is None else "%.2f" % row["limit"])).rstrip())
        return "\n".join(lines)


def store_figures(figures, directory, quick):
    """Capture and apply, from navette-bench."""
    command = [str(PROGRAMS / "navette-bench"), str(directory)] + (["--quick"] if quick else [])
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    for name, title, aim in (
            ("capture bulk insert", "capture, bulk INSERT, tracked / untracked", 1.5),
            ("capture bulk save", "capture, bulk UPDATE of whole rows, as ORMs do", 1.2),
            ("capture bulk update", "capture, bulk UPDATE of three columns", 1.2),
            ("capture one row NORMAL", "capture, one-row transactions, synchronous NORMAL", 1.3),
            ("capture one row FULL", "capture, one-row transactions, synchronous FULL", 1.15)):
        row = found[name]
        figures.add(title, row["with"] / row["without"], "x", aim, limit=row["limit"] / row["without"],
                    tracked_s=row["with"], untracked_s=row["without"], limit_s=row["limit"], rows=row["rows"])
    row = found["apply"]
    figures.add("apply of 100,000 new rows / plain INSERTs of them", row["without"] / row["with"], "x", 0.35, False,
                apply_s=row["with"], insert_s=row["without"], rows=row["rows"])
    row = found["adopt"]
    for key, title, aim in (("copy", "joining with a copy, bytes sent / bytes of all rows", 1),
                            ("edited", "joining with a copy, 1 % of its rows edited since", 5)):
        figures.add(title, 100 * row[key] / row["whole"], "%", aim, sent_bytes=row[key], whole_bytes=row["whole"],
                    seconds=row[key + "_seconds"], rows=row["rows"])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_fleet(directory):
    pcs = []
    for name in ("A", "B"):
        pc = Pc(name, directory / name, PROGRAMS, listen="127.0.0.1:%d" % free_port())
        with database(pc.db) as connection:
            connection.execute("PRAGMA journal_mode = wal")
            connection.execute(ITEM)
        pc.init()
        pc.cli("track", "--all")
        pc.start()
        pcs.append(pc)
    pcs[1].cli("join", pcs[0].invite())
    wait_for(lambda: any(p["state"] == "connected" for p in pcs[0].status()["peers"]), "the PCs are connected")
    return pcs


def fast(pc):
    connection = sqlite3.connect(str(pc.db), timeout=30, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def item(n):
    return (n, "ART%010d" % n, "Article number %d of the shop" % n, n * 1.25, n % 500,
            "2026-11-21 10:%02d:00.123456" % (n % 60), "shelf %d" % (n % 40), n % 2)


def idle(pcs):
    for pc in pcs:
        pc.cli("wait", "--timeout", "60s")


def bulk(figures, pcs, first, per, title):
    """Seconds from the first INSERT on one PC to the last row visible on the other."""
    a, b = fast(pcs[0]), fast(pcs[1])
    rows = [item(first + n) for n in range(ROWS)]
    start = time.perf_counter()
    for at in range(0, ROWS, per):
        a.execute("BEGIN IMMEDIATE")
        a.executemany(INSERT, rows[at:at + per])
        a.execute("COMMIT")
    written = time.perf_counter()
    version = None

    def arrived():
        nonlocal version
        now = b.execute("PRAGMA data_version").fetchone()[0]
        if now == version:
            return False
        version = now
        return b.execute("SELECT count(*) FROM item WHERE id >= ?", (first,)).fetchone()[0] >= ROWS
    wait_for(arrived, "all rows on the other PC", 120, every=0.001)
    end = time.perf_counter()
    figures.add(title, ROWS / (end - start), "rows/s", 100000, False, total_s=round(end - start, 3),
                written_s=round(written - start, 3))
    a.close()
    b.close()


def sync_ms(directory):
    """What the disk takes to make 8 KiB durable: a row waits for that twice, once on each PC."""
    took = []
    with open(directory / "sync", "wb", buffering=0) as f:
        for _ in range(100):
            f.write(bytes(8192))
            start = time.perf_counter()
            os.fdatasync(f.fileno())
            took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took)


def latency(figures, pcs, first, count, floor_ms):
    """One-row commits, one at a time, both PCs quiet before each."""
    a, b = fast(pcs[0]), fast(pcs[1])
    chance = random.Random(7)
    b.execute("PRAGMA data_version").fetchone()
    took = []
    for n in range(count):
        time.sleep(0.08 + chance.random() * 0.05)  # quiet, and no rhythm
        row = item(first + n)
        a.execute(INSERT, row)
        start = time.perf_counter()
        version = b.execute("PRAGMA data_version").fetchone()[0]
        while not b.execute("SELECT 1 FROM item WHERE code = ?", (row[1],)).fetchone():
            while b.execute("PRAGMA data_version").fetchone()[0] == version:
                if time.perf_counter() - start > 30:
                    raise AssertionError("a row did not arrive in 30 s")
                time.sleep(0.0001)
            version = b.execute("PRAGMA data_version").fetchone()[0]
        took.append((time.perf_counter() - start) * 1000)
    took.sort()
    details = dict(samples=count, max_ms=round(took[-1], 2))
    figures.add("one-row commit to visible on the other PC, p50", statistics.median(took), "ms", 2, limit=floor_ms,
                **details)
    figures.add("one-row commit to visible on the other PC, p99", took[min(count - 1, int(count * 0.99))], "ms", 10,
                **details)
    a.close()
    b.close()


def memory_mib(pid):
    for line in open("/proc/%d/status" % pid):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def wake_ups(pid):
    total = 0
    for task in pathlib.Path("/proc/%d/task" % pid).iterdir():
        for line in open(task / "status"):
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def rest(figures, pcs, seconds):
    """What a connected agent takes while nobody sells."""
    for pc in pcs:
        pc.restart()
    wait_for(lambda: all(p["state"] == "connected" for pc in pcs for p in pc.status()["peers"]), "connected again")
    idle(pcs)
    time.sleep(seconds)  # let what follows a start run out; then count
    pids = [pc.agent.pid for pc in pcs]
    before = [wake_ups(pid) for pid in pids]
    time.sleep(seconds)
    rates = [(wake_ups(pid) - start) / seconds for pid, start in zip(pids, before)]
    figures.add("resident memory, idle", max(map(memory_mib, pids)), "MiB", 12)
    figures.add("wake-ups, idle", max(rates), "per s", 4)


def parse():
    parser = argparse.ArgumentParser(prog="tools/bench/run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under two minutes")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--directory", help="where to work (default: a temporary directory)")
    return parser.parse_args()


def main():
    options = parse()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="navette-bench-", dir=options.directory))
    figures, pcs = Figures(), []
    try:
        store_figures(figures, directory, options.quick)
        pcs = make_fleet(directory)
        rest(figures, pcs, 10)
        latency(figures, pcs, 1, 200 if options.quick else 1000, 2 * sync_ms(directory))
        idle(pcs)
        bulk(figures, pcs, 1000000, ROWS, "100,000 rows PC to PC, one transaction")
        idle(pcs)
        bulk(figures, pcs, 2000000, 1000, "100,000 rows PC to PC, transactions of 1,000")
    finally:
        for pc in pcs:
            pc.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps({"quick": options.quick, "cpus": os.cpu_count(), "results": figures.rows}, indent=2)
          if options.json else figures.table())


main()
