#!/usr/bin/env python3
"""What many agents cost one Prometheus and one OpenTelemetry Collector: simulated agents, real everything else.

    tools/load.py PROGRAM [--agents 1000] [--minutes 5] [--scrape 30] [--command 60] [--tests 180]

A real agent (PROGRAM) reads the log of one `go test` and gives what is simulated: its page of metrics and the OTLP
requests that it sends. Then so many agents are played: each has a page of its own, scraped by a real Prometheus that has
all rules of dashboards/, and ends one such command every so many seconds, over a connection of its own, at a real
Collector with a batch processor. After a minute of warming up both are measured by what the kernel and Prometheus say of
them. Counters of the pages grow from scrape to scrape, so that nothing is compressed better than it would be.

`.ci/setup` installs both; GOBEACON_PROMETHEUS and GOBEACON_OTELCOL (see .ci/tools.sh) name others.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

from waiting import free_port, get, wait_for

ROOT = Path(__file__).resolve().parent.parent
SETTLE_SECONDS = 60
# how long a program may take to start, in seconds
PATIENCE = 120
PACKAGES = 20


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="gobeacon-load-") as folder:
        folder = Path(folder)
        log = folder / "build.log"
        log.write_text(go_test_log(options.tests))
        requests = otlp_of(options.program, log, folder)
        page = page_of(options.program, log, folder)
        report = play(options, folder, page, requests)
    for name, value in report.items():
        print(f"{name:<46} {value}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--scrape", type=int, default=30, help="seconds between two scrapes of an agent")
    parser.add_argument("--command", type=int, default=60, help="seconds between two go commands of an agent")
    parser.add_argument("--tests", type=int, default=180, help="tests of a go command; each is a span")
    return parser.parse_args()


def go_test_log(tests):
    """What `go test -v ./...` prints, over PACKAGES packages."""
    lines = ["+ go test -v ./..."]
    for package in range(PACKAGES):
        for test in range(tests // PACKAGES):
            lines += [f"=== RUN   TestNumber{test}", f"--- PASS: TestNumber{test} (0.0{test % 9}s)"]
        lines += ["PASS", f"ok  \texample.com/app/package{package}\t0.{package + 100}s"]
    return "\n".join([*lines, "+ exit 0", ""])


class Requests:
    """OTLP over HTTP, taken and kept."""

    def __init__(self):
        self.kept = []

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                self.kept.append((head, body))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def otlp_of(program, log, folder):
    """The requests with the traces of the log, as the program sends them."""

    async def take():
        taken = Requests()
        server = await asyncio.start_server(taken.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        replay = await asyncio.create_subprocess_exec(
            program, "replay", "--otlp-endpoint", f"http://127.0.0.1:{port}", "--otlp-protocol", "http/protobuf", log,
            stdout=subprocess.DEVNULL, env=surroundings(folder),
        )
        assert await replay.wait() == 0, "replay failed"
        server.close()
        return [(head, body) for head, body in taken.kept if b"/v1/traces" in head]

    requests = asyncio.run(take())
    assert requests, "no traces came of the log"
    return [(b"gzip" if re.search(rb"(?im)^content-encoding: *gzip", head) else None, body) for head, body in requests]


def surroundings(folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GOBEACON_", "OTEL_"))}
    return environment | {"HOME": str(folder), "GOBEACON_DISCOVERY_ENABLED": "false"}


def page_of(program, log, folder):
    """The page of metrics of an agent that has read the log."""
    port = free_port()
    agent = subprocess.Popen(
        [program, "agent", "--logs", log, "--listen", f"127.0.0.1:{port}", "--state-dir", folder / "state"],
        stderr=subprocess.DEVNULL, env=surroundings(folder),
    )
    try:
        # the command before `+ exit` is over when its echo is read
        return wait_for("an agent with a page", lambda: page_with(port, 'gobuild_tests_total{'), PATIENCE)
    finally:
        agent.terminate()
        agent.wait()


def page_with(port, wanted):
    page = get(f"http://127.0.0.1:{port}/metrics")
    return page if re.search(re.escape(wanted) + r".* [1-9]", page) else None


# ---- the agents

def pages_process(page, port):
    """Serves the page of agent N below /N, with counters that have grown since the last time."""
    lines = page.splitlines()
    samples = [line.rpartition(" ")[::2] if line and not line.startswith("#") else (line, None) for line in lines]

    def grown(tick):
        out = []
        for name, value in samples:
            if value is None:
                out.append(name)
            elif "_total" in name or "_bucket" in name or "_count" in name or "_sum" in name:
                out.append(f"{name} {float(value) + tick if float(value) else 0:g}")
            else:
                out.append(f"{name} {value}")
        return "\n".join(out).encode() + b"\n"

    async def serve(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                agent = head.split(b" ", 2)[1]
                # each agent counts at its own pace
                body = grown(int(time.time()) // 7 * (1 + hash(agent) % 5))
                kind = b"text/plain; version=0.0.4"
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run():
        server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=2048)
        await server.serve_forever()

    asyncio.run(run())


def senders_process(requests, port, agents, every, told):
    """Each agent sends the traces of a command every so many seconds over its own connection."""

    async def agent(n):
        writer = None
        # spread over the time, as the nodes of a company are
        await asyncio.sleep(every * n / agents)
        while True:
            began = time.monotonic()
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                for encoding, body in requests:
                    coded = b"Content-Encoding: %s\r\n" % encoding if encoding else b""
                    writer.write(
                        b"POST /v1/traces HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/x-protobuf\r\n%sContent-Length: %d\r\n\r\n"
                        % (coded, len(body)) + body
                    )
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = re.search(rb"(?i)content-length: *(\d+)", head)
                    await reader.readexactly(int(length[1]) if length else 0)
                    told["sent" if b" 200 " in head.split(b"\r\n")[0] else "refused"].value += 1
                told["seconds"].value += time.monotonic() - began
                told["commands"].value += 1
            except (OSError, asyncio.IncompleteReadError):
                told["refused"].value += 1
                writer = None
            await asyncio.sleep(max(0.0, every - (time.monotonic() - began) + random.uniform(-1, 1)))

    async def run():
        await asyncio.gather(*(agent(n) for n in range(agents)))

    asyncio.run(run())


# ---- what is measured

def prometheus(folder, options, pages):
    port = free_port()
    targets = [
        {"targets": [f"127.0.0.1:{pages}"], "labels": {"__metrics_path__": f"/{n}", "instance": f"node-{n}"}}
        for n in range(options.agents)
    ]
    (folder / "targets.json").write_text(json.dumps(targets))
    rules = sorted([*(ROOT / "dashboards/rules").glob("*.yaml"), *(ROOT / "dashboards/alerts").glob("*.yaml")])
    # YAML has all of JSON
    (folder / "prometheus.yaml").write_text(json.dumps({
        "global": {"scrape_interval": f"{options.scrape}s", "evaluation_interval": "30s"},
        "rule_files": [str(it) for it in rules],
        "scrape_configs": [{"job_name": "gobeacon", "file_sd_configs": [{"files": [str(folder / "targets.json")]}]}],
    }))
    program = os.environ.get("GOBEACON_PROMETHEUS", "prometheus")
    server = subprocess.Popen(
        [program, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/tsdb",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
    )
    wait_for("Prometheus", lambda: get(f"http://127.0.0.1:{port}/-/ready"), PATIENCE)
    return server, port, len(rules)


def collector(folder):
    port = free_port()
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "processors": {"batch": {}},
        # it writes what it would send, as OTLP, where nothing is kept
        "exporters": {"file": {"path": "/dev/null", "format": "proto"}},
        "service": {
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
            "pipelines": {"traces": {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["file"]}},
        },
    }
    (folder / "collector.yaml").write_text(json.dumps(config))
    server = subprocess.Popen([os.environ.get("GOBEACON_OTELCOL", "otelcol"), "--config", folder / "collector.yaml"])
    wait_for("the Collector", lambda: reached(port), PATIENCE)
    return server, port


def reached(port):
    with socket.create_connection(("127.0.0.1", port)):
        return port


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid, which):
    return int(re.search(rf"{which}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def query(port, expression):
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    result = json.loads(get(url))["data"]["result"]
    return float(result[0]["value"][1]) if result else float("nan")


def own(port):
    """Prometheus' own counters, from its page."""
    page = get(f"http://127.0.0.1:{port}/metrics")
    return {name: float(value) for name, value in re.findall(r"^([a-z]\w*(?:\{[^}]*\})?) ([-+.e\d]+)$", page, re.M)}


