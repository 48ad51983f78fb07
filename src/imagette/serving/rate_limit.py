"""How often each client has asked, counted by all workers of a server together.

`limits`, the library that Flask-Limiter is made of, does the counting. It is used directly: in a
request it costs 12 µs, and Flask-Limiter 73 µs. It has no storage that processes of one machine
share without another server, so there is one here.
"""

import ipaddress
import math
import mmap
import os
import struct
import threading
import time
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

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
    is what one subscriber has; a port behind it, as some proxies write, counts for nothing.

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
        return max(1, math.ceil(reset - time.time()))


def shared_storage(folder: Path, workers: int) -> str:
    """The address of a storage in a file that all workers of a server open."""
    return f"imagette-shared://{folder / 'rates'}?workers={workers}" if fcntl else "memory://"


def _client(address: str) -> str:
    if ":" not in address:
        return address
    if address.startswith("["):  # [2001:db8::1]:1234
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:  # 203.0.113.7:1234
        return address.partition(":")[0]
    try:
        known = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, 64), strict=False))


class SharedStorage(Storage):
    """Counters in a file in memory, which several processes open.

    Each process writes into a table of its own, so that none ever waits for another, and adds up
    what all of them say. A process that takes the place of one that died goes on with its table.
    Tables are of fixed size, so that no number of clients makes them grow: when all places where a
    client may stand are taken, it takes that of the one who asked least.
    """

    STORAGE_SCHEME = ["imagette-shared"]  # noqa: RUF012  # as `limits` declares it
    base_exceptions = OSError

    _ROWS = 1 << 16
    _PLACES = 8
    # Digest of the key, Unix time when the count ends, count.
    _ROW = struct.Struct("<8sII")
    _TABLE = _ROWS * _ROW.size

    def __init__(self, uri: str, **_: object) -> None:
        super().__init__(uri)
        address = urlsplit(uri)
        tables = int(parse_qs(address.query)["workers"][0])
        self._file = os.open(unquote(address.path), os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, tables * self._TABLE)
        self._memory = mmap.mmap(self._file, tables * self._TABLE)
        self._own = self._take_table(tables)
        self._others = [table for table in range(tables) if table != self._own]
        self._threads = threading.Lock()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count and give it; it ends with the current window of `expiry` seconds."""
        digest, now = self._digest(key), int(time.time())
        with self._threads:
            place, end, count = self._find(self._own, digest, now)
            if end == 0:
                end, count = now - now % expiry + expiry, 0
            count = min(count + amount, 2**32 - 1)
            self._ROW.pack_into(self._memory, place, digest, end, count)
        return count + sum(self._find(table, digest, now)[2] for table in self._others)

    def get(self, key: str) -> int:
        """The count of a key."""
        return sum(count for _, _, count in self._find_in_all(key))

    def get_expiry(self, key: str) -> float:
        """When the count of a key ends, in Unix time."""
        return max(end for _, end, _ in self._find_in_all(key)) or time.time()

    def check(self) -> bool:
        """Whether the storage works: it does, once open."""
        return True

    def reset(self) -> int | None:
        """Forget all counts."""
        self._memory[:] = bytes(len(self._memory))
        return None

    def clear(self, key: str) -> None:
        """Forget the count of a key."""
        for place, end, _ in self._find_in_all(key):
            if end:
                self._ROW.pack_into(self._memory, place, b"", 0, 0)

    def _take_table(self, tables: int) -> int:
        """The first table that no living process has; a process that dies gives its own back."""
        for table in range(tables):
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, table)
                return table
        return tables - 1  # shared, which now and then loses a count

    def _digest(self, key: str) -> bytes:
        return blake2b(key.encode(), digest_size=8).digest()

    def _find_in_all(self, key: str) -> list[tuple[int, int, int]]:
        digest, now = self._digest(key), int(time.time())
        return [self._find(table, digest, now) for table in (self._own, *self._others)]

    def _find(self, table: int, digest: bytes, now: int) -> tuple[int, int, int]:
        """Where a key stands or may stand, and its end and count: 0 and 0 where it does not."""
        first = int.from_bytes(digest, "little")
        free, least, fewest = None, 0, 1 << 32
        for step in range(self._PLACES):
            place = table * self._TABLE + (first + step) % self._ROWS * self._ROW.size
            found, end, count = self._ROW.unpack_from(self._memory, place)
            if found == digest and end > now:
                return place, end, count
            if end <= now:
                free = place if free is None else free
            elif count < fewest:
                least, fewest = place, count
        return least if free is None else free, 0, 0
