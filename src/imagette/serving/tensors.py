"""Tensors of the Open Inference Protocol: pictures in, answers out; in JSON or binary after it."""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from flask import Request
from numpy.typing import NDArray
from pydantic import ValidationError

from imagette.inference.classifier import Classifier, Prediction
from imagette.serving.problems import RequestError
from imagette.serving.schemas.inference_protocol import (
    HEADER_LENGTH,
    InferRequest,
    InputTensor,
    OutputChoice,
    TensorDescription,
)
from imagette.serving.state import ServerState
from imagette.serving.uploads.body import read_body
from imagette.serving.uploads.json_body import parse_json
from imagette.serving.uploads.text import decode_text, unwrap
from imagette.serving.uploads.upload import too_many

INPUT = TensorDescription(name="image", datatype="UINT8", shape=[-1, -1, -1, 3])

Picture = NDArray[np.uint8] | bytes
"""Pixels `(height, width, 3)`, or a file."""

_REMEDY = (
    "Send one input `image`: UINT8 of shape [n, height, width, 3] with numbers from 0 to 255, or"
    " BYTES of shape [n] with a picture file each (in JSON as base64)."
)
_LENGTH_BYTES = 4
"""Of each element of a BYTES tensor in binary, which says how long that is."""


def read_request(request: Request, state: ServerState) -> tuple[InferRequest, list[Picture]]:
    """What is asked, and the pictures it is about.

    Args:
        request: its body not read yet.
        state: of the application.

    Raises:
        RequestError: it is not understood, or holds other tensors than the model takes.
        RequestEntityTooLarge: the body is larger than the application's limit.
    """
    body, most = read_body(request, state), state.settings.max_pictures
    length = request.headers.get(HEADER_LENGTH)
    if length is not None and not (length.isascii() and length.isdigit()):
        raise _wrong(f"The header {HEADER_LENGTH} is no whole number")
    end = len(body) if length is None else int(length)
    if end > len(body):
        raise _wrong(f"The header {HEADER_LENGTH} counts more bytes than the body has")
    try:
        asked = InferRequest.model_validate(parse_json(body[:end]))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "The JSON"
        raise _wrong(f"`{place}` is not as the protocol has it: {first['msg']}") from error
    if len(asked.inputs) != 1 or asked.inputs[0].name != INPUT.name:
        names = ", ".join(f"`{one.name[:64]}`" for one in asked.inputs[:5])
        raise _wrong(f"The inputs are {names}, and the model takes `image` alone")
    [tensor] = asked.inputs
    if tensor.shape and tensor.shape[0] > most:
        raise too_many(most)
    return asked, _read_pictures(tensor, body[end:])


def _read_pictures(tensor: InputTensor, rest: bytes) -> list[Picture]:
    """The pictures of a tensor whose elements stand in JSON, or in the rest of the body."""
    size = tensor.parameters.get("binary_data_size")
    is_binary = size is not None
    if is_binary and (type(size) is not int or size != len(rest)):
        raise _wrong(f"`binary_data_size` is {size!r}, and {len(rest)} bytes follow the JSON")
    if not is_binary and rest:
        raise _wrong(f"{len(rest)} bytes follow the JSON, and no input has a `binary_data_size`")
    if not is_binary and tensor.data is None:
        raise _wrong("`image` has neither `data` nor a `binary_data_size`")
    if tensor.datatype == "BYTES":
        if len(tensor.shape) not in (1, 2) or prod(tensor.shape) != tensor.shape[0]:
            raise _wrong(f"`image`, BYTES of shape {tensor.shape}, is not of shape [n]")
        files = _split(rest) if is_binary else _decode(tensor.data or [])
        found: list[Picture] = list(files)
    elif tensor.datatype == "UINT8":
        pixels = np.frombuffer(rest, np.uint8) if is_binary else _to_pixels(tensor.data)
        if len(tensor.shape) != 4 or tensor.shape[3] != 3:
            raise _wrong(f"`image`, of shape {tensor.shape}, is not [n, height, width, 3]")
        if pixels.size != prod(tensor.shape):
            raise _wrong(f"`image`, of shape {tensor.shape}, has {pixels.size} numbers")
        found = list(pixels.reshape(tensor.shape)) if pixels.size else []
    else:
        raise _wrong(f"`image` is {tensor.datatype[:64]!r}, not UINT8 or BYTES")
    if len(found) != tensor.shape[0]:
        raise _wrong(f"`image`, of shape {tensor.shape}, holds {len(found)} pictures")
    if not found:
        raise RequestError("no-picture", "`image` holds no picture.", _REMEDY)
    return found


