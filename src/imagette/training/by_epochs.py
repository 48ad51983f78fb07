"""A training by epochs: the network learns, and what it comes to is written into the run folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from imagette.data import BUILT_IN, Dataset, DataSource, Split, split_validation
from imagette.data.check import check
from imagette.errors import ImagetteError
from imagette.evaluation import evaluate
from imagette.features.backbone import open_backbone
from imagette.features.collect import choose_view
from imagette.files import write_csv, write_json
from imagette.images.views import ViewName
from imagette.inference.bundle import open_bundle
from imagette.models import APPLICATIONS, build_model, count_parameters
from imagette.models.applications import IMAGENET
from imagette.models.backend import load_torch_keras
from imagette.runs import RunInfo
from imagette.training.checkpoint import load_checkpoint, save_checkpoint, undisturbed
from imagette.training.default_recipe import warn_of_size
from imagette.training.environment import environment
from imagette.training.hardware import choose_device, configure
from imagette.training.keras_files import load_keras_file
from imagette.training.recipe import Recipe
from imagette.training.reporter import Reporter, Run
from imagette.training.resume import check_device, check_unchanged
from imagette.training.save_network import record_evaluation, save_network
from imagette.training.trainer import DivergedError, State, epochs
from imagette.training.transfer import (
    average_with_start,
    begin_with_head,
    check_start,
    keep_better,
    load_start,
)

if TYPE_CHECKING:
    import keras


def train_by_epochs(
    folder: Path,
    recipe: Recipe,
    found: DataSource,
    data_dir: str | Path | None,
    earlier: RunInfo | None,
    reporter: Reporter,
) -> Run:
    """Train a network, or go on with it; `folder` is this training's own meanwhile.

    Raises:
        ImagetteError: the data, the recipe, its start or its teacher cannot be used, or the loss is
            no longer a number.
        KeyboardInterrupt: stopped by Ctrl-C; the best network so far has been saved.
    """
    check_start(recipe.start, recipe.model)
    device = choose_device()
    configure(device)
    if recipe.teacher:
        _check_is_there(Path(recipe.teacher))
    if earlier:
        check_device(folder, earlier, device.type)
    model = _build(recipe, recipe.size, found)
    final = _build_final(model, recipe, found)
    dataset, view = _load_pictures(recipe, found, earlier, reporter)
    asked = _asked_of(recipe, found, dataset, view)
    if earlier:
        check_unchanged(folder, earlier, asked)
    teacher = load_teacher(recipe.teacher, dataset) if recipe.teacher else None
    train_part, validation = _split(dataset, recipe)
    learned, held_out = (train_part, validation) if asked is dataset else _split(asked, recipe)
    if recipe.start:
        load_start(model, recipe.start)
    state, head = load_checkpoint(folder), None
    info = RunInfo(
        dataset=dataset.source,
        data_dir=str(Path(data_dir).resolve()) if data_dir else None,
        train_fingerprint=asked.train.fingerprint(),
        validation_fraction=recipe.validation_fraction,
        seed=recipe.seed,
        device=device.type,
        parameters=count_parameters(model),
    )
    recipe.save(folder / "recipe.toml")
    write_json(folder / "environment.json", environment())
    _write_run(folder, info, state, finished=False)
    plan = recipe.resolve(device.type, len(train_part))
    reporter.on_start(folder, plan, dataset, state.epoch)
    try:
        if recipe.start:  # after a stop, too: to compare with, in the end
            head = begin_with_head(model, train_part, validation, reporter)
        for reached in epochs(
            model,
            train_part,
            validation,
            plan,
            state,
            reporter.on_progress,
            reporter.on_eta,
            teacher,
        ):
            state = reached
            save_checkpoint(folder, state)
            write_csv(folder / "history.csv", state.history)
            _write_run(folder, info, state, finished=False)
            reporter.on_epoch(state.history[-1], best=state.best_epoch == state.epoch)
    except (KeyboardInterrupt, DivergedError):
        # The average needs the fitted head; until there is one, what an earlier stop saved stays.
        if state.epoch and (head or not recipe.pretrained_share):
            reporter.on_stop()
            with undisturbed():
                if head:
                    average_with_start(state, head, plan.pretrained_share)
                save_network(folder, final, recipe, asked, learned, held_out, state, view)
        raise
    if head:
        average_with_start(state, head, plan.pretrained_share)
        keep_better(model, validation, head, state, reporter)
    reporter.on_evaluate()
    _write_run(folder, info, state, finished=False)  # the epoch that was kept, for the report
    save_network(folder, final, recipe, asked, learned, held_out, state, view)
    metrics = evaluate(folder, asked).metrics
    record_evaluation(folder, metrics)
    _write_run(folder, info, state, finished=True)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return Run(folder, recipe, metrics)


def _load_pictures(
    recipe: Recipe,
    found: DataSource,
    earlier: RunInfo | None,
    reporter: Reporter,
) -> tuple[Dataset, ViewName | None]:
    """The pictures in the recipe's size, looked over, and what of each is given to the network."""
    view = _choose_view(recipe, found)
    looked_at: ViewName = view or "whole"
    dataset = found.load(recipe.size, looked_at)
    if not earlier and dataset.source not in BUILT_IN:
        reporter.on_data(check(dataset) + warn_of_size(found, recipe))
    return dataset, view


