#!/usr/bin/env python3
"""Scores the program against recorded outputs of the go command.

usage: tools/score.py BINARY CORPUS [-v]

CORPUS is the golden corpus (one JSON file a case, see collectors/formats/testdata/README.md), or a folder of
recordings: <go version>/<case>/{stdout,stderr} with labels/<case>.json. Every stream goes through
`BINARY parse --format json`. An expected event is met by one of its kind that has all its fields; what is left over is
false, unless its kind is one of which more may come. Prints each stream that is not perfect (-v: with its events), and
last the accuracy. Exit status 0 when every stream is perfect.
"""
import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys

MORE_MAY_COME = {"package.compiled", "test.benchmark", "command.started"}


def streams(corpus):
    """(name, bytes, expected events) of every stream."""
    if (corpus / "labels").is_dir():
        for label in sorted((corpus / "labels").glob("*.json")):
            labels = json.loads(label.read_text())
            for folder in sorted(corpus.glob(f"go1*/{label.stem}")):
                want = labels.get(folder.parent.name, labels["default"])
                for name in ("stdout", "stderr"):
                    if (folder / name).exists():
                        yield f"{folder.parent.name} {label.stem} {name}", (folder / name).read_bytes(), want.get(name, [])
        return
    for path in sorted(corpus.glob("*.json")):
        case = json.loads(path.read_text())
        for recording in case["recordings"]:
            for version in recording["go"]:
                want = case["labels"].get(version, case["labels"]["default"])
                for name in ("stdout", "stderr"):
                    yield f"{version} {path.stem} {name}", recording[name].encode(), want.get(name, [])


def reported(binary, log):
    run = subprocess.run([binary, "parse", "--format", "json", "-"], input=log, capture_output=True, timeout=60)
    if run.returncode:
        raise SystemExit(f"exit {run.returncode}: {run.stderr.decode(errors='replace')}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def is_met(want, got):
    close = lambda a, b: isinstance(a, float) and isinstance(b, (int, float)) and abs(a - b) < 1e-9
    return all(got.get(key) == value or close(value, got.get(key)) for key, value in want.items())


def compare(want, got):
    """Events missed and false; the expectation that says most chooses first."""
    got, missed = list(got), []
    for event in sorted(want, key=len, reverse=True):
        found = next((n for n, other in enumerate(got) if is_met(event, other)), None)
        if found is None:
            missed.append(event)
        else:
            del got[found]
    return missed, [event for event in got if event["kind"] not in MORE_MAY_COME]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    jobs = list(streams(args.corpus))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda job: reported(args.binary, job[1]), jobs))
    expected = missed = false = perfect = 0
    for (name, _, want), got in zip(jobs, answers):
        lost, extra = compare(want, got)
        expected, missed, false = expected + len(want), missed + len(lost), false + len(extra)
        if not lost and not extra:
            perfect += 1
            continue
        print(f"{name}: missed {len(lost)} false {len(extra)}")
        if args.v:
            for kind, events in (("missed", lost), ("false ", extra)):
                for event in events:
                    print("  ", kind, json.dumps(event))
    accuracy = (expected - missed) / max(1, expected + false)
    print(f"streams {len(jobs)} perfect {perfect}  expected {expected} missed {missed} false {false}  accuracy {accuracy:.4f}")
    return 0 if jobs and perfect == len(jobs) else 1


sys.exit(main())
