"""What the page asks of the API, over HTTP."""

from typing import Any

import requests

_SECONDS = (3, 60)  # to connect, and to wait for an answer


class ApiDown(Exception):  # noqa: N818  # a state of things that the page shows, not a mistake
    """Nothing, or something that is not the API, answers at its address."""


class Refused(Exception):  # noqa: N818
    """The API would not answer.

    Attributes:
        kind: the short name of the problem, such as `unreadable-picture`.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Api:
    """The API at an address.

    Args:
        url: its address, such as `http://127.0.0.1:5000`.
        key: what an API that wants to know who asks takes for an answer; none if empty.
    """

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        # A proxy that the environment names is for other sites, not for the API next door.
        self._session.trust_env = False
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def model(self) -> dict[str, Any]:
        """What the model is and knows, and how good it is.

        Raises:
            Refused: the API does not answer the page.
            ApiDown: the API does not answer.
        """
        return self._ask("class_names", "GET", "/model")

    def dataset(self) -> dict[str, Any] | None:
        """What the model learned from; None where the API does not have it at hand.

        Raises:
            Refused: the API does not answer the page.
            ApiDown: the API does not answer.
        """
        try:
            return self._ask("classes", "GET", "/dataset")
        except Refused as refusal:
            if refusal.kind in ("no-dataset", "not-found"):
                return None
            raise

    def predict(self, picture: bytes) -> dict[str, Any]:
        """What a picture shows, with the pixels that the network saw and what decided.

        Raises:
            Refused: the file is not a picture that the API takes, or it does not answer the page.
            ApiDown: the API does not answer.
        """
        headers = {"Content-Type": "application/octet-stream"}
        path = "/predict?seen=1&explain=1"
        return self._ask("class", "POST", path, data=picture, headers=headers)

    def _ask(self, expected: str, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The answer, an object that has the key `expected`."""
        try:
            response = self._session.request(method, self.url + path, timeout=_SECONDS, **options)
            answer = response.json()
        except requests.ReadTimeout as error:
            raise Refused("out-of-time") from error
        except requests.RequestException as error:
            raise ApiDown(str(error)) from error
        if not isinstance(answer, dict):
            raise ApiDown("what answers there is not the API")
        if response.ok and expected in answer:
            return answer
        namespace, _, kind = str(answer.get("type")).rpartition(":")
        if namespace != "urn:imagette:problem":
            raise ApiDown("what answers there is not the API")
        raise Refused(kind)
