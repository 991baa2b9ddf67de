"""One PC of a shop: the application's database, the agent's home, and the two programs.

Used by the demo, the bench and the process tests. Start agents from the main thread: the kernel ends an agent
when the thread that started it ends, so that nothing is left behind even if we are killed."""

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
NOT_REACHABLE = 3


def wait_for(condition, what, seconds=60, every=0.02):
    """Poll until `condition()` gives something true and return that; fail with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not after %g s: %s" % (seconds, what() if callable(what) else what))
        time.sleep(every)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@contextlib.contextmanager
def database(path):
    """A connection as Django makes them: autocommit, foreign keys on, 5 s of patience."""
    connection = sqlite3.connect(str(path), timeout=5, isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection
    finally:
        connection.close()


class Pc:
    def __init__(self, name, directory, programs, prefix=(), listen=None):
        self.name = name
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.programs = pathlib.Path(programs)
        self.prefix = list(prefix)  # runs a command inside this PC's network
        self.listen = listen
        self.home = self.directory / "home"
        self.db = self.directory / "shop.db"
        self.log = self.directory / "agent.log"
        self.agent = None
        self.environment = dict(os.environ, NAVETTE_HOME=str(self.home))

    def cli(self, *words, ok=(0,), timeout=60, stdin=None):
        """agent-cli WORDS; returns the finished process. `ok`: the exit codes that are fine, None for any."""
        command = [str(self.programs / "agent-cli"), *map(str, words)]
        done = subprocess.run(self.prefix + command, env=self.environment, text=True, input=stdin,
                              stdin=subprocess.DEVNULL if stdin is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        if ok is not None and done.returncode not in ok:
            raise AssertionError("%s: agent-cli %s ended %d\n%s%s" % (
                self.name, " ".join(map(str, words)), done.returncode, done.stdout, done.stderr))
        return done

    def ask(self, *words, ok=(0, 1, 2), timeout=60):
        """agent-cli WORDS --json, parsed."""
        return json.loads(self.cli(*words, "--json", ok=ok, timeout=timeout).stdout)

    def status(self):
        return self.ask("status")

    def init(self, *words, ok=(0,)):
        listen = ("--listen", self.listen) if self.listen else ()
        return self.cli("init", "--db", self.db, "--name", self.name, *listen, *words, ok=ok)

    def start(self, wait=True):
        """Run navette-agent on this PC's home, until it answers."""
        assert threading.current_thread() is threading.main_thread()
        assert self.agent is None, "%s runs already" % self.name
        with open(self.log, "ab") as log:
            self.agent = subprocess.Popen(
                self.prefix + [str(self.programs / "navette-agent"), "--home", str(self.home)],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=die_with_parent)
        if wait:
            self.wait_until_up()

    def is_up(self):
        if self.agent.poll() is not None:
            raise AssertionError("%s: the agent ended %d\n%s" % (self.name, self.agent.returncode, self.tail()))
        return self.cli("status", ok=None).returncode != NOT_REACHABLE

    def wait_until_up(self):
        wait_for(self.is_up, lambda: "%s: the agent does not answer\n%s" % (self.name, self.tail()), every=0.05)

    def stop(self, seconds=30):
        """End it as a service manager does; returns its exit code."""
        if self.agent is None:
            return 0
        self.agent.terminate()
        return self.reap(seconds)

    def kill(self):
        self.agent.kill()
        return self.reap(10)

    def reap(self, seconds=30):
        try:
            code = self.agent.wait(seconds)
        except subprocess.TimeoutExpired:
            self.agent.kill()
            self.agent.wait()
            self.agent = None
            raise AssertionError("%s: the agent did not end in %g s\n%s" % (self.name, seconds, self.tail()))
        self.agent = None
        return code

    def restart(self):
        self.stop()
        self.start()

    def tail(self, lines=30):
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            text = ""
        return "---- %s, end of %s\n%s" % (self.name, self.log, "\n".join(text.splitlines()[-lines:]))

    def invite(self):
        return self.ask("invite")["token"]

    def sql(self, query, *parameters):
        with database(self.db) as connection:
            return connection.execute(query, parameters).fetchall()

    def value(self, query, *parameters):
        """The first column of the first row, None if there is none."""
        rows = self.sql(query, *parameters)
        return rows[0][0] if rows else None
