#!/usr/bin/env python3
"""Holds a cluster on real Kafka and Redis against `muster serve` under the same load and prints a Markdown table.

Both run on this machine, one after the other, in each round: QoS 1 telemetry of a fixed rate, then devices whose socket
breaks. Measured from outside:
  CPU           user + system time of each process (/proc/PID/stat) over the messages sent: gateway, Kafka, processors,
                Redis and API apart; of `muster serve` all of it
  acknowledged  PUBLISH to PUBACK, seen by the load generator: until the record is durable on the bus
  status        a device's socket breaks until Redis tells of its document on the channel of changes (a cluster: gateway,
                bus, processor, status), and until the API's live stream does, which looks ten times a second
"""
import argparse
import contextlib
import json
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

import redis

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/scale_out")]
import cluster_scenario  # noqa: E402
import scale_out  # noqa: E402
from run_transport_bench import cpu_s  # noqa: E402

harness = cluster_scenario.harness
SETTLE_S = 3


def cpu_seconds(processes):
    return sum(cpu_s(process.pid) for process in processes)


class StatusInRedis:
    """When each device's last document came to Redis, from the channel of changes (docs/data-formats.md)."""

    def __init__(self, address):
        host, port = address.split(":")
        self.channel = redis.Redis(host=host, port=int(port)).pubsub(ignore_subscribe_messages=True)
        self.channel.subscribe("muster:status:changes")
        self.arrived = {}
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        with contextlib.suppress(redis.ConnectionError):  # Redis ends with its cluster
            for message in self.channel.listen():
                self._take(time.monotonic(), message["data"])

    def _take(self, now, change):
        documents, at = struct.unpack_from("<I", change, 9)[0], 17
        for _ in range(documents):
            size = change[at]
            self.arrived[change[at + 1:at + 1 + size].decode()] = now
            at += 1 + size + 8
            at += 4 + struct.unpack_from("<I", change, at)[0]


class Serve:
    """`muster serve` with the same number of partitions."""

    def __init__(self, folder, options):
        (folder / "data").mkdir()
        self.server = harness.Server(folder / "data", "--partitions", "12").start()
        self.port = self.server.mqtt_port
        self.parts = {"muster serve": [self.server.process]}
        self.api = self.server
        self.status = None

    def end(self):
        self.server.end()


class Cluster:
    def __init__(self, folder, options):
        self.cluster = scale_out.Cluster(folder, gateways=options.gateways, processors=options.processors).start()
        self.port = self.cluster.gateway_ports[0]
        self.parts = {"gateway": [one.process for one in self.cluster.gateways],
                      "Kafka": [self.cluster.kafka.process],
                      "processors": [one.process for one in self.cluster.processors],
                      "Redis": [self.cluster.redis.process],
                      "API, with the history": [self.cluster.api.process],
                      "shadow, alerts": [self.cluster.shadow.process, self.cluster.alerts.process]}
        self.api = cluster_scenario.Api(self.cluster)
        self.status = StatusInRedis(self.cluster.redis_address)

    def end(self):
        self.cluster.end()


def load(options, system):
    before = {part: cpu_seconds(processes) for part, processes in system.parts.items()}
    command = [options.load, "publish", "--broker", f"127.0.0.1:{system.port}", "--connections", options.connections,
               "--rate", options.rate, "--payload-bytes", options.payload_bytes, "--qos", 1, "--duration", options.seconds]
    result = json.loads(subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout)
    time.sleep(SETTLE_S)
    figures = {f"CPU, µs a message: {part}": (cpu_seconds(processes) - before[part]) / result["sent"] * 1e6
               for part, processes in system.parts.items()}
    figures["CPU, µs a message: all"] = sum(figures.values())
    figures["messages/s reached"] = result["sent"] / result["seconds"]
    figures["not acknowledged"] = result["sent"] - result["acknowledged"]
    figures["PUBLISH to PUBACK p50, ms"] = result["ack_p50_ms"]
    figures["PUBLISH to PUBACK p99, ms"] = result["ack_p99_ms"]
    return figures


def spread(what, took_ms):
    took_ms.sort()
    return {f"{what} p50, ms": statistics.median(took_ms), f"{what} p99, ms": took_ms[int(len(took_ms) * 0.99)]}


def deaths(options, system):
    live = harness.Live(system.api, ["changes"])
    in_stream_ms, in_redis_ms = [], []
    for i in range(options.deaths):
        device = f"mortal-{i}"
        client = cluster_scenario.Client(device, system.port)
        live.wait_change(device, "online")
        time.sleep(i % 10 / 100)  # the live stream's beat must not set the pace
        began = time.monotonic()
        client.die()
        arrived, _ = live.wait_change(device, "offline")
        in_stream_ms.append((arrived - began) * 1000)
        if system.status is not None:
            in_redis_ms.append((system.status.arrived[device] - began) * 1000)
    live.close()
    figures = spread("broken socket to live stream", in_stream_ms)
    return {**spread("broken socket to Redis", in_redis_ms), **figures} if in_redis_ms else figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", default=str(ROOT / "build/release/bench/load/muster_load"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--rate", type=float, default=3000)
    parser.add_argument("--payload-bytes", type=int, default=512)
    parser.add_argument("--deaths", type=int, default=100)
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--processors", type=int, default=2)
    options = parser.parse_args()
    rounds = {"serve": [], "cluster": []}
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        for name, make in (("serve", Serve), ("cluster", Cluster)):
            print(f"    {name}", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(prefix="bench_cluster_", ignore_cleanup_errors=True) as folder:
                system = make(pathlib.Path(folder), options)
                try:
                    harness.wait_until(lambda system=system: system.api.is_ready(), "the API to be ready", 60)
                    rounds[name].append({**load(options, system), **deaths(options, system)})
                finally:
                    system.end()
    print(f"{options.connections} connections, {options.rate:,.0f} QoS 1 messages/s of {options.payload_bytes} B for "
          f"{options.seconds:.0f} s, {options.deaths} deaths; medians of {options.rounds} rounds\n")
    print("| | serve | cluster | cluster / serve |\n| --- | ---: | ---: | ---: |")
    median = {name: {key: statistics.median(one[key] for one in each) for key in each[0]} for name, each in rounds.items()}
    for key in dict.fromkeys([*median["serve"], *median["cluster"]]):
        serve, cluster = median["serve"].get(key), median["cluster"].get(key)
        ratio = f"{cluster / serve:.2f}" if serve and cluster is not None else ""
        cells = [f"{value:,.1f}" if value is not None else "" for value in (serve, cluster)]
        print(f"| {key} | {' | '.join(cells)} | {ratio} |")


if __name__ == "__main__":
    main()
