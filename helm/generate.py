#!/usr/bin/env python3
"""Makes what is made of others in the chart: values.schema.json, README.md, and the copies of dashboards and rules.

    helm/generate.py            writes them
    helm/generate.py --check    says what differs, and ends with 1 then

values.yaml has the defaults and the descriptions, helm/schema.yaml the shapes, `gobeacon config schema` the shape of the
agent's configuration: every key of each must be in the others. GOBEACON names the program, target/debug/gobeacon else.
A chart can read only what lies in it, so `dashboards/` is copied into it (docs/adr/0023-the-chart.md says why no links).
Needs PyYAML.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
CHART = HERE / "gobeacon"

DURATION = {"pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"}
QUANTITY = {"pattern": r"^([0-9]+(\.[0-9]+)?(k|M|G|T|Ki|Mi|Gi|Ti)?)?$"}
KINDS = {
    "text": {"type": "string"},
    "name": {"type": "string", "minLength": 1},
    "flag": {"type": "boolean"},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "seconds": {"type": "integer", "minimum": 1},
    "uid": {"type": "integer", "minimum": 0},
    "texts": {"type": "array", "items": {"type": "string", "minLength": 1}},
    "paths": {"type": "array", "items": {"type": "string", "pattern": "^/[^/]"}},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "time": {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))*$"},
    "quantity": {"type": "string", **QUANTITY},
}
# Folders of files/, and what of dashboards/ they are copies of.
COPIED = {"dashboards": "grafana/*.json", "alerts": "alerts/*.yaml", "rules": "rules/*.yaml"}
# Values of a parent chart come in here with whatever its other charts share.
OPEN = {"global"}


def main():
    made = {"values.schema.json": schema_text(), "README.md": readme(), **copies()}
    different = [name for name, text in made.items() if text != read(CHART / name)]
    there = {str(path.relative_to(CHART)) for path in (CHART / "files").rglob("*.*")}
    stale = sorted(there - made.keys())
    if "--check" in sys.argv[1:]:
        for name in different + stale:
            print(f"helm/gobeacon/{name} is not what helm/generate.py makes: run it")
        return 1 if different or stale else 0
    for name in different:
        (CHART / name).parent.mkdir(parents=True, exist_ok=True)
        (CHART / name).write_text(made[name])
        print(f"wrote helm/gobeacon/{name}")
    for name in stale:
        (CHART / name).unlink()
        print(f"removed helm/gobeacon/{name}")
    return 0


def copies():
    made = {}
    for inside, outside in COPIED.items():
        for path in sorted((HERE.parent / "dashboards").glob(outside)):
            made[f"files/{inside}/{path.name}"] = path.read_text()
    return made


def read(path):
    return path.read_text() if path.exists() else ""


VALUES_TEXT = read(CHART / "values.yaml")
VALUES = yaml.safe_load(VALUES_TEXT)
SHAPES = yaml.safe_load(read(HERE / "schema.yaml"))


def is_map(shape):
    """Whether a shape of schema.yaml is a map of further ones."""
    plain_schema = isinstance(shape, dict) and isinstance(shape.get("type"), str)
    return isinstance(shape, dict) and not plain_schema and not {"enum", "list", "kubernetes", "by name"} & shape.keys()


def comments():
    """The comment above each key of values.yaml, by the key's path."""
    found, path, comment = {}, [], []
    for line in VALUES_TEXT.splitlines():
        key = re.match(r"^( *)([A-Za-z]\w*):", line)
        if line.strip().startswith("#"):
            comment.append(line.strip()[1:].strip())
        elif key:
            depth = len(key[1]) // 2
            path = path[:depth] + [key[2]]
            if comment:
                found[tuple(path)] = " ".join(comment)
            comment = []
        else:
            comment = []
    return found


COMMENTS = comments()


def schema_text():
    made = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart gobeacon",
        **map_schema(SHAPES, VALUES, ()),
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def map_schema(shapes, values, path):
    missing = set(shapes) ^ set(values) if path not in {("podSecurityContext",), ("securityContext",)} else set()
    if missing:
        sys.exit(f"{'.'.join(path) or 'values'}: in one of values.yaml and schema.yaml only: {', '.join(sorted(missing))}")
    properties = {key: described(shapes[key], values.get(key), (*path, key)) for key in shapes}
    return {"type": "object", "additionalProperties": bool(path and path[0] in OPEN), "properties": properties}


