"""`imagette predict` on many files, beside what decoding and the network alone allow.

    python experiments/batch_predict.py [--rounds 3] [--pictures 20000] [--photographs 0]

Makes PNG files of 32×32 pixels (CIFAR-10, from IMAGETTE_CIFAR10_DIR) and, where they are asked for,
JPEG files of 1200×900 (mosaics of them), and measures in turns, on all cores, in pictures a second:

- **decoding** alone, d: each file to the views that the network takes. The faster of threads and
  processes, one a core.
- **network** alone, n: views in memory, in batches of 256, for some seconds. The faster of one
  session with all cores and processes with a session of one thread each.
- the **bound**: what both allow one after the other, 1 / (1/d + 1/n).
- **command**: `imagette predict FOLDER --out FILE`, all of it: start of Python, of the processes
  and of the networks included.
- **answering**: the same without what it takes to start: half of the files, in the seconds that all
  of them take more than the other half.

The files lie in the page cache. Prints each round, then a table: the median of each figure, and in
brackets the range of the ratios. It wants a machine with nothing else to do, and takes some four
minutes on two cores; with `--model-pictures` fewer of the PNG files are given to the slow model.
"""

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.images.open_image import open_image
from imagette.inference.answering_processes import available_cores
from imagette.inference.classifier import BATCH_SIZE, Classifier

CORES = available_cores()
_SAMPLE = 1_000
"""Pictures whose views the network alone is given, again and again."""
_NETWORK_SECONDS = 3
"""How long, about."""

_network: Classifier | None = None
_pixels: NDArray[np.uint8]


def make_files(folder: Path, pictures: int, photographs: int) -> tuple[Path, Path]:
    """Write the files; the folders of the PNG files and of the JPEG files."""
    from imagette.data import load_dataset

    images = load_dataset("cifar10").train.images
    small, large = folder / "png", folder / "jpeg"
    small.mkdir()
    large.mkdir()
    for number in range(pictures):
        Image.fromarray(images[number % len(images)]).save(small / f"{number:06}.png")
    rng = np.random.default_rng(0)
    for number in range(photographs):
        tiles = images[rng.integers(0, len(images), 19 * 15)].reshape(15, 19, 32, 32, 3)
        mosaic = Image.fromarray(tiles.transpose(0, 2, 1, 3, 4).reshape(480, 608, 3))
        mosaic.resize((1200, 900), Image.Resampling.BICUBIC).save(
            large / f"{number:06}.jpg", quality=90
        )
    return small, large


def link_some(folder: Path, fewer: Path, pictures: int) -> Path:
    """A folder with the first so many files of another."""
    fewer.mkdir(exist_ok=True)
    for path in sorted(folder.iterdir())[:pictures]:
        if not (fewer / path.name).exists():
            os.link(path, fewer / path.name)
    return fewer


def measure_decoding(paths: Sequence[str], side: int) -> float:
    """Pictures a second from files to views."""
    chunks = [(list(paths[start : start + 32]), side) for start in range(0, len(paths), 32)]
    with ThreadPoolExecutor(CORES) as threads:
        by_threads = _timed(lambda: list(threads.map(_decode, chunks)))
    with _processes(None, 0, _pixels_of(paths[:1], side)) as pool:
        by_processes = _timed(lambda: list(pool.map(_decode, chunks)))
    return len(paths) / min(by_threads, by_processes)


def measure_network(model: str, paths: Sequence[str], side: int) -> float:
    """Pictures a second from views in memory to answers."""
    sample = paths[:_SAMPLE]
    pixels = _pixels_of(sample, side)
    views = len(pixels) / len(sample)
    whole = Classifier(model)
    _run(whole, pixels[:BATCH_SIZE])
    on_each_core = _NETWORK_SECONDS / CORES / _timed(lambda: _run(whole, pixels))
    repeats = CORES * max(1, round(on_each_core))
    with _processes(model, 1, pixels) as pool:
        by_processes = _timed(lambda: list(pool.map(_run_network, range(repeats))))
    by_session = _timed(lambda: _run(whole, pixels, repeats))
    return repeats * len(pixels) / views / min(by_session, by_processes)


