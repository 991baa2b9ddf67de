"""Two PCs of one shop on one machine: two databases, two homes, two agents, and a sale that travels."""

import os
import pathlib
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path[:0] = [str(REPO / "tools"), str(HERE)]

import shop  # noqa: E402
from pc import Pc, database, wait_for  # noqa: E402

PROGRAMS = pathlib.Path(os.environ.get("NAVETTE_BIN", REPO / "build" / "release" / "bin"))
ON_TERMINAL = sys.stdout.isatty() and "NO_COLOR" not in os.environ
ROUNDS = 15


def style(code, text):
    return "\033[%sm%s\033[0m" % (code, text) if ON_TERMINAL else text


def heading(text):
    print("\n" + style("1", text), flush=True)


def tell(text):
    print("   " + text, flush=True)


def command(pc, *words):
    """Run agent-cli on a PC and show that we did."""
    shown = [str(word).replace(str(pc.directory) + "/", "") for word in words]
    tell("%-9s %s" % (pc.name, style("2", "$ ") + style("36", "agent-cli " + " ".join(shown))))
    return pc.cli(*words)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_pc(directory, name):
    pc = Pc(name, directory / name.lower(), PROGRAMS, listen="127.0.0.1:%d" % free_port())
    with database(pc.db) as connection:
        shop.make_tables(connection)
    return pc


def describe(lines):
    return ", ".join("%d %s" % (quantity, article) for article, quantity in lines)


def show_sale(pc, number):
    with database(pc.db) as connection:
        for invoice, client, lines in shop.sale(connection, number):
            tell("%-9s has invoice id %d, number %s, for %s: %s" % (pc.name, invoice, number, client, describe(lines)))


def counts(*pcs):
    for pc in pcs:
        tell("%-9s %d invoices, %d lines" % (pc.name, pc.value("SELECT count(*) FROM shop_invoice"),
                                            pc.value("SELECT count(*) FROM shop_line")))


def wait_books(pcs, numbers):
    """Until every PC has every one of these sales."""
    marks = ",".join("?" * len(numbers))
    for pc in pcs:
        wait_for(lambda: pc.value("SELECT count(*) FROM shop_invoice WHERE number IN (%s)" % marks, *numbers)
                 == len(numbers), "%s has all sales" % pc.name, every=0.005)


def watched_sale(seller, reader, number, basket):
    """Sell on one PC and look into the other one's file until it is there: milliseconds from commit to visible."""
    query = "SELECT count(*) FROM shop_line l JOIN shop_invoice i ON i.id = l.invoice_id WHERE i.number = ?"
    with database(seller.db) as till, database(reader.db) as books:
        shop.sell(till, number, basket)
        start = time.perf_counter()
        wait_for(lambda: books.execute(query, (number,)).fetchone()[0] == len(basket), "the sale travels", every=0.0002)
        return (time.perf_counter() - start) * 1000


def set_up(caisse, compta):
    heading("1  Two PCs: CAISSE01 has a shop in its SQLite file, COMPTA01 has the same tables, empty")
    with database(caisse.db) as connection:
        shop.stock_shelves(connection)
        for n in range(1, 101):
            shop.sell(connection, "C1-%03d" % n, [("RIZ25", 1), ("LAIT", 1 + n % 3)], shop.CLIENTS[n % 3])
    counts(caisse, compta)

    heading("2  An agent beside each of them: no server, no change to the application")
    for pc, more in ((caisse, ("--fleet", "Essos")), (compta, ())):
        command(pc, "init", "--db", pc.db, "--name", pc.name, "--listen", pc.listen, *more)
        command(pc, "track", "--all")
        pc.start()
        tell("%-9s %s" % (pc.name, style("2", "$ ") + style("36", "navette-agent &")))


def join(caisse, compta):
    heading("3  COMPTA01 joins with one token")
    token = caisse.invite()
    tell("%-9s %s" % ("CAISSE01", style("2", "$ ") + style("36", "agent-cli invite")))
    tell("%-9s %s" % ("", token))
    start = time.perf_counter()
    command(compta, "join", token)
    wait_books((compta,), ["C1-%03d" % n for n in range(1, 101)])
    tell("the shop is on COMPTA01, %.0f ms after the command" % ((time.perf_counter() - start) * 1000))
    counts(caisse, compta)


