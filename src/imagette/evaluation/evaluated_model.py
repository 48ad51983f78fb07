"""The model of a run or a bundle, and the images that it can be measured on."""

import shlex
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagette.data import BUILT_IN, Dataset, DataSource, Split, open_source
from imagette.data.content import PictureSet, split_digests
from imagette.data.splits import split_positions
from imagette.errors import ImagetteError
from imagette.inference.classifier import Classifier
from imagette.runs import RunFolder, RunInfo, read_run
from imagette.wording import clean_name, listed


@dataclass(frozen=True)
class EvaluatedModel:
    """What is measured.

    Attributes:
        path: the folder of a run, or a bundle.
        run: what the training left; None for a bundle.
        info: what the run says of itself; None for a bundle.
        classifier: the bundle, open.
    """

    path: Path
    run: RunFolder | None
    info: RunInfo | None
    classifier: Classifier

    @property
    def name(self) -> str:
        """The run's name, or the bundle's path."""
        return self.run.name if self.run else str(self.path)

    @cached_property
    def learned(self) -> PictureSet:
        """The pictures that the model has learned; empty where it did not note them."""
        return PictureSet.from_text(self.classifier.metadata.learned_pictures)

    def learned_from(self, found: DataSource) -> bool:
        """Whether a dataset is the one that a run learned from, there or elsewhere."""
        if self.info is None:
            return False
        if found.source == self.info.dataset:
            return True
        return len(self.learned) > 0 and self.learned.within(split_digests(found.raw_train))

    def held_out(self, train: Split) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Which pictures of the train split a run has learned, and which it held out of it.

        Args:
            train: the train split of a dataset, loaded.

        Returns:
            Their positions `(n,)` each; None where the run learned from other pictures, or from all
            of these, as it does where it is given others to validate with.
        """
        info = self.info
        if info is None or info.validation_given or not info.learns_from(train):
            return None
        return split_positions(train, info.validation_fraction, info.seed)

    def find(
        self, dataset: str | Path | DataSource | None, data_dir: str | Path | None
    ) -> DataSource:
        """The dataset named or already found or, where it is None, the one that the model was
        trained on; the rest is as for `imagette.data.load_dataset`.

        Raises:
            ImagetteError: it is missing or damaged, or none is known.
        """
        if isinstance(dataset, DataSource):
            return dataset
        if dataset is not None:
            return open_source(dataset, data_dir)
        if self.info is not None:
            self.info.check_there(f"imagette evaluate {self.path} FOLDER")
            return open_source(self.info.dataset, data_dir or self.info.data_dir)
        if self.classifier.metadata.dataset in BUILT_IN:
            return open_source(self.classifier.metadata.dataset, data_dir)
        raise ImagetteError(
            f"{self.classifier.path} does not say on which dataset it can be measured.",
            "Name one: `imagette evaluate BUNDLE DATASET`.",
        )

    def load(self, found: DataSource, test_only: bool = True) -> Dataset:
        """A dataset as the model looks at it; one that is loaded already stays as it is."""
        if isinstance(found, Dataset):
            return found
        return found.load(self.classifier.height, self.classifier.view, test_only)


def open_model(run_or_bundle: str | Path) -> EvaluatedModel:
    """Open the model of a run, or a bundle.

    Raises:
        ImagetteError: it is missing or damaged, or the run did not come to a model.
    """
    path = Path(run_or_bundle)
    if not path.is_dir():
        return EvaluatedModel(path, None, None, Classifier(path))
    run = read_run(path)
    if run.info is None or not run.bundle.is_file():
        if run.info is not None and (path / "model.keras").is_file():
            raise ImagetteError(
                f"The run {path} was stopped before its bundle was made.",
                f"Make it, and measure it, with `imagette evaluate {shlex.quote(str(path))}`."
                f" {run.resume_remedy}",
            )
        missing = "run.json" if run.info is None else "model.onnx"
        raise ImagetteError(
            f"The run {path} has no {missing}: its training stopped before it was written.",
            run.resume_remedy,
        )
    return EvaluatedModel(path, run, run.info, Classifier(run.bundle))


def resize_for(classifier: Classifier, examples: Split) -> Split:
    """The same images in the size that a model takes, as it looks at any picture."""
    return examples.resized(classifier.height, classifier.width, classifier.view)


def relabel_for(classifier: Classifier, examples: Split, class_names: tuple[str, ...]) -> Split:
    """The same images with labels in the model's class order.

    Raises:
        ImagetteError: the model does not know one of the classes.
    """
    # Bundles of an earlier version may have names that Unicode writes in another way.
    known = map(clean_name, classifier.class_names)
    positions = {name: position for position, name in enumerate(known)}
    unknown = [name for name in class_names if name not in positions]
    if unknown:
        raise ImagetteError(
            f"The model does not know {_quoted(unknown)}.",
            f"Its classes are {_quoted(classifier.class_names)}: rename or leave out the others.",
        )
    in_order = np.array([positions[name] for name in class_names], dtype=np.int64)
    return replace(examples, labels=in_order[examples.labels])


def _quoted(names: list[str] | tuple[str, ...]) -> str:
    return listed([repr(name) for name in names], "en")
