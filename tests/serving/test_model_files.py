"""Which models a server is told to serve, and what they are called."""

from pathlib import Path

import pytest

from imagette.errors import ImagetteError
from imagette.serving.settings import Settings


def names(model):
    return {file.name: str(file.path) for file in Settings(model=model).model}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, {"cifar10": "cifar10"}),
        ("cifar10-lite", {"cifar10-lite": "cifar10-lite"}),
        (Path("a/pets v1.2.onnx"), {"pets-v1.2": "a/pets v1.2.onnx"}),
        ("runs/first", {"first": "runs/first"}),
        ("runs/first/model.onnx", {"first": "runs/first/model.onnx"}),
        ("model.onnx", {"model": "model.onnx"}),
        ("a,b.onnx", {"a-b": "a,b.onnx"}),
        ("runs/lr=0.1/model.onnx", {"lr-0.1": "runs/lr=0.1/model.onnx"}),
        ("pets=a=b.onnx", {"pets": "a=b.onnx"}),
        ("a=one.onnx, b=two.onnx", {"a": "one.onnx", "b": "two.onnx"}),
        ("one.onnx,b=c:\\two.onnx", {"one": "one.onnx", "b": "c:\\two.onnx"}),
        (["one.onnx", "two.onnx"], {"one": "one.onnx", "two": "two.onnx"}),
        ("…/é.onnx", {"model": "…/é.onnx"}),
    ],
)
def test_names_and_paths(given, found):
    assert names(given) == found
    assert [*names(given)] == [*found]


@pytest.mark.parametrize("given", [["x/a.onnx", "y/a.onnx"], "a=b.onnx,a=c.onnx"])
def test_two_models_of_one_name(given):
    with pytest.raises(ImagetteError, match="Two models are called a: give each a name, NAME=PATH"):
        Settings(model=given)


def test_they_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("IMAGETTE_MODEL", "a=cifar10,b=cifar10-lite")
    assert [file.name for file in Settings().model] == ["a", "b"]
