"""The models that the API serves, and their replacement while requests go on."""

import time
from dataclasses import dataclass

import numpy as np

from imagette.inference.classifier import Classifier
from imagette.serving.model_files import ModelFile
from imagette.serving.problems import RequestError
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
    """A model that answers now.

    A request takes `now` once and keeps it to its end, so that a swap meanwhile changes nothing
    for it.

    Args:
        file: which model.
        settings: the limits to describe.

    Attributes:
        name: what it is called in addresses.
        now: the model as it is loaded now.

    Raises:
        ImagetteError: the model cannot be loaded.
    """

    def __init__(self, file: ModelFile, settings: Settings) -> None:
        self.name = file.name
        self._path, self._settings = file.path, settings
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
        classifier = Classifier(self._path, threads=1, max_pixels=settings.max_pixels)
        return OpenModel(classifier, _describe(classifier, settings))


class ServedModels(dict[str, ServedModel]):
    """All models of a server by name, the one that answers `POST /predict` first.

    Args:
        settings: which models, and the limits to describe.

    Raises:
        ImagetteError: a model cannot be loaded.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__({file.name: ServedModel(file, settings) for file in settings.model})

    @property
    def first(self) -> ServedModel:
        """The model that answers where none is named."""
        return next(iter(self.values()))

    def check_ready(self) -> None:
        """See that each answers, as `ServedModel.check_ready` does."""
        for model in self.values():
            model.check_ready()

    def find(self, name: str) -> ServedModel:
        """The model of this name.

        Raises:
            RequestError: there is none.
        """
        if name in self:
            return self[name]
        raise RequestError(
            "no-model",
            f"There is no model called {name[:64]!r} here.",
            f"Ask for one of these: {', '.join(self)}.",
        )


def _describe(classifier: Classifier, settings: Settings) -> bytes:
    answer = ModelAnswer(
        **classifier.metadata.model_dump(exclude={"sample_split", "samples"}),
        pretrained_on=classifier.metadata.pretraining,
        input=InputSize(height=classifier.height, width=classifier.width),
        limits=Limits.model_validate(settings, from_attributes=True),
        feedback=settings.feedback is not None,
        teaching=Teaching.model_validate(settings, from_attributes=True)
        if settings.teach
        else None,
    )
    return answer.model_dump_json().encode()
