"""A run: one training, and the folder with everything it leaves.

    runs/<name>/
        recipe.toml        every choice, as used
        environment.json   versions and machine
        run.json           dataset, size of the network, how far it came
        history.csv        a row an epoch
        checkpoint.pt      to go on from; gone once the run has finished
        model.keras        the best network, for Keras
        model.onnx         the best network as a bundle, for serving
        metrics.json, confusion.png, curves.png, report.html   from the evaluation

Every file is written whole or not at all, and the checkpoint before all others, so that a run
killed at any moment loses at most the epoch under way.
"""

import io
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from imagette import __version__
from imagette.data import (
    BUILT_IN,
    Dataset,
    Listing,
    Part,
    find_pictures,
    load_dataset,
    split_validation,
)
from imagette.data.check import check
from imagette.errors import ImagetteError
from imagette.evaluation import evaluate, evaluation_for_bundle
from imagette.evaluation.calibration import fit_temperature
from imagette.evaluation.run_folder import Facts
from imagette.files import write_bytes, write_csv, write_json
from imagette.inference.bundle import BundleMetadata, open_bundle
from imagette.models import APPLICATIONS, build_model, check_options, count_parameters
from imagette.models.backend import load_torch_keras
from imagette.training.choice import choose_recipe
from imagette.training.environment import environment
from imagette.training.export import (
    load_keras_file,
    save_keras,
    update_metadata,
    write_bundle,
)
from imagette.training.finish import finish_bundle
from imagette.training.hardware import choose_device, release_memory
from imagette.training.loop import (
    DivergedError,
    Progress,
    State,
    class_weights,
    compute_logits,
    epochs,
    set_weights,
)
from imagette.training.recipe import DEFAULT, Recipe
from imagette.training.resume import (
    check_dataset,
    check_device,
    check_unchanged,
    choose_folder,
    claimed,
    earlier_recipe,
    read_earlier,
)
from imagette.training.start import check_start, fit_head, load_start

if TYPE_CHECKING:
    import keras


_Pictures = str | Dataset | Listing
"""A name of `BUILT_IN`, pictures that are loaded, or pictures that are found."""


@dataclass(frozen=True)
class Run:
    """A run folder and what its training came to.

    Attributes:
        folder: the run folder.
        recipe: what it was trained with.
        metrics: what the evaluation measured (see `imagette.evaluation.Evaluation`); None where
            the run had finished before and nothing was left to do.
    """

    folder: Path
    recipe: Recipe
    metrics: dict[str, Any] | None


class Reporter:
    """Hears of a training as it goes; this one says nothing. The command line has one that does."""

    def chosen(self, why: str) -> None:
        """No recipe was named; which one was chosen, and why."""

    def checked(self, lines: list[str]) -> None:
        """What is to be known of the pictures, a sentence or two each."""

    def start(self, folder: Path, recipe: Recipe, dataset: Dataset, epochs_done: int) -> None:
        """Everything is loaded and the first (or next) epoch is about to begin."""

    def expect(self, seconds: float) -> None:
        """Everything is prepared; about how long all epochs will take (less, if it stops early)."""

    def head(self, accuracy: float, seconds: float) -> None:
        """The last layer of a network that knows other pictures is fitted to these.

        `accuracy` is that on the pictures held out.
        """

    def progress(self, progress: Progress) -> None:
        """A `loop.Progress`, a few times a second during an epoch."""

    def stopping(self) -> None:
        """The training ends early, and the best network so far is about to be saved."""

    def epoch(self, row: dict[str, float], best: bool) -> None:
        """An epoch is over; `row` is its row of the history."""

    def evaluating(self) -> None:
        """Training is over, the files are being written and the best network measured."""


