"""What the page asks of the API, over HTTP."""

import os
import re
from typing import Any
from urllib.parse import quote

import requests

_SECONDS = (3, 60)  # to connect, and to wait for an answer
_SEEN = "seen=1"
_ALL = f"{_SEEN}&explain=1"


class NoAnswer(Exception):  # noqa: N818  # a state of things that the page shows, not a mistake
    """The API is not there, or would not answer.

    Attributes:
        kind: the short name of the problem, such as `unreadable-picture`.
    """

    kind: str


class ApiDown(NoAnswer):
    """Nothing, or something that is not the API, answers at its address."""

    kind = "api-down"


class Refused(NoAnswer):
    """The API would not answer."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Api:
    """The API at an address.

    Every method that asks it raises `Refused` where it answers with a problem, and `ApiDown` where
    it does not answer.

    Args:
        url: its address, such as `http://127.0.0.1:5000`.
        key: what an API that wants to know who asks takes for an answer; none if empty.
        visitor: address of whoever looks at the page: rates, turns and lessons are counted for
            each visitor; empty if not known.
    """

    def __init__(self, url: str, key: str = "", visitor: str = "") -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        # A proxy that the environment names is for other sites, not for the API next door.
        self._session.trust_env = False
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"
        if token := os.environ.get("IMAGETTE_PAGE_TOKEN"):
            self._session.headers["X-Imagette-Visitor"] = f"{token} {visitor}".rstrip()

    def model(self) -> dict[str, Any]:
        """What the model is and knows, and how good it is."""
        try:
            return self.ask("class_names", "GET", "/model")
        except Refused as refusal:
            if refusal.kind == "not-found":  # as where the API is below a path
                raise ApiDown("the API is not at this address") from refusal
            raise

    def dataset(self) -> dict[str, Any] | None:
        """What the model learned from; None where the API does not have it at hand."""
        try:
            return self.ask("classes", "GET", "/dataset")
        except Refused as refusal:
            if refusal.kind in ("no-dataset", "not-found"):
                return None
            raise

    def predict(self, image: bytes, of: str = "", options: str = _ALL) -> dict[str, Any]:
        """What an image shows, with the pixels that the network saw and what decided.

        Args:
            image: the bytes of the file.
            of: path of the lesson that answers; the served model if empty.
            options: what else is asked for; empty for nothing.
        """
        headers = {"Content-Type": "application/octet-stream"}
        path = f"{of}/predict?{options}"
        return self.ask("class", "POST", path, data=image, headers=headers)

    def recognise(self, image: bytes, of: str = "") -> dict[str, Any]:
        """The same, but for what decided, which takes the time of some 15 answers."""
        return self.predict(image, of, _SEEN)

    def keep(self, image: bytes, class_name: str) -> None:
        """Keep an image that was answered wrongly, under what it really shows.

        Args:
            image: the bytes of the file.
            class_name: one of the model's, or another; empty if it shows nothing that has one.
        """
        path = f"/feedback?class={quote(class_name, safe='')}"
        headers = {"Content-Type": "application/octet-stream"}
        self.ask("class", "POST", path, data=image, headers=headers)

    def begin_lesson(self, class_names: list[str], name: str = "") -> dict[str, Any]:
        """Begin a lesson, perhaps with a name; where it stands."""
        names = {"class_names": class_names, "name": name}
        return self.ask("id", "POST", "/lessons", json=names)

    def ask(self, expected: str, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The answer, an object that has the key `expected`; options are those of `requests`."""
        response = self._send(method, path, **options)
        try:
            answer = response.json()
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

    def file(self, path: str) -> bytes:
        """A file of the API."""
        response = self._send("GET", path)
        if response.ok:
            return response.content
        raise Refused("not-found")

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            return self._session.request(method, self.url + path, timeout=_SECONDS, **options)
        except requests.ReadTimeout as error:
            raise Refused("out-of-time") from error
        except requests.RequestException as error:
            raise ApiDown(str(error)) from error


