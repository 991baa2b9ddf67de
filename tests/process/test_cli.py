"""agent-cli without an agent, and with one that only pretends: usage, exit codes, files, what a person reads."""

import contextlib
import json
import os
import re
import sqlite3
import stat
import threading
import time

import pytest

from conftest import REPO
from pc import database
from pretender import FAILING, STAMP, UNREACHABLE, USAGE, peer, status


# ---- usage ----

@pytest.mark.parametrize("words", [["help", "drop"], ["drop", "--help"]])
def test_help_about_a_group_shows_each_of_its_commands(cli, words):
    text = cli.ok(*words)
    assert "agent-cli drop export" in text and "agent-cli drop import" in text
    done = cli("drop")
    assert done.returncode == USAGE and "export or import" in done.stderr and "help drop" in done.stderr


@pytest.mark.parametrize("words, says", [
    ([], "usage:"),
    (["frobnicate"], "frobnicate"),
    (["drop"], "export or import"),
    (["status", "--nonsense"], "--nonsense"),
    (["status", "extra"], "extra"),
    (["status", "--all"], "--all"),
    (["status", "--home"], "--home needs"),
    (["admin"], "add or remove"),
    (["revoke"], "PEER"),
    (["rename", "A"], "PEER NAME"),
    (["invite", "0011223344556677"], "one word too many"),
    (["uninstall", "--yes=1"], "takes no value"),
    (["track"], "--all"),
    (["track", "--all", "article"], "--all"),
    (["untrack"], "TABLE"),
    (["join"], "TOKEN"),
    (["init"], "--db"),
    (["init", "--db="], "--db"),
    (["drop", "import"], "FILE"),
    (["invite", "--ttl", "soon"], "soon"),
    (["wait", "--timeout", "-1"], "-1"),
    (["help", "frobnicate"], "frobnicate"),
])
def test_wrong_usage_ends_64_and_says_what_is_wrong(cli, words, says):
    done = cli(*words)
    assert done.returncode == USAGE
    assert says in done.stderr
    assert done.stdout == ""


def test_help_names_every_command_and_fits_a_terminal(cli):
    text = cli.ok("help")
    assert text == cli.ok("--help")
    commands = re.findall(r"^  ([a-z]+(?: (?:export|import|set|unset|preset|add|remove))?) ", text, re.M)
    assert {"init", "track", "untrack", "tables", "invite", "join", "status", "peers", "sync", "wait", "drop export",
            "drop import", "stop", "uninstall", "roster", "revoke", "rename", "admin add", "admin remove",
            "rotate", "checkpoint"} <= set(commands)
    for command in commands:
        page = cli.ok("help", *command.split())
        assert page == cli.ok(*command.split(), "--help")
        assert page.startswith("usage: agent-cli " + command)
        assert all(len(line) <= 100 for line in page.splitlines()), page
    assert re.fullmatch(r"agent-cli \d+\.\d+\.\d+\n", cli.ok("--version"))


@pytest.mark.parametrize("page, words", [("agent-cli.1", []), ("navette-agent.1", ["navette-agent"])])
def test_the_manual_pages_are_what_the_tables_say(cli, page, words):
    assert cli.ok("help", "--man", *words) == (REPO / "tools" / "man" / page).read_text(), \
        "agent-cli help --man %s > tools/man/%s" % (" ".join(words), page)


@pytest.mark.parametrize("words", [["status"], ["peers"], ["sync"], ["wait"], ["invite"], ["stop"],
                                   ["drop", "export"], ["drop", "import", "x.json"]])
def test_without_an_agent_the_exit_code_is_3_and_the_text_says_what_to_do(cli, words):
    done = cli(*words)
    assert done.returncode == UNREACHABLE and "init" in done.stderr
    cli.ok("init", "--db", cli.db)
    done = cli(*words)
    assert done.returncode == UNREACHABLE and "navette-agent --home %s" % cli.home in done.stderr
    done = cli(*words, "--json")
    assert done.returncode == UNREACHABLE
    answer = json.loads(done.stdout)
    assert answer["schema"] == 1
    if words[0] != "drop" or words[1] != "import":
        assert answer["error"]["code"] == "net"


