"""deploy/kubernetes: valid by Kubernetes' own schemas, and its parts fit each other and the API."""

import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from support import dockerfile
from support.deployed import check_settings

from imagette.serving.app import create_app
from imagette.serving.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"
VERSION = "1.33"


def documents(file: Path):
    return list(yaml.safe_load_all(file.read_bytes()))


@pytest.fixture(scope="module")
def base():
    """The objects of the base, by kind and name."""
    (kustomization,) = documents(FOLDER / "base/kustomization.yaml")
    files = [FOLDER / "base" / name for name in kustomization["resources"]]
    assert {*files, FOLDER / "base/kustomization.yaml"} == set((FOLDER / "base").iterdir())
    return by_name(document for file in files for document in documents(file))


@pytest.fixture(scope="module")
def production():
    return kustomize(FOLDER / "overlays/production")


def kustomize(overlay):
    """What kustomize makes of an overlay, by kind and name."""
    commands = [["kustomize", "build"], ["kubectl", "kustomize"]]
    command = next((words for words in commands if shutil.which(words[0])), None)
    if command is None:
        pytest.skip("neither kustomize nor kubectl is on this machine")
    made = subprocess.run([*command, overlay], capture_output=True, text=True, check=True)
    return by_name(yaml.safe_load_all(made.stdout))


def by_name(found):
    objects = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert objects
    return objects


def validate(objects):
    for one in objects.values():
        kubernetes_validate.validate(one, VERSION, strict=True)


def pod(objects, name):
    return objects["Deployment", name]["spec"]["template"]


def test_every_object_is_valid(base):
    validate(base)


def test_the_overlay_is_valid_and_changes_what_it_says(base, production):
    validate(production)
    assert production.keys() - base.keys() == {("Ingress", "imagette")}
    for name in ("api", "page"):
        (container,) = pod(production, name)["spec"]["containers"]
        assert container["image"].startswith("registry.example.org/")
    assert production["HorizontalPodAutoscaler", "api"]["spec"]["minReplicas"] == 3
    for (kind, name), one in production.items():
        assert kind == "Namespace" or one["metadata"]["namespace"] == "imagette", name


def test_the_ingress_leads_to_services_that_there_are(base):
    (ingress,) = documents(FOLDER / "overlays/production/ingress.yaml")
    kubernetes_validate.validate(ingress, VERSION, strict=True)
    hosts = set()
    for rule in ingress["spec"]["rules"]:
        hosts.add(rule["host"])
        for path in rule["http"]["paths"]:
            service = path["backend"]["service"]
            ports = base["Service", service["name"]]["spec"]["ports"]
            assert service["port"]["name"] in {port["name"] for port in ports}
    assert hosts == set(ingress["spec"]["tls"][0]["hosts"])


