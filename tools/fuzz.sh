#!/usr/bin/env bash
# Builds every fuzz target with clang-19's libFuzzer and runs each for the given number of seconds on its corpus. What it
# finds is written to build/fuzz/findings; copy the file into fuzz/corpus/<target>/ and `make test` replays it for ever.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
cmake -S . -B build/fuzz -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=clang++-19 -DMUSTER_FUZZ=ON \
    -DMUSTER_PRECOMPILE=OFF >/dev/null
NINJA_STATUS='    [%f/%t, %es] ' cmake --build build/fuzz --target fuzz_targets
mkdir -p build/fuzz/findings
failed=0
for target in build/fuzz/fuzz/*_fuzz; do
    name=$(basename "$target")
    echo "==> $name for $seconds s"
    mkdir -p "build/fuzz/corpus/$name"
    "$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=0 -verbosity=0 \
        -artifact_prefix="build/fuzz/findings/$name-" "build/fuzz/corpus/$name" "fuzz/corpus/$name" || failed=1
done
exit $failed
