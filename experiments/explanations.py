"""Whether heat maps show what decides, and what they cost.

    python experiments/explanations.py [MODEL ...] [--pictures 200]

On CIFAR-10 test pictures that a model (default: both that ship) names rightly:
- deletion: what the probability of the class loses when the hottest square, a third of the side, is
  covered, against squares at random (Samek et al., *Evaluating the Visualization of What a Deep
  Neural Network has Learned*, 2017) and against the middle, where the thing mostly is;
- randomisation: how alike maps are (Spearman's rank correlation) once the weights of every
  convolution have been shuffled (Adebayo et al., *Sanity Checks for Saliency Maps*, 2018);
- milliseconds a map, with one thread and with two, in rounds of 20.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from scipy.ndimage import uniform_filter
from scipy.stats import spearmanr

from imagette import Classifier, load_dataset

SQUARE = 10 / 32
"""Side of what is covered, as a share of the picture's."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["cifar10", "cifar10-lite"])
    parser.add_argument("--pictures", type=int, default=200)
    arguments = parser.parse_args()
    part = load_dataset("cifar10").test
    assert part
    for model in arguments.models:
        classifier = Classifier(model, threads=1)
        first = part.take(np.arange(2 * arguments.pictures))
        some = first.resized(classifier.height, classifier.width).images
        right = classifier.predict_proba(some).argmax(axis=1) == part.labels[: len(some)]
        images = some[right][: arguments.pictures]
        labels = part.labels[: len(some)][right][: arguments.pictures]
        print(f"{model}: {len(images)} pictures")
        maps = classifier.heat_maps(images, labels)
        print_deletion(classifier, images, labels, maps)
        print_randomisation(classifier, images, labels, maps)
        for threads in (1, 2):
            print_time(Classifier(model, threads=threads), images[:20], threads)


def print_deletion(
    classifier: Classifier,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    maps: NDArray[np.float32],
) -> None:
    side = images.shape[1]
    square = round(SQUARE * side)
    half = square // 2
    sums = uniform_filter(maps, (0, square, square), mode="constant")[:, half:-half, half:-half]
    hottest = np.stack([np.unravel_index(each.argmax(), each.shape) for each in sums])
    random = np.random.default_rng(0)
    places = {
        "hottest": [hottest],
        "middle": [np.full_like(hottest, (side - square) // 2)],
        "random": [random.integers(0, side - square + 1, hottest.shape) for _ in range(10)],
    }
    before = of_class(classifier, images, labels)
    for name, draws in places.items():
        lost = [before - of_class(classifier, covered(images, at), labels) for at in draws]
        mean = float(np.mean(lost))
        error = float(np.std(np.mean(lost, axis=0)) / len(images) ** 0.5)
        print(f"  covering the {name} square takes {mean:.1%} ± {error:.1%} (standard error)")


def of_class(
    classifier: Classifier, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> NDArray[np.float32]:
    return classifier.predict_proba(images)[np.arange(len(labels)), labels]


def covered(images: NDArray[np.uint8], corners: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The pictures, a square of each in its mean colour."""
    result, square = images.copy(), round(SQUARE * images.shape[1])
    for picture, (top, left) in zip(result, corners, strict=True):
        mean = picture.mean(axis=(0, 1)).round()
        picture[top : top + square, left : left + square] = mean
    return result


def print_randomisation(
    classifier: Classifier,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    maps: NDArray[np.float32],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shuffled.onnx"
        shuffle_weights(classifier.path, path)
        others = Classifier(path, threads=1).heat_maps(images, labels)
    alike = [
        spearmanr(a.ravel(), b.ravel()).statistic
        for a, b in zip(maps, others, strict=True)
        if a.std() and b.std()
    ]
    print(
        f"  with shuffled weights: rank correlation {np.median(alike):+.2f} (median; quartiles"
        f" {np.quantile(alike, 0.25):+.2f}, {np.quantile(alike, 0.75):+.2f})"
    )


def shuffle_weights(source: Path, target: Path) -> None:
    """A bundle whose every weight with 1,000 numbers or more is in random order."""
    proto, random = onnx.load(source), np.random.default_rng(0)
    for weight in proto.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.size >= 1000:
            mixed = random.permutation(values.ravel()).reshape(values.shape)
            weight.CopyFrom(numpy_helper.from_array(mixed, weight.name))
    onnx.save(proto, target)


def print_time(classifier: Classifier, images: NDArray[np.uint8], threads: int) -> None:
    times = []
    for image in images:
        start = time.perf_counter()
        classifier.heat_maps(image[np.newaxis], np.array([0]))
        times.append(1000 * (time.perf_counter() - start))
    print(
        f"  a map takes {statistics.median(times):.1f} ms ({min(times):.1f} to {max(times):.1f})"
        f" with {threads} thread{'s' * (threads > 1)}"
    )


if __name__ == "__main__":
    main()
