"""Bad input at every edge of the running product: a clear error or a counted drop, never a crash, never a lost neighbour."""
import json
import random
import re
import shutil
import socket
import subprocess

import harness


def run(*arguments):
    return subprocess.run([harness.MUSTER, *arguments], capture_output=True, text=True, timeout=harness.PATIENCE_S)


class BadInput(harness.Scenario):
    def metric(self, server, name):
        """Sum of a counter over its labels."""
        text = server.request("GET", "/metrics")
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"{name}(\{{| )", line))

    def test_random_bytes_at_the_mqtt_port_disturb_nobody(self):
        server = self.serve()
        self.client(server, "mosquitto_sub", "-i", "n1", "-t", "$aws/things/n1/shadow/get/accepted")
        server.wait_for("n1", state="online")
        dice = random.Random(11)
        for _ in range(200):
            with socket.create_connection(("127.0.0.1", server.mqtt_port), timeout=harness.PATIENCE_S) as rubbish:
                try:
                    rubbish.sendall(dice.randbytes(dice.randrange(1, 2000)))
                except OSError:
                    pass  # the server may cut while we still send
        self.assertEqual("online", server.device("n1")["state"])
        self.publish(server, "n2", '{"battery":1}')
        server.wait_for("n2", state="offline", cause="client_disconnect")

    def test_malformed_telemetry_is_counted_and_its_neighbours_are_kept(self):
        server = self.serve()
        self.publish(server, "n3", '{"battery":')
        self.publish(server, "n3", '[1,2')
        self.publish(server, "n3", '"just text"')
        self.publish(server, "n3", '{"battery":55,"note":"text","nested":{"a":1}}')
        page = server.wait_for("n3", metrics={"battery": 55})
        self.assertEqual({"battery": 55}, page["metrics"])
        harness.wait_until(lambda: self.metric(server, "muster_processor_poison_total") >= 3, "the counter")

    def test_a_device_may_not_write_anothers_topic(self):
        server = self.serve()
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(server.mqtt_port), "-i", "thief", "-q", "1",
                        "-t", "telemetry/victim", "-m", '{"battery":1}'], timeout=harness.PATIENCE_S, capture_output=True)
        server.wait_for("thief", state="offline")
        self.assertIsNone(server.device("victim"))

    def test_the_api_wants_a_token_and_says_so(self):
        server = self.serve()
        with self.assertRaises(harness.ApiError) as caught:
            server.request("GET", "/api/v1/fleet", token="wrong")
        self.assertEqual(401, caught.exception.status)
        for path in ["/api/v1/devices?limit=0", "/api/v1/devices?state=asleep", "/api/v1/devices?cursor=%ff",
                     "/api/v1/devices/no%20such/history"]:
            with self.assertRaises(harness.ApiError, msg=path) as caught:
                server.get(path)
            self.assertIn(caught.exception.status, (400, 404), path)
            self.assertIn("detail", caught.exception.problem)
        with self.assertRaises(harness.ApiError) as caught:
            server.request("POST", "/api/v1/devices/x/commands", {"name": 5})
        self.assertEqual(400, caught.exception.status)

    def test_an_unknown_option_is_one_clear_sentence(self):
        done = run("serve", "--no-such-option")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("--no-such-option", done.stderr)
        self.assertIn("--help", done.stderr)

    def test_a_bad_value_names_the_option(self):
        done = run("serve", "--data-dir", str(self.folder / "data"), "--mqtt-listen", "nonsense")
        self.assertEqual(1, done.returncode)
        self.assertIn("nonsense", done.stderr)

    def test_an_unencrypted_listener_beyond_loopback_is_refused(self):
        for option in ("--mqtt-listen", "--http-listen"):
            done = run("serve", "--data-dir", str(self.folder / "data"), option, "0.0.0.0:0")
            self.assertEqual(1, done.returncode, done.stderr)
            self.assertIn("loopback", done.stderr)

    def test_a_port_in_use_is_said_with_what_to_do(self):
        with socket.create_server(("127.0.0.1", 0)) as holder:
            port = holder.getsockname()[1]
            for option in ("--mqtt-listen", "--http-listen"):
                other = {"--mqtt-listen": "--http-listen", "--http-listen": "--mqtt-listen"}[option]
                done = run("serve", "--data-dir", str(self.folder / f"data{option}"), option, f"127.0.0.1:{port}", other,
                           "127.0.0.1:0")
                self.assertEqual(1, done.returncode)
                self.assertIn(str(port), done.stderr)
                self.assertIn(option, done.stderr)

    def test_two_servers_on_one_data_directory_are_refused(self):
        server = self.serve()
        done = run("serve", "--data-dir", str(server.data_dir), "--mqtt-listen", "127.0.0.1:0", "--http-listen",
                   "127.0.0.1:0")
        self.assertEqual(1, done.returncode)
        self.assertIn(str(server.data_dir), done.stderr)

    def test_a_corrupt_data_directory_is_named(self):
        server = self.serve()
        self.publish(server, "n4", '{"battery":1}')
        server.stop()
        for store in [path for path in server.data_dir.iterdir() if (path / "CURRENT").exists()]:
            saved = self.folder / "saved"
            shutil.copytree(server.data_dir, saved)
            for manifest in store.glob("MANIFEST-*"):
                manifest.write_bytes(b"\xff" * 100)
            done = run("serve", "--data-dir", str(server.data_dir), "--mqtt-listen", "127.0.0.1:0", "--http-listen",
                       "127.0.0.1:0")
            self.assertEqual(1, done.returncode, f"{store}: {done.stderr}")
            self.assertIn(str(store), done.stderr)
            shutil.rmtree(server.data_dir)
            saved.rename(server.data_dir)
        server.start()
        self.assertIsNotNone(server.device("n4"), "the intact copy still serves")

    def test_a_bad_configuration_file_is_named(self):
        config = self.folder / "muster.toml"
        config.write_text("[serve]\nno_such_key = 1\n")
        done = run("--config", str(config), "serve")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("no_such_key", done.stderr)


