"""Pictures of folders, lists, archives, Parquet files and buckets are listed, and read back."""

import csv
import io
import struct
import tarfile
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="it needs imagette[ray]")
import pyarrow as pa
from PIL import Image
from pyarrow import fs, parquet
from support.images import written

from imagette.cluster import picture_reading, picture_tables, read_ahead
from imagette.cluster.picture_list import open_list, packed_parts, unpacked, write_list
from imagette.cluster.picture_reading import read_pictures
from imagette.cluster.picture_sources import Entry, PictureSources
from imagette.errors import ImageError, ImagetteError

NAMES = ("cats/1.png", "cats/2.png", "dogs/1.jpg", "dogs/é.png")
FILES = {
    name: written(Image.new("RGB", (8, 8), (60 * number, 9, 9)), "PNG")
    for number, name in enumerate(NAMES)
}


@pytest.fixture(scope="module")
def s3():
    """A real S3 server on this machine: its address, and a file system to fill it with."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        running.start()
        where = "{}:{}".format(*running.get_host_and_port())
        yield (
            where,
            fs.S3FileSystem(
                endpoint_override=where,
                scheme="http",
                allow_bucket_creation=True,
                allow_bucket_deletion=True,
            ),
        )
        running.stop()


@pytest.fixture
def folder(tmp_path) -> Path:
    """Four pictures, and what is none."""
    for name, content in FILES.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "photos/notes.txt").write_text("none")
    (tmp_path / "photos/.hidden.png").write_bytes(b"none")
    return tmp_path / "photos"


def listed(tmp_path, *names) -> dict[str, bytes | ImageError]:
    """What is read of each picture, by its name, by way of a written list."""
    sources = PictureSources(list(map(str, names)))
    write_list(tmp_path, sources, sources.roots, sources.files, {"about": "a test"})
    found = open_list(tmp_path)
    read = {}
    for part in packed_parts(found.path, range(len(found.counts))):
        for name, picture in read_pictures(unpacked(part), found.roots):
            read[name] = Path(picture).read_bytes() if isinstance(picture, str) else picture
    assert found.pictures == len(read)
    return read


def below(prefix) -> dict[str, bytes]:
    return {f"{prefix}/{name}": content for name, content in FILES.items()}


def test_a_folder(tmp_path, folder):
    assert listed(tmp_path, folder) == below(folder)


def test_a_folder_that_is_named_from_here(tmp_path, folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert listed(tmp_path, "photos") == below("photos")


def test_a_list_of_paths(tmp_path, folder):
    (folder / "list.txt").write_text("\r\n".join(NAMES) + "\n\n", encoding="utf-8")
    assert listed(tmp_path, folder / "list.txt") == FILES


@pytest.mark.parametrize(
    ("head", "ending", "separator"),
    [(["label", "file_path"], "csv", ";"), ([], "csv", ","), (["x", "path"], "tsv", "\t")],
)
def test_a_table(tmp_path, folder, head, ending, separator):
    table = folder / f"table.{ending}"
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = [head] if head else []
        csv.writer(file, delimiter=separator).writerows([*rows, *(["a", name] for name in NAMES)])
    assert listed(tmp_path, table) == FILES


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_zip_file(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", method) as archive:
        for name, content in {**FILES, "__MACOSX/cats/1.png": b"none", "a.txt": b"no"}.items():
            archive.writestr(name, content)
    assert listed(tmp_path, tmp_path / "photos.zip") == below(tmp_path / "photos.zip")


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.xz"])
def test_a_tar_file(tmp_path, folder, ending):
    path = tmp_path / f"photos.{ending}"
    with tarfile.open(path, f"w:{ending[4:]}") as archive:
        for name in NAMES:
            archive.add(folder / name, name)
    assert listed(tmp_path, path) == below(path)


@pytest.mark.parametrize("in_structs", [False, True])
@pytest.mark.parametrize("rows", [3, 20_000])
def test_a_parquet_file_of_pictures(tmp_path, in_structs, rows):
    contents = [FILES[NAMES[number % 4]] for number in range(rows)]
    values = [{"bytes": one, "path": None} for one in contents] if in_structs else contents
    path = tmp_path / "photos.parquet"
    parquet.write_table(pa.table({"label": [0] * rows, "image": values}), path)
    expected = {f"{path}/{number}": content for number, content in enumerate(contents)}
    assert listed(tmp_path, path) == expected


def test_a_parquet_file_of_several_row_groups(tmp_path):
    contents = [
        written(Image.new("RGB", (8, 8), (n % 256, n // 256, 0)), "PNG") for n in range(700)
    ]
    path = tmp_path / "photos.parquet"
    parquet.write_table(pa.table({"image": contents}), path, row_group_size=300)
    expected = {f"{path}/{number}": content for number, content in enumerate(contents)}
    assert listed(tmp_path, path) == expected


def test_a_parquet_file_of_paths(tmp_path, folder):
    parquet.write_table(pa.table({"path": NAMES}), folder / "list.parquet")
    assert listed(tmp_path, folder / "list.parquet") == FILES


def test_answers_in_the_folder_are_no_source(tmp_path, folder):
    parquet.write_table(pa.table({"path": NAMES}), folder / "answers.parquet")
    assert listed(tmp_path, folder) == below(folder)


def test_a_bucket_with_archives_in_it(tmp_path, s3, monkeypatch):
    where, system = s3
    system.create_dir("photos")
    for name, content in {**FILES, "notes.txt": b"none"}.items():
        with system.open_output_stream(f"photos/2026/{name}") as file:
            file.write(content)
    with (
        zipfile.ZipFile(tmp_path / "more.zip", "w") as zipped,
        tarfile.open(tmp_path / "more.tar", "w") as archive,
    ):
        for name, content in FILES.items():
            zipped.writestr(with_notes(name), content)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    parquet.write_table(pa.table({"image": [FILES[NAMES[1]]]}), tmp_path / "more.parquet")
    for name in ("more.zip", "more.tar", "more.parquet"):
        with system.open_output_stream(f"photos/2026/{name}") as file:
            file.write((tmp_path / name).read_bytes())

    found = listed(tmp_path, f"s3://photos/2026?scheme=http&endpoint_override={where}")
    assert found == {
        **below("s3://photos/2026"),
        **below("s3://photos/2026/more.tar"),
        **below("s3://photos/2026/more.zip"),
        "s3://photos/2026/more.parquet/0": FILES[NAMES[1]],
    }
    # A list of addresses, and a file that is gone by now.
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{where}")
    addresses = [f"s3://photos/2026/{name}" for name in (*NAMES, "gone.png")]
    (tmp_path / "list.txt").write_text("\n".join(addresses), encoding="utf-8")
    found = listed(tmp_path, tmp_path / "list.txt")
    assert isinstance(found.pop(addresses[-1]), ImageError)
    assert found == below("s3://photos/2026")


def with_notes(name: str) -> zipfile.ZipInfo:
    """A member of a zip file whose header is longer than usual."""
    member = zipfile.ZipInfo(name)
    member.extra = struct.pack("<2H", 0x7075, 700) + bytes(700)
    return member


def test_a_bucket_that_was_deleted_is_not_told_of_each_picture(tmp_path, s3):
    where, system = s3
    system.create_dir("gone")
    with system.open_output_stream("gone/1.png") as file:
        file.write(FILES[NAMES[0]])
    sources = PictureSources([f"s3://gone?scheme=http&endpoint_override={where}"])
    entries = list(sources)
    system.delete_dir("gone")
    with pytest.raises(ImagetteError, match="s3://gone cannot be read"):
        list(read_pictures(entries, sources.roots))


def test_a_file_system_of_fsspec(tmp_path):
    import fsspec

    system = fsspec.filesystem("memory")
    for name, content in FILES.items():
        system.pipe(f"/shelf/photos/{name}", content)
    assert listed(tmp_path, "memory://shelf/photos") == below("memory://shelf/photos")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("s3://key:secret@bucket/photos", "holds a user name or a password"),
        ("nothing://at/all", "cannot be read"),
        ("no/such/list.csv", "cannot be read"),
        ("http://127.0.0.1:9/1.png", "nothing is fetched from the web, as http://127.0.0.1:9/1"),
    ],
)
def test_what_is_no_source(tmp_path, source, problem):
    with pytest.raises(ImagetteError, match=problem):
        listed(tmp_path, source)


def test_a_list_of_addresses_of_the_web(tmp_path):
    (tmp_path / "list.txt").write_text("https://example.org/1.png\n")
    with pytest.raises(ImagetteError, match="nothing is fetched from the web"):
        listed(tmp_path, tmp_path / "list.txt")


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz", "tar.xz", "parquet"])
def test_a_damaged_archive_is_left_out_of_a_folder_and_refused_by_its_name(
    tmp_path, folder, ending
):
    broken = folder / f"broken.{ending}"
    broken.write_bytes(b"PK or whatever" * 99)
    sources = PictureSources([str(folder)])
    assert {entry.name for entry in sources} == set(below(folder))
    assert sources.left_out == 2  # notes.txt, too
    assert sources.first_left_out.startswith(f"{broken} cannot be read")
    with pytest.raises(ImagetteError, match=f"{broken} cannot be read"):
        list(PictureSources([str(broken)]))


def test_a_damaged_picture_in_an_archive_is_told_of_it_alone(tmp_path):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
        places = [info.header_offset for info in archive.infolist()]
    whole = bytearray(path.read_bytes())
    whole[places[1] : places[1] + 4] = b"none"
    path.write_bytes(whole)
    found = listed(tmp_path, path)
    assert isinstance(found.pop(f"{path}/{NAMES[1]}"), ImageError)
    assert found.items() <= below(path).items()

    path = tmp_path / "photos.parquet"
    noise = [np.random.default_rng(seed).bytes(5000) for seed in range(6)]
    parquet.write_table(pa.table({"image": noise}), path, row_group_size=2, compression="zstd")
    column = parquet.ParquetFile(path).metadata.row_group(1).column(0)
    begin = column.dictionary_page_offset or column.data_page_offset
    whole = bytearray(path.read_bytes())
    whole[begin : begin + 60] = bytes(60)
    path.write_bytes(whole)
    found = listed(tmp_path, path)
    assert [isinstance(one, ImageError) for one in found.values()] == [0, 0, 1, 1, 0, 0]
    assert [one for one in found.values() if isinstance(one, bytes)] == noise[:2] + noise[4:]


def test_an_archive_that_has_changed_is_known(tmp_path):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(NAMES[0], FILES[NAMES[0]])
    listed(tmp_path, path)
    assert open_list(tmp_path).changed is None
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    assert open_list(tmp_path).changed == str(path)
    path.unlink()
    assert open_list(tmp_path).changed == str(path)


def test_large_pictures_of_a_parquet_file_are_read_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_tables, "_BYTES", 20_000)
    asked = []
    read = parquet.ParquetFile.iter_batches

    def watched(self, rows, *more):
        asked.append(rows)
        return read(self, rows, *more)

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", watched)
    path = tmp_path / "photos.parquet"
    for size, rows in ((9000, 2), (90_000, 1), (3, 64)):
        noise = [np.random.default_rng(seed).bytes(size) for seed in range(100)]
        parquet.write_table(pa.table({"image": noise}), path)
        assert list(listed(tmp_path, path).values()) == noise
        assert asked[-1] == rows


def test_a_member_of_a_packed_tar_that_is_too_large_is_not_read(tmp_path, folder, monkeypatch):
    for module in ("picture_sources", "picture_reading"):
        monkeypatch.setattr(f"imagette.cluster.{module}.LARGEST", 100)
    with tarfile.open(tmp_path / "photos.tar.gz", "w:gz") as archive:
        (folder / "large.png").write_bytes(bytes(101))
        archive.add(folder / "large.png", "large.png")
        archive.add(folder / NAMES[0], NAMES[0])
    found = listed(tmp_path, tmp_path / "photos.tar.gz")
    assert "has more than" in str(found[f"{tmp_path}/photos.tar.gz/large.png"])
    assert found[f"{tmp_path}/photos.tar.gz/{NAMES[0]}"] == FILES[NAMES[0]]


def test_pictures_of_an_archive_in_a_bucket_are_fetched_at_the_same_time(monkeypatch):
    others = threading.Barrier(8)

    class Slow:
        def read_at(self, size: int, start: int) -> bytes:
            others.wait(20)  # for seven others, or the test fails
            return bytes([start]) * size

    bucket = SimpleNamespace(open_input_file=lambda _: Slow())
    monkeypatch.setattr(picture_reading, "connect", lambda _: (bucket, "photos"))
    entries = [Entry(str(n), 0, "photos/all.tar", "bytes", n, 3) for n in range(32)]
    found = list(read_pictures(entries, ["s3://photos"]))
    assert found == [(str(n), bytes([n]) * 3) for n in range(32)]


class FakeBucket:
    """A file system of files that raise some errors each before they can be read."""

    def __init__(self, errors: dict[str, list[OSError]], size: int = 8) -> None:
        self.errors, self.bytes = errors, size

    def open_input_file(self, place: str):
        if self.errors.get(place):
            raise self.errors[place].pop(0)
        return pa.BufferReader(bytes(self.bytes))

    def get_file_info(self, path: str) -> fs.FileInfo:
        return fs.FileInfo(path, fs.FileType.Directory)


def read_from(bucket: FakeBucket, monkeypatch, names: list[str]):
    monkeypatch.setattr(picture_reading, "connect", lambda _: (bucket, "photos"))
    monkeypatch.setattr(picture_reading, "_WAITS", (0.0, 0.0))
    entries = [Entry(f"s3://photos/{name}", 0, name) for name in names]
    return read_pictures(entries, ["s3://photos"])


def test_an_error_that_passes_is_none(monkeypatch):
    bucket = FakeBucket({"1": [OSError("503 Slow down"), TimeoutError()]})
    assert [one for _, one in read_from(bucket, monkeypatch, ["0", "1"])] == [bytes(8)] * 2


def test_an_error_that_stays_ends_the_run(monkeypatch):
    bucket = FakeBucket({"1": [OSError("503 Slow down") for _ in range(3)]})
    with pytest.raises(ImagetteError, match="s3://photos/1 cannot be read: 503 Slow down"):
        list(read_from(bucket, monkeypatch, ["0", "1"]))


@pytest.mark.parametrize(
    "error", [FileNotFoundError("gone"), OSError("AWS Error ACCESS_DENIED during HeadObject")]
)
def test_what_is_missing_or_denied_is_told_of_the_picture(monkeypatch, error):
    bucket = FakeBucket({"1": [error]})
    [one, other] = [picture for _, picture in read_from(bucket, monkeypatch, ["0", "1"])]
    assert one == bytes(8)
    assert isinstance(other, ImageError)


def test_few_bytes_are_fetched_ahead(monkeypatch):
    monkeypatch.setattr(read_ahead, "_BYTES", 25)
    rooms = []

    class Watched(read_ahead.Room):
        def enter(self, number: int, size: int) -> None:
            super().enter(number, size)
            rooms.append(sum(self._sizes.values()))

    monkeypatch.setattr(read_ahead, "Room", Watched)
    names = [str(number) for number in range(50)]
    found = list(read_from(FakeBucket({}, 8), monkeypatch, names))
    assert len(found) == 50
    assert max(rooms) <= 25 + 8  # the next one may always come in
    list(read_from(FakeBucket({}, 99), monkeypatch, names))  # larger than the room, one at a time


def test_a_list_that_was_cut_short_is_none(tmp_path, folder):
    def broken():
        yield from PictureSources([str(folder)])
        raise ImagetteError("The bucket is gone.", "Try again.")

    with pytest.raises(ImagetteError):
        write_list(tmp_path, broken(), [], [], {})
    assert open_list(tmp_path) is None
    assert not list(tmp_path.glob("*.arrow"))
