#!/usr/bin/env python3
"""Scores a gobeacon binary against the golden corpus, from outside: `parse --format json` on every recorded stream.

usage: .ci/score.py BINARY [CASE]...

What matches what is said in collectors/formats/testdata/README.md. Prints each event that was missed or made up, then
the totals; exit status 0 when there is none.
"""
import concurrent.futures
import json
import pathlib
import subprocess
import sys

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "collectors/formats/testdata/corpus"
# more of these may come than a label lists
FREE = {"package.compiled", "test.benchmark", "command.started"}


def main(binary, cases):
    jobs = [job for path in sorted(CORPUS.glob("*.json")) if not cases or path.stem in cases for job in streams(path)]
    if not jobs:
        raise SystemExit(f"no recording in {CORPUS}")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda job: events(binary, job["text"]), jobs))
    wanted = missed = false = perfect = 0
    for job, report in zip(jobs, reports):
        left_out, made_up = compare(job["labels"], report)
        wanted, missed, false = wanted + len(job["labels"]), missed + len(left_out), false + len(made_up)
        perfect += not (left_out or made_up)
        for what, found in (("missed", left_out), ("made up", made_up)):
            for event in found:
                print(f"{job['name']}: {what} {json.dumps(event)}")
    accuracy = (wanted - missed) / (wanted + false)
    print(f"{len(jobs)} streams, {perfect} perfect; {wanted} events, {missed} missed, {false} made up: accuracy {accuracy:.4f}")
    return 0 if perfect == len(jobs) else 1


def streams(path):
    """Both streams of each recording of a case, with the labels that hold for its versions of Go."""
    case = json.loads(path.read_text())
    for recording in case["recordings"]:
        for version in recording["go"]:
            labels = case["labels"].get(version, case["labels"]["default"])
            for stream in ("stdout", "stderr"):
                yield {
                    "name": f"{version} {path.stem} {stream}",
                    "text": recording.get(stream, ""),
                    "labels": labels.get(stream, []),
                }


def events(binary, text):
    run = subprocess.run([binary, "parse", "--format", "json", "-"], input=text.encode(), capture_output=True, timeout=60)
    if run.returncode:
        raise SystemExit(f"{binary} exits with {run.returncode}: {run.stderr.decode(errors='replace')}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def compare(labels, report):
    """What was missed and what was made up; the label that lists the most fields chooses first."""
    left, missed = list(report), []
    for label in sorted(labels, key=len, reverse=True):
        hit = next((event for event in left if same(label, event)), None)
        left.remove(hit) if hit is not None else missed.append(label)
    return missed, [event for event in left if event["kind"] not in FREE]


def same(label, event):
    def equal(want, got):
        if isinstance(want, float) and isinstance(got, (int, float)):
            return abs(want - got) < 1e-9
        return want == got

    return all(equal(want, event.get(field)) for field, want in label.items())


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
