"""Real agents, each PC in a network namespace of its own; everything is gone after each test, whatever happened.

NAVETTE_BIN names the directory of the programs (default build/dev/bin), NAVETTE_SEED replays a randomised test."""

import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "tools"), str(REPO / "tools" / "demo.d"), str(pathlib.Path(__file__).parent)]

import contents  # noqa: E402
import network as networks  # noqa: E402
import pretender  # noqa: E402
import shop as shops  # noqa: E402
from pc import Pc, database, wait_for  # noqa: E402
from till import check_sound  # noqa: E402

PROGRAMS = pathlib.Path(os.environ.get("NAVETTE_BIN", REPO / "build" / "dev" / "bin"))
SHARED = REPO.parent / "shared"
REPORTS = ("AddressSanitizer", "LeakSanitizer", "runtime error:")
WHY_NOT = networks.why_not()


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures rates or times, which other tests beside it would spoil")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    shop = item.funcargs.get("shop") if hasattr(item, "funcargs") else None
    if report.failed and shop is not None:
        for pc in shop.pcs:
            report.sections.append(("agent " + pc.name, pc.tail(60)))


@pytest.fixture(scope="session")
def programs():
    for name in ("navette-agent", "agent-cli"):
        assert (PROGRAMS / name).exists(), "build first: %s is missing" % (PROGRAMS / name)
    return PROGRAMS


@pytest.fixture
def directory():
    """A short path: a control socket's name may not exceed some 100 bytes."""
    path = tempfile.mkdtemp(prefix="nv-")
    yield pathlib.Path(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def cli(directory, programs):
    return pretender.Cli(directory, programs)


@pytest.fixture
def pretend(cli):
    """An agent that answers every request with `answer(request)`."""
    cli.ok("init", "--db", cli.db)
    started = []

    def start(answer):
        started.append(pretender.Pretender(cli.home / "agent.sock", answer))
        return started[-1]
    yield start
    for one in started:
        one.close()


@pytest.fixture
def network():
    if WHY_NOT:
        pytest.skip(WHY_NOT)
    net = networks.Network()
    try:
        yield net
    finally:
        net.close()


@pytest.fixture
def seed(record_property):
    value = int(os.environ.get("NAVETTE_SEED", random.SystemRandom().randrange(1 << 32)))
    record_property("seed", value)
    print("NAVETTE_SEED=%d" % value)
    return value


@pytest.fixture
def real_data():
    if not (SHARED / "data" / "erp" / "erp.sqlite3").exists():
        pytest.skip("needs the real data in ../shared")
    return SHARED / "data"


class Shop:
    """The PCs of one test."""

    def __init__(self, network, directory, programs):
        self.network, self.directory, self.programs = network, directory, programs
        self.pcs = []

    def pc(self, name, *lans, tables=True, goods=False, journal_mode="wal"):
        """A PC plugged into LANs, with the shop's tables (and `goods`), no agent yet."""
        space = self.network.host(name, *lans)
        pc = Pc(name, self.directory / name, self.programs, self.network.inside(space))
        pc.space = space
        self.pcs.append(pc)
        if tables:
            with database(pc.db) as connection:
                shops.make_tables(connection, journal_mode)
                if goods:
                    shops.stock_shelves(connection)
        return pc

    def founder(self, name, *lans, goods=True, **more):
        """A PC that is a fleet of one, running."""
        pc = self.pc(name, *lans, goods=goods, **more)
        pc.init("--fleet", "Market")
        pc.cli("track", "--all")
        pc.start()
        return pc

    def member(self, name, inviter, *lans, **more):
        """One more PC of the inviter's fleet, running, with all that the inviter has."""
        pc = self.pc(name, *lans, **more)
        pc.init()
        pc.cli("track", "--all")
        pc.start()
        self.enrol(pc, inviter)
        return pc

    def enrol(self, pc, inviter, *words):
        """Join, until the newcomer's rows are matched and it has all that the inviter has."""
        pc.cli("join", *words, inviter.invite())
        wait_for(lambda: pc.status()["database"]["state"] == "ready", "%s is matched" % pc.name)
        self.wait_equal(pc, inviter)

    def pair(self):
        """Two PCs on one LAN, joined: (lan, CAISSE01, COMPTA01)."""
        lan = self.network.lan()
        a = self.founder("CAISSE01", lan)
        return lan, a, self.member("COMPTA01", a, lan)

    def wait_equal(self, *pcs, seconds=60, only=None):
        """Until the PCs say the same."""
        for other in pcs[1:]:
            wait_for(lambda: not contents.difference(pcs[0].db, other.db, only),
                     lambda: "%s and %s are equal\n%s" % (
                         pcs[0].name, other.name, "\n".join(contents.difference(pcs[0].db, other.db, only))),
                     seconds, every=0.1)
        for pc in pcs:
            check_sound(pc)

    def wait_peer(self, pc, other, state="connected", seconds=30):
        def peer():
            return [p for p in pc.status()["peers"] if p["name"] == other.name and p["state"] == state]
        return wait_for(peer, lambda: "%s sees %s %s: %r" % (pc.name, other.name, state, pc.status()["peers"]),
                        seconds)[0]

    def close(self):
        """Stop every agent and look for what must not be: a bad end, a sanitizer's report, a process left."""
        wrong = []
        for pc in self.pcs:
            try:
                if pc.agent is not None and pc.stop() != 0:
                    wrong.append("%s: the agent did not end with 0\n%s" % (pc.name, pc.tail()))
            except AssertionError as e:
                wrong.append(str(e))
        for pc in self.pcs:
            text = pc.log.read_text(errors="replace") if pc.log.exists() else ""
            if any(word in text for word in REPORTS):
                wrong.append(pc.tail(80))
            left = subprocess.run(["ip", "netns", "pids", pc.space], capture_output=True, text=True).stdout.split()
            if left:
                wrong.append("%s: processes left: %s" % (pc.name, " ".join(left)))
        assert not wrong, "\n".join(wrong)


@pytest.fixture
def shop(network, directory, programs):
    made = Shop(network, directory, programs)
    try:
        yield made
    finally:
        made.close()
