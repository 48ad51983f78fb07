"""The lock of whoever changes lessons: one thread, of all workers together."""

from pathlib import Path
from threading import RLock
from types import TracebackType

from filelock import FileLock, Timeout

from imagette.serving.problems import RequestError

_SECONDS = 20
_SECONDS_BETWEEN_TRIES = 0.005  # where another worker has it, which writes for some milliseconds


class WriteLock:
    """Held while lessons are changed, in a `with`, by one thread, also more than once.

    It works on every system.

    Args:
        file: that all workers lock.

    Raises:
        RequestError: somebody has held it for too long.
    """

    def __init__(self, file: Path) -> None:
        self._threads = RLock()
        self._processes = FileLock(
            file, _SECONDS, thread_local=False, poll_interval=_SECONDS_BETWEEN_TRIES
        )

    def __enter__(self) -> None:
        if not self._threads.acquire(timeout=_SECONDS):
            raise _out_of_time()
        try:
            self._processes.acquire()
        except BaseException as error:
            self._threads.release()
            if isinstance(error, Timeout):
                raise _out_of_time() from error
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._processes.release()
        self._threads.release()


def _out_of_time() -> RequestError:
    return RequestError(
        "out-of-time",
        f"Another change to the lessons of this server has taken {_SECONDS} s.",
        "Ask again in a moment.",
        {"Retry-After": "5"},
    )
