#!/usr/bin/env python3
"""Holds the embedded history store against InfluxDB 1.6 and PostgreSQL 15 and prints its figures and a Markdown table.

First Muster alone (muster_history_bench): many devices for some hours, then fewer devices for more than a week. Then the
same samples go into each store in turn: into Muster by its own benchmark, into InfluxDB as line protocol in batches over
loopback HTTP, into PostgreSQL by COPY over a unix socket into a table partitioned by day with an index by device and
time. Each server runs alone, with an empty data directory under build/, and is ended afterwards. Measured: CPU of the
server a sample (/proc/PID/stat, children too; of Muster the whole process without the making of the samples), wall time,
bytes on disk at the end, a query of one device's last hour by minute. All figures are for a sample of four metrics. Takes
about ten minutes. Needs only Python's standard library, and as root util-linux' setpriv.
"""
import argparse
import http.client
import os
import pathlib
import pwd
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.parse

PATIENCE_S = 60
BATCH = 20_000
QUERIES = 200
POSTGRES_BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
TABLE = """
create table samples (device text not null, time timestamptz not null, temp float8, battery float8, rssi float8,
                      load float8) partition by range (time);
create table samples_1 partition of samples for values from ('2023-11-15') to ('2023-11-16');
create index on samples (device, time);
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_of(pid):
    """User and system seconds of a process, its threads and the children that it has waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def cpu_of_group(pid):
    """The same with the children that still run."""
    total = cpu_of(pid)
    for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        total += sum(cpu_of(int(child)) for child in children.read_text().split())
    return total


def bytes_below(directory):
    return sum(path.stat().st_size for path in pathlib.Path(directory).rglob("*") if path.is_file())


def end(process):
    process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(ready, what):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if ready():
            return
        time.sleep(0.1)
    sys.exit(f"{what} did not start")


def quantiles(milliseconds):
    ordered = sorted(milliseconds)
    return statistics.median(ordered), ordered[int(len(ordered) * 0.99)]


class Influx:
    name = "InfluxDB 1.6"

    def __init__(self, directory):
        self.directory = directory
        self.port, rpc = free_port(), free_port()
        config = directory / "influxdb.conf"
        config.write_text(f"""
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{directory}/meta"
[data]
  dir = "{directory}/data"
  wal-dir = "{directory}/wal"
  index-version = "tsi1"
  query-log-enabled = false
  max-series-per-database = 0
[http]
  bind-address = "127.0.0.1:{self.port}"
  log-enabled = false
[monitor]
  store-enabled = false
""")
        self.process = subprocess.Popen(["/usr/bin/influxd", "run", "-config", config], stdin=subprocess.DEVNULL,
                                        stdout=(directory / "log").open("w"), stderr=subprocess.STDOUT)
        wait_for(self.listens, self.name)
        self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        self.ask("create database bench", method="POST")

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def ask(self, query, method="GET"):
        self.http.request(method, "/query?" + urllib.parse.urlencode({"db": "bench", "q": query}))
        answer = self.http.getresponse()
        body = answer.read()
        if answer.status != 200:
            sys.exit(f"{self.name}: {body}")
        return body

    def load(self, lines):
        for begin in range(0, len(lines), BATCH):
            body = []
            for line in lines[begin:begin + BATCH]:
                device, ms, temp, battery, rssi, load = line.split(",")
                body.append(f"s,device={device} temp={temp},battery={battery},rssi={rssi},load={load} {ms}")
            self.http.request("POST", "/write?db=bench&precision=ms", "\n".join(body).encode())
            answer = self.http.getresponse()
            answer.read()
            if answer.status != 204:
                sys.exit(f"{self.name}: {answer.status}")

    def query(self, device, begin, finish):
        return self.ask(f"select mean(temp),min(temp),max(temp) from s where device='{device}' and "
                        f"time>={begin}ms and time<{finish}ms group by time(1m) fill(none)")

    def cpu(self):
        return cpu_of(self.process.pid)

    def settle(self):
        """The write-ahead log becomes table files at the next start."""
        end(self.process)
        self.process = subprocess.Popen(["/usr/bin/influxd", "run", "-config", self.directory / "influxdb.conf"],
                                        stdin=subprocess.DEVNULL, stdout=(self.directory / "log").open("a"),
                                        stderr=subprocess.STDOUT)
        wait_for(self.listens, self.name)
        time.sleep(15)
        self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)

    def disk(self):
        return bytes_below(self.directory / "data") + bytes_below(self.directory / "wal")

    def close(self):
        end(self.process)


