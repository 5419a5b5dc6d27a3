"""What the tests of a cluster share: the cluster of `make scale-out` on free ports, its API, and the fleet's ground truth."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import sys
import tempfile
import time
import unittest

import paho.mqtt.client as mqtt

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests/scenario"), str(ROOT / "tools")]
import harness  # noqa: E402
import scale_out  # noqa: E402

GRACE_S = 60  # of a lost gateway's devices
LOST_AFTER_S = 5
wait_until = harness.wait_until


class Api(harness.Server):
    """The cluster's API, asked as a scenario's server is."""

    def __init__(self, cluster):
        super().__init__(cluster.directory / "api-1")
        self.http = f"127.0.0.1:{cluster.http_port}"
        self.token = cluster.token

    def devices(self):
        """Every device by id."""
        found, cursor = {}, ""
        while True:
            page = self.get(f"/api/v1/devices?limit=1000{cursor}")
            found.update({device["id"]: device for device in page["devices"]})
            if not page.get("next_cursor"):
                return found
            cursor = f"&cursor={page['next_cursor']}"

    def fleet(self):
        return self.get("/api/v1/fleet")


class Truth:
    """What really happened to the simulated devices, from the simulator's own file."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def records(self):
        """(time in ms, id, truth), in order; the last line may still be being written."""
        out = []
        for line in self.path.read_text().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                break
            out.append((record["t"], record["id"], record["truth"]))
        return out

    def now(self):
        return {device: truth for _, device, truth in self.records()}


class Client:
    """A real MQTT client (paho) that is one device."""

    def __init__(self, device, port, clean=True):
        self.device = device
        self.acknowledged = []
        self.received = []
        self.connected = False
        self.mqtt = mqtt.Client(client_id=device, clean_session=clean, protocol=mqtt.MQTTv311)
        self.mqtt.will_set(f"status/{device}", "OFFLINE", qos=1)
        self.mqtt.on_connect = self._on_connect
        self.mqtt.on_disconnect = self._on_disconnect
        self.mqtt.on_publish = lambda client, userdata, mid: self.acknowledged.append(mid)
        self.mqtt.on_message = lambda client, userdata, message: self.received.append(message)
        self.mqtt.reconnect_delay_set(1, 2)
        self.mqtt.connect("127.0.0.1", port, keepalive=30)
        self.mqtt.loop_start()
        wait_until(lambda: self.connected, f"{device} to be connected")

    def _on_connect(self, client, userdata, flags, code):
        self.connected = code == 0

    def _on_disconnect(self, client, userdata, code):
        self.connected = False

    def publish(self, topic, payload, qos=1):
        return self.mqtt.publish(topic, payload, qos=qos).mid

    def die(self):
        """The socket goes, and nobody says good-bye."""
        connection = self.mqtt.socket()
        with contextlib.suppress(OSError):  # it has ended already
            if connection:
                connection.shutdown(socket.SHUT_RDWR)  # at once; the client's thread takes up to a second
        self.mqtt.loop_stop()
        if self.mqtt.socket():
            self.mqtt.socket().close()

    def leave(self):
        with contextlib.suppress(OSError):  # it has died before
            self.mqtt.disconnect()
        self.mqtt.loop_stop()


class ClusterScenario(unittest.TestCase):
    """One cluster a class of tests; each test leaves it whole."""

    devices = 300
    gateways = 3
    processors = 2
    simulator_options = ("--flappers", "0", "--sleepers", "0", "--outage", "jp/tokyo@100000+1:1%")

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="muster-cluster-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.cluster = scale_out.Cluster(cls.folder, cls.gateways, cls.processors)
        cls.addClassCleanup(cls.keep_logs)
        cls.addClassCleanup(cls.cluster.end)
        cls.cluster.start()
        cls.api = Api(cls.cluster)
        cls.truth = Truth(cls.folder / "truth.jsonl")
        if cls.devices:
            cls.cluster.simulate(cls.devices, "--truth-file", str(cls.truth.path), *cls.simulator_options)
            wait_until(cls.all_online, f"{cls.devices} devices to be online", 120)

    @classmethod
    def tearDownClass(cls):
        """Whatever was done to them, those that are there stop when they are asked to, and say that it went well."""
        failed = cls.cluster.stop_roles()
        if failed:
            raise AssertionError("\n".join(failed))

    @classmethod
    def keep_logs(cls):
        """For whoever looks for a failure's cause."""
        if kept := os.environ.get("MUSTER_KEEP_LOGS"):
            shutil.copytree(cls.folder, kept, dirs_exist_ok=True)

    def setUp(self):
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.leave()

    @classmethod
    def all_online(cls):
        return cls.api.fleet()["counts"]["online"] >= cls.devices

    def client(self, device, gateway=0, clean=True):
        client = Client(device, self.cluster.gateway_ports[gateway], clean)
        self.clients.append(client)
        return client

    def log_of(self, process):
        return process.tail()

    def agrees(self, ids=None):
        """Shown is what is true, of every simulated device."""
        truth = self.truth.now()
        shown = self.api.devices()
        return all(shown[device]["state"] == ("online" if truth[device] == "online" else "offline")
                   for device in (ids or truth))

    def wait_until_agrees(self, seconds=120):
        try:
            wait_until(self.agrees, "what is shown to be what is true", seconds, interval=0.5)
        except AssertionError as error:
            truth, shown = self.truth.now(), self.api.devices()
            wrong = [(device, truth[device], shown[device]["state"], shown[device]["cause"]) for device in truth
                     if shown[device]["state"] != ("online" if truth[device] == "online" else "offline")]
            raise AssertionError(f"{error}; {len(wrong)} are not: {wrong[:5]}") from None

    def transitions_since(self, device, since_ms):
        """Oldest first."""
        listed = self.api.get(f"/api/v1/devices/{device}/transitions?limit=500")["transitions"]
        return [entry for entry in reversed(listed) if entry["time"] >= since_ms]

    def called_offline(self, devices, since_ms):
        """Those of the devices that were shown offline, with what was shown."""
        entries = {device: self.transitions_since(device, since_ms) for device in devices}
        return {device: each for device, each in entries.items() if any(e["state"] == "offline" for e in each)}

    def was_offline(self, device, since_ms):
        """In truth."""
        return any(truth != "online" for t, d, truth in self.truth.records() if d == device and t >= since_ms)


def now_ms():
    return int(time.time() * 1000)
