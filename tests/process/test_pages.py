"""What a person reads, of every command: within 100 columns whatever the names, the paths and the numbers, and nothing
of it steers the terminal. `help` names the commands, so a new one without its lines here fails."""

import json
import re
import subprocess

import pytest

from conftest import REPO
from pretender import STAMP, peer, status

COLUMNS = 100
AT = 35  # the column of what `help` says of each command
# One that would be asked about, not refused before.
TOKEN = bytes.fromhex(re.search("^text_0=(.*)$", (REPO / "tests" / "golden" / "token.txt").read_text(), re.M).group(1)).decode()
NAME = "É" * 32  # as long as a name may be
TABLE = "supermarket_commandefournisseur_" + "x" * 96  # likewise
STEERING = "\x1b[31m\n\u202eRice"
VALUE = "Riz parfumé \"de luxe\" 25 kg, sac " * 40 + STEERING
MUCH = 2 ** 62

COMMANDS = {
    "init": [["init", "--db", "DB"], ["init", "--db", "DB", "--name", NAME, "--join", "TOKEN"]],
    "track": [["track", "--all"], ["track", TABLE]],
    "untrack": [["untrack", TABLE]],
    "tables": [["tables"]],
    "rules set": [["rules", "set", TABLE, "local"]],
    "rules unset": [["rules", "unset", TABLE, "local"]],
    "rules import": [["rules", "import", "RULES"]],
    "rules preset": [["rules", "preset", "django"]],
    "rules": [["rules"]],
    "conflicts show": [["conflicts", "show", "7"]],
    "conflicts restore": [["conflicts", "restore", "7"]],
    "conflicts dismiss": [["conflicts", "dismiss", "--all"]],
    "conflicts merge": [["conflicts", "merge", TABLE, str(MUCH), str(MUCH)]],
    "conflicts": [["conflicts"]],
    "parked accept": [["parked", "accept"]],
    "parked": [["parked"]],
    "invite": [["invite"], ["invite", "--stick"], ["invite", "--cancel"]],
    "roster": [["roster"]],
    "rename": [["rename", NAME, NAME]],
    "revoke": [["revoke", NAME, "--yes"], ["revoke", NAME]],
    "admin add": [["admin", "add", NAME]],
    "admin remove": [["admin", "remove", NAME]],
    "rotate": [["rotate"]],
    "checkpoint": [["checkpoint"]],
    "join": [["join", "TOKEN"], ["join", "TOKEN", "--to", "."]],
    "status": [["status"]],
    "peers": [["peers"]],
    "sync": [["sync"]],
    "wait": [["wait"]],
    "identity reset": [["identity", "reset", "--yes", "--name", NAME], ["identity", "reset"]],
    "identity confirm-move": [["identity", "confirm-move"]],
    "drop export": [["drop", "export"], ["drop", "export", "--for", NAME]],
    "drop import": [["drop", "import", "RULES", "x" * 200 + ".json"],
                    ["drop", "import", "--adopt", "--yes", "RULES"]],
    "stop": [["stop"]],
    "uninstall": [["uninstall"], ["uninstall", "--db", "DB"]],
    "help": [["help"]],
}


def commands_of(page):
    """The commands that `help` lists, without their arguments."""
    found = [line[2:].split("  ")[0] for line in page.split("\n\n")[1].splitlines()]
    return [re.match(r"[a-z]+(?: [a-z-]+)?", re.sub(r" (--|[A-Z]).*", "", entry)).group() for entry in found]


def fits(text):
    text = text.replace("[y/N] ", "[y/N]\n")  # where a person's Enter stands
    wide = [line for line in text.splitlines() if len(line) > COLUMNS]
    assert not wide, "\n".join(wide)
    assert not set(text) & set("\x1b\u202e\t\r"), text
    assert text == "" or text.endswith("\n"), text


def much_of_everything(path):
    """One answer with what every command reads, each of it as long as it may be."""
    write = {"type": "text", "value": VALUE, "cut": True, "by": NAME, "at": STAMP}
    row = {"table": TABLE, "key": "key " * 60, "label": VALUE, "in_file": True}
    conflicts = [dict(row, number=MUCH, noticed="1970-01-01T00:00:00Z", column="c" * 128, why=why, text=VALUE[:400],
                      lost=write, won=write, now=write) for why in ("returned", "deleted", "other", "overwritten")]
    parked = [dict(row, since=STAMP, why=VALUE[:600], help="agent-cli rules set " * 20)] * 3
    answer = status(
        name=NAME, fleet=NAME, conflicts=MUCH, parked=MUCH, state="failing",
        database={"path": path, "state": "closed", "journal_mode": "truncate", "tracked_tables": MUCH, "rows": MUCH},
        pending={"marks": MUCH, "changesets": MUCH, "incoming": MUCH, "unscanned": MUCH},
        peers=[peer(NAME, state, behind=MUCH, ahead=MUCH, last_seen="1970-01-01T00:00:00Z")
               for state in ("connected", "connecting", "away", "x" * 40) * 12] + [peer(STEERING, address=None)],
        warnings=[{"code": "code-%d" % n, "since": STAMP, "text": VALUE[:400], "remedy": "`agent-cli %s`" % ("x" * n)}
                  for n in range(0, 250, 10)])["result"]
    site = {"name": NAME, "mark": NAME, "site": "0123456789abcdef" * 2, "self": True, "admin": True, "has_key": True}
    answer.update(
        members=[site] * 3 + [dict(site, name=STEERING)], entries=MUCH, entries_max=4096, bytes=MUCH, bytes_max=1 << 20,
        gone=[dict(site, why=why, by=by, believed=1, here=MUCH) for why in ("revoked", "void") for by in (NAME, None)],
        checkpoint={"made": STAMP, "by": NAME, "entries": MUCH},
        checkpoint_pending={"made": STAMP, "by": NAME, "missing": [NAME, STEERING] * 10, "hopeless": False},
        invitations=[{"id": "0123456789abcdef", "by": NAME, "ends": STAMP, "state": state}
                     for state in ("open", "open", "used")], refused=MUCH, refused_of=NAME,
        token="ABCD-" * 25 + "AB", connected=1, settled=True, dismissed=MUCH, changed=MUCH, applied=False,
        paths=[path + "/export_%s_20261121_100000_%03d.json" % (NAME, n) for n in range(3)], changesets=MUCH, added=MUCH,
        dropped=MUCH, parked_total=MUCH, kept=[row] * 2, kept_total=MUCH,
        tables=[{"name": TABLE[:n], "rows": MUCH, "tracked": n % 2 == 0, "refused": VALUE[:200] if n % 3 == 0 else None}
                for n in range(1, 128, 7)] + [{"name": STEERING, "rows": 1, "tracked": True}],
        rules=[{"target": TABLE + "." + "c" * 100, "kind": "references", "argument": TABLE, "missing": True},
               {"target": TABLE, "kind": "both", "where": "name <> '%s'" % ("it's \"quoted\" " * 50), "site": NAME}])
    return answer, dict(answer, conflicts=conflicts, parked=parked, conflict=conflicts[0]), {"no": "rule"}


