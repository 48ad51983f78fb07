"""What visitors send to the page: how much of it is held at once, and for how long.

Streamlit would keep all that is sent in memory until a visit is over, and bounds each file alone.
Here a file is let go of as soon as nothing on the page needs it (`Upload`), and what would be too
much is never taken in (`UploadLimits`): it is thrown away as it arrives, and the page is told why,
so that it can tell its visitor, in their language.
"""

import re
import weakref
from collections import Counter
from collections.abc import Sequence
from queue import SimpleQueue
from threading import Thread

import streamlit as st
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime import Runtime, get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

VISITOR_BYTES = 100_000_000
"""So much is held of one visitor at once, or one file if that may be larger."""

VISITORS = 3
"""Of all visitors together, so many times as much is held as of one, or more where there is more
memory: thirty people who send ten photos each at once are a lesson in a classroom."""

REASONS = ("too-much-at-once", "page-full")
"""Short names of the problems that only the page has."""

_UPLOAD = re.compile("/_stcore/upload_file/(?P<session>[^/]+)/(?P<file>[^/]+)$")
_FILE_NAME = re.compile(rb'filename="([^"]*)"')

# The type of a file that was thrown away, here or in the browser (uploads.js), before the reason:
# the short name of a problem.
_REFUSED = "application/x-imagette-refused;"

_HEAD = 8192  # bytes; the name of the file is in the first ones of a request
_FORM = 4096  # bytes; a request has fewer of them beside the file


class Upload:
    """A picture that somebody gave, as long as anything needs it.

    When nothing refers to this any more, Streamlit forgets the file too.

    Attributes:
        data: the bytes of the file.
        refused: why they are not there, as the short name of a problem; None if they are.
    """

    def __init__(self, data: bytes, refused: str | None = None) -> None:
        self.data = data
        self.refused = refused

    @classmethod
    def take(cls, file: UploadedFile) -> "Upload":
        """What a widget was given."""
        _, is_refused, reason = file.type.partition(_REFUSED)
        upload = cls(file.getvalue(), reason if is_refused else None)
        if context := get_script_run_ctx():
            place = (context.uploaded_file_mgr, context.session_id, file.file_id)
            weakref.finalize(upload, _forgotten.put, place).atexit = False
        return upload


def chosen(key: str) -> list[UploadedFile]:
    """The files in the widget of a key.

    What an open camera sends may say once more what was in one before it was emptied; those files
    are let go of by then, and are not among them.
    """
    return [file for file in st.session_state[key] if isinstance(file, UploadedFile)]


def discard(files: Sequence[UploadedFile]) -> None:
    """Let go of what a widget was given and nobody wants."""
    if context := get_script_run_ctx():
        for file in files:
            _forgotten.put((context.uploaded_file_mgr, context.session_id, file.file_id))


_Place = tuple[MemoryUploadedFileManager, str, str]

# An `Upload` may be let go of anywhere, also where Streamlit holds the lock that its files are
# under. So another thread forgets them; this kind of queue may be put into anywhere.
_forgotten: SimpleQueue[_Place] = SimpleQueue()


def _forget() -> None:
    while True:
        files, session, file = _forgotten.get()
        files.remove_file(session, file)


Thread(target=_forget, name="forget-uploads", daemon=True).start()


class UploadLimits:
    """Middleware that takes in only so much of what visitors send.

    Args:
        app: the application that keeps the files.
        largest: bytes of the largest file that the API takes; a zip file of many of them may be as
            large as what is held of one visitor.
        memory: bytes that may be held of all visitors together; what `VISITORS` says if that is
            more.
    """

    def __init__(self, app: ASGIApp, largest: int, memory: int = 0) -> None:
        self._app = app
        self._largest = largest
        self._visitor = max(VISITOR_BYTES, largest + _FORM)
        self._all = max(VISITORS * self._visitor, memory)
        self._arriving: Counter[str] = Counter()  # bytes, by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_put = scope["type"] == "http" and scope["method"] == "PUT"
        upload = _UPLOAD.search(scope["path"]) if is_put else None
        # Streamlit sends away who comes from no visit, before it reads what they send.
        if not upload or not get_instance().is_active_session(upload["session"]):
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"")
        if not length.isdigit():  # as every browser says it
            await Response(status_code=411)(scope, receive, send)
            return
        session, size = upload["session"], int(length)
        largest = self._largest
        if largest + _FORM < size <= self._visitor:  # only then does it matter what it is
            head, receive = await _look_ahead(receive)
            if _name_in(head).lower().endswith(".zip"):
                largest = self._visitor - _FORM
        if reason := self._why_not(get_instance(), session, size, largest):
            await _throw_away(scope, receive, send, upload, reason)
            return
        self._arriving[session] += size
        try:
            await self._app(scope, receive, send)
        finally:
            self._arriving[session] -= size
            if not self._arriving[session]:
                del self._arriving[session]

    def _why_not(self, runtime: Runtime, session: str, size: int, largest: int) -> str | None:
        """The short name of the problem with taking in so much more, if there is one."""
        if size > largest + _FORM:
            return "request-too-large"
        held = {key: _size_of(files) for key, files in list(_files(runtime).file_storage.items())}
        if held.get(session, 0) + self._arriving[session] + size > self._visitor:
            return REASONS[0]
        if sum(held.values()) + self._arriving.total() + size > self._all:
            return REASONS[1]
        return None


def _files(runtime: Runtime) -> MemoryUploadedFileManager:
    return runtime.uploaded_file_mgr


def _size_of(files: dict[str, UploadedFileRec]) -> int:
    return sum(len(file.data) for file in list(files.values()))


def _name_in(head: bytes) -> str:
    """The name of the file, as the first bytes of a request have it."""
    found = _FILE_NAME.search(head)
    return found[1].decode("utf-8", "replace") if found else ""


async def _look_ahead(receive: Receive) -> tuple[bytes, Receive]:
    """The first bytes of a request, and what receives all of it."""
    messages: list[Message] = []
    head, more = b"", True
    while more and len(head) < _HEAD:
        message = await receive()
        messages.append(message)
        head += message.get("body", b"")
        more = message.get("more_body", False)

    async def receive_again() -> Message:
        return messages.pop(0) if messages else await receive()

    return head, receive_again


async def _throw_away(
    scope: Scope, receive: Receive, send: Send, upload: re.Match[str], reason: str
) -> None:
    """Keep of a file only its name and why it was refused.

    It is read to its end all the same: a browser that is still sending does not hear an answer.
    """
    head = b""
    message: Message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        if len(head) < _HEAD:
            head += message.get("body", b"")
    runtime = get_instance()
    if runtime.is_active_session(upload["session"]):
        record = UploadedFileRec(upload["file"], _name_in(head), _REFUSED + reason, b"")
        _files(runtime).add_file(upload["session"], record)
    await Response(status_code=204)(scope, receive, send)
