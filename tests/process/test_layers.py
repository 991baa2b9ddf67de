"""The rules of the house that a machine can check: who may include whom, what is banned, how long things may be.

Each failure lists file:line and what is wrong there."""

import pathlib
import re

REPO = pathlib.Path(__file__).resolve().parents[2]

C_LIBRARY = set(
    """assert.h ctype.h errno.h float.h inttypes.h limits.h math.h setjmp.h signal.h stdalign.h stdarg.h stdatomic.h
    stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h time.h""".split()
)
# What each folder may include besides the C library, <navette/...> and headers of its own.
LAYERS = {
    "include/navette": set(),
    "protocol": {"sodium.h", "msgpack.h", "msgpack/pack.h"},
    "agent/store": {"sqlite3.h", "sodium.h", "strings.h"},
}
JSON = re.compile(r"protocol/json\w*\.c")  # the only files of protocol/ that know JSON
NEVER = {"agent": {"msgpack.h"}, "agent/store": {"uv.h", "msgpack.h"}}
BANNED = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|gets|alloca)\s*\(")
LONG = re.compile(r"(?<!long )\blong\b(?! long\b)(?! double\b)")

FILE_LINES_MAX = 700  # aim: 600
HEADER_LINES_MAX = 200  # aim: 150
FUNCTION_LINES_MAX = 70  # aim: 30
COLUMNS_MAX = 100


def sources(*folders, ends=(".c", ".h")):
    for folder in folders:
        for path in sorted((REPO / folder).rglob("*")):
            if path.suffix in ends and "build" not in path.relative_to(REPO).parts:
                yield path


def name_of(path):
    return path.relative_to(REPO).as_posix()


def lines_of(path):
    return path.read_text(encoding="utf-8").split("\n")


def code_of(path):
    """The lines without comments, and with texts emptied, so that words in them are not taken for code."""
    text = path.read_text(encoding="utf-8")

    def blank(match):
        found = match.group(0)
        if found.startswith("/"):
            return re.sub(r"[^\n]", " ", found)
        return found[0] * 2

    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, blank, text, flags=re.S).split("\n")


def includes(path):
    for number, line in enumerate(lines_of(path), 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1), match.group(2)


def layer_of(name):
    return next((layer for layer in LAYERS if name.startswith(layer + "/")), None)


def check(problems):
    assert not problems, "\n" + "\n".join(problems)


def test_each_layer_includes_only_what_is_below_it():
    problems = []
    for path in sources("include/navette", "protocol", "agent/store"):
        name = name_of(path)
        layer = layer_of(name)
        allowed = LAYERS[layer] | C_LIBRARY | ({"json-c/json.h"} if JSON.fullmatch(name) else set())
        for number, quote, header in includes(path):
            if header.startswith("navette/"):
                fits = quote == "<" and (REPO / "include" / header).is_file()
            elif quote == '"':
                fits = layer != "include/navette" and "/" not in header
            else:
                fits = header in allowed
            if not fits:
                problems.append(f"{name}:{number}: {layer}/ must not include {header}")
    check(problems)


def test_nobody_includes_what_is_another_layers_business():
    problems = []
    for path in sources("agent", "tools/agent-cli"):
        name = name_of(path)
        layer = "agent/store" if name.startswith("agent/store/") else "agent"
        for number, _, header in includes(path):
            if header in NEVER[layer] or (layer == "agent" and header == "sqlite3.h"):
                problems.append(f"{name}:{number}: {layer}/ must not include {header}")
    check(problems)


def test_quoted_includes_exist_beside_or_below():
    problems = []
    for path in sources("protocol", "agent"):
        for number, quote, header in includes(path):
            below = [path.parent, *([REPO / "agent/store"] if path.parent == REPO / "agent" else [])]
            generated = header == "schema_sql.h"
            if quote == '"' and not generated and not any((place / header).is_file() for place in below):
                problems.append(f"{name_of(path)}:{number}: no {header} here")
    check(problems)