def train(
    dataset: str | Path | Dataset | None = None,
    recipe: Recipe | str | Path | None = None,
    *,
    changes: dict[str, Any] | None = None,
    name: str | None = None,
    runs_dir: str | Path = "runs",
    resume: bool = False,
    data_dir: str | Path | None = None,
    reporter: Reporter | None = None,
) -> Run:
    """Train a network, evaluate it, and leave everything in a run folder.

    Args:
        dataset: what `load_dataset` takes, or a `Dataset`, whose pictures are brought to the
            recipe's `size`; `cifar10` if None.
        recipe: a `Recipe`, a preset's name or a TOML file; if None, `sprint-90`, and for somebody's
            own pictures one that suits their number.
        changes: fields of the recipe that take other values, as for `Recipe.change`.
        name: name of the run; by default `<dataset>-<recipe>`, numbered when that is taken.
        runs_dir: folder in which the run's folder is made.
        resume: go on with the run of that name (by default the latest of the default name)
            from its last whole epoch; begin it if there is none.
        data_dir: where to look for CIFAR-10 first.
        reporter: hears of the progress.

    Raises:
        ImagetteError: the data, the recipe, its teacher or the run folder cannot be used, or the
            loss is no longer a number.
        KeyboardInterrupt: stopped by Ctrl-C; the best network so far has been saved.
    """
    reporter = reporter or Reporter()
    recipe_given = recipe is not None or bool(changes)
    if recipe is not None and not isinstance(recipe, Recipe):
        recipe = Recipe.load(recipe)  # a mistyped name is told before anything is looked for
    found = _find(dataset)
    why = ""
    if recipe is None:
        recipe, why = _choose(found)
    recipe = recipe.change(**changes) if changes else recipe
    check_options(recipe.model, recipe.model_options)
    check_start(recipe.start)
    if recipe.teacher:
        _check_is_there(Path(recipe.teacher))
    runs_dir, default = Path(runs_dir), f"{_title(found)}-{recipe.name}"
    folder = choose_folder(runs_dir, name, default, resume)
    earlier = read_earlier(folder) if resume and folder.exists() else None
    if earlier:
        recipe = earlier_recipe(folder, recipe if recipe_given else None)
        found = _find(earlier.dataset) if dataset is None else found
        check_dataset(folder, earlier.dataset, _source(found))
        data_dir = data_dir or earlier.data_dir
        if earlier.finished:
            return Run(folder, recipe, metrics=None)
        check_device(folder, earlier, choose_device().type)
    elif why:
        reporter.chosen(why)
    data = _load(found, data_dir, recipe.size)
    if earlier:
        check_unchanged(folder, earlier, data)
    elif data.source not in BUILT_IN:
        reporter.checked(check(data))
    teacher = load_teacher(recipe.teacher, data) if recipe.teacher else None
    if not earlier:  # another run may have taken the name while the pictures were loaded
        folder = choose_folder(runs_dir, name, default, resume)
    with claimed(folder):
        return _train(folder, recipe, data, data_dir, teacher, reporter)


def _find(dataset: str | Path | Dataset | None) -> _Pictures:
    """Somebody's own pictures are listed, so that their number is known before they are decoded."""
    if dataset is None or isinstance(dataset, Dataset) or dataset in BUILT_IN:
        return dataset if isinstance(dataset, Dataset) else str(dataset or "cifar10")
    return find_pictures(dataset)


def _load(found: _Pictures, data_dir: str | Path | None, size: int) -> Dataset:
    if isinstance(found, Dataset):
        return found.resized(size)
    return load_dataset(found, data_dir, size) if isinstance(found, str) else found.load(size)


def _title(found: _Pictures) -> str:
    return found if isinstance(found, str) else found.name


def _source(found: _Pictures) -> str:
    return found if isinstance(found, str) else found.source


def _choose(found: _Pictures) -> tuple[Recipe, str]:
    """The recipe where none is named, and for somebody's own pictures why it suits them."""
    if isinstance(found, str) or found.source in BUILT_IN:
        return Recipe.load(DEFAULT), ""
    return choose_recipe(len(found.train))


def _train(
    folder: Path,
    recipe: Recipe,
    dataset: Dataset,
    data_dir: str | Path | None,
    teacher: "keras.Model | None",
    reporter: Reporter,
) -> Run:
    train_part, validation = split_validation(
        dataset.train, recipe.validation_fraction, recipe.seed
    )
    model, device = _build(recipe, dataset), choose_device().type
    if recipe.start:
        load_start(model, recipe.start)
    state = _load_checkpoint(folder)
    facts = Facts(
        dataset=dataset.source,
        data_dir=str(Path(data_dir).resolve()) if data_dir else None,
        train_fingerprint=dataset.train.fingerprint(),
        validation_fraction=recipe.validation_fraction,
        seed=recipe.seed,
        device=device,
        parameters=count_parameters(model),
    )
    recipe.save(folder / "recipe.toml")
    write_json(folder / "environment.json", environment())
    _write_run(folder, facts, state, finished=False)
    plan = recipe.resolve(device, len(train_part))
    reporter.start(folder, plan, dataset, state.epoch)
    try:
        if recipe.start and not state.epoch:
            _fit_head(model, train_part, validation, plan, reporter)
        for reached in epochs(
            model, train_part, validation, plan, state, reporter.progress, reporter.expect, teacher
        ):
            state = reached
            _save_checkpoint(folder, state)
            write_csv(folder / "history.csv", state.history)
            _write_run(folder, facts, state, finished=False)
            reporter.epoch(state.history[-1], best=state.best_epoch == state.epoch)
    except (KeyboardInterrupt, DivergedError):
        if state.epoch:
            reporter.stopping()
            with _undisturbed():
                _save_best(folder, model, recipe, dataset, train_part, validation, state)
        raise
    reporter.evaluating()
    _save_best(folder, model, recipe, dataset, train_part, validation, state)
    metrics = evaluate(folder, dataset).metrics
    _note_accuracy(folder, metrics)
    _write_run(folder, facts, state, finished=True)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return Run(folder, recipe, metrics)


