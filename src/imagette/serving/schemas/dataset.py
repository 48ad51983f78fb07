"""What the model learned from."""

from typing import Annotated

from pydantic import Field

from imagette.serving.schemas.base import PngUrl, ResponseModel


class DatasetClass(ResponseModel):
    """One class of the dataset."""

    name: str
    name_fr: str
    train: Annotated[int, Field(description="how many pictures there are to learn from")]
    test: Annotated[int, Field(description="how many pictures there are to test with")]
    examples: Annotated[list[PngUrl], Field(description="up to ten of the test pictures")]


class DatasetAnswer(ResponseModel):
    """What the model learned from."""

    name: str
    classes: list[DatasetClass]
    height: int
    width: int
