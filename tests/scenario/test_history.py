"""History on the real binary: export and check while serving, kill -9, and the fleet as it was."""
import csv
import io
import json
import subprocess
import time

import harness
from test_durability import Publisher

DEVICES = 3


def run(server, *arguments):
    """`muster history …` beside the running server: (exit code, standard output, standard error)."""
    done = subprocess.run([harness.MUSTER, "history", *arguments, "--data-dir", str(server.data_dir)],
                          capture_output=True, timeout=120, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class ExportAndCheck(harness.Scenario):
    def test_what_was_acknowledged_is_exported_once_while_serving_and_after_kill_nine(self):
        server = self.serve()
        start = int(time.time() * 1000) - 60_000
        publishers = [Publisher(server, f"h{i}", start) for i in range(DEVICES)]
        try:
            harness.wait_until(lambda: all(len(p.acknowledged) >= 500 for p in publishers), "acknowledgements", 60)
            goal = {p.device_id: set(p.acknowledged) for p in publishers}
            harness.wait_until(lambda: self.holds(server, goal), "what was acknowledged in an export while serving")
            code, out, errors = run(server, "verify")
            self.assertEqual((code, out), (0, "The history is sound.\n"), errors)
            server.kill()
            code, _, errors = run(server, "verify")
            self.assertEqual(code, 1)
            server.start()
            before = {p.device_id: len(p.acknowledged) for p in publishers}
            harness.wait_until(lambda: all(len(p.acknowledged) >= before[p.device_id] + 200 for p in publishers),
                               "acknowledgements after the kill", 60)
        finally:
            for publisher in publishers:
                publisher.stop()
        goal = {p.device_id: set(p.acknowledged) for p in publishers}
        harness.wait_until(lambda: self.holds(server, goal), "every acknowledged sample in the export")
        self.assertEqual(run(server, "verify")[0], 0)
        self.check_forms(server, goal)

    def holds(self, server, goal):
        """Whether the export has every acknowledged sample; none may be there twice."""
        code, out, errors = run(server, "export")
        self.assertEqual(code, 0, errors)
        seen = {}
        for line in out.splitlines():
            sample = json.loads(line)
            times = seen.setdefault(sample["device"], set())
            self.assertNotIn(sample["time"], times, "a sample is exported once")
            self.assertEqual(sample["metrics"]["sequence"], sample["time"] % 1000)
            times.add(sample["time"])
        return all(acknowledged <= seen.get(device, set()) for device, acknowledged in goal.items())

    def check_forms(self, server, goal):
        target = self.folder / "h0.csv"
        code, out, errors = run(server, "export", "--csv", "--device", "h0", "--out", str(target))
        self.assertEqual((code, out), (0, ""), errors)
        self.assertIn("exported ", errors)
        rows = list(csv.DictReader(io.StringIO(target.read_text())))
        self.assertEqual({row["device"] for row in rows}, {"h0"})
        self.assertLessEqual(goal["h0"], {int(row["time"]) for row in rows})
        self.assertFalse(target.with_name("h0.csv.new").exists())
        first = min(goal["h0"])
        code, out, _ = run(server, "export", "--device", "h0", "--from", str(first), "--to", str(first + 1), "--quiet")
        self.assertEqual([json.loads(line)["time"] for line in out.splitlines()], [first])
        code, out, errors = run(server, "export", "--transitions", "--device", "h0")
        self.assertEqual(json.loads(out.splitlines()[-1])["state"], "online", errors)

    def test_mistakes_are_told_in_words(self):
        server = self.serve()
        code, _, errors = run(server, "export", "--device", "a b")
        self.assertEqual(code, 1)
        self.assertIn("device must be", errors)
        code, _, errors = run(server, "export", "--from", "yesterday")
        self.assertIn("ISO 8601", errors)
        code, _, errors = run(server, "export", "--out", str(self.folder / "no" / "where.csv"))
        self.assertIn("cannot write", errors)
        self.assertNotEqual(run(server, "export", "--csv", "--ndjson")[0], 0)
        server.stop()
        code, _, errors = run(server, "verify")
        self.assertEqual(code, 1)
        self.assertIn("no muster serve is running", errors)


class FleetAt(harness.Scenario):
    def test_the_fleet_is_shown_as_it_was_before_and_after_a_device_died(self):
        server = self.serve()
        for device in ("stays", "dies"):
            self.client(server, "mosquitto_sub", "-i", device, "-t", f"commands/{device}", "-k", "60",
                        "--will-topic", f"status/{device}", "--will-payload", "OFFLINE")
            server.wait_for(device, state="online")
        server.request("PUT", "/api/v1/devices/dies", {"region": "in/karnataka"})
        server.wait_for("dies", region="in/karnataka")
        alive_at = self.later()
        harness.wait_until(lambda: time.time() * 1000 > alive_at + 1, "that moment to be over", interval=0.001)
        self.clients[1].kill()
        died = server.wait_for("dies", state="offline")
        now = server.get(f"/api/v1/fleet?at={self.later()}")
        self.assertEqual((now["counts"]["online"], now["counts"]["offline"]), (1, 1))
        self.check_before(server, alive_at)
        listed = server.get(f"/api/v1/devices?at={died['since']}&state=offline")["devices"]
        self.assertEqual([(one["id"], one["cause"], one["since"]) for one in listed], [("dies", "will", died["since"])])
        server.kill()
        server.start()
        server.wait_for("dies", state="offline")
        self.check_before(server, alive_at)
        self.assertEqual(server.transitions("dies"), [("online", "connect"), ("offline", "will")])
        with self.assertRaises(harness.ApiError) as refused:
            server.get("/api/v1/fleet?at=2001-01-01T00:00:00Z")
        self.assertEqual(refused.exception.status, 404)

    def check_before(self, server, alive_at):
        then = server.get(f"/api/v1/fleet?at={alive_at}")
        self.assertEqual((then["counts"]["online"], then["counts"]["offline"]), (2, 0))
        regions = {region["region"]: region["counts"] for region in then["regions"]}
        self.assertEqual(regions["in/karnataka"]["online"], 1)

    @staticmethod
    def later():
        """A time after all that has happened: records bear the gateway's clock, which is this machine's."""
        return int(time.time() * 1000) + 1


if __name__ == "__main__":
    harness.main()
