"""agent-cli rules without an agent: set, listed, refused, taken back, from a file and by a preset."""

import json
import subprocess

import pytest

from conftest import PROGRAMS
from pc import database

USAGE = 64
FAILING = 2

SCHEMA = """
    CREATE TABLE place(id INTEGER PRIMARY KEY, city TEXT NOT NULL UNIQUE);
    CREATE TABLE article(id INTEGER PRIMARY KEY, ref TEXT, stock INTEGER, place INTEGER, password TEXT NOT NULL);
    CREATE TABLE django_session(session_key TEXT NOT NULL PRIMARY KEY, session_data TEXT NOT NULL);
    CREATE TABLE django_content_type(id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, app_label TEXT NOT NULL,
        model TEXT NOT NULL);
    CREATE UNIQUE INDEX natural ON django_content_type(app_label, model);
    CREATE TABLE auth_user(id INTEGER NOT NULL PRIMARY KEY, password varchar(128) NOT NULL, username TEXT UNIQUE);
    INSERT INTO place VALUES (1, 'Alger');
    INSERT INTO article VALUES (1, 'R1', 5, 1, 'x');
"""


@pytest.fixture
def cli(directory):
    db = directory / "shop.db"
    with database(db) as connection:
        connection.executescript(SCHEMA)

    def run(*words):
        return subprocess.run([str(PROGRAMS / "agent-cli"), "--home", str(directory / "home"), *map(str, words)],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)

    done = run("init", "--db", db, "--name", "CAISSE01")
    assert done.returncode == 0, done.stderr
    return run


def ok(done):
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_rule_is_set_listed_replaced_and_taken_back(cli):
    assert "no rules" in ok(cli("rules"))
    assert ok(cli("rules", "set", "ARTICLE.Stock", "counter")).startswith("1 rule changed")
    assert ok(cli("rules", "set", "article.stock", "counter")).startswith("0 rules changed")
    ok(cli("rules", "set", "article.password", "local", "!"))
    ok(cli("rules", "set", "article", "both", "--where", "place = 1", "--site", "caisse01"))
    assert "no more" not in ok(cli("rules", "set", "place.city", "keep"))
    assert ok(cli("rules", "set", "place.city", "merge")).splitlines()[1:] == [
        "One place has one rule of a kind. These were there before, and are no more:",
        "place.city keep",
    ]
    ok(cli("rules", "set", "article.place", "references", "place"))
    assert ok(cli("rules")).splitlines() == [
        'article both --where "place = 1" --site CAISSE01',
        "article.password local !",
        "article.place references place",
        "article.stock counter",
        "place.city merge",
    ]
    ok(cli("rules", "unset", "article.stock", "counter"))
    ok(cli("rules", "unset", "article", "both", "--site", "CAISSE01"))
    answer = json.loads(ok(cli("rules", "--json")))
    assert answer["schema"] == 1
    assert answer["rules"] == [
        {"table": "article", "columns": ["password"], "kind": "local", "argument": "!"},
        {"table": "article", "columns": ["place"], "kind": "references", "argument": "place"},
        {"table": "place", "columns": ["city"], "kind": "merge"},
    ]


@pytest.mark.parametrize("words, says, code", [
    (["set", "nothing.x", "counter"], "no table nothing", USAGE),
    (["set", "article.x", "counter"], "no column x", USAGE),
    (["set", "article.stock", "adder"], "adder", USAGE),
    (["set", "article.stock"], "KIND", USAGE),
    (["set", "article.ref", "counter"], "something else than a number", FAILING),
    (["set", "article.id", "local"], "primary key", FAILING),
    (["set", "article.password", "local"], "NOT NULL", FAILING),
    (["set", "article.ref", "merge"], "no UNIQUE key", FAILING),
    (["set", "article", "publish", "--site", "NOBODY"], "NOBODY", USAGE),
    (["set", "article", "subscribe", "--where", "stock = 1"], "no filter", USAGE),
    (["set", "article", "publish", "--where", "(SELECT count(*) FROM place)"], "no such table", FAILING),
    (["set", "article", "publish", "--where", "stock = 1; DROP TABLE place"], "syntax error", FAILING),
    (["unset", "article.stock", "counter"], "no such rule", USAGE),
    (["preset", "rails"], "rails", USAGE),
    (["import", "/nowhere.json"], "nowhere", FAILING),
])
def test_what_does_not_fit_is_refused_with_the_reason(cli, words, says, code):
    done = cli("rules", *words)
    assert says in " ".join(done.stderr.split()), done
    assert done.returncode == code
    assert "no rules" in ok(cli("rules"))


def test_a_rule_that_names_nothing_any_more_is_told(cli, directory):
    ok(cli("rules", "set", "article.stock", "counter"))
    ok(cli("rules", "set", "article.password", "local", "!"))
    with database(directory / "shop.db") as connection:
        connection.execute("ALTER TABLE article RENAME COLUMN stock TO quantity")
    assert ok(cli("rules")).splitlines() == [
        "article.password local !", "article.stock counter  (names nothing in this database)"]
    listed = json.loads(ok(cli("rules", "--json")))["rules"]
    assert [rule.get("missing") for rule in listed] == [None, True]
    ok(cli("rules", "unset", "article.stock", "counter"))


def test_the_preset_sets_what_the_database_has(cli):
    ok(cli("rules", "preset", "django"))
    assert ok(cli("rules")).splitlines() == [
        "auth_user.password local !",
        "django_content_type.app_label,model merge",
        "django_session local",
    ]
    assert ok(cli("rules", "preset", "django")).startswith("0 rules changed")


def test_a_file_of_rules_is_taken_whole_or_with_the_reason(cli, directory):
    path = directory / "rules.json"
    path.write_text(json.dumps([{"target": "article.stock", "kind": "counter"},
                                {"table": "article", "columns": ["place"], "kind": "references", "argument": "place"}]))
    assert ok(cli("rules", "import", path)).startswith("2 rules changed")
    path.write_text(ok(cli("rules", "--json")))
    assert ok(cli("rules", "import", path)).startswith("0 rules changed")
    for text, says in [("[", "not JSON"), ("{}", "no list"), ("[]", "no rules"), ('[{"kind": "local"}]', "table"),
                       ('[{"target": "place", "kind": "local", "color": 1}]', "color"),
                       ('[{"target": "place.city", "kind": "merge"}, {"target": "place", "kind": "local"}]', "contradicts")]:
        path.write_text(text)
        done = cli("rules", "import", path)
        assert done.returncode != 0 and says in " ".join(done.stderr.split()), done
    assert "place.city" not in ok(cli("rules"))
