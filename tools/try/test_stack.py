#!/usr/bin/env python3
"""tools/try, looked at as its user would: traces in Jaeger, metrics in Prometheus, one page about one incident, and what
the command itself prints. Real programs and real builds; only the ports are any that are free.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import story  # noqa: E402
from stack import EVALUATION, Stack  # noqa: E402
from verdict import unittests  # noqa: E402
from waiting import wait_for  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/gobeacon"
SPIKE = "GoChecksumMismatchSpike"
PAGE = ROOT / "docs/get-started/try-the-stack.md"


def tags(span):
    return {tag["key"]: tag["value"] for tag in span["tags"]}


class Told(unittest.TestCase):
    """One stack and one story; each test looks at another end of it."""

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(PROGRAM, usual_ports=False)
        cls.enterClassContext(cls.stack)
        story.tell(cls.stack, lambda sentence: None)

    def value(self, expression):
        """The one value of an expression."""
        (series,) = self.stack.query(expression)
        return float(series["value"][1])

    def until(self, expression, wanted):
        def ask():
            assert (found := self.value(expression)) == wanted, f"{expression} is {found}"
            return found
        wait_for(expression, ask)

    def test_every_go_command_is_a_trace_in_jaeger_with_its_failure(self):
        commands = [f"go {words}" for words in ["build", "test", *["mod download"] * len(story.PROXY_MODULES)]]

        def roots():
            found = {trace: [span for span in spans if not span["references"]] for trace, spans in self.stack.traces()}
            names = sorted(span["operationName"] for spans in found.values() for span in spans)
            return found if names == sorted(commands) else None

        found = {spans[0]["operationName"]: (trace, spans[0]) for trace, spans in wait_for("all traces", roots).items()}
        test = dict(self.stack.traces())[found["go test"][0]]
        failed = json.dumps([tags(span) for span in test if tags(span).get("error")])
        self.assertIn("TestCountsToTen", failed)
        self.assertIn("counted to 9, wanted 10", failed)
        self.assertNotIn("TestGreets", failed)
        self.assertFalse(tags(found["go build"][1]).get("error"))
        self.assertIn("checksum", json.dumps(tags(found["go mod download"][1])))
        downloads = [span for span in dict(self.stack.traces())[found["go build"][0]] if "download" in span["operationName"]]
        self.assertEqual(len(downloads), len(story.PROXY_MODULES))

    def test_prometheus_has_what_happened(self):
        self.until('sum(gobuild_command_failures_total{class="checksum.gosum_mismatch"})', len(story.PROXY_MODULES))
        self.until("max(gobuild_checksum_mismatched_modules)", len(story.PROXY_MODULES))
        self.until('sum(gobuild_test_failures_total)', 1)
        self.until("sum(gobeacon_dropped_total)", 0)
        self.until("sum(gobeacon_export_failures_total)", 0)
        # every rule of dashboards/ was evaluated, and none failed
        self.until("sum(prometheus_rule_evaluation_failures_total) or vector(0)", 0)

    def test_the_spike_fires_within_one_evaluation_and_pages_once_with_its_runbook(self):
        def first(expression):
            """When Prometheus first had a value of it."""
            (series,) = self.stack.query(f"{expression}[10m]")
            return min(float(at) for at, value in series["values"] if float(value) >= 3 or "ALERTS" in expression)

        fired = wait_for("the alert fires", lambda: first(f'ALERTS{{alertname="{SPIKE}",alertstate="firing"}}'))
        seen = first("gobuild_checksum_mismatched_modules")
        self.assertGreaterEqual(fired, seen)
        # a sample that is taken while the rules are evaluated counts for the next evaluation
        self.assertLessEqual(fired - seen, 2 * EVALUATION)

        def pages():
            return [it for it in self.stack.notified if any(
                alert["labels"]["alertname"] == SPIKE and alert["status"] == "firing" for alert in it["alerts"])]

        (page,) = wait_for("somebody is paged", lambda: pages() or None)
        self.assertEqual((page["to"], page["status"]), ("page", "firing"))
        (alert,) = [alert for alert in page["alerts"] if alert["labels"]["alertname"] == SPIKE]
        runbook = alert["annotations"]["runbook_url"]
        self.assertTrue(runbook.endswith(f"docs/runbooks/{SPIKE}.md"), runbook)
        self.assertTrue((ROOT / f"docs/runbooks/{SPIKE}.md").exists())
        # and nobody again while it goes on: Prometheus sends it with every evaluation
        evaluations = 'sum(prometheus_rule_group_iterations_total)'
        begin = time.time()
        wait_for("more intervals of Alertmanager", lambda: True if time.time() - begin > 8 * EVALUATION else None)
        self.assertGreater(self.value(f"{evaluations} or vector(1)"), 0)
        self.assertEqual(self.value(f'max(ALERTS{{alertname="{SPIKE}",alertstate="firing"}})'), 1)
        self.assertEqual(len(pages()), 1, json.dumps(self.stack.notified, indent=1))

    def test_the_log_events_name_each_module_and_both_hashes(self):
        def events():
            text = (self.stack.folder / "events.json").read_text()
            return text if text.count("gobuild.checksum.mismatch") >= len(story.PROXY_MODULES) else None

        text = wait_for("the events are there", events)
        for module in story.PROXY_MODULES:
            self.assertIn(module, text)


class Command(unittest.TestCase):
    def test_the_command_of_the_page_shows_where_to_look_and_leaves_nothing(self):
        (commands,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S)
        self.assertEqual(commands.strip(), "tools/try/run")
        process = subprocess.Popen([ROOT / "tools/try/run", "--program", PROGRAM], text=True, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
                                   env={**os.environ, "PYTHONUNBUFFERED": "1"})
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Ctrl-C"):
                process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(), 0, said)
        self.assertIn("everything is ended", said)
        self.assertIn(SPIKE, said)
        self.assertIn("/api/traces/", said)
        folder = re.search(r"(/\S+gobeacon-try-[^/\s]+)", said)[1]
        self.assertFalse(pathlib.Path(folder).exists())


if __name__ == "__main__":
    unittests()
