#!/usr/bin/env python3
"""The chart's own pod as a container: `podman kube play` with runc, the pod's security settings and limits. Run as root by
`.ci/test pod`.

The node is a folder: what the pod mounts of the node is taken from below it. What only a kubelet does is done here: the
name of the node in variables, and the ConfigMap beside the pod.
"""

import contextlib
import json
import os
import re
import sys
import urllib.request
from pathlib import Path

from common import CHART, PROGRAM, folder, free_port, get, main, run, template, test, until

sys.path.insert(0, os.environ["KUBERNETES_VALIDATE"])
import yaml  # noqa: E402

IMAGE = "ghcr.io/gobeacon/gobeacon:under-test"
LOG = "build_" + "0" * 8


class Node:
    """A folder that plays a node, with a container engine of its own."""

    def __init__(self, path):
        self.path = path
        self.root = path / "node"
        # a machine that lets nobody raise limits cannot give the engine's defaults either
        (path / "containers.conf").write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
        for name in ("var/log/pods", "var/lib"):
            (self.root / name).mkdir(parents=True)
        self.bring_image()

    def podman(self, *arguments, **more):
        options = ("--root", self.path / "store", "--runroot", self.path / "run", "--storage-driver", "vfs")
        engine = ("--cgroup-manager", "cgroupfs", "--runtime", "runc")
        return run("podman", *options, *engine, *arguments, CONTAINERS_CONF=str(self.path / "containers.conf"), **more)

    def bring_image(self):
        """The image of the release in GOBEACON_IMAGE; or one of the same kind, made of the program under test."""
        packaged = os.environ.get("GOBEACON_IMAGE")
        if packaged:
            self.podman("pull", f"oci-archive:{packaged}")
            [name] = self.podman("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
            self.podman("tag", name, IMAGE)
            return
        files = self.path / "image"
        files.mkdir()
        run("install", "-m", "755", "-s", PROGRAM, files / "gobeacon")
        # with its libraries, where it is not static
        for library in re.findall(r"(/\S+) \(0x", run("ldd", PROGRAM, check=False).stdout):
            (files / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            run("cp", "-L", library, files / library[1:])
        run("tar", "-C", files, "-cf", self.path / "image.tar", ".")
        command = ("--change", 'ENTRYPOINT ["/gobeacon"]', "--change", 'CMD ["agent"]')
        self.podman("import", *command, self.path / "image.tar", IMAGE)

    def play(self, text, name="gobeacon"):
        """Starts what a render has, and gives the container."""
        play = self.path / "play.yaml"
        play.write_text(text)
        self.podman("kube", "play", "--network", "host", play)
        return f"{name}-gobeacon"

    def down(self):
        self.podman("kube", "down", self.path / "play.yaml")

    def state(self, container):
        return json.loads(self.podman("inspect", container).stdout)[0]

    def log(self, namespace, pod, text):
        """Writes a container's log as the kubelet has it: of root, for root."""
        path = self.root / f"var/log/pods/{namespace}_{pod}_uid/go/0.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"2026-01-01T00:00:00.{n:09}Z stdout F {line}\n" for n, line in enumerate(text.splitlines())]
        with open(path, "a") as log:
            log.write("".join(lines))
        path.chmod(0o640)


@contextlib.contextmanager
def node_of_its_own():
    """A node, of which nothing runs on when it goes."""
    with folder() as path:
        node = Node(path)
        try:
            yield node
        finally:
            node.podman("pod", "rm", "--all", "--force", check=False)


def render(node, port, *settings):
    """The pod and its ConfigMap, with folders of the node below another root."""
    more = [part for it in (f"metrics.port={port}", *settings) for part in ("--set", it)]
    text = template("4", "gobeacon", CHART, "--namespace", "gobeacon", *more).stdout
    objects = [it for it in yaml.safe_load_all(text) if it]
    daemonset = next(it for it in objects if it["kind"] == "DaemonSet")
    spec = daemonset["spec"]["template"]["spec"]
    spec.pop("serviceAccountName")
    for volume in spec["volumes"]:
        if "hostPath" in volume:
            volume["hostPath"]["path"] = str(node.root) + volume["hostPath"]["path"]
    container = spec["containers"][0]
    container.update(image=IMAGE, imagePullPolicy="Never")
    # on the network of this machine a port needs no mapping and has no name
    del container["ports"]
    for probe in ("livenessProbe", "readinessProbe"):
        container[probe]["httpGet"]["port"] = port
    for variable in container["env"]:
        if variable.pop("valueFrom", None):
            variable["value"] = "runner-1"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gobeacon"}, "spec": spec}
    config = next(it for it in objects if it["kind"] == "ConfigMap")
    return yaml.safe_dump_all([config, pod])


def page(port):
    try:
        return get(f"http://127.0.0.1:{port}/metrics")
    except OSError:
        return ""


def total(port, name, labels=""):
    """The sum of a metric over its series that have these labels; nothing before there are any."""
    found = re.findall(rf"^{name}(?:\{{([^}}]*)\}})? (\S+)$", page(port), re.M)
    values = [float(value) for told, value in found if labels in (told or "")]
    return sum(values) if values else None


def status(node, container):
    pid = node.state(container)["State"]["Pid"]
    told = Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line), pid


FAILED = "+ go test ./...\n--- FAIL: TestA (0.00s)\n    a_test.go:5: no\nFAIL\nFAIL\texample.com/a\t0.003s\nFAIL\n"


@test
def the_pod_reads_pod_logs_and_serves_metrics_with_no_capability_and_a_read_only_root():
    with node_of_its_own() as node:
        port = free_port()
        text = render(node, port)
        node.log("ci", LOG, FAILED)
        node.log("gobeacon", "gobeacon-x1", FAILED)  # its own log, which is passed over
        container = node.play(text)
        until(lambda: total(port, "gobuild_test_failures_total") == 1, "one failed test")
        assert total(port, "gobeacon_log_files") == 1
        told, pid = status(node, container)
        assert [int(told[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")] == [0, 0, 0, 0], told
        assert told["NoNewPrivs"] == "1" and told["Seccomp"] == "2" and told["Uid"].split()[0] == "0", told
        assert_mounts(pid)
        limit = node.state(container)["HostConfig"]["Memory"]
        used = int(told["VmRSS"].split()[0]) * 1024
        assert limit == 192 * 1024 * 1024 and used < limit / 2, (used, limit)
        print(f"  at rest {used / 1048576:.0f} MiB of {limit // 1048576} MiB")
        for what in ("healthz", "readyz"):
            assert urllib.request.urlopen(f"http://127.0.0.1:{port}/{what}", timeout=5).status == 200
        assert (node.root / "var/lib/gobeacon/journal").exists()
        node.down()

        # the next pod of the node goes on where this one stopped
        node.log("ci", LOG, FAILED)
        node.play(text)
        until(lambda: total(port, "gobuild_test_failures_total") == 1, "one more failed test, and not two")


def assert_mounts(pid):
    """Everything that the container sees of files is read-only, besides its state and what the kernel gives."""
    writable = []
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        _, _, _, _, point, options = line.split()[:6]
        if "rw" in options.split(",") and not point.startswith(("/proc", "/sys", "/dev", "/run")):
            writable.append(point)
    kept = [it for it in writable if it not in ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")]
    assert kept == ["/var/lib/gobeacon"], kept


@test
def one_boolean_decides_whether_caches_of_others_are_read():
    with node_of_its_own() as node:
        cache = node.root / "srv/cache"
        entry = cache / "ab" / ("ab" * 32 + "-d")
        entry.parent.mkdir(parents=True)
        entry.write_text("x" * 1000)
        (cache / "README").write_text("a build cache\n")
        run("chown", "-R", "1000:1000", cache)
        for it in (entry.parent, cache):
            it.chmod(0o700)
        seen = {}
        for others in ("true", "false"):
            port = free_port()
            settings = ("presets.logs.enabled=false", "presets.caches.enabled=true", "presets.caches.gocache={/srv/cache}")
            container = node.play(render(node, port, *settings, f"presets.caches.othersFiles={others}"))
            dac_read_search = 1 << 2
            told, _ = status(node, container)
            assert int(told["CapEff"], 16) == (dac_read_search if others == "true" else 0), told["CapEff"]
            name = "gobuild_cache_entries" if others == "true" else "gobeacon_collector_errors_total"
            label = 'cache="build"' if others == "true" else 'collector="buildcache"'
            until(lambda: (total(port, name, label) or 0) > 0, f"{name} {label} with othersFiles={others}:\n{page(port)}")
            seen[others] = total(port, "gobuild_cache_entries", 'cache="build"') or 0
            node.down()
        assert seen["true"] > 0 and seen["false"] == 0, seen


@test
def a_user_without_rights_reads_what_everybody_may():
    with node_of_its_own() as node:
        port = free_port()
        logs = node.root / "var/log/ci"
        logs.mkdir()
        (logs / "a.log").write_text(FAILED)
        settings = (
            "presets.logs.pods=false", "presets.logs.files={/var/log/ci/*.log}", "state.type=emptyDir",
            "securityContext.runAsNonRoot=true", "securityContext.runAsUser=65532", "securityContext.runAsGroup=65532",
        )
        container = node.play(render(node, port, *settings))
        until(lambda: total(port, "gobuild_test_failures_total") == 1, "one failed test")
        told, _ = status(node, container)
        assert told["Uid"].split()[0] == "65532" and int(told["CapEff"], 16) == 0, told


if __name__ == "__main__":
    assert os.geteuid() == 0, "pod.py: run as root"
    print(f"the image is {os.environ.get('GOBEACON_IMAGE') or 'made of ' + PROGRAM}", flush=True)
    main()
