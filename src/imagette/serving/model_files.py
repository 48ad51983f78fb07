"""Which models a server serves: their names, which stand in addresses, and their files."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""What a model may be called: what stands in an address as it is."""

_NAMED = re.compile(rf"({NAME})=(.+)", re.DOTALL)
_BEFORE_NAMED = re.compile(rf"\s*,\s*(?={NAME}=)")
_RUN_FILE = "model.onnx"


@dataclass(frozen=True)
class ModelFile:
    """A model that is to be served.

    Attributes:
        name: what it is called in addresses.
        path: a bundle, a run, or the name of a model that ships with Imagette.
    """

    name: str
    path: Path


CIFAR10 = ModelFile("cifar10", Path("cifar10"))


def parse_models(given: Any) -> Any:
    """What a setting, or the options of a command line, say about models.

    Args:
        given: a path, or `NAME=PATH`; text may have several, with commas between, all but the
            first with names; or a list of such. Anything else is given back as it is.

    Raises:
        ValueError: two have the same name.
    """
    if isinstance(given, str | Path | ModelFile):
        given = [given]
    if not isinstance(given, list | tuple):
        return given
    models = tuple(model for one in given for model in _parse(one))
    for name, count in Counter(model.name for model in models).items():
        if count > 1:
            raise ValueError(f"Two models are called {name}: give each a name, NAME=PATH")
    return models


def _parse(given: Any) -> list[ModelFile]:
    if isinstance(given, ModelFile):
        return [given]
    if isinstance(given, Path):
        return [_read(given)]
    return [_read_text(text) for text in _BEFORE_NAMED.split(str(given).strip())]


def _read_text(text: str) -> ModelFile:
    named = _NAMED.fullmatch(text)
    return ModelFile(named[1], Path(named[2])) if named else _read(Path(text))


def _read(path: Path) -> ModelFile:
    """A model without a name is called like its file, or like the run's folder."""
    of_run = path.name == _RUN_FILE and path.parent.name
    name = path.parent.name if of_run else path.name.removesuffix(".onnx")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:64]
    return ModelFile(name or "model", path)
