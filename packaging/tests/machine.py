"""What the tests of the packages need of the machine: commands, a throw-away copy of it, the files of the release.

A failure says which command failed and what it printed.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from verdict import unittests  # noqa: E402, F401 for the tests
from waiting import free_port, get, wait_for  # noqa: E402, F401 for the tests
DIST = pathlib.Path(os.environ.get("DIST", ROOT / "target" / "dist")).resolve()


def run(*command, ok=True, **more):
    """Runs it and gives what it printed on both streams; `ok=False` gives the status too and takes any."""
    done = subprocess.run([str(word) for word in command], text=True, errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more)
    if not ok:
        return done.returncode, done.stdout
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def only(pattern):
    """The one file of the release with such a name."""
    found = sorted(DIST.glob(pattern))
    if len(found) != 1:
        raise AssertionError(f"{len(found)} files {pattern} in {DIST}: run packaging/release first")
    return found[0]


def folder(test):
    """A folder that goes with the test."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="gobeacon-packages-"))
    test.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


def on_a_copy(script, *arguments):
    """Runs a script of the shell, with -e, on a copy of this machine that is thrown away: what it writes goes to memory.

    The release is in /mnt."""
    outer = """
    set -e
    place="$1"; script="$2"; shift 2
    mount -t tmpfs tmpfs "$place"; mkdir "$place/up" "$place/work" "$place/root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$place/up,workdir=$place/work" "$place/root"
    mount -t proc proc "$place/root/proc"; mount --bind /dev "$place/root/dev"
    mount --bind "$DIST" "$place/root/mnt"
    exec chroot "$place/root" /bin/sh -ec "$script" sh "$@"
    """
    with tempfile.TemporaryDirectory(prefix="gobeacon-copy-") as place:
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        return run("unshare", *user, "--mount", "--pid", "--fork", "sh", "-c", outer, "sh", place, script, *arguments,
                   env={**os.environ, "DIST": str(DIST)})