def time_command(model: str, folder: Path, pictures: int, file: Path) -> float:
    """Seconds of the command, from outside."""
    file.unlink(missing_ok=True)
    words = [sys.executable, "-m", "imagette", "predict", str(folder), "--model", model]
    seconds = _timed(
        lambda: subprocess.run([*words, "--out", str(file)], check=True, capture_output=True)
    )
    if len(file.read_bytes().splitlines()) != pictures:
        raise SystemExit(f"{file} does not hold {pictures} answers.")
    return seconds


def measure_all(name: str, model: str, folder: Path, scratch: Path) -> dict[str, float]:
    """One turn of all that is compared, printed."""
    paths = [str(path) for path in sorted(folder.iterdir())]
    side = Classifier(model).height
    decoding, network = measure_decoding(paths, side), measure_network(model, paths, side)
    bound = 1 / (1 / decoding + 1 / network)
    half = link_some(folder, scratch / f"half of {folder.name}", len(paths) // 2)
    seconds_half = time_command(model, half, len(paths) // 2, scratch / "answers.jsonl")
    seconds = time_command(model, folder, len(paths), scratch / "answers.jsonl")
    command = len(paths) / seconds
    answering = (len(paths) - len(paths) // 2) / (seconds - seconds_half)
    print(
        f"{name:<26} decoding {decoding:7,.0f}  network {network:7,.0f}  bound {bound:7,.0f}"
        f"  answering {answering:7,.0f} ({answering / bound:.2f})"
        f"  command {command:7,.0f} ({command / bound:.2f})",
        flush=True,
    )
    return {
        "bound": bound,
        "command": command,
        "command / bound": command / bound,
        "answering / bound": answering / bound,
    }


def print_table(figures: dict[str, list[dict[str, float]]]) -> None:
    """The median of each figure over the rounds, and the range of each ratio."""
    columns = list(next(iter(figures.values()))[0])
    print("\n" + "  ".join([f"{'pictures/s':<28}", *(f"{column:>18}" for column in columns)]))
    for name, rounds in figures.items():
        cells = []
        for column in columns:
            found = [one[column] for one in rounds]
            middle = statistics.median(found)
            ratio = f"{middle:.2f} ({min(found):.2f}–{max(found):.2f})"
            cells.append(ratio if "/" in column else f"{middle:,.0f}")
        print("  ".join([f"{name:<28}", *(f"{cell:>18}" for cell in cells)]))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--model-pictures", type=int, default=20_000)
    parser.add_argument("--photographs", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, large = make_files(folder, options.pictures, options.photographs)
        fewer = link_some(small, folder / "fewer", options.model_pictures)
        sets = [("cifar10-lite", small), ("cifar10", fewer)]
        if options.photographs:
            sets += [("cifar10-lite", large), ("cifar10", large)]
        figures: dict[str, list[dict[str, float]]] = {}
        for number in range(options.rounds):
            print(
                f"round {number + 1} of {options.rounds}, {CORES} cores; pictures/s (to the bound)"
            )
            for model, where in sets:
                pictures = len(list(where.iterdir()))
                name = f"{pictures:,} {'JPEG' if where == large else 'PNG'}, {model}"
                figures.setdefault(name, []).append(measure_all(name, model, where, folder))
    print_table(figures)


def _processes(model: str | None, threads: int, pixels: NDArray[np.uint8]) -> ProcessPoolExecutor:
    """A process a core, all started and warm."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(CORES, context, _start, (model, threads, pixels))
    list(pool.map(time.sleep, [0.5] * CORES))
    return pool


def _start(model: str | None, threads: int, pixels: NDArray[np.uint8]) -> None:
    global _network, _pixels
    _pixels = pixels
    if model is not None:
        _network = Classifier(model, threads=threads)
        _run(_network, pixels[:BATCH_SIZE])


def _run_network(_: int) -> None:
    assert _network is not None
    _run(_network, _pixels)


def _run(network: Classifier, pixels: NDArray[np.uint8], times: int = 1) -> None:
    for _ in range(times):
        network.predict_arrays(pixels, BATCH_SIZE)


def _decode(chunk: tuple[list[str], int]) -> None:
    paths, side = chunk
    for path in paths:
        open_image(path).views(side, side)


def _pixels_of(paths: Sequence[str], side: int) -> NDArray[np.uint8]:
    return np.array([view.pixels for path in paths for view in open_image(path).views(side, side)])


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