def test_each_source_includes_its_own_header_first():
    problems = []
    for path in sources("protocol", "agent", ends=(".c",)):
        shared = REPO / "include" / "navette" / (path.stem + ".h")
        private = path.with_suffix(".h")
        own = {f"navette/{path.stem}.h"} if shared.is_file() else set()
        own |= {private.name} if private.is_file() else set()
        first = next(includes(path), None)
        if own and (first is None or first[2] not in own):
            problems.append(f"{name_of(path)}:{first[0] if first else 1}: its own header must come first")
    check(problems)


def test_every_header_has_a_guard_of_its_own():
    problems, seen = [], {}
    for path in sources("include/navette", "protocol", "agent", ends=(".h",)):
        match = re.search(r"^#ifndef (\w+)\n#define \1\n", path.read_text(encoding="utf-8"), re.M)
        if not match:
            problems.append(f"{name_of(path)}:1: no include guard")
        elif match.group(1) in seen:
            problems.append(f"{name_of(path)}:1: the guard {match.group(1)} is also {seen[match.group(1)]}'s")
        else:
            seen[match.group(1)] = name_of(path)
    check(problems)


def test_banned_functions_are_not_called():
    problems = []
    for path in sources("include", "protocol", "agent", "tools", "tests"):
        for number, line in enumerate(code_of(path), 1):
            match = BANNED.search(line)
            if match:
                problems.append(f"{name_of(path)}:{number}: {match.group(1)} is banned")
    check(problems)


def test_no_size_is_a_long():
    """`long` has another width on Windows; `long long` for a printf is allowed, and so is what the C library returns."""
    problems = []
    for path in sources("include", "protocol", "agent", "tools"):
        for number, line in enumerate(code_of(path), 1):
            if LONG.search(line) and "long long" not in line and "strtol" not in line:
                problems.append(f"{name_of(path)}:{number}: long")
    check(problems)


def test_lines_are_short_and_have_no_tabs():
    problems = []
    for path in sources("include", "protocol", "agent", "tools", "tests"):
        for number, line in enumerate(lines_of(path), 1):
            if "\t" in line:
                problems.append(f"{name_of(path)}:{number}: a tab")
            if len(line) > COLUMNS_MAX:
                problems.append(f"{name_of(path)}:{number}: {len(line)} columns")
            if line != line.rstrip():
                problems.append(f"{name_of(path)}:{number}: space at the end")
    check(problems)


def test_files_are_short():
    problems = []
    for path in sources("include", "protocol", "agent", "tools", "tests"):
        count = len(lines_of(path)) - 1
        limit = HEADER_LINES_MAX if path.suffix == ".h" and "tests" not in path.parts else FILE_LINES_MAX
        if count > limit:
            problems.append(f"{name_of(path)}:{limit + 1}: {count} lines")
    check(problems)


def functions(path):
    """(line of the name, lines) of each function: a brace alone in the first column opens it, one closes it."""
    start = None
    for number, line in enumerate(lines_of(path), 1):
        if line == "{":
            start = number - 1
        elif line == "}" and start is not None:
            yield start, number - start + 1
            start = None


def test_functions_are_short():
    problems = []
    for path in sources("protocol", "agent", "tools", "tests", ends=(".c",)):
        for number, count in functions(path):
            if count > FUNCTION_LINES_MAX:
                problems.append(f"{name_of(path)}:{number}: a function of {count} lines")
    check(problems)


def test_functions_have_no_conditional_compilation_inside():
    problems = []
    for path in sources("protocol", "agent"):
        inside = False
        for number, line in enumerate(lines_of(path), 1):
            inside = line == "{" or (inside and line != "}")
            if inside and re.match(r"\s*#\s*(if|ifdef|ifndef|else|elif)\b", line):
                problems.append(f"{name_of(path)}:{number}: #if inside a function")
    check(problems)


def test_nothing_is_left_for_later():
    problems = []
    for path in sources("include", "protocol", "agent", "tools", "tests"):
        for number, line in enumerate(lines_of(path), 1):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b|not implemented", line):
                problems.append(f"{name_of(path)}:{number}: {line.strip()}")
    check(problems)


