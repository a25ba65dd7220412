"""A real Kubernetes control plane on free ports of this machine, with nodes that kwok plays: everything but kubelets.

Knows nothing of the chart. What it starts ends with it.
"""

import contextlib
import json
import os
import secrets
import subprocess
import time
from pathlib import Path

from common import folder, free_ports, run, until

NODES = ("runner-1", "runner-2", "system-1")


class ControlPlane:
    """Processes, a kubeconfig, and kubectl."""

    def __init__(self, path):
        self.path = path
        self.programs = Path(os.environ["KUBERNETES"])
        self.token = secrets.token_hex(16)
        self.ports = dict(zip(("etcd", "peer", "api", "controllers", "scheduler", "kwok"), free_ports([0] * 6)))
        self.running = []

    def kubectl(self, *arguments, **more):
        return run(self.programs / "kubectl", "--kubeconfig", self.kubeconfig, *arguments, **more)

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "--output", "json").stdout)

    def apply(self, *objects):
        self.kubectl("apply", "--server-side", "--filename", "-", stdin="\n---\n".join(map(json.dumps, objects)))

    @property
    def kubeconfig(self):
        return self.path / "kubeconfig"

    def start(self):
        url = f"http://127.0.0.1:{self.ports['etcd']}"
        peer = f"http://127.0.0.1:{self.ports['peer']}"
        self.begin(
            Path(os.environ["ETCD"]) / "etcd", "--data-dir", self.path / "etcd", "--unsafe-no-fsync",
            "--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
        )
        self.secrets()
        self.begin(
            self.programs / "kube-apiserver", "--etcd-servers", url, "--bind-address", "127.0.0.1",
            "--secure-port", self.ports["api"], "--cert-dir", self.path / "certificates", "--allow-privileged=true",
            "--authorization-mode", "RBAC", "--token-auth-file", self.path / "tokens.csv",
            "--service-cluster-ip-range", "10.96.0.0/16", "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", self.path / "accounts.key",
            "--service-account-signing-key-file", self.path / "accounts.key",
        )
        ready = ("get", "--raw", "/readyz")
        until(lambda: self.kubectl(*ready, check=False).returncode == 0 or self.alive(), "the API server is ready", 180)
        lonely = ("--kubeconfig", self.kubeconfig, "--leader-elect=false", "--bind-address", "127.0.0.1")
        self.begin(
            self.programs / "kube-controller-manager", *lonely, "--secure-port", self.ports["controllers"],
            "--service-account-private-key-file", self.path / "accounts.key",
        )
        self.begin(self.programs / "kube-scheduler", *lonely, "--secure-port", self.ports["scheduler"])
        stages = sorted((Path(os.environ["KWOK"]) / "stages").glob("*.yaml"))
        self.begin(
            Path(os.environ["KWOK"]) / "kwok", "--kubeconfig", self.kubeconfig, "--manage-all-nodes=true",
            "--server-address", f"127.0.0.1:{self.ports['kwok']}", *[f"--config={stage}" for stage in stages],
        )
        self.apply(*[node(name) for name in NODES])
        until(lambda: all(ready_node(it) for it in self.get("nodes")["items"]) or self.alive(), "all nodes are ready", 180)

    def secrets(self):
        run("openssl", "genrsa", "-out", self.path / "accounts.key", "2048")
        (self.path / "tokens.csv").write_text(f'{self.token},admin,admin,"system:masters"\n')
        cluster = {"server": f"https://127.0.0.1:{self.ports['api']}", "insecure-skip-tls-verify": True}
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        }))
        self.kubeconfig.chmod(0o600)

    def begin(self, *command):
        name = Path(command[0]).name
        with open(self.path / f"{name}.log", "wb") as log:
            process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.running.append((name, process))

    def alive(self):
        """Nothing; or an assertion with the log of what ended by itself."""
        for name, process in self.running:
            if process.poll() is not None:
                log = (self.path / f"{name}.log").read_text()
                raise AssertionError(f"{name} ended with {process.returncode}:\n{log[-3000:]}")

    def stop(self):
        for _, process in reversed(self.running):
            process.terminate()
        for _, process in reversed(self.running):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def control_plane():
    start = time.monotonic()
    with folder() as path:
        plane = ControlPlane(path)
        try:
            plane.start()
            print(f"the control plane was ready after {time.monotonic() - start:.1f} s", flush=True)
            yield plane
        finally:
            plane.stop()


def node(name):
    """A node; those for CI runners are as they often are: tainted."""
    room = {"cpu": "8", "memory": "16Gi", "pods": "110"}
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name, "example.com/runner": "true"}
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"taints": [{"key": "ci.example.com/runner", "effect": "NoSchedule"}] if name.startswith("runner") else []},
        "status": {"allocatable": room, "capacity": room},
    }


def ready_node(it):
    conditions = it.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
