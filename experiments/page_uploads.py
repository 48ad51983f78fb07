"""What memory the page's process takes before, while and after one visitor drops many files.

    python experiments/page_uploads.py [--files 25] [--megabytes 35]

It starts `imagette serve --ui`, opens the page in Chromium and drops files of zeros: the API says
of each that it is no picture.
"""

import argparse
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from threading import Event, Thread

import psutil
from playwright.sync_api import sync_playwright
from shared.chromium import find_chromium

_SECONDS_AFTER = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=25)
    parser.add_argument("--megabytes", type=float, default=35)
    options = parser.parse_args()
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        api_port, port = (str(free.getsockname()[1]) for free in (one, two))
    command = ["imagette", "serve", "--model", "cifar10-lite", "--workers", "1", "--port", api_port]
    server = subprocess.Popen(
        [*command, "--ui", "--ui-port", port], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        while "Press Ctrl-C" not in server.stdout.readline():
            pass
        children = psutil.Process(server.pid).children(recursive=True)
        (streamlit,) = [one for one in children if "webapp" in " ".join(one.cmdline())]
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, f"{number}.png") for number in range(options.files)]
            for file in files:
                file.touch()
                os.truncate(file, int(options.megabytes * 1e6))
            _drop(port, files, streamlit)
    finally:
        server.terminate()
        server.wait()


def _drop(port: str, files: list[Path], process: psutil.Process) -> None:
    over, peak = Event(), [0.0]

    def watch() -> None:
        while not over.wait(0.02):
            peak[0] = max(peak[0], _megabytes(process))

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        tab = browser.new_page()
        tab.goto(f"http://127.0.0.1:{port}/")
        box = tab.locator("input[type=file]")
        box.wait_for(state="attached")
        time.sleep(2)
        before = _megabytes(process)
        Thread(target=watch, daemon=True).start()
        begun = time.monotonic()
        box.set_input_files(files)
        tab.locator("input[type=file]").wait_for(state="attached")
        time.sleep(_SECONDS_AFTER)
        after = _megabytes(process)
        print(
            f"{len(files)} files, {time.monotonic() - begun:.0f} s: before {before:.0f} MB,"
            f" peak {peak[0]:.0f} MB, after {after:.0f} MB"
        )
        tab.close()
        time.sleep(5)
        print(f"5 s after the tab was closed: {_megabytes(process):.0f} MB")
        browser.close()
    over.set()


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


def _megabytes(process: psutil.Process) -> float:
    return process.memory_info().rss / 1e6


if __name__ == "__main__":
    main()
