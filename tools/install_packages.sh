#!/usr/bin/env bash
# Installs the Debian packages of the named lists (tools/packages/NAME.txt) that are missing; does nothing, and takes no
# time, when all are there. Uses sudo when not root.
#   tools/install_packages.sh run test
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
for list in "$@"; do
    while read -r package; do
        case "$package" in ''|'#'*) continue ;; esac
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done < "tools/packages/$list.txt"
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "muster: these Debian packages are missing and neither root nor sudo is here to install them:" >&2
        echo "  apt-get install ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo)
fi
if ! command -v apt-get >/dev/null; then
    echo "muster: this is not Debian; install the equivalents of: ${missing[*]}" >&2
    exit 1
fi

echo "==> Installing ${#missing[@]} Debian packages: ${missing[*]}"
# A server among the packages (mosquitto) must not start and take a port of its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod +x "$policy"
    policy_made=yes
fi
"${as_root[@]}" apt-get update -qq
# apt's progress goes to a descriptor of its own (3): apt closes the one it is told for the packages' scripts, which need
# a standard output. The redirection stands inside, because sudo closes descriptors above 2.
log=$(mktemp)
trap '"${as_root[@]}" rm -f "$log" ${policy_made:+"$policy"}' EXIT
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive bash -c 'log=$1; shift; exec apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o APT::Status-Fd=3 "$@" 3>&1 >>"$log" 2>&1' install "$log" "${missing[@]}" |
    awk -F: '/^(dlstatus|pmstatus):/ { p = int($3); if (p >= last + 10 || p < last) { printf "    %s %d %%\n", $1 == "dlstatus" ? "downloaded" : "installed", p; fflush(); last = p } }' ||
    { tail -n 30 "$log" >&2; exit 1; }
for package in "${missing[@]}"; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
        { echo "muster: apt-get could not install $package; run 'apt-get install $package' to see why" >&2; exit 1; }
done
