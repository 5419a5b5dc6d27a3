"""Verdicts and what they rest on: canaries, explanations, maintenance, models' timeouts, two clients with one id."""
import subprocess
import time

import harness

DEATHS = {"will", "connection_lost", "client_disconnect", "heartbeat_timeout", "keepalive_timeout"}


class Verdicts(harness.Scenario):
    def resident(self, server, device_id, *arguments):
        """A device that stays: it only listens."""
        return self.client(server, "mosquitto_sub", "-i", device_id, "-t", f"$aws/things/{device_id}/shadow/get/accepted",
                           *arguments)

    def test_canaries_measure_every_kind_of_death_and_are_not_in_the_fleet(self):
        server = self.serve("--canaries", "1")

        def measured():
            accuracy = server.get("/api/v1/accuracy")
            return accuracy if {cause["cause"] for cause in accuracy["causes"]} == DEATHS else None

        accuracy = harness.wait_until(measured, "a death of every kind to be detected", seconds=120)
        self.assertEqual((0, 0, 0),
                         (accuracy["false_offline"], accuracy["missed_offline"], accuracy["missed_online"]), accuracy)
        for cause in accuracy["causes"]:
            self.assertLess(cause["max_ms"], cause["bound_ms"], cause)
            self.assertEqual(0, cause["other_cause"], cause)
        self.assertEqual(0, server.get("/api/v1/fleet")["counts"]["total"])
        self.assertEqual([], server.get("/api/v1/devices")["devices"])
        self.assertEqual(5, len(server.get("/api/v1/devices?q=muster-canary-")["devices"]))
        self.assertIn('muster_detection_seconds_count{cause="will"}', server.get("/metrics"))

    def test_nobody_else_connects_as_a_canary(self):
        server = self.serve()
        device = self.resident(server, "muster-canary-will-0", "-u", "muster-canary-will-0", "-P", "guessed")
        self.assertNotEqual(0, device.wait(timeout=harness.PATIENCE_S))

    def test_a_window_covers_its_devices_and_survives_a_restart(self):
        server = self.serve()
        self.publish(server, "m1", '{"status":"ONLINE","region":"in/ka","model":"meter"}', topic="status/m1")
        server.wait_for("m1", state="offline", overlays=[])
        now = int(time.time() * 1000)
        server.request("POST", "/api/v1/maintenance",
                       {"id": "mast", "query": {"region": "in"}, "from": now, "to": now + 3_600_000, "reason": "new mast"})
        server.wait_for("m1", overlays=["maintenance"])
        region = next(one for one in server.get("/api/v1/regions")["regions"] if one["region"] == "in")
        self.assertEqual(0, region["offline_share"])
        server.kill()
        server.start()
        self.assertEqual(["mast"], [one["id"] for one in server.get("/api/v1/maintenance")["windows"]])
        self.publish(server, "m2", '{"status":"ONLINE","region":"in/kerala","model":"meter"}', topic="status/m2")
        server.wait_for("m2", overlays=["maintenance"])
        explanation = server.get("/api/v1/devices/m2/explain")
        text = {one["kind"]: one["text"] for one in explanation["evidence"]}
        self.assertIn("new mast", text["maintenance"])
        server.wait_until_ready()
        server.request("DELETE", "/api/v1/maintenance/mast")
        server.wait_for("m1", overlays=[])
        server.wait_for("m2", overlays=[])

    def test_a_models_timeout_is_that_of_its_devices(self):
        server = self.serve()
        server.wait_until_ready()
        server.request("PUT", "/api/v1/models/quick", {"heartbeat_timeout_s": 5})
        device = self.client(server, "mosquitto_pub", "-i", "q1", "-t", "status/q1", "-l", "-k", "600",
                             stdin=subprocess.PIPE)
        device.stdin.write(b'{"status":"ONLINE","model":"quick"}\n')
        device.stdin.flush()
        server.wait_for("q1", state="online", model="quick")
        server.wait_for("q1", state="offline", cause="heartbeat_timeout")
        heartbeat = next(one for one in server.get("/api/v1/devices/q1/explain")["evidence"] if one["kind"] == "heartbeat")
        self.assertEqual((5, "model"), (heartbeat["fields"]["allowed_s"], heartbeat["fields"]["rule"]))
        device.stdin.close()

    def test_two_clients_that_fight_over_an_id_are_told_from_flapping(self):
        server = self.serve()
        clients = []
        for _ in range(8):
            clients.append(self.resident(server, "twin"))
            count = len(clients)
            harness.wait_until(lambda: (server.device("twin") or {}).get("epoch") is not None, "the twin to be seen")
            self.wait_for_take_overs(server, count - 1)
        device = server.wait_for("twin", state="online")
        self.assertEqual(["contested"], device["overlays"])
        self.assertEqual(0, device["flap_penalty"])
        verdict = server.get("/api/v1/devices/twin/explain")
        self.assertIn("Two clients fight over this id",
                      next(one for one in verdict["evidence"] if one["kind"] == "contest")["text"])

    def wait_for_take_overs(self, server, count):
        def taken_over():
            evidence = server.get("/api/v1/devices/twin/explain")["evidence"]
            return next(one for one in evidence if one["kind"] == "epoch")["fields"]["take_overs"] >= count
        harness.wait_until(taken_over, f"{count} take-overs")


if __name__ == "__main__":
    harness.main()
