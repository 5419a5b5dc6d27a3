#!/usr/bin/env python3
"""Holds Muster's gateway against mosquitto under one load generator and prints a Markdown table.

Both servers are started in turn, several rounds, on a free loopback port with an empty data directory; the table shows
medians. Measured of the server process alone, from outside:
  CPU      user + system time (/proc/PID/stat) per million messages while muster_load publishes at a fixed rate; what the
           gateway's threads take of it is told by their names, and mosquitto is a gateway alone
  memory   anonymous memory (/proc/PID/smaps_rollup) per idle connection; what the kernel holds for sockets is not in it
Needs only Python's standard library.
"""
import argparse
import json
import os
import pathlib
import resource
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

MUSTER_COMMAND = "{binary} serve --data-dir {data} --mqtt-listen 127.0.0.1:{port} --http-listen 127.0.0.1:{http_port}"
MOSQUITTO_CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_inflight_messages 100
max_queued_messages 1000
log_type error
"""
GATEWAY_THREADS = ("mqtt-", "mosquitto")
START_PATIENCE_S = 30
SETTLE_S = 3  # after a load, for what the server still does with it


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tail(path, size=2000):
    with open(path, errors="replace") as file:
        return file.read()[-size:]


class Server:
    """One server process with its own temporary directory, running between __enter__ and __exit__."""

    def __init__(self, name, make_command):
        self.name, self.make_command = name, make_command

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix=f"bench_{self.name}_")
        self.port = free_port()
        self.log_path = os.path.join(self.directory.name, "log")
        self.log = open(self.log_path, "w")
        self.process = subprocess.Popen(self.make_command(self.directory.name, self.port), stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=subprocess.STDOUT)
        try:
            self.wait_until_listening()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_until_listening(self):
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit(f"{self.name} ended at its start:\n{tail(self.log_path)}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        sys.exit(f"{self.name} does not listen:\n{tail(self.log_path)}")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.directory.cleanup()

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def gateway_cpu_seconds(self):
        total = 0
        for stat in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
            head, tail = stat.read_text().rsplit(")", 1)
            if head.split("(", 1)[1].startswith(GATEWAY_THREADS):
                fields = tail.split()
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def anonymous_bytes(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Anonymous:"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError("no Anonymous in smaps_rollup")


def publish(options, server, qos):
    before, gateway_before = server.cpu_seconds(), server.gateway_cpu_seconds()
    command = [options.load, "publish", "--broker", f"127.0.0.1:{server.port}", "--connections", str(options.connections),
               "--rate", str(options.rate), "--payload-bytes", str(options.payload_bytes), "--qos", str(qos),
               "--duration", str(options.seconds)]
    load = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    time.sleep(SETTLE_S)
    cpu = server.cpu_seconds() - before
    gateway_cpu = server.gateway_cpu_seconds() - gateway_before
    return {"cpu_s_per_million": cpu / load["sent"] * 1e6,
            "gateway_cpu_s_per_million": gateway_cpu / load["sent"] * 1e6, "sent_per_s": load["sent"] / load["seconds"],
            "withheld": load["withheld"], "lost": load["lost_connections"], "ack_p50_ms": load["ack_p50_ms"],
            "ack_p99_ms": load["ack_p99_ms"], "ack_max_ms": load["ack_max_ms"],
            "missing_acks": load["sent"] - load["acknowledged"] if qos else 0}


def idle(options, server):
    before = server.anonymous_bytes()
    command = [options.load, "idle", "--broker", f"127.0.0.1:{server.port}", "--connections", str(options.idle_connections),
               "--duration", "600"]
    load = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        connected = json.loads(load.stdout.readline() or sys.exit(f"{server.name}: idle connections failed"))
        time.sleep(SETTLE_S)
        held = server.anonymous_bytes() - before
    finally:
        load.stdin.close()
        load.wait()
    return {"bytes_per_connection": held / options.idle_connections, "connect_s": connected["connect_s"]}


def measure(options, make_server):
    results = {}
    for mode, run in (("qos0", lambda s: publish(options, s, 0)), ("qos1", lambda s: publish(options, s, 1)),
                      ("idle", lambda s: idle(options, s))):
        if mode in options.modes:
            with make_server() as server:
                results.update({f"{mode}.{key}": value for key, value in run(server).items()})
    return results


ROWS = (
    ("QoS 0: CPU s per 1M messages", "qos0.cpu_s_per_million", "{:.2f}", True),
    ("QoS 0: of it the gateway's threads", "qos0.gateway_cpu_s_per_million", "{:.2f}", True),
    ("QoS 0: messages/s reached", "qos0.sent_per_s", "{:.0f}", False),
    ("QoS 0: withheld (socket full)", "qos0.withheld", "{:.0f}", False),
    ("QoS 1: CPU s per 1M messages", "qos1.cpu_s_per_million", "{:.2f}", True),
    ("QoS 1: of it the gateway's threads", "qos1.gateway_cpu_s_per_million", "{:.2f}", True),
    ("QoS 1: messages/s reached", "qos1.sent_per_s", "{:.0f}", False),
    ("QoS 1: withheld (window or socket full)", "qos1.withheld", "{:.0f}", False),
    ("QoS 1: not acknowledged", "qos1.missing_acks", "{:.0f}", False),
    ("QoS 1: ack p50 ms", "qos1.ack_p50_ms", "{:.2f}", True),
    ("QoS 1: ack p99 ms", "qos1.ack_p99_ms", "{:.2f}", True),
    ("QoS 1: ack max ms", "qos1.ack_max_ms", "{:.2f}", True),
    ("idle: user bytes per connection", "idle.bytes_per_connection", "{:.0f}", True),
    ("idle: seconds to connect all", "idle.connect_s", "{:.2f}", False),
)


def print_table(options, rounds):
    names = list(rounds)
    medians = {name: {key: statistics.median(r[key] for r in rounds[name]) for key in rounds[name][0]} for name in names}
    ratio = len(names) == 2
    print(f"{options.connections} connections, {options.rate:.0f} messages/s of {options.payload_bytes} B for "
          f"{options.seconds:.0f} s; {options.idle_connections} idle connections; medians of {options.rounds} rounds\n")
    print("| | " + " | ".join(names) + (f" | {names[0]} / {names[1]} |" if ratio else " |"))
    print("| --- |" + " ---: |" * (len(names) + ratio))
    for title, key, form, comparable in ROWS:
        if key not in medians[names[0]]:
            continue
        values = [medians[name][key] for name in names]
        cells = [form.format(value) for value in values]
        if ratio:
            cells.append(f"{values[0] / values[1]:.2f}" if comparable and values[1] else "")
        print(f"| {title} | " + " | ".join(cells) + " |")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", required=True, help="path of muster_load")
    parser.add_argument("--muster", help="path of the muster binary; left out: mosquitto alone")
    parser.add_argument("--mosquitto", help="path of mosquitto; left out: Muster alone")
    parser.add_argument("--muster-command", default=MUSTER_COMMAND,
                        help="how Muster is started: {binary}, {data}, {port}, {http_port} are filled in (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=20000)
    parser.add_argument("--payload-bytes", type=int, default=512)
    parser.add_argument("--idle-connections", type=int, default=18000)
    parser.add_argument("--modes", default="qos0,qos1,idle", help="(%(default)s)")
    parser.add_argument("--json", help="write every round's figures here")
    options = parser.parse_args()
    options.modes = options.modes.split(",")
    if not options.muster and not options.mosquitto:
        parser.error("give --muster, --mosquitto or both")
    return options


def servers_of(options):
    def muster_command(directory, port):
        return shlex.split(options.muster_command.format(binary=options.muster, data=os.path.join(directory, "data"),
                                                         port=port, http_port=free_port()))

    def mosquitto_command(directory, port):
        config = os.path.join(directory, "mosquitto.conf")
        with open(config, "w") as file:
            file.write(MOSQUITTO_CONFIG.format(port=port))
        return [options.mosquitto, "-c", config]

    servers = {}
    if options.muster:
        servers["muster"] = lambda: Server("muster", muster_command)
    if options.mosquitto:
        servers["mosquitto"] = lambda: Server("mosquitto", mosquitto_command)
    return servers


def main():
    options = parse_options()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    servers = servers_of(options)
    rounds = {name: [] for name in servers}
    for number in range(1, options.rounds + 1):
        for name, make_server in servers.items():
            print(f"round {number} of {options.rounds}: {name}", file=sys.stderr, flush=True)
            rounds[name].append(measure(options, make_server))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rounds, file, indent=1)
    print_table(options, rounds)


if __name__ == "__main__":
    main()
