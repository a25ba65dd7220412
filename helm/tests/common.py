"""What the tests of the chart share: helm in both majors, and tests that are functions."""

import atexit
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from verdict import tell  # noqa: E402
from waiting import free_port, free_ports, get  # noqa: E402, F401 for the tests

CHART = ROOT / "helm/gobeacon"
MAJORS = ("3", "4")
OLDEST = "1.28.0"
PROGRAM = os.environ.get("GOBEACON", str(ROOT / "target/debug/gobeacon"))

TESTS = []


def test(function):
    """Marks a function as a test; its name says the scenario and the promise."""
    TESTS.append(function)
    return function


def main():
    """Runs the tests whose names contain one of the arguments, or all; the last line is that of `cargo test`."""
    wanted = [one for one in TESTS if len(sys.argv) < 2 or any(part in one.__name__ for part in sys.argv[1:])]
    failed = 0
    for one in wanted:
        start = time.monotonic()
        try:
            one()
            verdict = "ok"
        except Exception as why:
            failed += 1
            verdict = "FAILED"
            traceback.print_exc() if not isinstance(why, AssertionError) else print(f"{one.__name__}:\n{why}")
        print(f"test {one.__name__} ... {verdict} ({time.monotonic() - start:.1f} s)", flush=True)
    sys.exit(tell(len(wanted) - failed, failed) or not wanted)


def run(*command, check=True, stdin=None, **variables):
    """Runs a command and gives what it said; one that fails is an assertion that shows it."""
    env = {**os.environ, **variables}
    done = subprocess.run([str(part) for part in command], input=stdin, capture_output=True, text=True, env=env)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def helm(major, *arguments, **more):
    """helm with a home of its own, so that nothing of the machine's owner counts."""
    home = HOME / f"helm-{major}"
    folders = {f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
    return run(os.environ[f"GOBEACON_HELM_{major}"], *arguments, **folders, **more)


def template(major, name, chart, *arguments, **more):
    """`helm template` for the oldest Kubernetes: a helm that is built from source takes one that is older still."""
    return helm(major, "template", name, chart, "--kube-version", OLDEST, *arguments, **more)


def until(condition, what, seconds=60):
    """Waits until a condition gives something, and gives that."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        assert time.monotonic() < end, f"after {seconds} s still not: {what}"
        time.sleep(0.1)


@contextlib.contextmanager
def folder():
    """A folder that goes away again."""
    path = Path(tempfile.mkdtemp(prefix="gobeacon-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


HOME = Path(tempfile.mkdtemp(prefix="gobeacon-helm-"))


def forget_home():
    shutil.rmtree(HOME, ignore_errors=True)



atexit.register(forget_home)
