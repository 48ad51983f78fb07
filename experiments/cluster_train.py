"""What a second worker brings, and what sixteen machines would: features, sums, and epochs.

    python experiments/cluster_train.py [--pictures 2000] [--rounds 3] [--train 4000]

Two raylets of one core each are begun on this machine, which needs two cores that nothing else
uses. In turns, one of them works and both do:

- features of made JPEG files of 300×200 pixels, none of them known before;
- an epoch of `sprint-94` on random pictures of CIFAR-10's size (`--train` of them).

Efficiency is the speed of two over twice that of one. The paper's part takes the seconds of a step
apart, on one core, and counts the bytes that cross the network.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from ray.cluster_utils import Cluster

from imagette import Recipe, build_model
from imagette.cluster.connection import cluster
from imagette.cluster.workers import ClusterWorkers
from imagette.data import Split
from imagette.features.backbone import open_backbone
from imagette.models.backend import load_torch_keras
from imagette.training.augment import Batch, augment_batch
from imagette.training.state import State
from imagette.training.trainer import Trainer

NETWORK = 1.25e9
"""Bytes a second between machines: 10 Gbit Ethernet."""
LATENCY = 1e-4
"""Seconds that a message takes."""
MACHINES = 16
BYTES_A_ROW = 2 * 1280 + 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--train", type=int, default=4000)
    arguments = parser.parse_args()
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
            compare("epochs", arguments.rounds, lambda n: learned_a_second(arguments.train, n))
    finally:
        nodes.shutdown()
    on_paper(arguments.train)


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
    """Without what actors take to begin, which does not grow with the pictures."""
    backbone = open_backbone()
    before = os.environ.get("IMAGETTE_CACHE_DIR")
    with tempfile.TemporaryDirectory() as nothing_known:
        os.environ["IMAGETTE_CACHE_DIR"] = nothing_known
        try:
            few = files[: 16 * workers]
            start = time.perf_counter()
            ClusterWorkers(2, workers).compute_features(few, backbone, "centre")
            beginning = time.perf_counter() - start
            start = time.perf_counter()
            ClusterWorkers(2, workers).compute_features(files, backbone, "whole")
            return (len(files) - len(few)) / (time.perf_counter() - start - beginning)
        finally:
            os.environ.pop("IMAGETTE_CACHE_DIR")
            if before:
                os.environ["IMAGETTE_CACHE_DIR"] = before


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
    """From the parts of a step on one core to those of many machines of one core."""
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
    size = 4 * weights
    alone = augment + optimize
    print(
        f"sprint-94, a step of {recipe.batch_size}: {step:.3f} s on one core, of which"
        f" {augment:.3f} s change the images and {optimize:.3f} s are the optimizers, which each"
        f" worker does; {size / 1e6:.1f} MB of gradients, {2 * norms + 1} small sums"
    )
    for machines in (2, 4, 8, MACHINES):
        talk = 2 * (machines - 1) * (size / machines / NETWORK + LATENCY)
        talk += (2 * norms + 1) * 2 * (machines - 1) * LATENCY
        shared = (step - alone) / machines + alone + talk
        print(
            f"  {machines:>2} machines: ({step:.3f} − {alone:.3f}) / {machines} + {alone:.3f}"
            f" + {talk:.3f} = {shared:.3f} s, {step / shared:.1f} times as fast, efficiency"
            f" {step / shared / machines:.2f}"
        )
    print(
        f"features: {BYTES_A_ROW} bytes a picture come back, and twice {BYTES_A_ROW - 16} go out"
        f" for the sums and the scores: the driver's network carries"
        f" {NETWORK / (3 * BYTES_A_ROW):,.0f} pictures/s"
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
