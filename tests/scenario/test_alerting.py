"""Incidents leave the house: a signed webhook that fails first, and Debian's real Prometheus Alertmanager, which restarts and outlives a killed Muster."""
import contextlib
import hashlib
import hmac
import http.server
import json
import shutil
import socket
import subprocess
import threading
import unittest
import urllib.request

import paho.mqtt.client

import harness

ALERTMANAGER = shutil.which("prometheus-alertmanager")
DEVICES = 24
SECRET = "a secret of the test"


class Receiver:
    """A webhook's other end: remembers what came and answers with the statuses it was given, then 200."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.posts = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append((dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def events(self):
        return [json.loads(body)["event"] for _, body in self.posts]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=5)


class Alertmanager:
    """Debian's, on a free loopback port; it comes back on the same one."""

    def __init__(self, folder):
        self.folder = folder
        self.folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        (folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        self.process = None

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [ALERTMANAGER, f"--config.file={self.folder}/alertmanager.yml", f"--storage.path={self.folder}/data",
                 f"--web.listen-address={self.address}", "--cluster.listen-address="],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        harness.wait_until(self._is_ready, "Alertmanager to be ready")

    def _is_ready(self):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5).status == 200
        return False

    def alerts(self):
        with urllib.request.urlopen(f"http://{self.address}/api/v2/alerts", timeout=10) as response:
            return json.loads(response.read())

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()