def _knows_photographs(recipe: Recipe) -> bool:
    """Whether it is an EfficientNet-Lite that begins with ImageNet's weights, or those of a run
    that did."""
    if recipe.model != "efficientnet-lite" or not recipe.start:
        return False
    start = Path(recipe.start) / "model.onnx"
    return recipe.start == IMAGENET or open_bundle(start).metadata.view is not None


def _choose_view(recipe: Recipe, found: DataSource) -> ViewName | None:
    """What of each picture a network that knows photographs is given; None for all others."""
    if not _knows_photographs(recipe):
        return None
    return choose_view(found, open_backbone(recipe.variant))


def load_teacher(run: str | Path, dataset: Dataset) -> "keras.Model":
    """The network of a run, to learn from.

    Raises:
        ImagetteError: there is no such run, or its network answers for other classes or pictures.
    """
    folder = Path(run)
    _check_is_there(folder)
    bundle = open_bundle(folder / "model.onnx")
    model = load_keras_file(folder / "model.keras")
    size = dataset.train.images.shape[1:3]
    if bundle.metadata.class_names != dataset.class_names or model.input_shape[1:3] != size:
        raise ImagetteError(
            f"The network of {folder} is for {', '.join(bundle.metadata.class_names)} at"
            f" {bundle.height}×{bundle.width}, so it cannot teach one for {dataset.name}.",
            "Name a run on the same classes and sizes with --set teacher=FOLDER.",
        )
    return model


def _check_is_there(teacher: Path) -> None:
    if not (teacher / "model.keras").is_file():
        raise ImagetteError(
            f"There is no trained network in {teacher} to learn from.",
            "Train it first (lite's own: imagette train --recipe sprint-large), name the folder of"
            " another run with --set teacher=FOLDER, or learn from the labels alone with"
            " --set teacher='\"\"'.",
        )


def _split(dataset: Dataset, recipe: Recipe) -> tuple[Split, Split]:
    return split_validation(dataset.train, recipe.validation_fraction, recipe.seed)


def _build(recipe: Recipe, size: int, found: DataSource) -> "keras.Model":
    """The recipe's network for these classes and a size, its weights drawn from the seed."""
    load_torch_keras().utils.set_random_seed(recipe.seed)
    published = recipe.model in APPLICATIONS or recipe.start == IMAGENET
    return build_model(
        recipe.model,
        input_shape=(size, size, 3),
        classes=len(found.class_names),
        **recipe.model_options,
        **({"weights": recipe.start} if published else {}),
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
            f"The network {recipe.model} has weights for pictures of {recipe.size} pixels alone.",
            "Leave inference_size at 0.",
        )
    return final


def _asked_of(
    recipe: Recipe, found: DataSource, dataset: Dataset, view: ViewName | None
) -> Dataset:
    """The pictures to calibrate and measure by: `dataset`, or in another size, not yet resized."""
    if not recipe.inference_size:
        return dataset
    return found.decoded or found.load(recipe.asked_at, view or "whole")


def _write_run(folder: Path, info: RunInfo, state: State, finished: bool) -> None:
    progress = {
        "epochs": state.epoch,
        "best_epoch": state.best_epoch or None,
        "seconds": sum(row["seconds"] for row in state.history),
        "finished": finished,
    }
    write_json(folder / "run.json", info.model_copy(update=progress).model_dump())
