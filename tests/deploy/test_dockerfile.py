"""What deploy/Dockerfile says; `tests/packages` runs what it makes."""

import re
import tomllib

import pytest
from support import dockerfile
from support.dockerfile import ENVIRONMENT, ROOT

STAGES = dockerfile.stages()


@pytest.mark.parametrize("name", ["api", "page"])
def test_each_image_is_what_was_built_and_does_not_run_as_root(name):
    stage = STAGES[name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", stage["USER"][-1])
    assert f"PATH={ENVIRONMENT}/bin:$PATH" in stage["ENV"][-1]
    assert stage["COPY"] == [f"--from={name}-build {ENVIRONMENT} {ENVIRONMENT}"]
    assert ("webapp" in "".join(STAGES[f"{name}-build"]["RUN"])) == (name == "page")


def test_versions_are_pinned_and_no_secret_is_in_it():
    steps = dockerfile.instructions()
    for name, rest in steps:
        if name == "RUN" and " install " in rest:
            assert "--constraint constraints.txt" in rest
        if name in ("ENV", "ARG", "LABEL"):
            assert not re.search("key|secret|password|token", rest, re.IGNORECASE)
    bases = {rest.split()[0] for name, rest in steps if name == "FROM"}
    assert bases - STAGES.keys() == {"${PYTHON_IMAGE}"}
    assert ("ARG", "PYTHON_IMAGE=python:3.13-slim") in steps


@pytest.mark.parametrize("name", ["api", "page"])
def test_each_image_says_what_it_is(name):
    labels = dict(re.findall(r'([\w.]+)=("[^"]*"|\S+)', STAGES[name]["LABEL"][0]))
    said = {key.removeprefix("org.opencontainers.image."): value for key, value in labels.items()}
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    assert said["licenses"] == f'"{project["license"]}"'
    assert f"VERSION={project['version']}" in STAGES[name]["ARG"]
    for argument in ("VERSION", "REVISION", "CREATED"):
        assert said[argument.lower()] == f"${argument}"
        assert any(one.startswith(f"{argument}=") for one in STAGES[name]["ARG"])


def test_docker_is_given_what_is_copied_and_nothing_else():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in ignored if line[:1] == "!"} == dockerfile.copied()
