"""The main job as `make run` starts it: a simulated fleet, one region outage as one incident, and the dashboard in a real browser."""
import os
import subprocess

import harness

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Fleet(harness.Scenario):
    def test_a_region_outage_is_one_incident_that_opens_and_clears(self):
        server = self.serve("--simulate", "300", "--simulate-seed", "9", "--simulate-outage", "in/karnataka@10+25:80%")
        live = self.live(server, "fleet", "alerts")
        harness.wait_until(lambda: server.get("/api/v1/fleet")["counts"]["online"] > 250, "the fleet to be online", 60)
        _, message = live.wait(lambda m: m["type"] == "alert", "the incident on the live stream", 90)
        incident = message["data"]
        self.assertTrue(incident["region"].startswith("in/karnataka"), incident)
        self.assertGreaterEqual(incident["share"], 0.1)
        self.assertGreaterEqual(incident["opened"] - incident["threshold_crossed"], 10_000, "for 10 s")
        regions = {r["region"]: r for r in server.get("/api/v1/regions")["regions"]}
        self.assertIn(incident["region"], regions)
        page = server.get(f"/api/v1/devices?state=offline&region={incident['region']}&limit=5")
        self.assertEqual(5, len(page["devices"]))
        self.assertTrue(page["next_cursor"])
        following = server.get(f"/api/v1/devices?state=offline&region={incident['region']}&limit=5"
                               f"&cursor={page['next_cursor']}")
        self.assertFalse({d["id"] for d in page["devices"]} & {d["id"] for d in following["devices"]})
        self.assertEqual(1, len(server.get("/api/v1/alerts?state=all")["alerts"]), "one cause, one incident")
        live.wait(lambda m: m["type"] == "alert" and m["data"]["state"] == "resolved", "the all-clear", 120)
        resolved = server.get(f"/api/v1/alerts/{incident['id']}")
        self.assertEqual("resolved", resolved["state"])
        self.assertGreater(len(resolved["timeline"]), 1)

    def test_the_dashboard_works_in_a_real_browser(self):
        if not os.path.exists(os.path.join(ROOT, "web/node_modules/playwright-core")):
            self.skipTest("web/node_modules is not installed: run `make web`")
        server = self.serve("--simulate", "200", "--simulate-seed", "4")
        devices = harness.wait_until(lambda: server.get("/api/v1/devices?state=online&limit=1")["devices"], "a device", 60)
        done = subprocess.run(["bash", "-c", '. tools/node_path.sh && exec node web/e2e/smoke.mjs "$@"', "smoke",
                               "--url", f"http://{server.http}", "--token", server.token, "--device", devices[0]["id"],
                               "--out", str(self.folder / "screenshots")],
                              cwd=ROOT, capture_output=True, text=True, timeout=300)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)


if __name__ == "__main__":
    harness.main()
