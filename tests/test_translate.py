"""What commands say in French, and that each of their sentences has it."""

import re

import pytest
from support.sentences import anonymous, said_sentences

from imagette.translate import load_catalogue, numbers_in_french, system_language, translated

PLACES = re.compile(r"\{(\w+)\}")


def test_every_sentence_has_its_french():
    known = set(map(anonymous, load_catalogue()))
    missing = {s: file for s, file in said_sentences().items() if s not in known}

    assert not missing, f"{len(missing)} without French in locales/fr.toml: {missing}"


def test_both_languages_have_the_same_places():
    for english, french in load_catalogue().items():
        assert set(PLACES.findall(english)) >= set(PLACES.findall(french)), english


def test_french_has_spaces_that_do_not_break_before_its_marks():
    for french in load_catalogue().values():
        text = re.sub(r"`[^`]*`|https?://\S+", "", french)
        assert not re.search(r"[\w)}] ?(?<!\u00a0)[;?!](?!\w)| :(?= |$)", text), french


def test_a_sentence_is_found_again_by_its_template():
    sentence = "There are 1,200 images but 7 labels."

    assert translated(sentence, "fr") == "Il y a 1\u202f200 images, mais 7 étiquettes."
    assert translated(sentence, "en") == sentence
    assert translated("Nobody ever wrote this.", "fr") == "Nobody ever wrote this."


@pytest.mark.parametrize(
    ("written", "french"),
    [
        ("1,234 of 98.5%", "1\u202f234 of 98,5\u202f%"),
        ("95 % of 3.25 s", "95\u202f% of 3,25 s"),
        ("Python 3.11.7 of 1,200", "Python 3.11.7 of 1\u202f200"),
        ("a/12,500.png", "a/12,500.png"),
    ],
)
def test_numbers_are_written_as_french_does(written, french):
    assert numbers_in_french(written) == french


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "fr_CA.UTF-8"}, "fr"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LANGUAGE": "fr:en"}, "fr"),
        ({}, "en"),
    ],
)
def test_the_language_is_the_systems(monkeypatch, environment, language):
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)

    assert system_language() == language
