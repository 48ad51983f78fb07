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

import importlib.util
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
import torch

from imagette.benchmark.plot import Curve, draw
from imagette.data import Dataset, load_dataset
from imagette.errors import ImagetteError
from imagette.evaluation import evaluate
from imagette.evaluation.run_folder import read_metrics, read_run
from imagette.files import write_bytes, write_csv, write_json, write_text
from imagette.models import build_model
from imagette.models.backend import load_torch_keras
from imagette.training.environment import environment
from imagette.training.hardware import choose_device, choose_precision
from imagette.training.recipe import Recipe
from imagette.training.run import Reporter, train
from imagette.training.translation import Translated

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
    if not chosen or runs < 1:
        raise ImagetteError("There is nothing to train.", "Name a recipe, and at least one run.")
    if len({REFERENCE, *(recipe.name for recipe in chosen)}) <= len(chosen):
        raise ImagetteError(
            f"Two of the recipes have the same name, or one is called {REFERENCE}.",
            "Give each a name of its own.",
        )
    data = dataset if isinstance(dataset, Dataset) else load_dataset(dataset or "cifar10", data_dir)
    if data.test is None:
        raise ImagetteError(
            f"{data.name} has no test part to measure on.", "Choose a dataset that has one."
        )
    python = _tensorflow(tensorflow)
    if python is None:
        say("TensorFlow is not installed here: the reference is left out (see --tensorflow).")
    _claim(out, data)
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


def _claim(out: Path, data: Dataset) -> None:
    """Note dataset and machine in a new folder; make sure that an old one is of the same dataset.

    Raises:
        ImagetteError: the folder is another dataset's.
    """
    noted, here = out / "dataset.json", {"name": data.name, "train": data.train.fingerprint()}
    if not noted.is_file():
        peaks = {_named(kind): _matrix_peak(kind) for kind in _precisions()}
        write_json(out / "machine.json", environment() | {"peak_flops_per_second": peaks})
        write_json(noted, here)
    elif json.loads(noted.read_text(encoding="utf-8")) != here:
        raise ImagetteError(
            f"{out} holds trainings on other pictures.", "Choose another folder with --out."
        )


def _collect(out: Path, data: Dataset) -> list[dict[str, Any]]:
    """Write tables and plot of all that has finished in the folder; returns the summary."""
    fits = [_reference_row(printed) for printed in sorted((out / "reference").glob("*.jsonl"))]
    folders = [path.parent for path in sorted((out / "runs").glob("*/metrics.json"))]
    trainings = [_training_row(folder, data) for folder in folders if _measured(folder)]
    rows, curves = zip(*fits, *trainings, strict=True)
    names = dict.fromkeys(row["name"] for row in rows)
    summary = [_summarise([row for row in rows if row["name"] == name]) for name in names]
    write_csv(out / "results.csv", list(rows))
    write_csv(out / "summary.csv", summary)
    write_bytes(out / "time-to-accuracy.png", draw(curves))
    return summary


def _measured(folder: Path) -> bool:
    return "flip_averaged" in (read_metrics(read_run(folder)) or {})


def _training_row(folder: Path, data: Dataset) -> tuple[dict[str, Any], Curve]:
    run, recipe = read_run(folder), Recipe.load(folder / "recipe.toml")
    metrics, history = read_metrics(run) or {}, run.history
    seconds = sum(epoch.seconds for epoch in history)
    pictures = sum(epoch.seconds * epoch.pictures_per_second for epoch in history)
    device = run.facts.device if run.facts and run.facts.device else "cpu"
    plan = recipe.resolve(device, round(len(data.train) * (1 - recipe.validation_fraction)))
    kind = choose_precision(torch.device(device), plan.precision)
    machine = json.loads((folder.parent.parent / "machine.json").read_text(encoding="utf-8"))
    row = {
        "name": recipe.name,
        "seed": recipe.seed,
        "accuracy": metrics["accuracy"],
        "flip_averaged": metrics["flip_averaged"]["accuracy"],
        "loss": metrics["loss"],
        "seconds": seconds,
        "preparation_seconds": sum(epoch.preparation_seconds for epoch in history),
        "validation_seconds": sum(epoch.validation_seconds for epoch in history),
        "pictures_per_second": pictures / seconds,
        "gflops_per_second": pictures / seconds * _training_flops(plan, data) / 1e9,
        "peak_gflops_per_second": machine["peak_flops_per_second"][_named(kind)] / 1e9,
    }
    elapsed = np.cumsum([epoch.seconds for epoch in history]).tolist()
    return row, Curve(recipe.name, elapsed, [epoch.val_accuracy for epoch in history])


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
        "preparation_seconds": None,
        "validation_seconds": None,
        "pictures_per_second": end["pictures"] * len(epochs) / end["seconds"],
        "gflops_per_second": None,
        "peak_gflops_per_second": None,
    }
    curve = Curve(REFERENCE, [e["seconds"] for e in epochs], [e["val_accuracy"] for e in epochs])
    return row, curve


def _fit(python: str, data: Dataset, seed: int) -> str:
    assert data.test is not None
    arguments = [seed, REFERENCE_EPOCHS, REFERENCE_PATIENCE]
    order = np.arange(len(data.train))
    if data.name != "cifar10":
        # Keras holds out the last pictures. CIFAR-10 comes mixed, folders sorted by class.
        order = np.random.default_rng(seed).permutation(order)
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures.npz"
        np.savez(
            pictures,
            train=data.train.images[order],
            train_labels=data.train.labels[order],
            test=data.test.images,
            test_labels=data.test.labels,
        )
        try:
            answer = subprocess.run(
                [python, str(_FIT), str(pictures), *map(str, arguments)],
                env=os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
                capture_output=True,
                text=True,
            )
        except OSError as error:
            raise ImagetteError(
                f"{python} cannot be run: {error.strerror}.",
                "Name a Python that has TensorFlow with --tensorflow.",
            ) from error
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


def _training_flops(plan: Recipe, data: Dataset) -> float:
    """Floating-point operations to learn a picture once, forward and backward, on the average."""
    height, width, channels = data.train.images.shape[1:]
    side, share = plan.small_side, plan.small_share
    flops = (1 - share) * _flops_of_a_step(plan, data, (height, width, channels))
    return flops + (share * _flops_of_a_step(plan, data, (side, side, channels)) if share else 0)


def _flops_of_a_step(plan: Recipe, data: Dataset, shape: tuple[int, int, int]) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    load_torch_keras()
    model = build_model(
        plan.model, input_shape=shape, classes=len(data.class_names), **plan.model_options
    )
    pictures = torch.zeros(2, *shape)
    with FlopCounterMode(display=False) as counter:
        Translated(model, until="logits")(pictures, training=True).sum().backward()
    return counter.get_total_flops() / len(pictures)


def _precisions() -> list[torch.dtype]:
    """What recipes may compute in here."""
    return list({torch.float32, choose_precision(choose_device(), "auto")})


def _named(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")


def _matrix_peak(precision: torch.dtype, size: int = 2048) -> float:
    """Operations a second of this machine at its best: those of a matrix product."""
    matrix = torch.randn(size, size, device=choose_device()).to(precision)
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
