"""count.py KIND LOG...: how many tests passed, failed and were skipped, then the end of what failed.

A program that failed without counting a failure (it crashed, or found nothing to run) counts as one."""

import collections
import re
import sys
import xml.etree.ElementTree as xml

LINES_SHOWN = 40
TALLY = r"\[  (PASSED|FAILED|SKIPPED) *\] (\d+) test\(s\)"


def count_cmocka(*paths):
    total, shown = collections.Counter(), []
    for path in paths:
        counts = collections.Counter()
        text = open(path, errors="replace").read()
        for word, number in re.findall(TALLY, text):
            counts[word] += int(number)
        if not counts["FAILED"] and not (counts["PASSED"] and text.endswith("ended with 0\n")):
            counts["FAILED"] += 1
        if counts["FAILED"]:
            shown += [path] + re.findall(r"^seed \d+: .*", text, re.M) + text.splitlines()[-LINES_SHOWN:]
        total += counts
    return total, shown


def count_ctest(path):
    counts, output, verdict = collections.Counter(), collections.defaultdict(list), {}
    found = collections.defaultdict(collections.Counter)
    for line in open(path, errors="replace"):
        said = re.match(r"(\d+): (.*)", line)
        if said:
            output[said[1]].append(said[2])
            tally = re.match(TALLY, said[2])
            if tally:
                found[said[1]][tally[1]] += int(tally[2])
        done = re.match(r" *\d+/\d+ Test +#(\d+): (\S+) \.+(.*?) +[\d.]+ sec", line)
        if done:
            verdict[done[1]] = (done[2], done[3].strip(" *") == "Passed", done[3].strip(" *"))
    failures = []
    for number, (name, passed, how) in verdict.items():
        if not found[number] and (passed or how == "Skipped"):
            counts["PASSED" if passed else "SKIPPED"] += 1
        elif not passed:
            if not found[number]["FAILED"]:
                counts["FAILED"] += 1
            failures += ["%s: %s" % (name, how)] + output[number][-LINES_SHOWN:]
        counts += found[number]
    if not verdict:
        counts["FAILED"] += 1
        failures = ["no test ran"] + open(path, errors="replace").read().splitlines()[-LINES_SHOWN:]
    return counts, failures


def count_pytest(path, log):
    try:
        suite = xml.parse(path).getroot().find("testsuite")
    except (OSError, xml.ParseError):
        return collections.Counter(FAILED=1), open(log, errors="replace").read().splitlines()[-LINES_SHOWN:]
    number = {name: int(suite.get(name)) for name in ("tests", "errors", "failures", "skipped")}
    bad = number["errors"] + number["failures"]
    counts = collections.Counter(PASSED=number["tests"] - bad - number["skipped"], FAILED=bad,
                                 SKIPPED=number["skipped"])
    if not counts["PASSED"] and not bad and not number["skipped"]:
        return collections.Counter(FAILED=1), ["no test ran"]
    text = open(log, errors="replace").read().splitlines()
    summary = next((at for at, line in enumerate(text) if "short test summary" in line), len(text))
    shown = [line[:300] for line in text[summary + 1:] if line.startswith(("FAILED", "ERROR", "SKIPPED"))]
    return counts, shown


def count_fuzz(path):
    text = open(path, errors="replace").read().splitlines()
    counts = collections.Counter(PASSED=sum(line.endswith(" ok") for line in text),
                                 FAILED=sum(line.endswith(" FAILED") for line in text))
    if not counts:
        return collections.Counter(FAILED=1), text[-LINES_SHOWN:]
    return counts, text[-LINES_SHOWN:] if counts["FAILED"] else []


def main(kind, *logs):
    counts, shown = {"ctest": count_ctest, "cmocka": count_cmocka, "pytest": count_pytest, "fuzz": count_fuzz}[kind](*logs)
    print(counts["PASSED"], counts["FAILED"], counts["SKIPPED"])
    for line in shown:
        print("    " + line)


main(*sys.argv[1:])
