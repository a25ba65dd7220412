#!/usr/bin/env python3
"""Writes dashboards/grafana/*.json from dashboards/generator; with --check only says which differ."""

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

from generator import agent, build_health, cache, modules, tests  # noqa: E402

BOARDS = (build_health, modules, cache, tests, agent)
FOLDER = Path(__file__).parent / "grafana"


def main():
    only_check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not only_check:
        sys.exit("usage: generate.py [--check]")
    differ = []
    for module in BOARDS:
        board = module.board()
        text = json.dumps(board.json(), indent=2, ensure_ascii=False) + "\n"
        path = FOLDER / f"{board.name}.json"
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        differ.append(path.name)
        if not only_check:
            path.write_text(text, encoding="utf-8")
    if only_check and differ:
        sys.exit(f"not what the generator writes: {', '.join(differ)}; run dashboards/generate.py")
    print(
        f"{len(BOARDS)} dashboards, {len(differ)} written"
        if not only_check
        else f"{len(BOARDS)} dashboards are what the generator writes"
    )


if __name__ == "__main__":
    main()
