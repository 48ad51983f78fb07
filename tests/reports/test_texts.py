"""The texts of pages and plots: the same in both languages, all there, and all used."""

import re
from pathlib import Path
from string import Formatter

import pytest
from markupsafe import escape

import imagette
from imagette.evaluation.corruptions import NAMES
from imagette.reports.texts import NUMBERS, Both, both, load, text

PACKAGE = Path(imagette.__file__).parent
KEY = r"(?:\w+\.)+"
"""As it begins: whole in quotes, or with its end behind a `~` or in braces."""


def keys_used() -> tuple[set[str], set[str]]:
    """Keys that templates and code name, and the beginnings of those that they put together."""
    sources = [*PACKAGE.rglob("*.j2"), *(PACKAGE / "evaluation").rglob("*.py")]
    sources.append(PACKAGE / "data" / "explore_page.py")
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    whole = set(re.findall(rf'\b(?:both|text)\(\s*"({KEY}[\w-]+)"', code))
    begun = set(re.findall(rf'\b(?:both|text)\(\s*f?"({KEY})(?:" ~|{{)', code))
    return whole, begun


def places(one: str) -> list[tuple[str | None, str | None]]:
    return sorted((field, spec) for _, field, spec, _ in Formatter().parse(one) if field)


def test_both_languages_say_the_same():
    en, fr = load("en"), load("fr")
    assert list(en) == list(fr)
    assert {key: places(one) for key, one in en.items()} == {
        key: places(one) for key, one in fr.items()
    }
    specs = {spec.split()[0] for one in en.values() for _, spec in places(one) if spec}
    assert specs <= NUMBERS.keys()


def test_every_text_is_used_and_every_text_used_is_there():
    whole, begun = keys_used()
    assert len(whole) > 100
    assert len(begun) > 5
    assert whole <= load("en").keys()
    unused = {key for key in load("en") if key not in whole and not key.startswith(tuple(begun))}
    assert unused == set()
    assert all(any(key.startswith(one) for key in load("en")) for one in begun)


def test_every_corruption_has_a_name():
    assert {f"corruptions.{name}" for name in NAMES} == {
        key for key in load("en") if key.startswith("corruptions.")
    }


def test_french_marks_are_not_left_alone_on_a_line():
    broken = {key for key, one in load("fr").items() if re.search(r" [:;?!»%]|« |[^\s\d]%", one)}
    assert broken == set()


def test_numbers_are_written_in_their_language():
    said = both("report.chance", chance=0.125)
    assert "right 12.5% of the time" in said.en
    assert "raison 12,5\u202f% du temps" in said.fr
    assert "1,234.500" in text("report.loss", "en", loss=1234.5, probability=0)
    assert text("plots.best_epoch", "fr", epoch=3) == "Meilleure époque\u00a0: 3"


def test_values_are_escaped_and_speak_the_text_s_language():
    said = both("report.answer", name=Both("<b>cat", "chat & chien"))
    assert (said.en, said.fr) == ("answer: &lt;b&gt;cat", "réponse\u00a0: chat &amp; chien")
    assert escape(said) == (
        '<span lang="en">answer: &lt;b&gt;cat</span>'
        '<span lang="fr">réponse\u00a0: chat &amp; chien</span>'
    )
    assert escape(Both("<i>", "<i>")) == "&lt;i&gt;"  # what is the same is said once


def test_a_text_that_is_not_there():
    with pytest.raises(KeyError, match="nothing"):
        both("report.nothing")
