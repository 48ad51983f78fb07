"""What is to be trained, from what and into which folder, and the files that every run has."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from imagette.data import BUILT_IN, DataSource, Split
from imagette.data.content import PictureSet
from imagette.data.samples import choose_samples, count_classes
from imagette.files import write_json
from imagette.inference.bundle import open_bundle
from imagette.models.applications import IMAGENET
from imagette.runs import RunInfo
from imagette.training.environment import environment
from imagette.training.recipe import Recipe
from imagette.training.reporter import Reporter
from imagette.training.workers import Workers


@dataclass(frozen=True)
class Job:
    """A training that is about to begin, or to go on.

    Attributes:
        folder: the run folder, this training's own meanwhile.
        recipe: how to train.
        found: the images, or where they are.
        data_dir: where to look for CIFAR-10 first.
        earlier: what the run has done so far; None where it begins.
        reporter: hears of the progress.
        samples: whether the bundle may carry small pictures of each class.
        workers: who does what can be shared.
    """

    folder: Path
    recipe: Recipe
    found: DataSource
    data_dir: str | Path | None
    earlier: RunInfo | None
    reporter: Reporter
    samples: bool = True
    workers: Workers = field(default_factory=Workers)

    @property
    def carries_samples(self) -> bool:
        """Whether it does: a run that began without them goes on without."""
        return self.samples and (self.earlier is None or self.earlier.samples)

    @property
    def drops_samples(self) -> bool:
        """Whether a bundle that the run has already may carry what it is not to carry any more."""
        return self.earlier is not None and self.earlier.samples and not self.samples

    def write_choices(self) -> None:
        """Write `recipe.toml` and `environment.json`."""
        self.recipe.save(self.folder / "recipe.toml")
        write_json(self.folder / "environment.json", environment())

    def make_info(
        self, fingerprint: str, device: Literal["cpu", "cuda"], parameters: int
    ) -> RunInfo:
        """What `run.json` says from the beginning; `RunInfo` explains the values."""
        return RunInfo(
            dataset=self.found.source,
            data_dir=str(Path(self.data_dir).resolve()) if self.data_dir else None,
            train_fingerprint=fingerprint,
            validation_fraction=self.recipe.validation_fraction,
            validation_given=self.found.raw_validation is not None,
            seed=self.recipe.seed,
            device=device,
            parameters=parameters,
            samples=self.carries_samples,
        )

    def about_pictures(self, splits: dict[str, Split], digests: Sequence[bytes]) -> dict[str, Any]:
        """What the bundle says of its pictures: fields of `BundleMetadata`.

        Args:
            splits: by name the pictures that are learned from, and those held out.
            digests: of the content of each picture that is learned from.
        """
        told: dict[str, Any] = {
            "counts": count_classes(splits, len(self.found.class_names)),
            "learned_pictures": self._learned_pictures(digests),
        }
        if self.carries_samples:
            samples = choose_samples(self.found, splits)
            told |= {"sample_split": samples.split, "samples": samples.images}
        return told

    def _learned_pictures(self, digests: Sequence[bytes]) -> str:
        """What the bundle notes of the pictures learned, those that its start has learned included;
        nothing of a built-in dataset, whose name tells as much."""
        start = self.recipe.init_from
        noted = PictureSet(() if self.found.source in BUILT_IN else digests)
        bundle = Path(start) / "model.onnx"
        if start and start != IMAGENET and bundle.is_file():  # a file of weights notes nothing
            told = open_bundle(bundle).metadata.learned_pictures
            noted |= PictureSet.from_text(told)
        return noted.to_text()

    def write_info(self, info: RunInfo) -> None:
        """Write `run.json`."""
        write_json(self.folder / "run.json", info.model_dump())
