"""The bundle: one `.onnx` file that holds all that serving needs.

Its graph goes from uint8 pixels `(batch, height, width, 3)` to float32 `probabilities`
`(batch, classes)` and, where its training could tell, float32 `familiarity` `(batch,)`; its
metadata says what the classes are called and where it came from. Anything that runs ONNX can use
it. `imagette.training` makes bundles; this module reads them, with ONNX Runtime alone.
"""

import json
import os
import shlex
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from imagette.errors import ImagetteError, ModelError
from imagette.inference import trial
from imagette.inference.metadata import FORMAT_VERSION, BundleMetadata

MAX_SIDE = 4096
"""Most rows or columns a network may ask for; more is a damaged file, or a hostile one."""

_ASSETS = Path(__file__).parent.parent / "assets"

SHIPPED = {
    "cifar10": _ASSETS / "cifar10.onnx",
    "cifar10-lite": _ASSETS / "cifar10-lite.onnx",
}
"""The models that come with the package, by the names that stand for them: the more accurate one,
and a small and fast one."""

_MOST = 1.001
"""What a probability, or the sum of a picture's, may be, for all that rounding does."""

_MAKE_ONE = "Make one with `imagette train` or `imagette export`."


@dataclass(frozen=True)
class Bundle:
    """An open bundle.

    Attributes:
        path: the file.
        session: ONNX Runtime's session; its one input is uint8 `(batch, height, width, 3)`.
        metadata: what the bundle says of itself.
        height: rows of the pictures it takes.
        width: columns of the pictures it takes.
        sha256: checksum of the file, 64 hexadecimal digits.
    """

    path: Path
    session: onnxruntime.InferenceSession
    metadata: BundleMetadata
    height: int
    width: int
    sha256: str

    @cached_property
    def _names(self) -> tuple[list[str], str]:
        """Of the outputs that are asked for, and of the input."""
        knows = self.metadata.familiarity_threshold is not None
        outputs = ["probabilities", "familiarity"] if knows else ["probabilities"]
        return outputs, self.session.get_inputs()[0].name

    def run(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Run the graph.

        Args:
            images: uint8 `(n, height, width, 3)`.

        Returns:
            Probabilities, float32 `(n, classes)`, and familiarity, float32 `(n,)` in 0–1, or None
            where the bundle does not give it.

        Raises:
            ModelError: the graph fails, or its numbers are not from 0 to 1.
        """
        outputs, name = self._names
        try:
            answers = self.session.run(outputs, {name: np.ascontiguousarray(images)})
        except Exception as error:  # as when a session is opened
            raise ModelError(f"{self.path} opens but does not run.", _MAKE_ONE) from error
        for answer in answers:
            # Such comparisons are false of what is not a number, too.
            if not (
                np.minimum.reduce(answer, None, initial=0) >= 0
                and np.maximum.reduce(answer, None, initial=0) <= _MOST
            ):
                raise ModelError(
                    f"{self.path} answers with numbers that are not from 0 to 1, or are no numbers"
                    " at all.",
                    _MAKE_ONE,
                )
        return answers[0], answers[1] if len(answers) > 1 else None


def open_bundle(
    path: str | Path | None = None, threads: int | None = None, *, made_here: bool = False
) -> Bundle:
    """Open a bundle and check that it is one.

    One from elsewhere is tried out first in a process of its own (see `imagette.inference.trial`);
    what did well there is remembered by its content.

    Args:
        path: a name of `SHIPPED`, or the `.onnx` file, or the folder of a run; `cifar10` if None.
            A folder of one's own that is called like a shipped model goes by its whole path.
        threads: CPU threads one prediction may use; ONNX Runtime's choice if None.
        made_here: whether this program has just made it, so that no such process is needed.

    Raises:
        ImagetteError: there is no such file, or it is not a bundle this version can use.
    """
    name = "cifar10" if path is None else str(path)
    path = SHIPPED.get(name, Path(name))
    if os.path.isdir(path):  # noqa: PTH112 (Path.is_dir fails on names that are too long)
        path /= "model.onnx"  # what a run calls its bundle
    content = _read(path)
    checksum = sha256(content).hexdigest()
    if path not in SHIPPED.values() and not made_here:
        trial.try_out(content, path, checksum)
    bundle = load_bundle(content, path, threads, checksum)
    if made_here:
        check_answers(bundle)
        trial.remember(checksum)
    return bundle


def load_bundle(
    content: bytes, path: Path, threads: int | None = None, checksum: str = ""
) -> Bundle:
    """Load a bundle and check that it is one, without asking it anything.

    Args:
        content: of the file.
        path: the file, as it is named where something is wrong.
        threads: as of `open_bundle`.
        checksum: the SHA-256 of the content, to be noted.

    Raises:
        ImagetteError: it is not a bundle this version can use.
    """
    session = _open_session(content, path, threads)
    try:
        metadata = _read_metadata(path, session)
        height, width = _check_graph(path, session, metadata)
    # ValueError is also what text that is not UTF-8, JSON or what the field holds raises.
    except (ValueError, RecursionError) as error:
        raise ImagetteError(f"The metadata of {path} is damaged.", _MAKE_ONE) from error
    return Bundle(path, session, metadata, height, width, checksum)


def _read(path: Path) -> bytes:
    if path.suffix in (".keras", ".h5"):
        raise ImagetteError(
            f"{path} is a Keras file, not a bundle.",
            f"Make a bundle of it with `imagette export {shlex.quote(str(path))} --classes"
            " cat,dog,ship`.",
        )
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        if (path.parent / "model.keras").is_file() and (path.parent / "run.json").is_file():
            raise ImagetteError(
                f"The run {path.parent} was stopped before its bundle was made.",
                "Make it, and measure it, with `imagette evaluate"
                f" {shlex.quote(str(path.parent))}`.",
            ) from error
        raise ImagetteError(f"There is no model file {path}.", _MAKE_ONE) from error
    except (OSError, ValueError) as error:  # a folder, a name that cannot be one
        raise ImagetteError(
            f"The model file {path} cannot be read: {error}.", "Check its name and its permissions."
        ) from error


def _open_session(content: bytes, path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are not printed; they reach the user as ImagetteError
    # Weights kept in another file are looked for where there is none, so that a hostile bundle
    # cannot pull in a file of this machine.
    where = "session.model_external_initializers_file_folder_path"
    options.add_session_config_entry(where, os.devnull)
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        # The fallback would only try the same provider again, with words on stdout.
        return onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
    # ONNX Runtime has a dozen exception types with no common base but Exception.
    except Exception as error:
        raise ImagetteError(
            f"{path} is not an ONNX file that can be run: it is damaged or of another kind.",
            _MAKE_ONE,
        ) from error


def _read_metadata(path: Path, session: onnxruntime.InferenceSession) -> BundleMetadata:
    properties = session.get_modelmeta().custom_metadata_map
    if "class_names" not in properties:
        raise ImagetteError(
            f"{path} is an ONNX file without class names, not an Imagette bundle.",
            "Make a bundle of it with"
            f" `imagette export {shlex.quote(str(path))} --classes cat,dog,ship`.",
        )
    known = {key: properties[key] for key in BundleMetadata.model_fields if key in properties}
    values = {key: json.loads(text) for key, text in known.items()}
    # Before the rest is checked, because a newer format may have changed it.
    version = values.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ImagetteError(
            f"{path} was made by a newer Imagette (format {version},"
            f" this one reads up to {FORMAT_VERSION}).",
            "Upgrade with `pip install --upgrade imagette`.",
        )
    return BundleMetadata.model_validate(values)


def _check_graph(
    path: Path, session: onnxruntime.InferenceSession, metadata: BundleMetadata
) -> tuple[int, int]:
    """Check inputs and outputs; return the height and width of the pictures."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    classes = len(metadata.class_names)
    shape = inputs[0].shape if len(inputs) == 1 else []
    takes_images = (
        len(shape) == 4
        and inputs[0].type == "tensor(uint8)"
        and not isinstance(shape[0], int)
        and all(isinstance(size, int) and 1 <= size <= MAX_SIDE for size in shape[1:])
        and shape[3] == 3
    )
    gives_probabilities = (
        len(outputs) > 0
        and outputs[0].name == "probabilities"
        and outputs[0].type == "tensor(float)"
        and outputs[0].shape[1:] == [classes]
    )
    if not takes_images or not gives_probabilities:
        raise ImagetteError(
            f"{path} does not go from uint8 pictures (batch, height, width, 3) to float32"
            f" probabilities of its {classes} classes.",
            _MAKE_ONE,
        )
    others = {output.name: output.type for output in outputs[1:]}
    if metadata.familiarity_threshold is not None and others.get("familiarity") != "tensor(float)":
        raise ImagetteError(
            f"{path} has a threshold for familiarity, and does not compute it.", _MAKE_ONE
        )
    return shape[1], shape[2]


def check_answers(bundle: Bundle) -> None:
    """Ask about a few pictures, so that a bundle that opens is one that answers.

    Raises:
        ImagetteError: it fails, or answers what cannot be an answer.
    """
    pictures = np.zeros((3, bundle.height, bundle.width, 3), np.uint8)
    pictures[1] = 255
    pictures[2] = np.random.default_rng(0).integers(0, 256, pictures.shape[1:], np.uint8)
    for batch in (pictures[:1], pictures):
        _check_rows(bundle, *bundle.run(batch), count=len(batch))


def _check_rows(
    bundle: Bundle,
    probabilities: NDArray[np.float32],
    familiarity: NDArray[np.float32] | None,
    count: int,
) -> None:
    if probabilities.shape != (count, len(bundle.metadata.class_names)):
        raise ImagetteError(
            f"{bundle.path} does not give one row of probabilities for each picture.", _MAKE_ONE
        )
    sums = probabilities.sum(axis=1)
    worst = sums[np.abs(sums - 1).argmax()]
    if abs(worst - 1) > _MOST - 1:
        raise ImagetteError(
            f"{bundle.path} gives probabilities that do not add up to 1, but to {worst:.4g}.",
            _MAKE_ONE,
        )
    if familiarity is not None and familiarity.shape != (count,):
        raise ImagetteError(
            f"{bundle.path} does not give one number of familiarity for each picture.", _MAKE_ONE
        )