class Postgres:
    name = "PostgreSQL 15"

    def __init__(self, directory):
        self.directory = directory
        self.session = None
        self.as_user = []
        if os.geteuid() == 0:  # which PostgreSQL refuses to run as
            owner = pwd.getpwnam("postgres")
            os.chown(directory, owner.pw_uid, owner.pw_gid)
            self.as_user = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        self.run([POSTGRES_BIN / "initdb", "-D", directory / "data", "-A", "trust", "-U", "bench"])
        self.sockets = pathlib.Path(f"/tmp/muster-history-bench-{os.getpid()}")
        self.sockets.mkdir()
        self.sockets.chmod(0o777)
        self.process = subprocess.Popen(
            [*self.as_user, POSTGRES_BIN / "postgres", "-D", directory / "data", "-k", self.sockets, "-c",
             "listen_addresses=", "-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB"],
            stdin=subprocess.DEVNULL, stdout=(directory / "log").open("w"), stderr=subprocess.STDOUT)
        wait_for(lambda: subprocess.run(self.psql("select 1"), capture_output=True).returncode == 0, self.name)
        self.run(self.psql(TABLE))

    def run(self, command, **options):
        if command[0] != "psql":
            command = [*self.as_user, *command]
        done = subprocess.run(command, capture_output=True, text=True, **options)
        if done.returncode != 0:
            sys.exit(f"{self.name}: {done.stderr}")
        return done.stdout

    def psql(self, sql=""):
        return ["psql", "-h", self.sockets, "-U", "bench", "-d", "postgres", "-qAt", "-c", sql]

    def load(self, lines):
        for begin in range(0, len(lines), BATCH):
            rows = []
            for line in lines[begin:begin + BATCH]:
                device, ms, rest = line.split(",", 2)
                stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(int(ms) // 1000))
                rows.append(f"{device},{stamp}.{int(ms) % 1000:03d}+00,{rest}")
            self.run(self.psql("copy samples from stdin csv"), input="\n".join(rows) + "\n")

    def query(self, device, begin, finish):
        """Over one connection that stays, as an application's would."""
        if self.session is None:
            self.session = subprocess.Popen(self.psql()[:-2], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, text=True)
        self.session.stdin.write(
            "select date_trunc('minute',time),avg(temp),min(temp),max(temp) from samples where "
            f"device='{device}' and time>=to_timestamp({begin}/1000.0) and time<to_timestamp({finish}/1000.0) "
            "group by 1 order by 1;\n\\echo end\n")
        self.session.stdin.flush()
        rows = 0
        for line in self.session.stdout:
            if line == "end\n":
                break
            rows += 1
        if not rows:
            sys.exit(f"{self.name}: no rows of {device}")

    def cpu(self):
        return cpu_of_group(self.process.pid)

    def settle(self):
        self.run(self.psql("vacuum analyze samples"))
        self.run(self.psql("checkpoint"))

    def disk(self):
        """The table with its index, without the log."""
        return int(self.run(self.psql("select pg_total_relation_size('samples_1')")))

    def close(self):
        if self.session is not None:
            self.session.stdin.close()
            self.session.wait()
        end(self.process)
        shutil.rmtree(self.sockets, ignore_errors=True)


def measure(kind, root, lines, devices):
    directory = root / kind.__name__.lower()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    server = kind(directory)
    try:
        before, begun = server.cpu(), time.monotonic()
        server.load(lines)
        wall, cpu = time.monotonic() - begun, server.cpu() - before
        server.settle()
        last = int(lines[-1].split(",")[1])
        took = []
        for i in range(QUERIES):
            device = f"device-{10_000_000 + i * 7919 % devices}"
            begun = time.monotonic()
            server.query(device, last - 3_600_000, last)
            took.append(1000 * (time.monotonic() - begun))
        p50, p99 = quantiles(took)
        return {"samples": len(lines), "cpu": 1e6 * cpu / len(lines), "wall": 1e6 * wall / len(lines),
                "disk": server.disk() / len(lines), "p50": p50, "p99": p99}
    finally:
        server.close()
        shutil.rmtree(directory, ignore_errors=True)


def muster_itself(bench, devices, hours):
    """The row of the last line of muster_history_bench --same."""
    printed = subprocess.run([bench, "--same", str(devices), str(hours)], check=True, capture_output=True, text=True)
    samples, cpu, wall, disk, p50, p99 = map(float, printed.stdout.rpartition("line ")[2].split())
    return {"samples": int(samples), "cpu": cpu, "wall": wall, "disk": disk, "p50": p50, "p99": p99}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=pathlib.Path, default="build/release/bench/muster_history_bench")
    parser.add_argument("--many", default="50000 4", help="devices and hours of Muster's first run; 0 leaves it out")
    parser.add_argument("--long", default="2000 192 60",
                        help="devices, hours and seconds between checkpoints of its second run; 0 leaves it out")
    parser.add_argument("--devices", type=int, default=5_000, help="in all stores")
    parser.add_argument("--hours", type=int, default=3, help="in all stores; at most 24")
    parser.add_argument("--directory", type=pathlib.Path, default=pathlib.Path("build/history_bench"))
    options = parser.parse_args()
    root = options.directory.resolve()
    for run in (options.many, options.long):
        if run != "0":
            begun = time.monotonic()
            subprocess.run([options.bench, *run.split()], check=True)
            print(f"({run}: {time.monotonic() - begun:.0f} s, load {os.getloadavg()[0]:.1f})\n", flush=True)
    lines = subprocess.run([options.bench, "--csv", str(options.devices), str(options.hours)], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    print("| | samples | CPU µs a sample | wall µs a sample | disk B a sample | 1 h by minute p50 ms | p99 ms |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, run in (("Muster", lambda: muster_itself(options.bench, options.devices, options.hours)),
                      (Influx.name, lambda: measure(Influx, root, lines, options.devices)),
                      (Postgres.name, lambda: measure(Postgres, root, lines, options.devices))):
        row = run()
        print(f"| {name} | {row['samples']:,} | {row['cpu']:.2f} | {row['wall']:.2f} | {row['disk']:.1f} | "
              f"{row['p50']:.2f} | {row['p99']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