def play(options, folder, page, requests):
    pages = free_port()
    gateway, otlp = collector(folder)
    told = {name: multiprocessing.Value("d", 0) for name in ("sent", "refused", "seconds", "commands")}
    played = [
        multiprocessing.Process(target=pages_process, args=(page, pages), daemon=True),
        multiprocessing.Process(target=senders_process, args=(requests, otlp, options.agents, options.command, told), daemon=True),
    ]
    for it in played:
        it.start()
    wait_for("the pages", lambda: reached(pages), PATIENCE)
    server, port, rules = prometheus(folder, options, pages)
    try:
        time.sleep(SETTLE_SECONDS)
        before = snapshot(server, gateway, port, told)
        time.sleep(options.minutes * 60)
        after = snapshot(server, gateway, port, told)
        return figures(options, page, requests, rules, before, after, server, gateway, port)
    finally:
        for it in played:
            it.kill()
        for it in (server, gateway):
            it.send_signal(signal.SIGKILL)
            it.wait()


def snapshot(server, gateway, port, told):
    counters = own(port)
    return {
        "at": time.monotonic(),
        "prometheus cpu": cpu_seconds(server.pid),
        "collector cpu": cpu_seconds(gateway.pid),
        "samples": sum(value for name, value in counters.items() if name.startswith("prometheus_tsdb_head_samples_appended_total")),
        **{name: value.value for name, value in told.items()},
    }


