"""A real Prometheus asks real servers by the files of deploy/prometheus, and watches them."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml
from support.running_server import RunningServer, free_port, picture_file, wait_until

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/prometheus"


def promtool(*arguments):
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool on this machine")
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True)


def test_the_configuration_and_its_rules_are_valid():
    done = promtool("check", "config", FOLDER / "prometheus.yml")
    assert done.returncode == 0, done.stderr
    assert f"{FOLDER / 'alerts.yml'}\n  SUCCESS" in done.stdout


@pytest.mark.slow
def test_each_alert_fires_when_it_should_and_not_otherwise():
    file = Path(__file__).with_name("alerts.test.yml")
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr
    cases = yaml.safe_load(file.read_bytes())["tests"]
    checks = [check for case in cases for check in case["alert_rule_test"]]
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_bytes())["groups"]
    for rule in group["rules"]:
        mine = [bool(one.get("exp_alerts")) for one in checks if one["alertname"] == rule["alert"]]
        assert {True, False} <= set(mine), rule["alert"]


@pytest.fixture(scope="module")
def servers(bundle_path):
    """One with a port for metrics, one without; both ask for keys."""
    metrics_port = free_port()
    common = {"IMAGETTE_WORKERS": "1", "IMAGETTE_API_KEYS": "prometheus:secret"}
    with (
        RunningServer(bundle_path, IMAGETTE_METRICS_PORT=str(metrics_port), **common) as apart,
        RunningServer(bundle_path, **common) as together,
    ):
        for server in (apart, together):
            server.wait_until_ready()
        apart.metrics_port = metrics_port
        yield apart, together


@pytest.fixture
def prometheus(servers, tmp_path):
    """A function that asks a running Prometheus."""
    if shutil.which("prometheus") is None:
        pytest.skip("there is no Prometheus on this machine")
    apart, together = servers
    key = tmp_path / "key"
    key.write_text("secret\n")
    text = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    with_key = yaml.safe_load(
        text.replace("# authorization:", "authorization:").replace(
            "/run/secrets/prometheus-key", str(key)
        )
    )["scrape_configs"][0]
    configuration = yaml.safe_load(text)
    (by_port,) = configuration["scrape_configs"]
    configuration["global"] = dict.fromkeys(("scrape_interval", "evaluation_interval"), "1s")
    configuration["rule_files"] = [str(FOLDER / "alerts.yml")]
    configuration["scrape_configs"] = [
        by_port | at(apart.metrics_port),
        with_key | at(together.port) | {"job_name": "with-key"},
        by_port | at(together.port) | {"job_name": "without-key"},
        by_port | at(apart.port) | {"job_name": "wrong-port"},
    ]
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    port = free_port()
    process = subprocess.Popen(
        ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={tmp_path / 'data'}",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip

    def ask(what, **parameters):
        address = f"http://127.0.0.1:{port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            assert process.poll() is None, process.stderr.read()
            return {"result": [], "groups": [], "alerts": []}  # it is still starting

    yield ask
    process.terminate()
    process.communicate(timeout=20)


def at(port):
    return {"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}


@pytest.mark.slow
def test_prometheus_scrapes_with_a_key_or_by_the_port_and_raises_the_alarm(servers, prometheus):
    apart, together = servers

    def value(query):
        result = prometheus("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None

    # Every status is there before it happens.
    failures = 'imagette_requests_total{job="imagette",route="/predict",status="500"}'
    wait_until(lambda: value(failures) == 0)
    headers = {"Content-Type": "image/png", "X-API-Key": "secret"}
    assert apart.ask("POST", "/predict", picture_file(), headers)[0] == 200
    assert together.ask("GET", "/model", headers=headers)[0] == 200
    wait_until(lambda: value('sum(imagette_predictions_total{job="imagette"})') == 1)
    route = '{job="with-key",route="/model",status="200"}'
    wait_until(lambda: value(f"imagette_requests_total{route}") == 1)
    assert value('up{job="without-key"}') == value('up{job="wrong-port"}') == 0
    assert value('process_resident_memory_bytes{job="imagette"}') > 1e7

    def alerts():
        found = prometheus("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in found if one["labels"].get("job")}

    (group,) = prometheus("rules")["groups"]
    wait_until(lambda: all(r["health"] == "ok" for r in prometheus("rules")["groups"][0]["rules"]))
    assert len(group["rules"]) == 9
    assert "ImagetteDown" not in alerts()
    apart.process.terminate()
    wait_until(lambda: "ImagetteDown" in alerts())
