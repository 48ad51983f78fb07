"""Archives as people get them: from Windows and macOS, damaged, encrypted, one in another."""

import io
import shutil
import tarfile
import zipfile
from copy import copy
from unicodedata import normalize

import pytest
from support.sources import not_opened, paint

from imagette import load_dataset
from imagette.data.sources import archive


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(folder))
    return folder


@pytest.fixture(scope="module")
def png(tmp_path_factory):
    return paint(tmp_path_factory.mktemp("picture") / "1.png", "red").read_bytes()


def pack(file, names, content):
    with zipfile.ZipFile(file, "w") as packed:
        for name in names:
            packed.writestr(name, content)
    return file


@pytest.mark.parametrize(
    ("names", "paths"),
    [
        (("set\\a\\1.png", "set\\b\\1.png"), ("a/1.png", "b/1.png")),
        (("..\\..\\a\\1.png", "b/1.png"), ("a/1.png", "b/1.png")),
        (("a/1.png", "b/1.png", "__MACOSX/a/._1.png", ".DS_Store"), ("a/1.png", "b/1.png")),
        (("cafe\u0301/1.png", "b/1.png"), ("b/1.png", "caf\u00e9/1.png")),
    ],
)
def test_names_of_other_systems(tmp_path, png, names, paths):
    data = load_dataset(pack(tmp_path / "set.zip", names, png))
    assert data.train.paths == paths
    assert data.class_names == tuple(dict.fromkeys(path.split("/")[0] for path in paths))


@pytest.mark.parametrize("code", ["cp437", "utf-8"])
def test_names_that_do_not_say_their_code(tmp_path, png, code):
    file = pack(tmp_path / "set.zip", ("caf!!/1.png", "b/1.png"), png)
    name = "caf\u00e9".encode(code)
    name += b"!" * (5 - len(name))
    file.write_bytes(file.read_bytes().replace(b"caf!!", name))
    assert load_dataset(file).class_names == ("b", "caf\u00e9" + "!" * (code == "cp437"))


def test_names_that_are_the_same_when_composed_are_both_kept(tmp_path, png):
    names = [normalize(form, "caf\u00e9/1.png") for form in ("NFC", "NFD")]
    with zipfile.ZipFile(pack(tmp_path / "set.zip", [*names, "b/1.png"], png)) as packed:
        assert len(packed.namelist()) == 3
    assert len(load_dataset(tmp_path / "set.zip").train) == 3


@pytest.mark.parametrize(
    ("name", "content", "problem", "remedy"),
    [
        ("set.rar", b"Rar!\x1a\x07\0", "it is a RAR file", "give the folder"),
        ("set.zip", b"Rar!\x1a\x07\0", "it is a RAR file", "give the folder"),
        ("set.7z", b"7z\xbc\xaf\x27\x1c", "it is a 7-Zip file", "give the folder"),
        ("set.tar.zst", b"\x28\xb5\x2f\xfd", "it is a Zstandard file", "give the folder"),
        ("set.zip", b"PK\x03\x04" + bytes(99), "its end is missing", "Download"),
        ("set.zip", b"<html>quota</html>", "it is a web page", "Download the file itself"),
        ("set.zip", b"version https://git-lfs", "it is a Git LFS pointer", "git lfs pull"),
        ("set.tgz", b"words", "it is neither a zip nor a tar file", "Download it again"),
        ("set.zip", b"", "it is empty", "Download it again"),
    ],
)
def test_what_is_no_archive_is_said_in_a_sentence(tmp_path, name, content, problem, remedy):
    (tmp_path / name).write_bytes(content)
    error = not_opened(tmp_path / name, f"{name} cannot be unpacked: {problem}")
    assert remedy in error.remedy
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [(6, 1, "it is encrypted"), (8, 9, "compression method is not supported")],
)
def test_entries_that_cannot_be_read(tmp_path, png, field, value, problem):
    file = pack(tmp_path / "set.zip", ("a/1.png", "b/1.png"), png)
    content = bytearray(file.read_bytes())
    for start, offset in ((b"PK\x03\x04", field), (b"PK\x01\x02", field + 2)):
        at = content.find(start)
        while at >= 0:
            content[at + offset] = value
            at = content.find(start, at + 1)
    file.write_bytes(content)
    assert "<ZipInfo" not in str(not_opened(file, problem))


