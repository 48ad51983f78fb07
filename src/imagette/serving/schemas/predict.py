"""What a picture shows, and what may be asked about it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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
