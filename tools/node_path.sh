# Sourced from the repository's root: puts a Node.js of version 20 or later on PATH, fetching it if there is none.
node_major() { "$1" --version 2>/dev/null | sed -E 's/^v([0-9]+).*/\1/'; }

if [ "$(node_major node || true)" = "" ] || [ "$(node_major node)" -lt 20 ]; then
    local_node="$PWD/build/node/node_modules/node/bin"
    if [ ! -x "$local_node/node" ]; then
        if ! command -v npm >/dev/null; then
            echo "==> Installing Debian's npm, to fetch Node.js 20"
            sudo_if_needed=$([ "$(id -u)" -eq 0 ] || echo sudo)
            $sudo_if_needed apt-get update -qq
            $sudo_if_needed env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm >/dev/null
        fi
        echo "==> Fetching Node.js 20 from the npm registry into build/node"
        mkdir -p build/node
        npm install --prefix build/node --no-audit --no-fund --loglevel=error node@20
    fi
    export PATH="$local_node:$PATH"
fi
