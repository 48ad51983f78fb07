"""Whether the server is alive and its model answers, and what there is at it."""

from typing import Annotated, Literal

from pydantic import Field

from imagette.serving.schemas.base import ResponseModel


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
