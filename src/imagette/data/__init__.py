"""Where pictures come from: CIFAR-10, the digits that scikit-learn carries, or any folder."""

from pathlib import Path

from imagette.data.dataset import Dataset, Part, split_validation

__all__ = ["BUILT_IN", "Dataset", "Part", "load_dataset", "split_validation"]

BUILT_IN = ("cifar10", "digits")
"""Names that `load_dataset` knows; anything else is a folder."""


def load_dataset(source: str | Path = "cifar10", data_dir: str | Path | None = None) -> Dataset:
    """Load labelled pictures.

    Args:
        source: `cifar10`, `digits`, or a folder (`train/<class>/*` and optional `test/<class>/*`,
            or just `<class>/*`).
        data_dir: where to look for CIFAR-10 first.

    Raises:
        ImagetteError: the data is absent, damaged, or not laid out as a dataset.
    """
    # Each source is imported when asked for, since each needs other libraries.
    if source == "cifar10":
        from imagette.data.cifar import load_cifar10

        return load_cifar10(data_dir)
    if source == "digits":
        from imagette.data.digits import load_digits

        return load_digits()
    from imagette.data.folder import load_folder

    return load_folder(Path(source))
