"""What the page holds of what visitors send: no more than there is room for, nor longer than it is
needed."""

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")

from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec
from support.running_server import wait_until

from imagette.webapp import uploads
from imagette.webapp.session import Session
from imagette.webapp.session_image import same_words
from imagette.webapp.teach_state import TeachState
from imagette.webapp.uploads import Upload, UploadLimits

LARGEST = 20_000
ROOM = 60_000
HEAD = b'--b\r\nContent-Disposition: form-data; name="f"; filename="caf\xc3\xa9.png"\r\n\r\n'


@pytest.fixture
def files(monkeypatch):
    """Where Streamlit keeps files, of the visits "one" to "five"."""
    files = MemoryUploadedFileManager("")
    visits = {"one", "two", "three", "four", "five"}
    runtime = SimpleNamespace(uploaded_file_mgr=files, is_active_session=visits.__contains__)
    monkeypatch.setattr(uploads, "get_instance", lambda: runtime)
    monkeypatch.setattr(uploads, "VISITOR_BYTES", ROOM)
    return files


async def keep(scope, receive, send):
    """In Streamlit's place: keep what is sent, and answer 204."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    _, _, session, file = scope["path"].rsplit("/", 3)
    manager = uploads.get_instance().uploaded_file_mgr
    manager.add_file(session, UploadedFileRec(file, "kept", "image/png", body))
    await send({"type": "http.response.start", "status": 204})


def put(limits, session, file, size, headers=None, head=HEAD):
    """Send a file of some size, in two parts; the status of the answer."""
    content = head + bytes(size - len(head))
    chunks = [(content[: size // 2], True), (content[size // 2 :], False)]
    told = []

    async def receive():
        body, more = chunks.pop(0)
        return {"type": "http.request", "body": body, "more_body": more}

    async def send(message):
        told.append(message)

    length = [(b"content-length", str(size).encode())] if headers is None else headers
    path = f"/base/_stcore/upload_file/{session}/{file}"
    scope = {"type": "http", "method": "PUT", "path": path, "headers": length}
    # In a thread of its own: a browser of other tests may have an event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, limits(scope, receive, send)).result()
    return told[0]["status"], chunks


def held(files, session):
    return {key: (file.name, len(file.data)) for key, file in files.file_storage[session].items()}


def refused(files, session, file):
    record = files.file_storage[session][file]
    return record.name, Upload.take(UploadedFile(record, FileURLs())).refused


def test_one_visitor_and_all_together_have_so_much_room(files):
    limits = UploadLimits(keep, LARGEST)
    for number in range(3):
        assert put(limits, "one", f"{number}", 20_000) == (204, [])
    # Read to its end, so that the browser hears the answer, and thrown away.
    assert put(limits, "one", "3", 20_000) == (204, [])
    assert refused(files, "one", "3") == ("café.png", "too-much-at-once")
    assert sum(size for _, size in held(files, "one").values()) == ROOM
    for session in ("two", "three"):
        for number in range(3):
            put(limits, session, f"{number}", 20_000)
    assert len(held(files, "three")) == 3
    put(limits, "four", "0", 10_000)
    assert refused(files, "four", "0") == ("café.png", "page-full")
    files.remove_session_files("two")  # that visitor has gone
    put(limits, "four", "1", 10_000)
    assert held(files, "four") == {"0": ("café.png", 0), "1": ("kept", 10_000)}


def test_where_there_is_more_memory_a_whole_classroom_has_room(files):
    limits = UploadLimits(keep, LARGEST, memory=4 * ROOM)
    for session in ("one", "two", "three", "four"):
        for number in range(3):
            put(limits, session, f"{number}", 20_000)
    assert sum(size for _, size in held(files, "four").values()) == ROOM
    put(limits, "five", "0", 10_000)
    assert refused(files, "five", "0") == ("café.png", "page-full")


def test_what_the_api_would_not_take_is_not_taken_in(files):
    limits = UploadLimits(keep, LARGEST)
    assert put(limits, "one", "0", LARGEST + 5_000) == (204, [])
    assert refused(files, "one", "0") == ("café.png", "request-too-large")


def test_a_zip_file_of_many_pictures_may_be_as_large_as_there_is_room(files):
    limits = UploadLimits(keep, LARGEST)
    head = HEAD.replace(b"caf\xc3\xa9.png", b"lesson.ZIP")
    assert put(limits, "one", "0", ROOM - 5_000, head=head) == (204, [])
    assert held(files, "one") == {"0": ("kept", ROOM - 5_000)}
    put(limits, "one", "1", ROOM - 5_000, head=head)
    assert refused(files, "one", "1") == ("lesson.ZIP", "too-much-at-once")
    put(limits, "two", "0", ROOM + 5_000, head=head)
    assert refused(files, "two", "0") == ("lesson.ZIP", "request-too-large")


def test_a_size_that_is_not_told_is_asked_for_and_strangers_are_left_to_streamlit(files):
    limits = UploadLimits(keep, LARGEST)
    assert put(limits, "one", "0", 5_000, headers=[])[0] == 411
    assert put(limits, "stranger", "0", 5_000, headers=[])[0] == 204


def test_what_arrives_counts_while_it_does(files):
    limits = UploadLimits(keep, LARGEST)
    statuses = []

    async def slowly(scope, receive, send):
        if len(statuses) < 3:
            statuses.append("arrives")
            await limits(scope | {"path": scope["path"] + "x"}, receive, send)
        else:
            await keep(scope, receive, send)

    limits = UploadLimits(slowly, LARGEST)
    put(limits, "one", "0", 20_000)  # each sends another one before it is there itself
    assert refused(files, "one", "0xxx")[1] == "too-much-at-once"


@pytest.fixture
def choose(files, monkeypatch):
    """A function that gives a file as a widget does, kept for the visit "one"."""
    context = SimpleNamespace(session_id="one", uploaded_file_mgr=files)
    monkeypatch.setattr(uploads, "get_script_run_ctx", lambda: context)

    def choose(number, content=b"..."):
        record = UploadedFileRec(f"{number}", "a.png", "image/png", content)
        files.add_file("one", record)
        return UploadedFile(record, FileURLs())

    return choose


def test_streamlit_forgets_what_the_page_has_let_go_of(files, choose):
    session = Session(max_images=2)
    session.show_files([choose(number) for number in range(4)])
    wait_until(lambda: set(held(files, "one")) == {"0", "1"})  # more are not kept at all
    session.add([(same_words("b"), same_words("b"), Upload(b""))])
    session.look_at([])
    wait_until(lambda: set(held(files, "one")) == {"1"})  # it was the oldest of three
    session.forget()
    wait_until(lambda: not held(files, "one"))


def test_what_waits_to_be_learned_is_kept_until_it_is_dropped(files, choose):
    state = TeachState()
    state.put("cat", [("a.png", Upload.take(choose(0))), ("b.png", Upload(b"", "page-full"))])
    assert state.refused == {"cat": ["page-full"]}
    gc.collect()
    assert set(held(files, "one")) == {"0"}
    state.waiting.clear()
    wait_until(lambda: not held(files, "one"))


def test_what_was_refused_is_told_where_it_would_be_shown():
    session = Session()
    session.add([(same_words("a"), same_words("a"), Upload(b"", "page-full"))])
    (image,) = session.in_view
    assert (image.problem, image.waits, image.can_retry) == ("page-full", False, False)
