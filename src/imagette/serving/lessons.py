"""Lessons: classes and pictures that somebody teaches the server, and what it learned of them.

Everything is in files below one folder, so that any worker can answer for any lesson:

    servers.lock       every process of a server holds it, so that a training knows that one lives
    slot-0.lock, …     as many as trainings may run at once; a training holds one
    <id>/lesson.json   the class names; without it, the folder is no lesson
    <id>/used          touched whenever somebody asks for the lesson
    <id>/change.lock   held while something in the folder is changed or looked up
    <id>/lesson/<class>/<digest>.png     the pictures, as `imagette train` takes them
    <id>/training.lock, training.json    held while it trains, and what came of it
    <id>/attempt/      the run of a training under way
    <id>/run/          bundle and history of the last training that finished
"""

import base64
import csv
import importlib.util
import io
import json
import math
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from threading import Thread
from typing import IO, Any

from PIL import Image

from imagette.errors import ImagetteError
from imagette.files import write_bytes, write_json
from imagette.inference.classifier import Classifier
from imagette.inference.preprocess import Turn, to_rgb
from imagette.serving import lesson_process, locks
from imagette.serving.lesson_process import CANCEL, is_lesson
from imagette.serving.locks import is_locked, share_lock, try_lock, wait_for_lock
from imagette.serving.problems import RequestError
from imagette.serving.settings import Settings

MIN_CLASSES = 2
MIN_PICTURES = 10
"""So many pictures of each class are the fewest to learn from."""

LONGEST_NAME = 40

PICTURE_SIDE = 256
"""Pictures are kept with no more rows and columns than this."""

_THUMBNAIL_SIDE = 96

_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_DIGEST = re.compile(r"[0-9a-f]{24}")
_JOINERS = "\u200c\u200d"  # within words of some scripts, and within emoji
_UNSEEN = re.compile(f"[{_JOINERS}\ufe00-\ufe0f]")  # these, and which variant of a letter is meant
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and symbols that show nothing
_NEEDED = ("keras", "torch")
_SECONDS_TO_STOP = 10  # a training that was told to takes some three
_SECONDS_BETWEEN_SWEEPS = 300
_SECONDS_IN_USE = 600  # a lesson is not forgotten for want of room so soon after it was used
_SECONDS_EMPTY = 60  # one without pictures is, so that nobody fills the server with names alone
_MOST_ROWS = 400  # of the history: a curve on a page has no more pixels
_COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
_LOG_EPOCHS = re.compile(r"^epoch +\d+/(\d+) ", re.MULTILINE)


def why_not_teach() -> ImagetteError | None:
    """What keeps this machine from training; None if nothing does."""
    if not locks.AVAILABLE:
        return ImagetteError(
            "Teaching needs locks on files that this operating system does not have.",
            "Serve on Linux or macOS (on Windows, within WSL), or without --teach.",
        )
    for package in _NEEDED:
        if importlib.util.find_spec(package) is None:
            return ImagetteError(
                f"Teaching needs the package {package}, which is not installed.",
                "Install it with `pip install 'imagette[train]'`, or serve without --teach.",
            )
    return None


def check_names(names: list[str]) -> list[str]:
    """Class names as they are kept: each is the name of a folder too.

    Raises:
        RequestError: one cannot be used, or two are the same.
    """
    cleaned = [unicodedata.normalize("NFC", name).strip() for name in names]
    for name in cleaned:
        if not name:
            problem, remedy = "A class has no name.", "Give each class a name."
        elif len(name) > LONGEST_NAME or len(name.encode(errors="replace")) > 4 * LONGEST_NAME:
            problem = f"The name {name[:LONGEST_NAME]!r}… is too long."
            remedy = f"Use {LONGEST_NAME} letters at most."
        elif name[0] in "._" or any(map(_is_unfit, name)) or not any(map(_is_seen, name)):
            problem = f"A class cannot be called {name!r}."
            remedy = "Use letters, digits, spaces and emoji, and begin with a letter or digit."
        else:
            continue
        raise RequestError("wrong-classes", problem, remedy)
    if len({_UNSEEN.sub("", name).casefold() for name in cleaned}) < len(cleaned):
        raise RequestError(
            "wrong-classes", "Two classes have the same name.", "Give each its own name."
        )
    return cleaned


def _is_unfit(letter: str) -> bool:
    """Whether a letter is not for people to see, or means something in paths."""
    unseen = unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    return letter in f"/\\{_BLANKS}" or (unseen and letter not in _JOINERS)


