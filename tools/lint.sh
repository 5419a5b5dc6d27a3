#!/usr/bin/env bash
# Layers, links, formatting and clang-tidy over the whole tree; FILES="a.cpp b.cpp" limits clang-tidy to some, DEEP=1
# lets its static analyzer search fully.
set -uo pipefail
cd "$(dirname "$0")/.."
status=0
step() { echo "==> $1"; shift; "$@" || status=1; }

step "Layers" /usr/bin/python3 tools/check_layers.py
step "Links" /usr/bin/python3 tools/check_links.py
step "Formatting" bash -c "git ls-files '*.h' '*.cpp' | xargs clang-format-19 --dry-run -Werror"
[ -f build/lint/compile_commands.json ] && [ build/lint/compile_commands.json -nt CMakeLists.txt ] ||
    cmake --preset lint >/dev/null || exit 1
cmake build/lint >/dev/null || exit 1
files=${FILES:-$(git ls-files 'lib/*.cpp' 'src/*.cpp' | grep -v _test.cpp)}
step "clang-tidy" tools/tidy.py ${DEEP:+--deep} $files
exit $status
