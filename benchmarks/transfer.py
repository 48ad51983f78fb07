"""Transfer learning beside learning from nothing, by the number of pictures a class.

    python benchmarks/transfer.py [--sizes 5,10,50,500] [--seeds 5]

Four of CIFAR-10's classes (automobile, cat, frog, ship) are held out; a network of the recipe
`sprint-90` learns the other six. Then, for each size and seed, so many pictures of each of the four
are drawn from the train part, and accuracy is measured on the four classes' 4,000 test pictures:

- nearest-pixels: the class of the nearest picture drawn, by its pixels;
- nearest-features: the same by the direction of the features of the network of six classes;
- scratch: the recipe `sprint-90`, which learns from nothing;
- transfer: the recipe that `imagette train` chooses for so many pictures of one's own, `transfer`
  or `finetune`, begun with the network of six classes in place of the shipped one, which knows all
  ten.

A quarter as many pictures again are drawn for the trainings to calibrate their answers with;
nothing is learned from them or chosen by them. What is there already is not measured again.
"""

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from imagette import Recipe, load_dataset, train
from imagette.data import Dataset, Part, split_validation
from imagette.files import write_bytes, write_csv, write_json
from imagette.models import build_model
from imagette.plotting import COLOURS, styled, to_png
from imagette.training.choice import FINETUNE_FROM
from imagette.training.environment import environment
from imagette.training.start import compute_features, load_start

