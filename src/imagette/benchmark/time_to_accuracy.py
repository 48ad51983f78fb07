"""How accurate a network is after how many seconds, recipe beside recipe.

    <out>/
        dataset.json              what the trainings learn from
        runs/<recipe>-seed-<n>/   the run folder of each training
        reference/seed-<n>.jsonl  what the classic recipe by Keras' `fit` printed
        results.csv               a row a training
        summary.csv               a row a recipe: means, deviations, intervals
        machine.json              what it ran on
        time-to-accuracy.png      validation accuracy over seconds, for all

Trainings take turns, one of each recipe after the other, because the speed of a machine wanders.
What has finished is not trained again: a benchmark that was stopped goes on.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imagette.benchmark.flops import matrix_peak, training_flops
from imagette.benchmark.plot import Curve, draw
from imagette.benchmark.reference import REFERENCE, find_tensorflow, reference_row, train_reference
from imagette.data import Dataset, load_dataset
from imagette.errors import ImagetteError
from imagette.evaluation import evaluate
from imagette.files import write_bytes, write_csv, write_json
from imagette.runs import read_metrics, read_run
from imagette.training.absolute_paths import absolute_recipe
from imagette.training.environment import environment
from imagette.training.hardware import choose_device, choose_precision
from imagette.training.recipe import Recipe
from imagette.training.reporter import Reporter
from imagette.training.run import train

RECIPES = ("sprint-70", "sprint-80", "sprint-90", "sprint-94")

Say = Callable[[str], None]
TrainAll = Callable[[Path, Sequence[Recipe], Dataset, str | Path | None], None]
"""Trains recipes into a folder as `train_recipe` does each of them, but side by side."""
CORES_EACH = "cores_each"
"""In machine.json: the cores of each training, where trainings run side by side."""


def time_to_accuracy(
    recipes: Sequence[str] = RECIPES,
    runs: int = 5,
    *,
    out: str | Path = "time-to-accuracy",
    dataset: str | Path | Dataset | None = None,
    data_dir: str | Path | None = None,
    tensorflow: str | Path | None = None,
    reporter: Reporter | None = None,
    say: Say = lambda _: None,
    train_all: TrainAll | None = None,
) -> list[dict[str, Any]]:
    """Train each recipe with several seeds and compare accuracies and times.

    The result is of all trainings in `out`, those of earlier calls with other recipes included.

    Time goes from the first training step to the last, the preparation of the images included;
    reading from disk, validation and compilation are left out. Accuracy is that of the bundle on
    the test split, plain and, beside it, averaged over each image and its mirror image.

    Args:
        recipes: names of recipes or TOML files.
        runs: trainings of each, with the seeds 0, 1, 2 …
        out: folder for what it leaves.
        dataset: what `load_dataset` takes, or a `Dataset` with a test split.
        data_dir: where to look for CIFAR-10 first.
        tensorflow: a Python that has TensorFlow, for the reference; by default this one, if it
            has. Without one the reference is left out.
        reporter: hears of each training.
        say: is told a line at a time what happens.
        train_all: trains all of them side by side, if they are not to take turns.

    Returns:
        A row each, plain values: `name`, `runs`, `accuracy`, `accuracy_sd`, `accuracy_low` and
        `accuracy_high` (95 % interval of the mean), `flip_averaged`, the same four of `seconds`,
        `preparation_seconds` and `validation_seconds` (which are not among those),
        `pictures_per_second`, `gflops_per_second` and `share_of_peak`. Deviations and intervals
        of a single run are None, as is what does not hold for the reference.

    Raises:
        ImagetteError: a recipe or the dataset cannot be used, or the reference failed.
        KeyboardInterrupt: stopped; the same call goes on.
    """
    out, chosen = Path(out), _load_recipes(recipes, runs)
    start = time.perf_counter()
    data = dataset if isinstance(dataset, Dataset) else load_dataset(dataset or "cifar10", data_dir)
    reading = time.perf_counter() - start
    if data.test is None:
        raise ImagetteError(
            f"{data.name} has no test split to measure on.", "Choose a dataset that has one."
        )
    python = find_tensorflow(tensorflow)
    if python is None:
        say("TensorFlow is not installed here: the reference is left out (see --tensorflow).")
    _claim(out, data, reading)
    _check_turns(out, side_by_side=train_all is not None)
    if train_all:
        wanted = [recipe.change(seed=seed) for seed in range(runs) for recipe in chosen]
        train_all(out, [one for one in wanted if not measured(out, one)], data, data_dir)
    summary: list[dict[str, Any]] = []
    for seed in range(runs):
        printed = out / "reference" / f"seed-{seed}.jsonl"
        if python is not None and not printed.is_file():
            say(f"{REFERENCE}, seed {seed}: the classic recipe by Keras' fit on TensorFlow")
            train_reference(python, data, seed, printed)
        for recipe in chosen:
            say(f"{recipe.name}, seed {seed}")
            train_recipe(out, recipe.change(seed=seed), data, data_dir, reporter)
        # After each turn, so that a benchmark that is stopped leaves what it has.
        summary = _collect(out, data)
    return summary


def _load_recipes(recipes: Sequence[str], runs: int) -> list[Recipe]:
    """The recipes, each with a name of its own.

    Raises:
        ImagetteError: there is nothing to train, or two have the same name.
    """
    chosen = [absolute_recipe(Recipe.load(recipe)) for recipe in recipes]
    if not chosen or runs < 1:
        raise ImagetteError("There is nothing to train.", "Name a recipe, and at least one run.")
    if len({REFERENCE, *(recipe.name for recipe in chosen)}) <= len(chosen):
        raise ImagetteError(
            f"Two of the recipes have the same name, or one is called {REFERENCE}.",
            "Give each a name of its own.",
        )
    return chosen


def train_recipe(
    out: Path, recipe: Recipe, data: Dataset, data_dir: str | Path | None, reporter: Reporter | None
) -> None:
    """Train and measure a recipe with its seed, or go on with that.

    Raises:
        ImagetteError: what was trained here before was not this very recipe.
    """
    folder = _folder(out, recipe)
    saved = folder / "recipe.toml"
    if saved.is_file() and Recipe.load(saved) != recipe:
        raise ImagetteError(
            f"{folder} was trained by another version of {recipe.name}.",
            "Choose another folder with --out, or delete that one.",
        )
    train(
        data, recipe, name=folder.name, runs_dir=folder.parent, resume=True, data_dir=data_dir,
        reporter=reporter,
    )  # fmt: skip
    if not measured(out, recipe):
        evaluate(folder, data, flip=True)


def _folder(out: Path, recipe: Recipe) -> Path:
    return out / "runs" / f"{recipe.name}-seed-{recipe.seed}"


def _claim(out: Path, data: Dataset, reading: float) -> None:
    """Note dataset and machine in a new folder; make sure that an old one is of the same dataset.

    `reading` is how many seconds it took to read the images from the disk.

    Raises:
        ImagetteError: the folder is another dataset's.
    """
    noted, here = out / "dataset.json", {"name": data.name, "train": data.train.fingerprint()}
    if not noted.is_file():
        # Not bfloat16 everywhere: where the hardware lacks it, its products take minutes.
        kinds = {torch.float32, choose_precision(choose_device(), "auto")}
        peaks = {_named(kind): matrix_peak(kind) for kind in kinds}
        info = {"peak_flops_per_second": peaks, "reading_seconds": reading}
        write_json(out / "machine.json", environment() | info)
        write_json(noted, here)
    elif json.loads(noted.read_text(encoding="utf-8")) != here:
        raise ImagetteError(
            f"{out} holds trainings on other pictures.", "Choose another folder with --out."
        )


def _check_turns(out: Path, side_by_side: bool) -> None:
    """Make sure that all trainings of a folder run on equally many cores, so that times compare.

    Raises:
        ImagetteError: there are some that did not.
    """
    before = CORES_EACH in json.loads((out / "machine.json").read_text(encoding="utf-8"))
    if before and not side_by_side:
        raise ImagetteError(
            f"{out} holds trainings that ran side by side, each on its share of the cores.",
            "Choose another folder with --out, or add --ray.",
        )
    if side_by_side and not before and any((out / "runs").glob("*")):
        raise ImagetteError(
            f"{out} holds trainings that ran one after another, each on all cores.",
            "Choose another folder with --out, or leave out --ray.",
        )


def _collect(out: Path, data: Dataset) -> list[dict[str, Any]]:
    """Write tables and plot of all that has finished in the folder; returns the summary."""
    fits = [reference_row(printed) for printed in sorted((out / "reference").glob("*.jsonl"))]
    folders = [path.parent for path in sorted((out / "runs").glob("*/metrics.json"))]
    trainings = [_training_row(folder, data) for folder in folders if _measured(folder)]
    rows, curves = zip(*fits, *trainings, strict=True)
    names = dict.fromkeys(row["name"] for row in rows)
    summary = [_summarise([row for row in rows if row["name"] == name]) for name in names]
    write_csv(out / "results.csv", list(rows))
    write_csv(out / "summary.csv", summary)
    write_bytes(out / "time-to-accuracy.png", draw(curves))
    return summary


def measured(out: Path, recipe: Recipe) -> bool:
    """Whether a recipe with its seed is trained and measured in the folder of a benchmark."""
    return _measured(_folder(out, recipe))


def _measured(folder: Path) -> bool:
    begun = (folder / "recipe.toml").is_file()
    return begun and "flip_averaged" in (read_metrics(read_run(folder)) or {})


def _training_row(folder: Path, data: Dataset) -> tuple[dict[str, Any], Curve]:
    run, recipe = read_run(folder), Recipe.load(folder / "recipe.toml")
    metrics, history = read_metrics(run) or {}, run.history
    seconds = sum(epoch.seconds for epoch in history)
    images = sum(epoch.seconds * epoch.pictures_per_second for epoch in history)
    device = run.info.device if run.info and run.info.device else "cpu"
    plan = recipe.resolve(device, round(len(data.train) * (1 - recipe.validation_fraction)))
    kind = choose_precision(torch.device(device), plan.precision)
    flops = training_flops(plan, (plan.image_size, plan.image_size, 3), len(data.class_names))
    machine = json.loads((folder.parent.parent / "machine.json").read_text(encoding="utf-8"))
    # That peak is of all cores.
    peak = None if CORES_EACH in machine else machine["peak_flops_per_second"].get(_named(kind))
    row = {
        "name": recipe.name,
        "seed": recipe.seed,
        "accuracy": metrics["accuracy"],
        "flip_averaged": metrics["flip_averaged"]["accuracy"],
        "loss": metrics["loss"],
        "seconds": seconds,
        "preparation_seconds": sum(epoch.preparation_seconds for epoch in history),
        "validation_seconds": sum(epoch.validation_seconds for epoch in history),
        "pictures_per_second": images / seconds,
        "gflops_per_second": images / seconds * flops / 1e9,
        "peak_gflops_per_second": peak / 1e9 if peak else None,
    }
    elapsed = np.cumsum([epoch.seconds for epoch in history]).tolist()
    return row, Curve(recipe.name, elapsed, [epoch.val_accuracy for epoch in history])


def _named(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")


def _summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    speed, peak = _mean(rows, "gflops_per_second"), _mean(rows, "peak_gflops_per_second")
    return {
        "name": rows[0]["name"],
        "runs": len(rows),
        **_spread("accuracy", [row["accuracy"] for row in rows]),
        "flip_averaged": _mean(rows, "flip_averaged"),
        **_spread("seconds", [row["seconds"] for row in rows]),
        "preparation_seconds": _mean(rows, "preparation_seconds"),
        "validation_seconds": _mean(rows, "validation_seconds"),
        "pictures_per_second": _mean(rows, "pictures_per_second"),
        "gflops_per_second": speed,
        "share_of_peak": speed / peak if speed and peak else None,
    }


def _mean(rows: list[dict[str, Any]], key: str) -> float | None:
    """The mean of what all rows have; None where it does not hold for them."""
    values = [row[key] for row in rows]
    return None if None in values else statistics.mean(values)


def _spread(name: str, values: list[float]) -> dict[str, float | None]:
    """Mean, standard deviation, and the mean's 95 % interval by Student's t (Student, "The
    probable error of a mean", Biometrika 6, 1908), of an accuracy cut to what one can be: 0 to 1.
    """
    from scipy import stats

    mean, deviation, low, high = statistics.mean(values), None, None, None
    if len(values) > 1:
        deviation = statistics.stdev(values)
        half = float(stats.t.ppf(0.975, len(values) - 1)) * deviation / len(values) ** 0.5
        low, high = mean - half, mean + half
        if name == "accuracy":
            low, high = max(0.0, low), min(1.0, high)
    return {name: mean, f"{name}_sd": deviation, f"{name}_low": low, f"{name}_high": high}
