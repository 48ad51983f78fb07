"""What the API answers, as pydantic models: `/openapi.json` is made from these.

Nothing is validated against them while requests are answered, which would cost more than the
network takes; the tests hold every answer to them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from imagette.inference.bundle import BundleMetadata
from imagette.serving.problems import KINDS, problem_type

_Fraction = Annotated[float, Field(ge=0, le=1)]
_PngUrl = Annotated[str, Field(pattern="^data:image/png;base64,")]
_PictureUrl = Annotated[str, Field(pattern="^data:image/(png|jpeg);base64,")]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Explanation(_Answer):
    """What in the picture spoke for a class."""

    label: Annotated[str, Field(alias="class", description="English name of the class")]
    class_fr: Annotated[str, Field(description="its French name")]
    heat_map: Annotated[
        _PngUrl | list[list[_Fraction]],
        Field(
            description="what decided: with `explain=png` a PNG, to be laid over the picture,"
            " transparent where little mattered; with `explain=array` rows of numbers,"
            " 1 where most mattered"
        ),
    ]


class PictureAnswer(_Answer):
    """What a picture shows."""

    label: Annotated[
        str, Field(alias="class", description="English name of the most probable class")
    ]
    class_fr: Annotated[str, Field(description="its French name")]
    prediction: Annotated[int, Field(ge=0, description="its position among the classes")]
    confidence: Annotated[_Fraction, Field(description="its probability")]
    probabilities: Annotated[
        dict[str, _Fraction],
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
        _Fraction | None,
        Field(
            description="how much it looks like those of the classes, the score behind `known`;"
            " null where the model cannot tell"
        ),
    ]
    seen: Annotated[
        _PictureUrl | None, Field(description="with `seen=1`: what the network sees of the picture")
    ] = None
    explanation: Annotated[Explanation | None, Field(description="with `explain`")] = None


class Problem(_Answer):
    """An error, as RFC 9457 has it."""

    type: Annotated[
        Literal[tuple(problem_type(kind) for kind in KINDS)],  # type: ignore[valid-type]
        Field(description="what kind of problem; never changes, so a program can tell by it"),
    ]
    title: Annotated[str, Field(description="the kind in a few words")]
    status: Annotated[int, Field(ge=400, le=599, description="the HTTP status")]
    detail: Annotated[str, Field(description="one sentence on what is wrong and one on what to do")]


class FileAnswer(PictureAnswer):
    """What one picture of several shows."""

    file: Annotated[str, Field(description="the file's name as it was sent")]


class FileProblem(Problem):
    """What is wrong with one picture of several."""

    file: Annotated[str, Field(description="the file's name as it was sent")]


class SeveralAnswers(_Answer):
    """What several pictures show, in the order of the files."""

    predictions: list[FileAnswer | FileProblem]


class InputSize(_Answer):
    """The pictures that the network takes."""

    height: int
    width: int
    channels: Literal[3] = 3


class Limits(_Answer):
    """What this server accepts."""

    max_upload_bytes: Annotated[int, Field(description="largest request, in bytes")]
    max_pixels: Annotated[int, Field(description="largest picture, in pixels")]
    max_pictures: Annotated[int, Field(description="pictures in one request")]
    max_seconds: Annotated[float, Field(description="how long a request may take, in seconds")]
    requests_per_minute: Annotated[
        int, Field(description="requests of one client in a minute; 0 for no limit")
    ]


class Teaching(_Answer):
    """What may be taught here."""

    max_classes: Annotated[int, Field(description="classes of one lesson")]
    max_lesson_pictures: Annotated[int, Field(description="pictures of one lesson")]
    lesson_hours: Annotated[float, Field(description="a lesson unused for so long is deleted")]


class ModelAnswer(BundleMetadata):
    """What the model is and knows, how good it is, and the limits of this server."""

    model_config = ConfigDict(extra="forbid")

    input: InputSize
    limits: Limits
    teaching: Annotated[
        Teaching | None,
        Field(description="the bounds of what may be taught (`/lessons`); null where nothing may"),
    ]


class DatasetClass(_Answer):
    """One class of the dataset."""

    name: str
    name_fr: str
    train: Annotated[int, Field(description="how many pictures there are to learn from")]
    test: Annotated[int, Field(description="how many pictures there are to test with")]
    examples: Annotated[list[_PngUrl], Field(description="up to ten of the test pictures")]


class DatasetAnswer(_Answer):
    """What the model learned from."""

    name: str
    classes: list[DatasetClass]
    height: int
    width: int


class Health(_Answer):
    """The server is alive."""

    status: Literal["ok"]


class Readiness(_Answer):
    """The model answers."""

    status: Literal["ready"]


class Index(_Answer):
    """What there is at this server."""

    name: Literal["imagette"]
    version: str
    endpoints: Annotated[dict[str, str], Field(description="what each address answers")]


class LessonRequest(BaseModel):
    """What a lesson begins with."""

    model_config = ConfigDict(strict=True)

    class_names: Annotated[list[str], Field(description="what to tell apart, in any language")]


class LessonClass(_Answer):
    """One class of a lesson."""

    name: str
    pictures: Annotated[list[str], Field(description="names of its pictures, the oldest first")]


class LessonModel(_Answer):
    """What the pictures of a lesson teach."""

    class_names: Annotated[list[str], Field(description="the classes that have pictures")]
    class_names_fr: list[str]
    input: InputSize
    familiarity_threshold: float | None
    accuracy: Annotated[
        _Fraction | None,
        Field(
            description="share of the pictures that are recognised by what all others teach"
            " (leave-one-out); null while a class has a single one"
        ),
    ]
    accuracy_interval: Annotated[
        tuple[float, float] | None, Field(description="95 % interval of the accuracy")
    ]
    pictures: Annotated[int, Field(description="how many were learned")]


class LessonAnswer(_Answer):
    """Where a lesson stands."""

    id: Annotated[str, Field(description="whoever knows it may do anything with the lesson")]
    classes: list[LessonClass]
    model: Annotated[
        LessonModel | None,
        Field(description="what answers by all its pictures; null before two classes have one"),
    ]


class Thumbnail(_Answer):
    """A picture of a lesson, small."""

    name: str
    thumbnail: Annotated[str, Field(pattern="^data:image/jpeg;base64,")]


class AddedPictures(_Answer):
    """What became of pictures that were sent to a lesson."""

    kept: Annotated[list[Thumbnail], Field(description="those that were taken")]
    refused: Annotated[list[FileProblem], Field(description="what is wrong with the others")]
    lesson: Annotated[LessonAnswer, Field(description="where the lesson stands now")]


class LessonPictures(_Answer):
    """The pictures of a lesson."""

    classes: Annotated[
        dict[str, list[Thumbnail]], Field(description="of each class, the oldest first")
    ]


class Deleted(_Answer):
    """What was named is gone."""

    status: Literal["deleted"]


class PicturesOptions(BaseModel):
    """What may follow `/lessons/…/pictures?`."""

    label: Annotated[str, Field(alias="class", description="the class that the pictures show")]


class LessonPath(BaseModel):
    """The address of a lesson."""

    lesson: Annotated[str, Field(description="id of the lesson")]


class LessonPicturePath(LessonPath):
    """The address of a picture of a lesson."""

    picture: Annotated[str, Field(description="name of the picture")]


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


ANSWERS: tuple[type[BaseModel], ...] = (
    PictureAnswer, SeveralAnswers, Problem, ModelAnswer, DatasetAnswer, Health, Readiness, Index,
    LessonAnswer, AddedPictures, LessonPictures, Deleted,
)  # fmt: skip
"""What stands at the top of an answer's body."""


def schemas(template: str) -> dict[str, Any]:
    """JSON schemas of all answers by name; `template` says where `{model}` is found."""
    from pydantic.json_schema import models_json_schema

    _, document = models_json_schema(
        [(answer, "serialization") for answer in ANSWERS], ref_template=template
    )
    return document["$defs"]
