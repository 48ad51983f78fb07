"""The process in which a model is tried out; `imagette.inference.trial` starts it, and says why.

    python -m imagette.inference.try_bundle NAME SECONDS BYTES

It reads how long the file is (eight bytes) and the file, and writes one line of JSON: the problem
and the remedy of what is wrong, or twice nothing.
"""

import json
import os
import sys
from pathlib import Path
from threading import Thread

from imagette.errors import ImagetteError
from imagette.inference.bundle import check_answers, load_bundle


def main() -> None:
    """Try out the model that comes on standard input."""
    name, seconds, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    length = int.from_bytes(sys.stdin.buffer.read(8), "big")
    content = sys.stdin.buffer.read(length)
    Thread(target=_end_with_parent, daemon=True).start()
    _set_limits(seconds, most)
    verdict = ["", ""]
    try:
        check_answers(load_bundle(content, Path(name), threads=1))
    except ImagetteError as error:
        verdict = [error.problem, error.remedy]
        if _is_about_memory(error):
            verdict = [
                f"{name} takes more than {most / 1e9:.1f} GB of memory to answer about a few"
                " pictures.",
                "Use a smaller model.",
            ]
    print(json.dumps(verdict), flush=True)


def _set_limits(seconds: int, most: int) -> None:
    """Let this process compute and take no more than so much; where the system cannot hold it to
    that, as on Windows, whoever started it ends it in the end."""
    memory = Path("/proc/self/statm")
    if not memory.exists():
        return
    import resource

    # What is there already counts too: libraries, and stacks.
    now = int(memory.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + most, now + most))
    used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, used + seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _is_about_memory(error: BaseException | None) -> bool:
    """Whether memory ran out: ONNX Runtime says so in words, of its own or of C++."""
    while error is not None:
        if isinstance(error, MemoryError) or "alloc" in str(error).lower():
            return True
        error = error.__cause__
    return False


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # nothing comes any more, until the other end is gone
    os._exit(1)


if __name__ == "__main__":
    main()
