"""What lies in a home: who may read it and speak to its agent, and what becomes of an identity that is not whole, or not
this home's."""

import grp
import os
import stat
import subprocess
import sys

import pytest

from pc import wait_for
from test_bad_input import complaint, run_agent, trouble

NOBODY = 65534
GROUP = "games"


@pytest.fixture
def a(shop):
    pc = shop.founder("A", shop.network.lan())
    for path in (shop.directory, pc.directory):
        path.chmod(0o711)  # others may come as far as the home
    return pc


def as_user(pc, words, group=NOBODY):
    """agent-cli as another user, of one group."""
    return subprocess.run([str(pc.programs / "agent-cli"), "--home", str(pc.home), *words], user=NOBODY, group=group,
                          extra_groups=[], capture_output=True, text=True, timeout=60, cwd="/")


def set_group(pc, group):
    pc.stop()
    conf = pc.home / "agent.conf"
    conf.write_text(conf.read_text() + "\ncontrol_group = %s\n" % group)


def open_to_others(home):
    return [path.name for path in home.rglob("*") if stat.S_IMODE(path.lstat().st_mode) & 0o077]


def test_the_socket_is_for_its_owner_alone(a):
    assert a.status()["name"] == "A"
    for group in (NOBODY, grp.getgrnam(GROUP).gr_gid):
        done = as_user(a, ["status"], group)
        assert done.returncode != 0 and "A" not in done.stdout.split()
    a.cli("wait")
    assert open_to_others(a.home) == []


def test_the_socket_is_for_the_configured_group_and_nobody_else(a):
    set_group(a, GROUP)
    a.start()
    gid = grp.getgrnam(GROUP).gr_gid
    assert as_user(a, ["status"], gid).stdout.startswith("A")
    assert as_user(a, ["invite"], gid).returncode == 0
    assert as_user(a, ["status"]).returncode != 0
    assert as_user(a, ["invite"]).returncode != 0
    # The way leads to the socket: the group reads nothing.
    assert open_to_others(a.home) == ["agent.sock"]
    for name in ("identity", "fleet.key", "roster", "invites", "ledger.db", "agent.conf"):
        done = subprocess.run(["cat", str(a.home / name)], user=NOBODY, group=gid, extra_groups=[], capture_output=True)
        assert done.returncode != 0 and done.stdout == b"", name
    assert subprocess.run(["ls", str(a.home)], user=NOBODY, group=gid, extra_groups=[], capture_output=True).stdout == b""
    conf = a.home / "agent.conf"
    conf.write_text(conf.read_text().replace("control_group = " + GROUP, ""))
    a.restart()
    assert as_user(a, ["status"], gid).returncode != 0
    assert stat.S_IMODE(os.stat(a.home).st_mode) == 0o700


def test_users_of_the_group_do_not_say_where_the_agent_writes(a):
    set_group(a, GROUP)
    a.start()
    gid = grp.getgrnam(GROUP).gr_gid
    place = a.directory / "exports"
    place.mkdir()
    place.chmod(0o777)
    said = " ".join(complaint(as_user(a, ["drop", "export", "--to", str(place)], gid)).split())
    assert "may say where an export goes" in said
    assert list(place.iterdir()) == []
    a.cli("drop", "export", "--to", place)
    exported, = place.iterdir()
    # But what is there they may have taken in: nothing is written for it.
    exported.chmod(0o644)
    assert as_user(a, ["drop", "import", str(exported)], gid).returncode == 0


def test_users_of_the_group_let_nobody_join_by_what_the_agent_writes_for_them(shop, a):
    b = shop.pc("B")
    b.init()
    b.cli("track", "--all")
    for pc in (a, b):
        set_group(pc, GROUP)
        pc.start()
        pc.directory.chmod(0o711)
    gid = grp.getgrnam(GROUP).gr_gid
    place = shop.directory / "stick"
    place.mkdir()
    place.chmod(0o777)
    token = a.ask("invite", "--stick")["token"]

    def refused(pc, *words):
        return "may let a PC join by what a stick carries" in " ".join(complaint(as_user(pc, list(words), gid)).split())
    assert refused(b, "join", token, "--to", str(place)) and list(place.iterdir()) == []
    request = b.ask("join", token, "--to", place)["path"]
    assert refused(a, "drop", "import", request) and len(list(place.iterdir())) == 1
    a.cli("drop", "import", request)
    answer, = place.glob("answer_*.json")
    assert refused(b, "drop", "import", str(answer))
    b.cli("drop", "import", answer)
    wait_for(lambda: b.ask("roster")["fleet"] == "Market", "B is a member")


