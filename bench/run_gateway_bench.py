#!/usr/bin/env python3
"""Holds Muster's gateway against mosquitto under one load generator and prints a Markdown table.

Each load is put on each server in turn, several rounds, on a free loopback port with an empty data directory; a cell is
the median of the rounds, a ratio the median of the rounds' ratios, so that a machine that grows slower meanwhile slows
both. Measured of the server process alone, from outside:
  CPU      user + system time (/proc/PID/stat); of Muster also by thread, which are named: mqtt-* is the gateway with its
           hand-off to the bus, bus-commit the durable append, the rest folds, stores and answers
  memory   anonymous memory (/proc/PID/smaps_rollup) per idle connection; what the kernel holds for sockets is not in it
Beside the whole of Muster stands its gateway alone (muster_gateway_alone), whose records are thrown away: what an idle
session costs in the gateway is seen there, without the stores' bytes per device.
Needs only Python's standard library.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

MUSTER_COMMAND = "{binary} serve --data-dir {data} --mqtt-listen 127.0.0.1:{port} --http-listen 127.0.0.1:{http_port}"
# Queues without a bound: with its defaults mosquitto drops what a burst brings.
MOSQUITTO_CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_inflight_messages 100
max_queued_messages 0
log_type error
"""
GATEWAY_THREADS = ("mqtt-", "mosquitto")
BUS_THREADS = ("bus-commit",)
START_PATIENCE_S = 30
SETTLE_S = 3  # after a load, for what the server still does with it
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


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
        self.http_port = free_port()

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix=f"bench_{self.name.replace(' ', '_')}_")
        self.port = free_port()
        self.log_path = os.path.join(self.directory.name, "log")
        self.log = open(self.log_path, "w")
        self.process = subprocess.Popen(self.make_command(self), stdin=subprocess.DEVNULL,
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

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def cpu_seconds(self, threads=None):
        """Of the whole process, or of the threads whose names begin so."""
        if threads is None:
            return self.cpu_of(pathlib.Path(f"/proc/{self.process.pid}/stat").read_text())[1]
        stats = (self.cpu_of(path.read_text()) for path in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/stat"))
        return sum(seconds for name, seconds in stats if name.startswith(threads))

    @staticmethod
    def cpu_of(stat):
        head, fields = stat.rsplit(")", 1)
        fields = fields.split()
        return head.split("(", 1)[1], (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def dropped(self):
        """Publishes that Muster counted as dropped for want of room on the bus."""
        if self.name != "muster":
            return 0
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        drops = re.findall(r'^muster_gateway_drops_total\{.*reason="bus_full".*\} (\S+)', text, re.MULTILINE)
        return sum(float(count) for count in drops)

    def operator_password(self):
        if self.name != "muster":
            return "any"
        return json.loads(pathlib.Path(self.path("data/tokens.json")).read_text())["operator"]

    def anonymous_bytes(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Anonymous:"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError("no Anonymous in smaps_rollup")


class CpuMeter:
    """What a server's threads have used since it was made."""

    def __init__(self, server):
        self.server, self.before = server, self.now(server)

    @staticmethod
    def now(server):
        return {"": server.cpu_seconds(), "gateway_": server.cpu_seconds(GATEWAY_THREADS),
                "bus_": server.cpu_seconds(BUS_THREADS)}

    def per(self, count, name):
        now = self.now(self.server)
        return {f"{who}{name}": (now[who] - self.before[who]) / count for who in now}


def load(options, server, mode, *arguments):
    command = [options.load, mode, "--broker", f"127.0.0.1:{server.port}", *(str(a) for a in arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def publish(options, server, qos, connections, rate, seconds):
    meter = CpuMeter(server)
    result = load(options, server, "publish", "--connections", connections, "--rate", rate,
                  "--payload-bytes", options.payload_bytes, "--qos", qos, "--duration", seconds)
    time.sleep(SETTLE_S)
    return {**meter.per(result["sent"] / 1e6, "cpu_s"), "sent_per_s": result["sent"] / result["seconds"],
            "withheld": result["withheld"], "lost": result["lost_connections"], "ack_p50_ms": result["ack_p50_ms"],
            "ack_p99_ms": result["ack_p99_ms"], "ack_max_ms": result["ack_max_ms"],
            "dropped_percent": 100 * server.dropped() / result["sent"],
            "missing_acks": result["sent"] - result["acknowledged"] if qos else 0}


def paced(options, server, qos):
    return publish(options, server, qos, options.connections, options.rate, options.seconds)


def saturated(options, server, qos):
    return publish(options, server, qos, options.saturating_connections, 0, options.seconds / 2)


def idle(options, server, *arguments):
    meter, before = CpuMeter(server), server.anonymous_bytes()
    command = [options.load, "idle", "--broker", f"127.0.0.1:{server.port}", "--connections", str(options.idle_connections),
               "--duration", "600", *arguments]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        connected = json.loads(holder.stdout.readline() or sys.exit(f"{server.name}: idle connections failed"))
        time.sleep(SETTLE_S)
        held = server.anonymous_bytes() - before
        cpu = meter.per(options.idle_connections / 10_000, "cpu_s_per_10k")
    finally:
        holder.stdin.close()
        holder.wait()
    return {"bytes_per_connection": held / options.idle_connections, "connect_s": connected["connect_s"], **cpu}


def storm(options, server):
    result = load(options, server, "storm", "--connections", options.idle_connections)
    return {key: result[key] for key in ("broken_s", "all_back_s", "back_after_broken_s", "connect_p99_ms")}


def wills(options, server):
    result = load(options, server, "wills", "--connections", options.idle_connections, "--watch-password",
                  server.operator_password())
    return {"missing": result["connections"] - result["wills"], "last_will_s": result["last_will_s"],
            "after_last_death_s": result["after_last_death_s"]}


MODES = {
    "qos0": lambda options, server: paced(options, server, 0),
    "qos1": lambda options, server: paced(options, server, 1),
    "full0": lambda options, server: saturated(options, server, 0),
    "full1": lambda options, server: saturated(options, server, 1),
    "idle": idle,
    "idle_will": lambda options, server: idle(options, server, "--will"),
    "wills": wills,
    "storm": storm,
}


def measure(options, servers):
    """One round: every load on every server, the servers' turns next to each other."""
    results = {name: {} for name in servers}
    for mode in options.modes:
        for name, make_server in servers.items():
            print(f"    {mode}: {name}", file=sys.stderr, flush=True)
            with make_server() as server:
                figures = MODES[mode](options, server)
            results[name].update({f"{mode}.{key}": value for key, value in figures.items()})
    return results


ROWS = (
    ("QoS 0, {rate} messages/s: CPU s per 1M, whole server", "qos0.cpu_s", "{:.2f}", True),
    ("of it the gateway with its hand-off to the bus", "qos0.gateway_cpu_s", "{:.2f}", True),
    ("of it the bus's durable append", "qos0.bus_cpu_s", "{:.2f}", False),
    ("messages/s reached", "qos0.sent_per_s", "{:,.0f}", False),
    ("dropped for want of room, %", "qos0.dropped_percent", "{:.1f}", False),
    ("QoS 1, {rate} messages/s: CPU s per 1M, whole server", "qos1.cpu_s", "{:.2f}", True),
    ("of it the gateway with its hand-off to the bus", "qos1.gateway_cpu_s", "{:.2f}", True),
    ("of it the bus's durable append", "qos1.bus_cpu_s", "{:.2f}", False),
    ("messages/s reached", "qos1.sent_per_s", "{:,.0f}", False),
    ("not acknowledged", "qos1.missing_acks", "{:.0f}", False),
    ("acknowledgement p50, ms", "qos1.ack_p50_ms", "{:.1f}", True),
    ("acknowledgement p99, ms", "qos1.ack_p99_ms", "{:.1f}", True),
    ("QoS 0, all it takes: CPU s per 1M, whole server", "full0.cpu_s", "{:.2f}", True),
    ("of it the gateway with its hand-off to the bus", "full0.gateway_cpu_s", "{:.2f}", True),
    ("messages/s taken", "full0.sent_per_s", "{:,.0f}", False),
    ("dropped for want of room, %", "full0.dropped_percent", "{:.1f}", False),
    ("QoS 1, all it takes: CPU s per 1M, whole server", "full1.cpu_s", "{:.2f}", True),
    ("of it the gateway with its hand-off to the bus", "full1.gateway_cpu_s", "{:.2f}", True),
    ("messages/s taken", "full1.sent_per_s", "{:,.0f}", False),
    ("idle session: user bytes", "idle.bytes_per_connection", "{:,.0f}", True),
    ("with a will: user bytes", "idle_will.bytes_per_connection", "{:,.0f}", True),
    ("CPU s per 10,000 connects, whole server", "idle.cpu_s_per_10k", "{:.2f}", True),
    ("of it the gateway with its hand-off to the bus", "idle.gateway_cpu_s_per_10k", "{:.2f}", True),
    ("{idle} die at once: s from the last death to the last will", "wills.after_last_death_s", "{:.3f}", False),
    ("s from the first death", "wills.last_will_s", "{:.2f}", True),
    ("wills missing", "wills.missing", "{:.0f}", False),
    ("{idle} reconnect at once: s until all are back", "storm.back_after_broken_s", "{:.2f}", True),
    ("s with the breaking of all", "storm.all_back_s", "{:.2f}", True),
)


def ratio_of(rounds, name, key):
    ratios = [ours[key] / theirs[key] for ours, theirs in zip(rounds[name], rounds["mosquitto"]) if theirs[key]]
    return f"{statistics.median(ratios):.2f}" if ratios else ""


def print_table(options, rounds):
    names = list(rounds)
    compared = [name for name in names if name != "mosquitto"] if "mosquitto" in rounds else []
    print(f"{options.connections} connections, {options.rate:,.0f} messages/s of {options.payload_bytes} B for "
          f"{options.seconds:.0f} s; {options.saturating_connections} connections that send all they can for "
          f"{options.seconds / 2:.0f} s; {options.idle_connections:,} idle connections; medians of {options.rounds} "
          "rounds, ratios to mosquitto\n")
    columns = names + [f"{name} / mosquitto" for name in compared]
    print("| | " + " | ".join(columns) + " |")
    print("| --- |" + " ---: |" * len(columns))
    for title, key, form, comparable in ROWS:
        if key not in rounds[names[0]][0]:
            continue
        cells = [form.format(statistics.median(figures[key] for figures in rounds[name])) for name in names]
        cells += [ratio_of(rounds, name, key) if comparable else "" for name in compared]
        title = title.format(rate=f"{options.rate:,.0f}", idle=f"{options.idle_connections:,}")
        print(f"| {title} | " + " | ".join(cells) + " |")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", required=True, help="path of muster_load")
    parser.add_argument("--muster", help="path of the muster binary; left out: mosquitto alone")
    parser.add_argument("--gateway", help="path of muster_gateway_alone; left out: not measured")
    parser.add_argument("--mosquitto", help="path of mosquitto; left out: Muster alone")
    parser.add_argument("--muster-command", default=MUSTER_COMMAND,
                        help="how Muster is started: {binary}, {data}, {port}, {http_port} are filled in (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--saturating-connections", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20000)
    parser.add_argument("--payload-bytes", type=int, default=512)
    parser.add_argument("--idle-connections", type=int, default=18000)
    parser.add_argument("--modes", default=",".join(MODES), help="(%(default)s)")
    parser.add_argument("--json", help="write every round's figures here")
    options = parser.parse_args()
    options.modes = options.modes.split(",")
    if not set(options.modes) <= set(MODES):
        parser.error(f"--modes are of {', '.join(MODES)}")
    if not options.muster and not options.gateway and not options.mosquitto:
        parser.error("give --muster, --gateway, --mosquitto or some of them")
    return options


def servers_of(options):
    def muster_command(server):
        return shlex.split(options.muster_command.format(binary=options.muster, data=server.path("data"),
                                                         port=server.port, http_port=server.http_port))

    def gateway_command(server):
        return [options.gateway, f"127.0.0.1:{server.port}"]

    def mosquitto_command(server):
        pathlib.Path(server.path("mosquitto.conf")).write_text(MOSQUITTO_CONFIG.format(port=server.port))
        return [options.mosquitto, "-c", server.path("mosquitto.conf")]

    commands = {"muster": (options.muster, muster_command), "gateway alone": (options.gateway, gateway_command),
                "mosquitto": (options.mosquitto, mosquitto_command)}
    return {name: lambda name=name, command=command: Server(name, command)
            for name, (binary, command) in commands.items() if binary}


def main():
    options = parse_options()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    servers = servers_of(options)
    rounds = {name: [] for name in servers}
    for number in range(1, options.rounds + 1):
        print(f"round {number} of {options.rounds}", file=sys.stderr, flush=True)
        for name, figures in measure(options, servers).items():
            rounds[name].append(figures)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rounds, indent=1))
    print_table(options, rounds)


if __name__ == "__main__":
    main()
