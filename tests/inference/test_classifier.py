"""Picture in, prediction out."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from support.tiny_bundle import CIFAR10_NAMES, CIFAR10_NAMES_FR

from imagette.errors import ImageError, ImagetteError
from imagette.inference.classifier import BATCH_SIZE, Classifier, Prediction


@pytest.fixture(scope="module")
def classifier(bundle_path) -> Classifier:
    return Classifier(bundle_path)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """More pictures than one batch holds, of many colours, so that they get many labels."""
    random = np.random.default_rng(5)
    colours = random.integers(0, 256, (BATCH_SIZE * 2 + 3, 1, 1, 3), dtype=np.uint8)
    return list(np.broadcast_to(colours, (len(colours), 32, 32, 3)))


def test_one_picture_gives_one_prediction(classifier, pictures, bundle_path):
    assert (classifier.path, classifier.metadata.model) == (bundle_path, "mean-colour")
    prediction = classifier.predict(pictures[0])
    assert isinstance(prediction, Prediction)
    assert prediction.label == CIFAR10_NAMES[prediction.index]
    assert prediction.label_fr == CIFAR10_NAMES_FR[prediction.index]
    assert list(prediction.probabilities) == list(CIFAR10_NAMES)
    assert prediction.confidence == max(prediction.probabilities.values())
    assert prediction.confidence == prediction.probabilities[prediction.label]
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert prediction.known is None


def test_the_probabilities_are_those_of_the_graph(classifier):
    """The tiny bundle is the mean colour times fixed weights, worked out here by hand."""
    picture = np.random.default_rng(6).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    weights = np.random.default_rng(0).normal(0, 0.02, (3, 10)).astype(np.float32)
    logits = picture.mean((0, 1)) @ weights
    expected = np.exp(logits) / np.exp(logits).sum()
    found = classifier.predict(picture).probabilities
    np.testing.assert_allclose(list(found.values()), expected, atol=1e-5)


def test_a_list_gives_a_list_in_its_order(classifier, pictures):
    singles = [classifier.predict(picture) for picture in pictures]
    assert len({single.label for single in singles}) >= 3
    together = classifier.predict(pictures)
    assert [one.label for one in together] == [one.label for one in singles]
    for one, other in zip(together, singles, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)


def test_short_lists(classifier, pictures):
    assert classifier.predict([]) == []
    assert classifier.predict_proba(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, 10)
    assert classifier.predict(pictures[:1]) == [classifier.predict(pictures[0])]


def test_every_kind_of_picture_gives_the_same_answer(classifier, tmp_path):
    pixels = np.random.default_rng(7).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    kinds = [pixels, pixels / 255, Image.open(path), path, str(path), path.read_bytes()]
    answers = classifier.predict(kinds)
    assert answers == [answers[0]] * len(kinds)


def test_views_are_what_the_network_sees(classifier):
    image = Image.new("RGB", (200, 100), (10, 20, 30))
    image.paste((90, 20, 30), (0, 0, 40, 100))
    views = classifier.views(image)
    assert len(views) > 1
    assert {(view.pixels.shape, view.pixels.dtype) for view in views} == {
        ((32, 32, 3), np.dtype("uint8"))
    }
    assert (views[0].pixels[:, -1] == (10, 20, 30)).all()
    # They are predicted about, and explained, as the picture itself is.
    assert classifier.predict(views) == classifier.predict(image)
    assert classifier.predict([views, image]) == [classifier.predict(image)] * 2
    assert (classifier.explain(views).heat == classifier.explain(image).heat).all()
    for wrong in ((1, 2), [[[1, 2, 3]]]):
        with pytest.raises(
            ImageError, match=r"A \w+ is not one picture. Make rows of numbers an array"
        ):
            classifier.predict(wrong)


def test_probabilities_of_ready_pictures(classifier, pictures):
    images = np.stack(pictures)
    found = classifier.predict_proba(images, batch_size=100)
    assert found.shape == (len(images), 10)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(found, classifier.predict_proba(images), atol=1e-6)
    predictions = classifier.predict(list(images))
    assert [one.index for one in predictions] == found.argmax(1).tolist()
    for wrong in (images[0], images / 255, images.tolist()):
        with pytest.raises(
            ImagetteError, match=r"not what this model takes: uint8 \(n, 32, 32, 3\)"
        ):
            classifier.predict_proba(wrong)


def test_a_bad_picture_in_a_list_is_named(classifier, pictures, tmp_path):
    bad = tmp_path / "broken.jpg"
    bad.write_bytes(b"not a picture")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        classifier.predict([pictures[0], bad, pictures[1]])
    with pytest.raises(ImageError, match=r"missing\.jpg"):
        classifier.predict([*pictures[: BATCH_SIZE + 1], tmp_path / "missing.jpg"])
    with pytest.raises(ImageError, match="several pictures as a list of arrays"):
        classifier.predict(np.zeros((2, 32, 32, 3), np.uint8))


def test_the_limit_on_pixels_can_be_set(bundle_path):
    strict = Classifier(bundle_path, max_pixels=100)
    strict.predict(Image.new("RGB", (10, 10)))
    with pytest.raises(ImageError) as caught:
        strict.predict(Image.new("RGB", (101, 1)))
    assert caught.value.too_large


def test_threads_may_share_a_classifier(bundle_path, pictures):
    shared = Classifier(bundle_path, threads=1)
    alone = [shared.predict(picture) for picture in pictures[:64]]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(shared.predict, pictures[:64])) == alone
