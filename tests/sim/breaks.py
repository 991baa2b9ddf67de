#!/usr/bin/env python3
"""Break one rule of the merge after the other, and see that the simulator's weeks notice each.

    tests/sim/breaks.py --check               every break still names code that is there: quick
    tests/sim/breaks.py [--seeds N] [NAME...]  build each in a copy of the sources, and run the weeks

The last line says how many were noticed. One that is not shows a hole in the oracle: mend that, not this list.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

REPO = pathlib.Path(__file__).resolve().parents[2]
STORE = "agent/store/"
SECONDS_MAX = 900  # for the weeks of one break

# name: what is broken; file; what stands there once; what takes its place.
BREAKS = {
    "earlier-write-wins": (
        "of two writes of a cell the earlier one stands",
        "ledger_order.c",
        "    order = ledger_clock_compare(l, &a->clock, &b->clock);\n    if (order == 0 && left",
        "    order = ledger_clock_compare(l, &b->clock, &a->clock);\n    if (order == 0 && left",
    ),
    "no-raised-clocks": (
        "an edit by a PC with a slow clock does not beat what it replaced",
        "publish_cells.c",
        "least > stamp ? least : stamp;",
        "least > stamp && stamp == 0 ? least : stamp;",
    ),
    "earlier-delete-stands": (
        "of two deletes of a row the earlier one counts",
        "merge.c",
        "had->number == 0 || ledger_clock_compare(l, clock, had) > 0)",
        "had->number == 0 || ledger_clock_compare(l, clock, had) < 0)",
    ),
    "edits-raise-nobody": (
        "an edit later than a delete does not bring the row back",
        "ledger_order.c",
        "        if ((c->set && is_edit(l, r, &c->clock)) || counted_after(l, r, c))",
        "        if (c->set && r->dead.number == 0)",
    ),
    "sets-forget-totals": (
        "a value written over a sum does not contain what its author had seen of it",
        "counter.c",
        "    n = combine(r, c->counter, NULL, set->counter, &totals);",
        "    n = combine(r, c->counter, NULL, NULL, &totals);",
    ),
    "totals-start-anew": (
        "what a till adds to a sum is said without what it had added before",
        "publish_cells.c",
        "    if (mine != NULL && !decimal_add(&c->total, &c->total, &mine->total))",
        "    if (mine == NULL && !decimal_add(&c->total, &c->total, &c->total))",
    ),
    "drained-again-adds-twice": (
        "what was added by marks that are drained again, after a home went back, counts twice",
        "again.c",
        "    return ok && (!noted || again_note(s, actor, number, e));",
        "    return ok;",
    ),
    "later-claim-stays": (
        "of two rows with one number the earlier claim yields",
        "batch_unique.c",
        "    *yields = order < 0 ||",
        "    *yields = order > 0 ||",
    ),
    "equal-names-are-two": (
        "rows under one natural key stay two rows",
        "unite.c",
        "    if (!unite_named(s, *gid, known, e) || !ledger_alias(l, *gid, known, e))\n"
        "        return false;\n    *gid = known;\n",
        "",
    ),
    "parents-go": (
        "a deleted row goes although living rows name it",
        "batch_dead.c",
        "            if (!has_children(b, w, ANY, &has, e) || (has && !restore(b, w, e)))",
        "            has = false;\n            if (has && !restore(b, w, e))",
    ),
    "numbers-are-not-followed": (
        "a row that names another one by its number shows the old number when that changes",
        "batch_follow.c",
        "    bool ok = settle_all(b, rows, &n, e);\n",
        "    bool ok = true;\n\n    n = 0;\n",
    ),
    "numbers-are-plain": (
        "a reference by a number is said as the number, not as the row that has it",
        "refer.c",
        "        return named_unique(s, c, values, arena, out, e);\n",
        "        break;\n",
    ),
    "who-subscribes-speaks": (
        "a PC that by rule only takes in a table says its rows all the same",
        "withhold.c",
        "    *says = !t->b->mute && (t->key",
        "    *says = (t->key",
    ),
    "who-publishes-listens": (
        "rows come into a table that by rule takes none in here",
        "bindrule.c",
        "    b->deaf = way != NULL && way->kind == RULE_PUBLISH;\n",
        "    b->deaf = way != NULL && way->kind == RULE_PUBLISH && b->mute;\n",
    ),
    "filters-let-all-out": (
        "a row that no filter lets out is said all the same",
        "withhold.c",
        "    return filter_match(t->b->filter, t->values, says, e);\n",
        "    *says = true;\n    return true;\n",
    ),
    "equal-marks-are-two": (
        "rows that are one by rule, having one UNIQUE value, stay two",
        "bind.c",
        "    return kind != 0 ? kind == RULE_MERGE : ",
        "    return kind != 0 ? kind == 0 : ",
    ),
    "fill-ins-are-edits": (
        "a column that stays on each PC goes out like any other",
        "apprule.c",
        "        if (r == NULL) {\n",
        "        if (r == NULL || r->argument != NULL) {\n",
    ),
    "keys-are-given-twice": (
        "a newcomer gets its author's key although it was another row's here",
        "batch_keys.c",
        "    *taken = *taken ? mine <= others : mine < others;\n",
        "    *taken = false;\n",
    ),
    "repairs-are-not-noted": (
        "a PC says a repair and does not believe it itself",
        "repair.c",
        "        cell->v = shown->v;\n",
        "",
    ),
    "names-stay-behind": (
        "rows whose keys name two rows that are one by now stay two rows",
        "unite_names.c",
        "        ok = find_stale(s, &m, e) && take_names(s, &m, e);\n",
        "        ok = find_stale(s, &m, e);\n",
    ),
    "keys-stay-behind": (
        "what names a row by a key that it loses, as it names another row now, goes on naming that key",
        "batch_unite.c",
        "    if (w->renames && stands == w->gid) {\n",
        "    if (w->renames && stands == w->gid && w->left) {\n",
    ),
    "one-part-takes-all": (
        "of rows that are one, the delete of one takes the other one as well",
        "unite.c",
        "    return parts_any(s, stands, true, &lives, e) && (lives || latest_death(",
        "    return parts_any(s, stands, true, &lives, e) && (latest_death(",
    ),
    "defaults-are-chosen": (
        "what a migration filled in is taken for an edit of whoever saves the row next",
        "batch_write.c",
        "    if (!odd && w->want.p == NULL && says_all(b, w->b))\n",
        "    if (!odd && w->want.p == NULL)\n",
    ),
    "newcomers-are-believed": (
        "what a PC had written before it joined beats what the fleet has written since",
        "match.c",
        "    if (m->alone)\n        t->wall_ms = m->now_ms;\n    if (t->b",
        "    t->wall_ms = m->now_ms;\n    if (t->b",
    ),
    "old-files-are-news": (
        "a file that went back is not noticed while no apply is lost",
        "recover.c",
        "    *fit = l->cursor == 0 || (found && time == l->cursor_time);\n    if (!*fit || l->looked <= l->cursor)",
        "    *fit = l->cursor == 0 || found || time == 0;\n    if (*fit || l->looked <= l->cursor)",
    ),
}


def broken(name):
    """The file of a break, and its text with and without it."""
    _, where, old, new = BREAKS[name]
    path = pathlib.Path(STORE + where)
    text = (REPO / path).read_text(encoding="utf-8")
    if text.count(old) != 1:
        sys.exit(f"{name}: {path} has {text.count(old)} places like this, not one:\n{old}")
    return path, text, text.replace(old, new)


def copy_sources(to):
    names = subprocess.run(
        ["git", "-C", REPO, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True
    ).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (REPO / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPO / name, to / name)
    rules = to / "CMakeLists.txt"  # what a break leaves unused is no error
    rules.write_text(rules.read_text(encoding="utf-8").replace("-Werror", ""), encoding="utf-8")


def build(tree):
    made = subprocess.run(
        ["cmake", "--build", tree / "build", "--target", "navette-sim"], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        sys.exit("it does not build:\n" + "\n".join(re.findall(r".*error.*", made.stdout)))


def weeks(tree, seeds, *options):
    """What the first week that fails says; None when none does."""
    try:
        run = subprocess.run(
            [tree / "build/bin/navette-sim", "--seeds", str(seeds), *options],
            capture_output=True, text=True, errors="replace", check=False, timeout=SECONDS_MAX,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {SECONDS_MAX} s"
    if run.returncode == 0:
        return None
    said = re.search(r"^seed .*|.*Assertion.*", run.stderr, re.M)
    return said.group(0) if said else f"ended with {run.returncode}"


def notice(tree, name, seeds):
    path, whole, cut = broken(name)
    (tree / path).write_text(cut, encoding="utf-8")
    build(tree)
    kinds = (
        ["--calm"], [], ["--calm", "--draw", "schema"], ["--calm", "--draw", "adopt"], ["--restores", "home"],
    )
    said = next(filter(None, (weeks(tree, seeds, *kind) for kind in kinds)), None)
    (tree / path).write_text(whole, encoding="utf-8")
    print(f"{name}: {BREAKS[name][0]}\n    {said or 'NOT NOTICED'}", flush=True)
    return said is not None


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--check", action="store_true")
    options.add_argument("--seeds", type=int, default=300)
    options.add_argument("names", nargs="*", metavar="NAME")
    asked = options.parse_args()
    names = asked.names or list(BREAKS)

    for name in names:
        broken(name)
    if asked.check:
        print(f"{len(names)} breaks fit")
        return
    with tempfile.TemporaryDirectory(prefix="navette-breaks-") as folder:
        tree = pathlib.Path(folder)
        copy_sources(tree)
        subprocess.run(
            ["cmake", "-S", tree, "-B", tree / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
             "-DNAVETTE_TESTS=OFF", "-DNAVETTE_SIMULATOR=ON"],
            check=True, capture_output=True,
        )
        build(tree)
        noticed = sum(notice(tree, name, asked.seeds) for name in names)
    print(f"{noticed} of {len(names)} noticed")
    sys.exit(noticed != len(names))


if __name__ == "__main__":
    main()
