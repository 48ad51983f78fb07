"""Telling pictures of none of the classes: the field's methods side by side, as AUROC.

    pip install scikit-image     # for its photographs of textures
    python experiments/unknowns.py [MODEL] [--photographs FOLDER] [--cifar100 FOLDER] [--test]

MODEL is a bundle of CIFAR-10 (default: the one that ships). Each method scores CIFAR-10's pictures
that were held out (with --test: the test pictures) and pictures of other things; AUROC is how often
it ranks one of the former higher. What needs fitting is fitted on pictures that the network learned
from. FOLDER of photographs has a folder a class, and `none` for other things; there the photographs
of the classes are ranked against those, each looked at as `Classifier.predict` does. The folder of
CIFAR-100 is its python version's. The last lines say what `familiarity` costs of the time of an
answer, in rounds that take turns.
"""

import argparse
import pickle
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnx.utils
import onnxruntime
from numpy.typing import NDArray
from PIL import Image
from scipy.special import logsumexp, softmax
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from imagette import Classifier, load_dataset
from imagette.data import Split, split_validation
from imagette.images.find_images import find_images
from imagette.training.calibrate_bundle import remove_calibration
from imagette.training.onnx_graph import find_ends, run_to

Features = NDArray[np.float32]
Logits = NDArray[np.float32]
Own = dict[str, NDArray[np.float32]]
Looked = tuple[Features, Logits, Own]
"""Of pictures: features, logits, and the scores that the bundle itself computes, by name."""
Score = Callable[[Features, Logits, Own], NDArray]
SIDE = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--cifar100", type=Path)
    parser.add_argument("--test", action="store_true")
    arguments = parser.parse_args()
    classifier = Classifier(arguments.model)
    proto = onnx.load(classifier.path)
    bare = remove_calibration(proto)
    made = {output for node in proto.graph.node for output in node.output}
    own = {
        "made outliers, told by a small network on the features": "familiarity/no_outlier",
        "energy × cosine × made outliers, as shipped": "familiarity/score",
    }
    if not made.issuperset(own.values()):  # of a network that began with ImageNet's weights
        own = {"cosine to the nearest picture learned, as shipped": "familiarity/similarity"}
    ends = find_ends(bare.graph)
    assert ends, "the bundle is one of Imagette's own"
    seen = [*ends, *own.values()]
    size = classifier.height, classifier.width

    def look(images: NDArray[np.uint8]) -> Looked:
        images = Split(images, np.zeros(len(images), np.int64)).resized(*size).images
        features, logits, *scores = run_to(proto, seen, images)
        return (
            features,
            logits,
            {name: score.reshape(-1) for name, score in zip(own, scores, strict=True)},
        )

    dataset = load_dataset("cifar10")
    learned, held_out = split_validation(dataset.train, 0.1, 0)
    known = dataset.test if arguments.test else held_out
    assert known
    features, logits, _ = look(learned.images[::2])
    methods = fit(features, logits, learned.labels[::2])
    methods |= {name: partial(own_score, name) for name in own}
    of_known = look(known.images)
    unknown = {name: look(images) for name, images in others(arguments.cifar100).items()}
    columns = list(unknown)
    photographs = Photographs(classifier, arguments.photographs, look)
    print(f"{classifier.path.name}: {len(known)} pictures of CIFAR-10 against others, AUROC")
    print(" | ".join(["method", *columns, *photographs.columns]))
    for name, score in methods.items():
        inside = score(*of_known)
        row = [auroc(inside, score(*of_others)) for of_others in unknown.values()]
        print(
            " | ".join([name, *(f"{value:.3f}" for value in row + photographs.row(score, inside))])
        )
    print_cost(classifier, known.take(np.arange(256)).resized(*size).images)


def own_score(name: str, features: Features, logits: Logits, own: Own) -> NDArray:
    """A score that the bundle itself computes."""
    return own[name]


