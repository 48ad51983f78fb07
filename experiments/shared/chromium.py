"""The Chromium of this machine, and how experiments that need a camera start it."""

import shutil
import sys

CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip


def find_chromium() -> str:
    """Its path; where there is none, the program ends with a sentence."""
    names = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
    found = next(filter(None, map(shutil.which, names)), None)
    return found or sys.exit("There is no Chromium on this machine: install it.")
