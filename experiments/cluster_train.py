"""How much a second worker speeds up features and epochs, and what sixteen would, on paper.

    python experiments/cluster_train.py [--pictures 300] [--rounds 3] [--train 500]

Two raylets of one core each run on this machine, which needs two idle cores. In turns, one worker
and two compute:

- features of generated JPEG files of 300×200 pixels, none of them in the cache;
- the second of two epochs of `sprint-94` on random pictures of CIFAR-10's size (`--train` of them).

Efficiency is the speed of two workers divided by twice that of one. Left out are Ray's start, the
workers' preparation and, of an epoch, the validation, the checkpoint and its way to the driver. On
one machine no network lies between the workers, and they share its memory and caches.

For more machines, efficiency is computed from a step on one core, measured in parts, and the bytes
that cross the network. That is printed first: it needs no cluster.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from ray.cluster_utils import Cluster

from imagette import Recipe, build_model
from imagette.cluster.connection import cluster
from imagette.cluster.workers import ClusterWorkers
from imagette.data import Split
from imagette.features.backbone import open_backbone
from imagette.features.compute import Features, Found, gather
from imagette.models.backend import load_torch_keras
from imagette.models.efficientnet_lite import FEATURES
from imagette.training.augment import Batch, augment_batch
from imagette.training.state import State
from imagette.training.trainer import Trainer

NETWORK = 1.25e9
"""Bytes a second between machines, assumed: 10 Gbit Ethernet."""
LATENCY = 1e-4
"""Seconds that a message takes, assumed."""
MACHINES = 16
BYTES_OF_FEATURES = 2 * FEATURES
BYTES_OF_PRODUCTS = 8 * FEATURES**2 / 16_384
"""A picture's share of the Gram matrix that comes back for so many."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--train", type=int, default=500)
    arguments = parser.parse_args()
    on_paper(arguments.train)
    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    for _ in range(2):
        nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    try:
        with cluster(nodes.address), tempfile.TemporaryDirectory() as place:
            files = make_pictures(Path(place), arguments.pictures)
            compare("features", arguments.rounds, lambda n: features_a_second(files, n))
            name = "epochs (their steps alone: no validation, no checkpoint)"
            compare(name, arguments.rounds, lambda n: learned_a_second(arguments.train, n))
    finally:
        nodes.shutdown()


def compare(name: str, rounds: int, measure: Callable[[int], float]) -> None:
    """One worker and two in turns; pictures a second, and the efficiency of each round."""
    found = [(measure(1), measure(2)) for _ in range(rounds)]
    ratios = [two / (2 * one) for one, two in found]
    print(
        f"{name}: one worker {median(one for one, _ in found):.1f} pictures/s, two"
        f" {median(two for _, two in found):.1f}; efficiency {median(ratios):.2f}"
        f" ({min(ratios):.2f} to {max(ratios):.2f} in {rounds} rounds)",
        flush=True,
    )


def make_pictures(folder: Path, count: int) -> list[Path]:
    random = np.random.default_rng(0)
    files = [folder / f"{number}.jpg" for number in range(count)]
    for file in files:
        coarse = random.integers(0, 255, (12, 18, 3), np.uint8)
        Image.fromarray(coarse).resize((300, 200), Image.Resampling.BICUBIC).save(file)
    return files


def features_a_second(files: list[Path], workers: int) -> float:
    """Of the second half of the pictures, when all workers have started."""
    backbone, arrived = open_backbone(), list[tuple[float, int]]()

    def watch(count: int, blocks: Iterable[tuple[int, Found]]) -> Features:
        def watched() -> Iterator[tuple[int, Found]]:
            for start, found in blocks:
                arrived.append((time.perf_counter(), len(found)))
                yield start, found

        return gather(count, watched())

    with (
        tempfile.TemporaryDirectory() as empty,
        mock.patch.dict(os.environ, IMAGETTE_CACHE_DIR=empty),
        mock.patch("imagette.cluster.features.gather", watch),
    ):
        ClusterWorkers(2, workers).compute_features(files, backbone, "whole")
    (since, _), *later = arrived[len(arrived) // 2 :]
    return sum(count for _, count in later) / (later[-1][0] - since)


def learned_a_second(count: int, workers: int) -> float:
    """Of the second epoch."""
    recipe = Recipe.load("sprint-94").change(epochs=2, min_steps=0, progressive_share=0)
    options: dict[str, Any] = recipe.model_options
    model = build_model(recipe.model, **options)
    train = random_split(count)
    with tempfile.TemporaryDirectory() as folder:
        *_, last = ClusterWorkers(2, workers).train_epochs(
            Path(folder), model, train, train.take(np.arange(100)), recipe, State(),
            lambda _: None, lambda _: None, None,
        )  # fmt: skip
    return last.history[-1]["pictures_per_second"]


def random_split(count: int) -> Split:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 32, 32, 3), np.uint8)
    return Split(images, random.integers(0, 10, count))


