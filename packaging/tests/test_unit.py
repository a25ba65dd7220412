#!/usr/bin/env python3
"""The systemd unit: its score, and the installed deb under a real systemd that boots on a copy of this machine."""

import os
import platform
import re
import shutil
import tempfile
import unittest

from machine import DIST, ROOT, main, only, run

UNIT = ROOT / "packaging/systemd/gobeacon.service"
MOST_EXPOSURE = 2.0
DEB = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]

# what runs inside; each step says what it found
STORY = """#!/bin/bash
set -e
# an agent that ran on this machine is none of ours
rm -rf /var/lib/gobeacon /var/lib/private/gobeacon /etc/gobeacon
until_it() { for _ in $(seq 600); do if "$@" >/dev/null 2>&1; then return; fi; sleep 0.1; done; echo "never: $*"; systemctl status gobeacon; journalctl -u gobeacon; exit 1; }
metric() { curl -fsS http://127.0.0.1:9464/metrics | grep -q "$1"; }

dpkg --install "/mnt/$1"
systemctl is-enabled gobeacon || true
echo "active after installation: $(systemctl is-active gobeacon)"

# a builder whose home is closed to others, with a log and a module cache
useradd --create-home builder
install -d -o builder -m 0700 /home/builder/logs
install -o builder -m 0600 /mnt-log /home/builder/logs/build.log
install -d -o builder -m 0700 /home/builder/go /home/builder/go/pkg /home/builder/go/pkg/mod /home/builder/go/pkg/mod/cache/download
chmod 0700 /home/builder
sed -i 's|include: .*|include: [/home/*/logs/*.log]|' /etc/gobeacon/config.yaml

systemctl enable --now gobeacon
until_it metric '^gobeacon_log_lines_total [1-9]'
until_it metric '^gobuild_module_cache_bytes{\\|^gobeacon_collector_up{collector="modcache"'
pid="$(systemctl show --property MainPID --value gobeacon)"
grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' "/proc/$pid/status"
echo "warnings: $(journalctl -u gobeacon -o cat | grep -cE ' (WARN|ERROR) ' || true)"
journalctl -u gobeacon -o cat | grep -E ' (WARN|ERROR) ' || true
ls -d /var/lib/private/gobeacon/journal
echo "online $(systemd-analyze security gobeacon --no-pager | tail -n 1)"

# it reads its configuration again when it is told to
sed -i 's|endpoint: .*|endpoint: http://127.0.0.1:4317|; s|^#otlp|otlp|; s|^#  endpoint|  endpoint|' /etc/gobeacon/config.yaml
systemctl reload gobeacon
until_it metric '^gobeacon_config_reloads_total [1-9]'
echo "reloaded: $(systemctl show --property MainPID --value gobeacon) was $pid"

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
ls -d /var/lib/private/gobeacon
dpkg --purge gobeacon
test ! -e /var/lib/private/gobeacon
test ! -e /var/lib/gobeacon
test ! -e /etc/gobeacon
echo all was well
"""

BOOT = """
set -e
place="$1"; deb="$2"
mount -t tmpfs tmpfs "$place"; mkdir "$place/up" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/up,workdir=$place/work" "$place/root"
root="$place/root"
: >"$root/etc/machine-id"
cp "$STORY_FILE" "$root/story"; chmod +x "$root/story"
cp "$LOG_FILE" "$root/mnt-log"
cat >"$root/etc/systemd/system/story.service" <<END
[Unit]
SuccessAction=exit
FailureAction=exit
Requires=basic.target
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash -c '/story $deb >/told 2>&1'
END
# nothing of this machine but the story is started
mkdir "$root/etc/systemd/system/story.target.d"
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
        place = tempfile.mkdtemp(prefix="gobeacon-boot-")
        self.addCleanup(shutil.rmtree, place, ignore_errors=True)
        story = tempfile.NamedTemporaryFile("w", suffix=".sh")
        self.addCleanup(story.close)
        story.write(STORY)
        story.flush()
        told = run("unshare", "--mount", "sh", "-c", BOOT, "sh", place, only(f"*_{DEB}.deb").name, timeout=300,
                   env={**os.environ, "STORY_FILE": story.name, "LOG_FILE": str(ROOT / "agent/tests/data/build.log"),
                        "DIST": str(DIST)})
        self.assertIn("all was well", told)
        self.assertIn("active after installation: inactive", told)
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
        online = float(re.search(r"online .*: (\S+) \S+", told)[1])
        self.assertLessEqual(online, MOST_EXPOSURE, told)


if __name__ == "__main__":
    main()
