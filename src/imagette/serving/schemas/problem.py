"""An error, as RFC 9457 has it."""

from typing import Annotated, Literal

from pydantic import Field

from imagette.serving.problems import KINDS, problem_type
from imagette.serving.schemas.base import ResponseModel


class Problem(ResponseModel):
    """An error, as RFC 9457 has it."""

    type: Annotated[
        Literal[tuple(problem_type(kind) for kind in KINDS)],  # type: ignore[valid-type]
        Field(description="what kind of problem; never changes, so a program can tell by it"),
    ]
    title: Annotated[str, Field(description="the kind in a few words")]
    status: Annotated[int, Field(ge=400, le=599, description="the HTTP status")]
    detail: Annotated[str, Field(description="one sentence on what is wrong and one on what to do")]


class FileProblem(Problem):
    """What is wrong with one picture of several."""

    file: Annotated[str, Field(description="the file's name as it was sent")]
