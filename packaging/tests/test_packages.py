#!/usr/bin/env python3
"""The release in target/dist as its users meet it: checksums, programs, install.sh, deb, rpm, bill of materials.

Packages are installed and removed by dpkg and rpm themselves, on a copy of this machine that is thrown away.
"""

import hashlib
import json
import os
import platform
import re
import tarfile
import unittest

from machine import DIST, ROOT, folder, on_a_copy, only, run, unittests

MOST_PROGRAM_BYTES = 15_000_000
LOG = ROOT / "agent/tests/data/build.log"
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
# how the two kinds of packages call an architecture
NAMES = {"x86_64": ("amd64", "x86_64"), "aarch64": ("arm64", "aarch64")}
ARCHITECTURES = [arch for arch in NAMES if list(DIST.glob(f"*-linux-{arch}.tar.gz"))]


def unpacked(test, arch):
    """The folder of an archive."""
    place = folder(test)
    with tarfile.open(only(f"gobeacon-*-linux-{arch}.tar.gz")) as archive:
        archive.extractall(place, filter="data")
    (found,) = place.iterdir()
    return found


def runner(arch):
    """What runs a program of that architecture here."""
    return [] if arch == platform.machine() else [f"qemu-{arch}"]


class Release(unittest.TestCase):
    def test_the_program_of_this_machine_is_among_them(self):
        self.assertIn(platform.machine(), ARCHITECTURES)

    def test_the_checksums_name_every_file_and_are_right(self):
        named = {}
        for line in (DIST / "SHA256SUMS").read_text().splitlines():
            checksum, name = line.split(maxsplit=1)
            named[name.lstrip("*")] = checksum
        there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in DIST.iterdir()
                 if path.name != "SHA256SUMS"}
        self.assertEqual(there, named)

    def test_programs_are_static_small_and_tell_the_same_of_a_log(self):
        told = set()
        for arch in ARCHITECTURES:
            program = unpacked(self, arch) / "gobeacon"
            headers = run("readelf", "--file-header", "--program-headers", program)
            self.assertNotIn("INTERP", headers, arch)
            self.assertIn({"x86_64": "X86-64", "aarch64": "AArch64"}[arch], headers)
            self.assertLessEqual(program.stat().st_size, MOST_PROGRAM_BYTES)
            self.assertEqual(run(*runner(arch), program, "--version"), f"gobeacon {VERSION}\n")
            told.add(run(*runner(arch), program, "parse", "--format", "json", LOG))
        self.assertEqual(len(told), 1, "the architectures do not tell the same")
        self.assertIn("test.failed", told.pop())

    def test_the_bill_of_materials_names_every_crate_of_the_program_with_version_and_licence(self):
        bill = json.loads(only("gobeacon-*.cdx.json").read_text())
        self.assertEqual(bill["bomFormat"], "CycloneDX")
        self.assertEqual((bill["metadata"]["component"]["name"], bill["metadata"]["component"]["version"]),
                         ("gobeacon", VERSION))
        named = {(it["name"], it["version"]): it for it in bill["components"]}
        tree = run("cargo", "tree", "--locked", "-p", "gobeacon", "-e", "normal", "--prefix", "none", "--target",
                   "x86_64-unknown-linux-musl", cwd=ROOT)
        linked = {tuple(re.match(r"(\S+) v(\S+)", line).groups()) for line in tree.splitlines() if line}
        self.assertGreater(len(linked), 100)
        self.assertEqual(linked - set(named) - {("gobeacon", VERSION)}, set())
        self.assertEqual([name for name, it in named.items() if not it.get("licenses")], [])


