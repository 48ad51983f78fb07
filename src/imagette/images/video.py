"""Pictures of a video or of a camera, one every so often; PyAV reads both (the extra `video`).

Only what is due is made a picture. Which reader of FFmpeg takes a file is told to it by the file's
first bytes, because some of its readers fetch other files, and addresses, that a file names.
"""

import errno
import io
import math
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from imagette.errors import ImageError, ImagetteError
from imagette.images.formats import MAX_PIXELS
from imagette.images.signatures import first_bytes, video_kind

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from PIL import Image

SUFFIXES = frozenset([".3gp", ".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"])
"""Endings by which a file that was named is taken for a video; contents decide about others."""

_SEEK_FROM = 10.0
"""Seconds between two pictures from which on it is quicker to jump to the next than to read all."""


class Frame(NamedTuple):
    """A picture of a video.

    Attributes:
        seconds: when it is shown, from the beginning.
        image: RGB, upright.
    """

    seconds: float
    image: "Image.Image"


class Moment(NamedTuple):
    """What a camera saw.

    Attributes:
        time: when, in UTC.
        image: RGB.
    """

    time: datetime
    image: "Image.Image"


def require_video() -> None:
    """Raise an ImagetteError where the extra is not installed."""
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise ImagetteError(
            "Videos and cameras are read by PyAV, which is not installed.",
            "Install it with: pip install 'imagette[video]'",
        ) from error


def is_video(file: str | bytes) -> bool:
    """Whether a file, by its path or its content, is a video, or is called one."""
    if isinstance(file, str) and Path(file).suffix.lower() in SUFFIXES:
        return True
    return bool(video_kind(first_bytes(Path(file) if isinstance(file, str) else file)))


def video_frames(
    video: str | bytes, name: str, every: float, max_pixels: int = MAX_PIXELS
) -> Iterator[Frame]:
    """The first picture of a video, and from then on the next one each time so much has passed.

    Args:
        video: its path, or the bytes of its file.
        name: what errors call it.
        every: seconds between two pictures; 0 gives each of them.
        max_pixels: refuse videos whose pictures have more than this.

    Raises:
        ImageError: it cannot be read, or not to its end; what could be was given before.
        ImagetteError: PyAV is not installed.
    """
    require_video()
    import av

    kind = video_kind(first_bytes(Path(video) if isinstance(video, str) else video))
    if not kind:
        raise _unreadable(name)
    try:
        opened = io.BytesIO(video) if isinstance(video, bytes) else video
        with av.open(opened, "r", format=kind) as file:
            if not file.streams.video and file.streams.audio:
                raise ImageError(f"{name} holds no pictures, only sound.", "Choose another file.")
            if not file.streams.video:
                raise _unreadable(name)
            stream = file.streams.video[0]
            stream.thread_type = "AUTO"
            pixels = stream.codec_context.width * stream.codec_context.height
            if pixels > max_pixels:
                raise ImageError(
                    f"The pictures of {name} have {pixels / 1e6:.1f} million pixels, more than the"
                    f" {max_pixels / 1e6:g} million allowed.",
                    "Make it smaller.",
                    too_large=True,
                )
            yield from _frames(file, stream, name, every)
    except (av.FFmpegError, ValueError) as error:  # a ValueError where nothing decodes its codec
        raise _unreadable(name, f" ({_said(error)})") from error


def _unreadable(name: str, said: str = "") -> ImageError:
    return ImageError(
        f"{name} cannot be read as a video: it is damaged, cut short, or of a kind that is not"
        f" known{said}.",
        "Save it again as MP4.",
    )


def _frames(
    file: "InputContainer", stream: "VideoStream", name: str, every: float
) -> Iterator[Frame]:
    begin = float((stream.start_time or 0) * stream.time_base) if stream.time_base else 0.0
    due, last, bad, seeks = 0.0, 0.0, 0, every >= _SEEK_FROM
    reading = True
    while reading:
        reading = False
        for found in _decoded(file, stream):
            if found is None:
                bad += 1
                continue
            last = found.time - begin if found.time is not None else last
            if last < due - 1e-4:
                continue
            yield Frame(last, _upright(found))
            due = (math.floor(last / every + 1e-4) + 1) * every if every else last
            if seeks and stream.time_base:
                try:
                    file.seek(int((begin + due) / stream.time_base), stream=stream)
                except OSError:  # of FFmpeg: not in this file
                    seeks = False
                else:
                    reading = True
                    break
    if bad:
        why = "is damaged: parts of it could not be read"
    elif max(due, last) < (whole := _seconds(file, stream)) - 1:
        why = f"is cut short: it ends after {last:.0f} of {whole:.0f} seconds"
    else:
        return
    raise ImageError(f"{name} {why}.", "Save or download it anew.")


def _seconds(file: "InputContainer", stream: "VideoStream") -> float:
    """How long a video says that it is; 0 where that is not sure."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # Of the longest stream, which may be the sound.
    return file.duration / 1_000_000 if file.duration and len(file.streams) == 1 else 0.0


def _decoded(file: "InputContainer", stream: "VideoStream") -> "Iterator[VideoFrame | None]":
    """Each picture of a stream, and None for each part that is damaged."""
    import av

    for packet in file.demux(stream):
        if packet.is_corrupt:
            yield None
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            yield None


def _upright(frame: "VideoFrame") -> "Image.Image":
    """A picture as it is to be seen: telephones film on their side."""
    image = frame.to_image()
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image


def camera_moments(index: int, every: float) -> Iterator[Moment]:
    """What a camera sees, until nobody asks any more.

    Args:
        index: which camera of this machine, from 0.
        every: seconds between two pictures.

    Raises:
        ImagetteError: there is no such camera, it is in use, may not be used, or has gone; or PyAV
            is not installed.
    """
    require_video()
    import av

    try:
        device, kind = _camera(index)
        with av.open(device, "r", format=kind) as camera:
            due = time.monotonic()
            for frame in camera.decode(video=0):
                if (now := time.monotonic()) >= due:
                    yield Moment(datetime.now(UTC), _upright(frame))
                    due = max(due + every, now)
    except (OSError, ValueError, IndexError) as error:
        raise _no_camera(index, error) from error
    raise ImagetteError(f"Camera {index} gives no more pictures.", "See whether it is connected.")


def _camera(index: int) -> tuple[str, str]:
    """What FFmpeg calls a camera, and its reader."""
    if sys.platform == "darwin":
        return str(index), "avfoundation"
    if sys.platform == "win32":
        from av.device import enumerate_input_devices

        cameras = [one for one in enumerate_input_devices("dshow") if "video" in one.media_types]
        return f"video={cameras[index].name}", "dshow"
    return f"/dev/video{index}", "v4l2"


def _no_camera(index: int, error: Exception) -> ImagetteError:
    number = getattr(error, "errno", None)
    if number == errno.EBUSY:
        return ImagetteError(f"Camera {index} is in use.", "Close the program that uses it.")
    if number in (errno.EACCES, errno.EPERM):
        return ImagetteError(
            f"Camera {index} may not be used by you.",
            "Ask for the right to use it; on Linux, be a member of the group video.",
        )
    if number == errno.ENOENT or isinstance(error, IndexError):
        return ImagetteError(
            f"There is no camera {index} on this machine.",
            "Connect one, or give the number of another: --camera 1",
        )
    return ImagetteError(
        f"Camera {index} cannot be used ({_said(error)}).", "See whether another program can."
    )


def _said(error: Exception) -> str:
    """What FFmpeg says, in short."""
    with suppress(AttributeError):
        return str(error.strerror or error)  # type: ignore[attr-defined]
    return str(error)
