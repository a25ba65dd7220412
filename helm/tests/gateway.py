#!/usr/bin/env python3
"""The example of a gateway with real programs: what the chart renders for the agent and for the OpenTelemetry Collector is
given to both, with certificates and a token of its own, and a second Collector plays Tempo and Loki. Run by `.ci/test chart`.

Only addresses and folders are others than in a cluster.
"""

import contextlib
import os
import subprocess
import sys

from common import CHART, PROGRAM, folder, free_ports, get, main, run, template, test, until

sys.path.insert(0, os.environ["KUBERNETES_VALIDATE"])
import yaml  # noqa: E402

OTELCOL = os.environ["GOBEACON_OTELCOL"]
LOG = "+ go test ./...\n--- FAIL: TestA (0.00s)\n    a_test.go:5: no\nFAIL\nFAIL\texample.com/a\t0.003s\nFAIL\n+ exit 1\n"
TOKEN = "a-token-of-this-test"


class Release:
    """What the example renders, with the addresses of this machine and the folders of the test."""

    def __init__(self, path):
        self.path = path
        text = template("4", "gobeacon", CHART, "--namespace", "gobeacon", "--values", CHART / "examples/gateway.yaml").stdout
        maps = {it["metadata"]["name"]: it["data"] for it in yaml.safe_load_all(text) if it and it["kind"] == "ConfigMap"}
        names = ("gateway", "health", "tempo", "loki", "metrics")
        self.ports = dict(zip(names, free_ports([0] * len(names))))
        self.gateway = self.write("gateway.yaml", maps["gobeacon-gateway"]["collector.yaml"], {
            "0.0.0.0:4317": self.at("gateway"), "0.0.0.0:13133": self.at("health"), "tempo.monitoring:4317": self.at("tempo"),
            "loki.monitoring:3100": self.at("loki"), "/etc/gateway-": f"{path}/"})
        self.agent = self.write("agent.yaml", maps["gobeacon"]["config.yaml"], {
            "gobeacon-gateway.gobeacon:4317": f"localhost:{self.ports['gateway']}", "/etc/gobeacon-otlp": str(path),
            ":9464": self.at("metrics"), "/var/log/pods/": f"{path}/pods/", "/var/lib/gobeacon": str(path / "state")})
        self.backend = path / "backend.yaml"
        self.backend.write_text(yaml.safe_dump({
            "receivers": {
                "otlp/tempo": {"protocols": {"grpc": {"endpoint": self.at("tempo")}}},
                "otlp/loki": {"protocols": {"http": {"endpoint": self.at("loki"), "logs_url_path": "/otlp/v1/logs"}}},
            },
            "exporters": {kind: {"path": str(path / f"{kind[5:]}.json"), "flush_interval": "100ms"}
                          for kind in ("file/traces", "file/logs")},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": {"receivers": ["otlp/tempo"], "exporters": ["file/traces"]},
                              "logs": {"receivers": ["otlp/loki"], "exporters": ["file/logs"]}},
            },
        }))
        self.secrets()

    def at(self, name):
        return f"127.0.0.1:{self.ports[name]}"

    def write(self, name, text, others):
        """A rendered file in which each of `others` stands for something of a cluster, which must be there."""
        for there, here in others.items():
            assert there in text, f"{name} has no {there}:\n{text}"
            text = text.replace(there, here)
        (self.path / name).write_text(text)
        return self.path / name

    def secrets(self):
        """What an installation has as Secrets: an authority, a certificate of the gateway, the token."""
        for it in ("ca", "tls", "token", "headers"):
            (self.path / it).mkdir()
        authority, key, certificate = (self.path / it for it in ("ca/ca.crt", "ca/ca.key", "tls/tls.crt"))
        new = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "2")
        run(*new, "-subj", "/CN=test", "-keyout", key, "-out", authority, "-addext", "keyUsage=keyCertSign")
        run(*new, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext",
            "basicConstraints=critical,CA:FALSE", "-CA", authority, "-CAkey", key, "-keyout", self.path / "tls/tls.key",
            "-out", certificate)
        (self.path / "token/token").write_text(TOKEN)
        self.sends(TOKEN)

    def sends(self, token):
        (self.path / "headers/authorization").write_text(token)

    def pod_writes(self, text):
        log = self.path / "pods/ci_build_uid/go/0.log"
        log.parent.mkdir(parents=True)
        log.write_text("".join(f"2026-01-01T00:00:00.{n:09}Z stdout F {it}\n" for n, it in enumerate(text.splitlines())))

    def failures(self, reason=""):
        """How many requests of the agent failed, for a reason or for any."""
        page = get(f"http://{self.at('metrics')}/metrics").splitlines()
        counted = [line for line in page if line.startswith("gobeacon_export_failures_total{") and reason in line]
        return sum(float(line.rpartition(" ")[2]) for line in counted)

    def arrived(self, kind):
        path = self.path / f"{kind}.json"
        return path.read_text() if path.exists() else ""


@contextlib.contextmanager
def running(release):
    """Both Collectors and the agent; what they said is shown when the test fails."""
    started = []
    commands = [[OTELCOL, "--config", release.backend], [OTELCOL, "--config", release.gateway],
                [PROGRAM, "agent", "--config", release.agent]]
    try:
        for command, address in zip(commands, (None, f"http://{release.at('health')}/", f"http://{release.at('metrics')}/healthz")):
            said = release.path / f"said-{len(started)}"
            clean = {name: value for name, value in os.environ.items() if not name.startswith(("GOBEACON_", "OTEL_"))}
            # at its port, 4317, gRPC is what an agent takes by itself
            clean["GOBEACON_OTLP_PROTOCOL"] = "grpc"
            started.append(subprocess.Popen(command, env=clean, stdout=open(said, "w"), stderr=subprocess.STDOUT))
            until(lambda: address is None or answers(address), f"{command[0]} answers; it said:\n{said.read_text()}")
        yield
    except AssertionError as why:
        said = "\n".join(it.read_text()[-3000:] for it in sorted(release.path.glob("said-*")))
        raise AssertionError(f"{why}\n{said}") from None
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=60)


def answers(address):
    try:
        return get(address)
    except OSError:
        return None


@test
def the_collector_takes_the_configuration_of_the_gateway():
    with folder() as path:
        run(OTELCOL, "validate", "--config", Release(path).gateway)


@test
def a_failed_test_goes_through_the_gateway_to_tempo_and_loki():
    with folder() as path:
        release = Release(path)
        release.pod_writes(LOG)
        with running(release):
            until(lambda: "TestA" in release.arrived("traces"), "the trace of the test is in Tempo")
            until(lambda: "gobuild.failure" in release.arrived("logs"), "the log event of the failure is in Loki")
            assert release.failures() == 0


@test
def the_gateway_refuses_who_has_another_token():
    with folder() as path:
        release = Release(path)
        release.sends("another")
        release.pod_writes(LOG)
        with running(release):
            until(lambda: release.failures('reason="unauthorized"') > 0, "the gateway refuses")
            assert release.arrived("traces") == "" and release.arrived("logs") == ""


if __name__ == "__main__":
    main()
