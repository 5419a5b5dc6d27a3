"""Kafka stops, Redis loses everything, a processor dies in the middle of a rebalance."""
import json
import shutil
import signal
import subprocess
import time
import unittest

import cluster_scenario
from cluster_scenario import now_ms, wait_until

OUTAGE_S = 60


class Servers(cluster_scenario.ClusterScenario):
    def test_kafka_stopped_for_a_minute_loses_nothing_acknowledged_and_makes_nobody_offline(self):
        meter = self.client("meter-1", gateway=0)
        self.api.wait_for("meter-1", state="online")
        begun = now_ms()
        sent = {}

        def report(value):
            sent[meter.publish("telemetry/meter-1", json.dumps({"count": value, "ts": begun + value}))] = value
        for value in range(1, 21):
            report(value)
        wait_until(lambda: len(meter.acknowledged) >= 20, "the PUBACKs")
        self.cluster.kafka.kill()
        stopped_at = now_ms()
        try:
            time.sleep(2)  # what was on its way
            known = len(meter.acknowledged)
            for value in range(21, 41):
                report(value)
            wait_until(lambda: self.api.fleet()["stale"], "the status to say that it is stale", 60)
            while now_ms() - stopped_at < OUTAGE_S * 1000:
                time.sleep(0.5)
            self.assertEqual(known, len(meter.acknowledged), "nothing is acknowledged while nothing is kept")
        finally:
            self.cluster.kafka.start()
        wait_until(lambda: len(meter.acknowledged) >= 40, "the PUBACKs of what waited", 90)
        wait_until(lambda: not self.api.fleet()["stale"], "the status to be fresh again", 90)
        self.wait_until_agrees()
        alive = [device for device in self.truth.now() if not self.was_offline(device, stopped_at)]
        self.assertFalse(self.called_offline(alive, stopped_at), "nobody was called offline who was not")

        def kept():
            series = self.api.get(f"/api/v1/devices/meter-1/history?from={begun}&to={begun + 1000}&metrics=count")["series"]
            return {round(point[1]) for one in series for point in one["points"]}
        acknowledged = {sent[mid] for mid in meter.acknowledged if mid in sent}
        wait_until(lambda: acknowledged <= kept(), "all that was acknowledged to be in the history", 60)

    def test_redis_restarted_empty_is_filled_again_from_the_bus(self):
        before = self.api.fleet()["counts"]["total"]
        self.assertGreaterEqual(before, self.devices)
        self.cluster.redis.kill()
        shutil.rmtree(self.cluster.directory / "redis")
        (self.cluster.directory / "redis").mkdir()
        self.cluster.redis.start()
        wait_until(self.is_whole(before), "the status of every device to be back", 120, interval=0.5)
        self.wait_until_agrees()
        counts = self.api.fleet()["counts"]
        shown = self.api.devices()
        self.assertEqual(len([d for d in shown.values() if d["state"] == "online"]), counts["online"], "a recount agrees")
        late = self.client("after-the-loss", gateway=1)  # CONNECTs go on, with epochs that still grow
        self.api.wait_for("after-the-loss", state="online")
        self.assertTrue(late.connected)

    def is_whole(self, total):
        def check():
            try:
                return self.api.fleet()["counts"]["total"] >= total
            except cluster_scenario.harness.ApiError:
                return False  # Redis is not back yet
        return check

    def test_a_processor_killed_in_the_middle_of_a_rebalance_leaves_no_wrong_state(self):
        coming_and_going = [f"commuter-{i}" for i in range(12)]
        rounds = 4
        third = self.cluster.role("processor", "processor-3", "--redis", self.cluster.redis_address)
        self.addCleanup(third.kill)
        begun = now_ms()
        for turn in range(rounds):
            for device in coming_and_going:
                client = cluster_scenario.Client(device, self.cluster.gateway_ports[turn % self.gateways])
                client.die()
            if turn == 1:
                self.cluster.start_role(third, wait=False)  # which takes partitions from the two …
                time.sleep(0.4)
                self.cluster.processors[0].kill()  # … of which one dies meanwhile
        self.cluster.start_role(self.cluster.processors[0])
        for device in coming_and_going:
            self.api.wait_for(device, 90, state="offline")
        self.wait_until_agrees()

        def complete(device):
            entries = self.transitions_since(device, begun)
            return [entry["state"] for entry in entries] == ["online", "offline"] * rounds
        for device in coming_and_going:
            wait_until(lambda device=device: complete(device), f"every transition of {device}, each once", 60)
            epochs = [entry["epoch"] for entry in self.transitions_since(device, begun)]
            self.assertEqual(sorted(epochs), epochs)

    @unittest.skipUnless(shutil.which("faketime"), "faketime is not installed: tools/install_packages.sh scale-out")
    def test_a_gateway_whose_clock_is_five_minutes_off_makes_nobody_offline(self):
        gateway = self.cluster.gateways[2]
        gateway.stop(signal.SIGTERM)
        library = subprocess.run(["faketime", "-m", "now", "printenv", "LD_PRELOAD"], capture_output=True, text=True,
                                 check=True).stdout.strip()
        self.addCleanup(setattr, gateway, "environment", None)
        gateway.environment = {"LD_PRELOAD": library, "FAKETIME": "+300s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.cluster.start_role(gateway)
        wait_until(self.all_online, "all devices to be online", 120)
        begun = now_ms()
        ahead = self.client("from-the-future", gateway=2)
        self.api.wait_for("from-the-future", state="online")
        time.sleep(20)  # of the gateways' ticks: what a wrong clock could do it does in them
        self.wait_until_agrees()
        self.assertGreaterEqual(self.api.fleet()["counts"]["online"], self.devices + 1)
        alive = [device for device in self.truth.now() if not self.was_offline(device, begun)]
        self.assertFalse(self.called_offline(alive, begun))
        ahead.die()
        self.api.wait_for("from-the-future", 30, state="offline")
        gateway.stop(signal.SIGTERM)
        gateway.environment = None
        self.cluster.start_role(gateway)
        wait_until(self.all_online, "all devices to be online", 120)


if __name__ == "__main__":
    cluster_scenario.harness.main()
