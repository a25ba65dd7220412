#!/usr/bin/env python3
"""The chart without a cluster: renders, schemas, refusals. Run by `.ci/test chart`, which says where the tools are.

UPDATE_GOLDEN=1 writes the golden renders; look at the difference before committing it.
"""

import functools
import json
import os
import re
import shutil
import sys
import tarfile
from pathlib import Path

from common import CHART, MAJORS, OLDEST, PROGRAM, ROOT, folder, helm, main, run, template, test

sys.path.insert(0, os.environ["KUBERNETES_VALIDATE"])
import jsonschema  # noqa: E402
import yaml  # noqa: E402
from kubernetes_validate import utils as kubernetes  # noqa: E402

# it reads the definitions of a version, some megabytes, for every object
kubernetes.schema_contents = functools.cache(kubernetes.schema_contents)

KUBERNETES_VERSIONS = ("1.28", "1.32", "1.34", "1.37")
ONE_MEBIBYTE = 1024 * 1024

CASES = {
    "default": None,
    **{f"example-{path.stem}": path for path in sorted((CHART / "examples").glob("*.yaml"))},
    **{path.stem: path for path in sorted((CHART / "ci/values").glob("*.yaml"))},
}
NEGATIVES = sorted((CHART / "ci/negative").glob("*.yaml"))


@functools.cache
def rendered(major, case, *more, chart=CHART):
    """What `helm template` prints for a case."""
    values = ["--values", CASES[case]] if CASES[case] else []
    return template(major, "gobeacon", chart, "--namespace", "gobeacon", *values, *more).stdout


def objects(text):
    return [one for one in yaml.safe_load_all(text) if one]


