"""G8: slow and rubbish connections leave the others alone. Bounds are generous: the figures stand in bench/RESULTS.md."""
import random
import resource
import socket
import statistics
import threading
import time
import unittest

import harness

SLOW_SOCKETS = 2000
RUBBISH_PER_S = 200
PROBES = 2000  # over two seconds: each slow socket sends meanwhile
CONNECT = b"\x10\x16\0\4MQTT\4\2\0\0\0\x0aprobe-0000"


class Attack:
    """Slow sockets that send a CONNECT byte by byte, and connections of rubbish at a steady rate."""

    def __init__(self, port):
        self.port = port
        self.stopping = threading.Event()
        self.dice = random.Random(5)
        self.rubbish_sent = 0
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(SLOW_SOCKETS)]
        self.threads = [threading.Thread(target=self._dribble), threading.Thread(target=self._throw)]
        for thread in self.threads:
            thread.start()

    def _dribble(self):
        sent = 0
        while not self.stopping.is_set():
            for index, one in enumerate(self.slow):
                try:
                    one.send(CONNECT[sent % 8:sent % 8 + 1])
                except OSError:
                    one.close()
                    try:  # cut off for its slowness: the next one
                        self.slow[index] = socket.create_connection(("127.0.0.1", self.port))
                    except OSError:
                        pass
            sent += 1
            self.stopping.wait(1.0)

    def _throw(self):
        due = time.monotonic()
        while not self.stopping.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port)) as one:
                    one.sendall(self.dice.randbytes(self.dice.randrange(1, 400)))
                self.rubbish_sent += 1
            except OSError:
                pass
            due += 1 / RUBBISH_PER_S
            self.stopping.wait(max(0.0, due - time.monotonic()))

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        for one in self.slow:
            one.close()


def connect_ms(port, number):
    """From the SYN to the CONNACK."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=harness.PATIENCE_S) as one:
        one.sendall(CONNECT[:-4] + b"%04d" % number)
        answer = one.recv(4)
        took = (time.monotonic() - begin) * 1000
        if answer != b"\x20\2\0\0":
            raise AssertionError(f"CONNACK {answer!r}")
        one.sendall(b"\xe0\0")
    return took


class Overload(harness.Scenario):
    def test_slow_sockets_and_rubbish_leave_a_control_clients_connect_fast(self):
        server = self.serve()
        quiet = [connect_ms(server.mqtt_port, i) for i in range(PROBES)]
        attack = Attack(server.mqtt_port)
        try:
            harness.wait_until(lambda: attack.rubbish_sent > RUBBISH_PER_S, "the rubbish to flow")
            harness.wait_until(lambda: server.metric("muster_gateway_connections") >= SLOW_SOCKETS, "the slow sockets")
            under_attack = [connect_ms(server.mqtt_port, i) for i in range(PROBES)]
        finally:
            attack.stop()
        print(f"CONNECT to CONNACK, ms: quiet median {statistics.median(quiet):.2f}, "
              f"under attack median {statistics.median(under_attack):.2f} worst {max(under_attack):.2f}, "
              f"{attack.rubbish_sent} connections of rubbish")
        self.assertLess(statistics.median(under_attack), 1000)
        self.assertGreater(server.metric("muster_gateway_protocol_errors_total"), 0)

    def test_an_address_is_held_to_its_limits(self):
        server = self.serve("--limit-loopback", "--address-strangers-max", "50", "--canaries", "0")
        strangers = [socket.create_connection(("127.0.0.1", server.mqtt_port)) for _ in range(80)]
        harness.wait_until(lambda: server.metric("muster_gateway_address_refusals_total") >= 30, "the refusals")
        for one in strangers:
            one.close()
        harness.wait_until(lambda: server.metric("muster_gateway_strangers_closed_total") >= 50, "their end")
        connect_ms(server.mqtt_port, 1)

    def test_a_storm_of_connects_is_paced_and_those_who_are_there_are_served(self):
        server = self.serve("--connects-per-second", "20", "--gateway-threads", "1", "--canaries", "0")
        there = socket.create_connection(("127.0.0.1", server.mqtt_port), timeout=harness.PATIENCE_S)
        there.sendall(CONNECT)
        self.assertEqual(there.recv(4), b"\x20\2\0\0")
        answers = []
        for number in range(1, 100):
            with socket.create_connection(("127.0.0.1", server.mqtt_port), timeout=harness.PATIENCE_S) as one:
                one.sendall(CONNECT[:-4] + b"%04d" % number)
                answers.append(one.recv(4))
        self.assertIn(b"\x20\2\0\3", answers)
        there.sendall(b"\xc0\0")
        self.assertEqual(there.recv(2), b"\xd0\0")
        there.close()
        self.assertGreater(server.metric("muster_gateway_connects_deferred_total"), 0)


if __name__ == "__main__":
    unittest.main()
