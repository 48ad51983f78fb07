"""A Keras file as it is downloaded: in a zip or a folder, with its class names in `labels.txt`.

Teachable Machine gives `converted_keras.zip`, with `keras_model.h5` and a `labels.txt` of lines
such as `0 Cat`. Its models take pixels of −1 to 1, which the file itself does not say.
"""

import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from imagette.errors import ImagetteError
from imagette.training.other_formats import refuse_other_formats

_LABELS = "labels.txt"
_LARGEST_MODEL = 4 << 30
_NUMBERED = re.compile(r"(\d+)[\s:,]+(.+)")


def is_download(path: Path) -> bool:
    """Whether this is an archive, or a folder of one Keras file and its class names."""
    if path.is_dir():
        return (path / _LABELS).is_file() and len(
            _models([one.name for one in path.iterdir()])
        ) == 1
    return path.suffix.lower() == ".zip" and zipfile.is_zipfile(path)


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The Keras file of a download, with its class names beside it while the context lasts.

    Raises:
        ImagetteError: there is none, or several.
    """
    if path.is_dir():
        yield path / _models([each.name for each in path.iterdir()])[0]
        return
    with zipfile.ZipFile(path) as archive, TemporaryDirectory() as folder:
        models = _models(archive.namelist())
        if len(models) != 1:
            refuse_other_formats(path)
            raise ImagetteError(
                f"{path} holds {'several Keras files' if models else 'no .keras or .h5 file'}.",
                "Unpack it, and name the Keras file in it.",
            )
        labels = str(PurePosixPath(models[0]).parent / _LABELS)
        for name in {models[0], labels} & set(archive.namelist()):
            if archive.getinfo(name).file_size > _LARGEST_MODEL:
                raise ImagetteError(f"{name} in {path} is too large.", "Unpack it yourself.")
            unpacked_file = Path(folder, PurePosixPath(name).name)
            with archive.open(name) as source, unpacked_file.open("wb") as target:
                shutil.copyfileobj(source, target)
        yield Path(folder, Path(models[0]).name)


def names_beside(model_file: Path, outputs: int) -> list[str] | None:
    """The class names of `labels.txt` beside a Keras file, in the order of its outputs.

    Args:
        model_file: the Keras file.
        outputs: how many outputs it has.

    Returns:
        None where there is no such file.

    Raises:
        ImagetteError: it does not name as many classes as there are outputs.
    """
    labels = model_file.with_name(_LABELS)
    if not labels.is_file():
        return None
    names = read_labels(labels)
    if len(names) != (2 if outputs == 1 else outputs):
        raise ImagetteError(
            f"{labels} names {len(names)} classes, and the model has {outputs} outputs.",
            "Correct it, or name all in the order of the outputs: --classes red,green,blue.",
        )
    return names


def read_labels(labels: Path) -> list[str]:
    """Read class names: one a line; or numbered from 0, in the order of the numbers."""
    lines = _lines(labels)
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    found = {int(match[1]): match[2] for match in numbered if match}
    in_order = [found[number] for number in sorted(found)]
    return in_order if set(found) == set(range(len(lines))) else lines


def is_teachable_machine(model_file: Path) -> bool:
    """Whether a file is Teachable Machine's: it has its name, and numbered class names."""
    labels = model_file.with_name(_LABELS)
    return (
        model_file.name == "keras_model.h5"
        and labels.is_file()
        and all(_NUMBERED.fullmatch(line) for line in _lines(labels))
    )


def _models(names: list[str]) -> list[str]:
    """The whole Keras files among names; what macOS adds to an archive is none."""
    return [
        name
        for name in names
        if name.endswith((".keras", ".h5"))
        and not name.endswith(".weights.h5")
        and not name.startswith("__MACOSX/")
    ]


def _lines(labels: Path) -> list[str]:
    text = labels.read_text("utf-8-sig", errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()]
