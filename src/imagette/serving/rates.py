"""How often each client has asked, counted by all workers of a server together.

`limits`, the library that Flask-Limiter is made of, does the counting. It is used directly: in a
request it costs 12 µs, and Flask-Limiter 73 µs. It has no storage that processes of one machine
share without another server, so there is one here.
"""

import ipaddress
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from urllib.parse import unquote, urlsplit

from limits import RateLimitItemPerMinute
from limits.errors import ConfigurationError
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from imagette.errors import ImagetteError

try:
    import fcntl
except ImportError:  # Windows, where a server has a single worker
    fcntl = None  # type: ignore[assignment]


class RateLimit:
    """So many requests a minute for each client.

    Minutes are the clock's. A client is an IPv4 address, or the first half of an IPv6 one, which
    is what one subscriber has.

    Args:
        per_minute: how many.
        storage: where they are counted, as `limits` writes addresses.

    Raises:
        ImagetteError: there is no such storage.
    """

    def __init__(self, per_minute: int, storage: str) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        try:
            self._limiter = FixedWindowRateLimiter(storage_from_string(storage))
        # ConfigurationError also where the package that speaks to the storage is missing.
        except (ConfigurationError, ValueError) as error:
            raise ImagetteError(
                f"Requests cannot be counted in {storage}: {error}.",
                "Give an address such as redis://host:6379 and install what speaks to it"
                " (`pip install redis`), or leave IMAGETTE_RATE_STORAGE empty.",
            ) from error

    def allows(self, address: str) -> bool:
        """Count a request from an address; say whether it is within the limit."""
        return self._limiter.hit(self._item, _client(address))

    def seconds_to_wait(self, address: str) -> int:
        """How long until this address may ask again."""
        reset = self._limiter.get_window_stats(self._item, _client(address)).reset_time
        return max(1, round(reset - time.time()))


def shared_storage(folder: Path) -> str:
    """The address of a storage in a file that all workers of a server open."""
    return f"imagette-shared://{folder / 'rates'}" if fcntl else "memory://"


def _client(address: str) -> str:
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address


class SharedStorage(Storage):
    """Counters in a file in memory, which several processes open.

    A table of fixed size, so that no number of clients makes it grow: when all places where a
    client may stand are taken, it takes that of the one who asked least.
    """

    STORAGE_SCHEME = ["imagette-shared"]  # noqa: RUF012  # as `limits` declares it
    base_exceptions = OSError

    _ROWS = 1 << 16
    _PLACES = 8
    # Digest of the key, Unix time when the count ends, count.
    _ROW = struct.Struct("<8sII")

    def __init__(self, uri: str, **_: object) -> None:
        super().__init__(uri)
        self._file = os.open(unquote(urlsplit(uri).path), os.O_RDWR | os.O_CREAT, 0o600)
        size = self._ROWS * self._ROW.size
        os.ftruncate(self._file, size)
        self._table = mmap.mmap(self._file, size)
        self._threads = threading.Lock()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count and give it; it ends with the current window of `expiry` seconds."""
        digest, now = self._digest(key), int(time.time())
        with self._locked():
            place, end, count = self._find(digest, now)
            if end == 0:
                end, count = now - now % expiry + expiry, 0
            count = min(count + amount, 2**32 - 1)
            self._ROW.pack_into(self._table, place, digest, end, count)
        return count

    def get(self, key: str) -> int:
        """The count of a key."""
        with self._locked():
            return self._find(self._digest(key), int(time.time()))[2]

    def get_expiry(self, key: str) -> float:
        """When the count of a key ends, in Unix time."""
        with self._locked():
            return self._find(self._digest(key), int(time.time()))[1] or time.time()

    def check(self) -> bool:
        """Whether the storage works: it does, once open."""
        return True

    def reset(self) -> int | None:
        """Forget all counts."""
        with self._locked():
            self._table[:] = bytes(len(self._table))
        return None

    def clear(self, key: str) -> None:
        """Forget the count of a key."""
        digest = self._digest(key)
        with self._locked():
            self._ROW.pack_into(self._table, self._find(digest, int(time.time()))[0], digest, 0, 0)

    def _digest(self, key: str) -> bytes:
        return blake2b(key.encode(), digest_size=8).digest()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among threads and processes; a process that dies lets go by that."""
        with self._threads:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _find(self, digest: bytes, now: int) -> tuple[int, int, int]:
        """Where a key stands or may stand, and its end and count: 0 and 0 where it does not."""
        first = int.from_bytes(digest, "little")
        places = [(first + step) % self._ROWS * self._ROW.size for step in range(self._PLACES)]
        free, least = None, None
        for place in places:
            found, end, count = self._ROW.unpack_from(self._table, place)
            if end <= now:
                free = place if free is None else free
            elif found == digest:
                return place, end, count
            elif least is None or count < least[0]:
                least = (count, place)
        return (free if free is not None else least[1]), 0, 0  # type: ignore[index]
