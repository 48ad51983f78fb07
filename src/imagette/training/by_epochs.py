"""A training by epochs: the network learns, and what it comes to is written into the run folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imagette.data import BUILT_IN, Dataset, DataSource, Split, train_and_validation
from imagette.data.check import check
from imagette.data.content import split_digests
from imagette.data.splits import split_positions
from imagette.errors import ImagetteError
from imagette.evaluation import evaluate
from imagette.features.backbone import open_backbone
from imagette.features.collect import choose_view
from imagette.files import write_csv
from imagette.images.views import ViewName
from imagette.inference.bundle import open_bundle
from imagette.models import APPLICATIONS, build_model, count_parameters
from imagette.models.applications import IMAGENET
from imagette.models.backend import load_torch_keras
from imagette.runs import RunInfo
from imagette.training.checkpoint import load_checkpoint, save_checkpoint, undisturbed
from imagette.training.default_recipe import warn_of_size
from imagette.training.hardware import choose_device, configure
from imagette.training.job import Job
from imagette.training.recipe import Recipe
from imagette.training.resume import check_device, check_unchanged
from imagette.training.save_network import record_evaluation, save_network
from imagette.training.state import State
from imagette.training.teacher import check_teacher, load_teacher
from imagette.training.trainer import DivergedError, train_epochs
from imagette.training.transfer import (
    average_with_start,
    begin_with_head,
    check_start,
    keep_better,
    load_start,
)

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class _Data:
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


def train_by_epochs(job: Job) -> dict[str, Any]:
    """Train a network, or go on with it; returns its metrics.

    Raises:
        ImagetteError: the data, the recipe, its start or its teacher cannot be used, or the loss is
            no longer a number.
        KeyboardInterrupt: stopped by Ctrl-C; the best network so far has been saved.
    """
    folder, recipe = job.folder, job.recipe
    device = _prepare(job)
    model = _build(recipe, recipe.image_size, job.found)
    final = _build_final(model, recipe, job.found)
    data = _load_data(job)
    teacher = load_teacher(recipe.distillation.teacher, data.dataset)
    if recipe.init_from:
        load_start(model, recipe.init_from)
    state = load_checkpoint(folder)
    job.write_choices()
    info = job.make_info(data.final.train.fingerprint(), device, count_parameters(model))
    _write_info(job, info, state)
    plan = recipe.resolve(device, len(data.train))
    job.reporter.on_start(folder, plan, data.dataset, state.epoch)

    noted = job.learned_pictures(_learned_digests(job, data.final))

    def save(state: State) -> None:
        save_network(folder, final, recipe, data.final, *data.splits, state, data.view, noted)

    state = _learn(job, plan, model, teacher, data, state, info, save)
    job.reporter.on_evaluate()
    _write_info(job, info, state)  # the epoch that was kept, for the report
    save(state)
    metrics = evaluate(folder, job.found).metrics
    record_evaluation(folder, metrics)
    _write_info(job, info, state, finished=True)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return metrics


def _prepare(job: Job) -> Literal["cpu", "cuda"]:
    """Check what can be checked at once, and choose the device: `cpu` or `cuda`."""
    check_start(job.recipe.init_from, job.recipe.model)
    device = choose_device()
    configure(device)
    if job.recipe.distillation.teacher:
        check_teacher(Path(job.recipe.distillation.teacher))
    if job.earlier:
        check_device(job.folder, job.earlier, device.type)
    return "cuda" if device.type == "cuda" else "cpu"


def _learn(
    job: Job,
    plan: Recipe,
    model: "keras.Model",
    teacher: "keras.Model | None",
    data: _Data,
    state: State,
    info: RunInfo,
    save: Callable[[State], None],
) -> State:
    """Make the epochs, each with its checkpoint; what was learned is saved after a stop, too."""
    reporter, head = job.reporter, None
    try:
        if plan.init_from:  # after a stop, too: to compare with, in the end
            head = begin_with_head(model, data.train, data.validation, reporter)
        for reached in train_epochs(
            model, data.train, data.validation, plan, state,
            reporter.on_progress, reporter.on_eta, teacher,
        ):  # fmt: skip
            state = reached
            save_checkpoint(job.folder, state)
            write_csv(job.folder / "history.csv", state.history)
            _write_info(job, info, state)
            reporter.on_epoch(state.history[-1], best=state.best_epoch == state.epoch)
    except (KeyboardInterrupt, DivergedError):
        # The average needs the fitted head; until there is one, what an earlier stop saved stays.
        if state.epoch and (head or not plan.pretrained_share):
            reporter.on_stop()
            with undisturbed():
                if head:
                    average_with_start(state, head, plan.pretrained_share)
                save(state)
        raise
    if head:
        average_with_start(state, head, plan.pretrained_share)
        keep_better(model, data.validation, head, state, reporter)
    return state


def _load_data(job: Job) -> _Data:
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
    return _Data(dataset, train, validation, final, splits, view)


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


def _learned_digests(job: Job, dataset: Dataset) -> list[bytes]:
    """Of the content of each image that is learned."""
    if job.found.source in BUILT_IN:
        return []
    digests = split_digests(job.found.raw_train, dataset.train)
    if dataset.validation is not None:
        return digests
    recipe = job.recipe
    learned, _ = split_positions(dataset.train, recipe.validation_fraction, recipe.seed)
    return [digests[place] for place in learned]


def _build(recipe: Recipe, size: int, found: DataSource) -> "keras.Model":
    """The recipe's network for these classes and a size, its weights drawn from the seed."""
    load_torch_keras().utils.set_random_seed(recipe.seed)
    published = recipe.model in APPLICATIONS or recipe.init_from == IMAGENET
    return build_model(
        recipe.model,
        input_shape=(size, size, 3),
        classes=len(found.class_names),
        **recipe.model_options,
        **({"weights": recipe.init_from} if published else {}),
    )


def _build_final(model: "keras.Model", recipe: Recipe, found: DataSource) -> "keras.Model":
    """The network that is saved: `model`, or one of the same weights that is asked at another size.

    Raises:
        ImagetteError: at another size it has other weights.
    """
    if not recipe.inference_size:
        return model
    final = _build(recipe, recipe.inference_size, found)
    if [each.shape for each in final.weights] != [each.shape for each in model.weights]:
        raise ImagetteError(
            f"The network {recipe.model} has weights for pictures of {recipe.image_size} pixels"
            " alone.",
            "Leave inference_size at 0.",
        )
    return final


def _write_info(job: Job, info: RunInfo, state: State, finished: bool = False) -> None:
    """Write how far a run has come into its `run.json`."""
    progress = {
        "epochs": state.epoch,
        "best_epoch": state.best_epoch or None,
        "seconds": sum(row["seconds"] for row in state.history),
        "finished": finished,
    }
    job.write_info(info.model_copy(update=progress))