# ---- init ----

def test_init_makes_a_home_for_its_owner_alone(cli):
    before = cli.schema()
    answer = json.loads(cli.ok("init", "--db", cli.db, "--name", "CAISSE01", "--fleet", "Épicerie", "--json"))
    assert (answer["schema"], answer["name"], answer["home"]) == (1, "CAISSE01", str(cli.home))
    assert stat.S_IMODE(cli.home.stat().st_mode) == 0o700
    for name in ("identity", "fleet.key", "roster", "agent.conf"):
        assert stat.S_IMODE((cli.home / name).stat().st_mode) == 0o600, name
    assert not [p for p in cli.home.iterdir() if p.name.endswith(".new")]
    assert cli.schema() == before
    settings = (cli.home / "agent.conf").read_text()
    assert "\nname = CAISSE01\n" in settings and "\ndatabase = %s\n" % cli.db.resolve() in settings
    assert "\n#quiet_ms = 20\n" in settings


def test_init_twice_is_refused_and_changes_nothing(cli):
    cli.ok("init", "--db", cli.db)
    before = {p.name: p.read_bytes() for p in cli.home.iterdir() if p.is_file()}
    done = cli("init", "--db", cli.db, "--name", "OTHER")
    assert done.returncode == FAILING
    assert str(cli.home) in done.stderr and "already" in done.stderr
    assert before == {p.name: p.read_bytes() for p in cli.home.iterdir() if p.is_file()}


def test_an_init_that_was_cut_off_is_taken_up_again_with_its_identity(cli):
    cli.ok("init", "--db", cli.db)
    identity = (cli.home / "identity").read_bytes()
    (cli.home / "agent.conf").unlink()
    cli.ok("init", "--db", cli.db, "--name", "AGAIN")
    assert (cli.home / "identity").read_bytes() == identity


@pytest.mark.parametrize("option, value", [
    ("--name", ""), ("--name", "a\nb"), ("--name", "x" * 65), ("--fleet", "\x1b[31m"), ("--listen", "kitchen:7400"),
    ("--listen", "1.2.3.4:0"), ("--discovery-port", "x"), ("--discovery-port", "65536"), ("--peers", "1.2.3.4:5,x"),
])
def test_a_bad_setting_is_wrong_usage_and_nothing_is_made(cli, option, value):
    done = cli("init", "--db", cli.db, option, value)
    assert done.returncode == USAGE, done.stderr
    assert not cli.home.exists()
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("kind", ["missing", "directory", "text", "no access", "pipe", "device"])
def test_init_refuses_what_is_no_database_and_makes_nothing(cli, kind):
    file = cli.directory / "other.db"
    if kind == "directory":
        file.mkdir()
    elif kind == "text":
        file.write_text("Rice 25 kg;18500\n" * 100)
    elif kind == "no access":
        file = cli.directory / "loop.db"
        file.symlink_to(file)
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file = "/dev/null"
    done = cli("init", "--db", file)
    assert done.returncode == FAILING
    assert str(file) in done.stderr
    assert not cli.home.exists()


def test_init_refuses_a_mistyped_token_before_anything_is_made(cli):
    done = cli("init", "--db", cli.db, "--join", "ABCD-EFGH")
    assert done.returncode == FAILING and "token" in done.stderr
    assert not cli.home.exists()


def test_a_database_that_another_home_uses_is_refused_and_can_be_cleared(cli):
    before = cli.schema()
    cli.ok("init", "--db", cli.db)
    cli.ok("track", "--all")
    other = cli.directory / "other"
    done = cli("init", "--db", cli.db, home=other)
    assert done.returncode == FAILING
    assert "another Navette home" in done.stderr and "uninstall --db" in done.stderr
    assert not other.exists()
    assert cli("uninstall", "--db", cli.db, home=other).returncode == FAILING
    assert cli.schema() != before
    cli.ok("uninstall", "--db", cli.db, stdin="y\n", home=other)
    assert cli.schema() == before
    cli.ok("init", "--db", cli.db, home=other)