def fit(features: Features, logits: Logits, labels: NDArray[np.int64]) -> dict[str, Score]:
    """The methods, by name; each scores higher what is more like the classes."""
    classes = range(labels.max() + 1)
    means = np.stack([features[labels == label].mean(axis=0) for label in classes])
    within = LedoitWolf().fit(features - means[labels])
    overall = LedoitWolf().fit(features)
    directions = unit(features)
    mean_directions = unit(
        np.stack([directions[labels == label].mean(axis=0) for label in classes])
    )
    # ViM's dimensions as its section 4.2 has them for features of up to 1,500 numbers.
    kept = min(512, features.shape[1] // 2)
    variances, axes = np.linalg.eigh(overall.covariance_)
    rest = axes[:, np.argsort(variances)[: features.shape[1] - kept]]

    def residual(f: Features) -> NDArray:
        return np.linalg.norm((f - overall.location_) @ rest, axis=1)

    alpha = logits.max(axis=1).mean() / residual(features).mean()

    def mahalanobis(f: Features) -> NDArray:
        return -np.min([within.mahalanobis(f - mean) for mean in means], axis=0)

    def nearest(f: Features, k: int = 50) -> NDArray:
        parts = np.array_split(unit(f), max(1, len(f) // 500))
        return np.concatenate([np.partition(p @ directions.T, -k, axis=1)[:, -k] for p in parts])

    def cosine(f: Features) -> NDArray:
        return (unit(f) @ mean_directions.T).max(axis=1)

    def generalised_entropy(z: Logits, gamma: float = 0.1) -> NDArray:
        p = softmax(z, axis=1)
        return -(p**gamma * (1 - p) ** gamma).sum(axis=1)

    return {
        "maximum softmax (Hendrycks & Gimpel, 2017)": lambda f, z, o: softmax(z, axis=1).max(
            axis=1
        ),
        "maximum logit (Hendrycks et al., 2022)": lambda f, z, o: z.max(axis=1),
        "energy (Liu et al., 2020)": lambda f, z, o: logsumexp(z, axis=1),
        "generalised entropy (Liu et al., 2023)": lambda f, z, o: generalised_entropy(z),
        "Mahalanobis (Lee et al., 2018)": lambda f, z, o: mahalanobis(f),
        "relative Mahalanobis (Ren et al., 2021)": lambda f, z, o: (
            mahalanobis(f) + overall.mahalanobis(f)
        ),
        "kNN, k = 50 (Sun et al., 2022)": lambda f, z, o: nearest(f),
        "ViM (Wang et al., 2022)": lambda f, z, o: logsumexp(z, axis=1) - alpha * residual(f),
        "energy × kNN (NNGuide; Park et al., 2023)": lambda f, z, o: (
            logsumexp(z, axis=1) * nearest(f, 10)
        ),
        "cosine to the nearest class mean": lambda f, z, o: cosine(f),
        "energy × cosine to the nearest class mean": lambda f, z, o: (
            logsumexp(z, axis=1) * cosine(f)
        ),
    }


def unit(vectors: NDArray) -> NDArray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-6)


def auroc(inside: NDArray, outside: NDArray) -> float:
    truth = np.r_[np.ones(len(inside)), np.zeros(len(outside))]
    return float(roc_auc_score(truth, np.r_[inside, outside]))


def others(cifar100: Path | None) -> dict[str, NDArray[np.uint8]]:
    """Pictures of none of the classes, uint8 `(n, 32, 32, 3)`, by what they are."""
    random = np.random.default_rng(0)
    shape = (1000, SIDE, SIDE, 3)
    found = {
        "digits": digits(random),
        "textures": textures(random),
        "uniform noise": random.integers(0, 256, shape).astype(np.uint8),
        "Gaussian noise": random.normal(128, 60, shape).clip(0, 255).astype(np.uint8),
        "smooth noise": np.stack([smooth_noise(random) for _ in range(1000)]),
    }
    if cifar100:
        content = pickle.loads((cifar100 / "test").read_bytes(), encoding="bytes")
        found["CIFAR-100"] = content[b"data"].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return found


def digits(random: np.random.Generator) -> NDArray[np.uint8]:
    """scikit-learn's handwritten digits, half of them black on white."""
    images = (load_digits().images * (255 / 16)).astype(np.uint8)
    images[::2] = 255 - images[::2]
    return np.stack([resize(Image.fromarray(image).convert("RGB")) for image in images])


def textures(random: np.random.Generator) -> NDArray[np.uint8]:
    """Squares of 32 to 256 pixels out of scikit-image's photographs of textures."""
    import skimage.data

    found = []
    for photograph in (skimage.data.brick(), skimage.data.grass(), skimage.data.gravel()):
        image = Image.fromarray(photograph).convert("RGB")
        for side in random.integers(32, 257, 300):
            left, top = random.integers(0, np.array(image.size) - side + 1)
            found.append(resize(image.crop((left, top, left + side, top + side))))
    return np.stack(found)


def smooth_noise(random: np.random.Generator) -> NDArray[np.uint8]:
    side = random.choice([2, 3, 4, 6, 8])
    return resize(Image.fromarray(random.integers(0, 256, (side, side, 3)).astype(np.uint8)))


def resize(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


class Photographs:
    """Photographs of the classes against those of other things, where there are any."""

    def __init__(
        self,
        classifier: Classifier,
        folder: Path | None,
        look: Callable[[NDArray[np.uint8]], Looked],
    ) -> None:
        self.columns: list[str] = []
        if folder is None:
            return
        files = find_images(folder).images
        self.is_other = np.array([file.parent.name == "none" for file in files])
        views = [classifier.views(file) for file in files]
        self.of = np.repeat(np.arange(len(files)), [len(each) for each in views])
        self.first = np.r_[True, self.of[1:] != self.of[:-1]]
        self.looked = look(np.stack([view.pixels for each in views for view in each]))
        self.columns = ["photographs of classes/others", "CIFAR-10/photographs of others"]

    def row(self, score: Score, inside: NDArray) -> list[float]:
        """AUROC of the photographs' means, and against CIFAR-10 of the whole photographs."""
        if not self.columns:
            return []
        scores = score(*self.looked)
        means = np.bincount(self.of, scores) / np.bincount(self.of)
        whole = scores[self.first]
        return [
            auroc(means[~self.is_other], means[self.is_other]),
            auroc(inside, whole[self.is_other]),
        ]


def print_cost(classifier: Classifier, images: NDArray[np.uint8], rounds: int = 15) -> None:
    """What `familiarity` adds to the time of an answer, for one picture and for 256 at once."""
    whole = classifier.path.read_bytes()
    proto = onnx.utils.Extractor(onnx.load(classifier.path)).extract_model(
        ["image"], ["probabilities"]
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    both = [
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        for content in (proto.SerializeToString(), whole)
    ]
    for count, times in ((1, 200), (256, 1)):
        ratios = []
        for _ in range(rounds):
            seconds = []
            for session in both:
                start = time.perf_counter()
                for _ in range(times):
                    session.run(None, {"image": images[:count]})
                seconds.append(time.perf_counter() - start)
            ratios.append(seconds[1] / seconds[0] - 1)
        print(
            f"familiarity adds {statistics.median(ratios):+.1%} ({min(ratios):+.1%} to"
            f" {max(ratios):+.1%}) to the time for {count} at once, one thread, {rounds} rounds"
        )


if __name__ == "__main__":
    main()
