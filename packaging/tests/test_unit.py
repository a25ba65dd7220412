#!/usr/bin/env python3
"""The systemd unit: its score, and the installed deb under a real systemd that boots on a copy of this machine."""

import os
import platform
import re
import unittest

from machine import DIST, ROOT, folder, run, unittests

UNIT = ROOT / "packaging/systemd/gobeacon.service"
MOST_EXPOSURE = 2.0
DEB = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]

PAGE = ROOT / "docs/how-to/systemd.md"

# What runs inside; each step says what it found. `page N` runs the Nth block of commands of the page, those that are
# marked as not run left out.
STORY = """#!/bin/bash
set -e
# an agent that ran on this machine is none of ours
rm -rf /var/lib/gobeacon /var/lib/private/gobeacon /etc/gobeacon
cd /mnt
page() { echo "page $1"; bash -e "/page-$1"; }
until_it() { for _ in $(seq 600); do if "$@" >/dev/null 2>&1; then return; fi; sleep 0.1; done; echo "never: $*"; systemctl status gobeacon; journalctl -u gobeacon; exit 1; }
metric() { curl -fsS http://127.0.0.1:9464/metrics | grep -q "$1"; }

page 1
echo "active after installation: $(systemctl is-active gobeacon), $(systemctl is-enabled gobeacon)"

# a builder whose home is closed to others, with a log and a module cache
useradd --create-home builder
install -d -o builder -m 0700 /home/builder/logs
install -o builder -m 0600 /mnt-log /home/builder/logs/build.log
install -d -o builder -m 0700 /home/builder/go /home/builder/go/pkg /home/builder/go/pkg/mod /home/builder/go/pkg/mod/cache/download
chmod 0700 /home/builder
sed -i 's|include: .*|include: [/home/*/logs/*.log]|' /etc/gobeacon/config.yaml

page 2
until_it metric '^gobeacon_log_lines_total [1-9]'
until_it metric '^gobeacon_collector_up{collector="modcache",reason="[a-z]*"} 1'
pid="$(systemctl show --property MainPID --value gobeacon)"
grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' "/proc/$pid/status"
page 3
echo "warnings: $(journalctl -u gobeacon -o cat | grep -cE ' (WARN|ERROR) ' || true)"
journalctl -u gobeacon -o cat | grep -E ' (WARN|ERROR) ' || true
ls -d /var/lib/private/gobeacon/journal

# it reads its configuration again when it is told to
sed -i 's|^#otlp|otlp|; s|^#  endpoint:.*|  endpoint: http://127.0.0.1:4317|' /etc/gobeacon/config.yaml
page 4
until_it metric '^gobeacon_config_reloads_total [1-9]'
echo "reloaded: $(systemctl show --property MainPID --value gobeacon) was $pid"
page 5

# a restart goes on where it was
systemctl restart gobeacon
until_it metric '^gobeacon_log_lines_total'
systemctl stop gobeacon
echo "stopped with $(systemctl show --property ExecMainStatus --value gobeacon)"

# mistakes are shown and not tried again
echo 'nonsense: 1' >>/etc/gobeacon/config.yaml
systemctl start gobeacon || true
until_it systemctl is-failed gobeacon
echo "mistakes: $(systemctl show --property ExecMainStatus --value gobeacon), $(systemctl show --property NRestarts --value gobeacon) restarts"
journalctl -u gobeacon -o cat | grep -o 'nonsense' | head -n 1
sed -i '$d' /etc/gobeacon/config.yaml
systemctl reset-failed gobeacon
systemctl start gobeacon
until_it metric '^gobeacon_log_lines_total'

dpkg --remove gobeacon
echo "active after removal: $(systemctl is-active gobeacon)"
test ! -e /etc/systemd/system/multi-user.target.wants/gobeacon.service
test -e /var/lib/private/gobeacon/journal

# the same without a package, with the configuration that was left
page 6
until_it metric '^gobeacon_log_lines_total'
readlink "/proc/$(systemctl show --property MainPID --value gobeacon)/exe"
systemctl disable --now gobeacon
rm /etc/systemd/system/gobeacon.service

page 7
test ! -e /var/lib/private/gobeacon
test ! -e /var/lib/gobeacon
test ! -e /etc/gobeacon
echo all was well
"""

BOOT = """
set -e
place="$1"
mount -t tmpfs tmpfs "$place"; mkdir "$place/up" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/up,workdir=$place/work" "$place/root"
root="$place/root"
: >"$root/etc/machine-id"
cp "$PAGES/story" "$root/story"; chmod +x "$root/story"
cp "$PAGES"/page-* "$root/"
cp "$LOG_FILE" "$root/mnt-log"
cat >"$root/etc/systemd/system/story.service" <<END
[Unit]
SuccessAction=exit
FailureAction=exit
Requires=basic.target
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash -c '/story >/told 2>&1'
END
# nothing of this machine but the story is started
systemd-nspawn --quiet --register=no --keep-unit --private-network --bind-ro="$DIST:/mnt" --directory "$root" \\
  --machine gobeacon-packages --console=pipe --boot systemd.unit=story.service >"$place/console" 2>&1 </dev/null || true
cat "$root/told" || cat "$place/console"
"""


class Unit(unittest.TestCase):
    def test_its_exposure_is_at_most_two(self):
        said = run("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT)
        score = float(re.search(r"Overall exposure level for gobeacon.service: (\S+)", said)[1])
        self.assertGreater(score, 0)
        self.assertLessEqual(score, MOST_EXPOSURE, said)

    def test_installed_it_reads_what_is_closed_to_others_and_writes_its_state_only(self):
        self.assertEqual(os.geteuid(), 0, "booting a copy of this machine needs root")
        pages, place = folder(self), folder(self)
        blocks = re.findall(r"(<!-- not run: [^\n]*\n\n)?```sh\n(.*?)```", PAGE.read_text(), re.S)
        run_here = [commands for skipped, commands in blocks if not skipped]
        self.assertEqual([int(n) for n in re.findall(r"^page (\d)$", STORY, re.M)], list(range(1, len(run_here) + 1)))
        for number, commands in enumerate(run_here, start=1):
            (pages / f"page-{number}").write_text(commands.replace("_amd64", f"_{DEB}"))
        (pages / "story").write_text(STORY)
        told = run("unshare", "--mount", "sh", "-c", BOOT, "sh", place, timeout=300, env={
            **os.environ, "PAGES": str(pages), "LOG_FILE": str(ROOT / "agent/tests/data/build.log"), "DIST": str(DIST)})
        self.assertIn("all was well", told)
        self.assertIn("active after installation: inactive, disabled\n", told)
        self.assertIn("/usr/local/bin/gobeacon\n", told)
        self.assertIn("active after removal: inactive", told)
        self.assertIn("warnings: 0\n", told)
        self.assertIn("stopped with 0\n", told)
        self.assertIn("mistakes: 2, 0 restarts\n", told)
        # a user of its own that reads everything, and nothing else
        self.assertNotRegex(told, r"Uid:\t0\t")
        self.assertRegex(told, r"CapEff:\t0000000000000004\n")
        self.assertRegex(told, r"NoNewPrivs:\t1\n")
        self.assertRegex(told, r"Seccomp:\t2\n")
        same = re.search(r"reloaded: (\d+) was (\d+)", told)
        self.assertEqual(same[1], same[2], told)
        online = float(re.search(r"exposure level for gobeacon.service: (\S+)", told)[1])
        self.assertLessEqual(online, MOST_EXPOSURE, told)


if __name__ == "__main__":
    unittests()