SILENT = """import socket, sys
all = [socket.socket(socket.AF_UNIX) for _ in range(20)]
for s in all:
    s.connect(sys.argv[1])
print("connected", flush=True)
sys.stdin.read()"""


def test_silent_users_of_the_group_keep_nobody_from_asking(a):
    set_group(a, GROUP)
    a.start()
    gid = grp.getgrnam(GROUP).gr_gid
    with subprocess.Popen([sys.executable, "-c", SILENT, str(a.home / "agent.sock")], user=NOBODY, group=gid,
                          extra_groups=[], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/") as silent:
        assert silent.stdout.readline() == "connected\n"
        assert "as many programs talk with the agent" in " ".join(complaint(as_user(a, ["status"], gid)).split())
        assert a.cli("status").returncode == 0  # the owner's places are his
        wait_for(lambda: as_user(a, ["status"], gid).returncode == 0, "who says nothing is closed")
        silent.stdin.close()


def test_a_group_that_is_not_there_is_named(a):
    set_group(a, "no-such-group")
    assert "no-such-group" in complaint(run_agent(a))


def test_another_homes_identity_is_refused_and_nothing_is_replaced(shop, a):
    """A file from another home, copied over this one's by mistake: what is here was not made by it."""
    x = shop.founder("X", shop.network.lan(), goods=False)
    site = a.status()["site"]
    a.stop()
    x.stop()
    own, foreign = (a.home / "identity").read_bytes(), (x.home / "identity").read_bytes()
    (a.home / "identity").write_bytes(foreign)
    before = {path.name: path.read_bytes() for path in (a.home / "roster", a.home / "fleet.key", a.home / "ledger.db")}
    text = complaint(run_agent(a))
    assert "identity" in text and "another home" in text
    assert (a.home / "identity").read_bytes() == foreign
    assert before == {name: (a.home / name).read_bytes() for name in before}
    (a.home / "identity").write_bytes(own)
    a.start()
    assert a.status()["site"] == site and a.status()["warnings"] == []


@pytest.mark.parametrize("cut", [0, 1, 10, 83])
def test_a_half_written_identity_is_named_and_never_replaced(a, cut):
    """At any of its bytes: also the last, without which the line has no end."""
    path = a.home / "identity"
    a.stop()
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    text = complaint(run_agent(a))
    assert "identity is damaged" in text and "copy of this home" in text
    assert a.cli("init", "--db", a.db, ok=None).returncode != 0
    assert path.read_bytes() == whole[:cut]
    path.write_bytes(whole)
    a.start()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_private_key_that_others_can_read_is_refused_with_the_remedy(a, mode):
    a.stop()
    (a.home / "identity").chmod(mode)
    assert "chmod 600 %s" % (a.home / "identity") in complaint(run_agent(a))
    (a.home / "identity").chmod(0o600)
    a.start()


def test_two_agents_on_one_home_exclude_each_other_however_it_is_called(shop, a):
    """By another path to it, and with its socket taken away: the lock is the ledger's."""
    link = shop.directory / "alias"
    link.symlink_to(a.home)
    second = [str(a.programs / "navette-agent"), "--home", str(link)]
    done = subprocess.run(a.prefix + second, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "already" in done.stderr
    (a.home / "agent.sock").unlink()
    with subprocess.Popen(a.prefix + second, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as other:
        try:
            wait_for(lambda: a.cli("status", ok=None).returncode != 3, "the second one answers")
            assert "is in use" in trouble(a, "ledger-failed", 2)
        finally:
            other.kill()
    a.restart()
    assert a.status()["warnings"] == []
