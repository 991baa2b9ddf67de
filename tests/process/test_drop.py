"""PCs that share no network carry files both ways."""

import json
import os
import shutil
import subprocess

import pytest

from pc import wait_for
from test_shop import sell, wait_sale


@pytest.fixture
def apart(shop):
    """Two PCs of one fleet whose cables are out, each with sales the other does not know; and a stick."""
    lan, a, b = shop.pair()
    shop.network.pull(b.space, lan)
    for number in (1, 2, 3):
        sell(a, "A-%d" % number, [("RIZ25", number)])
        sell(b, "B-%d" % number, [("CAFE", number)])
    stick = shop.directory / "stick"
    stick.mkdir()
    for pc in (a, b):
        wait_for(lambda: pc.status()["pending"]["marks"] == 0, "the sales of %s are captured" % pc.name)
    return a, b, stick


def export(pc, stick):
    path = pc.ask("drop", "export", "--to", stick)["path"]
    assert path.startswith(str(stick))
    return path


def test_two_pcs_converge_by_files_alone(shop, apart):
    a, b, stick = apart
    b.cli("drop", "import", export(a, stick))
    wait_sale(b, "A-3", [("RIZ25", 3)])
    a.cli("drop", "import", export(b, stick))
    wait_sale(a, "B-3", [("CAFE", 3)])
    shop.wait_equal(a, b)


def test_a_file_imported_twice_changes_nothing(shop, apart):
    a, b, stick = apart
    path = export(a, stick)
    copy = str(stick / "again.json")
    shutil.copy(path, copy)
    b.cli("drop", "import", path)
    wait_sale(b, "A-3", [("RIZ25", 3)])
    before = b.sql("SELECT * FROM shop_invoice ORDER BY id"), b.sql("SELECT * FROM shop_line ORDER BY id")
    b.cli("drop", "import", copy)
    a.cli("drop", "import", export(b, stick))
    wait_sale(a, "B-3", [("CAFE", 3)])
    shop.wait_equal(a, b)
    assert before == (b.sql("SELECT * FROM shop_invoice ORDER BY id"), b.sql("SELECT * FROM shop_line ORDER BY id"))


def test_no_file_is_written_for_a_pc_that_has_everything(shop, apart):
    a, b, stick = apart
    b.cli("drop", "import", export(a, stick))
    a.cli("drop", "import", export(b, stick))
    before = sorted(stick.iterdir())
    done = a.ask("drop", "export", "--to", stick, "--for", "COMPTA01")
    assert (done["path"], done["paths"], done["changesets"]) == (None, [], 0)
    assert "COMPTA01 has everything" in a.cli("drop", "export", "--to", stick, "--for", "COMPTA01").stdout
    assert sorted(stick.iterdir()) == before
    sell(a, "A-4", [("RIZ25", 4)])
    wait_for(lambda: a.status()["pending"]["marks"] == 0, "the sale is captured")
    done = a.ask("drop", "export", "--to", stick, "--for", "COMPTA01")
    assert done["changesets"] == 1 and len(done["paths"]) == 1


def test_the_agent_answers_while_it_writes_and_takes_in_a_large_file(shop, apart):
    a, b, stick = apart
    a.sql("INSERT INTO shop_client(name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
          " SELECT 'a client with the number ' || i FROM n")
    wait_for(lambda: a.status()["pending"]["marks"] == 0, "the rows are captured")

    def answers_during(pc, *words):
        work = subprocess.Popen(pc.prefix + [str(pc.programs / "agent-cli"), *map(str, words)], env=pc.environment,
                                stdout=subprocess.DEVNULL)
        count = 0
        while work.poll() is None:
            pc.cli("peers")
            count += 1
        assert work.returncode == 0
        return count
    assert answers_during(a, "drop", "export", "--to", stick) > 4
    path, = stick.iterdir()
    assert answers_during(b, "drop", "import", path) > 4
    shop.wait_equal(a, b, only=["shop_client"])