@pytest.fixture
def small_bound(monkeypatch):
    """The bound of what is refused by how much it unpacks to, small so that bombs are quick."""
    monkeypatch.setattr(archive, "_MOST_UNASKED", 10_000_000)


def overlapping(file):
    """A zip of many entries that all are the same bytes, as some bombs are."""
    one = zipfile.ZipInfo("a/0.png")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(one, bytes(200_000), zipfile.ZIP_DEFLATED)
        for number in range(1, 400):
            again = copy(packed.infolist()[0])
            again.filename = f"{'ab'[number % 2]}/{number}.png"
            packed.filelist.append(again)


def in_a_tar(file):
    with tarfile.open(file, "w:gz") as packed:
        for number in range(40):
            entry = tarfile.TarInfo(f"{'ab'[number % 2]}/{number}.png")
            entry.size = 1_000_000
            packed.addfile(entry, io.BytesIO(bytes(entry.size)))


def in_a_zip(file):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(40):
            packed.writestr(f"{'ab'[number % 2]}/{number}.png", bytes(1_000_000))


def one_in_another(file):
    inner = file.with_name("inner.zip")
    in_a_zip(inner)
    pack(file, ["inner.zip"], inner.read_bytes())


@pytest.mark.parametrize(
    ("name", "make"),
    [("set.zip", in_a_zip), ("set.tgz", in_a_tar), ("set.zip", overlapping),
     ("set.zip", one_in_another)],
)  # fmt: skip
def test_what_is_made_to_fill_the_disk_is_not_unpacked(tmp_path, small_bound, cache, name, make):
    make(tmp_path / name)
    error = not_opened(tmp_path / name, "unpacks to .* times its size")
    assert "unpack it yourself" in error.remedy
    assert sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) < 1_000_000


def test_pictures_that_are_many_and_hardly_packed_are_unpacked(tmp_path, small_bound, png):
    names = [f"{'ab'[number % 2]}/{number}.png" for number in range(3000)]  # on the disk 12 MB
    assert len(load_dataset(pack(tmp_path / "set.zip", names, png)).train) == 3000


@pytest.fixture
def table(tmp_path):
    """A folder with a table of loose pictures."""
    for number in range(4):
        paint(tmp_path / "outer" / "set" / "pictures" / f"{number}.png", "red")
    lines = ["path,label", *(f"pictures/{number}.png,{'ab'[number % 2]}" for number in range(4))]
    (tmp_path / "outer" / "set" / "labels.csv").write_text("\n".join([*lines, "x.png,a"]))
    return tmp_path / "outer"


@pytest.mark.parametrize("depth", [1, 2])
def test_a_table_in_an_archive_and_an_archive_in_one(tmp_path, table, depth):
    if depth == 2:
        table = table / "set"
    data = load_dataset(shutil.make_archive(tmp_path / "all", "zip", table))
    assert (data.name, data.class_names, len(data.train)) == ("all", ("a", "b"), 4)
    assert all("cache" not in path + reason for path, reason in data.skipped)
    assert data.source == str(tmp_path / "all.zip")


def test_an_archive_in_an_archive(tmp_path, png):
    inner = pack(tmp_path / "train.zip", ("a/1.png", "b/1.png"), png)
    data = load_dataset(pack(tmp_path / "set.zip", ["x/train.zip"], inner.read_bytes()))
    assert (data.name, data.train.paths) == ("set", ("a/1.png", "b/1.png"))


def test_parquet_files_in_an_archive(tmp_path, png):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"image": [png, png], "label": ["a", "b"]}
    (tmp_path / "set").mkdir()
    parquet.write_table(pyarrow.table(columns), tmp_path / "set" / "train.parquet")
    data = load_dataset(shutil.make_archive(tmp_path / "all", "zip", tmp_path, "set"))
    assert (data.name, data.class_names) == ("all", ("a", "b"))


def test_pictures_of_one_class_alone(tmp_path, png):
    file = pack(tmp_path / "set.zip", ("image-0.jpg", "image-1.jpg"), png)
    not_opened(file, r"set\.zip holds 2 pictures, such as image-0.jpg, but no folder for each")
