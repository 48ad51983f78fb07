"""What answers the pictures of one request: turns, network, metrics and traces in one place."""

import time
from dataclasses import dataclass, field

from flask import Request

from imagette.images.formats import ImageInput
from imagette.images.open_image import OpenedImage
from imagette.images.views import View
from imagette.inference.classifier import Classifier, Explanation, Prediction
from imagette.serving.gate import Gate
from imagette.serving.state import ServerState


@dataclass(frozen=True)
class Answer:
    """What there is to say of one picture.

    Attributes:
        views: what the network looked at.
        prediction: what it says.
        explanation: where in the picture lies what that rests on; None where nobody asked.
    """

    views: tuple[View, ...]
    prediction: Prediction
    explanation: Explanation | None


@dataclass
class AskedClassifier:
    """A classifier, as one request asks it.

    Attributes:
        state: of the application.
        request: the request.
        classifier: what answers.
        count_classes: whether answers are counted by class.
    """

    state: ServerState
    request: Request
    classifier: Classifier
    count_classes: bool = True
    _gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self._gate = self.state.gate(self.request)

    def answer(self, image: ImageInput, explain: bool = False) -> Answer:
        """Say what a picture shows, when its turn has come.

        Args:
            image: the picture.
            explain: whether to say why, too.

        Raises:
            RequestError: the time of the request is up, or its budget, or there is too much to do.
            ImageError: the picture cannot be read or is too large.
            ModelError: the model gave what cannot be an answer.
        """
        classifier, gate, started = self.classifier, self._gate, time.perf_counter()
        size, view = (classifier.height, classifier.width), classifier.metadata.view
        views = gate.decode(image, classifier.at_least, OpenedImage.views, *size, view)
        decoding = started + gate.waited(), time.perf_counter()
        if explain:
            with gate.turn_to_explain():
                explanation = classifier.explain(views)
            prediction = explanation.prediction
        else:
            prediction, explanation = gate.compute(classifier.predict, views), None
        network = decoding[1] + gate.waited(), time.perf_counter()
        if self.count_classes:
            seconds = decoding[1] - decoding[0], network[1] - network[0]
            self.state.metrics.count_prediction(prediction, *seconds)
        if self.state.tracing:
            spans = (("wait", started, decoding[0]), ("decode", *decoding), ("network", *network))
            self.state.tracing.add_children(self.request.environ, *spans)
        return Answer(views, prediction, explanation)