def test_an_agent_that_is_stopped_while_it_takes_in_a_file_ends_well_and_goes_on_later(shop, apart):
    a, b, stick = apart
    a.sql("INSERT INTO shop_client(name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
          " SELECT 'a client with the number ' || i FROM n")
    wait_for(lambda: a.status()["pending"]["marks"] == 0, "the rows are captured")
    path = export(a, stick)
    for pc, words in ((b, ("drop", "import", path)), (a, ("drop", "export", "--to", stick))):
        work = subprocess.Popen(pc.prefix + [str(pc.programs / "agent-cli"), *map(str, words)], env=pc.environment,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pc.cli("peers")
        assert pc.stop() == 0
        work.wait(30)
        pc.start()
    assert not [file for file in stick.iterdir() if str(file) != path and not file.name.startswith("export_")]
    b.cli("drop", "import", path)
    shop.wait_equal(a, b, only=["shop_client"])


def test_a_file_is_json_that_a_person_can_read(apart):
    a, _, stick = apart
    with open(export(a, stick), encoding="utf-8") as file:
        text = file.read()
    json.loads(text)
    assert "shop_invoice" in text and "A-3" in text


def test_a_touched_byte_is_refused_with_the_reason(apart):
    a, b, stick = apart
    path = export(a, stick)
    with open(path, "rb") as file:
        whole = file.read()

    def touched(found, instead):
        assert whole.count(found) >= 1
        return whole.replace(found, instead, 1)
    have = json.loads(whole)["have"]

    def sent_by(name):
        return b'"from": "%s"' % name.encode()
    for name, bad in (("body", touched(b"A-3", b"A-4")), ("from", touched(sent_by(a.name), sent_by(b.name))),
                      ("stranger", touched(sent_by(a.name), sent_by("Nobody"))),
                      ("made", touched(b'"made": "20', b'"made": "19')),
                      ("have", touched(b'", %d, "' % have[0][1], b'", %d, "' % (have[0][1] + 1))),
                      ("cut", whole[:len(whole) // 2]), ("empty", b""), ("other", b"{}"),
                      ("noise", bytes(range(256)) * 40)):
        file = stick / (name + ".json")
        file.write_bytes(bad)
        done = b.cli("drop", "import", file, ok=None)
        assert done.returncode not in (0, 3), "%s was accepted" % name
        assert done.stderr.strip(), "%s: no reason is given" % name
    assert b.value("SELECT count(*) FROM shop_invoice WHERE number LIKE 'A-%'") == 0
    b.cli("drop", "import", path)
    wait_sale(b, "A-3", [("RIZ25", 3)])


def test_a_file_of_another_fleet_is_refused(shop, apart):
    a, _, stick = apart
    x = shop.founder("X", shop.network.lan(), goods=False)
    done = x.cli("drop", "import", export(a, stick), ok=None)
    assert done.returncode not in (0, 3) and done.stderr.strip()
    assert x.value("SELECT count(*) FROM shop_invoice") == 0


def test_a_file_that_appears_in_entrant_is_applied_and_archived(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.pc("B", lan)
    folder = b.directory / "exchange"
    b.init("--drop", folder)
    b.cli("track", "--all")
    b.start()
    shop.enrol(b, a)
    shop.network.pull(b.space, lan)
    sell(a, "A-1", [("RIZ25", 1)])
    wait_for(lambda: a.status()["pending"]["marks"] == 0, "the sale is captured")
    stick = shop.directory / "stick"
    stick.mkdir()
    path = export(a, stick)
    entrant = folder / "entrant"
    assert entrant.is_dir()
    # As legacy PCs write: in place, so that half a file can be seen.
    with open(path, "rb") as whole, open(entrant / "export_A_20261121_120000.json", "wb") as file:
        data = whole.read()
        file.write(data[:len(data) // 2])
        file.flush()
        b.cli("status", ok=None)
        file.write(data[len(data) // 2:])
    wait_sale(b, "A-1", [("RIZ25", 1)])
    wait_for(lambda: not list(entrant.iterdir()), "the file leaves entrant")
    (entrant / "export_A_20261121_120001.json").write_bytes(b"not json")
    rejected = folder / "archive" / "rejected"
    wait_for(lambda: rejected.is_dir() and len(list(rejected.iterdir())) >= 2, "the bad file and the reason beside it")
    wait_for(lambda: not list(entrant.iterdir()), "the bad file leaves entrant")
    lines = (folder / "logs" / "sync.log").read_text().splitlines()
    assert [("imported" in line) for line in lines] == [True, False], lines


def test_names_in_entrant_lead_nowhere_else(shop):
    lan = shop.network.lan()
    a = shop.pc("A", lan, goods=True)
    folder = a.directory / "exchange"
    a.init("--drop", folder)
    a.cli("track", "--all")
    a.start()
    secret = shop.directory / "secret.json"
    secret.write_text("{}")
    entrant = folder / "entrant"
    (entrant / "export_X_20261121_120000.json").symlink_to(secret)
    (entrant / "export_X_20261121_120001.json").mkdir()
    os.mkfifo(entrant / "export_X_20261121_120003.json")
    for n in (4, 5):  # whoever looks more than once tells once
        plain = entrant / ("export_Y_20261121_12000%d.json" % n)
        plain.write_bytes(b"[]")
        wait_for(lambda: not plain.exists(), "the plain file is dealt with")
    told = [line.split("file=")[1].split()[0] for line in a.log.read_text().splitlines() if "it is no regular file" in line]
    assert sorted(told) == ["export_X_20261121_12000%d.json" % n for n in (0, 1, 3)]
    assert secret.read_text() == "{}"
    assert a.cli("status", ok=None).returncode in (0, 1)
