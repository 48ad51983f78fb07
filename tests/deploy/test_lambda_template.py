"""The SAM template, and its variants that the how-to page shows, are what CloudFormation takes."""

import re
import subprocess
import sysconfig
from importlib import import_module
from pathlib import Path

import pytest
from support.deployed import VARIABLES

from imagette.inference.bundle import SHIPPED

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "deploy/lambda/template.yaml"
TEXT = TEMPLATE.read_text(encoding="utf-8")
PAGE = (ROOT / "docs/how-to/aws-lambda.md").read_text(encoding="utf-8")
VARIANTS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
OUTPUTS = re.findall(r"`(!Sub [^`]+|!GetAtt [^`]+)`", PAGE)


def lint(*templates: Path) -> str:
    """What cfn-lint finds; nothing if all is well."""
    command = Path(sysconfig.get_path("scripts"), "cfn-lint")
    done = subprocess.run([command, *templates], capture_output=True, text=True)
    return done.stdout + done.stderr


def part(name: str, indent: int) -> str:
    """A key of the template with all that belongs to it."""
    space = " " * indent
    found = re.search(rf"^{space}{name}:.*\n(?:{space} .*\n|\n)*", TEXT, re.MULTILINE)
    assert found, name
    return found[0]


def value(name: str) -> str:
    found = re.search(rf"^ *{name}: *\"?([^\"\n]*?)\"?(?: #.*)?$", TEXT, re.MULTILINE)
    assert found, name
    return found[1]


def test_the_template_and_the_variants_of_the_page_are_valid(tmp_path):
    templates = [TEMPLATE]
    for number, (variant, output) in enumerate(zip(VARIANTS, OUTPUTS, strict=True)):
        indented = re.sub("^", " " * 6, variant.rstrip(), flags=re.MULTILINE) + "\n\n"
        text = TEXT.replace(part("Events", 6), indented).replace(part("Door", 2), "")
        text = re.sub(r"(?m)^    Value: .*", f"    Value: {output}", text)
        # A parameter that nothing uses any more is a warning.
        text = text.replace(part("RequestsPerSecond", 2), "")
        templates.append(tmp_path / f"{number}.yaml")
        templates[-1].write_text(text, encoding="utf-8")
    assert len(templates) == 3
    assert lint(*templates) == ""


def test_the_model_by_default_is_one_that_ships():
    assert re.search(r"Default: (.*)", part("Model", 2))[1] in SHIPPED


def test_it_fits_what_is_built_and_what_there_is():
    script = (ROOT / "deploy/lambda/build.sh").read_text(encoding="utf-8")
    assert value("Runtime") == "python" + re.search(r"version=\$\{2:-(.*?)\}", script)[1]
    assert "x86_64" in value("Architectures")
    assert "manylinux_2_28_x86_64" in script
    assert (ROOT / "deploy/lambda" / value("CodeUri")).resolve() == (
        ROOT / "build/lambda/imagette-lambda.zip"
    )
    module, _, name = value("Handler").rpartition(".")
    pytest.importorskip("apig_wsgi")
    assert callable(getattr(import_module(module), name))

    assert set(re.findall(r"^ +(IMAGETTE_\w+):", TEXT, re.MULTILINE)) <= VARIABLES
    # It answers before the door gives up, and says itself that a picture is too large.
    assert float(value("IMAGETTE_MAX_SECONDS")) < float(value("Timeout")) <= 29
    assert int(value("IMAGETTE_MAX_UPLOAD_BYTES")) * 4 / 3 + 100_000 < 6 * 2**20
