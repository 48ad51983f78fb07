"""What the API serves, and its limits."""

import os
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PositiveInt,
    ValidationError,
    model_validator,
)

from imagette.errors import ImagetteError
from imagette.inference.preprocess import MAX_PIXELS


class Settings(BaseModel):
    """What the API serves, and its limits.

    A field that is not given (or is None) is taken from the environment: `max_pixels` from
    `IMAGETTE_MAX_PIXELS`, and so on; then from the defaults below.

    Attributes:
        model: path of a bundle, or the name of a model that ships with the package, `default` or
            `lite`; `default` if None.
        max_upload_bytes: the largest request body, in bytes.
        max_pixels: the largest picture, in pixels.
        max_pictures: how many pictures one request may hold.
        workers: processes that answer; one for each core is best, and each takes some 100 MB.

    Raises:
        ImagetteError: a value, given or in the environment, is not usable.
    """

    model_config = ConfigDict(frozen=True)

    model: Path | None = None
    max_upload_bytes: PositiveInt = 10_000_000
    max_pixels: PositiveInt = MAX_PIXELS
    max_pictures: PositiveInt = 64
    workers: PositiveInt = min(4, os.cpu_count() or 1)

    @model_validator(mode="wrap")
    @classmethod
    def _fill_from_environment(
        cls, given: dict[str, Any], handler: ModelWrapValidatorHandler[Self]
    ) -> Self:
        values = {
            name: os.environ[_variable(name)]
            for name in cls.model_fields
            if os.environ.get(_variable(name))
        }
        values |= {name: value for name, value in given.items() if value is not None}
        try:
            return handler(values)
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
            raise ImagetteError(
                f"The setting {name} ({_variable(name)}) cannot be {values[name]!r}.",
                "Give a path for the model, and a whole number above zero for the others.",
            ) from error


def _variable(name: str) -> str:
    return f"IMAGETTE_{name.upper()}"
