"""Make the schemas of tests/deploy/kuberay from KubeRay's own custom resource definitions.

    git clone --depth 1 --branch v1.7.0 https://github.com/ray-project/kuberay
    python tools/kuberay_schemas.py kuberay/ray-operator/config/crd/bases

What they say of pods and services is left out, because the tests check that against Kubernetes'
own schemas; so are descriptions and `status`. A field that KubeRay does not know is an error.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

OUT = Path(__file__).parents[1] / "tests/deploy/kuberay"
OF_KUBERNETES = ("containers", "clusterIP")
"""What the `spec` of a pod has, and that of a service."""


def trim(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without descriptions, strict, and with Kubernetes' own objects left open."""
    properties = schema.get("properties", {})
    if set(OF_KUBERNETES) & properties.get("spec", {}).get("properties", {}).keys():
        return {"type": "object"}
    kept = {key: value for key, value in schema.items() if key != "description"}
    if properties:
        inner = {name: trim(value) for name, value in properties.items() if name != "status"}
        kept |= {"properties": inner, "additionalProperties": False}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            kept[key] = trim(schema[key])
    return kept


def main() -> None:
    """Write a file for each kind."""
    OUT.mkdir(exist_ok=True)
    for name in ("rayclusters", "rayjobs"):
        definition = yaml.safe_load(Path(sys.argv[1], f"ray.io_{name}.yaml").read_bytes())["spec"]
        (version,) = (one for one in definition["versions"] if one["name"] == "v1")
        schema = trim(version["schema"]["openAPIV3Schema"])
        text = json.dumps(schema, separators=(",", ":")) + "\n"
        (OUT / f"{definition['names']['kind']}.json").write_text(text, encoding="utf-8")


main()
