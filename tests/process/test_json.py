"""--json is for programs: whatever is asked, and however it ends, one JSON object with "schema" is on stdout."""

import json
import re

import pytest

from pc import wait_for

GOOD, UNREACHABLE, USAGE, FAILING = 0, 3, 64, 2


def answer(done, code):
    """The one object, and the exit code."""
    assert done.returncode == code, (done.args, done.stdout, done.stderr)
    result = json.loads(done.stdout)  # fails on more than one
    assert result["schema"] == 1 and isinstance(result, dict)
    if code == GOOD:
        assert "error" not in result
    elif "error" in result:
        assert result["error"]["code"] and result["error"]["text"]
        first = result["error"]["text"].split("\n")[0].split("`")[0].split()
        assert " ".join(first[:3]) in " ".join(done.stderr.split()), "a person reads it, too"
    return result


# Every command, as it is typed when nothing is there.
EVERY = [["init", "--db", "/nowhere"], ["track", "--all"], ["untrack", "article"], ["tables"],
         ["rules", "set", "article", "local"], ["rules", "unset", "article", "local"], ["rules", "import", "/nowhere"],
         ["rules", "preset", "django"], ["rules"], ["conflicts", "show", "1"], ["conflicts", "restore", "1"],
         ["conflicts", "dismiss", "--all"], ["conflicts", "merge", "article", "1", "2"], ["conflicts"],
         ["parked", "accept"], ["parked"], ["invite"], ["roster"], ["rename", "A", "B"], ["revoke", "--yes", "A"],
         ["admin", "add", "A"], ["admin", "remove", "A"], ["rotate"], ["checkpoint"], ["join", "ABCD"], ["status"], ["peers"], ["sync"],
         ["wait"], ["identity", "reset", "--yes"], ["identity", "confirm-move"], ["drop", "export"],
         ["drop", "import", "x.json"], ["stop"], ["uninstall", "--yes"], ["help"]]
# What they end with then, where it is not "no home": a file or a token is looked at first.
FIRST = {"init": FAILING, "rules import": FAILING, "join": FAILING, "help": GOOD}


def name_of(words, commands):
    two = " ".join(words[:2])
    return two if two in commands else words[0]


def commands_of(cli):
    return {c["name"] for c in json.loads(cli.ok("help", "--json"))["commands"]}


def test_every_command_is_tried_here(cli):
    assert {name_of(words, commands_of(cli)) for words in EVERY} == commands_of(cli)


@pytest.mark.parametrize("words", EVERY, ids=lambda words: " ".join(words[:2]))
def test_every_command_answers_in_json_also_without_a_home_and_where_it_is_mistyped(cli, words):
    name = name_of(words, commands_of(cli))
    for json_first in (True, False):
        typed = ["--json", *words] if json_first else [*words, "--json"]
        answer(cli(*typed), FIRST.get(name, UNREACHABLE))
    answer(cli("--json", *words, "--nonsense"), USAGE)
    answer(cli("--nonsense", *words, "--json"), USAGE)
    page = answer(cli(*words, "--help", "--json"), GOOD)["commands"]
    assert [c["name"] for c in page] == [name] and page[0]["usage"].startswith(name)
    assert {"name", "usage", "help", "more", "options"} == set(page[0])
    assert "--json" in [o["name"] for o in page[0]["options"]]
    assert re.fullmatch(r"\d+\.\d+\.\d+", answer(cli(*words, "--json", "--version"), GOOD)["version"])


@pytest.mark.parametrize("words, names", [
    (["help", "drop"], ["drop export", "drop import"]), (["drop", "--help"], ["drop export", "drop import"]),
    (["help", "rules", "set"], ["rules set"]), (["help", "status"], ["status"]),
])
def test_help_of_one_or_some_commands_is_json_too(cli, words, names):
    assert [c["name"] for c in answer(cli("--json", *words), GOOD)["commands"]] == names


@pytest.mark.parametrize("words", [["help", "frobnicate"], ["help", "--man"], ["frobnicate"], ["drop"], [], ["status", "x"],
                                   ["wait", "--timeout", "soon"], ["track"], ["status", "--home"]])
