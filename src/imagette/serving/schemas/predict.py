"""What a picture shows, and what may be asked about it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from imagette.serving.schemas.base import FileProblem, Fraction, ImageUrl, PngUrl, ResponseModel


class PredictOptions(BaseModel):
    """What may follow `/predict?`."""

    model_config = ConfigDict(extra="ignore")

    seen: Annotated[
        Literal["0", "1"],
        Field(description="1: also give what the network sees of the picture, as a data URL"),
    ] = "0"
    explain: Annotated[
        Literal["0", "1", "png", "array"],
        Field(
            description="1 or png: also give what in the picture decided, as a PNG to lay over it;"
            " array: as rows of numbers"
        ),
    ] = "0"


_Value = Annotated[float, Field(ge=0, le=255)]
_Row = Annotated[list[_Value | Annotated[list[_Value], Field(max_length=4)]], Field(max_length=512)]


class JsonImage(RootModel[str | dict[Literal["b64"], str] | list[_Row]]):
    """A file as base64 or as a data URL; or rows of pixels: height × width × 3 numbers (4 with
    opacity, 1 or none for grey), all from 0 to 1, or all whole and from 0 to 255, one of them more
    than 1; at most 512 rows and columns."""


_Images = Annotated[list[JsonImage], Field(min_length=1)]


class ImagesBody(BaseModel):
    """A picture, or several, as JSON, in one of these fields."""

    # What people should send: `imagette.serving.uploads` reads it, and takes more.
    image: Annotated[
        JsonImage | _Images, Field(default_factory=str, description="a picture, or a list")
    ]
    images: Annotated[
        _Images, Field(default_factory=list, description="a list, answered by `predictions`")
    ]
    instances: Annotated[
        _Images, Field(default_factory=list, description="the same, as of TensorFlow Serving")
    ]
    inputs: Annotated[
        JsonImage | _Images,
        Field(default_factory=str, description="a picture, or a list, as of Hugging Face"),
    ]


class Explanation(ResponseModel):
    """What in the picture spoke for a class."""

    label: Annotated[str, Field(alias="class", description="English name of the class")]
    class_fr: Annotated[str, Field(description="its French name")]
    heat_map: Annotated[
        PngUrl | list[list[Fraction]],
        Field(
            description="what decided: with `explain=png` a PNG, to be laid over the picture,"
            " transparent where little mattered; with `explain=array` rows of numbers,"
            " 1 where most mattered"
        ),
    ]


class PictureAnswer(ResponseModel):
    """What a picture shows."""

    label: Annotated[
        str, Field(alias="class", description="English name of the most probable class")
    ]
    class_fr: Annotated[str, Field(description="its French name")]
    prediction: Annotated[int, Field(ge=0, description="its position among the classes")]
    confidence: Annotated[Fraction, Field(description="its probability")]
    probabilities: Annotated[
        dict[str, Fraction],
        Field(description="probability of every class by English name, in the classes' order"),
    ]
    known: Annotated[
        bool | None,
        Field(
            description="whether the picture looks like those of the classes at all; null where"
            " the model cannot tell"
        ),
    ]
    familiarity: Annotated[
        Fraction | None,
        Field(
            description="how much it looks like those of the classes, the score behind `known`"
            " (an out-of-distribution score: the lower, the less it is like them); null where the"
            " model cannot tell"
        ),
    ]
    seen: Annotated[
        ImageUrl | None, Field(description="with `seen=1`: what the network sees of the picture")
    ] = None
    explanation: Annotated[Explanation | None, Field(description="with `explain`")] = None


class FileAnswer(PictureAnswer):
    """What one picture of several shows."""

    file: Annotated[str, Field(description="the file's name as it was sent")]


class SeveralAnswers(ResponseModel):
    """What several pictures show, in the order of the files."""

    predictions: list[FileAnswer | FileProblem]
