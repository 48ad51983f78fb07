"""The page in front of a model of one's own, trained as anybody trains one."""

import re

import numpy as np
import pytest
from PIL import Image
from support.acting import press, wait_until_drawn
from support.running_server import RunningServer, free_port

import imagette
from imagette.assets import list_samples
from imagette.evaluation import plots
from imagette.inference.bundle import open_bundle
from imagette.inference.model_card import model_card
from imagette.webapp.texts import TEXTS

EN, FR = TEXTS["en"], TEXTS["fr"]
TITLE = "Tri *des* déchets"
CLASSES = {"carton": (190, 140, 80), "sky & sea": (80, 150, 220), "verre <b>": (70, 160, 90)}


def photograph(colour, seed):
    """Blotches around a colour, no two the same."""
    coarse = np.clip(np.random.default_rng(seed).normal(colour, 40, (6, 8, 3)), 0, 255)
    return Image.fromarray(coarse.astype(np.uint8)).resize((320, 240), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, backbone):
    """Learned in closed form from three folders of pictures, with a test split."""
    folder = tmp_path_factory.mktemp("own")
    for split, count in (("train", 8), ("test", 4)):
        for place, (name, colour) in enumerate(CLASSES.items()):
            (folder / "waste" / split / name).mkdir(parents=True)
            for number in range(count):
                image = photograph(colour, 100 * place + number + 10 * len(split))
                image.save(folder / "waste" / split / name / f"{number}.jpg")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("confusion", "curves", "reliability"):
            patch.setattr(plots, name, lambda *_: b"")
        return imagette.train(folder / "waste", runs_dir=folder).folder / "model.onnx"


@pytest.fixture(scope="module")
def own(bundle):
    """API and page, without the data."""
    pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")
    with RunningServer(bundle, ui_port=free_port(), IMAGETTE_TITLE=TITLE) as running:
        yield running.wait_until_ready()
        running.process.terminate()
        running.finish()


@pytest.mark.parametrize(("texts", "width"), [(EN, 1280), (FR, 390)])
def test_its_own_pictures_are_there_to_try(open_page, own, expect, bundle, texts, width):
    page = open_page(own.ui_port, texts.language, width=width)
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)
    expect(page).to_have_title(TITLE)
    samples = page.locator(".st-key-samples button")
    expect(samples).to_have_count(8)
    assert page.get_by_role("button", name=list_samples()[0].name[texts.language]).count() == 0
    # Eight fill a row, or two of a phone.
    tops = samples.evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
    assert [tops.count(top) for top in sorted(set(tops))] == ([8] if width > 390 else [4, 4])
    press(samples.nth(1))
    name = list(CLASSES)[1]
    expect(page.locator("h2.imagette-answer")).to_contain_text(name)
    described = texts.example.format(name=name, number=1)
    shown = page.locator(".imagette-images .stack img").first
    expect(shown).to_have_attribute("alt", described)
    assert shown.evaluate("image => image.naturalWidth") == 160

    press(page.get_by_text(texts.gallery))
    expect(page.locator(".st-key-gallery button")).to_have_count(4)
    expect(page.get_by_text(texts.examples_test)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("texts", "width"), [(EN, 1280), (FR, 390)])
def test_its_true_splits_are_counted_and_shown(open_page, own, expect, texts, width):
    page = open_page(own.ui_port, texts.language, width=width, path="data")
    expect(page.get_by_text(texts.train_help.format(count=24))).to_be_visible()
    expect(page.get_by_text(texts.test_help.format(count=12))).to_be_visible()
    assert page.get_by_text(texts.validation_help.split("{count}")[1]).count() == 0
    expect(page.locator(".imagette-examples")).to_have_count(3)
    expect(page.locator(".imagette-examples img")).to_have_count(12)
    loaded = page.locator(".imagette-examples img").evaluate_all(
        "all => Promise.all(all.map(one => one.decode().then(() => one.naturalHeight)))"
    )
    assert loaded == [120] * 12
    expect(page.locator("[data-testid=stVegaLiteChart] :is(canvas, svg)").first).to_be_visible()
    press(page.get_by_text(texts.as_table))
    header = page.locator(".imagette-table thead th")
    splits = [texts.split_train, texts.split_test]
    expect(header).to_have_text([texts.class_name, *splits, texts.total])
    expect(page.locator(".imagette-table tbody tr").last).to_have_text(f"{texts.total}241236")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("texts", "width"), [(EN, 1280), (FR, 390)])
def test_its_start_its_mistakes_and_its_card(open_page, own, expect, bundle, texts, width):
    page = open_page(own.ui_port, texts.language, width=width, path="about")
    expect(page.get_by_text(texts.pretrained)).to_be_visible()
    expect(page.get_by_text(re.compile(r"3[.,]4 million"))).to_be_visible()
    matrix = page.locator(".imagette-confusion")
    expect(matrix).to_be_visible()
    places = "one => [one, one.parentElement].map(each => each.getBoundingClientRect())"
    inner, outer = matrix.evaluate(places)
    assert abs(inner["x"] + inner["width"] / 2 - outer["x"] - outer["width"] / 2) < 2
    assert inner["width"] <= outer["width"]
    cell = matrix.locator("tbody td").first.bounding_box()
    assert cell["width"] >= 60
    with page.expect_download() as download:
        press(page.get_by_role("button", name=texts.card))
    card = download.value.path().read_text(encoding="utf-8")
    assert card == model_card(open_bundle(bundle).metadata, texts.language)
    assert download.value.suggested_filename.startswith("README")
    wait_until_drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
