"""A few real builds of a small project, written into logs the way a shell of a CI system does: a cold build with downloads,
tests of which one fails, and a build behind a proxy that hands out other modules than everybody else gets.

The modules come from a proxy on the loopback; nothing is asked of the network.
"""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from module_proxy import ModuleProxy  # noqa: E402

PROXY_MODULES = [f"example.com/{name}" for name in ["colour", "greeting", "numbers", "shapes", "words"]]
VERSION = "v1.2.0"

MAIN = """package main

import (
\t"os"
""" + "".join(f'\t"{module}"\n' for module in PROXY_MODULES) + """)

func main() {
\tos.Stdout.WriteString(colour.Name() + greeting.Name() + numbers.Name() + shapes.Name() + words.Name() + "\\n")
}
"""

TEST = """package main

import "testing"

func TestGreets(t *testing.T) {}

func TestCountsToTen(t *testing.T) {
\tif ten := 9; ten != 10 {
\t\tt.Errorf("counted to %d, wanted 10", ten)
\t}
}
"""


class Proxy(ModuleProxy):
    """A module proxy (GOPROXY). Once `tampered`, the same versions have other content: what a captive portal or a proxy
    that was broken into does."""

    def __init__(self):
        self.tampered = False
        super().__init__(VERSION, self.content)
        self.url = f"http://127.0.0.1:{self.port}"

    def content(self, module):
        if module not in PROXY_MODULES:
            return None
        name = module.rpartition("/")[2]
        says = f"not what you think of as {name}" if self.tampered else name
        return {f"{name}.go": f'package {name}\n\nfunc Name() string {{ return "{says} " }}\n'}


class Job:
    """One job of a CI system on a machine of its own: empty caches, and a log."""

    def __init__(self, stack, proxy, name, watched=True):
        self.log = stack.logs / f"{name}.log"
        self.folder = stack.folder / ("work" if watched else "elsewhere") / name
        self.source = self.folder / "source"
        self.source.mkdir(parents=True)
        self.go = go_program()
        self.environment = {
            "PATH": f"{self.go.parent}:{os.environ['PATH']}", "HOME": str(self.folder), "GOPATH": str(self.folder / "gopath"),
            "GOMODCACHE": str(self.folder / "modcache"), "GOCACHE": str(self.folder / "gocache"), "GOPROXY": proxy.url,
            "GOSUMDB": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-modcacherw", "GOENV": "off", "CGO_ENABLED": "0",
        }
        requires = "".join(f"\t{module} {VERSION}\n" for module in PROXY_MODULES)
        (self.source / "go.mod").write_text(f"module example.com/shop\n\ngo 1.21\n\nrequire (\n{requires})\n")
        (self.source / "main.go").write_text(MAIN)
        (self.source / "main_test.go").write_text(TEST)

    def quietly(self, *words):
        """What happened on another day: no log tells of it."""
        subprocess.run([self.go, *words], cwd=self.source, env=self.environment, check=True, capture_output=True)

    def run(self, *words):
        """A go command with its echo, both streams in the log; gives its exit code."""
        with open(self.log, "ab") as log:
            log.write(f"+ go {' '.join(words)}\n".encode())
            log.flush()
            return subprocess.run([self.go, *words], cwd=self.source, env=self.environment, stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=subprocess.STDOUT, check=False).returncode

    def end(self):
        """The runner puts the log away, so its last go command is over."""
        finished = self.log.parent / "finished"
        finished.mkdir(exist_ok=True)
        self.log.rename(finished / self.log.name)


def go_program():
    """The newest Go that the tests have, or the one that is installed."""
    roots = [root for root in os.environ.get("GOBEACON_GO_ROOTS", "").split(":") if root]
    found = str(pathlib.Path(roots[-1]) / "bin" / "go") if roots else shutil.which("go")
    if not found or not os.path.exists(found):
        raise SystemExit("go is missing: install Go 1.21 or newer, or run .ci/setup")
    return pathlib.Path(found)


def recorded(stack, proxy):
    """go.sum, as it was written when all was well."""
    job = Job(stack, proxy, "yesterday", watched=False)
    job.quietly("mod", "tidy")
    return (job.source / "go.sum").read_text()


def tell(stack, say):
    """Runs the builds; `say` gets a sentence for each."""
    proxy = Proxy()
    try:
        gosum = recorded(stack, proxy)
        say("build: a cold build, its modules come from a proxy")
        build = Job(stack, proxy, "build")
        (build.source / "go.sum").write_text(gosum)
        assert build.run("build", "./...") == 0, build.log.read_text()
        say("build: its tests, of which one fails")
        assert build.run("test", "-v", "./...") != 0, build.log.read_text()
        build.end()
        say(f"release: a machine that gets other content for {len(PROXY_MODULES)} modules from the same proxy")
        proxy.tampered = True
        release = Job(stack, proxy, "release")
        (release.source / "go.sum").write_text(gosum)
        # a go command ends at the first module that is not what go.sum says
        for module in PROXY_MODULES:
            assert release.run("mod", "download", module) != 0, release.log.read_text()
        release.end()
    finally:
        proxy.close()
