"""A machine on the LAN that means harm, and what a PC must be like meanwhile."""

import json
import pathlib
import resource
import subprocess
import threading
import time

from network import run
from pc import database, wait_for

SOURCES = 50            # addresses that the hostile machine has besides its own
MEMORY_KB = 8 << 10     # an agent may grow by so much
CONNECT_S = 3           # a genuine member is connected so soon


def sanitized(programs):
    """Do the programs look at each piece of their memory? That takes time and memory, of which figures say nothing."""
    return b"__asan_init" in (programs / "navette-agent").read_bytes()


class Crowd:
    """A host with many addresses on one LAN, that floods PCs."""

    def __init__(self, shop, lan):
        self.shop, self.lan = shop, lan
        self.space = shop.network.host("CROWD", lan)
        self.own = shop.network.address(self.space, lan)
        self.sources = "%s.100-%d" % (lan.prefix, 99 + SOURCES)
        for i in range(SOURCES):
            run("ip", "-n", self.space, "addr", "add", "%s.%d/24" % (lan.prefix, 100 + i), "dev", "eth0")

    def start(self, mode, address, rate, seconds, path=None, sources=None):
        words = [mode, address[0], address[1], sources or self.sources, rate, seconds, *([path] if path else [])]
        process = subprocess.Popen(self.shop.network.inside(self.space) + [str(self.shop.programs / "flood")] +
                                   [str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return Flood(process)


class Flood:
    def __init__(self, process):
        self.process = process

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def is_on(self):
        return self.process.poll() is None

    def result(self):
        """What it did; waits for its end."""
        out, wrong = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, wrong
        return json.loads(out)


class Patience:
    """Looks at a PC while it is harmed: memory, files, log, processor, and how long till and agent-cli waited."""

    def __init__(self, pc):
        self.pc, self.proc = pc, pathlib.Path("/proc/%d" % pc.agent.pid)
        self.memory_kb_max = MEMORY_KB * (2 if sanitized(pc.programs) else 1)
        self.before = self.look()
        self.most = dict(self.before)
        self.waits = {"till": 0.0, "status": 0.0}
        self.wrong, self.rounds = [], 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def look(self):
        status = dict(line.split(":\t", 1) for line in (self.proc / "status").read_text().splitlines() if ":\t" in line)
        times = (self.proc / "stat").read_text().rsplit(")", 1)[1].split()
        return {"memory_kb": int(status["VmRSS"].split()[0]), "own_kb": int(status["RssAnon"].split()[0]), "files": len(list((self.proc / "fd").iterdir())),
                "lines": sum(1 for _ in open(self.pc.log, "rb")),
                "cpu_s": (int(times[11]) + int(times[12])) / 100, "at_s": time.monotonic()}

    def _timed(self, name, call):
        start = time.monotonic()
        call()
        self.waits[name] = max(self.waits[name], time.monotonic() - start)

    def _watch(self):
        try:
            with database(self.pc.db) as till:
                while self.rounds == 0 or not self.over.wait(0.05):
                    self.rounds += 1
                    self._timed("till", lambda: till.execute(
                        "INSERT INTO shop_client(name) VALUES (?)", ("Client %d" % self.rounds,)))
                    if self.rounds % 8 == 1:
                        self._timed("status", self.pc.status)
                    for name, value in self.look().items():
                        self.most[name] = max(self.most[name], value)
        except Exception as e:  # told to the test
            self.wrong.append(e)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.thread.join()
        for name, value in self.look().items():
            self.most[name] = max(self.most[name], value)
        if kind is None and self.wrong:
            raise self.wrong[0]

    def grown(self, name):
        return self.most[name] - self.before[name]

    def cpu(self):
        """Share of one processor; what takes less than a second may cost as much as if it took one."""
        return self.grown("cpu_s") / max(self.grown("at_s"), 1.0)

    def __repr__(self):
        return "memory +%d KiB (%d KiB of its own), files +%d, log +%d lines, cpu %.0f %%, till waited %.3f s, status %.3f s, %d sales" % (
            self.grown("memory_kb"), self.grown("own_kb"), self.grown("files"), self.grown("lines"), 100 * self.cpu(), self.waits["till"],
            self.waits["status"], self.rounds)
