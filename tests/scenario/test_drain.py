"""`muster gateway drain`: clients go at a steady pace and are told where to, presence says why; `--undo` ends it."""
import json
import subprocess
import unittest

import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.packettypes import PacketTypes

import harness

DEVICES = 30


class Drain(harness.Scenario):
    def connect(self, server, device_id):
        client = mqtt.Client(client_id=device_id, protocol=mqtt.MQTTv5)
        client.reasons = []
        client.on_disconnect = lambda _c, _u, reason, properties=None: client.reasons.append((reason, properties))
        client.will_set(f"status/{device_id}", "OFFLINE", qos=1)
        client.connect("127.0.0.1", server.mqtt_port, properties=Properties(PacketTypes.CONNECT))
        client.reconnect_delay_set(60, 60)
        client.loop_start()
        self.addCleanup(client.loop_stop)
        harness.wait_until(client.is_connected, f"{device_id} to be connected")
        return client

    def drain(self, server, *options):
        return subprocess.run([harness.MUSTER, "gateway", "drain", "--data-dir", str(server.data_dir), *options],
                              capture_output=True, text=True, timeout=harness.PATIENCE_S * 2, check=False)

    def test_clients_leave_at_a_pace_and_come_back_after_undo(self):
        server = self.serve()
        clients = [self.connect(server, f"drained-{i}") for i in range(DEVICES)]
        done = self.drain(server, "--rate", "60", "--server-reference", "other.example.com:8883")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("gw-1 is drained.", done.stderr)
        for client in clients:
            harness.wait_until(lambda: client.reasons, "the DISCONNECT")
            reason, properties = client.reasons[0]
            self.assertEqual(reason.value, 0x9C)
            self.assertEqual(properties.ServerReference, "other.example.com:8883")
        server.wait_for("drained-0", state="unknown", cause="server_shutdown")  # offline when its grace is over
        self.assertNotIn(("offline", "will"), server.transitions("drained-0"))
        refused = mqtt.Client(client_id="late", protocol=mqtt.MQTTv5)
        answers = []
        refused.on_connect = lambda _c, _u, _f, reason, _p=None: answers.append(reason.value)
        refused.connect("127.0.0.1", server.mqtt_port)
        refused.loop_start()
        self.addCleanup(refused.loop_stop)
        harness.wait_until(lambda: answers, "the refusal")
        self.assertEqual(answers[0], 0x9C)
        refused.disconnect()

        undone = self.drain(server, "--undo")
        self.assertEqual(undone.returncode, 0, undone.stderr)
        harness.wait_until(lambda: server.metric("muster_gateway_draining") == 0, "the drain to be over")
        self.connect(server, "drained-0")
        server.wait_for("drained-0", state="online")
        audit = [json.loads(line) for line in (server.data_dir / "audit.log").read_text().splitlines()]
        self.assertEqual([entry["action"] for entry in audit if entry["action"].startswith("gateway")],
                         ["gateway.drain", "gateway.drain_end"])

    def test_mistakes_are_told_in_a_sentence(self):
        server = self.serve()
        unknown = self.drain(server, "--gateway", "nobody")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("no gateway of this name", unknown.stderr)
        viewer = json.loads((server.data_dir / "tokens.json").read_text())["viewer"]
        forbidden = self.drain(server, "--token", viewer)
        self.assertEqual(forbidden.returncode, 1)
        server.kill()
        (server.data_dir / "endpoints.json").unlink(missing_ok=True)
        nobody = self.drain(server)
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("no muster serve is running", nobody.stderr)


if __name__ == "__main__":
    unittest.main()
