"""What somebody names to be answered about, to pictures in order: files, bytes, web addresses,
videos and cameras. What comes slowly or is large is fetched only as it is needed."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Thread

from imagette.errors import ImageError
from imagette.images.formats import MAX_PIXELS
from imagette.images.video import camera_moments, is_video, video_frames
from imagette.inference.answering_processes import Picture

_AHEAD = 8
"""Files that are fetched from the web at the same time, and wait in memory."""


@dataclass(frozen=True)
class Address:
    """What lies at an address of the web: a picture, or a video."""

    address: str


@dataclass(frozen=True)
class Video:
    """A video file."""

    path: str


@dataclass(frozen=True)
class Camera:
    """A camera of this machine, by its number from 0."""

    index: int


Source = Picture | Address | Video | Camera


def pictures_of(
    sources: Sequence[Source],
    every: float,
    allow_private: bool = False,
    max_pixels: int = MAX_PIXELS,
    is_done: Callable[[str], bool] = lambda _: False,
) -> Iterator[Picture]:
    """The pictures of sources, in order.

    A picture of a video is called `PATH#t=SECONDS`, one of a camera `camera0#t=TIME`, in UTC. What
    cannot be fetched or read has an ImageError for its picture; of a damaged video that comes last.

    Args:
        sources: any number of them.
        every: seconds between two pictures of a video or a camera.
        allow_private: as of `download`.
        max_pixels: videos of larger pictures are refused.
        is_done: whether a picture of a video is answered already, and so is left out; see
            `is_answered` for all others.

    Raises:
        ImagetteError: a camera cannot be used, or PyAV is not installed.
    """
    downloads = _downloads(
        [one.address for one in sources if isinstance(one, Address)], allow_private
    )
    for source in sources:
        if isinstance(source, Camera):
            yield from _moments(source.index, every)
            continue
        picture = _picture(source, downloads)
        if (video := _video(source, picture)) is None:
            yield picture
        else:
            frames = _frames(picture[0], video, every, max_pixels)
            yield from (frame for frame in frames if not is_done(frame[0]))


def _picture(source: Picture | Address | Video, downloads: Iterator[bytes | ImageError]) -> Picture:
    if isinstance(source, Address):
        return source.address, next(downloads)
    return (source.path, source.path) if isinstance(source, Video) else source


def _video(source: Source, picture: Picture) -> str | bytes | None:
    """The video that it is; what came as bytes may be one, too."""
    if isinstance(source, Video):
        return source.path
    content = picture[1]
    return content if isinstance(content, bytes) and is_video(content) else None


def is_answered(source: Source, is_done: Callable[[str], bool]) -> bool:
    """Whether a file or an address is answered already; the pictures of videos have names of their
    own, and what came as bytes has none to know it by."""
    if isinstance(source, Address):
        return is_done(source.address)
    return isinstance(source, tuple) and isinstance(source[1], str) and is_done(source[0])


def _moments(index: int, every: float) -> Iterator[Picture]:
    for moment in camera_moments(index, every):
        time = moment.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        yield f"camera{index}#t={time}", moment.image


def _frames(name: str, video: str | bytes, every: float, max_pixels: int) -> Iterator[Picture]:
    try:
        for seconds, image in video_frames(video, name, every, max_pixels):
            yield f"{name}#t={round(seconds, 3)}", image
    except ImageError as error:
        yield name, error


def _downloads(addresses: Sequence[str], allow_private: bool) -> Iterator[bytes | ImageError]:
    """What lies at each address, in order; the next ones are fetched meanwhile."""
    waiting = iter(addresses)
    under_way: deque[_Download] = deque()
    while True:
        for address in islice(waiting, _AHEAD - len(under_way)):
            under_way.append(_Download(address, allow_private))
        if not under_way:
            return
        yield under_way.popleft().content()


class _Download(Thread):
    """One file that is being fetched; nobody waits for it where the program ends."""

    def __init__(self, address: str, allow_private: bool) -> None:
        super().__init__(daemon=True)
        self._asked = address, allow_private
        self._content: bytes | Exception | None = None
        self.start()

    def run(self) -> None:
        """Fetch it."""
        from imagette.images.download import download  # of which no file needs anything

        try:
            self._content = download(*self._asked)
        except Exception as error:
            self._content = error

    def content(self) -> bytes | ImageError:
        """Wait for it."""
        self.join()
        assert self._content is not None
        if isinstance(self._content, Exception) and not isinstance(self._content, ImageError):
            raise self._content
        return self._content
