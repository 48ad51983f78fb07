"""What came of hostile inputs, and what may not come of them."""

import hashlib
import json
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis.strategies import SearchStrategy

TIMEOUT = 20.0
"""Seconds that any answer may take."""

GROWTH = 64_000_000
"""Bytes by which resident memory may grow, a process."""

_TOO_MANY_FAILURES = 20


class FailureError(Exception):
    """Something that must not happen did, on one input."""


class Report:
    """What came of the inputs of one part; kept in a file, which the parent process reads."""

    def __init__(self, folder: Path, part: str, total: int) -> None:
        self.folder, self.part, self.total = folder, part, total
        self.outcomes: Counter[str] = Counter()
        self.slowest, self.slowest_kind = 0.0, ""
        self.failures = 0
        self.memory: list[int] = []
        self._written = 0.0

    def run(self, kind: str, content: bytes, ending: str, check: Callable[[], str]) -> None:
        """Run one check, which gives its outcome; keep the input if it fails or takes too long."""
        start = time.monotonic()
        try:
            outcome = check()
            if time.monotonic() - start > TIMEOUT:
                raise FailureError(f"It took longer than {TIMEOUT:g} s.")
        except Exception:
            outcome = "FAILED"
            self._keep(kind, content, ending, traceback.format_exc())
        seconds = time.monotonic() - start
        if seconds > self.slowest:
            self.slowest, self.slowest_kind = seconds, kind
        self.outcomes[outcome] += 1
        if time.monotonic() - self._written > 1 or self.count == self.total:
            self.write()
        if self.failures >= _TOO_MANY_FAILURES:
            sys.exit("Too many failures; the rest of this part is left out.")

    @property
    def count(self) -> int:
        return self.outcomes.total()

    def note_memory(self, bytes_: int) -> None:
        """Remember how much memory is held after the first tenth, and at last."""
        if self.count >= self.total / 10:
            self.memory = [*self.memory[:1], bytes_]

    def write(self) -> None:
        """Write what is known so far."""
        self._written = time.monotonic()
        values = {k: v for k, v in vars(self).items() if k not in ("folder", "_written")}
        path = self.folder / f"{self.part}.json"
        path.with_suffix(".new").write_text(json.dumps(values), encoding="utf-8")
        path.with_suffix(".new").replace(path)

    def _keep(self, kind: str, content: bytes, ending: str, reason: str) -> None:
        self.failures += 1
        name = f"{kind.replace(' ', '-')}-{hashlib.sha256(content).hexdigest()[:8]}"
        failures = self.folder / "failures"
        failures.mkdir(exist_ok=True)
        (failures / f"{name}.{ending}").write_bytes(content)
        (failures / f"{name}.txt").write_text(reason, encoding="utf-8")


def check_answer(status: int, content_type: str, body: bytes, method: str = "POST") -> str:
    """The outcome that an answer is; raises `FailureError` where the API must not answer so."""
    if not 200 <= status < 500:
        raise FailureError(f"The status is {status}: {body[:300]!r}")
    if method == "HEAD" or (status < 400 and not body):
        return str(status)
    if status >= 400 and not body and not content_type:
        return f"{status} bare"
    if status >= 400 and content_type != "application/problem+json":
        raise FailureError(f"An error {status} as {content_type!r}: {body[:300]!r}")
    if "json" in content_type:
        answer = json.loads(body)
        if status >= 400 and (answer["status"] != status or not answer["detail"]):
            raise FailureError(f"Not a problem: {answer}")
    return str(status)


def generate(strategy: SearchStrategy, count: int, seed: int, check: Callable[[Any], None]) -> None:
    """Call `check` with `count` examples of a Hypothesis strategy."""
    options = hypothesis.settings(
        max_examples=500, deadline=None, database=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    left = count

    def one(example: Any) -> None:
        nonlocal left
        if left > 0:
            left -= 1
            check(example)

    # In batches: the examples of one run grow alike.
    batch = 0
    while left > 0:
        run = options(hypothesis.given(strategy)(one))
        hypothesis.seed(seed * 1_000_003 + batch)(run)()
        batch += 1