def test_a_database_whose_keeper_cannot_be_asked_is_not_cleared(cli):
    """Its agent may run, and would go on with a file that has no marks any more."""
    cli.ok("init", "--db", cli.db)
    cli.ok("track", "--all")

    def run(*statements):
        with contextlib.closing(sqlite3.connect(cli.db)) as db, db:
            for statement in statements:
                db.execute(statement)
    run("ALTER TABLE _navette_state RENAME COLUMN ledger TO damaged")
    before = cli.schema()
    done = cli("uninstall", "--db", cli.db, "--yes", home=cli.directory / "other")
    assert done.returncode == FAILING and "ledger" in done.stderr
    assert cli.schema() == before
    run("ALTER TABLE _navette_state RENAME COLUMN damaged TO ledger")
    cli.ok("uninstall", "--db", cli.db, "--yes", home=cli.directory / "other")
    assert not [name for name in cli.schema() if "_navette" in str(name)]


# ---- tables ----

@pytest.mark.parametrize("words", [["tables"], ["track", "--all"], ["untrack", "article"], ["rules"], ["conflicts"],
                                   ["parked"], ["roster"], ["rotate"], ["checkpoint"], ["uninstall", "--yes"],
                                   ["identity", "reset", "--yes"], ["identity", "confirm-move"], ["status"], ["drop", "import", "x.json"]])
def test_without_a_home_every_command_ends_3_and_says_how_to_make_one(cli, words):
    done = cli(*words)
    assert done.returncode == UNREACHABLE and "init --db FILE" in " ".join(done.stderr.split()), done.stderr
    cli.home.mkdir(mode=0o700)
    done = cli(*words)
    assert done.returncode == UNREACHABLE and "init --db FILE" in " ".join(done.stderr.split()), done.stderr


def test_tables_are_tracked_listed_and_released_without_an_agent(cli):
    before = cli.schema()
    cli.ok("init", "--db", cli.db)
    cli.ok("track", "article")
    tables = {t["name"]: t for t in json.loads(cli.ok("tables", "--json"))["tables"]}
    assert {name: t["tracked"] for name, t in tables.items()} == {
        "article": True, "cheap": False, "keyless": False, "line": False}
    assert tables["article"]["rows"] == 2
    assert "primary key" in tables["keyless"]["refused"]
    cli.ok("track", "--all")
    cli.ok("untrack", "article")
    tables = {t["name"]: t for t in json.loads(cli.ok("tables", "--json"))["tables"]}
    assert not tables["article"]["tracked"] and tables["line"]["tracked"]
    text = cli.ok("tables")
    assert all(len(line) <= 100 for line in text.splitlines()), text
    cli.ok("uninstall", "--yes")
    assert cli.schema() == before


@pytest.mark.parametrize("name", ["keyless", "cheap", "not_there", "_navette_dirty", "sqlite_schema"])
def test_a_table_that_cannot_be_tracked_is_named_and_the_others_left_alone(cli, name):
    cli.ok("init", "--db", cli.db)
    done = cli("track", "article", name)
    assert done.returncode == FAILING
    assert name in done.stderr
    assert not any(t["tracked"] for t in json.loads(cli.ok("tables", "--json"))["tables"])


