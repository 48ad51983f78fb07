"""What the schemas have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
PngUrl = Annotated[str, Field(pattern="^data:image/png;base64,")]
ImageUrl = Annotated[str, Field(pattern="^data:image/(png|jpeg);base64,")]


class ResponseModel(BaseModel):
    """What a response's body, or a part of it, holds, and nothing else."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
