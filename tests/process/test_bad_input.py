"""Wrong files, full disks, taken ports, broken homes: a clear message, nothing lost, the agent never down."""

import errno
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys

import pytest

from pc import NOT_REACHABLE, database, wait_for
from test_roster import members, warnings
from test_shop import sell, wait_sale


def complaint(done):
    """The message of a command or program that failed as it should."""
    assert done.returncode not in (0, NOT_REACHABLE), done.stdout
    assert done.returncode > 0, "it was killed by signal %d" % -done.returncode
    assert done.stderr.strip() and "Sanitizer" not in done.stderr, done.stderr
    return done.stderr


def run_agent(pc, timeout=30):
    """navette-agent on that home, expected to end by itself."""
    return subprocess.run(pc.prefix + [str(pc.programs / "navette-agent"), "--home", str(pc.home)], env=pc.environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout)


def trouble(pc, code, exit_code):
    """The agent runs on, and status says what is wrong, with what mends it."""
    def told():
        done = pc.cli("status", "--json", ok=None)
        found = [w for w in json.loads(done.stdout)["warnings"] if w["code"] == code] if done.stdout else []
        return found and done.returncode == exit_code and found[0]
    warning = wait_for(told, lambda: "%s says %s\n%s" % (pc.name, code, pc.cli("status", ok=None).stdout))
    assert warning["remedy"]
    return warning["text"]


@pytest.mark.parametrize("kind", ["missing", "directory", "not SQLite", "empty", "cut short"])
def test_init_refuses_what_is_no_database(shop, kind):
    pc = shop.pc("A", shop.network.lan(), goods=True)
    file = pc.directory / "other.db"
    if kind == "directory":
        file.mkdir()
    elif kind == "not SQLite":
        file.write_text("Rice 25 kg;18500\n" * 100)
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "cut short":
        with sqlite3.connect(str(pc.db)) as c:
            c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        c.close()
        file.write_bytes(pc.db.read_bytes()[:5000])
    done = pc.cli("init", "--db", file, "--name", "A", ok=None)
    if kind == "empty" and done.returncode == 0:
        return  # an empty file is a valid, empty database
    if kind == "cut short" and done.returncode == 0:
        done = pc.cli("track", "--all", ok=None)
    assert str(file) in complaint(done)


def test_a_database_that_goes_missing_is_reported_and_taken_up_again(shop):
    _, a, b = shop.pair()
    b.stop()
    away = b.directory / "away"
    away.mkdir()
    for path in list(b.directory.glob("shop.db*")):
        shutil.move(str(path), str(away))
    b.start()
    assert "shop.db" in trouble(b, "database-unreachable", 2)
    sell(a, "A-1", [("RIZ25", 1)])
    for path in list(away.iterdir()):
        shutil.move(str(path), str(b.directory))
    wait_sale(b, "A-1", [("RIZ25", 1)])
    shop.wait_equal(a, b)


NOBODY = 65534


def as_nobody(shop, name, lan):
    """A PC whose programs run as a user for whom rights are more than words: what follows goes into its network."""
    pc = shop.pc(name, lan)
    shop.directory.chmod(0o711)
    for path in (pc.directory, *pc.directory.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    pc.prefix += ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "--pdeathsig=KILL"]
    return pc


def allow(pc, mode):
    """The database becomes somebody else's, with these rights for our agent."""
    for path in pc.directory.glob("shop.db*"):
        os.chown(path, 0, 0)
        path.chmod(mode)


@pytest.mark.parametrize("mode, says", [(0o600, "opened"), (0o644, "written")])
def test_a_database_that_may_not_be_touched_is_refused_by_init(shop, mode, says):
    pc = as_nobody(shop, "A", shop.network.lan())
    allow(pc, mode)
    text = " ".join(complaint(pc.init(ok=None)).split())
    assert str(pc.db) in text and "may not be %s by this user: give" % says in text
    assert not pc.home.exists()


@pytest.mark.parametrize("mode, says", [(0o600, "opened"), (0o644, "written")])
def test_a_database_that_may_not_be_touched_any_more_is_reported_and_taken_up_again(shop, mode, says):
    lan = shop.network.lan()
    a, b = shop.founder("A", lan), as_nobody(shop, "B", lan)
    b.init()
    b.cli("track", "--all")
    b.start()
    shop.enrol(b, a)
    b.stop()
    allow(b, mode)
    b.start()
    text = trouble(b, "database-unreachable", 2)
    assert str(b.db) in text and "may not be %s by this user" % says in text
    assert says in complaint(b.cli("untrack", "shop_line", ok=None))
    sell(a, "A-1", [("RIZ25", 1)])
    for path in b.directory.glob("shop.db*"):
        os.chown(path, NOBODY, NOBODY)
        path.chmod(0o644)
    wait_sale(b, "A-1", [("RIZ25", 1)])
    shop.wait_equal(a, b)
    wait_for(lambda: b.cli("status", ok=None).returncode == 0, "B is well again")


def test_a_second_agent_on_the_same_home_is_refused(shop):
    a = shop.founder("A", shop.network.lan())
    text = complaint(run_agent(a))
    assert "already" in text
    assert " stop" not in (a.home / "logs" / "agent.log").read_text(), "it wrote into the log of the one that runs"
    assert a.cli("status", ok=(0, 1)).stdout