HELD_OUT = ("automobile", "cat", "frog", "ship")
SIX = Recipe.load("sprint-90")
"""How the network of six classes learns; the shipped one's recipe, `best`, takes an hour."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="5,10,50,500", help="pictures a class")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/transfer"))
    parser.add_argument("--runs", type=Path, default=Path("transfer-runs"), help="for run folders")
    arguments = parser.parse_args()
    everything = load_dataset("cifar10")
    four = only(everything, HELD_OUT)
    six = learn_six(everything, arguments.runs)
    results = read(arguments.out / "results.csv")
    done = {(row["method"], int(row["size"]), int(row["seed"])) for row in results}
    for size in map(int, arguments.sizes.split(",")):
        for seed in range(arguments.seeds):
            data = draw(four, size, seed)
            for method, measure in METHODS.items():
                if (method, size, seed) in done:
                    continue
                start = time.perf_counter()
                accuracy = measure(data, size, seed, six, arguments.runs)
                row = {"method": method, "size": size, "seed": seed, "accuracy": accuracy}
                results.append(row | {"seconds": time.perf_counter() - start})
                print(f"{size:>4} a class, seed {seed}: {method:<16} {accuracy:.1%}", flush=True)
                write_csv(arguments.out / "results.csv", results)
    write_json(arguments.out / "machine.json", environment())
    summary = summarise(results)
    write_csv(arguments.out / "summary.csv", summary)
    write_bytes(arguments.out / "transfer.png", plot(summary))


def only(dataset: Dataset, names: tuple[str, ...]) -> Dataset:
    """The pictures of some of the classes."""
    old = [dataset.class_names.index(name) for name in names]

    def part(given: Part) -> Part:
        rows = np.flatnonzero(np.isin(given.labels, old))
        return Part(given.images[rows], np.array([old.index(x) for x in given.labels[rows]]))

    name = f"cifar10-{len(names)}"
    return Dataset(name, name, names, names, part(dataset.train), part(dataset.test))


def learn_six(everything: Dataset, runs: Path) -> Path:
    """The folder of the run that has learned the classes that are not held out."""
    if not (runs / "six" / "metrics.json").is_file():
        names = tuple(name for name in everything.class_names if name not in HELD_OUT)
        train(only(everything, names), SIX, name="six", runs_dir=runs, resume=True)
    return runs / "six"


def extra(size: int) -> int:
    """How many more pictures of a class there are to calibrate with."""
    return max(1, size // 4)


def draw(four: Dataset, size: int, seed: int) -> Dataset:
    """So many train pictures of each class, and those to calibrate with."""
    random = np.random.default_rng(seed)
    rows = [
        random.choice(np.flatnonzero(four.train.labels == label), size + extra(size), replace=False)
        for label in range(len(HELD_OUT))
    ]
    return Dataset(
        "four", f"four-{size}-{seed}", HELD_OUT, HELD_OUT,
        four.train.take(np.concatenate(rows)), four.test,
    )  # fmt: skip


def nearest_pixels(data: Dataset, size: int, seed: int, six: Path, runs: Path) -> float:
    def pixels(part: Part) -> NDArray[np.float32]:
        return part.images.reshape(len(part), -1).astype(np.float32)

    return nearest(data, size, seed, pixels)


def nearest_features(data: Dataset, size: int, seed: int, six: Path, runs: Path) -> float:
    model = build_model(SIX.model, classes=len(HELD_OUT), **SIX.model_options)
    load_start(model, str(six))

    def directions(part: Part) -> NDArray[np.float32]:
        features = compute_features(model, part, mirrored=False)
        return features / np.linalg.norm(features, axis=1, keepdims=True)

    return nearest(data, size, seed, directions)


def nearest(data: Dataset, size: int, seed: int, see: Callable[[Part], NDArray]) -> float:
    known, _ = split_validation(data.train, fraction(size), seed)
    neighbour = KNeighborsClassifier(1).fit(see(known), known.labels)
    return float(neighbour.score(see(data.test), data.test.labels))


def scratch(data: Dataset, size: int, seed: int, six: Path, runs: Path) -> float:
    recipe = Recipe.load("sprint-90").change(seed=seed, validation_fraction=fraction(size))
    return accuracy_of(data, recipe, runs / f"scratch-{data.source}")


def transfer(data: Dataset, size: int, seed: int, six: Path, runs: Path) -> float:
    name = "transfer" if len(data.train) < FINETUNE_FROM else "finetune"
    recipe = Recipe.load(name).change(
        model_options=SIX.model_options, start=str(six), seed=seed,
        validation_fraction=fraction(size),
    )  # fmt: skip
    return accuracy_of(data, recipe, runs / f"transfer-{data.source}")


def fraction(size: int) -> float:
    return extra(size) / (size + extra(size))


def accuracy_of(data: Dataset, recipe: Recipe, runs: Path) -> float:
    run = train(data, recipe, runs_dir=runs)
    assert run.metrics is not None
    return run.metrics["accuracy"]


METHODS = {
    "nearest-pixels": nearest_pixels,
    "nearest-features": nearest_features,
    "scratch": scratch,
    "transfer": transfer,
}


def read(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def summarise(results: list[dict]) -> list[dict]:
    """A row for each method and size: mean and standard deviation over the seeds."""
    groups = defaultdict(list)
    for row in results:
        groups[row["method"], int(row["size"])].append(row)
    return [
        {
            "method": method,
            "size": size,
            "seeds": len(rows),
            "accuracy": mean(float(row["accuracy"]) for row in rows),
            "accuracy_sd": stdev(float(row["accuracy"]) for row in rows) if len(rows) > 1 else 0.0,
            "seconds": mean(float(row["seconds"]) for row in rows),
        }
        for (method, size), rows in groups.items()
    ]


@styled()
def plot(summary: list[dict]) -> bytes:
    """Accuracy over the number of pictures a class, a line for each method."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    for number, method in enumerate(METHODS):
        rows = sorted((row for row in summary if row["method"] == method), key=lambda r: r["size"])
        axes.errorbar(
            [row["size"] for row in rows],
            [row["accuracy"] for row in rows],
            [row["accuracy_sd"] for row in rows],
            marker="o", capsize=3, linewidth=1.6, label=method, color=COLOURS[number],
        )  # fmt: skip
    sizes = sorted({row["size"] for row in summary})
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("Pictures a class")
    axes.set_title("Test accuracy on four classes that the first network never saw")
    axes.legend(loc="lower right")
    return to_png(figure)


if __name__ == "__main__":
    main()