class InstallScript(unittest.TestCase):
    def setUp(self):
        self.place = folder(self)

    def install(self, *arguments, path=None, frm=DIST):
        environment = {**os.environ, "DESTDIR": str(self.place)}
        if path:
            environment["PATH"] = f"{path}:{environment['PATH']}"
        return run("sh", DIST / "install.sh", "--from", frm, *arguments, ok=False, env=environment)

    def there(self):
        return sorted(str(path.relative_to(self.place)) for path in self.place.rglob("*") if path.is_file())

    def test_it_installs_program_pages_completions_and_unit_and_the_program_runs(self):
        status, said = self.install("--prefix", "/opt/gobeacon", "--systemd")
        self.assertEqual(status, 0, said)
        self.assertIn("checksum of", said)
        for name in ["opt/gobeacon/bin/gobeacon", "opt/gobeacon/share/man/man1/gobeacon.1.gz",
                     "opt/gobeacon/share/bash-completion/completions/gobeacon", "etc/gobeacon/config.yaml"]:
            self.assertIn(name, self.there())
        self.assertEqual(run(self.place / "opt/gobeacon/bin/gobeacon", "--version"), f"gobeacon {VERSION}\n")
        unit = (self.place / "etc/systemd/system/gobeacon.service").read_text()
        self.assertIn("ExecStart=/opt/gobeacon/bin/gobeacon agent", unit)

    def test_a_dry_run_says_what_it_would_do_and_writes_nothing(self):
        status, said = self.install("--systemd", "--dry-run")
        self.assertEqual(status, 0, said)
        self.assertIn(f"would install {self.place}/usr/local/bin/gobeacon", said)
        self.assertEqual(self.there(), [])

    def test_a_configuration_that_is_there_is_kept_when_it_is_run_again(self):
        self.install("--systemd")
        config = self.place / "etc/gobeacon/config.yaml"
        config.write_text("listen: 'off'\n")
        status, said = self.install("--systemd")
        self.assertEqual(status, 0, said)
        self.assertEqual(config.read_text(), "listen: 'off'\n")

    def test_an_archive_that_was_changed_is_refused_and_nothing_is_installed(self):
        other = folder(self)
        for path in [DIST / "SHA256SUMS", *DIST.glob("*.tar.gz")]:
            (other / path.name).write_bytes(path.read_bytes())
        with open(other / only(f"*-linux-{platform.machine()}.tar.gz").name, "ab") as archive:
            archive.write(b"\0")
        status, said = self.install(frm=other)
        self.assertEqual(status, 1, said)
        self.assertIn("nothing was installed", said)
        self.assertEqual(self.there(), [])

    def test_a_machine_for_which_there_is_no_program_and_a_version_that_is_not_there_are_said(self):
        programs = folder(self)
        (programs / "uname").write_text('#!/bin/sh\n[ "$1" = -s ] && echo Linux || echo riscv64\n')
        (programs / "uname").chmod(0o755)
        status, said = self.install(path=programs)
        self.assertEqual((status, "there is no program for riscv64" in said), (1, True), said)
        status, said = self.install("--version", "9.9.9")
        self.assertEqual((status, "in version 9.9.9" in said), (1, True), said)
        self.assertEqual(self.there(), [])

    def test_a_place_that_cannot_be_written_and_wrong_words_are_said(self):
        (self.place / "usr").write_text("in the way")
        status, said = self.install()
        self.assertEqual((status, "cannot write" in said), (1, True), said)
        status, said = self.install("--frobnicate")
        self.assertEqual((status, "Try --help" in said), (1, True), said)


