"""G2: kill -9 of `muster serve` at any instant loses no acknowledged message and doubles none."""
import json
import random
import threading
import time

import paho.mqtt.client as mqtt

import harness

ROUNDS = 20
DEVICES = 4
WINDOW = 20


class Publisher:
    """A QoS 1 device that numbers its samples and remembers which were acknowledged; it reconnects by itself."""

    def __init__(self, server, device_id, start_ms):
        self.device_id = device_id
        self.next_time = start_ms
        self.acknowledged = set()
        self.pending = []
        self.stopping = threading.Event()
        self.client = mqtt.Client(client_id=device_id, clean_session=False)
        self.client.max_inflight_messages_set(WINDOW)
        self.client.reconnect_delay_set(0.1, 0.5)
        self.client.connect_async("127.0.0.1", server.mqtt_port, keepalive=30)
        self.client.loop_start()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.stopping.is_set():
            self._collect()
            if len(self.pending) >= WINDOW or not self.client.is_connected():
                time.sleep(0.002)
                continue
            payload = json.dumps({"ts": self.next_time, "sequence": self.next_time % 1000})
            message = self.client.publish(f"telemetry/{self.device_id}", payload, qos=1)
            message.rc = mqtt.MQTT_ERR_SUCCESS  # "not connected" only means that the client sends it on reconnect
            self.pending.append((message, self.next_time))
            self.next_time += 1
        self._collect()

    def _collect(self):
        waiting = []
        for message, time_ms in self.pending:
            if message.is_published():
                self.acknowledged.add(time_ms)
            else:
                waiting.append((message, time_ms))
        self.pending = waiting

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.client.disconnect()
        self.client.loop_stop()


class KillNine(harness.Scenario):
    def test_no_acknowledged_message_is_lost_and_none_is_doubled(self):
        server = self.serve()
        start = int(time.time() * 1000) - 60_000
        publishers = [Publisher(server, f"k{i}", start) for i in range(DEVICES)]
        try:
            dice = random.Random(7)
            for round_number in range(ROUNDS):
                goal = 300 * (round_number + 1)
                harness.wait_until(lambda: all(len(p.acknowledged) >= goal for p in publishers),
                                   "acknowledgements under load", 60)
                time.sleep(dice.random() * 0.05)  # an instant of the load's own, not of the loop's
                server.kill()
                server.start()
            goal = max(len(p.acknowledged) for p in publishers) + 100
            harness.wait_until(lambda: all(len(p.acknowledged) >= goal - 200 for p in publishers), "the last load", 60)
        finally:
            for publisher in publishers:
                publisher.stop()
        total = 0
        for publisher in publishers:
            total += len(publisher.acknowledged)
            self.check(server, publisher, start)
        print(f"\n    {ROUNDS} kills, {total} acknowledged messages, none lost, none doubled")

    def check(self, server, publisher, start):
        def missing():
            stored = self.stored(server, publisher.device_id, start, publisher.next_time)
            return publisher.acknowledged - set(stored), stored
        harness.wait_until(lambda: not missing()[0], f"every acknowledged sample of {publisher.device_id} in history")
        _, stored = missing()
        self.assertEqual(len(stored), len(set(stored)), "a redelivered sample leaves one sample")

    @staticmethod
    def stored(server, device_id, start, end):
        """Times of all stored samples, read in slices narrow enough that no bucket holds two."""
        times = []
        for begin in range(start, end, 2000):
            history = server.get(f"/api/v1/devices/{device_id}/history?from={begin}&to={min(begin + 2000, end)}"
                                 "&metrics=sequence&points=10000")
            for series in history["series"]:
                times += [point[0] for point in series["points"]]
        return times


if __name__ == "__main__":
    harness.main()
