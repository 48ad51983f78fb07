"""Videos made on the spot: each picture in the grey that tells its number."""

import io
from functools import cache

import numpy as np
import pytest

RATE = 10
SIZE = 64, 48


@cache
def video(
    kind: str = "mp4", codec: str = "libx264", pictures: int = 35, rotation: int = 0
) -> bytes:
    """A video of ten pictures a second, the first of them black, the left half of each red."""
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 10
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(pictures):
            pixels = np.full((SIZE[1], SIZE[0], 3), number * 4, np.uint8)
            pixels[:, : SIZE[0] // 2] = (200, 0, 0)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def sound() -> bytes:
    """An MP4 file without pictures."""
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()
