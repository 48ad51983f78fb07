"""The Open Inference Protocol (KServe v2) over HTTP: what its requests and answers hold."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from imagette.serving.schemas.base import ResponseModel
from imagette.serving.schemas.model import ModelPath

VERSION = "1"
"""Of any model: a file has one."""

HEADER_LENGTH = "Inference-Header-Content-Length"
"""The header that says how much of a body is JSON, where tensors follow it in binary."""

Datatype = Literal["UINT8", "BYTES", "FP32", "BOOL"]
_Parameters = Annotated[dict[str, Any], Field(default_factory=dict)]
_Size = Annotated[int, Field(ge=0)]


class VersionPath(ModelPath):
    """The address of a version of a model."""

    version: Annotated[str, Field(description=f"`{VERSION}`, the only one")]


class _Request(BaseModel):
    # Clients send more than the protocol names, and numbers stay numbers.
    model_config = ConfigDict(extra="ignore", strict=True)

    parameters: _Parameters


class InputTensor(_Request):
    """Pictures: UINT8 of shape `[n, height, width, 3]`, or BYTES of shape `[n]`, a file each (in
    JSON as base64)."""

    name: str
    shape: Annotated[list[_Size], Field(max_length=8)]
    datatype: str
    data: Annotated[
        list[Any] | None,
        Field(description="flat or nested; none where the tensor follows in binary"),
    ] = None


class OutputChoice(_Request):
    """An output that is asked for."""

    name: str


class InferRequest(_Request):
    """A request about pictures."""

    id: Annotated[str | None, Field(description="given back in the answer")] = None
    inputs: Annotated[list[InputTensor], Field(min_length=1)]
    outputs: Annotated[
        list[OutputChoice] | None, Field(description="those that are wanted; all if none is named")
    ] = None


class OutputTensor(ResponseModel):
    """An output: `probabilities`, `label`, and where the model can tell `familiarity` and
    `known`."""

    name: str
    datatype: Datatype
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: Annotated[
        list[float] | list[str] | list[bool] | None,
        Field(description="flat; none where the tensor follows in binary"),
    ] = None


class InferAnswer(ResponseModel):
    """What the pictures show."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


class TensorDescription(ResponseModel):
    """A tensor that a model takes or gives; -1 stands for any length."""

    name: str
    datatype: Datatype
    shape: list[int]


class ModelDescription(ResponseModel):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorDescription]
    outputs: list[TensorDescription]


class ServerDescription(ResponseModel):
    """What the server is."""

    name: Literal["imagette"]
    version: str
    extensions: list[str]


class Live(ResponseModel):
    """The server is alive."""

    live: Literal[True]


class Ready(ResponseModel):
    """All models answer."""

    ready: Literal[True]


class ModelReady(Ready):
    """The model answers."""

    name: str


class ErrorAnswer(ResponseModel):
    """An error, as the protocol has it."""

    error: Annotated[str, Field(description="what is wrong, and what to do")]


ANSWERS = (
    InferAnswer, ModelDescription, ServerDescription, Live, Ready, ModelReady, ErrorAnswer,
)  # fmt: skip
