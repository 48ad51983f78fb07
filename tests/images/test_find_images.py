"""Which files below a folder are pictures."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image
from support.sources import paint

from imagette import ImagetteError
from imagette.files import MARK, make_folder, remove_if_empty
from imagette.images import find_images as module
from imagette.images.find_images import find_images, folders_in, in_short
from imagette.images.formats import SUFFIXES
from imagette.reports.plotting import Figure, to_png

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def found(folder):
    """The paths of pictures, and of what is told to be left out with the reason, in the folder."""
    images, left_out = find_images(folder)
    told = {path.relative_to(folder).as_posix(): reason for path, reason in in_short(left_out)}
    return [path.relative_to(folder).as_posix() for path in images], told


def content(kind, **options):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, format=kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("name", ["picture", "a.0001", "photo.jpeg_large", "x.txt", "b."])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG2000", "PPM"])
def test_a_picture_is_known_by_what_it_holds(tmp_path, name, kind):
    (tmp_path / name).write_bytes(content(kind))
    assert found(tmp_path) == ([name], {})


@pytest.mark.parametrize(
    "other", [b"", b"words", b"BM words that are no bitmap", b"P5", LFS, b"%PDF-1.4", b"<svg/>"]
)
def test_other_files_are_told_in_one_line(tmp_path, other):
    paint(tmp_path / "c.png", "red")
    for name in ("a", "b.txt"):
        (tmp_path / name).write_bytes(other)
    (tmp_path / "d.nef").write_bytes(content("TIFF"))  # a preview that a camera's own file holds
    assert found(tmp_path) == (["c.png"], {"a": "is no picture, like 2 more."})


def test_files_with_usual_endings_are_not_opened(tmp_path, monkeypatch):
    for suffix in SUFFIXES:
        (tmp_path / f"x{suffix.upper()}").write_bytes(b"")
    monkeypatch.setattr("imagette.images.find_images.first_bytes", None)
    assert len(find_images(tmp_path).images) == len(SUFFIXES)


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints/x.png", "@eaDir/x.png", "$RECYCLE.BIN/x.png", "lost+found/x.png",
        "System Volume Information/x.png", "__MACOSX/x.png", ".git/x.png", "__pycache__/x.png",
        ".thumbnails/x.png", "mlruns/x.png", "Thumbs.db", "desktop.ini", "._0.png", ".DS_Store",
    ],
)  # fmt: skip
def test_hidden_and_system_files_are_left_out_at_any_depth(tmp_path, name):
    for folder in ("", "a/", "a/deep/"):
        paint(tmp_path / folder / "0.png", "red")
        (tmp_path / folder / name).parent.mkdir(exist_ok=True)
        (tmp_path / folder / name).write_bytes(content("PNG"))
    assert found(tmp_path) == (["0.png", "a/0.png", "a/deep/0.png"], {})
    assert folders_in(tmp_path) == [tmp_path / "a"]


def test_a_virtual_environment_holds_no_pictures(tmp_path):
    paint(tmp_path / "a" / "0.png", "red")
    paint(tmp_path / "venv" / "lib" / "logo.png", "red")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("home = /usr/bin\n", encoding="utf-8")
    assert found(tmp_path) == (["a/0.png"], {"venv": "is a virtual environment of Python."})
    assert folders_in(tmp_path) == [tmp_path / "a"]


def test_names_that_begin_with_a_line_are_names(tmp_path):
    paint(tmp_path / "_other" / "_1.png", "red")
    assert found(tmp_path)[0] == ["_other/_1.png"]


def test_links_are_followed_but_not_in_circles_nor_twice(tmp_path):
    for name in ("outside/1.png", "outside/deep/2.png", "here/a/3.png", "here/b/4.png"):
        paint(tmp_path / name, "red")
    here = tmp_path / "here"
    for link, target in {
        "a/5.png": "outside/1.png", "a/6.png": "here/a/3.png", "a/7.png": "outside/1.png",
        "a/more": "outside/deep", "a/again": "outside/deep", "a/up": "here", "a/above": ".",
        "c": "here/b", "d": "here/d", "e.png": "nowhere.png",
    }.items():  # fmt: skip
        (here / link).symlink_to(tmp_path / target)
    (tmp_path / "outside" / "deep" / "circle").symlink_to(tmp_path / "outside")
    images, told = found(here)
    assert images == ["a/3.png", "a/5.png", "a/again/2.png", "b/4.png"]
    assert {path: reason.split(",")[0] for path, reason in told.items()} == {
        "a/6.png": "is a link to a picture that is found anyway.",
        "a/7.png": "is a link to a picture that is found anyway.",
        **dict.fromkeys(
            ("a/more", "a/up", "a/above", "c", "a/again/circle"),
            "is a link to a folder that is found anyway",
        ),
        "d": f"is a link to {here / 'd'}",
        "e.png": f"is a link to {tmp_path / 'nowhere.png'}",
    }
    assert [path.name for path in folders_in(here)] == ["a", "b"]


def test_a_folder_that_may_not_be_opened_is_told(tmp_path, monkeypatch):
    paint(tmp_path / "a.png", "red")
    (tmp_path / "shut").mkdir()
    scandir = os.scandir

    def guarded(folder):
        if str(folder).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr("os.scandir", guarded)
    assert found(tmp_path) == (["a.png"], {"shut": "cannot be opened (Permission denied)."})


def write_now(folder, name):
    make_folder(folder)
    (folder / name).write_bytes(to_png(Figure((1, 1))))


def write_earlier(folder, name):
    """As versions did that signed no plot and marked no folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content("PNG"))
    beside = {"classes.png": "index.html", "confusion.png": "metrics.json"}
    (folder / beside[name]).write_text("", encoding="utf-8")


