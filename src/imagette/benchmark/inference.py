"""The throughput of bundles, in pictures a second, and how right they are.

    <out>/
        summary.csv       a row for each bundle, number of threads and number of pictures at once
        environment.json  what it ran on
        frontier.png      test accuracy over speed, and over size

Bundles take turns, because the speed of a machine wanders. One is open at a time: the threads of an
open session wait busily for a while after each answer, and would slow the others down.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng  # here, since a Ctrl-C while NumPy imports it is lost
from numpy.typing import NDArray

from imagette.benchmark.frontier import Dot, draw
from imagette.errors import ImagetteError
from imagette.files import make_folder, write_bytes, write_csv, write_json
from imagette.inference.bundle import SHIPPED, BundleMetadata
from imagette.inference.classifier import Classifier
from imagette.training.environment import environment

THREADS, BATCHES, ROUNDS = (1, 2), (1, 256), 7
SECONDS = 0.2
"""What each measurement takes at least."""

MOST_THREADS, MOST_IMAGES = 256, 4096
"""More is a slip of the finger, and might take all of the memory."""

# With a new number of pictures ONNX Runtime arranges its memory in the first two answers.
_WARM_UP = 2

Say = Callable[[str], None]


@dataclass(frozen=True)
class BenchmarkedBundle:
    """A bundle to measure.

    Attributes:
        name: what to call it; no other one of the same benchmark has it.
        path: the file.
        metadata: what the bundle says of itself.
    """

    name: str
    path: Path
    metadata: BundleMetadata

    def info(self) -> dict[str, Any]:
        """What is known without measuring; the accuracy only where it is one of test pictures."""
        known = self.metadata
        return {
            "name": self.name,
            "file": str(self.path),
            "shipped": self.path.resolve() in {path.resolve() for path in SHIPPED.values()},
            "dataset": known.dataset,
            "accuracy": known.accuracy if known.accuracy_split == "test" else None,
            "parameters": known.parameters,
            "megabytes": self.path.stat().st_size / 1e6,
        }


def measure_inference(
    bundles: Sequence[str | Path] = (),
    *,
    out: str | Path = "inference",
    threads: Sequence[int] = THREADS,
    batches: Sequence[int] = BATCHES,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    say: Say = lambda _: None,
) -> list[dict[str, Any]]:
    """Measure how many pictures a second bundles classify with ONNX Runtime.

    Each round goes through all bundles. What is timed is the network's answer to pictures that
    have its size already, with the session as `Classifier` opens it.

    Args:
        bundles: `.onnx` files or run folders; the models that ship with the package if none.
        out: folder for what it leaves.
        threads: CPU threads an answer may use.
        batches: pictures given at once.
        rounds: measurements of each.
        seconds: what each measurement takes at least.
        say: is told a line at a time what happens.

    Returns:
        A row for each bundle, number of pictures and number of threads, plain values: `name`,
        `file`, `shipped`, `dataset`, `accuracy` (None unless it is that of test pictures),
        `parameters`, `megabytes` (of a million bytes), `threads`, `batch`, `rounds`, and
        `pictures_per_second`, the median, with `pictures_per_second_low` and `_high`.

    Raises:
        ImagetteError: a bundle cannot be used, or there is nothing to measure.
    """
    out, threads, batches = Path(out), sorted(set(threads)), sorted(set(batches))
    _check("threads", threads, MOST_THREADS)
    _check("pictures at once", batches, MOST_IMAGES)
    _check("rounds", [rounds])
    opened = _open_all(bundles or list(SHIPPED.values()))
    _make(out)
    machine = environment()
    rows = _measure(opened, threads, batches, rounds, seconds, say)
    write_csv(out / "summary.csv", rows)
    write_json(out / "environment.json", machine)
    write_bytes(out / "frontier.png", _draw(rows, say))
    return rows


def _check(what: str, numbers: Sequence[int], most: int | None = None) -> None:
    if not numbers or min(numbers) < 1 or (most and max(numbers) > most):
        raise ImagetteError(
            f"{', '.join(map(str, numbers)) or 'None'} is not a number of {what} to measure with.",
            f"Give numbers from 1 to {most}." if most else "Give a number from 1.",
        )


def _make(folder: Path) -> None:
    """Make a folder before minutes of measuring, so that a mistake in its name shows at once."""
    try:
        make_folder(folder)
    except OSError as error:
        if isinstance(error, FileExistsError | NotADirectoryError):
            problem = f"{folder} cannot be a folder: a file has that name."
        else:
            problem = f"The folder {folder} cannot be made: {error.strerror}."
        raise ImagetteError(problem, "Choose another folder with --out.") from error


def _open_all(bundles: Sequence[str | Path]) -> list[BenchmarkedBundle]:
    """Check each bundle and read what it says of itself; one that is given twice counts once."""
    opened = [(found.path, found.metadata) for found in map(Classifier, bundles)]
    unique = {path.resolve(): (path, metadata) for path, metadata in opened}
    paths, metadata = zip(*unique.values(), strict=True)
    shipped = {path: name for name, path in SHIPPED.items()}
    names = [
        shipped.get(path)
        or _name_of_run(path)
        or str((known.recipe or {}).get("name") or known.model or path.stem)
        for path, known in unique.values()
    ]
    named = zip(_distinct(names, paths), paths, metadata, strict=True)
    return [BenchmarkedBundle(*one) for one in named]


def _name_of_run(path: Path) -> str | None:
    """The name of the run whose bundle it is; None for any other bundle."""
    return path.resolve().parent.name if path.name == "model.onnx" else None


def _distinct(names: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """Names that are equal made different by those of the runs or the files, or the whole path."""
    longer = [
        _longer(name, path) if names.count(name) > 1 else name
        for name, path in zip(names, paths, strict=True)
    ]
    return [
        str(path) if longer.count(name) > 1 else name
        for name, path in zip(longer, paths, strict=True)
    ]


def _longer(name: str, path: Path) -> str:
    place = path.resolve().parent.name if path.name == "model.onnx" else path.stem
    return place if name in place else f"{name} ({place})"


def _measure(
    bundles: Sequence[BenchmarkedBundle],
    threads: Sequence[int],
    batches: Sequence[int],
    rounds: int,
    seconds: float,
    say: Say,
) -> list[dict[str, Any]]:
    """Measure all in turns; returns the rows."""
    speeds: dict[tuple[str, int, int], list[float]] = {}
    start = time.perf_counter()
    for done in range(rounds):
        left = (time.perf_counter() - start) / done * (rounds - done) if done else None
        say(f"Round {done + 1} of {rounds}" + (f", about {left:.0f} s left" if left else ""))
        for bundle in bundles:
            for count in threads:
                found = _speeds(bundle.path, count, batches, seconds)
                for batch, speed in zip(batches, found, strict=True):
                    speeds.setdefault((bundle.name, count, batch), []).append(speed)
    return [
        bundle.info()
        | {"threads": count, "batch": batch}
        | _spread(speeds[bundle.name, count, batch])
        for bundle in bundles
        for batch in batches
        for count in threads
    ]


def _speeds(path: Path, threads: int, batches: Sequence[int], seconds: float) -> list[float]:
    """Pictures a second for each number of pictures, in a session that is closed after it."""
    classifier = Classifier(path, threads=threads)
    try:
        return [_speed(classifier, batch, seconds) for batch in batches]
    # As when a session is opened, and the pictures may take more memory than there is.
    except Exception as error:
        raise ImagetteError(
            f"{path} does not answer {' or '.join(map(str, batches))} pictures at once.",
            "Measure with fewer pictures, or without that bundle.",
        ) from error


def _speed(classifier: Classifier, batch: int, seconds: float) -> float:
    images = _random_images(batch, classifier.height, classifier.width)
    for _ in range(_WARM_UP):
        classifier.predict_proba(images, batch)
    answers, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds or not answers:
        classifier.predict_proba(images, batch)
        answers += 1
    return answers * batch / elapsed


def _random_images(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """Random patches of colour, which are nearer to photographs than noise is."""
    size = (count, -(-height // 4), -(-width // 4), 3)
    patches = default_rng(0).integers(0, 256, size, dtype=np.uint8)
    large = patches.repeat(4, axis=1).repeat(4, axis=2)
    return np.ascontiguousarray(large[:, :height, :width])


def _spread(speeds: Sequence[float]) -> dict[str, Any]:
    return {
        "rounds": len(speeds),
        "pictures_per_second": statistics.median(speeds),
        "pictures_per_second_low": min(speeds),
        "pictures_per_second_high": max(speeds),
    }


def _draw(rows: Sequence[dict[str, Any]], say: Say) -> bytes:
    """Draw the bundles whose accuracy is known, at the most threads and pictures at once."""
    *_, last = rows
    shown = [
        row for row in rows if (row["threads"], row["batch"]) == (last["threads"], last["batch"])
    ]
    for row in shown:
        if row["accuracy"] is None:
            say(f"{row['name']} is not in the plot: its accuracy on test pictures is not known.")
    known = [row for row in shown if row["accuracy"] is not None]
    if len({row["dataset"] for row in known}) > 1:
        say("The accuracies are of different datasets, so they cannot be compared.")
    speeds = [f"pictures_per_second{end}" for end in ("", "_low", "_high")]
    shown_of_each = ("name", "accuracy", *speeds, "megabytes", "shipped")
    dots = [Dot(*(row[field] for field in shown_of_each)) for row in known]
    threads = f"{last['threads']} thread{'s' if last['threads'] > 1 else ''}"
    return draw(dots, f"{last['batch']} at once, {threads}")