def test_a_database_held_by_the_application_is_waited_for(cli):
    cli.ok("init", "--db", cli.db)
    holder = sqlite3.connect(str(cli.db), isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    threading.Timer(0.3, lambda: holder.execute("COMMIT")).start()
    cli.ok("track", "--all")
    holder.close()


@pytest.mark.parametrize("answer", ["", "n\n", "\n", "perhaps\n", "no\n"])
def test_uninstall_without_a_yes_changes_nothing(cli, answer):
    cli.ok("init", "--db", cli.db)
    cli.ok("track", "--all")
    before = cli.schema()
    done = cli("uninstall", stdin=answer)
    assert done.returncode == FAILING
    assert "nothing was changed" in done.stderr
    assert cli.schema() == before


# ---- a home that is damaged or open ----

@pytest.mark.parametrize("what", ["open home", "open identity", "cut identity", "no identity", "bad setting",
                                  "no database line", "noise in roster", "no roster", "no fleet key",
                                  "noise in ledger"])
def test_a_damaged_home_says_what_is_wrong_and_is_left_as_it_is(cli, what):
    cli.ok("init", "--db", cli.db)
    cli.ok("tables")
    identity, settings = cli.home / "identity", cli.home / "agent.conf"
    expected = {"open home": "chmod 700", "open identity": "chmod 600", "cut identity": "damaged",
                "no identity": "copy of this home", "bad setting": "agent.conf:%d: unknown setting \"port\"" % (
                    settings.read_text().count("\n") + 1),
                "no database line": "database = ", "noise in roster": "roster",
                "no roster": "`roster`", "no fleet key": "fleet.key is missing: put it back",
                "noise in ledger": "ledger.db"}[what]
    if what == "open home":
        cli.home.chmod(0o755)
    elif what == "open identity":
        identity.chmod(0o644)
    elif what == "cut identity":
        identity.write_bytes(identity.read_bytes()[:40])
    elif what == "no identity":
        identity.unlink()
    elif what == "bad setting":
        settings.write_text(settings.read_text() + "port = 1\n")
    elif what == "no database line":
        settings.write_text("name = A\n")
    elif what == "noise in roster":
        (cli.home / "roster").write_bytes(bytes(range(200)))
    elif what == "no roster":
        (cli.home / "roster").unlink()
    elif what == "no fleet key":
        (cli.home / "fleet.key").unlink()
    else:
        (cli.home / "ledger.db").write_bytes(bytes(range(256)) * 64)
        for name in ("ledger.db-wal", "ledger.db-shm"):
            if (cli.home / name).exists():
                (cli.home / name).unlink()
    before = {p.name: p.read_bytes() for p in cli.home.iterdir() if p.is_file()}
    done = cli("tables")
    assert done.returncode == FAILING
    assert expected in " ".join(done.stderr.split()), done.stderr
    assert before == {p.name: p.read_bytes() for p in cli.home.iterdir() if p.is_file()}


def test_the_name_of_a_table_is_never_cut(cli):
    names = ["supermarket_commandefournisseur_ligne", "a" * 48, "b" * 99, "short"]
    with database(cli.db) as connection:
        for name in names:
            connection.execute("CREATE TABLE %s(id INTEGER PRIMARY KEY)" % name)
    cli.ok("init", "--db", cli.db)
    text = cli.ok("tables")
    assert all(len(line) <= 100 for line in text.splitlines()), text
    for name in names:
        assert re.search(r"^%s(\s|$)" % name, text, re.M), text


@pytest.mark.parametrize("words", [["init", "--db", "missing"], ["track", "no_such_table"], ["invite"], ["tables"]])
def test_errors_fit_a_terminal_too(cli, words):
    home = cli.directory / ("a long name for a home, " * 5).strip()
    if words[0] == "track":
        cli.ok("init", "--db", cli.db, home=home)
    done = cli(*words, home=home)
    assert done.returncode != 0
    assert all(len(line) <= 100 for line in done.stderr.splitlines()), done.stderr
    assert len(done.stderr.splitlines()) > 1 or words[0] in ("init", "track"), done.stderr


@pytest.mark.parametrize("words, says", [(["invite", "--ttl", "0"], "1s to 24h"), (["invite", "--ttl", "25h"], "1s to 24h"),
                                         (["wait", "--timeout", "25h"], "24h"), (["invite", "--ttl", "soon"], "--ttl")])
def test_a_time_out_of_bounds_is_wrong_usage_in_the_words_it_was_given(cli, words, says):
    cli.ok("init", "--db", cli.db)
    done = cli(*words)
    assert done.returncode == USAGE and says in done.stderr and "_ms" not in done.stderr, done.stderr


# ---- an agent that pretends ----

@pytest.mark.parametrize("state, code", [("ok", 0), ("degraded", 1), ("failing", 2)])
def test_the_exit_code_of_status_tells_how_it_stands(cli, pretend, state, code):
    pretend(lambda request: status(state=state))
    assert cli("status").returncode == code
    done = cli("status", "--json")
    assert done.returncode == code and json.loads(done.stdout)["state"] == state


@pytest.mark.parametrize("peers, sentence", [
    (None, "CAISSE01 captures changes, but is in no fleet yet."),
    ([], "CAISSE01 works; no other PC is in its fleet yet."),
    ([peer("COMPTA01")], "CAISSE01 is in step with COMPTA01."),
    ([peer("A"), peer("B")], "CAISSE01 is in step with all 2 other PCs."),
    ([peer("A"), peer("B", "away")], "CAISSE01 is in step with 1 of 2 PCs;"),
    ([peer("A", "away")], "CAISSE01 works, but reaches no other PC"),
    ([peer("A", behind=3)], "CAISSE01 is exchanging changes with 1 of 1 PCs."),
])
def test_status_says_in_one_sentence_how_it_stands(cli, pretend, peers, sentence):
    pretend(lambda request: status(peers=peers or [], fleet="shop" if peers is not None else None))
    assert cli.ok("status").startswith(sentence)


def test_the_longest_names_fit_the_page_and_steer_no_terminal(cli, pretend):
    name = "É" * 32
    pretend(lambda request: status(
        name=name, fleet=name, conflicts=10**12, parked=10**12, pending=dict(marks=10**12, changesets=10**12),
        database=dict(path="/srv/" + "x" * 1000 + "\x1b[31m", journal_mode="truncate", tracked_tables=2000, rows=10**15),
        peers=[peer(name, behind=10**9, ahead=10**9), peer("\x1b[31m\n\u202e", "away")],
        warnings=[dict(code="no-peer", since=STAMP, text="long " * 100, remedy="agent-cli " * 40)]))
    text = cli.ok("status")
    assert all(len(line) <= 100 for line in text.splitlines()), text
    assert "\x1b" not in text


@pytest.mark.parametrize("seconds, says", [(1, "now"), (90, "90 s ago"), (600, "10 min ago"), (4 * 3600, "4 hours ago"),
                                           (500 * 86400, "500 days ago"), (None, "never")])
def test_times_are_told_as_a_person_would(cli, pretend, seconds, says):
    stamp = seconds and time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))
    pretend(lambda request: status(peers=[peer("A", "away", last_seen=stamp, address=None)]))
    line = [line for line in cli.ok("status").splitlines() if line.startswith("A  ")][0]
    assert line.endswith("  " + says) or seconds == 90 and re.search(r"  9\d s ago$", line), line


