#!/usr/bin/env python3
"""Holds docs/mqtt-conformance.md to the list of normative statements (docs/mqtt-statements.txt) and to the tests it names.

Every statement has exactly one row in its version's table, no row is of another statement, every row says what the statement
says in words and names a test that exists, or why none can ("n/a: ..."). Prints one line a problem and exits 1; prints nothing
and exits 0 when there is none.
"""
import pathlib
import re
import sys

PAGE = "docs/mqtt-conformance.md"
STATEMENTS = "docs/mqtt-statements.txt"
HEADING = re.compile(r"^## MQTT (\S+)$")
ROW = re.compile(r"^\| (MQTT-\S+) \| (.*?) \| (.*?) \|$")
TEST = re.compile(r"`([\w./-]+)`: `(\w+)`")
NOT_APPLICABLE = ("n/a: client", "n/a: no bridge")
GOOGLE_TEST = r"\bTEST(?:_F|_P)?\(\s*\w+,\s*{}\s*\)"
PYTHON_TEST = r"\bdef {}\("


def test_exists(root, file, name):
    path = root / file
    pattern = PYTHON_TEST if path.suffix == ".py" else GOOGLE_TEST
    return path.is_file() and re.search(pattern.format(re.escape(name)), path.read_text(encoding="utf-8")) is not None


def check_row(root, where, words, tests):
    if not words:
        yield f"{where}: says nothing"
    if tests in NOT_APPLICABLE:
        return
    named = TEST.findall(tests)
    if not named or TEST.sub("", tests).strip(" ,"):
        yield f"{where}: names no test, but {tests!r}"
    for file, name in named:
        if not test_exists(root, file, name):
            yield f"{where}: there is no test {name} in {file}"


def check(root, page, statements):
    wanted = [tuple(line.split()) for line in statements.splitlines() if line]
    seen = set()
    version = None
    for line in page.splitlines():
        if heading := HEADING.match(line):
            version = heading.group(1)
        row = ROW.match(line)
        if not row:
            if line.startswith("| MQTT-"):
                yield f"{PAGE}: a row without three columns: {line}"
            continue
        statement, words, tests = row.groups()
        where = f"{PAGE}: {version} {statement}"
        if (version, statement) not in wanted:
            yield f"{where}: is no statement of {STATEMENTS}"
        if (version, statement) in seen:
            yield f"{where}: has two rows"
        seen.add((version, statement))
        yield from check_row(root, where, words, tests)
    for version, statement in wanted:
        if (version, statement) not in seen:
            yield f"{PAGE}: no row for {version} {statement}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    problems = [*check(root, (root / PAGE).read_text(encoding="utf-8"), (root / STATEMENTS).read_text(encoding="utf-8"))]
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
