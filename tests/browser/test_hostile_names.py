"""Whatever a model, a file, a dataset or a person calls something, the page shows it as it is: it
becomes neither markup nor a request to another site."""

import base64
import json
from threading import Thread

import pytest
from PIL import Image
from support.acting import press, upload_all, wait_until_drawn
from support.images import stripes, written
from support.running_server import free_port, picture_file, wait_until
from support.tiny_bundle import write_bundle
from werkzeug.serving import make_server

from imagette.serving.app import create_app
from imagette.serving.settings import Settings
from imagette.serving.webapp_process import WebappProcess
from imagette.webapp.literal import plain
from imagette.webapp.texts import TEXTS

SAMPLE = base64.b64encode(written(Image.new("RGB", (96, 96), (200, 30, 30)), "JPEG")).decode()
NAMES = (
    "![x](http://evil.test/a.png)",
    "![y](http:&sol;&sol;evil.test&sol;b.png)",
    '<img src="http://evil.test/c.png" onerror="document.title = 1">',
    "</style><script>document.title = 1</script>",
    "[a](javascript:alert) [^1] <!-- b -->",
    "$x^2$ and $$y$$",
    ":red[a] :blue-background[b] :help[c]",
    ":material/home: :material_home: :streamlit: :smile:",
    "*a* _b_ **c** ~~d~~ `e`",
    "# heading",
    "1. first",
    "- a -> b <- c <-> d -- e <= f ~= g",
    "> quote",
    "| a | b |\n|---|---|",
    "```x",
    "---",
    "::: note",
    "http://evil.test www.evil.test a@evil.test",
    "&lt;b&gt; &#33; \\* \\",
    "{count} {0} %s",
    '=HYPERLINK("http://evil.test")',
    "\u202eturned around",
    "two\nlines",
    "long" * 75,
)
# What a person may call a class of a lesson is shorter, and has no slashes.
TAUGHT = ("![y](http:&sol;&sol;evil.test&sol;b.png)", ":smile: *a* <i>b $x$ :red[c] -- d")
# Of those that files cannot have in their names: what separates folders, lines and, in
# requests, names.
SAFE = str.maketrans({"/": "&sol;", "\n": " ", '"': "'"})


def french(name):
    return f"{name} fr"


def write_hostile_bundle(path):
    """A bundle with such names wherever it has names, and something measured of each class."""
    import onnx

    from imagette.inference.bundle import BundleMetadata

    write_bundle(path, NAMES, tuple(map(french, NAMES)))
    count = len(NAMES)
    measured = {"recall": 0.5, "precision": 0.5, "f1": 0.5, "support": 2}
    epoch = {"accuracy": 0.5, "val_accuracy": 0.5, "loss": 1.0, "val_loss": 1.0}
    metadata = BundleMetadata(
        class_names=NAMES,
        class_names_fr=tuple(map(french, NAMES)),
        model=NAMES[0],
        dataset=NAMES[2],
        counts={"train": (1,) * count, "test": (1,) * count},
        sample_split="test",
        samples=((SAMPLE,),) * count,
        parameters=5,
        accuracy=0.5,
        accuracy_split="test",
        evaluation={
            "accuracy_interval": [0.4, 0.6],
            "n": 2 * count,
            "per_class": dict.fromkeys(NAMES, measured),
            "confusion": [
                [int(column in (row, 0)) for column in range(count)] for row in range(count)
            ],
            "reliability": [{"confidence": 0.5, "accuracy": 0.5, "count": 9}],
            "calibration_error": 0.1,
            "history": [{"epoch": one} | epoch for one in (1, 2)],
        },
    )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, metadata.to_properties())
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def ui_port(tmp_path_factory, backbone):
    """The page in front of an API whose model, and what that learned from, has such names."""
    pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")
    folder = tmp_path_factory.mktemp("hostile")
    bundle = write_hostile_bundle(folder / "hostile.onnx")
    app = create_app(Settings(model=bundle, teach=True, lessons_dir=folder / "lessons"))
    api = make_server("127.0.0.1", 0, app, threaded=True)
    Thread(target=api.serve_forever, daemon=True).start()
    webapp = WebappProcess("127.0.0.1", free_port(), f"http://127.0.0.1:{api.port}", 10_000_000)
    webapp.start()
    try:
        wait_until(webapp.is_ready)
        yield webapp.port
    finally:
        webapp.stop()
        api.shutdown()


