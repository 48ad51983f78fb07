"""Feedback: pictures that were answered wrongly, and what they really show."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from imagette.serving.schemas.base import ResponseModel


class FeedbackOptions(BaseModel):
    """What may follow `/feedback?`."""

    model_config = ConfigDict(populate_by_name=True)

    label: Annotated[
        str,
        Field(
            alias="class",
            description="what the picture shows: a class of the model, in English or French, or"
            " another name; empty if it shows nothing that has one",
        ),
    ] = ""


class FeedbackAnswer(ResponseModel):
    """The picture was kept."""

    label: Annotated[
        str,
        Field(alias="class", description="what it was kept as; empty if it shows no class"),
    ]
