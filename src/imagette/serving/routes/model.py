"""`GET /model` and `GET /dataset`: what the model is, and what it learned from."""

from collections import Counter
from functools import cache
from pathlib import Path

from flask import Response

from imagette.errors import ImagetteError
from imagette.reports.html import pixels_url
from imagette.serving.openapi import make_blueprint, responses
from imagette.serving.problems import RequestError
from imagette.serving.schemas.model import DatasetAnswer, DatasetClass, ModelAnswer
from imagette.serving.state import server_state

_EXAMPLES = 10

blueprint = make_blueprint("model", __name__)


@blueprint.get("/model", responses=responses(ModelAnswer))
def show_model() -> Response:
    """What the model is and knows, how good it is, and the limits of this server"""
    return Response(server_state().model.now.description, mimetype="application/json")


@blueprint.get("/dataset", responses=responses(DatasetAnswer, "no-dataset"))
def show_dataset() -> Response:
    """What the model learned from, with examples, where that is at hand"""
    name = server_state().model.now.classifier.metadata.dataset
    folder = _find_cifar10() if name == "cifar10" else None
    if folder is None:
        raise RequestError(
            "no-dataset",
            "What the model learned from is not at hand on this server.",
            "Ask whoever runs it to set IMAGETTE_CIFAR10_DIR to the folder cifar-10-batches-py, if"
            " it is CIFAR-10; another dataset is never shown.",
        )
    try:
        return Response(_describe_cifar10(folder), mimetype="application/json")
    except ImagetteError as error:
        raise RequestError("no-dataset", error.problem, error.remedy) from error


def _find_cifar10() -> Path | None:
    # Imported when asked for: what finds it comes with imagette[train].
    try:
        from imagette.data.sources.cifar import find_cifar10

        return find_cifar10()
    except ModuleNotFoundError:
        return None


@cache
def _describe_cifar10(folder: Path) -> bytes:
    from imagette.data.sources import cifar

    test = cifar.load_split(folder, cifar.TEST_FILES)
    # One file after the other, since the pictures of all would take 180 MB to count their labels.
    train = Counter[int]()
    for file in cifar.TRAIN_FILES:
        train.update(cifar.load_split(folder, (file,)).labels.tolist())
    classes = [
        DatasetClass(
            name=name,
            name_fr=cifar.CLASS_NAMES_FR[index],
            train=train[index],
            test=len(images),
            examples=[pixels_url(image) for image in images[:_EXAMPLES]],
        )
        for index, name in enumerate(cifar.CLASS_NAMES)
        for images in [test.images[test.labels == index]]
    ]
    height, width = test.images.shape[1:3]
    answer = DatasetAnswer(name="cifar10", classes=classes, height=height, width=width)
    return answer.model_dump_json().encode()
