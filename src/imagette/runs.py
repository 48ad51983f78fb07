"""Reading what a training left: the run folder."""

import csv
import json
import shlex
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from imagette.data.dataset import Split
from imagette.errors import ImagetteError


class RunInfo(BaseModel):
    """`run.json`: what a training says of itself beside its recipe.

    Attributes:
        dataset: the source it was trained on, as `load_dataset` takes it.
        data_dir: folder that `load_dataset` was told to look in, if any.
        train_fingerprint: of the pictures and labels of the train split (`Split.fingerprint`), so
            that a changed dataset is noticed; None in runs that did not note it.
        validation_fraction: share of the train split that was held out.
        validation_given: whether the dataset came with a validation split, so that none of the
            train split was held out.
        seed: the seed the held out pictures were drawn with.
        device: `cpu` or `cuda`, what it was trained on; None in runs that did not note it.
        parameters: number of weights of the network, without running statistics.
        epochs: epochs trained.
        best_epoch: epoch whose weights were kept, counted from 1.
        seconds: time of the training.
        finished: whether it came to its end.
        samples: whether its bundle may carry small pictures of each class (not by `--no-samples`).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    dataset: str
    data_dir: str | None = None
    train_fingerprint: str | None = None
    validation_fraction: float
    validation_given: bool = False
    seed: int
    device: Literal["cpu", "cuda"] | None = None
    parameters: int | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    seconds: float | None = None
    finished: bool = False
    samples: bool = True

    def check_there(self, command: str) -> None:
        """Make sure that what the run learned from is still where it was.

        Args:
            command: what to do with the place where it is now.

        Raises:
            ImagetteError: it is not.
        """
        place = Path(self.dataset)
        if place.is_absolute() and not place.exists():
            raise ImagetteError(
                f"The pictures that the run learned from are no longer at {self.dataset}.",
                f"Name the place where they are now: {command}",
            )

    def learns_from(self, train: Split) -> bool:
        """Whether the run learns from these very pictures; True where it did not note which."""
        return self.train_fingerprint is None or self.train_fingerprint == train.fingerprint()


class Epoch(BaseModel):
    """One line of `history.csv`; accuracies are fractions, seconds those of this epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    pictures_per_second: float = 0.0
    validation_seconds: float = 0.0
    preparation_seconds: float = 0.0


class _Metrics(BaseModel):
    """What of `metrics.json` others rely on; see `imagette.evaluation.Evaluation`."""

    model_config = ConfigDict(strict=True, extra="ignore")

    dataset: str
    split: str
    n: int
    accuracy: float
    accuracy_interval: Annotated[list[float], Field(min_length=2, max_length=2)]
    loss: float


@dataclass(frozen=True)
class RunFolder:
    """What a training left.

    Attributes:
        path: the folder.
        info: what `run.json` says; None where the training stopped before it was written.
        history: one entry per epoch; empty where the first did not end.
        recipe: every choice of the training.
        environment: versions and machine, each a table; empty where unknown.
    """

    path: Path
    info: RunInfo | None
    history: tuple[Epoch, ...]
    recipe: dict[str, Any]
    environment: dict[str, Any]

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def best(self) -> Epoch | None:
        """The epoch whose weights were kept, where it is known."""
        number = self.info.best_epoch if self.info else None
        return next((epoch for epoch in self.history if epoch.epoch == number), None)

    @property
    def bundle(self) -> Path:
        """The model, in the form that is served."""
        return self.path / "model.onnx"

    @property
    def resume_remedy(self) -> str:
        """The sentence that says how to finish this run."""
        command = ["imagette", "train", "--name", self.name]
        if self.path.parent != Path("runs"):
            command += ["--runs-dir", str(self.path.parent)]
        return f"Resume it with `{shlex.join([*command, '--resume'])}`."


def read_run(path: Path) -> RunFolder:
    """Read a run folder.

    Raises:
        ImagetteError: the folder is no run, or a file in it is damaged.
    """
    if not (path / "recipe.toml").is_file():
        raise ImagetteError(
            f"{path} {_what_is_wrong(path)}.",
            "Give the folder of a run that `imagette train` made, such as runs/NAME.",
        )
    return RunFolder(
        path=path,
        info=_read(path / "run.json", RunInfo.model_validate_json),
        history=_read(path / "history.csv", _parse_history) or (),
        recipe=_read(path / "recipe.toml", tomllib.loads),
        environment=_read(path / "environment.json", _parse_object) or {},
    )


def _what_is_wrong(path: Path) -> str:
    if path.is_dir():
        return "is not a run folder: it holds no recipe.toml"
    return "is a file, not a run folder" if path.exists() else "does not exist"


def read_metrics(run: RunFolder) -> dict[str, Any] | None:
    """What the last evaluation of a run measured (`metrics.json`); None where there was none.

    Raises:
        ImagetteError: the file is damaged.
    """
    return _read(
        run.path / "metrics.json",
        _parse_metrics,
        f"Measure again with `{shlex.join(['imagette', 'evaluate', str(run.path)])}`.",
    )


def _read(
    path: Path,
    parse: Callable[[str], Any],
    remedy: str = "Restore it from a copy, or train again under another name.",
) -> Any:
    """What `parse` makes of the file's text; None where there is no such file."""
    if not path.exists():
        return None
    try:
        return parse(path.read_text(encoding="utf-8"))
    # Also what JSON, TOML and pydantic raise: all of them are kinds of ValueError.
    except (OSError, ValueError, RecursionError) as error:
        raise ImagetteError(f"{path} is damaged and cannot be read.", remedy) from error


def _parse_history(text: str) -> tuple[Epoch, ...]:
    return tuple(Epoch.model_validate(row) for row in csv.DictReader(text.splitlines()))


def _parse_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _parse_metrics(text: str) -> dict[str, Any]:
    metrics = _parse_object(text)
    _Metrics.model_validate(metrics)
    return metrics
