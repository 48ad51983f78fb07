"""The model that the API serves, and its replacement while requests go on."""

import time
from dataclasses import dataclass

import numpy as np

from imagette.inference.classifier import Classifier
from imagette.serving.schemas.model import InputSize, Limits, ModelAnswer, Teaching
from imagette.serving.settings import Settings


@dataclass(frozen=True)
class OpenModel:
    """A model that is loaded.

    Attributes:
        classifier: what answers.
        description: JSON in UTF-8, what `GET /model` says of it.
    """

    classifier: Classifier
    description: bytes


class ServedModel:
    """The model that answers now.

    A request takes `now` once and keeps it to its end, so that a swap meanwhile changes nothing
    for it.

    Args:
        settings: which model, and the limits to describe.

    Raises:
        ImagetteError: the model cannot be loaded.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.now = self._open()
        self._ready_until = 0.0

    def check_ready(self) -> None:
        """See that the network answers; a good answer holds for a second, as anyone may ask.

        Raises:
            Exception: whatever the network fails with.
        """
        if time.monotonic() >= self._ready_until:
            network = self.now.classifier
            network.predict_arrays(np.zeros((1, network.height, network.width, 3), np.uint8))
            self._ready_until = time.monotonic() + 1

    def swap(self) -> None:
        """Load the model's file anew and let it answer from now on.

        Raises:
            ImagetteError: what is wrong with the file; the model of before goes on answering.
        """
        self.now = self._open()

    def _open(self) -> OpenModel:
        settings = self._settings
        # The server runs one worker a core, so more threads for one picture would only get in
        # the way.
        classifier = Classifier(settings.model, threads=1, max_pixels=settings.max_pixels)
        return OpenModel(classifier, _describe(classifier, settings))


def _describe(classifier: Classifier, settings: Settings) -> bytes:
    answer = ModelAnswer(
        **classifier.metadata.model_dump(),
        input=InputSize(height=classifier.height, width=classifier.width),
        limits=Limits.model_validate(settings, from_attributes=True),
        teaching=Teaching.model_validate(settings, from_attributes=True)
        if settings.teach
        else None,
    )
    return answer.model_dump_json().encode()
