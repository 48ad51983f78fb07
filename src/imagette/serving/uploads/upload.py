"""A picture as it came in a request."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagette.serving.problems import RequestError

HOW_TO_SEND = "Send the file as the multipart field `image`: `curl -F image=@cat.png …/predict`."

Content = bytes | NDArray[np.float64] | NDArray[np.uint8]
"""The bytes of a file, or pixels: float64 in 0–1 or uint8, `(height, width)` or
`(height, width, channels)`."""


@dataclass(frozen=True, eq=False)
class Upload:
    """One picture of a request.

    Attributes:
        content: what it is, or what is wrong with it.
        name: the file's name as the client gave it; empty where there is none.
        place: where it stands in the request, such as `instances[2]`.
    """

    content: Content | RequestError
    name: str = ""
    place: str = ""

    def open(self) -> Content:
        """The picture, nothing of it decoded yet.

        Raises:
            RequestError: it is empty, or did not come in a way that is understood.
        """
        if isinstance(self.content, RequestError):
            raise self.content.anew()
        if len(self.content) == 0:
            raise RequestError(
                "empty-picture", "The file is empty.", "Choose the picture again and send it."
            )
        return self.content


@dataclass(frozen=True, eq=False)
class Uploads:
    """The pictures of a request.

    Attributes:
        images: one or more.
        in_list: whether they came as a list of JSON, which is answered by a list even if it holds
            a single one.
    """

    images: list[Upload]
    in_list: bool = False


def attempt(read: Callable[[], Content], name: str = "", place: str = "") -> Upload:
    """What `read` gives as a picture, or what it says is wrong with it."""
    try:
        return Upload(read(), name, place)
    except RequestError as error:
        return Upload(error.anew(), name, place)


def too_many(most: int) -> RequestError:
    """What a request with more pictures than `most` is answered."""
    return RequestError(
        "too-many-pictures",
        f"The request holds more than the {most} pictures allowed.",
        "Send them in several requests.",
    )
