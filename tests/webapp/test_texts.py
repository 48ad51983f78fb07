"""What the page says."""

import dataclasses
import string

import pytest

from imagette.assets import list_samples
from imagette.serving.problems import KINDS
from imagette.webapp.texts import (
    ENGLISH,
    FRENCH,
    answer_sentence,
    closest,
    percent,
    short_answer,
    with_article,
)

SAME_IN_BOTH = ("pages", "photo", "teach_add_from_camera")


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(ENGLISH)])
def test_both_languages_say_everything_with_the_same_blanks(field):
    def blanks(words):
        return {name for _, name, _, _ in string.Formatter().parse(words) if name}

    english, french = getattr(ENGLISH, field), getattr(FRENCH, field)
    if isinstance(english, dict):
        assert set(english) == set(french)
        assert all(french.values())
    else:
        assert french
        assert english
        assert french != english or field in SAME_IN_BOTH
        assert blanks(french) == blanks(english)


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

    assert answer_sentence(rank(["cat", "frog"]), True, "en") == english
    assert french in answer_sentence(rank(["chat", "grenouille"]), None, "fr")


def test_a_name_without_a_known_article_is_quoted():
    assert with_article("airplane", "en") == "an airplane"
    assert with_article("seven", "en") == "“seven”"
    assert with_article("{first}", "fr") == "«\u202f{first}\u202f»"
    assert "{second}" in answer_sentence([("{second}", 0.5), ("b", 0.3)], None, "en")


@pytest.mark.parametrize(
    ("fraction", "words"),
    [(0.0, "< 1%"), (0.004, "< 1%"), (0.014, "1%"), (0.5, "50%"), (0.99, "99%"), (1.0, "> 99%")],
)
def test_percent(fraction, words):
    assert percent(fraction, "en") == words


def test_none_of_these_is_said_whatever_the_confidence():
    ranking = [("cat", 0.99), ("frog", 0.01)]
    assert answer_sentence(ranking, False, "en") == ENGLISH.none_of_these
    assert closest(ranking, "en") == "What it reminds me of most: a cat, then a frog."
    assert short_answer(ranking, False, "fr") == FRENCH.none_short
    assert short_answer(ranking, True, "en") == "cat 99%"


def test_problems_are_those_of_the_api():
    assert set(ENGLISH.problems) - {"api-down"} <= set(KINDS)


def test_samples_have_words_in_both_languages():
    for sample in list_samples():
        assert sample.path.is_file()
        for words in (sample.name, sample.description):
            assert words["en"]
            assert words["fr"]
