"""What it gains that PyTorch runs the Keras graph directly: pictures/s of training steps, in turns.

    python experiments/translation.py [--rounds 5]

For every network of the registry, steps of 500 pictures (forward and backward, no optimizer) by
Keras' own layers on PyTorch and by the translation, both in float32 on the same weights, and by the
translation in bfloat16 where the hardware multiplies that. Medians of all rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch.nn import functional

from imagette.models import MODELS, build_model
from imagette.models.backend import load_torch_keras
from imagette.training.hardware import choose_precision, keep_memory
from imagette.training.torch_graph import TorchNetwork

BATCH = 500


def seconds(network: Callable[..., torch.Tensor], pictures: torch.Tensor) -> float:
    labels = torch.arange(BATCH) % 10
    start = time.perf_counter()
    functional.cross_entropy(network(pictures, training=True), labels).backward()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    keras = load_torch_keras()
    keep_memory()
    pictures = torch.randint(0, 256, (BATCH, 32, 32, 3)).float()
    precision = choose_precision(torch.device("cpu"), "auto")
    for name in MODELS:
        model = build_model(name)
        logits = keras.Model(model.inputs, model.get_layer("logits").output)
        translated = TorchNetwork(model, until="logits")
        contestants = {
            "Keras, float32": (logits, pictures),
            "translated, float32": (translated, pictures),
            f"translated, {str(precision).removeprefix('torch.')}": (
                translated,
                pictures.to(precision),
            ),
        }
        times: dict[str, list[float]] = {contestant: [] for contestant in contestants}
        for number in range(rounds + 1):
            for contestant, (network, given) in contestants.items():
                once = seconds(network, given)
                if number:  # the first step prepares
                    times[contestant].append(once)
        for contestant, values in times.items():
            speeds = [BATCH / value for value in values]
            print(
                f"{name:9} {contestant:22} {statistics.median(speeds):7,.0f} pictures/s"
                f" ({min(speeds):,.0f} to {max(speeds):,.0f})"
            )


if __name__ == "__main__":
    main()
