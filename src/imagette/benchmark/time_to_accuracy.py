"""How accurate a network is after how many seconds, recipe beside recipe.

    <out>/
        runs/<recipe>-seed-<n>/   the run folder of each training
        reference/seed-<n>.jsonl  what the classic recipe by Keras' `fit` printed
        results.csv               a row a training
        summary.csv               a row a recipe: means, deviations, intervals
        machine.json              what it ran on
        time-to-accuracy.png      validation accuracy over seconds, for all

Trainings take turns, one of each recipe after the other, because the speed of a machine wanders.
What has finished is not trained again: a benchmark that was stopped goes on.
"""

import csv
import importlib.util
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imagette.benchmark.plot import Curve, draw
from imagette.data import Dataset, load_dataset
from imagette.errors import ImagetteError
from imagette.evaluation import evaluate
from imagette.evaluation.run_folder import read_metrics, read_run
from imagette.files import write_bytes, write_json, write_text
from imagette.models import build_model, count_flops
from imagette.training.environment import environment
from imagette.training.hardware import choose_device, choose_precision
from imagette.training.recipe import Recipe
from imagette.training.run import Reporter, train

REFERENCE = "classic-fit"
"""The classic recipe by plain Keras `fit` on TensorFlow, as tutorials have it."""

RECIPES = ("sprint-70", "sprint-80", "sprint-90", "sprint-94")
REFERENCE_EPOCHS, REFERENCE_PATIENCE = 50, 5
_FIT = Path(__file__).with_name("classic_fit.py")

Say = Callable[[str], None]


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
) -> list[dict[str, Any]]:
    """Train each recipe with several seeds and compare accuracies and times.

    The result is of all trainings in `out`, those of earlier calls with other recipes included.

    Time goes from the first training step to the last, the preparation of the pictures included;
    reading from disk, validation and compilation are left out. Accuracy is that of the bundle on
    the test part, plain and, beside it, averaged over each picture and its mirror image.

    Args:
        recipes: names of recipes or TOML files.
        runs: trainings of each, with the seeds 0, 1, 2 …
        out: folder for what it leaves.
        dataset: what `load_dataset` takes, or a `Dataset` with a test part.
        data_dir: where to look for CIFAR-10 first.
        tensorflow: a Python that has TensorFlow, for the reference; by default this one, if it
            has. Without one the reference is left out.
        reporter: hears of each training.
        say: is told a line at a time what happens.

    Returns:
        A row each, plain values: `name`, `runs`, `accuracy`, `accuracy_sd`, `accuracy_low` and
        `accuracy_high` (95 % interval of the mean), `flip_averaged`, the same four of `seconds`,
        `pictures_per_second`, `gflops_per_second` and `share_of_peak`. Deviations and intervals of
        a single run are None, as is what does not hold for the reference.

    Raises:
        ImagetteError: a recipe or the dataset cannot be used, or the reference failed.
        KeyboardInterrupt: stopped; the same call goes on.
    """
    out = Path(out)
    chosen = [Recipe.load(recipe) for recipe in recipes]
    if len({recipe.name for recipe in chosen}) < len(chosen):
        raise ImagetteError("Two of the recipes have the same name.", "Give each its own.")
    data = dataset if isinstance(dataset, Dataset) else load_dataset(dataset or "cifar10", data_dir)
    if data.test is None:
        raise ImagetteError(
            f"{data.name} has no test part to measure on.", "Choose a dataset that has one."
        )
    python = _tensorflow(tensorflow)
    if python is None:
        say("TensorFlow is not installed here: the reference is left out (see --tensorflow).")
    write_json(out / "machine.json", environment())
    summary: list[dict[str, Any]] = []
    for seed in range(runs):
        if python is not None:
            _reference(python, data, seed, out / "reference", say)
        for recipe in chosen:
            say(f"{recipe.name}, seed {seed}")
            folder = train(
                data, recipe.change(seed=seed), name=f"{recipe.name}-seed-{seed}",
                runs_dir=out / "runs", resume=True, data_dir=data_dir, reporter=reporter,
            ).folder  # fmt: skip
            if not _measured(folder):
                evaluate(folder, data, flip=True)
        # After each turn, so that a benchmark that is stopped leaves what it has.
        summary = _collect(out, data)
    return summary


def _collect(out: Path, data: Dataset) -> list[dict[str, Any]]:
    """Write tables and plot of all that has finished in the folder; returns the summary."""
    fits = [_reference_row(printed) for printed in sorted((out / "reference").glob("*.jsonl"))]
    folders = [path.parent for path in sorted((out / "runs").glob("*/metrics.json"))]
    trainings = [_training_row(folder, data) for folder in folders if _measured(folder)]
    rows, curves = zip(*fits, *trainings, strict=True)
    names = dict.fromkeys(row["name"] for row in rows)
    summary = [_summarise([row for row in rows if row["name"] == name]) for name in names]
    _write_csv(out / "results.csv", list(rows))
    _write_csv(out / "summary.csv", summary)
    write_bytes(out / "time-to-accuracy.png", draw(curves))
    return summary


def _measured(folder: Path) -> bool:
    return "flip_averaged" in (read_metrics(read_run(folder)) or {})


