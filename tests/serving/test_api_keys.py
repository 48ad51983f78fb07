"""Keys with names, from the settings and from a file that is read again."""

import json
import os
import signal

import pytest
from pydantic import SecretStr
from support.running_server import RunningServer, wait_until

from imagette import ImagetteError
from imagette.serving.api_keys import KeyRing, digest, split_name
from imagette.serving.middleware import KEY_NAME_KEY
from imagette.serving.settings import Settings


@pytest.mark.parametrize(
    ("written", "name", "key"),
    [
        ("alice:KEY1", "alice", "KEY1"),
        (" bob-2_x : a b ", "", "bob-2_x : a b"),  # a name has no space in it
        ("plain", "", "plain"),
        ("c2VjcmV0IGtleQ==", "", "c2VjcmV0IGtleQ=="),
        ("carol:c2VjcmV0IGtleQ==", "carol", "c2VjcmV0IGtleQ=="),
        ("dave:a:b", "dave", "a:b"),
        ("9f86d081-884c-7d65-9a2f-eaa0c55ad015", "", "9f86d081-884c-7d65-9a2f-eaa0c55ad015"),
        ("x" * 33 + ":a", "", "x" * 33 + ":a"),
        ("a=b", "", "a=b"),
    ],
)
def test_a_key_may_have_a_name(written, name, key):
    assert split_name(written) == (name, key)


def test_keys_without_a_name_are_numbered():
    ring = KeyRing([SecretStr(one) for one in ("one", "bob:two", "three")])
    assert ring.names == {digest("one"): "key-1", digest("two"): "bob", digest("three"): "key-3"}


@pytest.mark.parametrize("keys", ["alice:", "a:x,b:x", "x,a:x"])
def test_names_do_not_make_a_key(keys):
    with pytest.raises(ImagetteError, match=r"IMAGETTE_API_KEYS.*(?s:.)*(blank|twice)") as error:
        Settings(api_keys=keys)
    assert ":x" not in str(error.value)


def test_the_name_is_left_for_whoever_counts_or_logs(make_client, tmp_path):
    file = tmp_path / "keys"
    file.write_text("# those of the department\n\ncarol:three\n", encoding="utf-8")
    client = make_client(api_keys="alice:one,two", api_keys_file=file)
    seen = []
    client.application.after_request(lambda answer: seen.append(environ()) or answer)

    def environ():
        from flask import request

        return request.environ.get(KEY_NAME_KEY)

    for key in ("one", "two", "three", "alice:one"):
        client.get("/model", headers={"X-API-Key": key})
    assert seen == ["alice", "key-2", "carol", None]
    assert client.get("/model").status_code == 401


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "no key in the file"), ("# alice:one\n \n", "no key in the file"),
     (None, "cannot be read"), ("alice:\n", "blank"), ("clé\n", "ASCII"),
     ("a:one\nb:one\n", "twice"), (b"\xff\xfe", "UTF-8")],
)  # fmt: skip
def test_a_file_without_keys_never_opens_the_server(make_client, tmp_path, content, words):
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ImagetteError, match=words):
        make_client(api_keys_file=file)


def test_a_worker_that_starts_while_the_file_is_broken_takes_the_keys_of_before(tmp_path):
    file, kept = tmp_path / "keys", tmp_path / "kept"
    file.write_text("alice:one\n")
    ring = KeyRing([], file, kept)
    file.write_text("carol:three\n")
    ring.reload()
    file.write_text("")
    with pytest.raises(ImagetteError):
        ring.reload()
    assert ring.names == KeyRing([], file, kept).names == {digest("three"): "carol"}
    assert "three" not in kept.read_text()


@pytest.mark.slow
def test_keys_are_read_again_at_a_hangup(bundle_path, tmp_path):
    file = tmp_path / "keys"
    file.write_text("alice:one\nbob:two\n")
    variables = {"IMAGETTE_API_KEYS_FILE": str(file), "IMAGETTE_LOG_REQUESTS": "true"}
    with RunningServer(bundle_path, **variables) as server:
        server.wait_until_ready()

        def statuses(key):
            headers = {"X-API-Key": key}
            return {server.ask("GET", "/model", headers=headers)[0] for _ in range(6)}

        def hang_up(content):
            file.write_text(content)
            os.kill(server.process.pid, signal.SIGHUP)

        assert (statuses("one"), statuses("two"), statuses("three")) == ({200}, {200}, {401})
        hang_up("alice:one\ncarol:three\n")
        wait_until(lambda: (statuses("two"), statuses("three")) == ({401}, {200}))
        assert statuses("one") == {200}
        hang_up("")  # as a file is while somebody writes it

        def failures():
            text = server.ask("GET", "/metrics", headers={"X-API-Key": "one"})[2].decode()
            return 'imagette_key_reloads_total{outcome="failed"} 2.0' in text

        wait_until(failures)
        os.kill(server.descendants()[0], signal.SIGKILL)
        wait_until(lambda: len(server.descendants()) == 2)
        wait_until(lambda: "The keys of before" in server.process.stdout.readline())
        assert (statuses("one"), statuses("two"), statuses("three")) == ({200}, {401}, {200})
        server.process.terminate()
        status, printed = server.finish()
    assert status == 0
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    of_models = [line for line in lines if line.get("path") == "/model"]
    assert {line.get("key") for line in of_models} == {"alice", "carol", None}
    assert not {"one", "two", "three"} & {line.get("key") for line in lines}