class Packages(unittest.TestCase):
    CONTENT = ["/usr/bin/gobeacon", "/usr/lib/systemd/system/gobeacon.service", "/etc/gobeacon/config.yaml",
               "/usr/share/man/man1/gobeacon.1.gz", "/usr/share/man/man1/gobeacon-agent.1.gz",
               "/usr/share/bash-completion/completions/gobeacon", "/usr/share/fish/vendor_completions.d/gobeacon.fish"]

    def test_lintian_finds_no_error(self):
        for arch in ARCHITECTURES:
            status, said = run("lintian", "--fail-on", "error", "--tag-display-limit", "0", "--allow-root",
                               only(f"*_{NAMES[arch][0]}.deb"), ok=False)
            self.assertEqual((status, re.findall(r"^E: .*", said, re.M)), (0, []), said)

    def test_both_kinds_hold_the_same_and_know_their_configuration(self):
        for arch in ARCHITECTURES:
            deb, rpm = only(f"*_{NAMES[arch][0]}.deb"), only(f"*.{NAMES[arch][1]}.rpm")
            in_deb = [line.split()[5].lstrip(".") for line in run("dpkg-deb", "--contents", deb).splitlines()]
            in_rpm = run("rpm", "-qlp", rpm).split()
            for path in self.CONTENT:
                self.assertIn(path, in_deb)
                self.assertIn(path, in_rpm)
            self.assertEqual(run("dpkg-deb", "--info", deb, "conffiles").split(), ["/etc/gobeacon/config.yaml"])
            self.assertEqual(run("rpm", "-qcp", rpm).split(), ["/etc/gobeacon/config.yaml"])
            self.assertIn("/usr/share/licenses/gobeacon/LICENSE", in_rpm)
            self.assertIn("/usr/share/doc/gobeacon/copyright", in_deb)

    def test_the_deb_is_installed_used_upgraded_removed_and_purged_and_leaves_nothing(self):
        said = on_a_copy(
            """
            # an agent that ran on this machine is none of ours
            rm -rf /var/lib/gobeacon
            dpkg --install "/mnt/$1"
            gobeacon --version
            gobeacon config check /etc/gobeacon/config.yaml
            man -w gobeacon-agent 2>/dev/null || ls /usr/share/man/man1/gobeacon-agent.1.gz
            echo '# mine' >>/etc/gobeacon/config.yaml
            dpkg --install "/mnt/$1"
            tail -n 1 /etc/gobeacon/config.yaml
            dpkg --listfiles gobeacon | while read -r path; do test -d "$path" || echo "$path"; done >/tmp/files
            dpkg --remove gobeacon
            test ! -e /usr/bin/gobeacon
            test -e /etc/gobeacon/config.yaml
            dpkg --purge gobeacon
            test "$(wc -l </tmp/files)" -gt 10
            while read -r path; do test ! -e "$path"; done </tmp/files
            test -z "$(find /etc /var/lib /usr/share/doc -name '*gobeacon*' -not -path '/var/lib/dpkg/*')"
            echo it left nothing
            """, only(f"*_{NAMES[platform.machine()][0]}.deb").name)
        self.assertIn(f"gobeacon {VERSION}\n", said)
        self.assertIn("OK: /etc/gobeacon/config.yaml", said)
        self.assertIn("gobeacon-agent.1.gz", said)
        self.assertIn("# mine", said)
        self.assertIn("it left nothing", said)

    def test_the_rpm_is_installed_and_removed_and_keeps_what_was_configured(self):
        # a machine of Debian has none of the packages that rpm knows
        said = on_a_copy(
            """
            rpm --install --nodeps "/mnt/$1"
            rpm --query --list gobeacon | while read -r path; do test -e "$path" || echo "missing: $path"; done
            rpm --verify --nodeps gobeacon
            gobeacon --version
            gobeacon config check /etc/gobeacon/config.yaml
            echo '# mine' >>/etc/gobeacon/config.yaml
            rpm --erase gobeacon
            test ! -e /usr/bin/gobeacon
            tail -n 1 /etc/gobeacon/config.yaml.rpmsave
            """, only(f"*.{NAMES[platform.machine()][1]}.rpm").name)
        self.assertIn(f"gobeacon {VERSION}\n", said)
        self.assertIn("# mine", said)
        self.assertNotIn("missing:", said)


class Scripts(unittest.TestCase):
    def test_shellcheck_finds_nothing_in_the_scripts_of_packaging(self):
        scripts = [path for path in sorted((ROOT / "packaging").rglob("*"))
                   if path.is_file() and re.match(rb"#!.*sh\n", path.read_bytes()[:40])]
        self.assertGreater(len(scripts), 4)
        run("shellcheck", "--external-sources", "--source-path=SCRIPTDIR", *scripts)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    unittests()
