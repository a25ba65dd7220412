#!/usr/bin/env python3
"""Makes the golden corpus: one JSON file a case, out of a folder of recordings of the go command.

usage: make_corpus.py RECORDINGS

RECORDINGS holds <go version>/<case>/{cmd,stdout,stderr,exit_code} and labels/<case>.json. Versions whose recordings of
a case are the same share one entry. Cases that are no longer recorded are removed.
"""
import argparse
import json
import pathlib

HERE = pathlib.Path(__file__).parent / "corpus"


def command(text):
    """The command that was run, without the set-up that all cases share (README.md says what it is)."""
    lines = [line for line in text.splitlines() if line != "cd /tmp/w/src" and not line.startswith("# base environment: ")]
    return "\n".join(lines)


def recording(folder):
    read = lambda name: (folder / name).read_bytes().decode()   # a recording that is not UTF-8 needs another form
    return {
        "cmd": command(read("cmd")),
        "exit_code": int(read("exit_code")),
        "stdout": read("stdout"),
        "stderr": read("stderr"),
    }


def by_release(name):
    return [int(part) for part in name.removeprefix("go").split(".")]


def case(recordings, versions, label):
    """One case: its distinct recordings, each with the versions that gave it, and what a perfect parser reports."""
    entries = []
    for version in versions:
        folder = recordings / version / label.stem
        if not folder.is_dir():
            continue
        one = recording(folder)
        same = next((entry for entry in entries if all(entry[key] == value for key, value in one.items())), None)
        if same:
            same["go"].append(version)
        else:
            entries.append({"go": [version], **one})
    return {"recordings": entries, "labels": json.loads(label.read_text())}


def dump(value):
    """JSON with one line for each recording and each expected event, so that a diff can be read."""
    line = lambda item: json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    out = ['{"recordings":[']
    out.append(",\n".join(line(entry) for entry in value["recordings"]))
    out.append('],"labels":{')
    labels = []
    for version, streams in value["labels"].items():
        parts = []
        for stream, events in streams.items():
            parts.append(f"{line(stream)}:[" + ",".join("\n" + line(event) for event in events) + "]")
        labels.append(f"{line(version)}:{{" + ",".join(parts) + "}")
    out.append(",\n".join(labels))
    out.append("}}\n")
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("recordings", type=pathlib.Path)
    recordings = parser.parse_args().recordings
    versions = sorted((p.name for p in recordings.iterdir() if p.name.startswith("go1")), key=by_release)
    HERE.mkdir(exist_ok=True)
    written = set()
    for label in sorted((recordings / "labels").glob("*.json")):
        value = case(recordings, versions, label)
        if value["recordings"]:
            text = dump(value)
            assert json.loads(text) == value
            (HERE / label.name).write_text(text)
            written.add(label.name)
    for old in HERE.glob("*.json"):
        if old.name not in written:
            old.unlink()
    size = sum(p.stat().st_size for p in HERE.glob("*.json"))
    print(f"{len(written)} cases of {', '.join(versions)}, {size} bytes")


main()