@pytest.fixture
def deep(cli):
    """The database behind a long path; returns the folder."""
    folder = cli.directory / ("a long name of a folder, " * 5).strip() / ("d" * 100)
    folder.mkdir(parents=True)
    cli.db = cli.db.rename(folder / "shop of the market.db")
    return folder


def words_of(cli, words):
    rules = cli.directory / "rules.json"
    rules.write_text('[{"target": "article", "kind": "local"}]')
    return [{"DB": cli.db, "RULES": rules, "TOKEN": TOKEN}.get(word, word) for word in words]


def test_every_command_has_its_line_here(cli):
    assert sorted(commands_of(cli.ok("help"))) == sorted(COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_a_command_fits(cli, command):
    page = cli.ok("help", *command.split())
    assert page == cli.ok(*command.split(), "--help")
    assert page.startswith("usage: agent-cli " + command)
    fits(page)


def test_the_first_page_is_aligned_and_fits(cli):
    page = cli.ok("help")
    assert page == cli.ok("--help")
    fits(page)
    body = [line for line in page.splitlines() if line.startswith("  ")]
    assert len(body) > len(COMMANDS)
    assert all(line[AT - 1] == " " and line[AT] != " " for line in body), page


def test_the_page_of_the_agent_fits(programs):
    done = subprocess.run([str(programs / "navette-agent"), "--help"], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    fits(done.stdout)


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"init", "help", "stop"}))
def test_whatever_an_agent_answers_fits(cli, deep, pretend, command):
    path = "/srv/" + "x" * 300 + "/a b/" * 40
    plain, listed, _ = much_of_everything(path)
    lists = command.split()[0] in ("conflicts", "parked")
    pretend(lambda request: {"id": 1, "ok": True, "result": listed if lists else plain})
    for words in COMMANDS[command]:
        done = cli(*words_of(cli, words), stdin="y\n")
        assert done.returncode in (0, 1, 2), done.stderr
        assert done.stdout or done.stderr
        fits(done.stdout)
        fits(done.stderr)
        answer = json.loads(cli(*words_of(cli, words), "--json", stdin="y\n").stdout)
        assert answer["schema"] == 1


def test_what_init_says_fits_and_can_be_typed(cli, deep):
    cli.home = deep / "home"
    for words in COMMANDS["init"]:
        done = cli("--home", cli.home, *words_of(cli, words), home=cli.directory / "not this one")
        assert done.returncode == 0, done.stderr
        fits(done.stdout)
        typed = done.stdout[done.stdout.index("Next:\n"):].split("\n    ")[1]
        assert typed.startswith("agent-cli --home") and "\\\n" in typed
        said = subprocess.run(["sh", "-c", "printf '%s|' " + typed], stdout=subprocess.PIPE, text=True).stdout
        assert said == "agent-cli|--home|%s|track|--all|" % cli.home
        subprocess.run(["rm", "-r", str(cli.home)], check=True)


def test_rules_are_listed_as_a_shell_takes_them(cli, pretend):
    where = "note <> 'it''s \"quoted\" at $5, `now` \\ then' " * 4
    pretend(lambda request: {"id": 1, "ok": True, "result": {"rules": [
        {"target": "sale", "kind": "both", "where": where.strip(), "site": "DEPOT"}]}})
    typed = cli.ok("rules")
    fits(typed)
    said = subprocess.run(["sh", "-c", "printf '%s|' " + typed], stdout=subprocess.PIPE, text=True).stdout
    assert said == "sale|both|--where|%s|--site|DEPOT|" % where.strip()


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"help"}))
def test_errors_fit_too(cli, deep, command):
    """No home, a home without an agent, and a person who says no."""
    cli.home = deep / "home"
    for _ in range(2):
        for words in COMMANDS[command]:
            done = cli(*words_of(cli, words), stdin="n\n")
            fits(done.stderr)
            fits(done.stdout)
        cli("init", "--db", cli.db)


def test_a_count_that_has_no_room_is_not_cut_to_another(cli, pretend):
    pretend(lambda request: {"id": 1, "ok": True, "result": {"peers": [peer("A", behind=1234567890, ahead=12345678)]}})
    assert re.search(r" >9999999 12345678|>9999999\s*12345678", cli.ok("peers"))
