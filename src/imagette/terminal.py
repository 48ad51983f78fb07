"""What is said on a terminal, in the language that the person's system speaks."""

import sys
from typing import TextIO

from imagette.translate import system_language, translated
from imagette.wording import without_controls


def local(text: str) -> str:
    """A sentence in the language of the person's system, without what could upset a terminal."""
    return without_controls(translated(text, system_language()))


def tell(text: str, file: TextIO | None = None) -> None:
    """Print a sentence or several lines at once, on stderr if `file` is None."""
    print(local(text), file=file or sys.stderr, flush=True)
