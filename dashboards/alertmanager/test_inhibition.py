#!/usr/bin/env python3
"""Which alerts are held back by the example for Alertmanager while others fire: asked of a real Alertmanager, to whose API
they are sent as Prometheus sends them. GOBEACON_ALERTMANAGER names it (see .ci/tools.sh).
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True
EXAMPLE = Path(__file__).resolve().parent / "alertmanager.yaml"
sys.path.insert(0, str(EXAMPLE.parents[2] / "tools"))
from verdict import unittests  # noqa: E402
from waiting import PATIENCE, free_ports, get, wait_for  # noqa: E402

NODE = {"cluster": "eu", "job": "gobeacon", "instance": "runner-1"}
JOB = {"cluster": "eu", "job": "gobeacon"}
BUDGET = {**JOB, "alertname": "GoBuildFailureBudgetBurn"}

# While the first fires, the second is held back; the third, of another node or job or kind, is not. One for each rule of
# the example, in its order.
HELD_BACK = [
    (
        {**NODE, "alertname": "GoChecksumMismatchSpike"},
        {**NODE, "alertname": "GoChecksumMismatch", "verifier": "go_sum"},
        {**NODE, "alertname": "GoChecksumMismatch", "verifier": "go_sum", "instance": "runner-2"},
    ),
    (
        {**NODE, "alertname": "GoModuleHashConflict"},
        {**NODE, "alertname": "GoChecksumMismatch", "verifier": "cache"},
        {**NODE, "alertname": "GoChecksumMismatch", "verifier": "sumdb"},
    ),
    (
        {**BUDGET, "severity": "critical", "window": "6h"},
        {**BUDGET, "severity": "warning", "window": "3d"},
        {**BUDGET, "severity": "warning", "window": "3d", "job": "another"},
    ),
    (
        {**BUDGET, "severity": "critical", "window": "1h"},
        {**BUDGET, "severity": "critical", "window": "6h"},
        {**BUDGET, "severity": "critical", "window": "6h", "cluster": "us"},
    ),
    (
        {**BUDGET, "severity": "warning", "window": "1d"},
        {**BUDGET, "severity": "warning", "window": "3d"},
        {**BUDGET, "severity": "warning", "window": "3d", "cluster": "us"},
    ),
    (
        {**JOB, "alertname": "GoProxyErrors"},
        {**JOB, "alertname": "GoProxyFallbackSpike", "from_host": "proxy.example.com"},
        {**JOB, "alertname": "GoProxyFallbackSpike", "from_host": "proxy.example.com", "cluster": "us"},
    ),
    (
        {**NODE, "alertname": "GobeaconDown"},
        {**NODE, "alertname": "GobeaconLagging"},
        {**NODE, "alertname": "GobeaconLagging", "instance": "runner-2"},
    ),
]


@contextlib.contextmanager
def alertmanager():
    """A real one with the example; gives the address of its API. Who would be told is not there."""
    with tempfile.TemporaryDirectory(prefix="gobeacon-alertmanager-") as folder:
        port, nobody = free_ports([0, 0])
        config = Path(folder) / "alertmanager.yaml"
        config.write_text(re.sub(r"http://\w+\.example/", f"http://127.0.0.1:{nobody}/", EXAMPLE.read_text()))
        process = subprocess.Popen(
            [os.environ["GOBEACON_ALERTMANAGER"], f"--config.file={config}", f"--storage.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error"])
        try:
            wait_for("Alertmanager", lambda: get(f"http://127.0.0.1:{port}/-/ready"))
            yield f"http://127.0.0.1:{port}/api/v2/alerts"
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)


def fire(api, *alerts):
    body = json.dumps([{"labels": labels, "annotations": {"summary": "a test"}} for labels in alerts]).encode()
    request = urllib.request.Request(api, data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE):
        pass


def told(api, wanted):
    """What the API says of these alerts, when it has them all."""
    found = [next((it for it in json.loads(get(api)) if it["labels"] == labels), None) for labels in wanted]
    return None if None in found else found


class Inhibition(unittest.TestCase):
    def test_each_rule_holds_back_what_it_says_and_nothing_beside_it(self):
        self.assertEqual(EXAMPLE.read_text().count("source_matchers:"), len(HELD_BACK))
        for alerts in HELD_BACK:
            with self.subTest(source=alerts[0]["alertname"], held=alerts[1]), alertmanager() as api:
                fire(api, *alerts)

                def held():
                    found = told(api, alerts)
                    return found if found and found[1]["status"]["state"] == "suppressed" else None

                source, target, other = wait_for("the second alert is held back", held)
                self.assertEqual(target["status"]["inhibitedBy"], [source["fingerprint"]])
                self.assertEqual(source["status"]["inhibitedBy"], [])
                self.assertEqual(other["status"]["inhibitedBy"], [])

    def test_alone_nothing_is_held_back(self):
        with alertmanager() as api:
            targets = [target for _, target, _ in HELD_BACK if target["alertname"] != "GoBuildFailureBudgetBurn"]
            fire(api, *targets)
            for it in wait_for("the alerts are there", lambda: told(api, targets)):
                self.assertEqual(it["status"]["inhibitedBy"], [], it["labels"])


if __name__ == "__main__":
    unittests()
