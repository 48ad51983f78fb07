"""The images of a training by epochs: loaded, looked over and split."""

from dataclasses import dataclass
from pathlib import Path

from imagette.data import BUILT_IN, Dataset, DataSource, Split, train_and_validation
from imagette.data.check import check
from imagette.data.content import split_digests
from imagette.data.splits import split_positions
from imagette.features.backbone import open_backbone
from imagette.features.collect import choose_view
from imagette.images.views import ViewName
from imagette.inference.bundle import open_bundle
from imagette.models.applications import IMAGENET
from imagette.training.default_recipe import warn_of_size
from imagette.training.job import Job
from imagette.training.recipe import Recipe
from imagette.training.resume import check_unchanged


@dataclass(frozen=True)
class TrainingData:
    """The images of a training.

    Attributes:
        dataset: in the size that the network learns from.
        train: the images to learn from.
        validation: those that came to validate with, or were held out.
        final: the dataset in the size that the finished network takes, or not yet resized.
        splits: of that, the images to learn from, and those to validate with.
        view: what of each image a network that knows photographs is given; None for all others.
    """

    dataset: Dataset
    train: Split
    validation: Split
    final: Dataset
    splits: tuple[Split, Split]
    view: ViewName | None

    @property
    def by_name(self) -> dict[str, Split]:
        """The images to learn from and those held out, as `final` has them."""
        named = {"train": self.splits[0], "validation": self.splits[1], "test": self.final.test}
        return {name: split for name, split in named.items() if split is not None}


def load_data(job: Job) -> TrainingData:
    """The images in the recipe's size, looked over and split."""
    found, recipe = job.found, job.recipe
    view = _choose_view(recipe, found)
    shown: ViewName = view or "whole"
    dataset = found.load(recipe.image_size, shown)
    if not job.earlier and dataset.source not in BUILT_IN:
        job.reporter.on_data(check(dataset) + warn_of_size(found, recipe))
    final = dataset
    if recipe.inference_size:
        final = found.decoded or found.load(recipe.inference_size, shown)
    if job.earlier:
        check_unchanged(job.folder, job.earlier, final)
    train, validation = _split(dataset, recipe)
    splits = (train, validation) if final is dataset else _split(final, recipe)
    return TrainingData(dataset, train, validation, final, splits, view)


def _choose_view(recipe: Recipe, found: DataSource) -> ViewName | None:
    """What of each image a network that knows photographs is given; None for all others.

    That is an EfficientNet-Lite that begins with ImageNet's weights, or those of a run that did.
    """
    if recipe.model != "efficientnet-lite" or not recipe.init_from:
        return None
    if recipe.init_from != IMAGENET:
        start = open_bundle(Path(recipe.init_from) / "model.onnx")
        if start.metadata.view is None:
            return None
    return choose_view(found, open_backbone(recipe.variant))


def _split(dataset: Dataset, recipe: Recipe) -> tuple[Split, Split]:
    return train_and_validation(dataset, recipe.validation_fraction, recipe.seed)


def learned_digests(job: Job, dataset: Dataset) -> list[bytes]:
    """Of the content of each image that is learned; `dataset` is in the final size."""
    if job.found.source in BUILT_IN:
        return []
    digests = split_digests(job.found.raw_train, dataset.train)
    if dataset.validation is not None:
        return digests
    recipe = job.recipe
    learned, _ = split_positions(dataset.train, recipe.validation_fraction, recipe.seed)
    return [digests[place] for place in learned]