def _is_seen(letter: str) -> bool:
    """Whether a letter shows something by itself."""
    return unicodedata.category(letter)[0] in "LNPS" and letter not in _BLANKS


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        seconds: since it was started.
        seconds_left: a guess; None before the first epoch is done.
        epoch: epochs that are done.
        epochs: how many there will be at most; None before the first is done.
        history: `epoch`, `loss`, `accuracy`, `val_loss` and `val_accuracy` of those done.
    """

    seconds: float
    seconds_left: float | None
    epoch: int
    epochs: int | None
    history: list[dict[str, float]]


@dataclass(frozen=True)
class Status:
    """Where a lesson stands.

    Attributes:
        state: `collecting`, `training`, `finished`, `failed` or `cancelled`.
        class_names: in the order they were given.
        pictures: names of the pictures of each class, the first that came first.
        error: what made the last training fail, in two sentences.
        progress: of the training under way, or of the last one if that finished.
        bundle: what the last training that finished made; None if there was none.
    """

    state: str
    class_names: list[str]
    pictures: dict[str, list[str]]
    error: str | None
    progress: Progress | None
    bundle: Path | None


class Lessons:
    """All lessons of a server, and of all its workers.

    Args:
        settings: their bounds, and the folder that they are in.

    Raises:
        ImagetteError: nothing can be taught here, or the folder cannot be made.
    """

    def __init__(self, settings: Settings) -> None:
        if problem := why_not_teach():
            raise problem
        if settings.lessons_dir is None:
            raise ImagetteError(
                "The server is to be taught, but has no folder for that.",
                "Name one in IMAGETTE_LESSONS_DIR, the same for all its processes.",
            )
        self._settings = settings
        self._folder = settings.lessons_dir.resolve()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._alive = share_lock(_servers(self._folder))
        except OSError as error:
            raise ImagetteError(
                f"The folder {self._folder} cannot be used: {error.strerror}.",
                "Name another one with --lessons-dir.",
            ) from error
        Thread(target=self._sweep_at_times, daemon=True).start()

    def create(self, class_names: list[str]) -> "Lesson":
        """Begin a lesson.

        Raises:
            RequestError: the names cannot be used, or there is no room for one more.
        """
        most = self._settings.max_classes
        if not MIN_CLASSES <= len(class_names) <= most:
            raise RequestError(
                "wrong-classes",
                f"A lesson cannot have {len(class_names)} classes.",
                f"Name {MIN_CLASSES} to {most} of them.",
            )
        class_names = check_names(class_names)
        self._make_room()
        folder = self._folder / secrets.token_urlsafe(16)
        with _disk():
            for name in class_names:
                (folder / "lesson" / name).mkdir(mode=0o700, parents=True)
            (folder / "used").touch()
            write_json(folder / "lesson.json", {"class_names": class_names})
        return Lesson(folder, self._settings)

    def find(self, lesson_id: str) -> "Lesson":
        """The lesson of an id, which counts as used.

        Raises:
            RequestError: there is none.
        """
        folder = self._folder / lesson_id if _ID.fullmatch(lesson_id) else None
        if folder is None or not is_lesson(folder):
            raise _no_lesson()
        with suppress(OSError):
            (folder / "used").touch()
        return Lesson(folder, self._settings)

    def sweep(self) -> None:
        """Forget the lessons that nobody has used for too long, and what is left of others."""
        oldest = time.time() - 3600 * self._settings.lesson_hours
        for folder in self._folder.iterdir():
            if _is_ours(folder) and _last_used(folder) < oldest:
                with suppress(RequestError):
                    Lesson(folder, self._settings).forget()
                shutil.rmtree(folder, ignore_errors=True)

    def _make_room(self) -> None:
        """Forget the lesson whose time is over for longest if there are too many."""
        self.sweep()
        folders = [folder for folder in self._folder.iterdir() if is_lesson(folder)]
        if len(folders) < self._settings.max_lessons:
            return
        unused = min(folders, key=_kept_until)
        wait = _kept_until(unused) - time.time()
        if wait > 0:
            raise RequestError(
                "too-many-lessons",
                f"All {self._settings.max_lessons} lessons that this server keeps are in use.",
                "Try again in some minutes.",
                {"Retry-After": str(math.ceil(wait))},
            )
        with suppress(RequestError):
            Lesson(unused, self._settings).forget()

    def _sweep_at_times(self) -> None:
        while True:
            with suppress(OSError):
                self.sweep()
            time.sleep(_SECONDS_BETWEEN_SWEEPS)


class Lesson:
    """One lesson, which any thread of any worker may hold.

    Every method raises a RequestError if the lesson was deleted meanwhile, or if the disk is full.

    Args:
        folder: where it is.
        settings: its bounds.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.id = folder.name
        self._folder = folder
        self._settings = settings

    def status(self) -> Status:
        """Where it stands."""
        with self._changing():
            found = _read_json(self._folder / "training.json") or {"state": "collecting"}
            if found["state"] == "training" and not self._is_training():
                problem, remedy = lesson_process.read_error(self._folder)
                found = {"state": "failed", "problem": problem, "remedy": remedy}
            class_names = self._class_names()
            pictures = {name: self._pictures(name) for name in class_names}
            bundle = self._folder / "run" / "model.onnx"
            failed = found["state"] == "failed"
            return Status(
                state=found["state"],
                class_names=class_names,
                pictures=pictures,
                error=f"{found['problem']} {found['remedy']}" if failed else None,
                progress=self._progress(found),
                bundle=bundle if bundle.is_file() else None,
            )

    def add(self, class_name: str, content: bytes, turn: Turn) -> None:
        """Keep a picture of a class, upright, reduced, and without what the file says besides.

        Raises:
            RequestError: the class, the lesson's state or its number of pictures does not allow it,
                or the picture is there already.
            PictureError: it cannot be read or has too many pixels.
        """
        small = _reduce(content, self._settings.max_pixels, turn)
        name = f"{blake2b(small, digest_size=12).hexdigest()}.png"
        with self._changing():
            self._check_class(class_name)
            self._check_not_training()
            known = {picture: one for one in self._class_names() for picture in self._pictures(one)}
            if name[:-4] in known:
                raise RequestError(
                    "same-picture",
                    f"This picture is in “{known[name[:-4]]}” already.",
                    "Choose another one: the same picture twice teaches nothing more.",
                )
            if len(known) >= self._settings.max_lesson_pictures:
                raise RequestError(
                    "lesson-full",
                    f"The lesson has {len(known)} pictures, the most that this server keeps.",
                    "Take some away first, or learn from these.",
                )
            write_bytes(self._folder / "lesson" / class_name / name, small)
            (self._folder / "used").touch()

    def check_class(self, class_name: str) -> None:
        """Raise a RequestError unless the lesson has this class."""
        with self._changing():
            self._check_class(class_name)

    def thumbnails(self) -> dict[str, list[tuple[str, str]]]:
        """The pictures of each class, the oldest first: names, and small ones as data URLs."""
        with self._changing():
            found = {name: self._pictures(name) for name in self._class_names()}
        thumbnails: dict[str, list[tuple[str, str]]] = {}
        for class_name, names in found.items():
            thumbnails[class_name] = []
            for name in names:
                with suppress(OSError):  # taken away meanwhile
                    url = _thumbnail(self._folder / "lesson" / class_name / f"{name}.png")
                    thumbnails[class_name].append((name, url))
        return thumbnails

    def remove(self, name: str) -> None:
        """Take a picture away."""
        with self._changing():
            self._check_not_training()
            self._find(name).unlink()

    def train(self) -> None:
        """Start to learn from the pictures, in a process of its own.

        Raises:
            RequestError: there are too few pictures, it is learning already, or too many
                lessons are being learned at once.
        """
        with self._changing():
            self._check_not_training()
            short = [n for n in self._class_names() if len(self._pictures(n)) < MIN_PICTURES]
            if short:
                raise RequestError(
                    "too-few-pictures",
                    f"“{short[0]}” has {len(self._pictures(short[0]))} pictures, fewer than the"
                    f" {MIN_PICTURES} that each class needs.",
                    "Add some.",
                )
            own = try_lock(self._folder / "training.lock")
            if own is None:
                raise self._busy()
            with own, self._take_slot() as slot:
                self._start([own.fileno(), slot.fileno()])

    def cancel(self) -> None:
        """End the training under way, if there is one, and wait until it has ended.

        Raises:
            RequestError: it has not ended in time.
        """
        with self._changing():
            if not self._is_training():
                return
            (self._folder / CANCEL).touch()
        self._wait_until_ended()

    def forget(self) -> None:
        """Delete the lesson, and end its training if there is one."""
        with self._changing():
            training = self._is_training()
            (self._folder / CANCEL).touch()
            # At once, so that a process that is in the middle of it never finds half a lesson.
            gone = self._folder.with_name(f"{self.id}-gone")
            (self._folder / "lesson.json").unlink(missing_ok=True)
        if training:
            with suppress(RequestError):
                self._wait_until_ended()
        with suppress(OSError):
            self._folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    # What follows is called while the lesson's lock is held.

    def _class_names(self) -> list[str]:
        lesson = _read_json(self._folder / "lesson.json")
        if lesson is None:
            raise _no_lesson()
        return lesson["class_names"]

    def _pictures(self, class_name: str) -> list[str]:
        with os.scandir(self._folder / "lesson" / class_name) as entries:
            files = [(entry.stat().st_mtime_ns, entry.name) for entry in entries
                     if entry.name[0] != "."]  # fmt: skip
        return [name.removesuffix(".png") for _, name in sorted(files)]

    def _find(self, name: str) -> Path:
        if _DIGEST.fullmatch(name):
            for class_name in self._class_names():
                path = self._folder / "lesson" / class_name / f"{name}.png"
                if path.is_file():
                    return path
        raise RequestError(
            "not-found", "The lesson has no such picture.", "Ask the lesson for those it has."
        )

    def _check_class(self, class_name: str) -> None:
        if class_name not in self._class_names():
            raise RequestError(
                "wrong-option",
                f"The option class cannot be {class_name!r}.",
                "Name one of the lesson’s classes.",
            )

    def _check_not_training(self) -> None:
        if self._is_training():
            raise self._busy()

    def _busy(self) -> RequestError:
        return RequestError(
            "lesson-in-training",
            "The lesson is being learned at this moment.",
            "Wait until that has finished, or cancel it.",
        )

    def _is_training(self) -> bool:
        return is_locked(self._folder / "training.lock")

    def _take_slot(self) -> IO[bytes]:
        most = self._settings.max_trainings
        for number in range(most):
            if slot := try_lock(self._folder.parent / f"slot-{number}.lock"):
                return slot
        raise RequestError(
            "too-busy",
            f"{most} {'lesson is' if most == 1 else 'lessons are'} being learned at this moment,"
            " the most that this server takes on at once.",
            "Try again in some seconds.",
            {"Retry-After": "10"},
        )

    def _start(self, held: list[int]) -> None:
        """Start the process that trains; it keeps the locks that it inherits."""
        (self._folder / CANCEL).unlink(missing_ok=True)
        (self._folder / "train.log").unlink(missing_ok=True)
        shutil.rmtree(self._folder / "attempt", ignore_errors=True)
        write_json(self._folder / "training.json", {"state": "training", "started": time.time()})
        process = subprocess.Popen(
            [
                # -P: what lies where the server was started must not be imported.
                *(sys.executable, "-P", "-m", lesson_process.__name__),
                str(self._folder),
                str(_servers(self._folder.parent)),
                str(self._settings.max_training_seconds),
                *(str(lock) for lock in held),
                "--",
                *training_command(self._folder),
            ],
            env=os.environ | self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=held,
            start_new_session=True,  # Ctrl-C is the server's; this process notices by itself
        )
        # So that nothing of it is left when it has ended.
        Thread(target=process.wait, daemon=True).start()

    def _environment(self) -> dict[str, str]:
        # Half of the cores, so that answers have the others.
        threads = max(1, (os.cpu_count() or 1) // (2 * self._settings.max_trainings))
        return {
            "OMP_NUM_THREADS": str(threads),
            # What is decoded once is kept where it is deleted with the lesson.
            "IMAGETTE_CACHE_DIR": str(self._folder / "cache"),
        }

    def _progress(self, found: dict[str, Any]) -> Progress | None:
        if found["state"] not in ("training", "finished"):
            return None
        is_over = found["state"] == "finished"
        seconds = found["seconds"] if is_over else round(time.time() - found["started"], 1)
        log = ""
        with suppress(OSError):
            log = (self._folder / "train.log").read_text("utf-8", errors="replace")
        told = _LOG_EPOCHS.search(log)
        file = self._folder / ("run" if is_over else "attempt") / "history.csv"
        rows = _read_history(file)
        epoch = int(rows[-1]["epoch"]) if rows else 0
        epochs = max(epoch, int(told[1])) if told else None
        left = _guess_left(rows, epochs, file, found["started"]) if rows and epochs else None
        return Progress(
            seconds=seconds,
            seconds_left=0.0 if is_over else left,
            epoch=epoch,
            epochs=epochs,
            history=[
                {name: row[name] for name in _COLUMNS}
                for row in rows[:: 1 + len(rows) // _MOST_ROWS]
            ],
        )

    def _wait_until_ended(self) -> None:
        end = time.monotonic() + _SECONDS_TO_STOP
        while time.monotonic() < end:
            if not self._is_training():
                return
            time.sleep(0.1)
        raise RequestError(
            "out-of-time", "The training has not ended yet.", "Ask again in some seconds.",
            {"Retry-After": "5"},
        )  # fmt: skip

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep all other threads and workers out of the lesson meanwhile."""
        with _disk():
            try:
                lock = wait_for_lock(self._folder / "change.lock")
            except FileNotFoundError as error:
                raise _no_lesson() from error
            with lock:
                if not is_lesson(self._folder):  # deleted while this one waited
                    raise _no_lesson()
                yield


def training_command(folder: Path) -> list[str]:
    """What trains the lesson in a folder."""
    return [
        *(sys.executable, "-P", "-m", "imagette", "train"),
        str(folder / "lesson"),
        *("--name", "attempt", "--runs-dir", str(folder)),
    ]


def stop_all(folder: Path) -> None:
    """End the trainings that no server is left for, and wait until they have ended."""
    if is_locked(_servers(folder)):
        return
    end = time.monotonic() + _SECONDS_TO_STOP
    trainings = list(folder.glob("*/training.lock"))
    while held := [path for path in trainings if is_locked(path)]:
        for path in held:
            path.with_name(CANCEL).touch()
        if time.monotonic() > end:
            return
        time.sleep(0.1)


def open_classifier(bundle: Path, max_pixels: int) -> Classifier:
    """What answers as a lesson has taught; the last few are kept open.

    Raises:
        ImagetteError: the bundle is gone or damaged.
    """
    try:
        changed = bundle.stat().st_mtime_ns
    except OSError as error:
        raise _no_lesson() from error
    return _open(bundle, changed, max_pixels)


@lru_cache(maxsize=4)
def _open(bundle: Path, _changed: int, max_pixels: int) -> Classifier:
    return Classifier(bundle, threads=1, max_pixels=max_pixels)


def _servers(folder: Path) -> Path:
    return folder / "servers.lock"


def _no_lesson() -> RequestError:
    return RequestError(
        "no-lesson",
        "There is no such lesson: it was deleted, or it was not used for too long.",
        "Begin a new one.",
    )


def _is_ours(folder: Path) -> bool:
    """Whether a folder is a lesson or what is left of one: others may lie beside them."""
    named = _ID.fullmatch(folder.name.removesuffix("-gone"))
    return bool(named) and (folder / "lesson").is_dir()


def _kept_until(folder: Path) -> float:
    """When the lesson may be forgotten for want of room."""
    is_empty = next((folder / "lesson").glob("*/*.png"), None) is None
    return _last_used(folder) + (_SECONDS_EMPTY if is_empty else _SECONDS_IN_USE)


def _last_used(folder: Path) -> float:
    for path in (folder / "used", folder):
        with suppress(OSError):
            return path.stat().st_mtime
    return time.time()


@contextmanager
def _disk() -> Iterator[None]:
    """Tell what the disk refuses as a problem of the request."""
    try:
        yield
    except (RequestError, ImagetteError, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(error, RequestError) or not isinstance(cause, OSError):
            raise
        if isinstance(cause, FileNotFoundError):
            raise _no_lesson() from error
        raise RequestError(
            "no-room",
            f"The server cannot write to its disk ({cause.strerror}).",
            "Ask whoever runs it to make room, then try again.",
        ) from error


def _reduce(content: bytes, max_pixels: int, turn: Turn) -> bytes:
    """A picture as a small PNG file that holds pixels alone."""
    image = to_rgb(content, max_pixels, PICTURE_SIDE, turn)
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    pixels = Image.new("RGB", image.size)  # a copy would take along what else is in the file
    pixels.paste(image)
    file = io.BytesIO()
    pixels.save(file, format="PNG")
    return file.getvalue()


def _thumbnail(path: Path) -> str:
    """A picture that was kept, small, as a data URL."""
    with Image.open(path, formats=["PNG"]) as image:
        image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
        file = io.BytesIO()
        image.save(file, format="JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _read_json(path: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        return json.loads(path.read_text("utf-8"))
    return None


def _read_history(path: Path) -> list[dict[str, float]]:
    names = (*_COLUMNS, "seconds")
    with suppress(OSError, ValueError, KeyError), path.open(encoding="utf-8", newline="") as file:
        return [{name: float(row[name]) for name in names} for row in csv.DictReader(file)]
    return []


def _guess_left(
    rows: list[dict[str, float]], epochs: int, history: Path, started: float
) -> float | None:
    """How many seconds a training will still take: saving and measuring at its end takes about as
    long as all that came before its first epoch."""
    try:
        last = history.stat().st_mtime
    except OSError:
        return None
    learned = sum(row["seconds"] for row in rows)
    rest = learned / len(rows) * (epochs - len(rows)) + max(0.0, last - started - learned)
    return round(max(1.0, rest - (time.time() - last)), 1)
