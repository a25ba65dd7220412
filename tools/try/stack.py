"""The whole of what gobeacon works with, on the loopback of one machine: the agent, an OpenTelemetry Collector, Jaeger,
Prometheus with the rules of dashboards/, Alertmanager with its example, and somebody who gets the notifications.

All programs are the real ones; `.ci/setup stack` installs them. Knows nothing of builds. Whatever was started ends when
the stack is closed, and its folder goes.
"""

import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from waiting import free_ports, get, wait_for  # noqa: E402

# seconds between two scrapes, and between two evaluations of the rules
EVALUATION = 1

# what listens, and where it usually does
USUAL = {"agent": 9464, "otlp": 4317, "jaeger": 16686, "prometheus": 9090, "alertmanager": 9093, "notifications": 9095}


class Stack:
    """Runs while it is used in `with`."""

    def __init__(self, program, usual_ports=True):
        self.program = program
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gobeacon-try-"))
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self.running = {}
        self.notified = []
        ports = free_ports([port if usual_ports else 0 for port in USUAL.values()] + [0] * 16)
        self.ports = dict(zip(USUAL, ports))
        self.spare = iter(ports[len(USUAL):])

    def __enter__(self):
        try:
            self.hook()
            self.jaeger()
            self.collector()
            self.alertmanager()
            self.agent()
            self.prometheus()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends all, the agent first so that what it has arrives."""
        for name in ["agent", *[name for name in self.running if name != "agent"]]:
            process = self.running.pop(name, None)
            if process is None:
                continue
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.receiver:
            self.receiver.shutdown()
            self.receiver.server_close()
            self.receiver = None
        # module caches are read-only for their owner
        subprocess.run(["chmod", "-R", "u+w", self.folder], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    receiver = None

    def at(self, name):
        """`127.0.0.1:PORT` of what has this name."""
        return f"127.0.0.1:{self.ports[name]}"

    def url(self, name, path=""):
        return f"http://{self.at(name)}{path}"

    def start(self, name, command, ready):
        """Starts a program and waits until the page `ready` answers."""
        log = open(self.folder / f"{name}.log", "wb")
        # a session of its own: Ctrl-C is for us, who end it in order
        process = subprocess.Popen([str(it) for it in command], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, env=self.clean_environment(), start_new_session=True)
        log.close()
        self.running[name] = process

        def answers():
            if process.poll() is not None:
                raise SystemExit(f"{name} ended with {process.returncode}:\n{self.said(name)}")
            return get(ready)

        try:
            wait_for(f"{name} is ready", answers)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said(name)}") from error

    def said(self, name):
        """The log of a program."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    @staticmethod
    def clean_environment():
        """Without settings that are meant for other collectors and agents."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "GOBEACON_"))}
        # what the homes of this machine hold is no part of it; a log that was put away is over soon
        return {**kept, "GOBEACON_DISCOVERY_ENABLED": "false", "GOBEACON_LOGS_LINGER": "1s"}

    def write(self, name, value):
        """A configuration; JSON is YAML."""
        path = self.folder / name
        path.write_text(value if isinstance(value, str) else json.dumps(value, indent=1))
        return path

    def hook(self):
        """Takes what Alertmanager sends, and remembers to whom it was addressed."""
        notified = self.notified

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802 the library's name
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                notified.append({"to": self.path.strip("/"), **body})
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.receiver = http.server.ThreadingHTTPServer(("127.0.0.1", self.ports["notifications"]), Receiver)
        threading.Thread(target=self.receiver.serve_forever, daemon=True).start()

    def jaeger(self):
        self.ports["jaeger-otlp"] = next(self.spare)
        admin = next(self.spare)
        listens = {"collector.otlp.grpc": self.ports["jaeger-otlp"], "query.http-server": self.ports["jaeger"],
                   "admin.http": admin}
        listens |= {name: next(self.spare) for name in ["collector.otlp.http", "collector.grpc-server",
                                                        "collector.http-server", "query.grpc-server", "http-server"]}
        flags = [f"--{name}.host-port=127.0.0.1:{port}" for name, port in listens.items()]
        # its agent of old, which nobody needs and nothing switches off: not on all addresses either
        flags += [f"--processor.{name}.server-host-port=127.0.0.1:{next(self.spare)}"
                  for name in ["zipkin-compact", "jaeger-compact", "jaeger-binary"]]
        self.start("jaeger", [os.environ["GOBEACON_JAEGER"], "--collector.otlp.enabled=true", *flags],
                   f"http://127.0.0.1:{admin}/")

    def collector(self):
        health = next(self.spare)
        config = {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": self.at("otlp")}}}},
            "processors": {"batch": {"timeout": "200ms"}},
            "exporters": {
                "otlp": {"endpoint": self.at("jaeger-otlp"), "tls": {"insecure": True}},
                "file": {"path": str(self.folder / "events.json"), "flush_interval": "200ms"},
            },
            "service": {
                "telemetry": {"metrics": {"level": "basic", "readers": [{"pull": {"exporter": {"prometheus": {
                    "host": "127.0.0.1", "port": health}}}}]}},
                "pipelines": {
                    "traces": {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["otlp"]},
                    "logs": {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["file"]},
                },
            },
        }
        self.start("collector", [os.environ["GOBEACON_OTELCOL"], "--config", self.write("collector.yaml", config)],
                   f"http://127.0.0.1:{health}/metrics")

    def alertmanager(self):
        """The example of dashboards/, with its receivers here and without the minutes between two notifications."""
        config = (ROOT / "dashboards/alertmanager/alertmanager.yaml").read_text()
        for host, name in [("pager.example", "page"), ("tickets.example", "ticket"), ("chat.example", "channel")]:
            config = config.replace(f"http://{host}/hook", self.url("notifications", f"/{name}"))
        config = config.replace("group_interval: 5m", f"group_interval: {2 * EVALUATION}s")
        self.start("alertmanager", [
            os.environ["GOBEACON_ALERTMANAGER"], f"--config.file={self.write('alertmanager.yaml', config)}",
            f"--storage.path={self.folder / 'alertmanager'}", f"--web.listen-address={self.at('alertmanager')}",
            "--cluster.listen-address=",
        ], self.url("alertmanager", "/-/ready"))

    def agent(self):
        self.start("agent", [
            self.program, "agent", "--logs", self.logs / "*.log", "--listen", self.at("agent"), "--state-dir",
            self.folder / "state", "--otlp-endpoint", self.url("otlp"), "--modcache", self.folder / "work/*/modcache",
            "--gocache", self.folder / "work/*/gocache", "--otlp-protocol", "grpc",
        ], self.url("agent", "/readyz"))

    def prometheus(self):
        config = {
            "global": {"scrape_interval": f"{EVALUATION}s", "scrape_timeout": f"{EVALUATION}s",
                       "evaluation_interval": f"{EVALUATION}s"},
            "rule_files": [str(ROOT / "dashboards/rules/*.yaml"), str(ROOT / "dashboards/alerts/*.yaml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [self.at("alertmanager")]}]}]},
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [self.at(name)]}]}
                               for job, name in [("gobeacon", "agent"), ("prometheus", "prometheus")]],
        }
        self.start("prometheus", [
            os.environ["GOBEACON_PROMETHEUS"], f"--config.file={self.write('prometheus.yaml', config)}",
            f"--storage.tsdb.path={self.folder / 'prometheus'}", f"--web.listen-address={self.at('prometheus')}",
            "--enable-feature=exemplar-storage",
        ], self.url("prometheus", "/-/ready"))

    def query(self, expression):
        """The series that Prometheus answers with."""
        body = get(self.url("prometheus", "/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
        return json.loads(body)["data"]["result"]

    def traces(self):
        """What Jaeger has of the go commands, oldest first: `(trace id, spans)`, each span as its API gives it."""
        body = get(self.url("jaeger", "/api/traces?" + urllib.parse.urlencode(
            {"service": "go-build", "limit": 100, "lookback": "1h"})))
        found = [(it["traceID"], it["spans"]) for it in json.loads(body)["data"] or []]
        # one that has no go command yet is under way, or is of files that no log tells of
        found = [it for it in found if any(span["operationName"].startswith("go ") for span in it[1])]
        return sorted(found, key=lambda it: min(span["startTime"] for span in it[1]))
