"""What threads that decode pictures leave behind, with the C library's own rule for freed memory
and with that of `imagette.serving.memory`.

    python experiments/freed_memory.py [--threads 8] [--megapixels 25]

For Linux with glibc. In a process of its own for each row, threads decode the same picture for a
32×32 network at once, three times in a row. Prints the growth of its resident memory at the peak
and afterwards, and the seconds that it took; then the resident memory of a process that has
answered with the default model. Writes results/load/freed_memory.csv.
"""

import argparse
import io
import json
import math
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from shared.servers import RESULTS, say

from imagette import Classifier
from imagette.files import write_csv
from imagette.images.open_image import open_image
from imagette.serving.memory import hand_back_freed_memory

KINDS: dict[str, dict] = {"PNG": {}, "WEBP": {"lossless": True}, "AVIF": {"speed": 10}}


def status(name: str) -> int:
    """A figure of this process, in bytes."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(rf"{name}:\s+(\d+)", text)[0]) * 1024


def decode_in_threads(kind: str, threads: int, pixels: int) -> dict[str, float]:
    file = io.BytesIO()
    side = math.isqrt(pixels)
    Image.new("RGB", (side, side), (90, 120, 200)).save(file, kind, **KINDS[kind])
    with ThreadPoolExecutor(threads) as pool:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before, started = status("VmRSS"), time.monotonic()
        for _ in range(3):
            for one in [pool.submit(decode, file.getvalue()) for _ in range(threads)]:
                one.result()
        seconds = time.monotonic() - started
        peak, after = status("VmHWM") - before, status("VmRSS") - before
    return {"peak_mb": peak / 1e6, "after_mb": after / 1e6, "seconds": seconds}


def decode(content: bytes) -> None:
    open_image(content, 100_000_000).views(32, 32)


def rest() -> dict[str, float]:
    Classifier(threads=1).predict(Image.new("RGB", (32, 32)))
    return {"rss_mb": status("VmRSS") / 1e6}


def in_child(gives_back: bool, what: str, options: argparse.Namespace) -> dict[str, float]:
    words = [what, str(int(gives_back)), str(options.threads), str(options.megapixels)]
    done = subprocess.run(
        [sys.executable, __file__, "--child", *words], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def child(what: str, gives_back: str, threads: str, megapixels: str) -> None:
    if gives_back == "1":
        hand_back_freed_memory()
    pixels = int(float(megapixels) * 1e6)
    found = rest() if what == "rest" else decode_in_threads(what, int(threads), pixels)
    print(json.dumps(found))


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--megapixels", type=float, default=25)
    options = parser.parse_args()
    rows = []
    for kind in KINDS:
        for gives_back in (False, True):
            row = in_child(gives_back, kind, options)
            rows.append({"picture": kind, "gives_back": gives_back} | row)
            say(f"{kind}, {'given back' if gives_back else 'glibc’s own rule'}: {row}")
    for gives_back in (False, True):
        say(f"default model at rest, {gives_back=}: {in_child(gives_back, 'rest', options)}")
    write_csv(RESULTS / "freed_memory.csv", rows)
    say(f"{os.cpu_count()} cores")


if __name__ == "__main__":
    main()
