#!/usr/bin/env python3
"""clang-tidy over the given files: all cores, with progress, and only over what has changed since it was last clean.

A file is clean for good once clang-tidy passed it with the same text, the same headers of ours (however deep), the same
rules, compile command and packages. Such passes are marks in $XDG_CACHE_HOME/muster-tidy, a mark a file, which every
clone of this user shares; those unused for a month go. Exits 1 when there was a finding.

    tools/tidy.py [--deep] FILE...
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIDY = "clang-tidy-19"
COMMANDS = ROOT / "build/lint/compile_commands.json"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
# The static analyzer gives up a function after so many steps instead of 225,000, which halves the time.
QUICK = [f"--extra-arg={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=40000")]
MARK_DAYS_MAX = 30


def headers_of(path, known):
    """The path and every header of ours that it includes, however deep. `known`: what is read already, by path."""
    seen, rest = set(), [path]
    while rest:
        one = rest.pop()
        if one in seen:
            continue
        seen.add(one)
        if one not in known:
            text = one.read_bytes()
            names = INCLUDE.findall(text.decode(errors="replace"))
            found = [place for name in names
                     for place in (ROOT / "lib" / name, ROOT / "src" / name, one.parent / name) if place.is_file()]
            known[one] = (hashlib.sha256(text).digest(), found)
        rest += known[one][1]
    return sorted(seen)


def surroundings(options):
    """What counts for all files: rules, clang-tidy's own version, the packages whose headers there are, options."""
    packages = subprocess.run(["dpkg-query", "--show", "*-dev"], capture_output=True, check=True).stdout
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    return b"\0".join([(ROOT / ".clang-tidy").read_bytes(), version, packages, " ".join(options).encode()])


def command_of(path, commands):
    """Its compile command without the place where this clone lies."""
    return commands.get(str(path), "").replace(str(ROOT), "").encode()


def mark_of(path, common, commands, known):
    digest = hashlib.sha256(common + command_of(path, commands))
    for one in headers_of(path, known):
        digest.update(str(one.relative_to(ROOT)).encode() + b"\0" + known[one][0])
    return digest.hexdigest()


def drop_old(marks):
    oldest = time.time() - MARK_DAYS_MAX * 86400
    for mark in marks.iterdir():
        if mark.stat().st_mtime < oldest:
            mark.unlink(missing_ok=True)


def tidy(path, options):
    """(passed, what it printed)."""
    done = subprocess.run([TIDY, "-p", str(COMMANDS.parent), "--quiet", *options, str(path)],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.returncode == 0, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--deep", action="store_true", help="let the static analyzer search fully")
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    options = [] if arguments.deep else QUICK
    commands = {entry["file"]: entry["command"] for entry in json.loads(COMMANDS.read_text())}
    marks = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "muster-tidy"
    marks.mkdir(parents=True, exist_ok=True)
    drop_old(marks)

    common, known, to_do = surroundings(options), {}, {}
    for name in arguments.files:
        path = (ROOT / name).resolve()
        mark = marks / mark_of(path, common, commands, known)
        if mark.exists():
            mark.touch()
        else:
            to_do[path] = mark
    print(f"{len(arguments.files) - len(to_do)} files are clean since they last changed, {len(to_do)} to look at",
          flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {pool.submit(tidy, path, options): path for path in to_do}
        for number, done in enumerate(concurrent.futures.as_completed(running), 1):
            path = running[done]
            passed, printed = done.result()
            print(f"[{number}/{len(to_do)}] {path.relative_to(ROOT)}{'' if passed else ': findings'}", flush=True)
            if passed:
                to_do[path].touch()
            else:
                failed += 1
                print(printed, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
