"""The folder of a search: its dataset, recipe and space, written at first and read by --resume."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from imagette.cluster.search_space import SearchSpace
from imagette.data import Dataset, DataSource, open_source
from imagette.errors import ImagetteError
from imagette.files import write_json
from imagette.models import check_options
from imagette.training.absolute_paths import absolute_recipe
from imagette.training.recipe import DEFAULT, Recipe
from imagette.training.resume import choose_folder, earlier_recipe
from imagette.training.training_data import TrainingData

TRIALS = 20
"""Optuna's TPE suggests ten at random and ten informed by those."""
_NOTES, _SPACE = "tune.json", "space.toml"


@dataclass
class TuneInfo:
    """A search: what it tries on which pictures.

    Attributes:
        dataset: the pictures, or what `load_dataset` takes.
        recipe: the recipe that was named.
        space: the fields to change.
        space_file: the file of `space`.
        trials: how many, in all.
        data_dir: where to look for CIFAR-10 first.
        fingerprints: for each image size those of what is learned from and of what trials are
            compared on, once they are known.
        epoch_repeats: the recipe's passes over the pictures in an epoch, its `min_steps` included,
            once they are known; None where the search itself sets them.
    """

    dataset: str | Path | Dataset
    recipe: Recipe
    space: SearchSpace
    space_file: Path
    trials: int
    data_dir: str | None
    fingerprints: dict[str, str] = field(default_factory=dict)
    epoch_repeats: int | None = None

    @property
    def base(self) -> Recipe:
        """The recipe that trials change, with so many passes whatever their batch size.

        By `min_steps`, a trial with larger batches would make more passes, and win by them.
        """
        if self.epoch_repeats is None:
            return self.recipe
        return self.recipe.change(epoch_repeats=self.epoch_repeats, min_steps=0)

    def write(self, folder: Path) -> None:
        """Write what --resume needs besides the study."""
        self.recipe.save(folder / "recipe.toml")
        if self.space_file != folder / _SPACE:
            shutil.copyfile(self.space_file, folder / _SPACE)
        self._write_json(folder)

    def _write_json(self, folder: Path) -> None:
        source = self.dataset.source if isinstance(self.dataset, Dataset) else self.dataset
        write_json(
            folder / _NOTES,
            {
                "dataset": str(source),
                "data_dir": self.data_dir,
                "trials": self.trials,
                "fingerprints": self.fingerprints,
                "epoch_repeats": self.epoch_repeats,
            },
        )

    def check_pictures(self, folder: Path, size: int, data: TrainingData) -> None:
        """Record what is learned from and what trials are compared on, or check that they are the
        same as in earlier trials.

        Raises:
            ImagetteError: they differ.
        """
        now = " ".join(split.fingerprint() for split in (data.train, data.validation))
        if self.fingerprints.setdefault(str(size), now) != now:
            raise ImagetteError(
                f"{folder} holds trials on other pictures.",
                "Start a new search under another --name.",
            )
        self._write_json(folder)

    def settle(self, folder: Path, device: Literal["cpu", "cuda"], images: int) -> None:
        """Record the passes, of the first session for all.

        Args:
            folder: of the search.
            device: what trials run on.
            images: how many they learn from.
        """
        if self.epoch_repeats is None and not {"epoch_repeats", "min_steps"} & {*self.space.names}:
            self.epoch_repeats = self.recipe.resolve(device, images).epoch_repeats
            self._write_json(folder)


@dataclass(frozen=True)
class Asked:
    """The arguments of a search; None where the user gave none.

    Attributes:
        dataset: the pictures, or what `load_dataset` takes.
        recipe: a preset's name or a TOML file.
        space_file: TOML file of the search space.
        trials: how many.
        data_dir: where to look for CIFAR-10 first.
    """

    dataset: str | Path | Dataset | None
    recipe: str | Path | None
    space_file: Path | None
    trials: int | None
    data_dir: str | Path | None

    def load_recipe(self) -> Recipe:
        """The recipe; the default one if none was named.

        Raises:
            ImagetteError: there is none of that name, or it has nothing to tune.
        """
        recipe = Recipe.load(self.recipe or DEFAULT)
        if recipe.closed_form:
            raise ImagetteError(
                f"The recipe {recipe.name} fits a last layer in closed form, which leaves nothing"
                " to tune.",
                "Let all layers learn: --recipe finetune.",
            )
        check_options(recipe.model, recipe.model_options)
        return absolute_recipe(recipe)  # because --resume may run in another folder

    @property
    def full_data_dir(self) -> str | None:
        """`data_dir` as an absolute path, because --resume may run in another folder."""
        return str(Path(self.data_dir).resolve()) if self.data_dir else None


def open_folder(
    asked: Asked, name: str | None, runs_dir: Path, resume: bool
) -> tuple[Path, TuneInfo, DataSource]:
    """The folder of a search, the search, and its pictures, found but not decoded yet.

    Raises:
        ImagetteError: an argument cannot be used, or differs from what the search began with.
    """
    recipe = asked.load_recipe()  # first, so that a mistyped name is reported at once
    if name is not None and resume and (runs_dir / name / _NOTES).is_file():
        folder = choose_folder(runs_dir, name, name, resume)
        info = _earlier(folder, asked)
        return folder, info, _open(info.dataset, info.data_dir)
    found = _open(asked.dataset, asked.data_dir)
    folder = choose_folder(runs_dir, name, f"{found.name}-{recipe.name}", resume)
    if resume and (folder / _NOTES).is_file():
        return folder, _earlier(folder, asked), found
    if asked.space_file is None:
        raise ImagetteError(
            "There is nothing to try: no file of values was named.",
            "Write a TOML file such as: optimizer.learning_rate = {log = [0.01, 1]} and name it"
            " with --space.",
        )
    space = SearchSpace.load(asked.space_file, recipe)
    dataset = found if isinstance(found, Dataset) else found.source
    trials = asked.trials or TRIALS
    info = TuneInfo(dataset, recipe, space, asked.space_file, trials, asked.full_data_dir)
    return folder, info, found


def _open(dataset: str | Path | Dataset | None, data_dir: str | Path | None) -> DataSource:
    return dataset if isinstance(dataset, Dataset) else open_source(dataset or "cifar10", data_dir)


def _earlier(folder: Path, asked: Asked) -> TuneInfo:
    """The search of an earlier session.

    Raises:
        ImagetteError: other arguments were given, or a file of it is missing or damaged.
    """
    recipe = earlier_recipe(folder, asked.load_recipe() if asked.recipe else None)
    file = folder / _SPACE
    space = SearchSpace.load(file, recipe)
    if asked.space_file and SearchSpace.load(asked.space_file, recipe) != space:
        raise ImagetteError(
            f"{folder} began with other values to try than {asked.space_file} gives.",
            "Resume it without --space, or start a new search under another --name.",
        )
    try:
        told = json.loads((folder / _NOTES).read_text(encoding="utf-8"))
        return TuneInfo(
            asked.dataset or told["dataset"], recipe, space, file,
            asked.trials or told["trials"], asked.full_data_dir or told["data_dir"],
            told["fingerprints"], told["epoch_repeats"],
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ImagetteError(
            f"{folder / _NOTES} is damaged and cannot be read.",
            "Restore it from a copy, or start a new search under another --name.",
        ) from error