def test_wrong_usage_is_told_in_json(cli, words):
    assert answer(cli("--json", *words), USAGE)["error"]["code"] == "usage"


def test_without_an_agent_what_needs_none_answers_and_the_rest_says_so(cli, directory):
    assert answer(cli("init", "--db", cli.db, "--json"), GOOD)["home"] == str(cli.home)
    answer(cli("init", "--db", cli.db, "--json"), FAILING)
    rules = directory / "rules.json"
    rules.write_text('[{"target": "article.name", "kind": "local"}]')
    for words in (["track", "--all"], ["tables"], ["untrack", "line"], ["rules", "set", "line", "local"],
                  ["rules", "unset", "line", "local"], ["rules", "import", rules], ["rules"], ["conflicts"],
                  ["conflicts", "dismiss", "--all"], ["parked"], ["parked", "accept"], ["identity", "confirm-move"]):
        answer(cli(*words, "--json"), GOOD)
    for words, code in ((["track", "nothing"], FAILING), (["untrack", "nothing"], FAILING),
                        (["conflicts", "show", "7"], USAGE), (["conflicts", "restore", "7"], USAGE),
                        (["conflicts", "merge", "article", "1", "1"], FAILING),
                        (["rules", "set", "article", "frobnicate"], USAGE)):
        assert "error" in answer(cli(*words, "--json"), code)
    for words in (["status"], ["peers"], ["sync"], ["wait"], ["invite"], ["stop"], ["roster"], ["rename", "A", "B"],
                  ["revoke", "--yes", "A"], ["admin", "add", "A"], ["admin", "remove", "A"], ["rotate"],
                  ["checkpoint"], ["drop", "export"], ["drop", "import", "x.json"]):
        answer(cli(*words, "--json"), UNREACHABLE)
    answer(cli("uninstall", "--json"), FAILING)  # nobody says yes
    answer(cli("uninstall", "--yes", "--json"), GOOD)
    answer(cli("identity", "reset", "--yes", "--json"), GOOD)


def test_with_an_agent_every_command_answers_in_json(shop):
    lan = shop.network.lan()
    a, b = shop.founder("A", lan), shop.pc("B", lan)

    def ask(pc, *words, code=GOOD):
        return answer(pc.cli(*words, "--json", ok=None), code)
    ask(b, "init", "--db", b.db, "--name", "B")
    ask(b, "track", "--all")
    b.start()
    ask(b, "join", ask(a, "invite")["token"])
    shop.wait_equal(a, b)
    for words in (["peers"], ["sync"], ["wait"], ["tables"], ["track", "--all"], ["roster"], ["rules"], ["conflicts"],
                  ["parked"], ["invite", "--cancel"], ["rename", "B", "COMPTA"], ["admin", "remove", "COMPTA"],
                  ["admin", "add", "COMPTA"], ["rotate"], ["checkpoint"], ["rules", "set", "shop_client.phone", "local"],
                  ["rules", "unset", "shop_client.phone", "local"], ["conflicts", "dismiss", "--all"],
                  ["parked", "accept"]):
        ask(a, *words)
    assert "django" in ask(a, "rules", "preset", "django", code=FAILING)["error"]["text"]
    wait_for(lambda: a.cli("status", ok=None).returncode == GOOD, "all is well")
    assert ask(a, "status")["state"] == "ok"
    path = ask(a, "drop", "export", "--to", a.directory)["path"]
    assert ask(b, "drop", "import", path)["files"][0]["ok"]
    assert not ask(b, "drop", "import", a.db, code=FAILING)["files"][0]["ok"]
    for words, code in ((["untrack", "nothing"], FAILING), (["revoke", "--yes", "nobody"], USAGE),
                        (["rename", "nobody", "X"], USAGE), (["admin", "add", "nobody"], USAGE),
                        (["conflicts", "show", "99"], USAGE), (["join", "ABCD"], FAILING),
                        (["identity", "confirm-move"], FAILING)):
        assert "error" in ask(a, *words, code=code)
    ask(a, "revoke", "--yes", "COMPTA")
    ask(a, "untrack", "shop_line")
    ask(a, "uninstall", "--yes")
    ask(b, "stop")
    assert b.reap() == 0
