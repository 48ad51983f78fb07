"""A visit to the page without a browser: what a browser says to its server, and what it hears.

The page's server does all that it does for a browser: it runs the page's script in a session, takes
files, asks the API, and sends what is to be shown. Only nothing is drawn.
"""

import base64
import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

_EVENTS = "$$STREAMLIT_INTERNAL_KEY_{}__events"
_SECONDS = 90.0


class Trouble(Exception):  # noqa: N818  # what an experiment counts
    """What a person would see as something gone wrong."""


class Visit:
    """A visit to the tab to teach, by HTTPS.

    Args:
        host: IP address of the page.
        port: its port.
        own_address: IP address to come from, by which the API tells people apart.
    """

    def __init__(self, host: str, port: int, own_address: str) -> None:
        self._host, self._port = host, port
        self._source = (own_address, 0)
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE  # as who has gone on after the warning
        self._token = self._fetch_token()
        # What stands on the page, by the end of its id, which is the key that it has in the code.
        self._ids: dict[str, str] = {}
        self._script = self._query = self._fragment = self._session = ""
        self._camera: dict[str, Any] = {}  # what the page has told it last
        connection = socket.create_connection((host, port), source_address=self._source)
        self._socket = connect(
            f"wss://{host}:{port}/_stcore/stream",
            sock=connection,
            ssl=self._context,
            server_hostname=host,
            origin=Origin(f"https://{host}:{port}"),
            subprotocols=[Subprotocol("streamlit"), Subprotocol(self._token)],
            additional_headers={"Cookie": f"_streamlit_xsrf={self._token}"},
            max_size=None,
            max_queue=None,  # what is not listened to must not keep the next answer from coming
            ping_interval=None,
        )

    def open(self) -> None:
        """Open the tab: what is on it is known afterwards."""
        self._rerun(ClientState(page_name="teach"))

    def begin_lesson(self, names: list[str]) -> str:
        """Name classes; the id of the lesson."""
        for _ in names[2:]:
            self._press("teach-add-class")
        message = ClientState()
        for place, name in enumerate(names):
            state = message.widget_states.widgets.add(id=self._ids[f"teach-name-{place}"])
            state.string_value = name
        message.widget_states.widgets.add(id=self._ids["teach-begin"], trigger_value=True)
        self._rerun(message)
        name, _, lesson = self._query.partition("=")
        if name != "lesson" or not lesson:
            raise Trouble("no lesson was begun")
        return lesson

    def upload(self, place: int, pictures: list[bytes]) -> None:
        """Choose files for a class; it has learned them afterwards."""
        (key,) = [key for key in self._ids if key.startswith(f"teach-files-{place}-")][-1:]
        wanted = BackMsg()
        wanted.file_urls_request.request_id = f"{time.monotonic()}"
        wanted.file_urls_request.session_id = self._session
        wanted.file_urls_request.file_names.extend(f"{n}.jpg" for n in range(len(pictures)))
        self._socket.send(wanted.SerializeToString())
        told = next(one for one in self._hear() if one.WhichOneof("type") == "file_urls_response")
        message = ClientState()
        state = message.widget_states.widgets.add(id=self._ids.pop(key))
        urls = told.file_urls_response.file_urls
        for number, (place_to_put, picture) in enumerate(zip(urls, pictures, strict=True)):
            self._put(place_to_put.upload_url, f"{number}.jpg", picture)
            info = state.file_uploader_state_value.uploaded_file_info.add(
                name=f"{number}.jpg", size=len(picture), file_id=place_to_put.file_id
            )
            info.file_urls.CopyFrom(place_to_put)
        self._rerun(message)

    def open_camera(self) -> None:
        """Press the button that opens the camera."""
        self._press("teach-camera")
        if not self._camera:
            raise Trouble("there is no camera")
        if not self._camera["answers"]:
            raise Trouble("nothing would answer the camera")

    def look(self, image: bytes) -> None:
        """Hand over what the camera sees, as live_camera.js does, and wait for the answer to that.

        Raises:
            Trouble: the page has not taken the image in, or shows no bar of each class for it.
        """
        number = self._camera["taken"] + 1
        content = f"data:image/jpeg;base64,{base64.b64encode(image).decode()}"
        value = {"number": number, "label": None, "contents": [content]}
        message = ClientState(fragment_id=self._fragment)
        state = message.widget_states.widgets.add(id=_EVENTS.format(self._ids["live-camera"]))
        state.json_trigger_value = json.dumps([{"event": "image", "value": value}])
        shown = self._rerun(message)
        if self._camera["taken"] != number:
            raise Trouble("what the camera saw was not taken in")
        bars = [text for text in shown if 'class="imagette-bars"' in text]
        if len(bars) != 1 or bars[0].count("<li") != len(self._camera["record"]):
            raise Trouble("the camera was not answered")

    def close(self) -> None:
        self._socket.close()

    def _press(self, key: str) -> None:
        message = ClientState()
        message.widget_states.widgets.add(id=self._ids[key], trigger_value=True)
        self._rerun(message)

    def _rerun(self, message: ClientState) -> list[str]:
        """Have the page's script run, to its end; the HTML that it shows."""
        message.query_string = self._query
        message.page_script_hash = self._script
        message.context_info.url = f"https://{self._host}:{self._port}/teach"
        message.context_info.locale = "en-US"
        self._socket.send(BackMsg(rerun_script=message).SerializeToString())
        shown: list[str] = []
        said: list[str] = []
        for heard in self._hear():
            kind = heard.WhichOneof("type")
            if kind == "new_session":
                self._session = heard.new_session.initialize.session_id
            elif kind == "navigation":
                self._script = heard.navigation.page_script_hash
            elif kind == "page_info_changed":
                self._query = heard.page_info_changed.query_string
            elif kind == "delta":
                self._note(heard, shown, said)
            # A run that another one follows at once is not what was waited for.
            elif kind == "script_finished" and heard.script_finished != (
                ForwardMsg.FINISHED_EARLY_FOR_RERUN
            ):
                if said:
                    raise Trouble(f"the page says: {said[0]}")
                return shown
        raise AssertionError("what is heard does not end")

    def _note(self, heard: ForwardMsg, shown: list[str], said: list[str]) -> None:
        """Note what is shown: HTML, and what is said to have gone wrong."""
        element = heard.delta.new_element
        kind = element.WhichOneof("type")
        if kind is None:
            return
        if kind in ("exception", "alert"):
            said.append(str(getattr(element, kind))[:300])
        if kind == "html":
            shown.append(element.html.body)
        found = getattr(getattr(element, kind), "id", "")
        if found.startswith("$$ID-"):
            key = found.split("-", 2)[2]
            self._ids[key] = found
            if key == "live-camera":
                self._fragment = heard.delta.fragment_id
                self._camera = json.loads(element.bidi_component.json)

    def _hear(self) -> Iterator[ForwardMsg]:
        end = time.monotonic() + _SECONDS
        while True:
            try:
                message = self._socket.recv(timeout=max(0.0, end - time.monotonic()))
            except TimeoutError as error:
                raise Trouble(f"no answer within {_SECONDS:.0f} s") from error
            assert isinstance(message, bytes)
            yield ForwardMsg.FromString(message)

    def _fetch_token(self) -> str:
        answer = self._ask("GET", "/_stcore/health")
        cookies = answer.getheader("Set-Cookie", "")
        return cookies.partition("_streamlit_xsrf=")[2].partition(";")[0]

    def _put(self, path: str, name: str, picture: bytes) -> None:
        head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        body = head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + picture + b"\r\n--b--\r\n"
        headers = {
            "Content-Type": "multipart/form-data; boundary=b",
            "X-Xsrftoken": self._token,
            "Cookie": f"_streamlit_xsrf={self._token}",
        }
        status = self._ask("PUT", path, body, headers).status
        if status != 204:
            raise Trouble(f"a file was refused with status {status}")

    def _ask(self, method: str, path: str, *rest: Any) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection(
            self._host,
            self._port,
            timeout=_SECONDS,
            source_address=self._source,
            context=self._context,
        )
        connection.request(method, path, *rest)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer
