"""What each choice behind the recipe `photos` is worth, by leave-one-out on pictures to learn from.

    python experiments/views_and_bits.py FOLDER ... [--float32] [--shipped] [--small]

Each FOLDER holds a folder a class; none of their test pictures is looked at. For each, accuracy of
leave-one-out answers with the middle of each picture, all of it, and the features of both averaged;
and with square roots and unit length left out. `--float32` adds the network in float32, run by
PyTorch; `--shipped` the features of the model that ships instead of the backbone's.
`--small` adds four of CIFAR-10's classes at 32×32 pixels (automobile, cat, frog, ship):
5, 10, 50 and 500 pictures a class learned, 5 seeds (1 with 500), 500 test pictures a class.
"""

import argparse
from pathlib import Path
from statistics import mean

import numpy as np
import onnx

from imagette import Classifier, load_dataset
from imagette.data import open_source
from imagette.features.backbone import open_backbone
from imagette.features.compute import compute_features
from imagette.heads.head import directions, fit_head
from imagette.heads.ridge import fit_ridge
from imagette.images.views import ViewName
from imagette.training.calibrate_bundle import remove_calibration
from imagette.training.onnx_graph import find_ends, run_to

CLASSES = ("automobile", "cat", "frog", "ship")
SIZES = {5: 5, 10: 5, 50: 5, 500: 1}
"""Seeds, by pictures a class."""
DRAWN, TESTED = 700, 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--float32", action="store_true")
    parser.add_argument("--shipped", action="store_true")
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        found = by_choice(folder, arguments.float32)
        if arguments.shipped:
            found["the shipped model's features, middle"] = of_shipped(folder)
        for name, accuracy in found.items():
            print(f"{folder.parent.name}/{folder.name}: {name:<40} {accuracy:.2%}", flush=True)
    if arguments.small:
        for size, accuracies in small_pictures().items():
            print(
                f"32×32, {size} pictures a class: {mean(accuracies):.2%} ({len(accuracies)} runs)"
            )


def by_choice(folder: Path, float32: bool) -> dict[str, float]:
    """Leave-one-out accuracies by what was chosen."""
    sources, labels, _ = open_source(folder).raw_train
    backbone = open_backbone()
    middle, whole = (
        compute_features(sources, backbone, view).rows.astype(np.float32)
        for view in ("centre", "whole")
    )
    results = {
        "8 bits, middle": accuracy(directions(middle), labels),
        "8 bits, whole": accuracy(directions(whole), labels),
        "8 bits, both averaged": accuracy(directions((middle + whole) / 2), labels),
        "8 bits, middle, features as they are": accuracy(middle, labels),
    }
    if float32:
        views: tuple[ViewName, ...] = ("centre", "whole")
        for view in views:
            exact = in_float32(folder, view)
            results[f"float32, {view}"] = accuracy(directions(exact), labels)
    return results


def in_float32(folder: Path, view: ViewName) -> np.ndarray:
    """Features by PyTorch, `(n, 1280)`."""
    import torch

    from imagette.models import build_model
    from imagette.models.backend import load_torch_keras
    from imagette.training.outputs import compute_outputs

    load_torch_keras()
    images = open_source(folder).load(224, view).train.images
    model = build_model("efficientnet-lite", input_shape=(224, 224, 3), weights="imagenet")
    return compute_outputs(model, images, "features", torch.float32)


def of_shipped(folder: Path) -> float:
    """Leave-one-out accuracy with the features of the model that ships."""
    classifier = Classifier()
    proto = remove_calibration(onnx.load(classifier.path))
    ends = find_ends(proto.graph)
    assert ends, "the shipped model is one of Imagette's own"
    train = open_source(folder).load(classifier.height, "centre").train
    [rows] = run_to(proto, [ends[0]], train.images)
    return accuracy(directions(rows), train.labels)


def accuracy(rows: np.ndarray, labels: np.ndarray) -> float:
    """Share of the leave-one-out answers that are right."""
    answers = fit_ridge(rows, labels, labels.max() + 1).loo_scores
    return float((answers.argmax(axis=1) == labels).mean())


def small_pictures() -> dict[int, list[float]]:
    """Test accuracies by pictures a class, one for each seed."""
    data, backbone = load_dataset("cifar10"), open_backbone()
    assert data.test
    random = np.random.default_rng(0)
    learned, tested = [], []
    for name in CLASSES:
        label = data.class_names.index(name)
        some = random.permutation(np.flatnonzero(data.train.labels == label)[:2500])[:DRAWN]
        others = np.flatnonzero(data.test.labels == label)[:TESTED]
        learned.append(compute_features(list(data.train.images[some]), backbone, "whole").rows)
        tested.append(compute_features(list(data.test.images[others]), backbone, "whole").rows)
    test, true = np.concatenate(tested), np.repeat(np.arange(len(CLASSES)), TESTED)
    results: dict[int, list[float]] = {}
    for size, seeds in SIZES.items():
        for seed in range(seeds):
            some = np.random.default_rng(seed).permutation(DRAWN)[:size]
            rows = np.concatenate([each[some] for each in learned])
            head, _ = fit_head(rows, np.repeat(np.arange(len(CLASSES)), size), len(CLASSES))
            right = head.predict(test)[0].argmax(axis=1) == true
            results.setdefault(size, []).append(float(right.mean()))
    return results


if __name__ == "__main__":
    main()
