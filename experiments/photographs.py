"""How a large photograph should become a network's small picture: ways side by side.

    python experiments/photographs.py FOLDER [MODEL ...]

FOLDER has a folder of photographs for each class, and `none` with those of other things. MODELs are
bundles (default: those that ship). For each way: how many photographs of the classes are named
rightly, and how often `familiarity` ranks one of them above one of other things (AUROC). Where a
way takes several views, their answers are averaged, like those of `Classifier.predict`.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from imagette import Classifier
from imagette.images.find_images import find_images
from imagette.images.open_image import open_image

Split = tuple[Image.Image, tuple[float, float, float, float] | None]
"""A picture, and the box of it that is brought to the network's size (None for all of it)."""
Way = Callable[[Image.Image], list[Split]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="*", default=["cifar10", "cifar10-lite"])
    arguments = parser.parse_args()
    files = find_images(arguments.folder).images
    images = [open_image(file).to_rgb() for file in files]
    for model in arguments.models:
        classifier = Classifier(model)
        names = {name: position for position, name in enumerate(classifier.class_names)}
        labels = np.array([names.get(file.parent.name, -1) for file in files])
        known = labels >= 0
        print(f"{model}: {known.sum()} photographs of the classes, {(~known).sum()} of others")
        print("way | views | named rightly | AUROC")
        size = classifier.width, classifier.height
        looks = {
            name: [[shrink(part, size) for part in way(image)] for image in images]
            for name, way in WAYS.items()
        }
        looks["as shipped"] = [[one.pixels for one in classifier.views(file)] for file in files]
        for name, of_each in looks.items():
            probabilities, familiarity, views = ask(classifier, of_each)
            right = int((probabilities.argmax(axis=1) == labels)[known].sum())
            area = roc_auc_score(known, familiarity)
            share = right / known.sum()
            print(f"{name} | {views:.1f} | {right} ({share:.1%}) | {area:.3f}", flush=True)


def ask(
    classifier: Classifier, looks: list[list[NDArray[np.uint8]]]
) -> tuple[NDArray, NDArray, float]:
    """Mean probabilities `(n, classes)`, mean familiarity `(n,)`, and views a photograph."""
    counts = np.array([len(each) for each in looks])
    probabilities, familiarity = classifier.predict_arrays(
        np.stack([p for each in looks for p in each])
    )
    assert familiarity is not None
    starts = np.r_[0, counts.cumsum()[:-1]]
    means = np.add.reduceat(probabilities, starts) / counts[:, np.newaxis]
    return means, np.add.reduceat(familiarity, starts) / counts, float(counts.mean())


def shrink(part: Split, size: tuple[int, int]) -> NDArray[np.uint8]:
    image, box = part
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box))


def squash(image: Image.Image) -> Split:
    return image, None


def cut(image: Image.Image, zoom: float = 1.0, x: float = 0.5, y: float = 0.5) -> Split:
    """A square of `zoom` times the shorter side; `x` and `y` from one end (0) to the other (1)."""
    side = min(image.size) * zoom
    left, top = (image.width - side) * x, (image.height - side) * y
    return image, (left, top, left + side, top + side)


def letterbox(image: Image.Image) -> Split:
    """All of it, undistorted, on a square of its mean colour."""
    mean = tuple(int(value) for value in np.asarray(image).mean(axis=(0, 1)))
    square = Image.new("RGB", (max(image.size),) * 2, mean)
    square.paste(image, ((square.width - image.width) // 2, (square.height - image.height) // 2))
    return square, None


def salient(image: Image.Image, zoom: float = 0.8) -> Split:
    """The square that holds most of what stands out (Hou & Zhang, *Saliency Detection: A Spectral
    Residual Approach*, 2007)."""
    small = np.asarray(image.convert("L").resize((64, 64), Image.Resampling.BICUBIC), np.float64)
    spectrum = np.fft.fft2(small)
    logarithm = np.log(np.abs(spectrum) + 1e-9)
    residual = logarithm - gaussian_filter(logarithm, 1.5)
    stands_out = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    stands_out = gaussian_filter(stands_out, 2.5)
    side = min(image.size) * zoom
    height, width = (max(1, round(64 * side / size)) for size in (image.height, image.width))
    windows = np.lib.stride_tricks.sliding_window_view(stands_out, (height, width))
    sums = windows.sum(axis=(2, 3))
    row, column = np.unravel_index(sums.argmax(), sums.shape)
    left = min(column * image.width / 64, image.width - side)
    top = min(row * image.height / 64, image.height - side)
    return image, (left, top, left + side, top + side)


def corners(image: Image.Image, zoom: float) -> list[Split]:
    return [cut(image, zoom, x, y) for x in (0, 1) for y in (0, 1)]


def mirrored(way: Way) -> Way:
    """What a way gives of a photograph, and of its mirror image."""
    return lambda image: way(image) + way(ImageOps.mirror(image))


WAYS: dict[str, Way] = {
    "squash": lambda image: [squash(image)],
    "centre crop": lambda image: [cut(image)],
    "centre crop, four fifths": lambda image: [cut(image, 0.8)],
    "letterbox": lambda image: [letterbox(image)],
    "salient crop": lambda image: [salient(image)],
    "squash, mirrored too": mirrored(lambda image: [squash(image)]),
    "squash and centre crop": lambda image: [squash(image), cut(image)],
    "squash and salient crop": lambda image: [squash(image), salient(image)],
    "squash, centre crop, letterbox": lambda image: [squash(image), cut(image), letterbox(image)],
    "squash, centre crop, four fifths": lambda image: [
        squash(image),
        cut(image),
        cut(image, 0.8),
    ],
    "the same, mirrored too": mirrored(lambda image: [squash(image), cut(image), cut(image, 0.8)]),
    "three crops along the longer side": lambda image: [
        cut(image, 1, at, at) for at in (0, 0.5, 1)
    ],
    "five crops of four fifths": lambda image: [cut(image, 0.8), *corners(image, 0.8)],
    "squash, centre crop, five crops of two thirds": lambda image: [
        squash(image),
        cut(image),
        cut(image, 2 / 3),
        *corners(image, 2 / 3),
    ],
}


if __name__ == "__main__":
    main()
