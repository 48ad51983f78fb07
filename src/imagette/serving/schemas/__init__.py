"""What the API takes and answers, as pydantic models.

`/openapi.json` is made from these. Nothing is validated against the responses' models while
requests are answered, which would cost more than the network takes; the tests hold every response
to them.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from imagette.serving.schemas.base import Problem
from imagette.serving.schemas.model import DatasetAnswer, Health, Index, ModelAnswer, Readiness
from imagette.serving.schemas.predict import PictureAnswer, SeveralAnswers
from imagette.serving.schemas.teach import AddedPictures, Deleted, LessonAnswer, LessonPictures

RESPONSES: tuple[type[BaseModel], ...] = (
    PictureAnswer, SeveralAnswers, Problem, ModelAnswer, DatasetAnswer, Health, Readiness, Index,
    LessonAnswer, AddedPictures, LessonPictures, Deleted,
)  # fmt: skip
"""What stands at the top of a response's body."""


def json_schemas(template: str) -> dict[str, Any]:
    """JSON schemas of all responses by name; `template` says where `{model}` is found."""
    _, document = models_json_schema(
        [(response, "serialization") for response in RESPONSES], ref_template=template
    )
    return document["$defs"]
