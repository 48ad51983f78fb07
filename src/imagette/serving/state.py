"""What requests are answered with: `current_app.extensions["imagette"]`."""

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, cast

from flask import current_app

from imagette.serving.gate import Gate
from imagette.serving.logs import RequestLog
from imagette.serving.metrics import Metrics
from imagette.serving.served_model import ServedModel, ServedModels
from imagette.serving.settings import Settings

if TYPE_CHECKING:
    from imagette.serving.teaching.lesson_store import LessonStore

EXTENSION = "imagette"


@dataclass(frozen=True)
class ServerState:
    """What the application keeps between requests.

    Attributes:
        settings: what it serves, and its limits.
        models: those that answer.
        metrics: where requests are counted.
        decoding: held by whoever decodes a large picture.
        lessons: what people teach; None where nothing may be taught.
        log: where requests are logged; None where they are not.
    """

    settings: Settings
    models: ServedModels
    metrics: Metrics
    decoding: Lock
    lessons: "LessonStore | None"
    log: RequestLog | None

    @property
    def model(self) -> ServedModel:
        """The model that answers where none is named."""
        return self.models.first

    def gate(self) -> Gate:
        """What the pictures of a request that begins now pass before they are decoded."""
        return Gate(self.settings.max_seconds, self.decoding)


def server_state() -> ServerState:
    """The state of the application that answers the request under way."""
    return cast(ServerState, current_app.extensions[EXTENSION])