def test_a_warning_comes_with_what_mends_it(cli, pretend):
    pretend(lambda request: status(state="degraded", warnings=[
        dict(code="no-peer", since=STAMP, text="no other PC answers", remedy="start another PC")]))
    text = cli("status").stdout
    assert "no-peer" in text and "no other PC answers" in text and "What to do: start another PC" in text


@pytest.mark.parametrize("answer", [b"", b"\n", b"garbage\n", b"{}\n", b"[1]\n", b"{\"id\":1,\"ok\":true", b"3\n",
                                    b"{\"id\":1,\"ok\":true,\"result\":7}\n", b"[" * 10000 + b"\n", b"\xff\xfe\n",
                                    b"{\"id\":1,\"ok\":false,\"error\":3}\n"])
def test_an_answer_that_is_none_is_an_error_and_no_crash(cli, pretend, answer):
    pretend(lambda request: answer)
    for words in (["peers"], ["tables"], ["invite"], ["sync"]):
        done = cli(*words)
        if b'"result":7' in answer:
            continue
        assert done.returncode == FAILING, (words, done)
        assert done.stderr.startswith("agent-cli: ")


@pytest.mark.parametrize("code, exits", [("refused", FAILING), ("busy", 1), ("usage", USAGE), ("unheard", FAILING)])
def test_an_error_of_the_agent_is_shown_and_gives_the_exit_code(cli, pretend, code, exits):
    pretend(lambda request: {"id": 1, "ok": False, "error": {"code": code, "text": "because"}})
    done = cli("sync")
    assert done.returncode == exits and done.stderr == "agent-cli: because\n"