def words_of(page):
    """All that is written on a page, and said to those who do not see it, on one line."""
    wait_until_drawn(page)
    labels = page.locator("[aria-label]").evaluate_all("all => all.map(one => one.ariaLabel)")
    images = page.locator("[alt]").evaluate_all("all => all.map(one => one.alt)")
    words = "\n".join([page.inner_text("body"), *labels, *images])
    return " ".join(words.replace("\u2060", "").split())


def as_shown(name):
    return " ".join(plain(name).split())


def missing(page, names):
    """Those that are not on it."""
    words = words_of(page)
    return [name for name in names if as_shown(name) not in words]


def holds(page, expect, names):
    """Hold the page to names: they are written there, and have become nothing else."""
    wait_until(lambda: not missing(page, names))
    assert page.title() != "1"
    markup = "em, strong, del, code, img, [role=img], .katex, ul, ol, table, blockquote, hr, h2"
    assert page.locator(f"[data-testid=stMarkdownContainer] :is({markup})").count() == 0
    links = page.locator("a").evaluate_all("all => all.map(one => one.href)")
    images = page.locator("img").evaluate_all("all => all.map(one => one.src)")
    urls = filter(None, links + images)  # what is enlarged has none before
    assert not [url for url in urls if not url.startswith(("http://127.0.0.1", "data:"))]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_names_of_models_files_and_datasets_are_only_words(open_page, ui_port, expect, texts):
    names = NAMES if texts.language == "en" else tuple(map(french, NAMES))
    page = open_page(ui_port, texts.language, width=390)
    files = {f"{name.translate(SAFE)[:60]}.png": picture_file() for name in NAMES[:5]}
    unreadable = {f"x{name}": b"no picture" for name in files}
    upload_all(page, files | unreadable)
    expect(page.locator(".st-key-tiles button")).to_have_count(2 * len(files))
    holds(page, expect, (*files, *unreadable))
    files = dict(list(files.items())[:4])
    press(page.get_by_role("button", name=texts.forget))
    upload_all(page, files)
    expect(page.locator(".st-key-history button")).to_have_count(len(files))
    page.locator("details summary").evaluate_all("all => all.map(one => one.click())")
    press(page.get_by_text(texts.gallery))
    expect(page.locator(".st-key-gallery button")).to_have_count(1)
    holds(page, expect, (*names, *files))

    press(page.get_by_role("link", name=texts.page_model))
    expect(page.locator("[data-testid=stVegaLiteChart]")).to_have_count(3)
    holds(page, expect, (*names, NAMES[0], NAMES[2]))

    press(page.get_by_role("link", name=texts.page_dataset))
    expect(page.locator(".imagette-examples")).to_have_count(len(NAMES))
    holds(page, expect, (*names, NAMES[2]))


def test_names_that_people_give_are_only_words(open_page, ui_port, expect):
    texts = TEXTS["fr"]
    page = open_page(ui_port, "fr", path="teach", permissions=["camera"])
    for place, name in enumerate(TAUGHT):
        page.locator(f".st-key-teach-name-{place} input").fill(name)
    page.keyboard.press("Tab")
    press(page.get_by_role("button", name=texts.teach_begin))
    for place, upright in enumerate((True, False)):
        box = page.locator(f".st-key-teach-upload-{place} input[type=file]")
        box.set_input_files({"name": "a.png", "mimeType": "", "buffer": stripes(place, upright)})
        expect(page.locator(f".st-key-teach-images-{place} li")).to_have_count(1)
    press(page.locator(".st-key-teach-camera button"))
    expect(page.locator(".st-key-teach-live-answer .imagette-bars")).to_be_visible()
    shown = [
        words.format(name=name, number=1)
        for name in TAUGHT
        for words in (texts.teach_enlarge, texts.teach_delete_picture)
    ]
    holds(
        page,
        expect,
        (*TAUGHT, *shown, *(texts.teach_record.format(name=name) for name in TAUGHT)),
    )
    for place, name in enumerate(TAUGHT):
        box = page.locator(f".st-key-teach-upload-{place} [data-testid=stFileUploaderDropzone]")
        content = box.evaluate("box => getComputedStyle(box, '::before').content")
        assert json.loads(content) == texts.teach_drop_here.format(name=name)
