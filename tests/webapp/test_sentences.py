"""What the page says of an answer."""

import pytest

from imagette.webapp.sentences import (
    answer_sentence,
    closest_sentence,
    confidence_percent,
    limits_sentence,
    short_answer,
    with_article,
)
from imagette.webapp.texts import TEXTS

EN, FR = TEXTS["en"], TEXTS["fr"]


@pytest.mark.parametrize(
    ("confidence", "english", "french"),
    [
        (
            0.999,
            "It is a cat, I am almost certain (more than 99% sure).",
            "(sûr à plus de 99\u202f%)",
        ),
        (0.93, "It is a cat, I am almost certain (93% sure).", "C’est un chat, j’en suis presque"),
        (0.87, "I think it is a cat (87% sure).", "Je pense que c’est un chat (sûr à 87\u202f%)."),
        (0.45, "It may be a cat (45% sure), or else a frog.", "ou bien une grenouille."),
        (0.2, "I do not really know. Perhaps a cat, but I am only 20% sure.", "Peut-être un chat"),
    ],
)
def test_words_get_more_careful_as_confidence_falls(confidence, english, french):
    def rank(names):
        return [(names[0], confidence), (names[1], (1 - confidence) / 2)]

    assert answer_sentence(rank(["cat", "frog"]), True, EN) == english
    assert french in answer_sentence(rank(["chat", "grenouille"]), None, FR)


def test_a_name_without_a_known_article_is_quoted():
    assert with_article("airplane", EN) == "an airplane"
    assert with_article("seven", EN) == "“seven”"
    assert with_article("{first}", FR) == "«\u202f{first}\u202f»"
    assert "{second}" in answer_sentence([("{second}", 0.5), ("b", 0.3)], None, EN)


@pytest.mark.parametrize(
    ("fraction", "words"),
    [(0.0, "< 1%"), (0.004, "< 1%"), (0.014, "1%"), (0.5, "50%"), (0.99, "99%"), (1.0, "> 99%")],
)
def test_a_confidence_is_never_said_to_be_0_or_100_percent(fraction, words):
    assert confidence_percent(fraction, EN) == words


def test_limits_are_said_in_megabytes_and_megapixels():
    limits = {
        "max_upload_bytes": 25_000_000,
        "max_pixels": 50_000_000,
        "max_jpeg_pixels": 2 * 10**8,
    }
    assert limits_sentence(limits, EN).startswith("Up to 25 MB per picture, and 200 megapixels")
    small = limits | {"max_upload_bytes": 4_500_000, "max_pixels": 16_000_000}
    assert "4,5\u00a0Mo par image" in limits_sentence(small, FR)
    assert "(16 dans" in limits_sentence(small, FR)


def test_none_of_these_is_said_whatever_the_confidence():
    ranking = [("cat", 0.99), ("frog", 0.01)]
    assert answer_sentence(ranking, False, EN) == EN.none_of_these
    assert closest_sentence(ranking, EN) == "What comes closest: a cat, then a frog."
    assert short_answer(ranking, False, FR) == FR.none_short
    assert short_answer(ranking, True, EN) == "cat 99%"
