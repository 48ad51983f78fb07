"""Which measure of familiarity tells other things from those that were learned.

    python experiments/familiarity.py FOLDER ...

Each FOLDER holds a folder a class; give two or more. Measures of similarity by the backbone's
features: cosine to the nearest, the third or the fifth picture learned, cosine to the nearest class
mean, and Mahalanobis distance to it with a covariance that all classes share (Lee et al., *A Simple
Unified Framework for Detecting Out-of-Distribution Samples*, 2018). For each, the AUROC of half of
each class, which was not learned, against the pictures of the other folders, and, which is harder,
against those of every second class of the same folder, which was not learned either.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from imagette.data import open_source
from imagette.features.backbone import open_backbone
from imagette.features.compute import compute_features
from imagette.heads.head import directions

Rows = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    sets = {folder.resolve(): load(folder) for folder in parser.parse_args().folders}
    print(f"{'':<28}" + "".join(f"{name:>22}" for name in MEASURES))
    for folder, (rows, labels) in sets.items():
        half = np.arange(len(rows)) % 2 == 0
        others = np.concatenate([other for name, (other, _) in sets.items() if name != folder])
        show(folder, "other sets", (rows[half], labels[half]), rows[~half], others)
        known = labels % 2 == 0
        if len(np.unique(labels[known])) > 1:
            learned = rows[half & known], labels[half & known]
            show(folder, "other classes", learned, rows[~half & known], rows[~known])


def load(folder: Path) -> tuple[Rows, NDArray[np.int64]]:
    """Directions of the features of a folder's pictures, and their labels."""
    train = open_source(folder).raw_train
    features = compute_features(train.images, open_backbone(), "centre").rows
    return directions(features).astype(np.float32), train.labels


def show(
    folder: Path, against: str, learned: tuple[Rows, NDArray], own: Rows, others: Rows
) -> None:
    truth = [1] * len(own) + [0] * len(others)
    asked = np.concatenate([own, others])
    found = [roc_auc_score(truth, measure(*learned, asked)) for measure in MEASURES.values()]
    name = f"{folder.parent.name}, {against}"
    print(f"{name:<28}" + "".join(f"{value:>22.4f}" for value in found), flush=True)


def neighbour(number: int) -> Callable[[Rows, NDArray, Rows], Rows]:
    def measure(rows: Rows, labels: NDArray, asked: Rows) -> Rows:
        return np.sort(asked @ rows.T, axis=1)[:, -number]

    return measure


def class_means(rows: Rows, labels: NDArray) -> Rows:
    return np.stack([rows[labels == label].mean(axis=0) for label in np.unique(labels)])


def nearest_mean(rows: Rows, labels: NDArray, asked: Rows) -> Rows:
    means = class_means(rows, labels)
    return (asked @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T).max(axis=1)


def mahalanobis(rows: Rows, labels: NDArray, asked: Rows) -> Rows:
    means = class_means(rows, labels)
    centred = rows - means[np.unique(labels, return_inverse=True)[1]]
    covariance = centred.T @ centred / len(rows)
    # More features than pictures: without this it has no inverse.
    ridge = 0.1 * np.trace(covariance) / len(covariance)
    values, vectors = np.linalg.eigh(covariance + ridge * np.eye(len(covariance)))
    scaled = vectors / np.sqrt(values)
    distances = [((asked - mean) @ scaled) ** 2 for mean in means]
    return -np.min([each.sum(axis=1) for each in distances], axis=0)


MEASURES = {
    "nearest": neighbour(1),
    "third": neighbour(3),
    "fifth": neighbour(5),
    "class mean": nearest_mean,
    "Mahalanobis": mahalanobis,
}

if __name__ == "__main__":
    main()
