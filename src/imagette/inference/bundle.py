"""The bundle: one `.onnx` file that holds all that serving needs.

Its graph goes from uint8 pixels `(batch, height, width, 3)` to float32 `probabilities`
`(batch, classes)`; its metadata says what the classes are called and where it came from.
Anything that runs ONNX can use it. `imagette.training.export` writes bundles; this module reads
them, with ONNX Runtime alone.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import onnxruntime
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from imagette.errors import ImagetteError

FORMAT_VERSION = 1
"""Raised when an older Imagette could no longer read a newer bundle rightly."""

SHIPPED_BUNDLE = Path(__file__).parent.parent / "assets" / "imagette-cifar10.onnx"
"""The model that comes with the package."""

_MAKE_ONE = "Make one with `imagette train` or `imagette export`."


class BundleMetadata(BaseModel):
    """What a bundle says of itself; every field is one JSON value in the ONNX metadata.

    Attributes:
        format_version: version of these conventions.
        class_names: English class names, in the order of the probabilities.
        class_names_fr: French class names, in the same order.
        imagette_version: version of the package that wrote it.
        model: name of the network in the registry, or of the file it came from.
        parameters: number of weights of the network, trained or not.
        dataset: name of the dataset it was trained on.
        recipe: every choice of its training.
        accuracy: top-1 accuracy as a fraction, measured when the training ended.
        accuracy_split: which part of the dataset that was measured on: `test` or `validation`.
        licence: under what terms the file may be used.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format_version: int = FORMAT_VERSION
    class_names: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=2)
    class_names_fr: tuple[Annotated[str, Field(min_length=1)], ...]
    imagette_version: str = ""
    model: str = ""
    parameters: int | None = None
    dataset: str | None = None
    recipe: dict[str, Any] | None = None
    accuracy: float | None = None
    accuracy_split: str | None = None
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
    """

    path: Path
    session: onnxruntime.InferenceSession
    metadata: BundleMetadata
    height: int
    width: int


def open_bundle(path: str | Path | None = None, threads: int | None = None) -> Bundle:
    """Open a bundle and check that it is one.

    Args:
        path: the `.onnx` file; the model that ships with the package if None.
        threads: CPU threads one prediction may use; ONNX Runtime's choice if None.

    Raises:
        ImagetteError: there is no such file, or it is not a bundle this version can use.
    """
    path = SHIPPED_BUNDLE if path is None else Path(path)
    session = _open_session(path, threads)
    metadata = _read_metadata(path, session)
    height, width = _check_graph(path, session, len(metadata.class_names))
    return Bundle(path, session, metadata, height, width)


def _open_session(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise ImagetteError(f"There is no model file {path}.", _MAKE_ONE)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only; they reach the user as ImagetteError
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        # From bytes, so that a hostile file cannot pull in other files that lie beside it.
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
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
            f"{path} is an ONNX file without class names, not an Imagette bundle.", _MAKE_ONE
        )
    try:
        known = {key: properties[key] for key in BundleMetadata.model_fields if key in properties}
        metadata = BundleMetadata.model_validate({k: json.loads(v) for k, v in known.items()})
    except (ValidationError, ValueError, RecursionError) as error:
        raise ImagetteError(f"The metadata of {path} is damaged.", _MAKE_ONE) from error
    if metadata.format_version > FORMAT_VERSION:
        raise ImagetteError(
            f"{path} was made by a newer Imagette (format {metadata.format_version},"
            f" this one reads up to {FORMAT_VERSION}).",
            "Upgrade with `pip install --upgrade imagette`.",
        )
    return metadata


def _check_graph(
    path: Path, session: onnxruntime.InferenceSession, classes: int
) -> tuple[int, int]:
    """Check inputs and outputs; return the height and width of the pictures."""
    inputs, output = session.get_inputs(), session.get_outputs()[0]
    shape = inputs[0].shape
    takes_pictures = (
        len(inputs) == 1
        and inputs[0].type == "tensor(uint8)"
        and len(shape) == 4
        and not isinstance(shape[0], int)
        and all(isinstance(size, int) for size in shape[1:])
        and shape[3] == 3
    )
    gives_probabilities = output.name == "probabilities" and output.type == "tensor(float)"
    if not takes_pictures or not gives_probabilities or output.shape[1:] != [classes]:
        raise ImagetteError(
            f"{path} does not go from uint8 pictures (batch, height, width, 3) to float32"
            f" probabilities of its {classes} classes.",
            _MAKE_ONE,
        )
    return shape[1], shape[2]