def one(text, kind, name=None):
    found = [it for it in objects(text) if it["kind"] == kind and name in (None, it["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} objects of kind {kind}"
    return found[0]


def agents_configuration(text):
    """The file that the agent reads, as text."""
    found = [it["data"]["config.yaml"] for it in objects(text) if it["kind"] == "ConfigMap" and "config.yaml" in it["data"]]
    assert len(found) == 1, found
    return found[0]


@test
def what_is_generated_is_what_the_generator_makes():
    run(sys.executable, ROOT / "helm/generate.py", "--check", PYTHONPATH=os.environ["KUBERNETES_VALIDATE"], GOBEACON=PROGRAM)


@test
def chart_and_agent_have_one_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    agent = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert chart["version"] == chart["appVersion"] == agent, (chart["version"], chart["appVersion"], agent)


@test
def every_map_of_the_schema_is_closed_or_says_what_it_holds():
    open_maps = []

    def look(at, it):
        if it.get("type") == "object":
            more = it.get("additionalProperties")
            if "properties" in it and more is not False and at != ["global"]:
                open_maps.append(at)
            if "properties" not in it and not isinstance(more, dict) and not it.get("$comment", "").startswith("Kubernetes: "):
                open_maps.append(at)
        for key, inner in it.get("properties", {}).items():
            look([*at, key], inner)
        if isinstance(it.get("items"), dict) and not it.get("$comment"):
            look([*at, "[]"], it["items"])

    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    look([], schema)
    assert not open_maps, open_maps


@test
def lint_finds_nothing():
    for major in MAJORS:
        for case, values in CASES.items():
            helm(major, "lint", "--strict", "--kube-version", OLDEST, CHART, *(["--values", values] if values else []))


@test
def both_majors_render_what_is_kept():
    different = []
    for case in CASES:
        texts = {major: golden_text(rendered(major, case)) for major in MAJORS}
        golden = CHART / f"ci/golden/{case}.yaml"
        if os.environ.get("UPDATE_GOLDEN"):
            golden.write_text(texts["4"])
        for major, text in texts.items():
            if not golden.exists() or golden.read_text() != text:
                different.append(f"{golden.relative_to(ROOT)} with helm {major}: {first_difference(golden, text)}")
    stale = {path.stem for path in (CHART / "ci/golden").glob("*.yaml")} - CASES.keys()
    assert not different and not stale, "\n".join([*different, *sorted(stale), "UPDATE_GOLDEN=1 .ci/test chart writes them"])


def golden_text(text):
    """A render without what is a copy of another file (dashboards, rules) and without empty lines: the majors differ in them."""
    text = re.sub(r'^  (\S+\.json): ".*"$', r"  \1: (that file)", text, flags=re.M)
    text = re.sub(r"(kind: PrometheusRule\n(?:(?!---\n).*\n)*?  groups:\n)(?:(?!---\n).*\n)*", r"\1    (those of the files)\n", text)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


def first_difference(golden, text):
    kept = golden.read_text().splitlines() if golden.exists() else []
    for n, (a, b) in enumerate(zip([*kept, ""], [*text.splitlines(), ""]), 1):
        if a != b:
            return f"line {n}: kept {a!r}, rendered {b!r}"
    return "one goes on where the other ends"


@test
def every_render_is_valid_on_each_kubernetes():
    wrong = []
    for case in CASES:
        for it in objects(rendered("4", case)):
            where = f"{case}: {it['kind']} {it['metadata']['name']}"
            for version in KUBERNETES_VERSIONS:
                try:
                    validate(it, version)
                except Exception as why:
                    wrong.append(f"{where} on {version}: {getattr(why, 'message', why)}")
    assert not wrong, "\n".join(wrong)


def validate(it, version):
    if it["apiVersion"].startswith("monitoring.coreos.com/"):
        jsonschema.Draft7Validator(custom_schema(it["kind"])).validate(it)
    else:
        kubernetes.validate(it, version, strict=True)


@functools.cache
def custom_schema(kind):
    """The schema of a custom resource, as strict as the API server: it drops what it does not know, this refuses it."""
    path = Path(os.environ["PROMETHEUS_OPERATOR"]) / f"{kind.lower()}s.yaml"
    version = yaml.safe_load(path.read_text())["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = {"type": "object"}
    return strict(schema)


def strict(it):
    if isinstance(it, list):
        return [strict(inner) for inner in it]
    if not isinstance(it, dict):
        return it
    made = {key: strict(inner) for key, inner in it.items() if key != "format"}
    if it.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
        made["type"] = ["integer", "string"]
    if isinstance(it.get("properties"), dict) and it.get("type") == "object" and not it.get("additionalProperties"):
        made["additionalProperties"] = bool(it.get("x-kubernetes-preserve-unknown-fields"))
    return made


@test
def the_agent_accepts_every_configuration():
    for case in CASES:
        for major in MAJORS:
            with folder() as path:
                (path / "config.yaml").write_text(agents_configuration(rendered(major, case)))
                run(PROGRAM, "config", "check", path / "config.yaml")


@test
def every_pod_has_the_least_rights():
    for case in CASES:
        text = rendered("4", case)
        kinds = {it["kind"] for it in objects(text)}
        assert not kinds & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}, f"{case}: {kinds}"
        daemonset = [it for it in objects(text) if it["kind"] == "DaemonSet"]
        assert len(daemonset) == 1, case
        pod = daemonset[0]["spec"]["template"]["spec"]
        context = pod["containers"][0]["securityContext"]
        assert pod["automountServiceAccountToken"] is False, case
        assert not pod.get("hostPID"), case
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, case
        assert context["readOnlyRootFilesystem"] and context["allowPrivilegeEscalation"] is False, case
        assert context["capabilities"]["drop"] == ["ALL"], case
        assert set(context["capabilities"].get("add", [])) <= {"DAC_READ_SEARCH"}, case
        writable = [it["mountPath"] for it in pod["containers"][0]["volumeMounts"] if not it.get("readOnly")]
        assert writable == ["/var/lib/gobeacon"], f"{case}: {writable}"


@test
def values_that_make_no_sense_are_refused_with_a_sentence():
    wrong = []
    for path in NEGATIVES:
        expected = re.match(r"# expect: (.+)\n", path.read_text())
        assert expected, f"{path.name}: the first line must say what is expected"
        for major in MAJORS:
            said = refusal(major, path)
            if expected[1] not in said:
                wrong.append(f"{path.name}, helm {major}: {said or 'it was accepted'}")
    assert NEGATIVES and not wrong, "\n".join(wrong)


@functools.cache
def refusal(major, path):
    """What helm says to values that it refuses, nothing where it does not."""
    done = template(major, "gobeacon", CHART, "--values", path, check=False)
    return done.stderr.strip() if done.returncode != 0 else ""


@test
def every_refusal_of_the_templates_has_a_negative_example():
    said = "\n".join(refusal("4", path) for path in NEGATIVES)
    sentences = []
    for path in (CHART / "templates").rglob("*.*"):
        sentences += re.findall(r'fail (?:\(printf )?"([^"]+)"', path.read_text())
    sentences = [it for it in sentences if not it.startswith("preset %s")]  # a mistake in a template, not in values
    untested = [it for it in sentences if not re.search(".+".join(map(re.escape, re.split("%[sd]", it))), said)]
    assert len(sentences) > 15 and not untested, "\n".join(untested)


@test
def dashboards_and_rules_are_those_of_the_repository():
    for inside, outside, suffix in (("dashboards", "grafana", "json"), ("alerts", "alerts", "yaml"), ("rules", "rules", "yaml")):
        ours = {path.name: path.read_text() for path in (CHART / "files" / inside).glob(f"*.{suffix}")}
        theirs = {path.name: path.read_text() for path in (ROOT / "dashboards" / outside).glob(f"*.{suffix}")}
        assert ours == theirs, f"helm/gobeacon/files/{inside} is not dashboards/{outside}"
    text = rendered("4", "everything")
    maps = [it for it in objects(text) if it["metadata"].get("labels", {}).get("grafana_dashboard") == "1"]
    files = sorted((CHART / "files/dashboards").glob("*.json"))
    assert len(maps) == len(files)
    for it in maps:
        assert len(json.dumps(it)) < ONE_MEBIBYTE, it["metadata"]["name"]
        for name, content in it["data"].items():
            assert content == (CHART / "files/dashboards" / name).read_text(), name
    for kind in ("alerts", "rules"):
        made = [it for it in objects(text) if it["kind"] == "PrometheusRule" and it["metadata"]["name"].endswith(kind)]
        groups = [group for path in sorted((CHART / "files" / kind).glob("*.yaml")) for group in yaml.safe_load(path.read_text())["groups"]]
        rules = [rule for it in made for group in it["spec"]["groups"] for rule in group["rules"]]
        assert len(made) == (1 if groups else 0)
        expected = [rule for group in groups for rule in group["rules"]]
        for rule in expected:
            if "alert" in rule:
                rule["labels"] = {**rule.get("labels", {}), "team": "ci"}
        assert rules == expected, kind


@test
def an_alert_that_is_disabled_is_left_out():
    names = re.findall(r"^ +- alert: (\w+)$", rendered("4", "everything"), re.M)
    if not names:
        return
    for major in MAJORS:
        text = rendered(major, "everything", "--set", f"prometheusRule.disabledAlerts={{{names[0]}}}")
        left = re.findall(r"^ +- alert: (\w+)$", text, re.M)
        assert left == [name for name in names if name != names[0]]


@test
def a_package_renders_as_the_folder_does():
    for major in MAJORS:
        with folder() as path:
            said = helm(major, "package", CHART, "--destination", path)
            package = next(path.glob("*.tgz"))
            with tarfile.open(package) as archive:
                names = archive.getnames()
            assert not any("/ci/" in name for name in names), names
            assert all(f"gobeacon/examples/{it.name}" in names for it in (CHART / "examples").glob("*.yaml"))
            assert "symbolic link" not in said.stderr, said.stderr
            assert rendered(major, "everything", chart=package) == rendered(major, "everything")


@test
def another_configuration_replaces_the_pods_and_nothing_else_does():
    for major in MAJORS:

        def checksum(*more):
            annotations = one(rendered(major, "default", *more), "DaemonSet")["spec"]["template"]["metadata"]["annotations"]
            return annotations.get("checksum/config")

        before = checksum()
        assert before and checksum("--set", "podMonitor.enabled=true") == before
        assert checksum("--set", "config.log.level=debug") != before
        assert checksum("--set", "presets.logs.namespaces={ci}") != before
        assert checksum("--set", "rolloutOnConfigChange=false") is None


@test
def lists_are_added_to_those_of_presets_and_other_keys_stand_above_them():
    values = {
        "config": {
            "logs": {"include": ["/var/log/pods/extra/*.log"], "exclude": ["*.tmp"], "linger": "20s"},
            "otlp": {"spool_bytes": 1073741824, "queue_records": 2000000},
            "build": {"max_open": 64},
        }
    }
    with folder() as path:
        (path / "values.yaml").write_text(json.dumps(values))
        for major in MAJORS:
            text = template(major, "gobeacon", CHART, "--values", path / "values.yaml").stdout
            config = yaml.safe_load(agents_configuration(text))
            assert config["logs"]["include"] == ["/var/log/pods/*/*/*.log", "/var/log/pods/extra/*.log"], config
            assert config["logs"]["exclude"][-1] == "*.tmp" and "*.gz" in config["logs"]["exclude"], config
            assert config["logs"]["linger"] == "20s" and config["build"] == {"max_open": 64}
            # a float would be refused by the agent
            assert "spool_bytes: 1073741824\n" in text and "queue_records: 2000000\n" in text


@test
def large_user_ids_stay_whole_numbers():
    user = 1000650000
    values = {
        "presets": {"logs": {"enabled": False}},
        "config": {"modcache": {"dirs": ["/cache"]}},
        "state": {"type": "emptyDir"},
        "podSecurityContext": {"runAsUser": user, "fsGroup": user, "supplementalGroups": [user, 5]},
    }
    with folder() as path:
        (path / "values.yaml").write_text(json.dumps(values))
        for major in MAJORS:
            text = template(major, "gobeacon", CHART, "--values", path / "values.yaml").stdout
            pod = one(text, "DaemonSet")["spec"]["template"]["spec"]
            context, container = pod["securityContext"], pod["containers"][0]["securityContext"]
            assert context["supplementalGroups"] == [user, 5] and isinstance(context["supplementalGroups"][0], int), context
            for it in (context["fsGroup"], context["runAsUser"], container["runAsUser"]):
                assert it == user and isinstance(it, int), (context, container)


@test
def folders_are_mounted_once_and_under_their_own_path():
    for major in MAJORS:
        text = rendered(
            major, "default",
            "--set", "presets.caches.enabled=true",
            "--set", "presets.caches.homes={/home/*,/srv/build}",
            "--set", "presets.caches.modcache={/home/ci/go/pkg/mod,/srv/build-2/*/mod,/srv/build/mod}",
            "--set", "presets.caches.goSum={/srv/src/*/go.sum}",
            "--set", "presets.logs.files={/var/log/ci/build.log,/var/log/pods/x/*.log}",
        )
        pod = one(text, "DaemonSet")["spec"]["template"]["spec"]
        paths = [it["hostPath"]["path"] for it in pod["volumes"] if it["name"].startswith("node-")]
        assert paths == ["/home", "/srv/build", "/srv/build-2", "/srv/src", "/var/log/ci", "/var/log/pods"], paths
        mounts = {it["name"]: it for it in pod["containers"][0]["volumeMounts"]}
        names = [it["name"] for it in pod["volumes"]]
        assert len(set(names)) == len(names)
        for volume in pod["volumes"]:
            if volume["name"].startswith("node-"):
                mount = mounts[volume["name"]]
                assert mount["mountPath"] == volume["hostPath"]["path"] and mount["readOnly"], mount


@test
def names_fit_whatever_the_release_is_called():
    long = "a-release-with-a-name-that-is-as-long-as-helm-allows0"
    for major in MAJORS:
        text = template(major, long, CHART, "--values", CASES["everything"], "--set", "nameOverride=" + "n" * 63).stdout
        for it in objects(text):
            assert len(it["metadata"]["name"]) <= 63, it["metadata"]["name"]
            for label in it["metadata"].get("labels", {}).values():
                assert len(label) <= 63, label


@test
def the_image_is_the_one_that_values_say():
    digest = "sha256:" + "0" * 64
    expected = {
        (): "ghcr.io/gobeacon/gobeacon:0.1.0",
        ("image.tag=1.2.3",): "ghcr.io/gobeacon/gobeacon:1.2.3",
        ("global.imageRegistry=registry.example.com:5000",): "registry.example.com:5000/gobeacon/gobeacon:0.1.0",
        (f"image.digest={digest}", "image.tag=1.2.3"): f"ghcr.io/gobeacon/gobeacon@{digest}",
    }
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    for major in MAJORS:
        for settings, image in expected.items():
            more = [part for setting in settings for part in ("--set", setting)]
            pod = one(rendered(major, "default", *more), "DaemonSet")["spec"]["template"]["spec"]
            assert pod["containers"][0]["image"] == image.replace("0.1.0", version), pod["containers"][0]["image"]


@test
def a_kubernetes_that_is_too_old_is_refused():
    for major in MAJORS:
        done = template(major, "gobeacon", CHART, "--kube-version", "1.27.0", check=False)
        assert done.returncode != 0 and "incompatible with Kubernetes v1.27.0" in done.stderr, done.stderr


@test
def a_namespace_is_told_which_pod_security_level_it_needs():
    expected = {"default": "privileged", "example-no-rights": "restricted", "example-gateway": "privileged"}
    for case, level in expected.items():
        assert notes(case).count(f"pod-security.kubernetes.io/enforce={level} ") == 1, notes(case)
    assert "go nowhere yet" in notes("default") and "Nothing tells Prometheus" in notes("default")
    assert "Traces and log events go to https://gobeacon-gateway" in notes("example-gateway")


@functools.cache
def notes(case):
    """NOTES.txt as an installation prints it: only that prints it, so here a copy of the chart has it in an object."""
    values = ["--values", CASES[case]] if CASES[case] else []
    with folder() as path:
        chart = path / "gobeacon"
        shutil.copytree(CHART, chart)
        (chart / "templates/NOTES.txt").rename(chart / "notes")
        (chart / "templates/notes.yaml").write_text('kind: Notes\ntext: {{ tpl (.Files.Get "notes") . | toJson }}\n')
        texts = [template(it, "gobeacon", chart, "--namespace", "gobeacon", *values).stdout for it in MAJORS]
    said = [next(it["text"] for it in objects(text) if it["kind"] == "Notes") for text in texts]
    assert said[0] == said[1], case
    return said[0]


if __name__ == "__main__":
    main()
