"""What the API serves, and its limits."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from imagette.errors import ImagetteError
from imagette.images.formats import JPEG_FACTOR, MAX_PIXELS
from imagette.serving.api_keys import check_keys
from imagette.serving.base_path import normalise_base_path
from imagette.serving.memory import default_decoding_bytes
from imagette.serving.model_files import CIFAR10, ModelFile, parse_models


class Settings(BaseSettings):
    """What the API serves, and its limits.

    A field that is not given (or is None) is taken from the environment: `max_pixels` from
    `IMAGETTE_MAX_PIXELS`, and so on; then from the defaults below. Lists have commas between
    their entries there. The sentence below each field is its description on the command line.

    Raises:
        ImagetteError: a value, given or in the environment, is not usable.
    """

    model_config = SettingsConfigDict(
        env_prefix="IMAGETTE_", env_ignore_empty=True, frozen=True, use_attribute_docstrings=True
    )

    model: Annotated[tuple[ModelFile, ...], NoDecode, Field(min_length=1)] = (CIFAR10,)
    """path of a bundle or a run, or the name of a model that ships with Imagette: `cifar10`, or the
    small and fast `cifar10-lite`; several as NAME=PATH, with commas between: the first answers
    `/predict`, and each `/models/NAME/predict`"""
    max_upload_bytes: PositiveInt = 25_000_000
    """largest request, in bytes"""
    max_pixels: PositiveInt = MAX_PIXELS
    """largest picture, in pixels; a JPEG, which is decoded at a reduced size, may have four times
    as many"""
    max_pictures: PositiveInt = 64
    """pictures in one request"""
    max_seconds: Annotated[PositiveFloat, Field(le=86_400)] = 30
    """how long a request that has arrived may wait and take, in seconds"""
    body_seconds: Annotated[PositiveFloat, Field(le=86_400)] = 30
    """how long a request may take to come, in seconds; one more for each 10 kB of it"""
    keep_alive_seconds: Annotated[PositiveFloat, Field(le=86_400)] = 130
    """how long a connection stays open for another request, in seconds: longer than the proxy in
    front keeps it"""
    max_wait_seconds: Annotated[PositiveFloat, Field(le=86_400)] = 10
    """how long a large picture, a large body or an explanation may have to wait for its turn, in
    seconds; where it would be longer, the request is refused"""
    requests_per_minute: NonNegativeInt = 0
    """requests of one client in a minute, of which each picture counts as one and an explanation as
    twenty; 0 for no limit"""
    rate_storage: str = "memory://"
    """where requests are counted: in the memory of each worker, which counts for itself, or at an
    address such as `redis://host:6379` for all of them together"""
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """keys of which a client must send one, each as `KEY` or `NAME:KEY`, with commas between; none
    for no keys (in the environment, others on the machine do not see them)"""
    api_keys_file: Path | None = None
    """file of further keys, one per line; SIGHUP reads it again"""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """sites whose scripts may ask, with commas between, such as `https://example.org`; `*` for
    all"""
    title: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)
    ] = "Imagette"
    """what the page is called, in its header and in the browser's title"""
    base_path: str = ""
    """path below which API and page are found, such as `/imagette`, where a proxy in front serves
    other things too; none if empty"""
    trusted_proxies: NonNegativeInt = 0
    """how many proxies in front are believed about who asks, and at which address
    (X-Forwarded-…)"""
    log_requests: bool = False
    """whether to write one line of JSON a request to standard error"""
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """port on which `/metrics` answers, without a key, and then on no other; 0 for the API's own"""
    workers: PositiveInt = min(4, os.cpu_count() or 1)
    """processes that answer; one for each core is best, and each takes some 100 MB"""
    decoding_bytes: PositiveInt = Field(
        default_factory=lambda settings: default_decoding_bytes(settings.get("workers", 1))
    )
    """memory that each worker may take to decode pictures, in bytes: a picture that takes more is
    refused, and others wait for their turn"""
    feedback: Path | None = None
    """folder that keeps pictures which people say were answered wrongly, by what they really show,
    to train on; without one, none are kept"""
    max_feedback_pictures: PositiveInt = 2_000
    """pictures that are kept there at most; each takes some 200 kB on the disk"""
    teach: bool = False
    """whether people may teach the server classes of their own"""
    lessons_dir: Path | None = None
    """folder that keeps lessons: without one, they go when the server stops"""
    lesson_hours: Annotated[PositiveFloat, Field(le=100_000)] = 24
    """a lesson unused for so many hours is deleted"""
    max_lessons: PositiveInt = 50
    """lessons that are kept at once"""
    max_lessons_per_client: PositiveInt = 10
    """lessons of one client (a key, or an address) that are kept at once; all people of a classroom
    may have one address"""
    max_classes: Annotated[PositiveInt, Field(ge=2, le=100)] = 10
    """classes of one lesson"""
    max_lesson_pictures: Annotated[PositiveInt, Field(ge=2, le=10_000)] = 500
    """pictures of one lesson; each takes some 100 kB on the disk"""

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            raise _unusable(error) from error

    @field_validator("api_keys", "cors_origins", mode="before")
    @classmethod
    def _split_commas(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str):
            return value
        found = tuple(filter(None, map(str.strip, value.split(","))))
        # A key that was meant to be given, and is not, must not open the server to all.
        if info.field_name == "api_keys" and not found:
            raise ValueError("There is no key in it")
        return found

    @field_validator("model", mode="before")
    @classmethod
    def _parse_models(cls, given: Any) -> Any:
        return parse_models(given)

    @field_validator("base_path")
    @classmethod
    def _normalise_base_path(cls, path: str) -> str:
        return normalise_base_path(path)

    @field_validator("api_keys")
    @classmethod
    def _check_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        check_keys(key.get_secret_value() for key in keys)
        return keys

    @property
    def max_jpeg_pixels(self) -> int:
        """The largest JPEG, in pixels."""
        return JPEG_FACTOR * self.max_pixels

    @property
    def asks_for_keys(self) -> bool:
        """Whether a client must send a key."""
        return bool(self.api_keys or self.api_keys_file)


for _field in Settings.model_fields.values():  # pydantic leaves the line breaks in
    _field.description = " ".join((_field.description or "").split())


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"IMAGETTE_{name.upper()}"


def _unusable(error: ValidationError) -> ImagetteError:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    if name not in Settings.model_fields:
        return ImagetteError(f"There is no setting {name}.", "Check its name.")
    value = "what it is" if name == "api_keys" else repr(first["input"])
    text = Settings.model_fields[name].description or ""
    meaning = f"{text[:1].upper()}{text[1:]}."
    return ImagetteError(
        f"The setting {name} ({variable(name)}) cannot be {value}.",
        f"{first['msg'].removeprefix('Value error, ')}. What {name} is: {meaning}",
    )
