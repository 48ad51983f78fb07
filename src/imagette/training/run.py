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
        README.md, README.fr.md   the model's card

Every file is written whole or not at all, and the checkpoint before all others, so that a run
killed at any moment loses at most the epoch under way. A head in closed form has no epochs, so
there is neither history, checkpoint nor Keras file: it is fitted anew in seconds.
"""

from pathlib import Path
from typing import Any

from imagette.data import BUILT_IN, Dataset, DataSource, open_source
from imagette.models import check_options
from imagette.runs import RunInfo
from imagette.training.default_recipe import choose_recipe
from imagette.training.job import Job
from imagette.training.recipe import DEFAULT, Recipe
from imagette.training.reporter import Reporter, Run
from imagette.training.resume import (
    check_finished,
    choose_folder,
    claimed,
    earlier_recipe,
    leave_out_samples,
    read_earlier,
)
from imagette.training.workers import Workers


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
    samples: bool = True,
    workers: Workers | None = None,
) -> Run:
    """Train a network, evaluate it, and leave everything in a run folder.

    Args:
        dataset: what `load_dataset` takes, or a `Dataset`, whose pictures are brought to the
            recipe's `image_size`; `cifar10` if None.
        recipe: a `Recipe`, a preset's name or a TOML file; if None, `sprint-90`, and for somebody's
            own pictures one that suits their number.
        changes: fields of the recipe that take other values, as for `Recipe.change`.
        name: name of the run; by default `<dataset>-<recipe>`, numbered when that is taken.
        runs_dir: folder in which the run's folder is made.
        resume: go on with the run of that name (by default the latest of the default name)
            from its last whole epoch; begin it if there is none.
        data_dir: where to look for CIFAR-10 first.
        reporter: hears of the progress.
        samples: whether the bundle carries a few small pictures of each class, for its page to
            show; of a run that is gone on with, not if it began without them.
        workers: who does what can be shared; by default this process.

    Raises:
        ImagetteError: the data, the recipe, its teacher or the run folder cannot be used, or the
            loss is no longer a number.
        KeyboardInterrupt: stopped by Ctrl-C; the best network so far has been saved.
    """
    reporter = reporter or Reporter()
    recipe_given = recipe is not None or bool(changes)
    if recipe is not None and not isinstance(recipe, Recipe):
        recipe = Recipe.load(recipe)  # a mistyped name is told before anything is looked for
    found = _open(dataset, data_dir)
    why = ""
    if recipe is None and found.source in BUILT_IN:
        recipe = Recipe.load(DEFAULT)
    elif recipe is None:
        recipe, why = choose_recipe(found)
    recipe = recipe.change(**changes) if changes else recipe
    check_options(recipe.model, recipe.model_options)
    runs_dir, default = Path(runs_dir), f"{found.name}-{recipe.name}"
    folder = choose_folder(runs_dir, name, default, resume)
    earlier = read_earlier(folder) if resume and folder.exists() else None
    if earlier:
        recipe = earlier_recipe(folder, recipe if recipe_given else None)
        data_dir = data_dir or earlier.data_dir
        if dataset is None and not earlier.finished:
            earlier.check_there(f"imagette train FOLDER --name {folder.name} --resume")
        if earlier.finished:
            _settle_finished(folder, earlier, None if dataset is None else found, samples)
            return Run(folder, recipe, metrics=None)
        if dataset is None or earlier.data_dir:
            found = _open(dataset or earlier.dataset, data_dir)
    elif why:
        reporter.on_recipe(why)
    # Each kind of training brings in libraries of its own, which take seconds to load.
    if recipe.closed_form:
        from imagette.training.closed_form import train_closed_form as train_it
    else:
        from imagette.training.by_epochs import train_by_epochs as train_it  # type: ignore
    if not earlier:  # another run may have taken the name while the images were found
        folder = choose_folder(runs_dir, name, default, resume)
    with claimed(folder):
        job = Job(folder, recipe, found, data_dir, earlier, reporter, samples, workers or Workers())
        return Run(folder, recipe, train_it(job))


def _settle_finished(folder: Path, info: RunInfo, found: DataSource | None, samples: bool) -> None:
    """Make sure that a run which has finished is of the pictures that were named, if any were, and
    carries none where it is not to."""
    if found is not None:
        check_finished(folder, info, found)
    if not samples:
        leave_out_samples(folder, info)


def _open(dataset: str | Path | Dataset | None, data_dir: str | Path | None) -> DataSource:
    """The images, found and not yet decoded, so that their number is known before they are."""
    return dataset if isinstance(dataset, Dataset) else open_source(dataset or "cifar10", data_dir)
