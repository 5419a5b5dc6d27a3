#!/usr/bin/env python3
"""Checks that every relative link and every `path/like/this` in backticks in the tree's Markdown leads to something;
a path may start at the tree's root or beside the page.

Prints one line a dead link and exits 1; exits 0 when all lead somewhere.
"""
import pathlib
import re
import subprocess
import sys

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:lib|src|web|tests|fuzz|bench|deploy|docs|cmake|tools)/[\w./-]*)`")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    tracked = subprocess.run(["git", "ls-files", "*.md"], cwd=root, capture_output=True, text=True, check=True)
    dead = []
    for name in tracked.stdout.split():
        page = root / name
        text = page.read_text(encoding="utf-8")
        for target in LINK.findall(text):
            if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists():
                dead.append(f"{name}: link to {target} leads nowhere")
        for target in PATH.findall(text):
            if not (root / target).exists() and not (page.parent / target).exists():
                dead.append(f"{name}: names {target}, which is not there")
    print("\n".join(dead), end="\n" if dead else "")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