@pytest.mark.parametrize("name", ["api", "page"])
def test_selectors_find_the_pods_and_ports_match(base, name):
    labels = pod(base, name)["metadata"]["labels"]
    selected = [
        base["Deployment", name]["spec"]["selector"]["matchLabels"],
        base["Service", name]["spec"]["selector"],
        base["NetworkPolicy", name]["spec"]["podSelector"]["matchLabels"],
    ]
    if name == "api":
        selected.append(base["PodDisruptionBudget", name]["spec"]["selector"]["matchLabels"])
        target = base["HorizontalPodAutoscaler", name]["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == ("Deployment", "api")
        assert base["HorizontalPodAutoscaler", name]["spec"]["minReplicas"] > 1
    assert all(labels == one for one in selected)

    (container,) = pod(base, name)["spec"]["containers"]
    port = container["ports"][0]
    (entry,) = base["Service", name]["spec"]["ports"]
    assert entry["targetPort"] == port["name"] == "http"
    allowed = base["NetworkPolicy", name]["spec"]["ingress"][0]["ports"]
    assert [one["port"] for one in allowed] == [port["containerPort"]]
    assert dockerfile.stages()[name]["EXPOSE"] == [str(port["containerPort"])]


def test_probes_ask_what_the_api_answers_without_a_key(base, bundle_path):
    client = create_app(Settings(model=bundle_path, api_keys="secret")).test_client()
    (container,) = pod(base, "api")["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == container["ports"][0]["name"]
        assert client.get(asked["path"]).status_code == 200


def test_metrics_have_a_port_that_monitoring_alone_reaches(base):
    (container,) = pod(base, "api")["spec"]["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert {"name": "IMAGETTE_METRICS_PORT", "value": str(ports["metrics"])} in container["env"]
    notes = pod(base, "api")["metadata"]["annotations"]
    assert notes["prometheus.io/port"] == str(ports["metrics"])
    assert notes["prometheus.io/path"] == "/metrics"
    inner, monitoring = base["NetworkPolicy", "api"]["spec"]["ingress"]
    assert [one["port"] for one in monitoring["ports"]] == [ports["metrics"]]
    (source,) = monitoring["from"]
    labels = source["namespaceSelector"]["matchLabels"]
    assert labels == {"kubernetes.io/metadata.name": "monitoring"}
    assert ports["metrics"] not in [one["port"] for one in inner["ports"]]
    # No service has it, so no ingress can lead there.
    targets = [one["targetPort"] for one in base["Service", "api"]["spec"]["ports"]]
    assert targets == ["http"]


def test_a_missing_secret_keeps_a_pod_from_starting(base):
    for name, variable in (("api", "IMAGETTE_API_KEYS"), ("page", "IMAGETTE_API_KEY")):
        (container,) = pod(base, name)["spec"]["containers"]
        (entry,) = [one for one in container["env"] if one["name"] == variable]
        assert not entry["valueFrom"]["secretKeyRef"].get("optional")


def test_an_api_without_keys_is_asked_for_by_name(tmp_path):
    """What the component makes of an overlay that names it."""
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    overlay = tmp_path / "kubernetes/overlays/production"
    with (overlay / "kustomization.yaml").open("a", encoding="utf-8") as file:
        file.write("components: [../../components/open]\n")
    made = kustomize(overlay)
    validate(made)
    for name in ("api", "page"):
        (container,) = pod(made, name)["spec"]["containers"]
        names = {one["name"] for one in container["env"]}
        assert names
        assert not names & {"IMAGETTE_API_KEYS", "IMAGETTE_API_KEY", "IMAGETTE_PAGE_TOKEN"}


def test_the_page_proves_whom_it_asks_for_by_its_key(base):
    said = []
    for name in ("api", "page"):
        (container,) = pod(base, name)["spec"]["containers"]
        environment = {one["name"]: one for one in container["env"]}
        said.append(environment["IMAGETTE_PAGE_TOKEN"]["valueFrom"])
        assert environment["IMAGETTE_TRUSTED_PROXIES"]["value"] == "1"
    assert said[0] == said[1] == environment["IMAGETTE_API_KEY"]["valueFrom"]


def test_settings_are_those_that_there_are(base):
    (container,) = pod(base, "api")["spec"]["containers"]
    check_settings({one["name"]: one.get("value") for one in container["env"]})


@pytest.mark.parametrize("name", ["api", "page"])
def test_pods_may_do_no_more_than_they_need(base, name):
    template = pod(base, name)["spec"]
    (container,) = template["containers"]
    assert template["securityContext"]["runAsNonRoot"]
    assert template["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    assert container["resources"]["limits"]["memory"]


def test_the_network_lets_the_page_ask_the_api_and_nothing_else_out(base):
    page, api = base["NetworkPolicy", "page"]["spec"], base["NetworkPolicy", "api"]["spec"]
    assert api["egress"] == []
    to_api = page["egress"][0]
    assert to_api["to"] == [{"podSelector": api["podSelector"]}]
    assert to_api["ports"] == api["ingress"][0]["ports"]
    assert {"podSelector": page["podSelector"]} in api["ingress"][0]["from"]
    assert {port["port"] for port in page["egress"][1]["ports"]} == {53}
    (container,) = pod(base, "page")["spec"]["containers"]
    address = next(one["value"] for one in container["env"] if one["name"] == "IMAGETTE_API_URL")
    service = base["Service", "api"]
    port = service["spec"]["ports"][0]["port"]
    assert address == f"http://{service['metadata']['name']}:{port}"