def test_a_taken_port_is_named_with_what_to_do(shop):
    lan = shop.network.lan()
    pc = shop.pc("A", lan, goods=True)
    pc.listen = "%s:7400" % shop.network.address(pc.space, lan)
    pc.init()
    holder = subprocess.Popen(shop.network.inside(pc.space) + [sys.executable, "-c", """
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", 7400)); s.listen()
print("held", flush=True); sys.stdin.read()"""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        pc.start()
        assert "7400" in trouble(pc, "port-in-use", 1)
    finally:
        holder.stdin.close()
        holder.wait(10)
    wait_for(lambda: not [w for w in pc.status()["warnings"] if w["code"] == "port-in-use"], "the port is taken")


def test_a_second_init_on_a_home_is_refused_and_changes_nothing(shop):
    a = shop.founder("A", shop.network.lan())
    site = a.status()["site"]
    complaint(a.init(ok=None))
    a.restart()
    assert a.status()["site"] == site


@pytest.mark.parametrize("damage", ["cut identity", "empty identity", "open identity", "noise in roster",
                                    "noise in ledger", "cut ledger", "unknown setting", "bad value"])
def test_a_damaged_home_is_named_and_nothing_is_made_worse(shop, damage):
    a = shop.founder("A", shop.network.lan())
    sell(a, "A-1", [("RIZ25", 1)])
    a.cli("wait")
    a.stop()
    names = {"identity": "identity", "roster": "roster", "ledger": "ledger.db"}
    name = names.get(damage.split()[-1], "agent.conf")
    path = a.home / name
    good = path.read_bytes()
    mode = os.stat(path).st_mode
    bad = {"cut identity": good[:10], "empty identity": b"", "noise in roster": bytes(range(256)) * 4,
           "noise in ledger": os.urandom(len(good)), "cut ledger": good[:len(good) // 2],
           "unknown setting": good + b"\ncolour = blue\n", "bad value": good + b"\nquiet_ms = soon\n"}
    if damage == "open identity":
        os.chmod(path, 0o644)
    else:
        path.write_bytes(bad[damage])
    if name == "ledger.db":  # the rest of the home is good: it runs, and says what is wrong
        a.start()
        text = trouble(a, "ledger-failed", 2)
        a.stop()
    else:
        text = complaint(run_agent(a))
    assert name in text, "%r does not name %s" % (text, name)
    # The till sells on, and with the file put right everything is as before.
    sell(a, "A-2", [("RIZ25", 1)])
    path.write_bytes(good)
    os.chmod(path, mode)
    for extra in a.home.glob("ledger.db-*"):
        extra.unlink()
    a.start()
    a.cli("wait")
    assert a.value("SELECT count(*) FROM shop_invoice") == 2


@pytest.fixture
def small_disk(directory):
    """Mount small disks that can be made larger; gone afterwards."""
    mounted = []

    def mount(path, size):
        path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s,mode=0700" % size, "tmpfs", str(path)], check=True)
        mounted.append(path)
        return lambda larger: subprocess.run(["mount", "-o", "remount,size=" + larger, str(path)], check=True)
    yield mount
    for path in mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)


def fill(pc, amount):
    """Rows of 50 kB each."""
    with database(pc.db) as connection:
        for n in range(amount):
            connection.execute("INSERT INTO shop_client(name, phone) VALUES (?, ?)", ("client %d" % n, "0" * 50000))


@pytest.mark.parametrize("full", ["home", "database"])
def test_a_full_disk_stops_nothing_but_itself(small_disk, shop, full):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    place = shop.directory / "B"
    grow = small_disk(place / "home" if full == "home" else place, "3m" if full == "home" else "4m")
    b = shop.pc("B", lan)
    if full == "database":
        b.home = shop.directory / "B-home"
        b.environment["NAVETTE_HOME"] = str(b.home)
        b.log = shop.directory / "B.log"
    b.init()
    b.cli("track", "--all")
    b.start()
    shop.enrol(b, a)
    fill(a, 120)

    def troubled():
        done = b.cli("status", "--json", ok=None)
        return done.returncode in (1, 2) and "full" in done.stdout.lower()
    wait_for(troubled, lambda: "B says that the disk is full\n" + b.cli("status", ok=None).stdout)
    assert b.agent.poll() is None
    a.cli("status", ok=(0, 1))
    grow("60m")
    shop.wait_equal(a, b, seconds=120)
    wait_for(lambda: b.cli("status", ok=None).returncode == 0, "B is healthy again")


def fill_up(path):
    """A file that takes all the room there is."""
    with open(path, "wb", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as e:
                assert e.errno == errno.ENOSPC


def test_who_is_shut_out_while_the_disk_is_full_stays_out_after_a_power_cut(small_disk, shop):
    """It counts at once, and is saved by itself once there is room; till then nobody is told that it is done."""
    lan = shop.network.lan()
    small_disk(shop.directory / "A" / "home", "8m")
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    ballast = a.home / "ballast"
    fill_up(ballast)
    assert "is not saved on this PC" in " ".join(complaint(a.cli("revoke", "B", "--yes", ok=None)).split())
    wait_for(lambda: "shut-out" in warnings(b), "B is told")
    assert "would be a member here again" in trouble(a, "roster-not-saved", 2)
    complaint(a.cli("revoke", "B", "--yes", ok=None))
    ballast.unlink()
    wait_for(lambda: "roster-not-saved" not in warnings(a), "it is saved")
    a.kill()
    b.stop()
    a.start()
    assert members(a) == ["A"]


def test_nonsense_on_the_control_socket_is_answered_and_survived(shop):
    a = shop.founder("A", shop.network.lan())
    path = str(a.home / "agent.sock")
    for line in (b"\n", b"{}\n", b"[" * 5000 + b"\n", b'{"id": 1, "command": "rm"}\n', b"\x00\xff\n",
                 b'{"id": 1, "command": "status", "args": 7}\n', b"x" * 200000):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(path)
            try:
                s.sendall(line)
                answer = s.recv(65536)
            except (BrokenPipeError, ConnectionResetError):
                answer = b'"ok": false'
        assert b"false" in answer.replace(b" ", b""), (line[:40], answer)
    assert a.cli("status").returncode == 0
