#!/usr/bin/env python3
"""A small world to draw: three nodes with an agent each, real go commands on them, a proxy that fails for a while, and a
Prometheus with our rules.

    world.py --go GOROOT --agent target/debug/gobeacon --folder FOLDER --minutes 20

It says where Prometheus listens in FOLDER/prometheus.address, and goes on answering after the builds until it is ended.
"""

import argparse
import base64
import hashlib
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from module_proxy import ModuleProxy  # noqa: E402
from waiting import free_port  # noqa: E402

NODES = ("runner-1", "runner-2", "runner-3")
MODULES = 24


def module_files(module):
    number = int(module.rpartition("m")[2] or 0)
    return {"m.go": source(number), "data.txt": "x" * (30_000 * (number + 1))}


def source(number):
    functions = "".join(f"func F{n}(x int) int {{ return x*{n} + N }}\n\n" for n in range(60))
    return f"package m{number}\n\n// N is a number.\nconst N = {number}\n\n{functions}"


class Node(threading.Thread):
    """A machine: its caches, its log, its agent, and the go commands that run on it."""

    def __init__(self, name, world):
        super().__init__(daemon=True)
        self.name, self.world = name, world
        self.folder = world.folder / name
        self.listen = f"127.0.0.1:{free_port()}"
        for part in ("logs", "graphs", "home", "src/app/core", "src/app/flaky", "src/app/api"):
            (self.folder / part).mkdir(parents=True)
        self.random = random.Random(name)
        self.environment = {
            "PATH": f"{world.go}/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "GOROOT": str(world.go),
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
            "GOCACHE": str(self.folder / "gocache"),
            "GOMODCACHE": str(self.folder / "modcache"),
            "GOPROXY": world.proxy,
            "GOSUMDB": "off",
            "GOFLAGS": f"-mod=mod -modcacherw -debug-actiongraph={self.folder}/graphs/graph.json",
        }
        self.write(0)

    def agent(self):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("GOBEACON_", "OTEL_"))}
        clean |= {
            "GOBEACON_DISCOVERY_ENABLED": "false",
            "GOBEACON_ACTION_GRAPH_DIRS": str(self.folder / "graphs"),
            "GOBEACON_HOST_NAME": self.name,
            "GOBEACON_BUILDCACHE_INVENTORY_INTERVAL": "1m",
            "GOBEACON_MODCACHE_INVENTORY_INTERVAL": "1m",
        }
        command = [self.world.agent, "agent", "--listen", self.listen, "--state-dir", self.folder / "state"]
        command += ["--logs", self.folder / "logs/*.log", "--gocache", self.folder / "gocache"]
        command += ["--modcache", self.folder / "modcache", "--go-telemetry", self.folder / "home/.config/go/telemetry"]
        log = open(self.folder / "agent.log", "w")
        return subprocess.Popen([str(part) for part in command], env=clean, stdout=log, stderr=log)

    def write(self, turn):
        """Sources of this turn: an edit of the core package, sometimes a dependency more."""
        app = self.folder / "src/app"
        wanted = [n for n in range(MODULES) if n <= 8 + turn // 3]
        (app / "go.mod").write_text(
            "module corp.example/app\n\ngo 1.22\n"
            + "".join(f"\nrequire corp.example/m{n} v1.0.0" for n in wanted)
            + "\n"
        )
        imports = "".join(f'\t"corp.example/m{n}"\n' for n in wanted)
        sum_up = " + ".join(f"m{n}.N" for n in wanted)
        (app / "core/core.go").write_text(
            f"package core\n\nimport (\n{imports})\n\n// Turn counts edits.\nconst Turn = {turn}\n\nfunc Sum() int {{ return {sum_up} }}\n"
        )
        (app / "core/core_test.go").write_text(CORE_TEST)
        (app / "flaky/flaky_test.go").write_text(FLAKY_TEST)
        (app / "api/api.go").write_text(
            'package api\n\nimport "strings"\n\nfunc Name(s string) string { return strings.ToUpper(s) }\n'
        )
        (app / "api/api_test.go").write_text(API_TEST)
        broken = turn % 9 == 5
        (app / "main.go").write_text(
            'package main\n\nimport (\n\t"fmt"\n\n\t"corp.example/app/api"\n\t"corp.example/app/core"\n)\n\n'
            f'func main() {{ fmt.Println(core.Sum(), api.Name("x"){", nowhere" if broken else ""}) }}\n'
        )

    def go(self, *arguments):
        with open(self.folder / "logs/job.log", "a") as log:
            log.write(f"+ go {' '.join(arguments)}\n")
            log.flush()
            subprocess.run(
                ["go", *arguments],
                cwd=self.folder / "src/app",
                env=self.environment,
                stdout=log,
                stderr=log,
                check=False,
            )

    def run(self):
        turn = 0
        while time.monotonic() < self.world.end:
            self.write(turn)
            if turn % 6 == 0 and turn:
                shutil.rmtree(self.folder / "modcache", ignore_errors=True)
            if turn % 11 == 10:
                subprocess.run(
                    ["go", "clean", "-cache"], cwd=self.folder / "src/app", env=self.environment, check=False
                )
            if self.name == "runner-2" and turn in (7, 8):
                self.tamper()
            self.go("mod", "download", "-x") if turn % 4 == 3 else self.go("mod", "download")
            self.go("build", "./...") if turn % 3 else self.go("build", "-o", "../app.bin", ".")
            self.go("vet", "./...")
            self.go("test", "./core", "./api")
            if turn % 2:
                self.go("test", "-v", "-count=2", "./flaky")
            self.go("test", "./api", "./core")
            turn += 1

    def tamper(self):
        """A line of go.sum that somebody edited: the next download does not match it."""
        sums = self.folder / "src/app/go.sum"
        if not sums.exists():
            return
        wrong = "h1:" + base64.b64encode(hashlib.sha256(b"x").digest()).decode()
        lines = [
            line.rsplit(" ", 1)[0] + " " + wrong if "v1.0.0 h1:" in line and n < 8 else line
            for n, line in enumerate(sums.read_text().splitlines())
        ]
        sums.write_text("\n".join(lines) + "\n")
        shutil.rmtree(self.folder / "modcache", ignore_errors=True)
        self.go("mod", "download")
        self.go("build", ".")
        sums.unlink()


CORE_TEST = """package core

import (
	"fmt"
	"testing"
	"time"
)

func TestSum(t *testing.T) {
	for n := range 40 {
		t.Run(fmt.Sprint(n), func(t *testing.T) { time.Sleep(time.Duration(n*n) * 40 * time.Microsecond) })
	}
	if Turn%7 == 4 {
		t.Error("sums differ")
	}
}
"""
FLAKY_TEST = """package flaky

import "testing"

var runs int

func TestOrder(t *testing.T) {
	if runs++; runs == 1 {
		t.Error("the first run lost the race")
	}
}
"""
API_TEST = 'package api\n\nimport "testing"\n\nfunc TestName(t *testing.T) {\n\tif Name("a") != "A" {\n\t\tt.Error("name")\n\t}\n}\n'


class World:
    """All of it."""

    def __init__(self, arguments):
        self.folder = Path(arguments.folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.go, self.agent = Path(arguments.go).resolve(), Path(arguments.agent).resolve()
        self.end = time.monotonic() + arguments.minutes * 60
        # how many of the first proxy's answers are a failure; the second one never fails
        self.failing = 0.0
        first, steady = ModuleProxy("v1.0.0", module_files, self.status), ModuleProxy("v1.0.0", module_files, self.pace)
        self.proxy = f"http://localhost:{first.port}|http://127.0.0.1:{steady.port}"
        self.nodes = [Node(name, self) for name in NODES]

    def status(self, name):
        """A failure now and then, of a proxy of modules `corp.example/mN`."""
        return 502 if random.random() < self.failing else self.pace(name)

    def pace(self, name):
        """The time that a network takes."""
        if name.endswith(".zip"):
            time.sleep(random.uniform(0.02, 0.3))
        return 200

    def prometheus(self):
        address = f"127.0.0.1:{free_port()}"
        targets = "".join(
            f"      - {{targets: ['{node.listen}'], labels: {{cluster: eu-1, instance: {node.name}}}}}\n"
            for node in self.nodes
        )
        config = self.folder / "prometheus.yaml"
        rules = [f"{ROOT}/dashboards/{kind}/*.yaml" for kind in ("rules", "alerts")]
        config.write_text(
            f"global: {{scrape_interval: 5s, evaluation_interval: 15s}}\nrule_files: {rules}\n"
            f"scrape_configs:\n  - job_name: gobeacon\n    static_configs:\n{targets}"
        )
        log = open(self.folder / "prometheus.log", "w")
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data"]
        command += [f"--web.listen-address={address}", "--enable-feature=exemplar-storage"]
        started = subprocess.Popen(command, stdout=log, stderr=log)
        (self.folder / "prometheus.address").write_text(address)
        return started

    def live(self):
        running = [node.agent() for node in self.nodes] + [self.prometheus()]
        begin = time.monotonic()
        minutes = (self.end - begin) / 60
        try:
            for node in self.nodes:
                node.start()
            while any(node.is_alive() for node in self.nodes):
                passed = (time.monotonic() - begin) / 60 / minutes
                # bad luck now and then, and an outage in between
                self.failing = 0.9 if 0.55 < passed < 0.65 else 0.01
                for node in self.nodes:
                    node.join(1)
            print("the builds are over; Prometheus goes on", flush=True)
            running[-1].wait()
        finally:
            for process in running:
                process.terminate()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--go", required=True, help="GOROOT of a Go distribution, 1.23 or newer")
    parser.add_argument("--agent", default=ROOT / "target/debug/gobeacon", help="the program")
    parser.add_argument("--folder", required=True, help="a new folder for everything")
    parser.add_argument("--minutes", type=float, default=20, help="how long is built")
    World(parser.parse_args()).live()


if __name__ == "__main__":
    sys.exit(main())