def _to_pixels(data: list[Any] | None) -> NDArray[np.uint8]:
    try:
        array = np.array(data)
    except ValueError as error:
        raise _wrong("The rows of `image` are not all of the same length") from error
    if array.size and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 255):
        raise RequestError(
            "wrong-values", "`image` holds something else than whole numbers 0 to 255.", _REMEDY
        )
    return array.astype(np.uint8)


def _decode(data: list[Any]) -> Iterator[bytes]:
    for place, text in enumerate(data):
        if not isinstance(text, str):
            raise _wrong(f"`image.data[{place}]` is no text")
        yield decode_text(text, f"`image.data[{place}]`")


def _split(rest: bytes) -> Iterator[bytes]:
    """The elements of a BYTES tensor: each its length, and so many bytes."""
    start = 0
    while start < len(rest):
        begins = start + _LENGTH_BYTES
        start = begins + int.from_bytes(rest[start:begins], "little")
        if begins > len(rest) or start > len(rest):
            raise _wrong("The last element of `image` is cut short")
        yield unwrap(rest[begins:start], "`image`")


def describe_outputs(classifier: Classifier) -> list[TensorDescription]:
    """What a model gives; -1 stands for the number of pictures."""
    found = [
        TensorDescription(
            name="probabilities", datatype="FP32", shape=[-1, len(classifier.class_names)]
        ),
        TensorDescription(name="label", datatype="BYTES", shape=[-1]),
    ]
    if classifier.metadata.familiarity_threshold is not None:
        found += [
            TensorDescription(name="familiarity", datatype="FP32", shape=[-1]),
            TensorDescription(name="known", datatype="BOOL", shape=[-1]),
        ]
    return found


def check_outputs(asked: InferRequest, classifier: Classifier) -> list[OutputChoice]:
    """The outputs that are wanted; all where none is named.

    Raises:
        RequestError: the model does not have one of them.
    """
    names = [one.name for one in describe_outputs(classifier)]
    if not asked.outputs:
        parameters = {"binary_data": asked.parameters.get("binary_data_output", False)}
        return [OutputChoice(name=name, parameters=parameters) for name in names]
    for output in asked.outputs:
        if output.name not in names:
            raise _wrong(
                f"There is no output {output.name[:64]!r}",
                f"Ask for some of these: {', '.join(names)}.",
            )
        count = output.parameters.get("classification", 0)
        if type(count) is not int or count < 0 or (count and output.name != "probabilities"):
            raise _wrong("`classification` is no number of classes, of `probabilities`")
    return asked.outputs


def write_outputs(
    wanted: list[OutputChoice], predictions: list[Prediction]
) -> tuple[list[dict[str, Any]], bytes]:
    """The outputs, those in JSON with their data, and what follows the JSON."""
    outputs, rest = [], b""
    for choice in wanted:
        values, datatype = _values(choice, predictions)
        output: dict[str, Any] = {
            "name": choice.name,
            "datatype": datatype,
            "shape": list(values.shape),
        }
        if choice.parameters.get("binary_data"):
            content = _to_binary(values)
            output["parameters"] = {"binary_data_size": len(content)}
            rest += content
        else:
            output["data"] = values.ravel().tolist()
        outputs.append(output)
    return outputs, rest


def _values(choice: OutputChoice, predictions: list[Prediction]) -> tuple[NDArray[Any], str]:
    if count := choice.parameters.get("classification"):
        return np.array([_best(one, count) for one in predictions]), "BYTES"
    match choice.name:
        case "probabilities":
            rows = [[*one.probabilities.values()] for one in predictions]
            return np.array(rows, np.float32), "FP32"
        case "familiarity":
            return np.array([one.familiarity for one in predictions], np.float32), "FP32"
        case "known":
            return np.array([one.known for one in predictions], np.bool_), "BOOL"
    return np.array([one.label for one in predictions]), "BYTES"


def _best(prediction: Prediction, count: int) -> list[str]:
    """The likeliest classes, as the classification extension writes them: value:index:label."""
    numbered = enumerate(prediction.probabilities.items())
    best = sorted(numbered, key=lambda entry: -entry[1][1])[:count]
    return [f"{value:f}:{index}:{label}" for index, (label, value) in best]


def _to_binary(values: NDArray[Any]) -> bytes:
    if values.dtype.kind != "U":
        return values.astype(values.dtype.newbyteorder("<")).tobytes()
    texts = [text.encode() for text in values.ravel().tolist()]
    return b"".join(len(text).to_bytes(_LENGTH_BYTES, "little") + text for text in texts)


def _wrong(problem: str, remedy: str = _REMEDY) -> RequestError:
    return RequestError("wrong-tensor", f"{problem}.", remedy)
