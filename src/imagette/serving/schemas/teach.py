"""Lessons: what is sent to teach the server, and where a lesson stands."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from imagette.serving.schemas.base import FileProblem, Fraction, ResponseModel
from imagette.serving.schemas.model import InputSize


class LessonRequest(BaseModel):
    """What a lesson begins with."""

    model_config = ConfigDict(strict=True)

    class_names: Annotated[list[str], Field(description="what to tell apart, in any language")]
    name: Annotated[str, Field(description="of the lesson; empty for none")] = ""


class NameRequest(BaseModel):
    """What a lesson or a class is to be called."""

    model_config = ConfigDict(strict=True)

    name: str


class LessonPath(BaseModel):
    """The address of a lesson."""

    lesson: Annotated[str, Field(description="id of the lesson")]


class LessonPicturePath(LessonPath):
    """The address of a picture of a lesson."""

    picture: Annotated[str, Field(description="name of the picture")]


class PicturesOptions(BaseModel):
    """What may follow `/lessons/…/pictures?`."""

    label: Annotated[str, Field(alias="class", description="the class that the pictures show")]


class ClassOption(BaseModel):
    """What may follow `/lessons/…/classes?`."""

    label: Annotated[str, Field(alias="class", description="one of the lesson's classes")]


class DeleteOption(BaseModel):
    """What may follow `DELETE /lessons/…?`."""

    undo: Annotated[
        Literal["0", "1"],
        Field(description="`1` lets the lesson be brought back for some minutes"),
    ] = "0"


class UndoOption(BaseModel):
    """What may follow `/lessons/…/undo?`."""

    change: Annotated[
        str, Field(description="id of the change to undo; the last one, whichever it is, if empty")
    ] = ""


class LessonClass(ResponseModel):
    """One class of a lesson."""

    name: str
    pictures: Annotated[list[str], Field(description="names of its pictures, the oldest first")]


class LessonModel(ResponseModel):
    """What the pictures of a lesson teach."""

    class_names: Annotated[list[str], Field(description="the classes that have pictures")]
    class_names_fr: list[str]
    input: InputSize
    familiarity_threshold: float | None
    accuracy: Annotated[
        Fraction | None,
        Field(
            description="share of the pictures that are recognised by what all others teach"
            " (leave-one-out); null while a class has a single one"
        ),
    ]
    accuracy_interval: Annotated[
        tuple[float, float] | None, Field(description="95 % interval of the accuracy")
    ]
    pictures: Annotated[int, Field(description="how many were learned")]


class UndoableChange(ResponseModel):
    """What was done last and can be undone."""

    id: Annotated[str, Field(description="of this change")]
    kind: Annotated[
        Literal["picture", "class", "rename"],
        Field(description="a picture or a class was deleted, or a class renamed"),
    ]
    class_name: Annotated[str, Field(description="the class, as it was called before")]
    expires_in: Annotated[int, Field(ge=0, description="for so many seconds it can be undone")]


class LessonAnswer(ResponseModel):
    """Where a lesson stands."""

    id: Annotated[str, Field(description="whoever knows it may do anything with the lesson")]
    name: Annotated[str, Field(description="empty where nobody gave it one")]
    classes: list[LessonClass]
    undo: Annotated[UndoableChange | None, Field(description="the last change; null if none")]
    model: Annotated[
        LessonModel | None,
        Field(description="what answers by all its pictures; null before two classes have one"),
    ]


class Thumbnail(ResponseModel):
    """A picture of a lesson, small."""

    name: str
    thumbnail: Annotated[str, Field(pattern="^data:image/jpeg;base64,")]


class AddedPictures(ResponseModel):
    """What became of pictures that were sent to a lesson."""

    kept: Annotated[list[Thumbnail], Field(description="those that were taken")]
    refused: Annotated[list[FileProblem], Field(description="what is wrong with the others")]
    lesson: Annotated[LessonAnswer, Field(description="where the lesson stands now")]


class LessonPictures(ResponseModel):
    """The pictures of a lesson."""

    classes: Annotated[
        dict[str, list[Thumbnail]], Field(description="of each class, the oldest first")
    ]


class Deleted(ResponseModel):
    """What was named is gone."""

    status: Literal["deleted"]
    undo_seconds: Annotated[
        int, Field(ge=0, description="for so long it can be brought back; 0 if it is gone for good")
    ]
