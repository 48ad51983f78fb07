"""Compose, Prometheus and Grafana: valid, and they speak of what the API really has."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from support.deployed import VARIABLES
from support.running_server import picture_file

from imagette.inference.bundle import SHIPPED
from imagette.serving.app import create_app, swap_model
from imagette.serving.client import TOKEN_VARIABLE
from imagette.serving.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_bytes())
SCRAPE = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_bytes())
RULES = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_bytes())["groups"][0]["rules"]
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/imagette.json").read_bytes())
QUERIES = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]
SERVICES = COMPOSE["services"]
OF_EVERY_TARGET = {"job", "instance"}
"""Labels that Prometheus itself gives whatever it has asked for."""


@pytest.fixture(scope="module")
def measured(bundle_path):
    """Labels of every time series of the API, once it has met everything, and their values."""
    app = create_app(Settings(model=bundle_path))
    client = app.test_client()
    client.post("/predict", data=picture_file(), content_type="image/png")
    client.post("/predict", data=b"no picture", content_type="image/png")
    swap_model(app)
    text = client.get("/metrics").text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    found = {sample.name: defaultdict(set) for sample in samples}
    for sample in samples:
        for label, value in sample.labels.items():
            found[sample.name][label].add(value)
    return found


def test_the_compose_file_is_valid():
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, DEPLOY / "compose.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_is_ours_can_do_nothing_it_need_not():
    for name in ("api", "page"):
        service = SERVICES[name]
        assert service["read_only"]
        assert service["tmpfs"] == ["/tmp"]
        assert service["mem_limit"]
    for service in SERVICES.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        # Nor may a log fill the disk.
        assert service["logging"]["driver"] == "json-file"
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_metrics_are_where_prometheus_alone_asks():
    api = SERVICES["api"]
    port = api["environment"]["IMAGETTE_METRICS_PORT"]
    assert SCRAPE["scrape_configs"][0]["static_configs"] == [{"targets": [f"api:{port}"]}]
    assert not any(port in published for one in SERVICES.values() for published in one["ports"])
    reached = {name: set(one.get("networks", ["default"])) for name, one in SERVICES.items()}
    assert set().union(*reached.values()) == COMPOSE["networks"].keys()
    neighbours = {frozenset((a, b)) for a in reached for b in reached if reached[a] & reached[b]}
    assert {pair for pair in neighbours if len(pair) == 2} == {
        frozenset(pair)
        for pair in (("page", "api"), ("prometheus", "api"), ("grafana", "prometheus"))
    }


def test_the_model_by_default_is_one_that_ships():
    variable = SERVICES["api"]["environment"]["IMAGETTE_MODEL"]
    assert variable.removeprefix("${IMAGETTE_MODEL:-").removesuffix("}") in SHIPPED


def test_services_find_each_other():
    path = SERVICES["api"]["environment"]["IMAGETTE_BASE_PATH"]
    page = SERVICES["page"]["environment"]
    assert page["IMAGETTE_BASE_PATH"] == path == "${IMAGETTE_BASE_PATH:-}"
    assert page["IMAGETTE_API_URL"] == f"http://api:5000{path}"
    folder = DEPLOY / "grafana/provisioning"
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yml").read_bytes())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((folder / "dashboards/imagette.yml").read_bytes())["providers"]
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    assert mounted["./grafana/dashboards"] == provider["options"]["path"]
    for panel in DASHBOARD["panels"]:
        for one in (panel, *panel["targets"]):
            assert one["datasource"] == {"type": source["type"], "uid": source["uid"]}
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            here = volume.partition(":")[0]
            assert (DEPLOY / here).exists() if here.startswith(".") else here in COMPOSE["volumes"]


def test_settings_are_those_that_there_are():
    assert SERVICES["api"]["environment"].keys() <= VARIABLES
    page, api = (SERVICES[name]["environment"] for name in ("page", "api"))
    assert page.keys() == {
        "IMAGETTE_API_URL", "IMAGETTE_API_KEY", "IMAGETTE_BASE_PATH", TOKEN_VARIABLE,
        "IMAGETTE_TRUSTED_PROXIES",
    }  # fmt: skip
    # Its visitors are told apart by what only it and the API know.
    assert page[TOKEN_VARIABLE] == api[TOKEN_VARIABLE] == page["IMAGETTE_API_KEY"]
    assert page["IMAGETTE_TRUSTED_PROXIES"] == api["IMAGETTE_TRUSTED_PROXIES"]


def test_queries_ask_for_what_the_api_measures(measured):
    for query in QUERIES:
        words = re.sub(r'"[^"]*"', "", query)
        names = set(re.findall(r"\b(imagette_\w+|process_\w+|up)\b(?!\s*\()", words))
        assert names, query
        assert names <= measured.keys() | {"up"}, query
        labels = {label for name in names for label in measured.get(name, ())} | OF_EVERY_TARGET
        used = set(re.findall(r'(\w+)(?:=~?|!=)"', query))
        for group in re.findall(r"by \(([^)]*)\)", query):
            used |= {label.strip() for label in group.split(",")}
        assert used <= labels, query
        for label, value in re.findall(r'(\w+)="([^"]*)"', query):
            known = {v for name in names for v in measured.get(name, {}).get(label, ())}
            # The tiny bundle cannot tell what is unknown; the job is named by Prometheus.
            assert value in known | {"no", SCRAPE["scrape_configs"][0]["job_name"]}, query


def test_every_metric_of_the_api_is_on_the_dashboard(measured):
    shown = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    ours = [name for name in measured if name.startswith("imagette_")]
    families = {re.sub("_(bucket|sum|count|created)$", "", name) for name in ours}
    families = {name.removesuffix("_total") for name in families}
    assert all(family in shown for family in families), families


def test_alerts_say_what_is_wrong_and_what_to_do():
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}
