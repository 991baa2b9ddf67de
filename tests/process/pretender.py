"""agent-cli against a database without an agent, and against an agent that only pretends."""

import json
import os
import socket
import subprocess
import threading

from pc import database

UNREACHABLE = 3
USAGE = 64
FAILING = 2


class Cli:
    def __init__(self, directory, programs):
        self.directory, self.programs = directory, programs
        self.home = directory / "home"
        self.db = directory / "shop.db"
        with database(self.db) as connection:
            connection.executescript("""
                CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT);
                CREATE TABLE line(id INTEGER PRIMARY KEY, article INTEGER NOT NULL REFERENCES article(id));
                CREATE TABLE keyless(a, b);
                CREATE VIEW cheap AS SELECT * FROM article;
                INSERT INTO article VALUES (1, 'Rice'), (2, 'Oil');
            """)

    def __call__(self, *words, stdin="", home=None, environment=()):
        env = dict(os.environ, NAVETTE_HOME=str(home or self.home), **dict(environment))
        done = subprocess.run([str(self.programs / "agent-cli"), *map(str, words)], env=env, input=stdin, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
        return done

    def ok(self, *words, **more):
        done = self(*words, **more)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def schema(self):
        with database(self.db) as connection:
            return connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()


class Pretender(threading.Thread):
    """Answers every request line with `answer(request)`, bytes or an object."""

    def __init__(self, path, answer):
        super().__init__(daemon=True)
        self.answer = answer
        self.requests = []
        self.server = socket.socket(socket.AF_UNIX)
        place = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)  # its own path may be too long for a socket
        self.server.bind("/proc/self/fd/%d/%s" % (place, path.name))
        os.close(place)
        self.server.listen(8)
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            with client:
                line = client.makefile("rb").readline()
                if not line:
                    continue
                request = json.loads(line)
                self.requests.append(request)
                answer = self.answer(request)
                if not isinstance(answer, bytes):
                    answer = json.dumps(answer).encode() + b"\n"
                try:
                    client.sendall(answer)
                except OSError:
                    pass

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


STAMP = "2026-01-31T10:00:00Z"


def peer(name, state="connected", **more):
    return dict(dict(name=name, site="00" * 16, state=state, address="192.168.100.200:65535", rtt_ms=1, behind=0,
                     ahead=0, last_seen=STAMP, last_applied=STAMP), **more)


def status(**more):
    return {"id": 1, "ok": True, "result": dict(dict(
        schema=1, name="CAISSE01", site="ab" * 16, fleet="shop", version="0.1.0", state="ok",
        database=dict(path="/srv/shop.db", state="ready", journal_mode="wal", tracked_tables=4, rows=9),
        pending=dict(marks=0, changesets=0), peers=[], conflicts=0, parked=0, warnings=[]), **more)}
