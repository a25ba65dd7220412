#!/usr/bin/env python3
"""The image in target/dist: what it says of itself, and the agent in it as a cluster would run it for logs.

podman with runc runs it: root of the container read-only, no capability, no new privileges.
"""

import json
import pathlib
import platform
import shutil
import tarfile
import tempfile
import unittest

from machine import ROOT, folder, free_port, get, only, run, unittests, wait_for

NAME = "ghcr.io/gobeacon/gobeacon"
MINE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


class Described(unittest.TestCase):
    """What registries and clusters read."""

    def setUp(self):
        self.archive = tarfile.open(only("gobeacon-*-image.tar"))
        self.addCleanup(self.archive.close)
        (whole,) = self.read("index.json")["manifests"]
        self.tag = whole["annotations"]["org.opencontainers.image.ref.name"]
        self.index = self.blob(whole)

    def read(self, name):
        return json.load(self.archive.extractfile(name))

    def blob(self, descriptor):
        return self.read("blobs/" + descriptor["digest"].replace(":", "/"))

    def test_each_architecture_has_its_own_program_and_the_same_settings(self):
        platforms = [it["platform"]["architecture"] for it in self.index["manifests"]]
        self.assertIn(MINE, platforms)
        self.assertEqual(len(platforms), len(set(platforms)))
        self.assertTrue(self.tag.startswith(f"{NAME}:"), self.tag)
        layers = set()
        for descriptor in self.index["manifests"]:
            manifest = self.blob(descriptor)
            settings = self.blob(manifest["config"])
            self.assertEqual((settings["os"], settings["architecture"]), ("linux", descriptor["platform"]["architecture"]))
            config = settings["config"]
            self.assertEqual(config["Entrypoint"], ["/gobeacon"])
            self.assertEqual(config["Cmd"], ["agent", "--listen", ":9464"])
            self.assertEqual(config["ExposedPorts"], {"9464/tcp": {}})
            self.assertEqual(config["Volumes"], {"/var/lib/gobeacon": {}})
            # a variable would win over a configuration that is mounted
            self.assertEqual([it for it in config.get("Env", []) if not it.startswith("PATH=")], [])
            for label in ["title", "description", "version", "revision", "created", "source", "licenses", "vendor"]:
                self.assertTrue(config["Labels"].get(f"org.opencontainers.image.{label}"), label)
            layers.update(it["digest"] for it in manifest["layers"])
        self.assertEqual(len(layers), len(platforms), "an architecture has the layers of another")


class Running(unittest.TestCase):
    """The agent in it."""

    @classmethod
    def setUpClass(cls):
        cls.storage = tempfile.mkdtemp(prefix="gobeacon-image-")
        cls.addClassCleanup(shutil.rmtree, cls.storage, ignore_errors=True)
        loaded = cls.podman("pull", "--quiet", f"oci-archive:{only('gobeacon-*-image.tar')}")
        cls.image = loaded.split()[-1]

    @classmethod
    def podman(cls, *arguments, ok=True):
        return run("podman", "--root", f"{cls.storage}/root", "--runroot", f"{cls.storage}/run", "--storage-driver", "vfs",
                   "--cgroup-manager", "cgroupfs", "--runtime", "runc", "--events-backend", "none", *arguments, ok=ok)

    # as a pod of the preset `logs` runs
    CLOSED = ["--network", "host", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt",
              "no-new-privileges", "--pids-limit", "64", "--memory", "128m"]
    # a machine may not allow podman to raise its own limits
    CLOSED += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]

    def test_it_runs_read_only_without_a_capability_reads_logs_that_are_roots_and_serves_metrics(self):
        logs = folder(self)
        shutil.copy(ROOT / "agent/tests/data/build.log", logs / "build.log")
        (logs / "build.log").chmod(0o600)
        port = free_port()
        name = self.podman("run", "--detach", *self.CLOSED, "--volume", f"{logs}:/var/log/ci:ro", self.image, "agent",
                           "--listen", f"127.0.0.1:{port}", "--logs", "/var/log/ci/**/*.log").strip()
        self.addCleanup(self.podman, "rm", "--force", "--time", "0", name)

        lines = (logs / "build.log").read_bytes().count(b"\n")
        wait_for("the log is counted", lambda: f"\ngobeacon_log_lines_total {lines}\n" in get(
            f"http://127.0.0.1:{port}/metrics") or None)
        pid = self.podman("inspect", "--format", "{{.State.Pid}}", name).strip()
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        self.assertEqual((status["CapEff"].strip(), status["NoNewPrivs"].strip()), ("0" * 16, "1"))
        (state,) = [it["Source"] for it in json.loads(self.podman("inspect", name))[0]["Mounts"]
                    if it["Destination"] == "/var/lib/gobeacon"]
        wait_for("it remembers", lambda: (pathlib.Path(state) / "journal").stat())
        self.podman("stop", "--time", "30", name)
        self.assertEqual(self.podman("inspect", "--format", "{{.State.ExitCode}}", name).strip(), "0")
        said = self.podman("logs", name)
        self.assertNotIn(" WARN ", said)
        self.assertNotIn("ERROR", said)

    def test_it_has_authorities_for_https_and_no_other_file(self):
        status, said = self.podman("run", "--rm", *self.CLOSED, "--volume", f"{ROOT}/agent/tests/data:/logs:ro", self.image,
                                   "replay", "--otlp-endpoint", f"https://127.0.0.1:{free_port()}", "/logs/build.log",
                                   ok=False)
        self.assertNotEqual(status, 0)
        self.assertNotIn("authorities", said)
        self.assertIn("refused", said.lower())
        name = self.podman("create", self.image).strip()
        self.addCleanup(self.podman, "rm", name)
        archive = folder(self) / "image.tar"
        self.podman("export", "--output", str(archive), name)
        with tarfile.open(archive) as it:
            files = sorted(entry.name for entry in it if entry.isfile() and entry.size)
        self.assertEqual(files, ["etc/ssl/certs/ca-certificates.crt", "gobeacon"])


if __name__ == "__main__":
    unittests()
