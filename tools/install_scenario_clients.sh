#!/usr/bin/env bash
# Installs MQTT.js for the scenario tests into tests/scenario/js/node_modules; does nothing when it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/node_path.sh
cd tests/scenario/js
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    echo "==> Installing MQTT.js for the scenario tests"
    npm ci --no-audit --no-fund --loglevel=error
fi
