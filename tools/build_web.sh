#!/usr/bin/env bash
# Builds the dashboard into web/dist when its sources are newer. Needs Node.js 20 or later: where the machine has none,
# Debian's npm fetches one from the npm registry into build/node (Debian 12 itself ships 18, which Vite 8 cannot use).
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -f web/dist/index.html ] &&
    [ -z "$(find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -newer web/dist/index.html -print -quit)" ]; then
    exit 0
fi

. tools/node_path.sh
cd web
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    echo "==> Installing the dashboard's npm packages"
    npm ci --no-audit --no-fund --loglevel=error
fi
echo "==> Building the dashboard"
npm run --silent build
