#!/usr/bin/env bash
# A real Apache Kafka broker on this machine: KRaft mode, no ZooKeeper, loopback only. See usage() below.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD

usage() {
    cat <<'TEXT'
A real Apache Kafka broker on this machine, for tests and for `make scale-out`: one node, KRaft mode, loopback only.

  tools/kafka.sh fetch
      Fetches the broker's jars (3.9.1, about 60 files, 80 MB) from Maven Central into build/kafka, once: a fetch that
      was broken off is repeated, one that is complete costs nothing. Needs maven and a JRE of Java 17
      (tools/install_packages.sh scale-out).

  tools/kafka.sh run --data DIR [--port N] [--controller-port N] [--heap SIZE]
      Fetches if need be, formats DIR when it is new, prints one line on standard output
          kafka: broker on 127.0.0.1:PORT, data in DIR
      and becomes the broker (exec): whoever started this script owns the broker by the same process id. The broker's
      warnings go to standard error, and "Kafka Server started" once clients are served, 3 to 6 s later. SIGTERM or
      Ctrl-C stops it in order; SIGKILL is a crash. Started again on DIR it has the same records.
        --data DIR           where the broker keeps its records; made when missing
        --port N             port for clients on 127.0.0.1 (9092); 0 takes a free one
        --controller-port N  port of the node's controller on 127.0.0.1 (0: a free one)
        --heap SIZE          the JVM's heap (512m)

  tools/kafka.sh is-fetched
      Exit code 0 when nothing is to be fetched.
TEXT
}

fail() {
    echo "kafka: $*" >&2
    exit 1
}

libs=$here/build/kafka/$(sha256sum tools/kafka/pom.xml | cut -c 1-16)

fetch() {
    [ -d "$libs" ] && return
    command -v mvn >/dev/null || fail "maven is missing, which fetches the broker: run tools/install_packages.sh scale-out"
    mkdir -p build/kafka
    exec 9>build/kafka/lock
    flock 9  # two that start at once fetch once
    if [ ! -d "$libs" ]; then
        rm -rf build/kafka/fetching
        echo "==> Fetching Apache Kafka from Maven Central into build/kafka" >&2
        log=build/kafka/fetch.log
        mvn -B -f tools/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
            -DoutputDirectory="$here/build/kafka/fetching" 2>&1 | tee "$log" |
            awk '/^\[INFO\] Copying .*\.jar/ || /^Downloaded from .*\.jar/ { if (++n % 10 == 0) { printf "    %d jars\n", n; fflush() } }' >&2 ||
            { tail -n 15 "$log" >&2; fail "Maven Central did not give the broker (all of it in $log). Is this machine on the network?"; }
        ls build/kafka/fetching/kafka_*.jar >/dev/null 2>&1 || fail "what came from Maven Central has no broker in it: see $log"
        mv build/kafka/fetching "$libs"  # complete from here on
    fi
    exec 9>&-
}

# Two ports that nobody listens on now; both are held until both are known, so that they differ.
free_ports() {
    python3 -c '
import socket
held = [socket.socket() for _ in range(2)]
for one in held:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))'
}

write_settings() {
    cat >"$1" <<TEXT
# Written by tools/kafka.sh at each start.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller_port
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$data/log
# Muster makes its topics itself, with their settings.
auto.create.topics.enable=false
# One node holds what three would.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
# Small, for a machine that does other things too.
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=33554432
log.index.size.max.bytes=1048576
TEXT
}

run() {
    data= port=9092 controller_port=0 heap=512m
    while [ $# -gt 0 ]; do
        [ $# -ge 2 ] || fail "$1 needs a value (tools/kafka.sh --help)"
        case "$1" in
            --data) data=$2 ;;
            --port) port=$2 ;;
            --controller-port) controller_port=$2 ;;
            --heap) heap=$2 ;;
            *) fail "unknown option $1 (tools/kafka.sh --help)" ;;
        esac
        shift 2
    done
    [ -n "$data" ] || fail "--data DIR is missing: where the broker keeps its records"
    for number in "$port" "$controller_port"; do
        [[ $number =~ ^[0-9]{1,5}$ ]] && [ "$number" -le 65535 ] || fail "not a port: $number"
    done
    java=${JAVA_HOME:+$JAVA_HOME/bin/}java
    command -v "$java" >/dev/null || fail "no Java here, which the broker runs on: run tools/install_packages.sh scale-out"
    fetch

    mkdir -p "$data" || fail "cannot make $data"
    data=$(cd "$data" && pwd)
    read -r free_port free_controller_port < <(free_ports)
    [ "$port" != 0 ] || port=$free_port
    [ "$controller_port" != 0 ] || controller_port=$free_controller_port
    write_settings "$data/server.properties"
    common=(-Dlog4j.configuration="file:$here/tools/kafka/log4j.properties" -XX:+UseSerialGC -cp "$libs/*")
    if [ ! -e "$data/log/meta.properties" ]; then
        id=$(head -c 16 /dev/urandom | basenc --base64url | tr -d =)
        "$java" -Xmx64m -XX:TieredStopAtLevel=1 "${common[@]}" kafka.tools.StorageTool format --ignore-formatted \
            "--cluster-id=$id" --config "$data/server.properties" >"$data/format.log" 2>&1 ||
            { tail -n 5 "$data/format.log" >&2; fail "cannot format $data"; }
    fi
    echo "kafka: broker on 127.0.0.1:$port, data in $data"
    exec "$java" -Xms64m "-Xmx$heap" "${common[@]}" kafka.Kafka "$data/server.properties"
}

case "${1:-}" in
    fetch) fetch ;;
    run) shift && run "$@" ;;
    is-fetched) [ -d "$libs" ] ;;
    -h | --help | help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac
