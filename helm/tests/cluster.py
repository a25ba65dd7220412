#!/usr/bin/env python3
"""The chart on a real Kubernetes control plane. Run by `.ci/test cluster`, which says where the tools are.

No container runs here: kwok reports pods as running. What is real is the API server with its validation, admission and
RBAC, the DaemonSet controller, the scheduler, and helm. helm/tests/pod.py runs the container.
"""

import json
import os
import re
import sys
from pathlib import Path

from common import CHART, MAJORS, ROOT, TESTS, helm, main, run, template, test, until
from control_plane import NODES, control_plane

sys.path.insert(0, os.environ["KUBERNETES_VALIDATE"])
import yaml  # noqa: E402

PLANE = None
LEVELS = ("restricted", "baseline", "privileged")


def in_cluster(major, *arguments, **more):
    return helm(major, "--kubeconfig", PLANE.kubeconfig, *arguments, **more)


def namespace(name, level=None):
    labels = {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce",) if level}
    PLANE.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    # the controller makes it a little later, and a pod needs it
    until(lambda: PLANE.kubectl("get", "-n", name, "serviceaccount/default", check=False).returncode == 0, f"{name} is ready")
    return name


def pods(where):
    return {it["metadata"]["uid"]: it for it in PLANE.get("pods", "-n", where)["items"]}


def configuration(where):
    return PLANE.get("configmap/gobeacon", "-n", where)["data"]["config.yaml"]


@test
def a_release_is_installed_upgraded_rolled_back_and_uninstalled():
    for major in MAJORS:
        where = namespace(f"life-{major}", "privileged")
        wait = ("--namespace", where, "--wait", "--timeout", "3m")
        in_cluster(major, "install", "gobeacon", CHART, *wait)
        first = pods(where)
        assert {it["spec"]["nodeName"] for it in first.values()} == set(NODES)

        # something that is no pod's business leaves the pods alone
        in_cluster(major, "upgrade", "gobeacon", CHART, *wait, "--set", "service.enabled=true")
        assert pods(where).keys() == first.keys()

        # another configuration replaces them
        in_cluster(major, "upgrade", "gobeacon", CHART, *wait, "--set", "config.log.level=debug")
        second = pods(where)
        assert not second.keys() & first.keys() and len(second) == len(NODES), (first.keys(), second.keys())
        assert "level: debug" in configuration(where)

        in_cluster(major, "rollback", "gobeacon", "1", *wait)
        third = pods(where)
        assert not third.keys() & second.keys() and len(third) == len(NODES)
        assert "level: debug" not in configuration(where)
        assert PLANE.get("services", "-n", where)["items"] == []

        in_cluster(major, "uninstall", "gobeacon", *wait)
        until(lambda: not pods(where), "the pods are gone")
        assert left(where) == [], left(where)


def left(where):
    """What of a release is in a namespace, besides what each namespace has."""
    found = PLANE.get("daemonsets,configmaps,serviceaccounts,services,networkpolicies,secrets,roles,rolebindings", "-n", where)["items"]
    names = {f"{it['kind']}/{it['metadata']['name']}" for it in found}
    return sorted(names - {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"})


@test
def everything_that_the_chart_can_make_is_accepted_with_the_operators_definitions():
    install_definitions()
    namespace("monitoring")
    namespace("gobeacon", "privileged")
    for major in MAJORS:
        for name in ("ci/values/everything", "examples/gateway", "ci/values/pod-monitor"):
            done = ("--namespace", "gobeacon", "--values", CHART / f"{name}.yaml", "--wait", "--timeout", "3m")
            in_cluster(major, "install", "gobeacon", CHART, *done)
            if name == "ci/values/everything":
                monitor = PLANE.get("servicemonitor/gobeacon", "-n", "gobeacon")
                assert monitor["spec"]["endpoints"][0]["port"] == "metrics"
            in_cluster(major, "uninstall", "gobeacon", "--namespace", "gobeacon", "--wait")
            until(lambda: not pods("gobeacon"), "the pods are gone")


def install_definitions():
    for path in sorted(Path(os.environ["PROMETHEUS_OPERATOR"]).glob("*.yaml")):
        PLANE.kubectl("apply", "--server-side", "--filename", path)
    for kind in ("podmonitors", "servicemonitors", "prometheusrules"):
        name = f"crd/{kind}.monitoring.coreos.com"
        PLANE.kubectl("wait", "--for=condition=Established", name, "--timeout=60s")


@test
def each_set_of_values_needs_the_pod_security_level_that_the_notes_name_and_no_higher_one():
    for level in LEVELS:
        namespace(f"level-{level}", level)
    namespace("gobeacon", "privileged")
    files = {"default": None, **{path.stem: path for folder in ("examples", "ci/values") for path in sorted((CHART / folder).glob("*.yaml"))}}
    seen = set()
    for case, path in files.items():
        values = ["--values", path] if path else []
        text = template("4", "gobeacon", CHART, *values).stdout
        said = in_cluster("4", "install", "gobeacon", CHART, "--dry-run=client", *values).stdout
        level = re.search(r"pod-security\.kubernetes\.io/enforce=(\w+)", said)[1]
        seen.add(level)
        for one in LEVELS:
            verdict = admitted(pod_of(text), f"level-{one}")
            wanted = LEVELS.index(one) >= LEVELS.index(level)
            assert (verdict == "") == wanted, f"{case} needs {level}; at {one}: {verdict or 'admitted'}"
            assert wanted or "violates PodSecurity" in verdict, verdict
    # otherwise this would show less than it says
    assert seen == {"restricted", "privileged", "baseline"}, seen


def pod_of(text):
    """The pod that a DaemonSet would make, with the account that every namespace has."""
    daemonset = next(it for it in yaml.safe_load_all(text) if it and it["kind"] == "DaemonSet")
    template = daemonset["spec"]["template"]
    template["spec"].update(serviceAccountName="default")
    template["spec"].pop("priorityClassName", None)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", **template["metadata"]}, "spec": template["spec"]}


def admitted(pod, where):
    """What the API server has against a pod in a namespace; nothing where it would take it."""
    done = PLANE.kubectl("create", "-n", where, "--dry-run=server", "--filename", "-", stdin=json.dumps(pod), check=False)
    return "" if done.returncode == 0 else done.stderr.strip()


@test
def without_the_label_no_pod_starts_and_the_event_says_why():
    for major in MAJORS:
        where = namespace(f"unlabelled-{major}", "baseline")
        in_cluster(major, "install", "gobeacon", CHART, "--namespace", where)
        until(lambda: any("violates PodSecurity" in it["message"] and "hostPath" in it["message"] for it in PLANE.get("events", "-n", where)["items"]), "an event says why")
        assert not pods(where)
        # the command of the notes is all that is missing
        PLANE.kubectl("label", "namespace", where, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
        PLANE.kubectl("-n", where, "rollout", "restart", "daemonset/gobeacon")
        PLANE.kubectl("-n", where, "rollout", "status", "daemonset/gobeacon", "--timeout=3m")
        in_cluster(major, "uninstall", "gobeacon", "--namespace", where)


@test
def the_agent_has_no_rights_and_no_token():
    where = namespace("rights", "privileged")
    in_cluster("4", "install", "gobeacon", CHART, "--namespace", where, "--wait", "--timeout", "3m")
    account = f"system:serviceaccount:{where}:gobeacon"
    for question in ("get pods", "list pods", "watch pods", "get secrets", "get nodes", "get configmaps", "create pods", "get nodes/proxy"):
        for scope in (("-n", where), ("--all-namespaces",)):
            done = PLANE.kubectl("auth", "can-i", *question.split(), *scope, "--as", account, check=False)
            assert done.stdout.strip().startswith("no"), f"{question}: {done.stdout}{done.stderr}"
    # the same that everybody who is known may: ask what they may, and read the API's own description
    mine = PLANE.kubectl("auth", "can-i", "--list", "-n", where, "--as", account).stdout
    theirs = PLANE.kubectl("auth", "can-i", "--list", "-n", where, "--as", f"system:serviceaccount:{where}:default").stdout
    assert sorted(mine.splitlines()) == sorted(theirs.splitlines()), mine
    for pod in pods(where).values():
        assert not [it for it in pod["spec"]["volumes"] if "projected" in it], pod["spec"]["volumes"]
    in_cluster("4", "uninstall", "gobeacon", "--namespace", where)


@test
def whoever_installs_needs_rights_in_one_namespace_only():
    where = namespace("tenant", "privileged")
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
    rules = [
        {"apiGroups": [""], "resources": ["secrets", "configmaps", "serviceaccounts"], "verbs": verbs},
        {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": verbs},
        # what --wait looks at
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["replicasets", "controllerrevisions"], "verbs": ["get", "list", "watch"]},
    ]
    subject = {"kind": "User", "name": "tenant", "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"kind": "Role", "name": "installer", "apiGroup": "rbac.authorization.k8s.io"}
    api = "rbac.authorization.k8s.io/v1"
    metadata = {"name": "installer", "namespace": where}
    PLANE.apply(
        {"apiVersion": api, "kind": "Role", "metadata": metadata, "rules": rules},
        {"apiVersion": api, "kind": "RoleBinding", "metadata": metadata, "subjects": [subject], "roleRef": reference},
    )
    for major in MAJORS:
        as_tenant = ("--kube-as-user", "tenant", "--namespace", where)
        in_cluster(major, "install", "gobeacon", CHART, *as_tenant, "--wait", "--timeout", "3m")
        in_cluster(major, "upgrade", "gobeacon", CHART, *as_tenant, "--wait", "--timeout", "3m", "--set", "config.log.level=debug")
        in_cluster(major, "uninstall", "gobeacon", *as_tenant, "--wait", "--timeout", "3m")
        until(lambda: not pods(where), "the pods are gone")


@test
def the_commands_of_the_guide_work():
    install_definitions()
    for major in MAJORS:
        PLANE.kubectl("delete", "namespace", "gobeacon", "--ignore-not-found", "--wait=true")
        page = (ROOT / "docs/how-to/kubernetes.md").read_text()
        script = "\n".join(blocks(page))
        assert script.count("helm ") > 3 and "kubectl" in script
        path = f"{Path(os.environ[f'GOBEACON_HELM_{major}']).parent}:{os.environ['KUBERNETES']}:{os.environ['PATH']}"
        run("bash", "-euo", "pipefail", "-c", f"cd {ROOT}\n{script}", PATH=path, KUBECONFIG=str(PLANE.kubeconfig))


def blocks(page):
    """The commands of a page's `sh` blocks; one behind `<!-- not run: why -->` is passed over."""
    found = re.findall(r"(<!-- not run: [^>]+ -->\n+)?^```sh\n(.*?)^```$", page, re.M | re.S)
    return [text for skipped, text in found if not skipped]


if __name__ == "__main__":
    with control_plane() as PLANE:
        assert TESTS
        main()