@pytest.mark.parametrize("write", [write_now, write_earlier])
@pytest.mark.parametrize(("where", "name"), [("pages", "classes.png"), ("r/s", "confusion.png")])
def test_what_imagette_wrote_is_no_picture(tmp_path, write, where, name):
    paint(tmp_path / "a" / "0.png", "red")
    write(tmp_path / where, name)
    assert found(tmp_path) == (["a/0.png"], {where.split("/")[0]: "was written by Imagette."})
    assert folders_in(tmp_path) == [tmp_path / "a"]
    # A folder with pictures of one's own stays what it is.
    write(tmp_path / "a", name)
    paint(tmp_path / where / "own.png", "red")
    images, left_out = find_images(tmp_path)
    assert images == [tmp_path / "a" / "0.png", tmp_path / where / "own.png"]
    own = {path for path, reason in left_out if reason == "was written by Imagette"}
    assert own == {tmp_path / "a" / name, tmp_path / where / name}


@pytest.mark.parametrize(
    "left", [("recipe.toml", "environment.json"), ("audit.html", "audit.csv"), (".lock",), ()]
)
def test_folders_of_earlier_versions_without_plots(tmp_path, left):
    """Of trainings that were stopped and audits; `runs` stayed where the first one was stopped."""
    folder = tmp_path / "runs" / ("x" if left else "")
    folder.mkdir(parents=True)
    for name in left:
        (folder / name).write_text("", encoding="utf-8")
    assert found(tmp_path) == ([], {"runs": "was written by Imagette."})
    assert folders_in(tmp_path) == []


def test_pictures_that_are_called_like_plots(tmp_path):
    for name in ("classes.png", "compare.png", "this-is-why.png"):
        paint(tmp_path / name, "red")
    assert len(find_images(tmp_path).images) == 3


def test_a_made_folder_is_marked_and_removed_when_nothing_came_into_it(tmp_path):
    make_folder(tmp_path / "a" / "b")
    assert [(tmp_path / name / MARK).is_file() for name in ("a", "a/b", "")] == [True, True, False]
    remove_if_empty(tmp_path / "a")
    assert (tmp_path / "a" / "b").is_dir()
    remove_if_empty(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/kmsg").exists(), reason="there is no /proc here")
def test_what_is_not_on_a_disk_is_not_walked(tmp_path):
    """To read `/proc/kmsg`, say, waits for ever."""
    paint(tmp_path / "a" / "1.png", "red")
    (tmp_path / "a" / "b").symlink_to("/proc")
    images, told = found(tmp_path)
    assert images == ["a/1.png"]
    assert told == {"a/b": "is a link to /proc, where the system has no files of people."}
    assert "proc" not in [path.name for path in folders_in(Path("/"))]


def test_a_link_to_a_whole_disk_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_OTHERS", 30)
    for number in range(3):
        paint(tmp_path / "set" / "a" / f"{number}.png", "red")
    (tmp_path / "disk").mkdir()
    for number in range(31):
        (tmp_path / "disk" / f"{number}.txt").write_text("words")
    assert len(find_images(tmp_path / "set").images) == 3
    (tmp_path / "set" / "b").symlink_to(tmp_path / "disk")
    with pytest.raises(ImagetteError, match=r"30 files that are not pictures.*set/b") as told:
        find_images(tmp_path / "set")
    assert "take out the link" in told.value.remedy


def test_a_class_that_is_a_link_to_everything_is_left_out(tmp_path):
    paint(tmp_path / "a" / "1.png", "red")
    (tmp_path / "b").symlink_to("/")
    images, told = found(tmp_path)
    assert images == ["a/1.png"]
    assert "that it lies in" in told["b"]
