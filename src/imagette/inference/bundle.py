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
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from imagette.errors import ImagetteError
from imagette.images.views import ViewName

FORMAT_VERSION = 1
"""Raised when an older Imagette could no longer read a newer bundle rightly."""

MAX_SIDE = 4096
"""Most rows or columns a network may ask for; more is a damaged file, or a hostile one."""

_ASSETS = Path(__file__).parent.parent / "assets"

SHIPPED = {
    "cifar10": _ASSETS / "cifar10.onnx",
    "cifar10-lite": _ASSETS / "cifar10-lite.onnx",
}
"""The models that come with the package, by the names that stand for them: the more accurate one,
and a small and fast one."""

_MAKE_ONE = "Make one with `imagette train` or `imagette export`."


class BundleMetadata(BaseModel):
    """What a bundle says of itself; every field is one JSON value in the ONNX metadata.

    Attributes:
        format_version: version of these conventions.
        class_names: English class names, in the order of the probabilities.
        class_names_fr: French class names, in the same order.
        imagette_version: version of the package that wrote it.
        model: name of the network in the registry, or of the file it came from.
        parameters: number of weights of the network, trained or not, without running statistics.
        dataset: name of the dataset it was trained on.
        recipe: every choice of its training.
        temperature: what the logits are divided by, so that probabilities are calibrated; fitted
            on pictures that the network did not learn from. None where that was not done.
        entropy_temperature: `factor` and `exponent` of the further temperature by which the graph
            divides each picture's logits, as they are more or less undecided (see
            `imagette.evaluation.calibration.entropy_temperatures`). None where it does not.
        accuracy: top-1 accuracy as a fraction, measured when the training ended.
        accuracy_split: what that was measured on: `test`, `validation` (pictures held out) or
            `leave-one-out` (each picture, by a head that has not learned it).
        familiarity_threshold: pictures of less `familiarity` than this look like none of the
            classes. None where the graph does not give it.
        familiarity_method: how that is computed, in a few words.
        view: what of a picture the network learned from, `whole` or `centre` (see
            `imagette.images.views.ViewName`); None where it is looked at several times.
        evaluation: what was measured when the training ended: the content of `metrics.json`, with
            the rows of `history.csv` as `history`.
        learned_pictures: the pictures it has learned, as `imagette.data.content.PictureSet` writes
            them, so that they are told from others; empty where they are not noted.
        licence: under what terms the file may be used.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format_version: Annotated[int, Field(ge=1)] = FORMAT_VERSION
    class_names: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=2)
    class_names_fr: tuple[Annotated[str, Field(min_length=1)], ...]
    imagette_version: str = ""
    model: str = ""
    parameters: int | None = None
    dataset: str | None = None
    recipe: dict[str, Any] | None = None
    temperature: Annotated[float, Field(gt=0)] | None = None
    entropy_temperature: tuple[float, float] | None = None
    accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    accuracy_split: str | None = None
    familiarity_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    familiarity_method: str = ""
    view: ViewName | None = None
    evaluation: dict[str, Any] | None = None
    learned_pictures: str = ""
    licence: str = ""

    @model_validator(mode="after")
    def _names_fit(self) -> "BundleMetadata":
        if len(self.class_names_fr) != len(self.class_names):
            raise ValueError("there are not as many French names as English ones")
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError("two classes have the same name")
        return self

    def to_properties(self) -> dict[str, str]:
        """The metadata as ONNX stores it: text by key."""
        return {key: json.dumps(value) for key, value in self.model_dump(mode="json").items()}


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

    def run(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Run the graph.

        Args:
            images: uint8 `(n, height, width, 3)`.

        Returns:
            Probabilities, float32 `(n, classes)`, and familiarity, float32 `(n,)` in 0–1, or None
            where the bundle does not give it.
        """
        name = self.session.get_inputs()[0].name
        knows = self.metadata.familiarity_threshold is not None
        outputs = ["probabilities", "familiarity"] if knows else ["probabilities"]
        answers = self.session.run(outputs, {name: np.ascontiguousarray(images)})
        return answers[0], answers[1] if knows else None


def open_bundle(path: str | Path | None = None, threads: int | None = None) -> Bundle:
    """Open a bundle and check that it is one.

    Args:
        path: a name of `SHIPPED`, or the `.onnx` file, or the folder of a run; `cifar10` if None.
            A folder of one's own that is called like a shipped model goes by its whole path.
        threads: CPU threads one prediction may use; ONNX Runtime's choice if None.

    Raises:
        ImagetteError: there is no such file, or it is not a bundle this version can use.
    """
    name = "cifar10" if path is None else str(path)
    path = SHIPPED.get(name, Path(name))
    if os.path.isdir(path):  # noqa: PTH112 (Path.is_dir fails on names that are too long)
        path /= "model.onnx"  # what a run calls its bundle
    content = _read(path)
    session = _open_session(path, content, threads)
    try:
        metadata = _read_metadata(path, session)
        height, width = _check_graph(path, session, metadata)
    # ValueError is also what text that is not UTF-8, JSON or what the field holds raises.
    except (ValueError, RecursionError) as error:
        raise ImagetteError(f"The metadata of {path} is damaged.", _MAKE_ONE) from error
    bundle = Bundle(path, session, metadata, height, width, sha256(content).hexdigest())
    _try_out(bundle)
    return bundle


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
        raise ImagetteError(f"There is no model file {path}.", _MAKE_ONE) from error
    except (OSError, ValueError) as error:  # a folder, a name that cannot be one
        raise ImagetteError(
            f"The model file {path} cannot be read: {error}.", "Check its name and its permissions."
        ) from error


def _open_session(path: Path, content: bytes, threads: int | None) -> onnxruntime.InferenceSession:
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


def _try_out(bundle: Bundle) -> None:
    """Ask about two black pictures, so that a bundle that opens is one that answers."""
    black = np.zeros((2, bundle.height, bundle.width, 3), np.uint8)
    try:
        probabilities, familiarity = bundle.run(black)
    except Exception as error:  # as when a session is opened
        raise ImagetteError(f"{bundle.path} opens but does not run.", _MAKE_ONE) from error
    if probabilities.shape != (2, len(bundle.metadata.class_names)):
        raise ImagetteError(
            f"{bundle.path} does not give one row of probabilities for each picture.", _MAKE_ONE
        )
    if familiarity is not None and familiarity.shape != (2,):
        raise ImagetteError(
            f"{bundle.path} does not give one number of familiarity for each picture.", _MAKE_ONE
        )