class LessonApi:
    """What the page asks of the API about one lesson.

    Every method raises what those of `Api` do.

    Args:
        api: the API.
        lesson_id: the lesson's; anything, if it comes from an address.
        explain: whether to ask what decided, which takes the time of some 15 answers.
    """

    def __init__(self, api: Api, lesson_id: str, explain: bool = False) -> None:
        self._api = api
        self._options = _ALL if explain else _SEEN
        # What no id has in it must not lead to another path, as `..` would.
        self._path = f"/lessons/{re.sub('[^A-Za-z0-9_-]', '-', lesson_id)}"
        self._classes = f"{self._path}/classes"

    def status(self) -> dict[str, Any]:
        """Where it stands."""
        return self._api.ask("classes", "GET", self._path)

    def add(self, class_name: str, files: list[tuple[str, bytes]]) -> dict[str, Any]:
        """Add images, given by name and content, to a class; those that were kept, small, those
        that were refused, and why, and where the lesson stands then."""
        parts = [("image", file) for file in files]
        path = f"{self._path}/pictures?class={quote(class_name, safe='')}"
        return self._api.ask("refused", "POST", path, files=parts)

    def thumbnails(self) -> dict[str, str]:
        """All images, small, as data URLs by name."""
        classes = self._api.ask("classes", "GET", f"{self._path}/pictures")["classes"]
        return {one["name"]: one["thumbnail"] for many in classes.values() for one in many}

    def remove(self, image: str) -> dict[str, Any]:
        """Take an image away; where the lesson stands then."""
        path = f"{self._path}/pictures/{quote(image, safe='')}"
        return self._api.ask("classes", "DELETE", path)

    def picture(self, image: str) -> bytes:
        """An image as it is kept, a PNG file."""
        return self._api.file(f"{self._path}/pictures/{quote(image, safe='')}")

    def set_name(self, name: str) -> dict[str, Any]:
        """Give it a name; where it stands then."""
        return self._api.ask("classes", "PATCH", self._path, json={"name": name})

    def add_class(self, name: str) -> dict[str, Any]:
        """Add a class; where the lesson stands then."""
        return self._api.ask("classes", "POST", self._classes, json={"name": name})

    def rename_class(self, class_name: str, name: str) -> dict[str, Any]:
        """Give a class another name; where the lesson stands then."""
        path = f"{self._classes}?class={quote(class_name, safe='')}"
        return self._api.ask("classes", "PATCH", path, json={"name": name})

    def delete_class(self, class_name: str) -> dict[str, Any]:
        """Take a class and its images away; where the lesson stands then."""
        path = f"{self._classes}?class={quote(class_name, safe='')}"
        return self._api.ask("classes", "DELETE", path)

    def undo(self, change: str = "") -> dict[str, Any]:
        """Undo the last change, or bring a lesson back that was forgotten; where it stands then."""
        return self._api.ask("classes", "POST", f"{self._path}/undo?change={quote(change)}")

    def forget(self) -> None:
        """Delete it, so that it can be brought back for some minutes."""
        self._api.ask("status", "DELETE", f"{self._path}?undo=1")

    def delete(self) -> None:
        """Delete it for good, also when it was forgotten."""
        self._api.ask("status", "DELETE", self._path)

    def archive(self) -> bytes:
        """It and its images as a zip file."""
        return self._api.file(f"{self._path}/archive")

    def model(self) -> bytes:
        """What was learned, as a bundle."""
        return self._api.file(f"{self._path}/model")

    def predict(self, image: bytes) -> dict[str, Any]:
        """What an image shows, as `Api.predict` has it."""
        return self._api.predict(image, self._path, self._options)

    def recognise(self, image: bytes) -> dict[str, Any]:
        """What an image shows, as `Api.recognise` has it."""
        return self._api.recognise(image, self._path)

    def glance(self, image: bytes) -> dict[str, Any]:
        """What an image shows, and no more than that, which is quickest."""
        return self._api.predict(image, self._path, "")
