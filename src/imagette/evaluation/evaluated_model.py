"""The model of a run or a bundle, and the images that it can be measured on."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imagette.data import BUILT_IN, Dataset, Split, full_name, load_dataset
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

    def learned_from(self, dataset: str | Path | Dataset | None) -> bool:
        """Whether a dataset, named or loaded, is the one that a run learned from, as None is."""
        if self.info is None or dataset is None:
            return self.info is not None
        source = dataset.source if isinstance(dataset, Dataset) else full_name(dataset)
        return source == self.info.dataset

    def load_dataset(
        self,
        dataset: str | Path | Dataset | None,
        data_dir: str | Path | None,
        test_only: bool = False,
    ) -> Dataset:
        """The dataset named, or already loaded, or where it is None the one that the model was
        trained on; the rest is as for `imagette.data.load_dataset`.

        Raises:
            ImagetteError: it is missing or damaged, or none is known.
        """
        classifier = self.classifier
        if isinstance(dataset, Dataset):
            return dataset
        if dataset is not None:
            source: str | Path = dataset
        elif self.info is not None:
            source, data_dir = self.info.dataset, data_dir or self.info.data_dir
        elif classifier.metadata.dataset in BUILT_IN:
            source = classifier.metadata.dataset
        else:
            raise ImagetteError(
                f"{classifier.path} does not say on which dataset it can be measured.",
                "Name one: `imagette evaluate BUNDLE DATASET`.",
            )
        return load_dataset(source, data_dir, classifier.height, classifier.view, test_only)


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
