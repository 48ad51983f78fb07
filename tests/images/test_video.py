"""Videos: which pictures of them come, and what becomes of broken ones; cameras, as far as a test
has one."""

import builtins
import errno
from itertools import islice, pairwise

import pytest
from support.videos import SIZE, sound, video

from imagette.errors import ImageError, ImagetteError
from imagette.images import video as module
from imagette.images.formats import open_file
from imagette.images.video import camera_moments, is_video, video_frames

pytest.importorskip("av")

KINDS = (
    ("mp4", "libx264"), ("mov", "libx264"), ("avi", "mpeg4"), ("webm", "libvpx"),
    ("webm", "libvpx-vp9"), ("matroska", "libx264"), ("mp4", "libx265"),
)  # fmt: skip


def seconds(file, every, **options):
    return [round(one.seconds, 3) for one in video_frames(file, "film", every, **options)]


def grey(image):
    """The number of a picture, by its right half."""
    return round(image.getpixel((SIZE[0] * 3 // 4, 20))[1] / 4)


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_every_so_often_a_picture_comes_with_its_time(tmp_path, kind, codec):
    path = tmp_path / "film"
    path.write_bytes(video(kind, codec))
    assert is_video(str(path))
    found = list(video_frames(str(path), "film", 1))
    assert [round(one.seconds, 3) for one in found] == [0, 1, 2, 3]
    assert [one.image.size for one in found] == [SIZE] * 4
    assert [grey(one.image) for one in found] == pytest.approx([0, 10, 20, 30], abs=1)


def test_how_often_is_chosen():
    film = video()
    assert seconds(film, 0) == [number / 10 for number in range(35)]
    assert seconds(film, 0.25) == [0, 0.3, 0.5, 0.8, 1, 1.3, 1.5, 1.8, 2, 2.3, 2.5, 2.8, 3, 3.3]
    assert seconds(film, 3) == [0, 3]
    assert seconds(film, 1000) == [0]


@pytest.mark.parametrize(("kind", "codec"), KINDS[:4])
def test_far_apart_it_jumps_to_the_same_pictures(monkeypatch, kind, codec):
    film = video(kind, codec)
    read = list(video_frames(film, "film", 1.5))
    monkeypatch.setattr(module, "_SEEK_FROM", 0)
    jumped = list(video_frames(film, "film", 1.5))
    assert [one.seconds for one in jumped] == [one.seconds for one in read]
    assert [grey(one.image) for one in jumped] == [grey(one.image) for one in read]


@pytest.mark.parametrize(("rotation", "red"), [(90, (24, 60)), (-90, (24, 4)), (180, (60, 24))])
def test_telephones_film_on_their_side(rotation, red):
    image = next(video_frames(video(rotation=rotation), "film", 1)).image
    assert image.size == (SIZE if rotation == 180 else SIZE[::-1])
    assert image.getpixel(red)[0] > 150


@pytest.mark.parametrize(("kind", "codec"), KINDS[:6])
@pytest.mark.parametrize("end", [0.3, 0.7])
def test_of_a_video_that_is_cut_short_what_is_there_comes_and_that_is_told(kind, codec, end):
    film = video(kind, codec, pictures=60)
    cut = film[: int(len(film) * end)]
    with pytest.raises(ImageError, match=r"^film (is cut short|is damaged|cannot be read as)"):
        list(video_frames(cut, "film", 1))


def test_what_is_damaged_in_the_middle_is_passed_over_and_told():
    film = bytearray(video(pictures=60))
    begin = film.index(b"mdat")
    film[begin + 2000 : begin + 2600] = bytes(600)
    frames = video_frames(bytes(film), "film", 1)
    assert len(list(islice(frames, 3))) == 3
    with pytest.raises(ImageError, match="film is damaged: parts of it could not be read"):
        list(frames)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "film cannot be read as a video: it is damaged, cut short, or of a kind that"),
        (b"some words, and no video", "film cannot be read as a video"),
        (b"\0\0\0\x18ftypisom" + bytes(200), "film cannot be read as a video: it is"),
        (b"\x1aE\xdf\xa3" + bytes(200), "film cannot be read as a video"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n", "film cannot"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "film cannot be read as a video"),
    ],
)
def test_what_is_no_video_is_told_in_a_sentence(content, why):
    with pytest.raises(ImageError) as raised:
        list(video_frames(content, "film", 1))
    assert raised.value.problem.startswith(why)
    assert raised.value.problem.endswith(".")


def test_sound_alone_and_pictures_that_are_too_large():
    with pytest.raises(ImageError, match="film holds no pictures, only sound"):
        list(video_frames(sound(), "film", 1))
    with pytest.raises(ImageError, match=r"more than the 0\.001 million allowed") as raised:
        list(video_frames(video(), "film", 1, max_pixels=1000))
    assert raised.value.too_large


def test_a_picture_is_no_video(tmp_path):
    (tmp_path / "a.MP4").write_bytes(b"by its name")
    assert is_video(str(tmp_path / "a.MP4"))
    for content in (b"", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x1cftypavif", b"\0\0\0\x1cftypheic"):
        assert not is_video(content)


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    film, real = video(), builtins.__import__

    def without(name, *arguments):
        if name == "av":
            raise ModuleNotFoundError(name="av")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    for pictures in (video_frames(film, "film", 1), camera_moments(0, 1)):
        with pytest.raises(ImagetteError, match=r"pip install 'imagette\[video\]'"):
            next(pictures)


def test_what_a_camera_sees_comes_as_often_as_asked(monkeypatch):
    """FFmpeg's test picture, ten a second as a camera gives them."""
    camera = "testsrc=size=64x48:rate=10,realtime", "lavfi"
    monkeypatch.setattr(module, "_camera", lambda _: camera)
    moments = list(islice(camera_moments(0, 0.3), 4))
    apart = [(later.time - one.time).total_seconds() for one, later in pairwise(moments)]
    assert min(apart) >= 0.2
    assert {one.image.size for one in moments} == {(64, 48)}
    ending = "testsrc=size=64x48:rate=10:duration=1", "lavfi"
    monkeypatch.setattr(module, "_camera", lambda _: ending)
    with pytest.raises(ImagetteError, match="Camera 0 gives no more pictures"):
        list(camera_moments(0, 0))


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.ENOENT, "There is no camera 7 on this machine."),
        (errno.EBUSY, "Camera 7 is in use."),
        (errno.EACCES, "Camera 7 may not be used by you."),
        (errno.EIO, "Camera 7 cannot be used (Input/output error)."),
    ],
)
def test_why_a_camera_gives_nothing(monkeypatch, number, problem):
    def fail(_):
        raise OSError(number, {errno.EIO: "Input/output error"}.get(number, ""))

    monkeypatch.setattr(module, "_camera", fail)
    with pytest.raises(ImagetteError) as raised:
        next(camera_moments(7, 1))
    assert raised.value.problem == problem


def test_a_camera_that_is_not_there():
    with pytest.raises(ImagetteError, match="There is no camera 97 on this machine"):
        next(camera_moments(97, 1))


def test_a_frame_is_a_picture_as_any_other(tmp_path):
    image = next(video_frames(video(), "film", 1)).image
    image.save(tmp_path / "frame.png")
    assert open_file(tmp_path / "frame.png").size == SIZE