class Help(harness.Scenario):
    def test_help_teaches(self):
        self.assertIn("serve", run("--help").stdout)
        text = run("serve", "--help").stdout
        for option in ("--data-dir", "--mqtt-listen", "--http-listen", "--heartbeat-timeout", "--simulate"):
            self.assertIn(option, text)
        self.assertIn("--outage", run("simulator", "--help").stdout)
        self.assertRegex(run("--version").stdout, r"\d+\.\d+\.\d+")

    def test_serve_prints_where_to_look_and_one_line_that_connects_a_device(self):
        server = self.serve()
        banner = harness.wait_until(lambda: "mosquitto_pub" in server.log_text() and server.log_text(), "the banner")
        line = next(text.strip() for text in banner.splitlines() if "mosquitto_pub" in text)
        self.assertIn(f"http://{server.http}", banner)
        # Typed as it is printed, it makes a device appear, report and, on Ctrl-C, die.
        shell = subprocess.Popen(["bash", "-c", line], start_new_session=True, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        try:
            page = server.wait_for("my-device", state="online")
            harness.wait_until(lambda: server.device("my-device")["metrics"], "its telemetry")
            self.assertEqual("online", page["state"])
        finally:
            subprocess.run(["kill", "-KILL", "--", f"-{shell.pid}"], check=False)
            shell.wait()
        server.wait_for("my-device", state="offline", cause="will")


class Simulator(harness.Scenario):
    def test_the_simulator_is_a_program_of_its_own_and_the_api_agrees_with_its_truth(self):
        server = self.serve()
        truth = self.folder / "truth.jsonl"
        done = subprocess.run([harness.MUSTER, "simulator", "--broker", f"127.0.0.1:{server.mqtt_port}", "--devices", "200",
                               "--seed", "3", "--duration", "15", "--outage", "ng/lagos@6+60:100%", "--flappers", "0",
                               "--sleepers", "0", "--truth-file", str(truth)],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(0, done.returncode, done.stderr)
        last = {}
        for line in truth.read_text().splitlines():
            entry = json.loads(line)
            last[entry["id"]] = entry
        self.assertEqual(200, len(last))
        self.assertTrue(any(entry["why"] == "outage" for entry in last.values()))
        fleet = harness.wait_until(lambda: (f := server.get("/api/v1/fleet"))["counts"]["offline"] == 200 and f,
                                   "everybody to be gone")
        self.assertEqual(200, fleet["counts"]["total"])
        outage = [name for name, entry in last.items() if entry["why"] == "outage"]
        page = server.device(outage[0])
        self.assertIn(page["cause"], ("will", "connection_lost"))
        self.assertTrue(page["region"].startswith("ng/lagos"))


if __name__ == "__main__":
    harness.main()
