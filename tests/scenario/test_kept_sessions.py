"""Kept sessions: kill -9 of `muster serve` in the midst of queued and in-flight QoS 1 and 2 messages; the device gets all that
was acknowledged to their publisher, in order, with DUP where it had been sent, QoS 2 exactly once."""
import random
import socket
import struct
import threading
import time
import unittest

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import harness

PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK = 3, 4, 5, 6, 7, 9
ROUNDS = 6  # 900 messages at most: within the 1,000 that a session queues, over which the newest are dropped
BURST = 150


def paho_properties(packet_type, **values):
    made = Properties(packet_type)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Device:
    """A 3.1.1 client with a kept session, by hand: it decides what it acknowledges, and remembers what a real one stores."""

    def __init__(self, device_id):
        self.device_id = device_id
        self.delivered = []       # payloads, as the application sees them
        self.open_qos2 = set()    # packet ids between PUBLISH and PUBREL
        self.seen = {}            # packet id -> payload, of what is not finished
        self.wrong = []           # what a server must not do
        self.socket = None

    def connect(self, port, session_present):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=harness.PATIENCE_S)
        self.buffer = b""
        name = self.device_id.encode()
        body = b"\0\4MQTT\4\0\0\0" + struct.pack("!H", len(name)) + name
        self.socket.sendall(bytes([0x10, len(body)]) + body)
        kind, _, answer = self.read_packet()
        if kind != 2 or answer != bytes([session_present, 0]):
            raise AssertionError(f"CONNACK {answer!r}, session_present should be {session_present}")

    def subscribe(self, topic_filter):
        body = struct.pack("!HH", 1, len(topic_filter)) + topic_filter.encode() + b"\2"
        self.socket.sendall(bytes([0x82, len(body)]) + body)
        kind, _, answer = self.read_packet()
        if kind != SUBACK or answer != b"\0\1\2":
            raise AssertionError(f"no SUBACK: {kind} {answer!r}")

    def vanish(self):
        self.socket.close()

    def read_packet(self):
        """(type, flags, body), or None when the server has gone."""
        while True:
            packet = self._cut_packet()
            if packet:
                return packet
            try:
                got = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not got:
                return None
            self.buffer += got

    def _cut_packet(self):
        length = shift = 0
        for at in range(1, min(len(self.buffer), 5)):
            length |= (self.buffer[at] & 0x7F) << shift
            shift += 7
            if self.buffer[at] < 0x80:
                end = at + 1 + length
                if len(self.buffer) < end:
                    return None
                packet = self.buffer[0] >> 4, self.buffer[0] & 15, self.buffer[at + 1:end]
                self.buffer = self.buffer[end:]
                return packet
        return None

    def answer(self, kind, packet_id):
        try:
            self.socket.sendall(bytes([kind << 4 | (2 if kind == PUBREL else 0), 2]) + struct.pack("!H", packet_id))
        except OSError:
            pass  # killed meanwhile: the answer comes again

    def handle(self, packet, finishes):
        """`finishes`: whether a message or an exchange may come to its end now."""
        kind, flags, body = packet
        if kind == PUBLISH:
            self._take(flags, body, finishes)
        elif kind == PUBREL:
            packet_id, = struct.unpack("!H", body)
            if finishes:
                self.open_qos2.discard(packet_id)
                self.seen.pop(packet_id, None)
                self.answer(PUBCOMP, packet_id)

    def _take(self, flags, body, finishes):
        qos, duplicate = flags >> 1 & 3, bool(flags & 8)
        topic_bytes, = struct.unpack_from("!H", body)
        packet_id, = struct.unpack_from("!H", body, 2 + topic_bytes)
        payload = int(body[4 + topic_bytes:])
        if packet_id in self.seen and self.seen[packet_id] != payload:
            self.wrong.append(f"packet id {packet_id} given to {payload} while {self.seen[packet_id]} is open")
        if packet_id in self.seen and not duplicate:
            self.wrong.append(f"{payload} sent again without DUP")
        is_news = packet_id not in self.open_qos2 if qos == 2 else True
        self.seen[packet_id] = payload
        if is_news:
            self.delivered.append(payload)
        if qos == 2:
            self.open_qos2.add(packet_id)
            if finishes:
                self.answer(PUBREC, packet_id)
        elif finishes:
            del self.seen[packet_id]
            self.answer(PUBACK, packet_id)


class Publisher:
    """Publishes numbers with QoS 1 (even) and 2 (odd), and knows which the server has acknowledged."""

    def __init__(self, port, client_id):
        self.sent = {}
        self.client = mqtt.Client(client_id=client_id, clean_session=True)
        self.client.max_inflight_messages_set(50)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def publish(self, number):
        self.sent[number] = self.client.publish("news/n", str(number), qos=1 + number % 2)

    def acknowledged(self):
        return {number for number, message in self.sent.items() if message.is_published()}

    def stop(self):
        self.client.loop_stop()
        return self.acknowledged()