def on_paper(count: int) -> None:
    """What many machines of one core would do, from a step on one core.

    Messages of an all-reduce go round a ring: 2 (n - 1) of them, each of 1/n of the bytes.
    """
    torch.set_num_threads(1)
    recipe = Recipe.load("sprint-94").change(epochs=2, min_steps=0, progressive_share=0)
    load_torch_keras().utils.set_random_seed(0)
    options: dict[str, Any] = recipe.model_options
    model = build_model(recipe.model, **options)
    trainer = Trainer(model, random_split(min(count, 2000)), recipe, None)
    trainer.warm_up()
    step, augment, optimize = trainer.full_step_seconds, *seconds_of_parts(trainer)
    weights = sum(one.value.numel() for one in model.trainable_weights)
    norms = sum(type(layer).__name__ == "BatchNormalization" for layer in model.layers)
    size, sums = 4 * weights, 2 * norms + 1
    alone = augment + optimize
    print(
        f"sprint-94, a step of {recipe.batch_size} pictures on one core: {step:.3f} s, of which"
        f" every worker does {alone:.3f} s ({augment:.3f} s change the images, {optimize:.3f} s are"
        f" the optimizers')\n"
        f"all-reduced in a step: {weights:,} gradients, {size / 1e6:.2f} MB, and {sums} small sums"
        f" (normalisation, logits)\n"
        f"assumed: {NETWORK / 1e9} GB/s and {LATENCY * 1e3} ms a message",
        flush=True,
    )
    for machines in (2, 4, 8, MACHINES):
        messages = 2 * (machines - 1)
        gradients = messages * (size / machines / NETWORK + LATENCY)
        small = sums * messages * LATENCY
        shared = (step - alone) / machines + alone + gradients + small
        print(
            f"  {machines:>2} machines: {messages * size / machines / 1e6:.2f} MB sent by each;"
            f" ({step:.3f} − {alone:.3f}) / {machines} + {alone:.3f} + {gradients:.4f}"
            f" + {small:.4f} = {shared:.3f} s, {step / shared:.1f} times as fast,"
            f" efficiency {step / shared / machines:.2f}",
            flush=True,
        )
    carried = 4 * BYTES_OF_FEATURES + BYTES_OF_PRODUCTS
    print(
        f"features of 10,000 pictures and more: {BYTES_OF_FEATURES} bytes a picture come to the"
        f" driver and go out three times, for near duplicates, the Gram matrix and leave-one-out"
        f" scores; {BYTES_OF_PRODUCTS:.0f} bytes are its share of the Gram matrix."
        f" At {NETWORK / 1e9} GB/s the driver's network carries"
        f" {NETWORK / carried:,.0f} pictures/s",
        flush=True,
    )


def seconds_of_parts(trainer: Trainer) -> tuple[float, float]:
    """Of a step: changing a batch's images, and the optimizers; medians of nine."""
    size = trainer.recipe.batch_size
    mirrored = trainer.mirrored[:size]
    batch = Batch(trainer.images[:size], trainer.labels[:size], trainer.classes, mirrored)
    found: list[tuple[float, float]] = []
    for _ in range(9):
        start = time.perf_counter()
        augment_batch(batch, trainer.recipe.augment)
        middle = time.perf_counter()
        for optimizer in trainer.optimizers:
            optimizer.step()
        found.append((middle - start, time.perf_counter() - middle))
    return median(one for one, _ in found), median(other for _, other in found)


if __name__ == "__main__":
    main()
