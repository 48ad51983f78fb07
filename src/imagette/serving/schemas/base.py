"""What the schemas have in common, errors among it."""

from typing import Annotated, Literal, TypeVar

from flask import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagette.serving.problems import KINDS, RequestError, problem_type

Fraction = Annotated[float, Field(ge=0, le=1)]
_Options = TypeVar("_Options", bound=BaseModel)
PngUrl = Annotated[str, Field(pattern="^data:image/png;base64,")]
ImageUrl = Annotated[str, Field(pattern="^data:image/(png|jpeg);base64,")]


class ResponseModel(BaseModel):
    """What a response's body, or a part of it, holds, and nothing else."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


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


def read_options(options: type[_Options], request: Request) -> _Options:
    """What stands behind the question mark.

    Raises:
        RequestError: an option has another value than it may have.
    """
    try:
        return options.model_validate(request.args.to_dict())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = first["loc"][0]
        raise RequestError(
            "wrong-option", f"The option {name} cannot be {first['input']!r}.", f"{first['msg']}."
        ) from error
