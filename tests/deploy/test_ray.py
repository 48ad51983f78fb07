"""deploy/ray: valid by Ray's, KubeRay's and Kubernetes' schemas, and its parts fit each other."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from support.shown import parse

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/ray"
SCHEMAS = Path(__file__).parent / "kuberay"
VERSION = "1.33"
CLUSTER = yaml.safe_load((FOLDER / "cluster.yaml").read_bytes())


def documents(name):
    return list(yaml.safe_load_all((FOLDER / "kubernetes" / name).read_bytes()))


VOLUME, RAY_CLUSTER = documents("cluster.yaml")
JOBS = {name: documents(f"{name}.yaml")[0] for name in ("predict", "train", "tune")}
HEAD = RAY_CLUSTER["spec"]["headGroupSpec"]["template"]
(WORKERS,) = RAY_CLUSTER["spec"]["workerGroupSpecs"]
PODS = {"head": HEAD, "worker": WORKERS["template"]}


def pinned(package):
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return re.search(rf"^{package}==(.+)$", text, re.MULTILINE)[1]


def check(one):
    """By KubeRay's schema, to which tools/kuberay_schemas.py has added that it be strict."""
    schema = json.loads((SCHEMAS / f"{one['kind']}.json").read_text(encoding="utf-8"))
    jsonschema.validate(one, schema)


@pytest.mark.parametrize("one", [RAY_CLUSTER, *JOBS.values()], ids=lambda one: one["kind"])
def test_what_kuberay_reads_is_valid(one):
    check(one)
    with pytest.raises(jsonschema.ValidationError):
        check(one | {"spec": one["spec"] | {"mistyped": 1}})


@pytest.mark.parametrize("name", PODS)
def test_pods_and_volume_are_valid_and_may_do_no_more_than_they_need(name):
    kubernetes_validate.validate(VOLUME, VERSION, strict=True)
    metadata = {"name": name} | PODS[name]["metadata"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": PODS[name]["spec"]}
    kubernetes_validate.validate(pod, VERSION, strict=True)
    (container,) = pod["spec"]["containers"]
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert container["resources"]["limits"] == container["resources"]["requests"]
    (mount,), (volume,) = container["volumeMounts"], pod["spec"]["volumes"]
    assert mount["mountPath"] == "/data"
    assert volume["persistentVolumeClaim"]["claimName"] == VOLUME["metadata"]["name"]


def test_nobody_reaches_ray_but_its_own_pods_and_kuberay():
    spec = RAY_CLUSTER["spec"]
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["networkPolicy"]["mode"] == "DenyAllIngress"
    (rule,) = spec["networkPolicy"]["head"]["ingressRules"]
    policy = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "x"},
        "spec": {"podSelector": {}, "ingress": [rule]},
    }  # fmt: skip
    kubernetes_validate.validate(policy, VERSION, strict=True)
    (head,) = HEAD["spec"]["containers"]
    ports = {one["name"]: one["containerPort"] for one in head["ports"]}
    assert [one["port"] for one in rule["ports"]] == [ports["dashboard"]]


@pytest.mark.parametrize("name", JOBS)
def test_jobs_are_commands_that_there_are_on_the_cluster_that_there_is(name):
    spec = JOBS[name]["spec"]
    assert spec["clusterSelector"] == {"ray.io/cluster": RAY_CLUSTER["metadata"]["name"]}
    program, *words = shlex.split(spec["entrypoint"])
    command, parameters = parse(words)
    assert (program, command) == ("imagette", name)
    assert parameters["ray_address"] == "auto"
    for path in re.findall(r"(?<= )/\S+", spec["entrypoint"]):
        assert path.startswith("/data/")


def test_all_have_the_same_ray():
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    versions = set(re.findall(r"rayproject/ray:([\d.]+)", text))
    assert versions == {RAY_CLUSTER["spec"]["rayVersion"]} == {pinned("ray")}
    copied = re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE)
    assert all((ROOT / path).exists() for line in copied for path in line.split())
    extras = re.search(r'"\.\[(.+)\]"', text)[1].split(",")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(extras) <= set(project["optional-dependencies"])
    images = {one["spec"]["containers"][0]["image"] for one in PODS.values()}
    assert len(images) == 1


def test_ray_up_takes_the_file():
    util = pytest.importorskip("ray.autoscaler._private.util")
    prepared = util.prepare_config(CLUSTER)
    assert prepared["max_workers"] == len(CLUSTER["provider"]["worker_ips"])
    util.validate_config(prepared)
    with pytest.raises(jsonschema.ValidationError):
        util.validate_config(prepared | {"mistyped": 1})
    begun = [*CLUSTER["head_start_ray_commands"], *CLUSTER["worker_start_ray_commands"]]
    made = CLUSTER["setup_commands"][0].split()[-1]
    assert all(f"{made}/bin/ray st" in line for line in begun)
    # All machines have the token, and ask for it.
    assert CLUSTER["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    starts = [line for line in begun if " start " in line]
    assert len(starts) == 2
    assert all(line.startswith("RAY_AUTH_MODE=token ") for line in starts)
