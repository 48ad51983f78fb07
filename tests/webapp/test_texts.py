"""What the page says: the same in both languages, all of it used, and spaced as it should be."""

import ast
import re
import string
from pathlib import Path

from imagette import webapp
from imagette.assets import list_samples
from imagette.serving.problems import KINDS
from imagette.webapp import lesson_zip, uploads
from imagette.webapp.texts import TEXTS, Texts

EN, FR = TEXTS["en"], TEXTS["fr"]
FIELDS = list(Texts.__annotations__)
SAME_IN_BOTH = ("pages", "photo", "split_test", "split_validation")


def sentences(texts):
    """All texts of a language by key; those that are several are numbered."""
    for key in FIELDS:
        value = getattr(texts, key)
        if isinstance(value, str):
            yield key, value
        else:
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            yield from ((f"{key} {part}", words) for part, words in parts)


ENGLISH, FRENCH = dict(sentences(EN)), dict(sentences(FR))


def test_every_text_is_words():
    assert vars(EN).keys() == vars(FR).keys() == {"language", *FIELDS}
    for words in (*ENGLISH.values(), *FRENCH.values()):
        assert isinstance(words, str)
        assert words.strip() == words != ""


def test_both_languages_say_everything_with_the_same_blanks(subtests):
    def blanks(words):
        return {name for _, name, _, _ in string.Formatter().parse(words) if name}

    for key in ENGLISH:
        if not key.startswith("with_article "):
            with subtests.test(key):
                assert blanks(FRENCH[key]) == blanks(ENGLISH[key])
                assert FRENCH[key] != ENGLISH[key] or key in SAME_IN_BOTH


def test_problems_are_those_of_the_api():
    assert EN.problems.keys() == FR.problems.keys()
    assert EN.problems.keys() - {"api-down", *uploads.REASONS, *lesson_zip.REASONS} <= set(KINDS)
    # All but what only a mistake of the page or of the server could be answered with.
    assert set(KINDS) - EN.problems.keys() == {
        "bad-request", "internal-error", "invalid-json", "method-not-allowed", "no-dataset",
        "not-found", "unsupported-content-type", "wrong-option", "wrong-shape", "wrong-tensor",
        "wrong-values",
    }  # fmt: skip


def test_no_text_is_left_that_the_page_does_not_say():
    used = {
        node.attr
        for file in Path(webapp.__path__[0]).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert not set(FIELDS) - used


def test_french_spaces_do_not_break(subtests):
    for key, words in FRENCH.items():
        with subtests.test(key):
            words = re.sub(r"`[^`]*`", "", words)  # without code
            assert not re.search(r"(?<!\u00a0)[:;?!]|(?<!\u202f)[%»]|«(?!\u202f)", words)
            assert not re.search(r"['\"“”]| ×|× ", words)


def test_samples_have_words_in_both_languages():
    for sample in list_samples():
        assert sample.path.is_file()
        for words in (sample.name, sample.description):
            assert words["en"]
            assert words["fr"]
