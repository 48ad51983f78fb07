"""What the model is and learned from; whether the server is well, and its limits."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from imagette.inference.metadata import ModelFacts, SplitName
from imagette.serving.schemas.base import ImageUrl, ResponseModel
from imagette.wording import Language


class ModelPath(BaseModel):
    """The address of a model."""

    model: Annotated[str, Field(description="name of the model")]


class InputSize(ResponseModel):
    """The pictures that the network takes."""

    height: int
    width: int
    channels: Literal[3] = 3


class Limits(ResponseModel):
    """What this server accepts."""

    max_upload_bytes: Annotated[int, Field(description="largest request, in bytes")]
    max_pixels: Annotated[int, Field(description="largest picture, in pixels")]
    max_jpeg_pixels: Annotated[
        int, Field(description="largest JPEG, in pixels: it is decoded at a reduced size")
    ]
    max_pictures: Annotated[int, Field(description="pictures in one request")]
    max_seconds: Annotated[float, Field(description="how long a request may take, in seconds")]
    requests_per_minute: Annotated[
        int, Field(description="requests of one client in a minute; 0 for no limit")
    ]


class Teaching(ResponseModel):
    """What may be taught here."""

    max_classes: Annotated[int, Field(description="classes of one lesson")]
    max_lesson_pictures: Annotated[int, Field(description="pictures of one lesson")]
    lesson_hours: Annotated[float, Field(description="a lesson unused for so long is deleted")]
    undo_minutes: Annotated[
        int, Field(description="for so long, what is deleted can be brought back")
    ] = 10


class ModelAnswer(ModelFacts):
    """What the model is and knows, how good it is, and the limits of this server."""

    model_config = ConfigDict(extra="forbid")

    pretrained_on: Annotated[
        str | None,
        Field(description="what the weights that it began with knew; null if it began with none"),
    ]
    input: InputSize
    limits: Limits
    feedback: Annotated[
        bool,
        Field(description="whether pictures that were answered wrongly may be sent (`/feedback`)"),
    ]
    teaching: Annotated[
        Teaching | None,
        Field(description="the bounds of what may be taught (`/lessons`); null where nothing may"),
    ]


class DatasetClass(ResponseModel):
    """One class of the dataset."""

    name: str
    name_fr: str
    train: Annotated[int, Field(description="how many pictures it has learned")] = 0
    validation: Annotated[int, Field(description="how many were there to validate with")] = 0
    test: Annotated[int, Field(description="how many were there to test with")] = 0
    examples: Annotated[list[ImageUrl], Field(description="some of them, small; ten at most")]


class DatasetAnswer(ResponseModel):
    """What the model learned from."""

    name: str | None
    classes: list[DatasetClass]
    examples_of: Annotated[
        SplitName | None,
        Field(description="which pictures the examples are; null where there are none"),
    ]


class CardOptions(BaseModel):
    """What may follow `/model/card?`."""

    model_config = ConfigDict(extra="ignore")

    language: Annotated[Language, Field(description="of the card")] = "en"


class Health(ResponseModel):
    """The server is alive."""

    status: Literal["ok"]


class Readiness(ResponseModel):
    """The model answers."""

    status: Literal["ready"]


class Index(ResponseModel):
    """What there is at this server."""

    name: Literal["imagette"]
    version: str
    endpoints: Annotated[dict[str, str], Field(description="what each address answers")]
