#!/usr/bin/env bash
# Configures a CMake preset when needed and builds the given targets in it, with ninja's progress.
#   tools/build.sh release muster
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
[ $# -gt 0 ] || set -- all
[ -f "build/$preset/build.ninja" ] || {
    echo "==> Configuring build/$preset"
    log=$(mktemp)
    cmake --preset "$preset" >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; exit 1; }
    rm -f "$log"
}
if [ "$(ninja -C "build/$preset" -n "$@" 2>/dev/null | tail -n 1)" = "ninja: no work to do." ]; then
    exit 0
fi
echo "==> Building $* in build/$preset"
NINJA_STATUS='    [%f/%t, %es] ' exec cmake --build "build/$preset" --target "$@"