def described(shape, value, path):
    if shape == "the agent's":
        made = agents()
    elif is_map(shape):
        made = map_schema(shape, value or {}, path)
    else:
        made = one(shape)
    if path in COMMENTS:
        made = {"description": COMMENTS[path], **{key: it for key, it in made.items() if key != "description"}}
    elif len(path) < 3 and path[0] not in {"podSecurityContext", "securityContext"}:
        sys.exit(f"{'.'.join(path)} has no comment in values.yaml")
    return made


def one(shape):
    if isinstance(shape, str):
        return dict(KINDS[shape])
    if "by name" in shape:
        inner = {key: one(it) for key, it in shape["by name"].items()}
        item = {"type": "object", "additionalProperties": False, "required": list(inner), "properties": inner}
        return {"type": "object", "additionalProperties": item}
    if "list" in shape:
        return {"type": "array", "items": shape["list"]}
    if "kubernetes" in shape:
        kind = shape["kubernetes"]
        comment = f"Kubernetes: {kind.removeprefix('list of ')}"
        if kind.startswith("list of "):
            return {"type": "array", "items": {"type": "object"}, "$comment": comment}
        return {"type": "object", "$comment": comment}
    return dict(shape)


def agents():
    """The agent's own schema, in what draft-07 and Helm know."""
    program = os.environ.get("GOBEACON", str(HERE.parent / "target/debug/gobeacon"))
    text = subprocess.run([program, "config", "schema"], check=True, capture_output=True, text=True).stdout
    return plain(json.loads(text))


def plain(it):
    if isinstance(it, list):
        return [plain(one) for one in it]
    if not isinstance(it, dict):
        return it
    made = {}
    for key, value in it.items():
        if key in {"$schema", "title", "default", "examples", "format"} or key.startswith("x-"):
            continue
        made[key] = {name: plain(one) for name, one in value.items()} if key == "properties" else plain(value)
        if key == "description":
            made[key] = value.replace("\n", " ")
    if it.get("format") == "duration":
        made.update(DURATION)
    return made


def readme():
    parts = [read(HERE / "README.top.md"), "\n## Values\n"]
    loose = []
    for key, shape in SHAPES.items():
        if not is_map(shape) or key in {"podSecurityContext", "securityContext"}:
            loose.append((key,))
            continue
        parts.append(f"\n### {key}\n\n{COMMENTS[(key,)]}\n\n{table(list(leaves(shape, (key,))))}")
    config = next(path for path in loose if path == ("config",))
    loose.remove(config)
    parts.append(f"\n### config\n\n{COMMENTS[config]}\n\n{table([('config', 'otlp', 'endpoint')])}")
    parts.append(f"\n### The rest\n\n{table(loose)}")
    parts.append("\n<!-- Made by helm/generate.py from values.yaml. -->\n")
    return "".join(parts)


def leaves(shape, path):
    for key, inner in shape.items():
        if is_map(inner):
            yield from leaves(inner, (*path, key))
        else:
            yield (*path, key)


def table(paths):
    rows = ["| value | default | what it is |", "|---|---|---|"]
    for path in paths:
        value = VALUES
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        about = [COMMENTS[path[:n]] for n in range(2, len(path)) if path[:n] in COMMENTS and first(path, n)]
        text = " ".join([*about, COMMENTS.get(path, "")]).replace("|", "\\|")
        rows.append(f"| `{'.'.join(path)}` | `{json.dumps(value)}` | {text.strip()} |")
    return "\n".join(rows) + "\n"


def first(path, depth):
    """Whether a path is the first one below its first `depth` keys, where those are described."""
    shape = SHAPES
    for key in path[:depth]:
        shape = shape[key] if isinstance(shape, dict) and key in shape else {}
    return isinstance(shape, dict) and next(iter(shape), None) == path[depth]


if __name__ == "__main__":
    sys.exit(main())
