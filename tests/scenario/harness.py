"""What every scenario shares: the real `muster serve` on free loopback ports, its API, and Debian's mosquitto clients.

Each test runs a server of its own in a temporary data directory; whatever a test starts, it ends by its own process id.
Waits are polls with a bound, never bare sleeps; a bound is generous, because a slow machine is not a failure.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

import websocket

MUSTER = os.environ.get("MUSTER_BINARY", "build/release/src/app/muster")
PATIENCE_S = 30.0


class ApiError(Exception):
    def __init__(self, status, problem):
        super().__init__(f"{status}: {problem}")
        self.status = status
        self.problem = problem


def wait_until(condition, what, seconds=PATIENCE_S, interval=0.05):
    """The first true value of `condition()`, or a failure that says what did not come."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(interval)


class Server:
    """One `muster serve`; `kill()` is kill -9, `stop()` is Ctrl-C, `start()` again goes on with the same data."""

    def __init__(self, data_dir, *options):
        self.data_dir = pathlib.Path(data_dir)
        self.options = list(options)
        self.process = None
        self.mqtt_listen = "127.0.0.1:0"
        self.http_listen = "127.0.0.1:0"
        self.program_options = ()  # those that stand before the command

    def start(self):
        endpoints = self.data_dir / "endpoints.json"
        endpoints.unlink(missing_ok=True)
        canaries = [] if "--canaries" in self.options else ["--canaries", "0"]
        with open(self.data_dir.parent / f"{self.data_dir.name}.log", "ab") as log:
            self.process = subprocess.Popen(
                [MUSTER, *self.program_options, "serve", "--data-dir", str(self.data_dir), "--mqtt-listen", self.mqtt_listen,
                 "--http-listen", self.http_listen, *canaries, *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: endpoints.exists() or self.process.poll() is not None, "muster serve to be ready")
        if self.process.poll() is not None:
            raise AssertionError(f"muster serve ended with {self.process.returncode}:\n{self.log_text()}")
        where = json.loads(endpoints.read_text())
        self.mqtt_port = int(where["mqtt"].rsplit(":", 1)[1])
        self.http = where["http"]
        # A restart comes back on the same ports, as a real one does.
        self.mqtt_listen, self.http_listen = where["mqtt"], where["http"]
        self.token = json.loads((self.data_dir / "tokens.json").read_text())["admin"]
        return self

    def log_text(self):
        return (self.data_dir.parent / f"{self.data_dir.name}.log").read_text(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """However a test left it."""
        if self.process:
            self.kill()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"muster serve did not stop within 60 s:\n{self.log_text()[-3000:]}") from None
        return self.process.returncode

    def request(self, method, path, body=None, token=None):
        request = urllib.request.Request(f"http://{self.http}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Authorization": f"Bearer {token or self.token}",
                                                  "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            text = error.read()
            raise ApiError(error.code, json.loads(text) if text.startswith(b"{") else text) from None
        return json.loads(text) if text.startswith((b"{", b"[")) else text.decode()

    def get(self, path):
        return self.request("GET", path)

    def metric(self, name, label=""):
        """The sum of a metric over all its labels that contain `label`."""
        lines = [line for line in self.get("/metrics").splitlines() if line.startswith((name + "{", name + " "))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if label in line)

    def device(self, device_id):
        """The device's page, or None while nobody knows it."""
        try:
            return self.get(f"/api/v1/devices/{device_id}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def is_ready(self):
        try:
            return self.get("/readyz")["ready"]
        except ApiError as error:
            if error.status != 503:
                raise
            return False

    def wait_until_ready(self):
        wait_until(self.is_ready, "the server to be ready")

    def wait_for(self, device_id, seconds=PATIENCE_S, **expected):
        """Polls the device until every expected member has its value; returns it."""
        def matches():
            device = self.device(device_id)
            return device if device and all(device.get(key) == value for key, value in expected.items()) else None
        try:
            return wait_until(matches, f"{device_id} to become {expected}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.device(device_id)}") from None

    def transitions(self, device_id):
        """Oldest first, as (state, cause)."""
        listed = self.get(f"/api/v1/devices/{device_id}/transitions?limit=500")["transitions"]
        return [(entry["state"], entry["cause"]) for entry in reversed(listed)]


class Live:
    """The live stream, read in a thread; `wait(predicate)` gives the first message that fits."""

    def __init__(self, server, topics):
        self.socket = websocket.create_connection(
            f"ws://{server.http}/api/v1/live?access_token={server.token}", timeout=PATIENCE_S)
        self.messages = []
        self.arrived = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        self.socket.send(json.dumps({"subscribe": topics}))
        self.wait(lambda message: message["type"] == "hello", "the live stream's hello")

    def _read(self):
        with contextlib.suppress(Exception):
            while True:
                text = self.socket.recv()
                if not text:
                    return
                with self.arrived:
                    self.messages.append((time.monotonic(), json.loads(text)))
                    self.arrived.notify_all()

    def wait(self, predicate, what, seconds=PATIENCE_S):
        """(monotonic time of arrival, message)."""
        deadline = time.monotonic() + seconds
        seen = 0
        with self.arrived:
            while True:
                for arrival, message in self.messages[seen:]:
                    if predicate(message):
                        return arrival, message
                seen = len(self.messages)
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
                self.arrived.wait(remaining)

    def wait_change(self, device_id, state):
        """(arrival, change) of the device's change into `state`."""
        found = {}

        def fits(message):
            for change in message.get("data", []) if message["type"] == "changes" else []:
                if change["id"] == device_id and change["state"] == state:
                    found["change"] = change
                    return True
            return False
        arrival, _ = self.wait(fits, f"a live change of {device_id} to {state}")
        return arrival, found["change"]

    def close(self):
        self.socket.close()
        self.thread.join(timeout=5)


class Scenario(unittest.TestCase):
    """A test with a temporary folder and clients that end with it."""

    serve_options = ()

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="muster-scenario-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.clients = []

    def serve(self, *options):
        server = Server(self.folder / "data", *self.serve_options, *options)
        self.addCleanup(server.end)
        (self.folder / "data").mkdir(exist_ok=True)
        return server.start()

    def live(self, server, *topics):
        live = Live(server, list(topics))
        self.addCleanup(live.close)
        return live

    def client(self, server, program, *arguments, stdin=subprocess.DEVNULL):
        """Starts mosquitto_pub, mosquitto_sub or mosquitto_rr against the server; its output is a file."""
        output = open(self.folder / f"client-{len(self.clients)}.out", "w+b")
        process = subprocess.Popen([program, "-h", "127.0.0.1", "-p", str(server.mqtt_port), *arguments],
                                   stdin=stdin, stdout=output, stderr=subprocess.STDOUT)
        process.output = output
        self.clients.append(process)
        self.addCleanup(self._end_client, process)
        return process

    @staticmethod
    def _end_client(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()
        process.output.close()

    @staticmethod
    def output_of(process):
        process.output.flush()
        return pathlib.Path(process.output.name).read_text(errors="replace")

    def publish(self, server, device_id, payload, qos=1, topic=None):
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(server.mqtt_port), "-i", device_id, "-q", str(qos),
                        "-t", topic or f"telemetry/{device_id}", "-m", payload],
                       check=True, timeout=PATIENCE_S, capture_output=True)


def main():
    unittest.main(verbosity=2)