def _training_row(folder: Path, data: Dataset) -> tuple[dict[str, Any], Curve]:
    run, recipe = read_run(folder), Recipe.load(folder / "recipe.toml")
    metrics = read_metrics(run) or {}
    seconds = sum(epoch.seconds for epoch in run.history)
    pictures = sum(epoch.seconds * epoch.pictures_per_second for epoch in run.history)
    row = {
        "name": recipe.name,
        "seed": recipe.seed,
        "accuracy": metrics["accuracy"],
        "flip_averaged": metrics["flip_averaged"]["accuracy"],
        "loss": metrics["loss"],
        "seconds": seconds,
        "pictures_per_second": pictures / seconds,
        "gflops_per_second": pictures / seconds * _training_flops(recipe, data) / 1e9,
        "peak_gflops_per_second": _matrix_peak(recipe) / 1e9,
    }
    elapsed = np.cumsum([epoch.seconds for epoch in run.history]).tolist()
    return row, Curve(recipe.name, elapsed, [epoch.val_accuracy for epoch in run.history])


def _reference(python: str, data: Dataset, seed: int, folder: Path, say: Say) -> None:
    """Train the classic recipe by `fit` in a process of its own, unless that was done before."""
    printed = folder / f"seed-{seed}.jsonl"
    if not printed.is_file():
        say(f"{REFERENCE}, seed {seed}: the classic recipe by Keras' fit on TensorFlow")
        write_text(printed, _fit(python, data, seed))


def _reference_row(printed: Path) -> tuple[dict[str, Any], Curve]:
    *epochs, end = map(json.loads, printed.read_text(encoding="utf-8").splitlines())
    row = {
        "name": REFERENCE,
        "seed": int(printed.stem.removeprefix("seed-")),
        "accuracy": end["accuracy"],
        "flip_averaged": None,
        "loss": end["loss"],
        "seconds": end["seconds"],
        "pictures_per_second": end["pictures"] * len(epochs) / end["seconds"],
        "gflops_per_second": None,
        "peak_gflops_per_second": None,
    }
    curve = Curve(REFERENCE, [e["seconds"] for e in epochs], [e["val_accuracy"] for e in epochs])
    return row, curve


def _fit(python: str, data: Dataset, seed: int) -> str:
    assert data.test is not None
    arguments = [seed, REFERENCE_EPOCHS, REFERENCE_PATIENCE]
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures.npz"
        np.savez(
            pictures,
            train=data.train.images,
            train_labels=data.train.labels,
            test=data.test.images,
            test_labels=data.test.labels,
        )
        answer = subprocess.run(
            [python, str(_FIT), str(pictures), *map(str, arguments)],
            env=os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        raise ImagetteError(
            f"The reference could not be trained by {python}: {last}",
            "Name a Python that has TensorFlow with --tensorflow, or leave it out.",
        )
    return answer.stdout


def _tensorflow(python: str | Path | None) -> str | None:
    """A Python that has TensorFlow."""
    if python is not None:
        return str(python)
    return sys.executable if importlib.util.find_spec("tensorflow") else None


def _training_flops(recipe: Recipe, data: Dataset) -> float:
    """Floating-point operations to learn a picture once: forward, and twice that backward."""

    def forward(shape: tuple[int, int, int]) -> int:
        model = build_model(
            recipe.model,
            input_shape=shape,
            classes=len(data.class_names),
            **recipe.model_options,
        )
        return count_flops(model)

    height, width, channels = data.train.images.shape[1:]
    flops = (1 - recipe.small_share) * forward((height, width, channels))
    if recipe.small_share:
        flops += recipe.small_share * forward((recipe.small_side, recipe.small_side, channels))
    return 3 * flops


def _matrix_peak(recipe: Recipe, size: int = 2048) -> float:
    """Operations a second of this machine at its best: a matrix product in the same precision."""
    import torch

    device = choose_device()
    precision = choose_precision(device, recipe.resolve(device.type, 1).precision)
    matrix = torch.randn(size, size, device=device).to(precision)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        # Reading a value makes a GPU finish first.
        float((matrix @ matrix)[0, 0])
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times)


def _summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    flips = [row["flip_averaged"] for row in rows if row["flip_averaged"] is not None]
    speeds = [row["gflops_per_second"] for row in rows if row["gflops_per_second"] is not None]
    shares = [
        row["gflops_per_second"] / row["peak_gflops_per_second"]
        for row in rows
        if row["gflops_per_second"] is not None
    ]
    return {
        "name": rows[0]["name"],
        "runs": len(rows),
        **_spread("accuracy", [row["accuracy"] for row in rows]),
        "flip_averaged": statistics.mean(flips) if flips else None,
        **_spread("seconds", [row["seconds"] for row in rows]),
        "pictures_per_second": statistics.mean(row["pictures_per_second"] for row in rows),
        "gflops_per_second": statistics.mean(speeds) if speeds else None,
        "share_of_peak": statistics.mean(shares) if shares else None,
    }


def _spread(name: str, values: list[float]) -> dict[str, float | None]:
    """Mean, standard deviation, and the mean's 95 % interval by Student's t."""
    from scipy import stats

    mean = statistics.mean(values)
    if len(values) == 1:
        return {name: mean, f"{name}_sd": None, f"{name}_low": None, f"{name}_high": None}
    deviation = statistics.stdev(values)
    half = float(stats.t.ppf(0.975, len(values) - 1)) * deviation / len(values) ** 0.5
    return {
        name: mean,
        f"{name}_sd": deviation,
        f"{name}_low": mean - half,
        f"{name}_high": mean + half,
    }


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