def test_what_a_person_types_arrives_as_it_should(cli, pretend):
    agent = pretend(lambda request: {"id": 1, "ok": True, "result": {"token": "T", "added": 0, "path": "", "tables": []}})
    for words, command, args in [
            (["invite"], "invite", {"ttl_ms": 900000}),
            (["invite", "--ttl", "90s"], "invite", {"ttl_ms": 90000}),
            (["invite", "--ttl=1h"], "invite", {"ttl_ms": 3600000}),
            (["wait"], "wait", {"timeout_ms": 30000}),
            (["wait", "--timeout", "500ms"], "wait", {"timeout_ms": 500}),
            (["track", "--all"], "track", {"all": True}),
            (["track", "a", "b"], "track", {"tables": ["a", "b"]}),
            (["track", "--", "--all"], "track", {"tables": ["--all"]}),
            (["untrack", "a"], "untrack", {"tables": ["a"]}),
            (["drop", "export", "--to", "x", "--for", "B"], "drop-export",
             {"directory": os.path.join(os.getcwd(), "x"), "peer": "B"}),
            (["drop", "import", "/x.json"], "drop-import", {"path": "/x.json"}),
            (["--json", "sync"], "sync", {}),
            (["uninstall", "--yes"], "uninstall", {})]:
        cli.ok(*words)
        request = agent.requests[-1]
        assert (request["command"], request["args"]) == (command, args)


@pytest.mark.parametrize("peers, connected, says", [
    (0, 0, "No other PC is in the fleet yet"), (2, 0, "No other PC is connected"),
    (2, 1, "Every connected PC has everything"), (2, 2, "Every PC of the fleet has everything"),
])
def test_wait_says_what_it_means_that_all_is_settled(cli, pretend, peers, connected, says):
    pretend(lambda request: {"id": 1, "ok": True, "result": {"settled": True, "peers": peers, "connected": connected}})
    assert cli.ok("wait").startswith(says)


def test_every_file_of_an_export_is_named(cli, pretend):
    paths = ["/a/export_1.json", "/a/export_2.json"]
    pretend(lambda request: {"id": 1, "ok": True, "result": {"path": paths[0], "paths": paths, "changesets": 7}})
    assert cli.ok("drop", "export").splitlines() == paths + ["7 change-sets in 2 files."]


def test_every_file_of_an_import_is_tried_and_the_worst_is_told(cli, pretend):
    def answer(request):
        if request["args"]["path"].endswith("bad.json"):
            return {"id": 1, "ok": False, "error": {"code": "crypto", "text": "touched"}}
        return {"id": 1, "ok": True, "result": {"added": 2}}
    pretend(answer)
    done = cli("drop", "import", "/bad.json", "/good.json", "--json")
    assert done.returncode == FAILING and "touched" in done.stderr
    files = json.loads(done.stdout)["files"]
    assert files == [{"path": "/bad.json", "ok": False, "error": {"code": "crypto", "text": "touched"}},
                     {"path": "/good.json", "ok": True, "added": 2}]


def test_a_long_home_works_through_a_short_socket(cli):
    home = cli.directory / ("h" * 120)
    cli.ok("init", "--db", cli.db, home=home)
    done = cli("status", home=home)
    assert done.returncode == UNREACHABLE and "navette-agent" in done.stderr