def _fit_head(
    model: "keras.Model", train_part: Part, validation: Part, plan: Recipe, reporter: Reporter
) -> None:
    start = time.perf_counter()
    weights = class_weights(train_part, model.output_shape[-1])
    fit_head(model, train_part, mirrored=plan.flip != "none", weights=weights)
    seconds = time.perf_counter() - start
    answers = compute_logits(model, validation.images).argmax(axis=1)
    reporter.head(float(np.mean(answers == validation.labels)), seconds)


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
            "Train it first (lite's own: imagette train --recipe best), name the folder of another"
            " run with --set teacher=FOLDER, or learn from the labels alone with"
            " --set teacher='\"\"'.",
        )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let a second, impatient Ctrl-C wait; only the main thread hears of it at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _build(recipe: Recipe, dataset: Dataset) -> "keras.Model":
    """The recipe's network for these pictures and classes, its weights drawn from the seed."""
    load_torch_keras().utils.set_random_seed(recipe.seed)
    return build_model(
        recipe.model,
        input_shape=dataset.train.images.shape[1:],
        classes=len(dataset.class_names),
        **recipe.model_options,
        **({"weights": recipe.start} if recipe.model in APPLICATIONS else {}),
    )


def _save_best(
    folder: Path,
    model: "keras.Model",
    recipe: Recipe,
    dataset: Dataset,
    train_part: Part,
    validation: Part,
    state: State,
) -> None:
    """Save the best weights as Keras file and bundle.

    The validation pictures calibrate the answers and set the threshold of `known`.
    """
    release_memory()
    set_weights(model, state.best_weights)
    temperature = fit_temperature(compute_logits(model, validation.images), validation.labels)
    _divide_logits(model, temperature)
    save_keras(model, folder / "model.keras")
    metadata = BundleMetadata(
        class_names=dataset.class_names,
        class_names_fr=dataset.class_names_fr,
        imagette_version=__version__,
        model=recipe.model,
        parameters=count_parameters(model),
        dataset=dataset.name,
        # Where other runs lay is of no use elsewhere.
        recipe=recipe.model_dump()
        | {"teacher": Path(recipe.teacher).name, "start": Path(recipe.start).name},
        temperature=temperature,
    )
    bundle = folder / "model.onnx"
    write_bundle(model, bundle, metadata)
    finish_bundle(bundle, train_part, validation)


def _divide_logits(model: "keras.Model", temperature: float) -> None:
    logits = model.get_layer("logits")
    logits.set_weights([weight / temperature for weight in logits.get_weights()])


def _note_accuracy(folder: Path, metrics: dict[str, Any]) -> None:
    update_metadata(
        folder / "model.onnx",
        accuracy=metrics["accuracy"],
        accuracy_split=metrics["split"],
        evaluation=evaluation_for_bundle(metrics, folder),
    )


def _save_checkpoint(folder: Path, state: State) -> None:
    # Through memory, because on a full disk PyTorch's own writing ends in an error of its insides.
    content = io.BytesIO()
    torch.save(vars(state), content)
    write_bytes(folder / "checkpoint.pt", content.getvalue())


def _load_checkpoint(folder: Path) -> State:
    """The state to go on from; the beginning where there is none."""
    path = folder / "checkpoint.pt"
    if not path.is_file():
        return State()
    try:
        return State(**torch.load(path, weights_only=True, map_location="cpu"))
    # A damaged file makes PyTorch raise nearly anything.
    except Exception as error:
        raise ImagetteError(
            f"{path} is damaged, so the run cannot go on from it.",
            "Delete the run folder and train again.",
        ) from error


def _write_run(folder: Path, facts: Facts, state: State, finished: bool) -> None:
    progress = {
        "epochs": state.epoch,
        "best_epoch": state.best_epoch or None,
        "seconds": sum(row["seconds"] for row in state.history),
        "finished": finished,
    }
    write_json(folder / "run.json", facts.model_copy(update=progress).model_dump())