def one_sale(caisse, compta):
    heading("4  A sale on CAISSE01, seen in COMPTA01's file")
    took = watched_sale(caisse, compta, "C1-101", [("HUILE5", 2), ("CAFE", 1)])
    show_sale(caisse, "C1-101")
    show_sale(compta, "C1-101")
    tell(style("32", "%.1f ms from commit to visible" % took))
    more = sorted(watched_sale(caisse, compta, "C1-%d" % (101 + n), [("SAVON", 1)]) for n in range(1, ROUNDS + 1))
    tell("%d more sales: median %.1f ms, slowest %.1f ms" % (ROUNDS, more[ROUNDS // 2], more[-1]))


def both_at_once(caisse, compta):
    heading("5  Both sell at once")

    def till(pc, prefix, count):
        with database(pc.db) as connection:
            for n in range(count):
                shop.sell(connection, "%s-%d" % (prefix, n), [("RIZ25", 1)])
    tills = [threading.Thread(target=till, args=(pc, prefix, 50)) for pc, prefix in ((caisse, "C1-a"), (compta, "C2-a"))]
    for thread in tills:
        thread.start()
    for thread in tills:
        thread.join()
    wait_books((caisse, compta), ["%s-%d" % (prefix, n) for prefix in ("C1-a", "C2-a") for n in range(50)])
    counts(caisse, compta)


def cable(caisse, compta):
    heading("6  COMPTA01 is cut off (its agent is stopped: it neither hears nor sends); both go on selling")
    command(compta, "stop")
    compta.reap()
    with database(caisse.db) as c1, database(compta.db) as c2:
        here = shop.sell(c1, "C1-offline", [("SUCRE1", 3)], "Hotel Central")
        there = shop.sell(c2, "C2-offline", [("LAIT", 6)], "School canteen")
    tell("CAISSE01  wrote invoice id %d, number C1-offline" % here)
    tell("COMPTA01  wrote invoice id %d, number C2-offline" % there)

    heading("7  COMPTA01 is back")
    start = time.perf_counter()
    compta.start()
    wait_books((caisse, compta), ["C1-offline", "C2-offline"])
    tell("both PCs have both sales, %.0f ms after the agent's start" % ((time.perf_counter() - start) * 1000))
    for number in ("C1-offline", "C2-offline"):
        for pc in (caisse, compta):
            show_sale(pc, number)
    counts(caisse, compta)


def statuses(caisse, compta):
    heading("8  What a person sees")
    for pc in (caisse, compta):
        pc.cli("wait", "--timeout", "20s")
        done = command(pc, "status")
        print("\n" + "\n".join(("     " + line).rstrip() for line in done.stdout.rstrip().splitlines()) + "\n")


def keep(directory, caisse, compta):
    heading("Both agents are running. Try, in another terminal:")
    print("""
   export PATH=%(bin)s:$PATH
   sqlite3 %(a)s "UPDATE shop_article SET price = 999 WHERE reference = 'SAVON'"
   sqlite3 %(b)s "SELECT reference, price FROM shop_article"
   agent-cli --home %(ah)s status
   agent-cli --home %(bh)s peers
   agent-cli --home %(bh)s stop        then sell on both, and start it again:
   navette-agent --home %(bh)s

   Everything is in %(dir)s and goes away with Ctrl-C.
""" % {"bin": PROGRAMS, "a": caisse.db, "b": compta.db, "ah": caisse.home, "bh": compta.home, "dir": directory}, flush=True)
    while True:
        signal.pause()


def stop_on_signal(number, frame):
    raise KeyboardInterrupt


def clean_up(directory, pcs):
    """To the end, whatever is pressed. Whoever tries things may have started agents of his own: they are stopped, too."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for pc in pcs:
        pc.cli("stop", ok=None)
        pc.stop()
    shutil.rmtree(directory, ignore_errors=True)


def main():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="navette-demo-"))
    pcs = []
    try:
        signal.signal(signal.SIGTERM, stop_on_signal)
        pcs += [make_pc(directory, name) for name in ("CAISSE01", "COMPTA01")]
        caisse, compta = pcs
        set_up(caisse, compta)
        join(caisse, compta)
        one_sale(caisse, compta)
        both_at_once(caisse, compta)
        cable(caisse, compta)
        statuses(caisse, compta)
        if sys.argv[1:] == ["--keep"]:
            keep(directory, caisse, compta)
        return 0
    except KeyboardInterrupt:
        print("\nended", flush=True)
        return 130
    except AssertionError as e:
        print("\nthe demo failed: %s" % e, file=sys.stderr)
        for pc in pcs:
            print(pc.tail(), file=sys.stderr)
        return 1
    finally:
        clean_up(directory, pcs)


sys.exit(main())
