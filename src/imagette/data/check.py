"""What to know of one's own images before a training begins."""

import numpy as np

from imagette.data.dataset import Dataset
from imagette.data.explore import Copy, across_splits, contradicting, find_duplicates
from imagette.data.splits import too_few
from imagette.wording import listed

FEW = 10
"""Classes with fewer images to learn from are pointed out."""
HIGH_IMBALANCE_RATIO = 3.0
"""A largest class with more than so many times the images of the smallest is pointed out, too."""
_SHOWN = 20


def check(
    dataset: Dataset,
    groups: tuple[tuple[Copy, ...], ...] | None = None,
    single_is_enough: bool = False,
) -> list[str]:
    """What there is, what was left out, and what may be wrong, a sentence or two each.

    Counts by class; how it was read; files that were left out; images with the same pixels, once
    they have the size that is learned, in several classes, in train and test, or within a class;
    classes of few images, or of far fewer than others.

    Args:
        dataset: the images.
        groups: those that are the same; those with the same pixels if None.
        single_is_enough: whether a class may have a single image.

    Raises:
        ImagetteError: a class has a single image, and that will not do.
    """
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.class_names))
    single_is_enough = single_is_enough or dataset.validation is not None  # none is held out
    if counts.min() == 1 and not single_is_enough:
        raise too_few(f"The class {dataset.class_names[counts.argmin()]}")
    lines = [_counted(dataset, counts), *dataset.notes]
    left_out = [f"Left out: {path}: {reason}" for path, reason in dataset.skipped]
    lines += left_out[:_SHOWN]
    if more := left_out[_SHOWN:]:
        lines.append(f"Left out: {len(more):,} more files; `imagette explore` lists them all.")
    shown = ""
    if groups is None:
        groups = find_duplicates(dataset)
        height, width = dataset.train.images.shape[1:3]
        shown = f", as {height}×{width} pixels show it"
    lines += _contradicting(dataset, groups, shown) + _leaked(groups)
    lines += _repeated(dataset, groups, single_is_enough)
    few = [name for name, count in zip(dataset.class_names, counts, strict=True) if count < FEW]
    if few:
        lines.append(
            f"Few pictures: fewer than {FEW} to learn from in {listed(few, 'en', most=5)}. Each"
            " one more helps; from 50 a class on answers become steady."
        )
    if counts.max() > HIGH_IMBALANCE_RATIO * counts.min():
        lines.append(
            f"Uneven classes: the largest has {counts.max() / counts.min():.1f} times as many"
            " pictures as the smallest. In training every class counts the same; look at the"
            " balanced accuracy."
        )
    return lines


def _counted(dataset: Dataset, counts: np.ndarray) -> str:
    each = [f"{name} {count:,}" for name, count in zip(dataset.class_names, counts, strict=True)]
    others = ""
    if dataset.validation is not None:
        use = "validate" if dataset.test is not None else "validate and to measure"
        others += f", {len(dataset.validation):,} to {use} with"
    if dataset.test is not None:
        others += f", and {len(dataset.test):,} to test with"
    return (
        f"{dataset.name}: {len(dataset.train):,} pictures of {len(counts)} classes{others}"
        f" ({listed(each, 'en')})"
    )


def _contradicting(dataset: Dataset, groups: tuple[tuple[Copy, ...], ...], shown: str) -> list[str]:
    found = contradicting(groups)
    if not found:
        return []
    named = []
    for group in found:
        first = {copy.label: copy for copy in reversed(group)}.values()  # of each class
        in_order = sorted(first, key=group.index)
        named.append(" = ".join(_name(dataset, copy) for copy in in_order))
    return [
        f"The same picture in several classes{shown}"
        f" ({len(found):,} in all): {listed(named, 'en', most=5)}."
        " Remove it from all but the right one."
    ]


def _leaked(groups: tuple[tuple[Copy, ...], ...]) -> list[str]:
    """Images to measure with that are learned, so that the accuracy says too much."""
    both, leaked = across_splits(groups)
    if not leaked:
        return []
    others = {copy.split for group in both for copy in group} - {"train"}
    return [
        f"The same picture in train and {' and '.join(sorted(others))} ({leaked:,} in all): remove"
        " them from one of the two. Copies of the same file are learned from, and the accuracy is"
        " not measured on them."
    ]


def _repeated(
    dataset: Dataset, groups: tuple[tuple[Copy, ...], ...], left_out_together: bool
) -> list[str]:
    """Copies within a class of the train split, some of which training may hold out."""
    extra = 0
    for group in groups:
        labels = [copy.label for copy in group if copy.split == "train"]
        extra += len(labels) - len(set(labels))
    if not extra:
        return []
    are = (
        "1 picture is a copy of another"
        if extra == 1
        else f"{extra:,} pictures are copies of others"
    )
    if dataset.test or dataset.validation or left_out_together:
        return [f"Copies: {are} in the same class, which count more than once."]
    return [
        f"Copies: {are} in the same class, which count more than once, and the accuracy on those"
        " held out may be too high."
    ]


def _name(dataset: Dataset, copy: Copy) -> str:
    paths = dataset.splits[copy.split].paths
    return paths[copy.position] if paths else f"{copy.split} {copy.position}"
