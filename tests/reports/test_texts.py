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


def keys_used() -> tuple[set[str], set[str]]:
    """Keys that templates and code name, and the beginnings of those that they put together."""
    sources = [*PACKAGE.rglob("*.j2"), *PACKAGE.glob("evaluation/**/*.py")]
    sources.append(PACKAGE / "data" / "explore_page.py")
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    whole = re.findall(r'\b(?:both|text)\(\s*"((?:\w+\.)+[\w-]+)"', code)
    begun = re.findall(r'\b(?:both|text)\(\s*f?"((?:\w+\.)+)(?:" ~|{)', code)
    return set(whole), set(begun)


def places(one: str) -> list[tuple[str, str | None]]:
    return sorted((field, spec) for _, field, spec, _ in Formatter().parse(one) if field)


def test_both_languages_have_the_same_keys_and_places():
    en, fr = ({key: places(one) for key, one in load(lang).items()} for lang in ("en", "fr"))
    assert list(en.items()) == list(fr.items())
    specs = {spec.split()[0] for one in en.values() for _, spec in one if spec}
    assert specs <= NUMBERS.keys()


def test_every_text_is_used_and_every_text_used_is_there():
    whole, begun = keys_used()
    put_together = {key for key in load("en") if key.startswith(tuple(begun))}
    assert whole | put_together == set(load("en"))
    assert {key.rpartition(".")[0] + "." for key in put_together} == begun
    corruptions = {key.removeprefix("corruptions.") for key in load("en") if "corruptions." in key}
    assert corruptions == set(NAMES)


def test_french_marks_are_not_left_alone_on_a_line():
    broken = {key for key, one in load("fr").items() if re.search(r" [:;?!»%]|« |[^\s\d]%", one)}
    assert broken == set()


def test_numbers_are_written_in_their_language():
    said = both("report.chance", chance=0.125)
    assert "right 12.5% of the time" in said.en
    assert "raison 12,5\u202f% du temps" in said.fr
    assert "1,234.500" in text("report.loss", "en", loss=1234.5, probability=0)
    assert text("plots.best_epoch", "fr", epoch=3) == "Meilleure époque\u00a0: 3"
    with pytest.raises(KeyError, match="nothing"):
        both("report.nothing")


def test_values_are_escaped_and_speak_the_language_of_the_text():
    assert escape(both("report.answer", name=Both("<b>cat", "chat & chien"))) == (
        '<span lang="en">answer: &lt;b&gt;cat</span>'
        '<span lang="fr">réponse\u00a0: chat &amp; chien</span>'
    )
    assert escape(Both("<i>", "<i>")) == "&lt;i&gt;"  # what is the same is said once
