"""What requests are answered with: `current_app.extensions["imagette"]`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import Request, current_app

from imagette.serving.auth import Authenticator
from imagette.serving.body_room import BodyRoom
from imagette.serving.client import client_of
from imagette.serving.gate import Gate, Lanes
from imagette.serving.logs import RequestLog
from imagette.serving.metrics import Metrics
from imagette.serving.rate_limit import RateLimit
from imagette.serving.served_model import ServedModel, ServedModels
from imagette.serving.settings import Settings
from imagette.serving.tracing import Tracing

if TYPE_CHECKING:
    from imagette.serving.feedback import FeedbackFolder
    from imagette.serving.teaching.lesson_store import LessonStore

EXTENSION = "imagette"


@dataclass(frozen=True)
class ServerState:
    """What the application keeps between requests.

    Attributes:
        settings: what it serves, and its limits.
        models: those that answer.
        metrics: where requests are counted.
        authenticator: who knows the keys; None where none are asked for.
        lanes: the queues before pictures are decoded.
        rate_limit: how often each client may ask; None where there is no limit.
        body_room: what room there is for the bodies of requests.
        lessons: what people teach; None where nothing may be taught.
        feedback: what keeps pictures that were answered wrongly; None where none are kept.
        log: where requests are logged; None where they are not.
        tracing: what makes spans of requests; None where they are not traced.
    """

    settings: Settings
    models: ServedModels
    metrics: Metrics
    authenticator: Authenticator | None
    lanes: Lanes
    rate_limit: RateLimit | None
    body_room: BodyRoom
    lessons: "LessonStore | None"
    feedback: "FeedbackFolder | None"
    log: RequestLog | None
    tracing: Tracing | None

    @property
    def model(self) -> ServedModel:
        """The model that answers where none is named."""
        return self.models.first

    def gate(self, request: Request) -> Gate:
        """What the pictures of a request that begins now pass before they are decoded."""
        return Gate.of_request(self.lanes, self.settings, client_of(request.environ))

    def count_pictures(self, request: Request, pictures: int, explained: bool = False) -> None:
        """Count the pictures of a request, which was counted as one already.

        Raises:
            RequestError: they are more than its client may send now.
        """
        if self.rate_limit:
            self.rate_limit.count_pictures(request, pictures, explained)


def server_state() -> ServerState:
    """The state of the application that answers the request under way."""
    return cast(ServerState, current_app.extensions[EXTENSION])