class KeptSessions(harness.Scenario):
    def test_kill_nine_amid_queued_and_in_flight_messages_loses_and_doubles_none(self):
        dice = random.Random(11)
        server = self.serve()
        device = Device("kept-1")
        device.connect(server.mqtt_port, session_present=0)
        device.subscribe("news/#")
        acknowledged, number = set(), 0
        for round_number in range(ROUNDS):
            publisher = Publisher(server.mqtt_port, f"publisher-{round_number}")
            is_there = round_number % 3 != 2  # every third time the device is away while all is queued
            if not is_there:
                device.vanish()
            for _ in range(BURST):
                publisher.publish(number)
                number += 1
            reader = threading.Thread(target=self._read_some, args=(device, dice.randrange(5, 60)))
            if is_there:
                reader.start()
            enough = dice.randrange(BURST // 3, BURST)
            harness.wait_until(lambda: len(publisher.acknowledged()) >= enough, "acknowledgements", interval=0.001)
            server.kill()
            if is_there:
                reader.join()
                device.vanish()
            acknowledged |= publisher.stop()
            server.start()
            device.connect(server.mqtt_port, session_present=1)
        self._read_all(device, acknowledged)
        self.assertEqual(device.wrong, [])
        self.assertEqual(sorted(acknowledged - set(device.delivered)), [], "acknowledged and lost")
        exactly_once = [n for n in device.delivered if n % 2 == 1]
        self.assertEqual(len(exactly_once), len(set(exactly_once)), "QoS 2 twice")
        firsts = list(dict.fromkeys(device.delivered))
        self.assertEqual(firsts, sorted(firsts), "out of order")

    @staticmethod
    def _read_some(device, count):
        """Finishes `count` messages and then answers nothing, until the server has gone."""
        while True:
            try:
                packet = device.read_packet()
            except OSError:
                return
            if packet is None:
                return
            device.handle(packet, finishes=count > 0)
            count -= 1

    @staticmethod
    def _read_all(device, wanted):
        while not (wanted <= set(device.delivered) and not device.seen):
            try:
                packet = device.read_packet()
            except TimeoutError:
                missing = sorted(wanted - set(device.delivered))
                raise AssertionError(f"acknowledged and never came: {missing}; unfinished: {device.seen}") from None
            if packet is None:
                raise AssertionError("the server closed the connection")
            device.handle(packet, finishes=True)

    def test_sessions_and_what_they_missed_survive_a_stop_and_a_clean_start_ends_them(self):
        server = self.serve()
        device = Device("kept-2")
        device.connect(server.mqtt_port, session_present=0)
        device.subscribe("news/#")
        device.vanish()
        harness.wait_until(lambda: server.metric("muster_gateway_connections") == 0, "the device to be gone")
        publisher = Publisher(server.mqtt_port, "publisher")
        for number in range(20):
            publisher.publish(number)
        harness.wait_until(lambda: len(publisher.acknowledged()) == 20, "acknowledgements")
        publisher.stop()
        self.assertEqual(server.stop(), 0)
        server.start()
        device.connect(server.mqtt_port, session_present=1)
        self._read_all(device, set(range(20)))
        self.assertEqual(device.delivered, list(range(20)))
        device.vanish()
        clean = mqtt.Client(client_id="kept-2", clean_session=True)
        clean.connect("127.0.0.1", server.mqtt_port)
        clean.loop_start()
        harness.wait_until(clean.is_connected, "the clean connection")
        clean.disconnect()
        clean.loop_stop()
        server.stop()
        server.start()
        device.connect(server.mqtt_port, session_present=0)
        device.vanish()

    def test_a_delayed_will_outlives_kill_nine_and_is_published_when_it_is_due(self):
        server = self.serve()
        due = paho_properties(PacketTypes.WILLMESSAGE, WillDelayInterval=4)
        device = mqtt.Client("kept-3", protocol=mqtt.MQTTv5)
        device.will_set("news/will", "gone", qos=1, retain=True, properties=due)
        device.connect("127.0.0.1", server.mqtt_port, properties=paho_properties(PacketTypes.CONNECT, SessionExpiryInterval=60))
        device.loop_start()
        harness.wait_until(device.is_connected, "the device to be there")
        device.loop_stop()
        device.socket().close()
        left = time.monotonic()
        harness.wait_until(lambda: server.metric("muster_gateway_sessions_kept") == 1, "the device to be gone")
        harness.wait_until(lambda: server.metric("muster_gateway_session_store_bytes") == 0, "that to be stored")
        server.kill()
        server.start()
        listener = self.client(server, "mosquitto_sub", "-i", "listener", "-t", "news/#", "-q", "1", "-C", "1", "-W", "30")
        self.assertEqual(0, listener.wait(timeout=2 * harness.PATIENCE_S), "the will never came")
        self.assertGreaterEqual(time.monotonic() - left, 4)
        self.assertEqual("gone\n", self.output_of(listener))


if __name__ == "__main__":
    unittest.main()