def test_structs_have_no_typedef():
    problems = []
    for path in sources("include", "protocol", "agent", "tools"):
        for number, line in enumerate(code_of(path), 1):
            if re.search(r"\btypedef\s+(struct|union|enum)\b", line):
                problems.append(f"{name_of(path)}:{number}: typedef")
    check(problems)


# Modules whose unit tests are in a program of another name, by that name. Every other one has test_<module>.c.
TESTED_BY = {
    "agent": {
        "invitation": "join",
        "links": "links_dial",
    },
    "agent/store": {
        "again": "evidence owe",
        "behind": "behind_laps behind_rows ledger_points replay",
        "conflict": "ledger_conflict",
        "conflicts": "describe parked restore",
        "correct": "ledger_limits regain_limits remerge",
        "counters": "publish_cells reading",
        "cut": "belief",
        "deletes": "batch_dead publish_revive",
        "drain": "settings",
        "fork": "fork_repeat",
        "ledger": "ledger_kept ledger_lasting ledger_meta ledger_order ledger_rows",
        "ledger_large": "ledger_log",
        "match": "match_content",
        "project": "batch_fit batch_write",
        "rebuild": "outlined said",
        "recover": "follow",
        "references": "appref batch_follow batch_refer",
        "regain": "placed regain_place",
        "rulecheck": "rulenames",
        "columns": "publish_fresh",
        "schemas": "column_notes columns ledger_names rename rename_find scan",
        "store": "batch_keys drain merge publish sweep",
        "typed": "appname refer seen",
        "unique": "batch_unique repair",
        "unite": "batch_unite publish_name",
        "withhold": "apprule bindrule",
    },
    "protocol": {
        "json": "json_counter json_text json_write",
        "judge": "roster_admin roster_key",
        "outline": "outline_write",
        "quarrels": "fold",
        "roster": "room",
        "rules": "roster_rules",
        "sync": "sync_chain sync_claims sync_plan",
    },
}


def test_every_module_has_a_unit_test_that_names_it():
    problems, known = [], set()
    for folder, programs in TESTED_BY.items():
        for program, modules in programs.items():
            for module in modules.split():
                known.add(folder + "/" + module + ".c")
                path = REPO / "tests" / "unit" / ("test_%s.c" % program)
                if not (REPO / folder / (module + ".c")).is_file():
                    problems.append(f"{folder}/{module}.c: there is no such module")
                elif not path.is_file() or not re.search(r"\b%s\.c\b" % module, path.read_text(encoding="utf-8")):
                    problems.append(f"{name_of(path)}: does not name {module}.c")
    for path in sources("agent", "protocol", ends=(".c",)):
        test = REPO / "tests" / "unit" / ("test_" + path.name)
        if name_of(path) not in known and not test.is_file():
            problems.append(f"{name_of(path)}: no {name_of(test)}, and no other unit test is said to be its own")
    check(problems)


def test_every_warning_is_brought_about_by_a_test():
    header = (REPO / "agent" / "warning.h").read_text(encoding="utf-8")
    warnings = re.findall(r'X\((\w+),\s+"([a-z-]+)"', header)
    process = "".join(path.read_text(encoding="utf-8") for path in sources("tests/process", ends=(".py",)))
    unit = "".join(path.read_text(encoding="utf-8") for path in sources("tests/unit") if path.stem != "test_warning")
    assert len(warnings) > 20
    check([f"agent/warning.h: no test of {word}" for name, word in warnings
           if word not in process and not re.search(r"\bWARNING_%s\b" % name, unit)])


def test_every_defence_names_tests_that_exist():
    text = (REPO / "protocol" / "SECURITY.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (`.+`) \|$", text[text.index("## Defences"):], flags=re.M)
    process = set().union(*(re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), flags=re.M)
                            for path in sources("tests/process", ends=(".py",))))
    unit = set().union(*(re.findall(r"^static void (\w+)\(void \*\*state\)", path.read_text(encoding="utf-8"), flags=re.M)
                         for path in sources("tests/unit")))
    assert len(rows) > 30
    check([f"protocol/SECURITY.md: {defence}: there is no test {name}" for defence, names in rows
           for name in re.findall(r"`(\w+)`", names) if name not in process | unit])
