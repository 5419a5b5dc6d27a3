"""MQTT over TCP, TLS and WebSocket with clients of several makes and certificates from the openssl program."""
import json
import pathlib
import re
import signal
import ssl
import subprocess
import threading
import time

import paho.mqtt.client as paho

import harness

TRANSPORTS = ("mqtt", "mqtts", "ws", "wss")
PAHO_C = {"mqtt": "tcp", "mqtts": "ssl", "ws": "ws", "wss": "wss"}
VERSIONS = (4, 5)
JS_CLIENT = "tests/scenario/js/client.mjs"


class Authority:
    """A certificate authority in a folder, kept by `openssl ca` as a real one is."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        (self.folder / "index.txt").touch()
        (self.folder / "serial").write_text("01\n")
        (self.folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca = d\n[d]\ndatabase = {self.folder}/index.txt\nserial = {self.folder}/serial\n"
            f"new_certs_dir = {self.folder}\ncertificate = {self.folder}/ca.pem\nprivate_key = {self.folder}/ca.key\n"
            "default_md = sha256\ndefault_days = 7\ndefault_crl_days = 7\npolicy = p\ncopy_extensions = copy\n"
            "unique_subject = no\n[p]\ncommonName = supplied\n")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "7",
                     "-subj", "/CN=Test CA", "-keyout", self.path("ca.key"), "-out", self.path("ca.pem"))
        self.ca = self.path("ca.pem")
        self.crl = self.path("crl.pem")
        self.write_crl()

    def path(self, name):
        return str(self.folder / name)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=harness.PATIENCE_S)

    def issue(self, name, *extensions):
        """(certificate file, key file); the same as the last time"""
        certificate, key, request = (self.path(f"{name}.{end}") for end in ("pem", "key", "csr"))
        if pathlib.Path(certificate).exists():
            return certificate, key
        added = [argument for extension in extensions for argument in ("-addext", extension)]
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                     f"/CN={name}", "-keyout", key, "-out", request, *added)
        self.openssl("ca", "-batch", "-config", self.path("ca.cnf"), "-in", request, "-out", certificate, "-notext")
        return certificate, key

    def revoke(self, certificate):
        self.openssl("ca", "-config", self.path("ca.cnf"), "-revoke", certificate)
        self.write_crl()

    def write_crl(self):
        self.openssl("ca", "-config", self.path("ca.cnf"), "-gencrl", "-out", self.path("crl.new"))
        pathlib.Path(self.path("crl.new")).rename(self.crl)


class Transports(harness.Scenario):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder / "ca")
        self.server_files = self.authority.issue("localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")

    def tls_options(self):
        certificate, key = self.server_files
        return ("--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", self.authority.ca,
                "--tls-crl", self.authority.crl)

    def serve_all(self):
        """A server with a listener of each kind; `self.port[kind]` is where it is."""
        server = self.serve("--listen", "mqtts://127.0.0.1:0", "--listen", "ws://127.0.0.1:0", "--listen",
                            "wss://127.0.0.1:0/mqtt", *self.tls_options())
        urls = json.loads((self.folder / "data" / "endpoints.json").read_text())["listeners"]
        self.port = {url.split("://")[0]: int(re.search(r":(\d+)(/|$)", url)[1]) for url in urls}
        self.assertEqual(set(TRANSPORTS), set(self.port))
        return server

    def metric(self, server, name, label=""):
        return sum(float(line.rsplit(" ", 1)[1]) for line in server.request("GET", "/metrics").splitlines()
                   if re.match(rf"{name}(\{{| )", line) and label in line)

    def mosquitto(self, program, device, *arguments):
        certificate, key = self.authority.issue(device)
        return [program, "-h", "localhost", "-p", str(self.port["mqtts"]), "--cafile", self.authority.ca, "--cert",
                certificate, "--key", key, "-i", device, *arguments]

    def test_mosquitto_clients_over_tls(self):
        server = self.serve_all()
        listener = self.folder / "heard"
        with open(listener, "wb") as out:
            subscriber = subprocess.Popen(self.mosquitto("mosquitto_sub", "ear", "-t", "room/1", "-C", "1", "-q", "1"),
                                          stdout=out, stderr=subprocess.STDOUT)
        self.addCleanup(subscriber.wait)
        self.addCleanup(subscriber.kill)
        server.wait_for("ear", state="online")
        harness.wait_until(lambda: self.metric(server, "muster_gateway_subscriptions") >= 1, "the subscription")
        subprocess.run(self.mosquitto("mosquitto_pub", "mouth", "-t", "room/1", "-m", "hello", "-q", "1",
                                      "--tls-alpn", "mqtt"), check=True, timeout=harness.PATIENCE_S)
        self.assertEqual(0, subscriber.wait(timeout=harness.PATIENCE_S))
        self.assertEqual("hello\n", listener.read_text())
        server.wait_for("mouth", state="offline", cause="client_disconnect")

    def test_a_device_cannot_take_anothers_name_or_come_without_a_certificate(self):
        server = self.serve_all()
        thief = self.mosquitto("mosquitto_pub", "thief", "-t", "telemetry/victim", "-m", '{"battery":1}', "-q", "1")
        thief[thief.index("-i") + 1] = "victim"
        self.assertNotEqual(0, subprocess.run(thief, capture_output=True, timeout=harness.PATIENCE_S).returncode)
        bare = ["mosquitto_pub", "-h", "localhost", "-p", str(self.port["mqtts"]), "--cafile", self.authority.ca, "-i",
                "bare", "-t", "telemetry/bare", "-m", '{"battery":1}', "-q", "1"]
        self.assertNotEqual(0, subprocess.run(bare, capture_output=True, timeout=harness.PATIENCE_S).returncode)
        self.assertIsNone(server.device("victim"))
        self.assertIsNone(server.device("bare"))
        harness.wait_until(lambda: self.metric(server, "muster_gateway_transport_failures_total",
                                               'reason="tls_certificate_missing"') == 1, "the failure to be counted")

    def test_paho_python_over_each(self):
        server = self.serve_all()
        for kind in TRANSPORTS:
            with self.subTest(kind):
                device = f"python-{kind}"
                client = paho.Client(device, transport="websockets" if kind.startswith("ws") else "tcp")
                if kind in ("mqtts", "wss"):
                    certificate, key = self.authority.issue(device)
                    client.tls_set(self.authority.ca, certificate, key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
                client.ws_set_options(path="/mqtt")
                heard = threading.Event()
                granted = threading.Event()
                client.on_message = lambda _client, _data, message: message.payload == b"x" * 40_000 and heard.set()
                client.on_subscribe = lambda *_: granted.set()
                client.on_connect = lambda connected, *_: connected.subscribe(f"room/{connected._client_id.decode()}", 1)
                client.connect("localhost", self.port[kind])
                client.loop_start()
                self.addCleanup(client.loop_stop)
                self.assertTrue(granted.wait(harness.PATIENCE_S))
                client.publish(f"room/{device}", b"x" * 40_000, 1)
                self.assertTrue(heard.wait(harness.PATIENCE_S))
                client.publish(f"telemetry/{device}", '{"battery":64}', 1).wait_for_publish(harness.PATIENCE_S)
                server.wait_for(device, state="online", metrics={"battery": 64})
                client.disconnect()
                server.wait_for(device, state="offline", cause="client_disconnect")

    def paho_c(self, program, kind, version, device, *arguments):
        url = f"{PAHO_C[kind]}://localhost:{self.port[kind]}" + ("/mqtt" if kind.startswith("ws") else "")
        command = [program, "-c", url, "-V", version, "-i", device, *arguments]
        if kind in ("mqtts", "wss"):
            certificate, key = self.authority.issue(device)
            command += ["--cafile", self.authority.ca, "--cert", certificate, "--key", key]
        return command

    def test_paho_c_over_each(self):
        """Its asynchronous client subscribes, its synchronous one publishes."""
        server = self.serve_all()
        for kind in TRANSPORTS:
            for version, protocol in (("311", "3.1.1"), ("5", "5.0")):
                with self.subTest(kind, version=version):
                    ear, mouth, topic = (f"{name}-{kind}-{version}" for name in ("c-ear", "c-mouth", "room/c"))
                    before = self.metric(server, "muster_gateway_subscriptions")
                    heard = self.folder / ear
                    with open(heard, "wb") as out:
                        subscriber = subprocess.Popen(self.paho_c("paho_c_sub", kind, version, ear, "-t", topic, "-q", "2"),
                                                      stdout=out, stderr=subprocess.STDOUT)
                    self.addCleanup(subscriber.wait)
                    self.addCleanup(subscriber.kill)
                    self.assertEqual(protocol, server.wait_for(ear, state="online")["client"]["protocol"])
                    harness.wait_until(lambda: self.metric(server, "muster_gateway_subscriptions") > before,
                                       "the subscription")
                    for to, payload in ((topic, "hello"), (f"telemetry/{mouth}", '{"battery":64}')):
                        subprocess.run(self.paho_c("paho_cs_pub", kind, version, mouth, "-t", to, "-m", payload, "-q", "2"),
                                       check=True, timeout=harness.PATIENCE_S, capture_output=True)
                    harness.wait_until(lambda: "hello" in heard.read_text(), f"{ear} to hear it")
                    server.wait_for(mouth, state="offline", cause="client_disconnect", metrics={"battery": 64})
                    subscriber.kill()
                    server.wait_for(ear, state="offline", cause="connection_lost")

    def test_mqtt_js_over_each(self):
        server = self.serve_all()
        for kind in TRANSPORTS:
            for version in VERSIONS:
                with self.subTest(kind, version=version):
                    device = f"js-{kind}-{version}"
                    url = f"{kind}://localhost:{self.port[kind]}" + ("/mqtt" if kind.startswith("ws") else "")
                    files = [self.authority.ca, *self.authority.issue(device)] if kind in ("mqtts", "wss") else []
                    done = subprocess.run(["bash", "-c", '. tools/node_path.sh && exec node "$@"', "node", JS_CLIENT, url,
                                           device, str(version), *files], capture_output=True, text=True,
                                          timeout=2 * harness.PATIENCE_S)
                    self.assertEqual("done\n", done.stdout, done.stderr)
                    server.wait_for(device, state="offline", cause="client_disconnect", metrics={"battery": 64})

    def test_a_revoked_device_is_off_within_five_seconds(self):
        server = self.serve_all()
        certificate, key = self.authority.issue("stolen")
        ended = threading.Event()
        client = paho.Client("stolen")
        client.tls_set(self.authority.ca, certificate, key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        client.on_disconnect = lambda *_: ended.set()
        client.connect("localhost", self.port["mqtts"])
        client.loop_start()
        self.addCleanup(client.loop_stop)
        server.wait_for("stolen", state="online")
        self.authority.revoke(certificate)
        began = time.monotonic()
        self.assertTrue(ended.wait(harness.PATIENCE_S))
        self.assertLess(time.monotonic() - began, 5)
        server.wait_for("stolen", cause="auth_error")
        client.loop_stop()
        again = subprocess.run(["mosquitto_pub", "-h", "localhost", "-p", str(self.port["mqtts"]), "--cafile",
                                self.authority.ca, "--cert", certificate, "--key", key, "-i", "stolen", "-t",
                                "telemetry/stolen", "-m", '{"battery":1}', "-q", "1"],
                               capture_output=True, timeout=harness.PATIENCE_S)
        self.assertNotEqual(0, again.returncode)

    def test_certificates_are_read_again_on_sighup_and_the_server_goes_on(self):
        server = self.serve_all()
        server.process.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: self.metric(server, "muster_gateway_tls_reloads_total", 'result="ok"') >= 2,
                           "both TLS listeners to be read again")
        self.assertIsNone(server.process.poll())

    def test_start_up_mistakes_say_what_to_do(self):
        def error_of(*options):
            done = subprocess.run([harness.MUSTER, "serve", "--data-dir", str(self.folder / "other"), "--mqtt-listen",
                                   "none", "--http-listen", "127.0.0.1:0", *options], capture_output=True, text=True,
                                  timeout=harness.PATIENCE_S)
            self.assertEqual(1, done.returncode, done.stdout)
            return done.stderr
        self.assertIn("--tls-cert", error_of("--listen", "mqtts://127.0.0.1:0"))
        self.assertIn("mqtts://", error_of("--listen", "mqtt://0.0.0.0:0"))
        self.assertIn("/no/such.pem", error_of("--listen", "mqtts://127.0.0.1:0?cert=/no/such.pem", *self.tls_options()))

    def test_listeners_can_stand_in_the_configuration_file(self):
        certificate, key = self.server_files
        config = self.folder / "muster.toml"
        config.write_text(
            "[serve]\n"
            'listen = ["mqtts://127.0.0.1:0?min-version=1.3", "ws://127.0.0.1:0/live"]\n'
            f'tls-cert = "{certificate}"\ntls-key = "{key}"\ntls-client-ca = "{self.authority.ca}"\n')
        server = harness.Server(self.folder / "data")
        server.program_options = ("--config", str(config))
        (self.folder / "data").mkdir()
        self.addCleanup(server.end)
        server.start()
        urls = json.loads((self.folder / "data" / "endpoints.json").read_text())["listeners"]
        self.assertEqual(["mqtt", "mqtts", "ws"], [url.split("://")[0] for url in urls])
        self.assertTrue(urls[2].endswith("/live"))


if __name__ == "__main__":
    harness.main()
