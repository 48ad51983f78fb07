"""What the page says."""

import dataclasses
import string

import pytest

from imagette.assets import list_samples
from imagette.webapp import pieces
from imagette.webapp.texts import ENGLISH, FRENCH, answer, percent, with_article


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
        assert french != english
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

    assert answer(rank(["cat", "frog"]), "en") == english
    assert french in answer(rank(["chat", "grenouille"]), "fr")


def test_a_name_without_a_known_article_is_quoted():
    assert with_article("airplane", "en") == "an airplane"
    assert with_article("seven", "en") == "“seven”"
    assert with_article("{first}", "fr") == "«\u202f{first}\u202f»"
    assert "{second}" in answer([("{second}", 0.5), ("b", 0.3)], "en")


@pytest.mark.parametrize(
    ("fraction", "words"),
    [(0.0, "< 1%"), (0.004, "< 1%"), (0.014, "1%"), (0.5, "50%"), (0.99, "99%"), (1.0, "> 99%")],
)
def test_percent(fraction, words):
    assert percent(fraction, "en") == words


def test_names_of_classes_are_text_and_never_markup():
    nasty = '<img src=x onerror="alert(1)">'
    assert "<img" not in pieces.bars([(nasty, 0.5), ("b", 0.5)], "en")
    assert "<img" not in pieces.text("h2", "answer", nasty)
    size = {"height": 32, "width": 32}
    assert nasty not in pieces.pictures("data:,", "data:,", nasty, size, ENGLISH)


def test_samples_have_words_in_both_languages():
    for sample in list_samples():
        assert sample.path.is_file()
        for words in (sample.name, sample.description):
            assert words["en"]
            assert words["fr"]
