"""Device shadows and commands with real MQTT clients, over MQTT and REST, through absence and kill -9."""
import json
import queue

import paho.mqtt.client as mqtt

import harness


class Shadow(harness.Scenario):
    def ask(self, server, device_id, operation, payload, answer="accepted"):
        """Publishes to a shadow topic and returns the answer, as one device with one connection would."""
        base = f"$aws/things/{device_id}/shadow/{operation}"
        answers = queue.Queue()
        device = mqtt.Client(client_id=device_id)
        device.on_message = lambda _client, _userdata, message: answers.put(message.payload)
        device.on_connect = lambda client, *_: client.subscribe(f"{base}/{answer}", qos=1)
        device.on_subscribe = lambda client, *_: client.publish(base, payload, qos=1)
        device.connect("127.0.0.1", server.mqtt_port)
        device.loop_start()
        try:
            return json.loads(answers.get(timeout=harness.PATIENCE_S))
        except queue.Empty:
            self.fail(f"no {answer} answer to {operation}: {server.log_text()[-1000:]}")
        finally:
            device.disconnect()
            device.loop_stop()

    def test_a_device_updates_and_gets_its_shadow(self):
        server = self.serve()
        accepted = self.ask(server, "s1", "update", '{"state":{"reported":{"interval":30}},"clientToken":"t1"}')
        self.assertEqual((1, "t1"), (accepted["version"], accepted["clientToken"]))
        document = self.ask(server, "s1", "get", "")
        self.assertEqual({"interval": 30}, document["state"]["reported"])
        self.assertEqual(1, document["version"])
        rejected = self.ask(server, "s1", "update", '{"state":{"reported":{"a":1}},"version":9}', answer="rejected")
        self.assertEqual((409, "Version conflict"), (rejected["code"], rejected["message"]))
        rejected = self.ask(server, "s1", "update", "{not json", answer="rejected")
        self.assertEqual(400, rejected["code"])

    def test_desired_state_set_while_away_reaches_the_device_on_its_next_connect(self):
        server = self.serve()
        self.ask(server, "s2", "update", '{"state":{"reported":{"interval":30,"log":"warn"}}}')
        server.wait_for("s2", state="offline")
        changed = server.request("PATCH", "/api/v1/devices/s2/shadow", {"state": {"desired": {"interval": 60}}})
        self.assertEqual(2, changed["version"])
        device = self.client(server, "mosquitto_sub", "-i", "s2", "-t", "$aws/things/s2/shadow/update/delta", "-C", "1")
        device.wait(timeout=harness.PATIENCE_S)
        self.assertEqual({"interval": 60}, json.loads(self.output_of(device))["state"])

    def test_a_version_conflict_is_told_over_rest(self):
        server = self.serve()
        server.request("PATCH", "/api/v1/devices/s3/shadow", {"state": {"desired": {"a": 1}}})
        with self.assertRaises(harness.ApiError) as caught:
            server.request("PATCH", "/api/v1/devices/s3/shadow", {"state": {"desired": {"a": 2}}, "version": 7})
        self.assertEqual(409, caught.exception.status)

    def test_an_accepted_update_survives_kill_nine(self):
        server = self.serve()
        for value in range(1, 6):
            self.ask(server, "s4", "update", json.dumps({"state": {"reported": {"value": value}}}))
            server.kill()
            server.start()
            shadow = server.get("/api/v1/devices/s4/shadow")
            self.assertEqual(({"value": value}, value), (shadow["state"]["reported"], shadow["version"]))


class Commands(harness.Scenario):
    def command(self, server, device_id, name, **members):
        return server.request("POST", f"/api/v1/devices/{device_id}/commands", {"name": name, **members})

    def wait_status(self, server, execution_id, status):
        path = f"/api/v1/commands/{execution_id}"
        return harness.wait_until(lambda: (c := server.get(path))["status"] == status and c, f"{status}", 60)

    def test_a_command_is_carried_out_by_a_device(self):
        server = self.serve()
        self.publish(server, "c1", '{"battery":1}')
        device = self.client(server, "mosquitto_sub", "-i", "c1", "-v", "-C", "1",
                             "-t", "$aws/commands/things/c1/executions/+/request/json")
        server.wait_for("c1", state="online")
        created = self.command(server, "c1", "reboot", parameters={"delay_s": 1})
        device.wait(timeout=harness.PATIENCE_S)
        topic, payload = self.output_of(device).strip().split(" ", 1)
        self.assertEqual(f"$aws/commands/things/c1/executions/{created['execution_id']}/request/json", topic)
        self.assertIn("reboot", payload)
        self.publish(server, "c1", '{"status":"SUCCEEDED","result":{"uptime_s":3}}',
                     topic=topic.replace("/request/", "/response/"))
        done = self.wait_status(server, created["execution_id"], "SUCCEEDED")
        self.assertEqual(["QUEUED", "SENT", "SUCCEEDED"], [step["status"] for step in done["steps"]])
        self.assertEqual({"uptime_s": 3}, done["result"])

    def test_a_command_for_a_device_that_is_away_reaches_it_on_reconnect_and_survives_kill_nine(self):
        server = self.serve()
        self.publish(server, "c2", '{"battery":1}')
        server.wait_for("c2", state="offline")
        created = self.command(server, "c2", "reboot", idempotency_key="once")
        again = self.command(server, "c2", "reboot", idempotency_key="once")
        self.assertEqual(created["execution_id"], again["execution_id"])
        server.kill()
        server.start()
        self.assertEqual("QUEUED", server.get(f"/api/v1/commands/{created['execution_id']}")["status"])
        device = self.client(server, "mosquitto_sub", "-i", "c2", "-C", "1",
                             "-t", "$aws/commands/things/c2/executions/+/request/json")
        device.wait(timeout=harness.PATIENCE_S)
        self.assertIn("reboot", self.output_of(device))

    def test_a_command_that_nobody_fetched_expires(self):
        server = self.serve()
        self.publish(server, "c3", '{"battery":1}')
        created = self.command(server, "c3", "reboot", expires_in_s=1)
        expired = self.wait_status(server, created["execution_id"], "EXPIRED")
        self.assertGreaterEqual(expired["steps"][-1]["time"], expired["created"] + 1000)

    def test_simulated_devices_obey(self):
        server = self.serve("--simulate", "20", "--simulate-seed", "5")
        devices = harness.wait_until(
            lambda: [d for d in server.get("/api/v1/devices?state=online&limit=100")["devices"]] or None, "devices", 60)
        device_id = devices[0]["id"]
        config = self.command(server, device_id, "set-config", parameters={"reportInterval": 17})
        self.wait_status(server, config["execution_id"], "SUCCEEDED")
        shadow = harness.wait_until(
            lambda: (s := server.get(f"/api/v1/devices/{device_id}/shadow"))["state"]["reported"].get(
                "reportInterval") == 17 and s, "the reported interval")
        self.assertNotIn("delta", [key for key, value in shadow["state"].items() if value])
        server.request("PATCH", f"/api/v1/devices/{device_id}/shadow", {"state": {"desired": {"reportInterval": 23}}})
        harness.wait_until(lambda: server.get(f"/api/v1/devices/{device_id}/shadow")["state"]["reported"].get(
            "reportInterval") == 23, "the device to follow its desired state")
        reboot = self.command(server, device_id, "reboot")
        self.wait_status(server, reboot["execution_id"], "SUCCEEDED")
        time_of = {cause for _, cause in server.transitions(device_id)}
        self.assertIn("client_disconnect", time_of, "a reboot is seen as a clean disconnect")


if __name__ == "__main__":
    harness.main()
