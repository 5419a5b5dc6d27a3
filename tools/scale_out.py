#!/usr/bin/env python3
"""Runs a whole Muster cluster on this machine: real Kafka and Redis, gateways, processors, shadow, alerts, API, and a
simulated fleet over all gateways. Ctrl-C stops all of it, in order; the data stays.

The tests of tests/scale_out use the class Cluster of this file.
"""
import argparse
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MUSTER = os.environ.get("MUSTER_BINARY", str(ROOT / "build/release/src/app/muster"))
START_PATIENCE_S = 120
KAFKA_PATIENCE_S = 300  # the first start of a machine fetches the broker
STOP_PATIENCE_S = 30
PR_SET_PDEATHSIG = 1


class ClusterError(Exception):
    """In words for whoever started the cluster."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _end_with_parent():
    """The kernel ends the child when this process dies, however it dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """One program of the cluster: started, killed, stopped by its own process id; its output is a file."""

    def __init__(self, name, command, log, ready, environment=None, patience_s=START_PATIENCE_S):
        self.name = name
        self.patience_s = patience_s
        self.command = [str(part) for part in command]
        self.log = pathlib.Path(log)
        self.ready = ready  # () -> bool
        self.environment = environment
        self.process = None

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            # A session of its own: Ctrl-C comes to whoever started the cluster, who stops the processes in order.
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, preexec_fn=_end_with_parent, cwd=ROOT,
                                            env={**os.environ, **(self.environment or {})})
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self):
        deadline = time.monotonic() + self.patience_s
        while not self.ready():
            if self.process.poll() is not None:
                raise ClusterError(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ClusterError(f"{self.name} is not ready after {self.patience_s} s:\n{self.tail()}")
            time.sleep(0.05)

    def tail(self, size=3000):
        return self.log.read_text(errors="replace")[-size:]

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.is_running():
            self.process.kill()
            self.process.wait()

    def ask_to_stop(self, how=signal.SIGINT):
        if self.is_running():
            self.process.send_signal(how)

    def stop(self, how=signal.SIGINT):
        self.ask_to_stop(how)
        self.wait_for_end()

    def wait_for_end(self):
        """Of one that was asked to stop, once: a second signal ends it at once."""
        if self.process is None:
            return
        try:
            self.process.wait(timeout=STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()


def kafka_broker(directory, port):
    """A broker with its records in directory/kafka; its port stays the same over restarts."""
    return Process("Kafka", [ROOT / "tools/kafka.sh", "run", "--data", directory / "kafka", "--port", port],
                   directory / "kafka.log", lambda: accepts(port), patience_s=KAFKA_PATIENCE_S)


class Cluster:
    """A cluster in one directory, on loopback. start() starts everything; each part can be killed and started again."""

    def __init__(self, directory, gateways=3, processors=2, partitions=12, kafka_port=None, redis_port=None,
                 mqtt_port=None, http_port=None, role_options=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.partitions = partitions
        self.kafka_port = kafka_port or free_port()
        self.redis_port = redis_port or free_port()
        self.http_port = http_port or free_port()
        self.kafka_address = f"127.0.0.1:{self.kafka_port}"
        self.redis_address = f"127.0.0.1:{self.redis_port}"
        self.role_options = role_options or {}
        self.token = None
        self.kafka = kafka_broker(self.directory, self.kafka_port)
        self.redis = Process("Redis", ["redis-server", "--port", self.redis_port, "--bind", "127.0.0.1", "--dir",
                                       self.directory / "redis", "--save", "", "--appendonly", "yes",
                                       "--appendfsync", "everysec"],
                             self.directory / "redis.log", lambda: accepts(self.redis_port))
        self.gateway_ports = [mqtt_port + i if mqtt_port else free_port() for i in range(gateways)]
        self.gateways = [
            self.role("gateway", f"gw-{i + 1}", "--redis", self.redis_address, "--mqtt-listen", f"127.0.0.1:{port}",
                      "--tokens", self.directory / "api-1" / "tokens.json")
            for i, port in enumerate(self.gateway_ports)]
        self.processors = [self.role("processor", f"processor-{i + 1}", "--redis", self.redis_address)
                           for i in range(processors)]
        self.shadow = self.role("shadow", "shadow-1")
        self.alerts = self.role("alerts", "alerts-1")
        self.api = self.role("api", "api-1", "--redis", self.redis_address, "--http-listen",
                             f"127.0.0.1:{self.http_port}")
        self.simulator = None

    def role(self, role, name, *options):
        folder = self.directory / name
        return Process(f"{role} {name}",
                       [MUSTER, role, "--name", name, "--kafka", self.kafka_address, "--data-dir", folder, *options,
                        *self.role_options.get(role, ())],
                       self.directory / f"{name}.log", lambda: (folder / "endpoints.json").exists())

    def start_role(self, process, wait=True):
        """Its endpoints.json of an earlier start must not be taken for this one's."""
        folder = pathlib.Path(process.command[process.command.index("--data-dir") + 1])
        (folder / "endpoints.json").unlink(missing_ok=True)
        return process.start(wait)

    def roles(self):
        return [*self.gateways, *self.processors, self.shadow, self.alerts, self.api]

    def init_topics(self):
        command = [MUSTER, "cluster", "init", "--kafka", self.kafka_address, "--partitions", str(self.partitions)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_PATIENCE_S)
        if done.returncode != 0:
            raise ClusterError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def start(self, say=lambda text: None):
        """The API first of all roles: it makes the tokens that the gateways read."""
        (self.directory / "redis").mkdir(exist_ok=True)
        say("Kafka …")
        self.kafka.start(wait=False)
        self.redis.start()
        self.kafka.wait_until_ready()
        self.init_topics()
        say("API …")
        self.start_role(self.api)
        self.token = json.loads((self.directory / "api-1" / "tokens.json").read_text())["admin"]
        say("processors, shadow, alerts, gateways …")
        others = [role for role in self.roles() if role is not self.api]
        for role in others:
            self.start_role(role, wait=False)
        for role in others:
            role.wait_until_ready()
        return self

    def simulate(self, devices, *options):
        brokers = ",".join(f"127.0.0.1:{port}" for port in self.gateway_ports)
        self.simulator = Process("simulator", [MUSTER, "simulator", "--broker", brokers, "--devices", devices, *options],
                                 self.directory / "simulator.log", lambda: True)
        return self.simulator.start()

    def stop_roles(self):
        """Devices first, then gateways: whatever is acknowledged is on Kafka. Gives those that did not end well, in words."""
        stopped = []
        for group in ([self.simulator] if self.simulator else [], self.gateways,
                      [*self.processors, self.shadow, self.alerts, self.api]):
            running = [process for process in group if process.is_running()]
            for process in running:
                process.ask_to_stop()
            for process in running:
                process.wait_for_end()
            stopped += running
        return [f"{process.name} ended with {process.process.returncode}: {process.log}" for process in stopped
                if process.process.returncode != 0]

    def stop(self):
        """Servers last."""
        failed = self.stop_roles()
        self.redis.stop(signal.SIGTERM)
        self.kafka.stop(signal.SIGTERM)
        return failed

    def end(self):
        """At once, however it was left."""
        for process in [self.simulator, *self.roles(), self.redis, self.kafka]:
            if process:
                process.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(ROOT / "build/scale-out"), help="where everything is kept (%(default)s)")
    parser.add_argument("--fresh", action="store_true", help="begin with empty data")
    parser.add_argument("--devices", type=int, default=2000, help="simulated devices; 0: none (%(default)s)")
    parser.add_argument("--gateways", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--processors", type=int, default=2, help="(%(default)s)")
    parser.add_argument("--http-port", type=int, default=8080, help="of the dashboard and the API (%(default)s)")
    parser.add_argument("--mqtt-port", type=int, default=1883, help="of the first gateway; the others follow (%(default)s)")
    parser.add_argument("--kafka-port", type=int, default=0, help="0: a free one (%(default)s)")
    parser.add_argument("--redis-port", type=int, default=0, help="0: a free one (%(default)s)")
    given = parser.parse_args()
    if given.fresh:
        shutil.rmtree(given.data, ignore_errors=True)
    subprocess.run([ROOT / "tools/kafka.sh", "fetch"], check=True)
    cluster = Cluster(given.data, given.gateways, given.processors, kafka_port=given.kafka_port,
                      redis_port=given.redis_port, mqtt_port=given.mqtt_port, http_port=given.http_port)
    # A second Ctrl-C does not stop the stopping.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        begun = time.monotonic()
        cluster.start(lambda text: print(f"==> {text}", flush=True))
        if given.devices:
            cluster.simulate(given.devices, "--log-level", "warn")
        print(f"""
The cluster is ready after {time.monotonic() - begun:.0f} s{f', with {given.devices} simulated devices' if given.devices else ''}.
  Dashboard   http://127.0.0.1:{cluster.http_port}/#token={cluster.token}
  MQTT        {', '.join(f'127.0.0.1:{port}' for port in cluster.gateway_ports)}
  Kafka       {cluster.kafka_address}
  Redis       {cluster.redis_address}
  Logs        {cluster.directory}/*.log

Try:  kill -9 {cluster.gateways[0].process.pid}   (gateway gw-1: its devices come back on the others, and no device alarm is raised)
Ctrl-C stops all of it; its data stays in {cluster.directory}.""", flush=True)
        told = set()
        while True:
            time.sleep(1)
            for process in [*cluster.roles(), cluster.redis, cluster.kafka]:
                if not process.is_running() and process.name not in told:
                    told.add(process.name)
                    print(f"{process.name} has ended with {process.process.returncode}: {process.log}", flush=True)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("\nStopping the cluster.", flush=True)
        failed = cluster.stop()
        print("Stopped.", flush=True)
        if failed:
            sys.exit("scale-out: " + "\n".join(failed))
    except ClusterError as error:
        cluster.end()
        sys.exit(f"scale-out: {error}")


if __name__ == "__main__":
    main()
