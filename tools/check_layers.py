#!/usr/bin/env python3
"""Holds the tree to layers.toml: every #include of ours, every muster_module() DEPENDS, every back-end and client header.

Prints one line a violation and exits 1; prints nothing and exits 0 when the tree follows its map.
"""
import pathlib
import re
import sys
import tomllib

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
MODULE = re.compile(r"muster_module\(\s*(\w+)([^)]*)\)")
KEYWORDS = {"DEPENDS", "LINK", "TEST_DEPENDS"}
LINES_MAX = 1000
PRODUCT_ROOTS = ("lib", "src")


def module_of(path, modules):
    """The module that a file belongs to: the longest module folder that holds it."""
    fitting = [name for name in modules if path.is_relative_to(name)]
    return max(fitting, key=len, default=None)


def module_named(include, modules):
    """The module that an include path such as "contract/event.h" leads to, or None when it is not ours."""
    folder = include.split("/")[0]
    for root in PRODUCT_ROOTS:
        if f"{root}/{folder}" in modules:
            return f"{root}/{folder}"
    return None


def declared_depends(text):
    found = MODULE.search(text)
    if not found:
        return None
    depends, keyword = [], None
    for word in found.group(2).split():
        if word in KEYWORDS:
            keyword = word
        elif keyword == "DEPENDS":
            depends.append(word)
    return depends


def check_sources(root, layers):
    modules, prefixes, clients = layers["modules"], tuple(layers["back_ends"]["prefixes"]), layers["clients"]
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.suffix not in (".h", ".cpp") or relative.parts[0] not in {m.split("/")[0] for m in modules}:
            continue
        module = module_of(relative, modules)
        if module is None:
            yield f"{relative}: its folder is not on the map (layers.toml)"
            continue
        allowed = modules[module]["may_include"]
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > LINES_MAX:
            yield f"{relative}: {text.count(chr(10))} lines; a file over {LINES_MAX} holds two things"
        if path.suffix == ".h" and "#pragma once" not in text:
            yield f"{relative}: no #pragma once"
        for bracket, include in INCLUDE.findall(text):
            target = module_named(include, modules) if bracket == '"' else None
            if target and target != module and "*" not in allowed and target not in allowed:
                yield f"{relative}: includes {include}, and {module} may not include {target}"
            name = include.split("/")[-1]
            if target and name.startswith(prefixes) and "*" not in allowed:
                if not path.name.startswith(prefixes):
                    yield f"{relative}: names the back end {include}; only app and tests choose a back end"
            for client, users in clients.items():
                if include.startswith(client) and "*" not in allowed:
                    if not any(path.name.startswith(user) or str(relative).startswith(user) for user in users):
                        yield f"{relative}: includes {include}, which is for files {', '.join(users)} only"


def check_cmake(root, layers):
    modules = layers["modules"]
    for module, rule in modules.items():
        cmake = root / module / "CMakeLists.txt"
        depends = declared_depends(cmake.read_text(encoding="utf-8")) if cmake.exists() else None
        for depend in depends or []:
            target = module_named(depend + "/", modules)
            if "*" not in rule["may_include"] and target not in rule["may_include"]:
                yield f"{module}/CMakeLists.txt: DEPENDS {depend}, which layers.toml does not allow"


def check_order(layers):
    """The map is in flow order: a module may include only what stands above it, so there is no cycle."""
    seen = set()
    for module, rule in layers["modules"].items():
        for target in rule["may_include"]:
            if target != "*" and target not in seen:
                yield f"layers.toml: {module} may include {target}, which does not stand above it"
        seen.add(module)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    layers = tomllib.loads((root / "layers.toml").read_text(encoding="utf-8"))
    problems = [*check_order(layers), *check_cmake(root, layers), *check_sources(root, layers)]
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