class Alerting(harness.Scenario):
    def setUp(self):
        super().setUp()
        self.devices = []
        self.addCleanup(self.break_devices)

    def connect_devices(self, server):
        """A region's devices, each with a session and a birth message that names the region."""
        for number in range(DEVICES):
            device = f"alert-{number}"
            client = paho.mqtt.client.Client(client_id=device)
            client.connect("127.0.0.1", server.mqtt_port, keepalive=30)
            client.loop_start()
            client.publish(f"status/{device}", json.dumps({"status": "ONLINE", "region": "in/ka", "carrier": "airtel"}),
                           qos=1).wait_for_publish(harness.PATIENCE_S)
            self.devices.append(client)
        harness.wait_until(lambda: server.get("/api/v1/fleet")["counts"]["online"] == DEVICES, "the devices to be online")

    def break_devices(self):
        """Their sockets break: no goodbye."""
        for client in self.devices:
            # The thread first, so that it does not connect again.
            client._thread_terminate = True
            if client.socket():
                with contextlib.suppress(OSError):
                    client.socket().shutdown(socket.SHUT_RDWR)
            client.loop_stop()
        self.devices = []

    def raise_soon(self, server):
        """The built-in rule, but a second is enough."""
        rule = server.request("PUT", "/api/v1/rules/region_offline_share", {"raise": 0.1, "for_s": 1})
        self.assertEqual("api", rule["origin"])

    def incident(self, server, state, seconds=60):
        return harness.wait_until(
            lambda: [a for a in server.get("/api/v1/alerts?state=all")["alerts"] if a["state"] == state],
            f"an incident that is {state}", seconds)[0]

    def test_a_webhook_is_signed_and_told_once_of_each_turn_though_it_failed_first(self):
        receiver = Receiver(500, 503)
        self.addCleanup(receiver.close)
        server = self.serve("--webhook", receiver.url, "--webhook-secret", SECRET)
        self.raise_soon(server)
        self.connect_devices(server)
        self.break_devices()
        incident = self.incident(server, "open")
        self.assertEqual("region_outage", incident["cause"], incident)
        harness.wait_until(lambda: len(receiver.posts) >= 3, "the third attempt")
        self.connect_devices(server)
        self.incident(server, "resolved")
        harness.wait_until(lambda: "resolved" in receiver.events(), "the webhook to be told of the end")
        for headers, body in receiver.posts:
            fields = dict(part.split("=", 1) for part in headers["X-Muster-Signature"].split(","))
            signed = f"{fields['t']}.".encode() + body
            self.assertEqual(hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest(), fields["v1"])
        deliveries = [headers["X-Muster-Delivery"] for headers, _ in receiver.posts]
        self.assertEqual(1, len(set(deliveries[:3])), "a repeated attempt is the same delivery")
        told = dict(zip(deliveries, receiver.events()))
        self.assertEqual(1, list(told.values()).count("opened"), told)
        self.assertEqual(1, list(told.values()).count("resolved"), told)
        self.assertIn('muster_alerts_notifications_total{result="delivered",sink="webhook"}', server.get("/metrics"))

    @unittest.skipUnless(ALERTMANAGER, "Debian's prometheus-alertmanager is not installed")
    def test_alertmanager_has_one_alert_through_restarts_of_both_until_it_is_resolved(self):
        alertmanager = Alertmanager(self.folder / "alertmanager")
        self.addCleanup(alertmanager.kill)
        alertmanager.start()
        server = self.serve("--alertmanager", f"http://{alertmanager.address}/", "--alertmanager-resend", "1")
        self.raise_soon(server)
        self.connect_devices(server)
        self.break_devices()
        incident = self.incident(server, "open")
        alert = harness.wait_until(alertmanager.alerts, "Alertmanager to have the alert")[0]
        self.assertEqual({"alertname": "MusterIncident", "incident": incident["id"], "rule": "region_offline_share",
                          "cause": "region_outage"}, alert["labels"], "nothing that changes while it is open")
        self.assertIn("are offline in in/ka", alert["annotations"]["summary"])

        alertmanager.kill()
        shutil.rmtree(alertmanager.folder / "data")
        alertmanager.start()
        again = harness.wait_until(alertmanager.alerts, "the alert to come back after Alertmanager forgot everything")
        self.assertEqual([alert["fingerprint"]], [each["fingerprint"] for each in again])

        server.kill()
        server.start()
        updated = max(each["updatedAt"] for each in alertmanager.alerts())
        harness.wait_until(lambda: any(each["updatedAt"] > updated for each in alertmanager.alerts()),
                           "the restarted Muster to tell again")
        self.assertEqual([alert["fingerprint"]], [each["fingerprint"] for each in alertmanager.alerts()])

        self.connect_devices(server)
        self.incident(server, "resolved")
        harness.wait_until(lambda: not alertmanager.alerts(), "Alertmanager to have nothing that fires")

    def test_rules_are_kept_and_those_of_a_file_are_the_files(self):
        rules = self.folder / "rules.toml"
        rules.write_text('[[rule]]\nname = "karnataka"\nregion = "in/ka"\nraise = 0.2\nfor_s = 30\nseverity = "critical"\n'
                         '[rule.schedule]\ndays = ["mon", "tue"]\nfrom = "08:00"\nto = "20:00"\n')
        server = self.serve("--rules", str(rules))
        harness.wait_until(lambda: any(r["name"] == "karnataka" for r in server.get("/api/v1/rules")["rules"]),
                           "the file's rule")
        server.request("PUT", "/api/v1/rules/many", {"metric": "offline_count", "raise": 500})
        with self.assertRaises(harness.ApiError) as refused:
            server.request("PUT", "/api/v1/rules/karnataka", {"raise": 0.5})
        self.assertEqual(409, refused.exception.status)
        with self.assertRaises(harness.ApiError) as bad:
            server.request("PUT", "/api/v1/rules/odd", {"raise": 0.1, "clear": 0.2})
        self.assertEqual(400, bad.exception.status)
        server.kill()
        rules.write_text("")
        server.start()
        harness.wait_until(lambda: [r["name"] for r in server.get("/api/v1/rules")["rules"]] ==
                           ["many", "region_offline_share"], "what the file no longer has to go, and the API's to stay")
        server.request("DELETE", "/api/v1/rules/many")
        self.assertNotIn("many", [r["name"] for r in server.get("/api/v1/rules")["rules"]])
        audit = (self.folder / "data" / "audit.log").read_text()
        self.assertIn('"action":"rule.put"', audit)
        self.assertIn('"action":"rule.delete"', audit)

    def test_rules_are_tested_on_the_recorded_presence_before_they_page_anyone(self):
        server = self.serve()
        self.connect_devices(server)
        self.break_devices()
        harness.wait_until(lambda: server.get("/api/v1/fleet")["counts"]["offline"] == DEVICES, "the devices to be offline")
        rules = self.folder / "rules.toml"
        rules.write_text('[[rule]]\nname = "eager"\nfor_s = 1\n[[rule]]\nname = "patient"\nfor_s = 3600\n')

        def tested():
            # Longer than the history of a new server: tested from where it begins.
            done = subprocess.run([harness.MUSTER, "rules", "test", "--since", "7d", "--data-dir", str(server.data_dir),
                                   str(rules)], capture_output=True, text=True, timeout=60)
            self.assertEqual(0, done.returncode, done.stderr)
            return done.stdout if "rule eager: 1 incidents" in done.stdout else None
        out = harness.wait_until(tested, "the eager rule to have something to tell")
        self.assertRegex(out, r"^tested from [-0-9]+ [:0-9]+ UTC on, not the whole 7d: there the presence history begins\n")
        self.assertIn("rule patient: 0 incidents since ", out)
        self.assertIn(f"at most {DEVICES} devices", out)

    def test_a_rules_file_that_cannot_be_read_stops_the_start_with_its_reason(self):
        rules = self.folder / "rules.toml"
        rules.write_text('[[rule]]\nname = "x"\nrais = 0.2\n')
        with self.assertRaises(AssertionError) as failed:
            self.serve("--rules", str(rules))
        self.assertIn("rais", str(failed.exception))
        self.assertIn("rule 1", str(failed.exception))


if __name__ == "__main__":
    harness.main()
