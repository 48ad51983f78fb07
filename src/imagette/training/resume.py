"""Which folder a training goes to, and what it may go on from."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from imagette.data import Dataset, DataSource
from imagette.errors import ImagetteError
from imagette.evaluation.evaluated_model import open_model
from imagette.files import make_folder, remove_if_empty, write_bytes, write_json
from imagette.inference.bundle import open_bundle
from imagette.inference.model_card import write_cards
from imagette.runs import RunInfo, read_run
from imagette.training.onnx_graph import update_metadata
from imagette.training.recipe import Recipe
from imagette.training.recipe_tables import to_dotted
from imagette.wording import why_no_file_name

_MOST_BYTES_OF_DEFAULT = 150
_START_ANEW = "Start a new run under another --name."


def choose_folder(runs_dir: Path, name: str | None, default: str, resume: bool) -> Path:
    """The folder of the run called `name`.

    Without a name: `default`, or `default-2` and so on, the first that is free; to resume, the
    last that is taken.

    Raises:
        ImagetteError: the name is no name, or taken by a run that is not to be resumed.
    """
    if name is None:
        plain = re.sub(r"[^\w.-]+", "-", default).encode()[:_MOST_BYTES_OF_DEFAULT]
        return _default_folder(runs_dir, plain.decode(errors="ignore"), resume)
    if why := why_no_file_name(name):
        raise ImagetteError(
            f"{name[:60]!r} cannot be the name of a run: {why}.",
            "Give a plain name, and choose the folder that it lies in with --runs-dir.",
        )
    folder = runs_dir / name
    if folder.exists() and not resume:
        raise ImagetteError(
            f"{folder} exists already, and nothing in it was changed.",
            "Choose another --name, or resume that run with --resume.",
        )
    return folder


def _default_folder(runs_dir: Path, default: str, resume: bool) -> Path:
    taken, number = None, 1
    folder = runs_dir / default
    while folder.exists():
        taken, number = folder, number + 1
        folder = runs_dir / f"{default}-{number}"
    return taken if resume and taken else folder


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make a run folder and keep every other training out of it meanwhile.

    Raises:
        ImagetteError: another training is using it, or it cannot be made.
    """
    try:
        make_folder(folder)
    except OSError as error:
        raise ImagetteError(
            f"The folder {folder} cannot be made: {error.strerror}.",
            "Choose another place with --runs-dir.",
        ) from error
    # The operating system lets go of the lock when the process ends, however it ends.
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ImagetteError(
            f"Another training is using {folder} at this moment.",
            "Wait until it has ended, or give this one another --name.",
        ) from error
    try:
        yield
    finally:
        lock.release()
        (folder / ".lock").unlink(missing_ok=True)
        remove_if_empty(folder)


def read_earlier(folder: Path) -> RunInfo | None:
    """What a run has done so far; None where it has not begun.

    Raises:
        ImagetteError: something that the run needs to go on is missing or damaged.
    """
    if not (folder / "run.json").exists():
        for name in ("checkpoint.pt", "history.csv", "model.keras"):
            if (folder / name).exists():
                raise ImagetteError(
                    f"{folder} holds a {name} but no run.json, so the run cannot be resumed.",
                    _START_ANEW,
                )
        return None
    info = read_run(folder).info
    if info and info.epochs and not info.finished and not (folder / "checkpoint.pt").exists():
        raise ImagetteError(
            f"{folder} has no checkpoint.pt, so the run cannot be resumed after its"
            f" {info.epochs} epochs.",
            _START_ANEW,
        )
    return info


def earlier_recipe(folder: Path, wanted: Recipe | None) -> Recipe:
    """The recipe a run began with.

    Raises:
        ImagetteError: another one is wanted.
    """
    recipe = Recipe.load(folder / "recipe.toml")
    if wanted is not None and wanted != recipe:
        before, now = to_dotted(recipe.model_dump()), to_dotted(wanted.model_dump())
        changed = [
            f"{key} = {before[key]}, not {now[key]}" for key in now if now[key] != before[key]
        ]
        raise ImagetteError(
            f"{folder} began with other settings: {'; '.join(changed)}.",
            "Resume it without changing them, or start a new run under another --name.",
        )
    return recipe


def check_finished(folder: Path, info: RunInfo, found: DataSource) -> None:
    """Make sure that a run that has finished is not taken for one of other pictures.

    Raises:
        ImagetteError: it has learned from another dataset.
    """
    if not open_model(folder).learned_from(found):
        raise changed(folder, info, found.source)


def leave_out_samples(folder: Path, info: RunInfo) -> None:
    """Take the small pictures out of a finished run's bundle, and write its card anew."""
    import onnx

    bundle = folder / "model.onnx"
    proto = onnx.load(bundle)
    update_metadata(proto, sample_split="", samples=())
    write_bytes(bundle, proto.SerializeToString())
    write_json(folder / "run.json", info.model_copy(update={"samples": False}).model_dump())
    write_cards(folder, open_bundle(bundle, made_here=True).metadata)


def check_unchanged(folder: Path, info: RunInfo, dataset: Dataset) -> None:
    """Make sure that a run goes on with the very pictures it began with, wherever they lie now.

    Raises:
        ImagetteError: pictures or labels are others.
    """
    elsewhere = info.train_fingerprint is None and info.dataset != dataset.source
    if elsewhere or not info.learns_from(dataset.train):
        raise changed(folder, info, dataset.source)


def changed(folder: Path, info: RunInfo, source: str) -> ImagetteError:
    """The error of a run that cannot go on because its pictures are others."""
    if info.dataset != source:
        return ImagetteError(
            f"{folder} began with the dataset {info.dataset}, and {source} holds other pictures, or"
            " the same in another order.",
            "Resume it without naming a dataset, or start a new run under another --name.",
        )
    return ImagetteError(
        f"The pictures of {source} have changed since {folder} began to learn them.", _START_ANEW
    )


def check_device(folder: Path, info: RunInfo, device: str) -> None:
    """Make sure that a run goes on where its recipe means the same.

    Raises:
        ImagetteError: it began on a GPU and would go on without one, or the other way round.
    """
    if info.device not in (None, device):
        names = {"cpu": "without a GPU", "cuda": "on a GPU"}
        raise ImagetteError(
            f"{folder} began {names[info.device]}, where its recipe may have other values than"
            f" {names[device]}.",
            "Resume it on the same kind of machine, or start a new run under another --name.",
        )
