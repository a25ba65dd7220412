#!/usr/bin/env python3
"""Draws the dashboards as PNG with Grafana's own components (@grafana/ui), from what a Prometheus answers.

    draw.py --prometheus 127.0.0.1:9090 --out FOLDER [--minutes 30] [--boards modules,tests] [--themes dark,light] [--open]

It installs what it needs in this folder (`npm install`: 600 MB and some minutes, once) and builds the page. Needs Node.js 20 or
newer with npm, and chromium (`apt-get install chromium fonts-inter`).
"""

import argparse
import functools
import http.server
import json
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
DASHBOARDS = HERE.parents[1] / "dashboards/grafana"
WIDTH = 1600
CELL, GAP, HEAD = 30, 8, 52


class Server(http.server.SimpleHTTPRequestHandler):
    """The page, the dashboards, and the Prometheus behind it: one origin for the browser."""

    def __init__(self, *arguments, prometheus, **more):
        self.prometheus = prometheus
        super().__init__(*arguments, directory=str(HERE / "node_modules/.page"), **more)

    def do_GET(self):
        if self.path.startswith("/prometheus/"):
            return self.forward(f"http://{self.prometheus}{self.path.removeprefix('/prometheus')}")
        if self.path.startswith("/dashboards/"):
            return self.answer(200, (DASHBOARDS / Path(self.path).name).read_bytes())
        return super().do_GET()

    def forward(self, url):
        try:
            with urllib.request.urlopen(url, timeout=60) as reply:
                self.answer(200, reply.read())
        except urllib.error.HTTPError as error:
            self.answer(200, error.read())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def install():
    """Grafana's components, and the page that is made of them."""
    run = functools.partial(subprocess.run, cwd=HERE, check=True)
    if not (HERE / "node_modules/.package-lock.json").exists():
        # not `npm ci`: a lock of one platform lacks the optional packages of the others, and it refuses that
        run(["npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"])
    built = HERE / "node_modules/.page/index.html"
    sources = [*HERE.glob("src/*"), HERE / "index.html", HERE / "package-lock.json", HERE / "vite.config.js"]
    if not built.exists() or any(it.stat().st_mtime > built.stat().st_mtime for it in sources):
        run(["npx", "vite", "build", "--logLevel", "warn"])


def height(board, is_open):
    """How tall it is: rows that are closed take one cell."""
    rows = 0
    for panel in board["panels"]:
        rows = max(rows, panel["gridPos"]["y"] + panel["gridPos"]["h"])
    if is_open:
        for panel in board["panels"]:
            if panel.get("collapsed"):
                rows += (
                    max(it["gridPos"]["y"] + it["gridPos"]["h"] for it in panel["panels"]) - panel["gridPos"]["y"] - 1
                )
    return HEAD + rows * (CELL + GAP) + GAP


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prometheus", required=True, help="HOST:PORT")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=30, help="how much time is shown")
    parser.add_argument("--until", type=float, help="where it ends, in seconds since 1970; now unless given")
    parser.add_argument(
        "--faster", type=float, default=1, help="least steps are divided by it, where minutes stand for hours"
    )
    parser.add_argument("--boards", default=",".join(sorted(path.stem for path in DASHBOARDS.glob("*.json"))))
    parser.add_argument("--themes", default="dark,light")
    parser.add_argument("--open", action="store_true", help="open the collapsed rows")
    arguments = parser.parse_args()
    install()
    handler = functools.partial(Server, prometheus=arguments.prometheus)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    arguments.out.mkdir(parents=True, exist_ok=True)
    to = int(arguments.until or time.time())
    span = f"from={int(to - arguments.minutes * 60)}&to={to}&faster={arguments.faster}&width={WIDTH}"
    for name in arguments.boards.split(","):
        board = json.loads((DASHBOARDS / f"{name}.json").read_text())
        for theme in arguments.themes.split(","):
            picture = arguments.out / f"{name}-{theme}{'-open' if arguments.open else ''}.png"
            url = f"http://127.0.0.1:{server.server_port}/?board={name}&theme={theme}&{span}&open={'yes' if arguments.open else 'no'}"
            command = [
                "chromium",
                "--headless=new",
                "--no-sandbox",
                "--hide-scrollbars",
                "--disable-gpu",
                "--force-device-scale-factor=1",
            ]
            command += [
                f"--window-size={WIDTH},{height(board, arguments.open)}",
                "--virtual-time-budget=30000",
                f"--screenshot={picture}",
                url,
            ]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            print(picture, picture.stat().st_size, "bytes", flush=True)


if __name__ == "__main__":
    sys.exit(main())
