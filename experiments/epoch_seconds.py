"""Seconds an epoch of the classic recipe: Imagette beside Keras' own `fit`.

    python experiments/epoch_seconds.py --tensorflow PYTHON_WITH_TENSORFLOW

Trains `classic-cnn` with the recipe `classic` on CIFAR-10 (IMAGETTE_CIFAR10_DIR), in turns, each
turn in a process of its own: Imagette's loop, Keras `fit` on PyTorch and, where a Python with
TensorFlow is named, Keras `fit` on TensorFlow. An epoch is 40,000 pictures of training and 10,000
of validation; the first epoch of each turn, in which libraries warm up, is left out.
"""

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "epoch_seconds.csv"


def imagette_epochs(epochs: int) -> list[float]:
    """Wall seconds of each epoch, validation included, by Imagette's loop."""
    import imagette
    from imagette.training.reporter import Reporter

    class Clock(Reporter):
        def __init__(self) -> None:
            self.times: list[float] = []

        def on_start(self, *_: object) -> None:
            self.times.append(time.perf_counter())

        def on_epoch(self, *_: object, **__: object) -> None:
            self.times.append(time.perf_counter())

    import tempfile

    clock = Clock()
    recipe = imagette.Recipe.load("classic").change(epochs=epochs, patience=0)
    with tempfile.TemporaryDirectory() as folder:
        imagette.train("cifar10", recipe, runs_dir=folder, reporter=clock)
    return [after - before for before, after in zip(clock.times, clock.times[1:], strict=False)]


def fit_epochs(epochs: int) -> list[float]:
    """Wall seconds of each epoch, validation included, by Keras' `fit` on KERAS_BACKEND."""
    import pickle

    # Of the package as a file, because a Python that has TensorFlow need not have Imagette.
    sys.path.insert(0, str(HERE.parent / "src/imagette/benchmark"))
    import keras
    import numpy as np
    from classic_fit import classic_model  # type: ignore[import-not-found]

    def load(name: str) -> tuple[np.ndarray, np.ndarray]:
        with Path(os.environ["IMAGETTE_CIFAR10_DIR"], name).open("rb") as file:
            batch = pickle.load(file, encoding="bytes")
        pictures = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return pictures.astype("float32") / 255, np.array(batch[b"labels"])

    parts = [load(f"data_batch_{number}") for number in range(1, 6)]
    pictures, labels = (np.concatenate(part) for part in zip(*parts, strict=True))

    class Clock(keras.callbacks.Callback):
        times: list[float] = []  # noqa: RUF012

        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            Clock.times.append(time.perf_counter() - self.began)

    model = classic_model((32, 32, 3), classes=10)
    model.fit(
        pictures, labels, batch_size=64, epochs=epochs, validation_split=0.2, verbose=0,
        callbacks=[Clock()],
    )  # fmt: skip
    return Clock.times


def turn(contestant: str, python: str, epochs: int) -> list[float]:
    """Run one contestant in a process of its own; seconds of every epoch but the first."""
    backend = "tensorflow" if contestant == "Keras fit, TensorFlow" else "torch"
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [python, __file__, "--worker", contestant, "--epochs", str(epochs + 1)]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tensorflow", help="a Python that has TensorFlow installed")
    parser.add_argument("--epochs", type=int, default=2, help="epochs measured a turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work = imagette_epochs if options.worker == "Imagette" else fit_epochs
        print(json.dumps(work(options.epochs)))
        return

    pythons = {"Imagette": sys.executable, "Keras fit, PyTorch": sys.executable}
    if options.tensorflow:
        pythons["Keras fit, TensorFlow"] = options.tensorflow
    seconds: dict[str, list[float]] = {name: [] for name in pythons}
    for _ in range(options.rounds):
        for name, python in pythons.items():
            seconds[name] += turn(name, python, options.epochs)

    print(f"{platform.platform()}, {os.cpu_count()} cores; {options.rounds} rounds")
    ours = statistics.median(seconds["Imagette"])
    rows = [
        {
            "contestant": name,
            "epochs": len(values),
            "median_seconds": round(statistics.median(values), 2),
            "lowest": round(min(values), 2),
            "highest": round(max(values), 2),
            "ratio_to_imagette": round(statistics.median(values) / ours, 2),
        }
        for name, values in seconds.items()
    ]
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