def figures(options, page, requests, rules, before, after, server, gateway, port):
    seconds = after["at"] - before["at"]
    grown = {name: after[name] - before[name] for name in after}
    spans = 1 + PACKAGES + options.tests // PACKAGES * PACKAGES
    counters = own(port)
    return {
        "agents": options.agents,
        "measured for": f"{seconds:.0f} s, load average {os.getloadavg()[1]:.0f} on {os.cpu_count()} cores",
        "page of one agent": f"{sum(not it.startswith('#') for it in page.splitlines())} series, {len(page) / 1000:.0f} kB",
        "Prometheus: targets up": f"{query(port, 'sum(up)'):.0f}",
        "Prometheus: series in memory": f"{counters.get('prometheus_tsdb_head_series', float('nan')):,.0f}",
        "Prometheus: samples": f"{grown['samples'] / seconds:,.0f} a second (a scrape every {options.scrape} s)",
        "Prometheus: scrape, 99th percentile": f"{query(port, 'quantile(0.99, scrape_duration_seconds)'):.2f} s",
        "Prometheus: CPU": f"{grown['prometheus cpu'] / seconds:.2f} cores, {rules} files of rules evaluated every 30 s",
        "Prometheus: memory": f"{memory_mib(server.pid, 'VmRSS'):,.0f} MiB, peak {memory_mib(server.pid, 'VmHWM'):,.0f}",
        "Collector: go commands": f"{grown['commands'] / seconds:.1f} a second, {spans} spans and {sum(len(b) for _, b in requests) / 1000:.1f} kB each",
        "Collector: spans": f"{grown['commands'] * spans / seconds:,.0f} a second",
        "Collector: refused or broken requests": f"{grown['refused']:.0f}",
        "Collector: answer": f"{1000 * grown['seconds'] / max(grown['commands'], 1):.1f} ms a command, on average",
        "Collector: CPU": f"{grown['collector cpu'] / seconds:.3f} cores",
        "Collector: memory": f"{memory_mib(gateway.pid, 'VmRSS'):,.0f} MiB, peak {memory_mib(gateway.pid, 'VmHWM'):,.0f}",
    }


if __name__ == "__main__":
    main()
