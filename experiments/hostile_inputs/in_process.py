"""Hostile inputs within a process, which may die of them: each part runs in a child of its own.

Nothing under test is imported before Atheris can instrument it.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import psutil

from hostile_inputs.report import TIMEOUT, FailureError, Report, check_answer, generate

MAX_PIXELS = 2_000_000  # so that a decoder's speed is no hang


def decode(picture: object) -> str:
    """What the decoder makes of a picture; raises what it must never raise."""
    from imagette.errors import ImageError
    from imagette.images.open_image import to_pixels

    try:
        pixels = to_pixels(picture, 32, 32, MAX_PIXELS)  # type: ignore[arg-type]
    except ImageError as error:
        return "too large" if error.too_large else "refused"
    if pixels.shape != (32, 32, 3) or pixels.dtype != "uint8":
        raise FailureError(f"The result is {pixels.shape} of {pixels.dtype}.")
    return "a picture"


def made_pictures(report: Report, seed: int) -> None:
    from hostile_inputs import pictures

    process = psutil.Process()
    current = report.folder / "current.picture"
    for number in range(report.total):
        random = Random(f"{seed} {number}")
        kind, content = (pictures.damaged if number % 100 else pictures.bomb)(random)
        current.write_bytes(content)  # should it kill the process
        report.run(kind, content, "picture", partial(decode, content))
        if number % 50 == 0:
            report.note_memory(process.memory_info().rss)
    current.unlink()


def arrays(report: Report, seed: int) -> None:
    import numpy as np
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as npst

    channels = st.sampled_from([(), (1,), (3,), (4,)])
    shapes = st.one_of(
        npst.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5),
        st.tuples(npst.array_shapes(min_dims=2, max_dims=2), channels).map(
            lambda two: sum(two, ())
        ),
    )
    dtypes = st.one_of(
        st.sampled_from(["uint8", ">u2", "bool", "float16", "float32"]).map(np.dtype),
        npst.scalar_dtypes(), npst.unicode_string_dtypes(), npst.array_dtypes(),
    )  # fmt: skip

    def check(array: Any) -> None:
        content = f"{array.dtype} {array.shape} {array.tolist()!r}".encode(errors="replace")
        report.run("array", content, "array", lambda: decode(array))

    generate(npst.arrays(dtypes, shapes), report.total, seed, check)


def guided_pictures(report: Report, seed: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["PIL", "imagette.images"]):
        import imagette.images.open_image  # noqa: F401
        from hostile_inputs import pictures

        seeds = pictures.seeds()

    def check(content: bytes) -> None:
        report.run("guided", content, "picture", lambda: decode(content))

    _fuzz(report, seed, seeds, check)


def guided_requests(report: Report, seed: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["werkzeug", "imagette.serving"]):
        ask = application()
    from hostile_inputs import pictures

    def check(content: bytes) -> None:
        report.run("guided", content, "body", lambda: ask(content))

    picture = min(pictures.seeds(), key=len)
    form = (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n%b\r\n--x--\r\n'
    )
    seeds = (
        b"multipart/form-data; boundary=x\n" + form % picture,
        b"multipart/form-data; boundary=x\n" + form[:-4] % b"" + form % picture,
        b"image/png\n" + picture,
        b'application/json; charset=utf-8\n{"image": [[[0.5, 1, 0]]]}',
    )
    _fuzz(report, seed, seeds, check)


def application() -> Callable[[bytes], str]:
    """A function that asks the API within this process: a line of content type, then the body."""
    from imagette.serving.app import create_app
    from imagette.serving.settings import Settings

    client = create_app(Settings(model="cifar10-lite", max_pixels=MAX_PIXELS)).test_client()

    def ask(content: bytes) -> str:
        line, _, body = content.partition(b"\n")
        content_type = line.replace(b"\r", b" ").decode("latin-1")
        answer = client.post("/predict", data=body, content_type=content_type)
        return check_answer(answer.status_code, answer.content_type or "", answer.data)

    return ask


def _fuzz(report: Report, seed: int, seeds: tuple[bytes, ...], check: Callable) -> None:
    """Let libFuzzer call `check`; it ends the process."""
    import atheris

    corpus = report.folder / f"corpus {report.part}"
    corpus.mkdir(exist_ok=True)
    for content in seeds:
        (corpus / hashlib.sha256(content).hexdigest()).write_bytes(content)
    (report.folder / "failures").mkdir(exist_ok=True)
    process = psutil.Process()

    def one(content: bytes) -> None:
        check(content)
        if report.count % 50 == 0:
            report.note_memory(process.memory_info().rss)
        if report.count >= report.total:
            report.write()
            os._exit(0)

    options = [
        f"-seed={seed + 1}", f"-timeout={TIMEOUT:.0f}", "-rss_limit_mb=2048", "-max_len=8192",
        "-len_control=0", "-reload=0", f"-artifact_prefix={report.folder / 'failures'}/",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


IN_PROCESS = {
    "guided pictures": guided_pictures,
    "made pictures": made_pictures,
    "arrays": arrays,
    "guided requests": guided_requests,
}
