"""Forms: which of their parts are pictures, and why none is."""

import io

import pytest
from support.clients import FILE, TEXT, assert_refused, assert_same, form, part

MULTIPART = "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    "name",
    ["file", "files", "images", "image[]", "image[0]", "Image", "photo", "my upload", "0", ""],
)
def test_a_file_under_any_name(client, right, name):
    assert_same(client.post("/predict", data={name: (io.BytesIO(FILE), "a.png")}), right)


@pytest.mark.parametrize(
    ("parts", "count"),
    [
        ([part(), part("mask", content=b"no picture")], None),
        ([part("images[]"), part("images[]"), part("mask", content=b"no picture")], 2),
        ([part("image1"), part("image2")], 2),
        ([part("left"), part("right")], 2),
        ([part("image", "", b"cat.png"), part("file")], None),
        ([part("file", '; filename=""', b""), part("file")], None),
        ([part("image", "\r\nContent-Type: image/png")], None),
        ([part("image", "")], None),
        ([part("image", "", TEXT.encode())], None),
        ([part("photo", "", f"data:image/png;base64,{TEXT}".encode())], None),
        ([part("note", "", b"\xe9t\xe9"), part("photo")], None),
        ([part("note", "", b"hello"), part("photo", "", TEXT.encode())], None),
        ([part("file", '; filename="a.txt"', TEXT.encode())], None),
        (
            [part("data", '; filename="blob"\r\nContent-Type: application/json', b"{}"), part("f")],
            None,
        ),
        ([b"Content-Type: image/png\r\n\r\n" + FILE], None),  # as in multipart/mixed
        (
            [
                b"Content-Type: application/json\r\n\r\n{}",
                b"Content-Type: image/png\r\n\r\n" + FILE,
            ],
            None,
        ),
    ],
)
def test_which_parts_are_the_pictures(client, right, parts, count):
    assert_same(client.post("/predict", data=form(*parts), content_type=MULTIPART), right, count)


def test_names_of_files_come_back(client):
    body = form(part(), part(head="\r\nContent-Type: image/png"), part(content=b"x"))
    answers = client.post("/predict", data=body, content_type=MULTIPART).json["predictions"]
    assert [answer["file"] for answer in answers] == ["a.png", "", "a.png"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_the_name_of_a_file_in_any_encoding(client, right, encoding):
    named = part().replace(b"a.png", "été.png".encode(encoding))
    response = client.post("/predict", data=form(named, part()), content_type=MULTIPART)
    assert_same(response, right, 2)
    assert response.json["predictions"][0]["file"] == "été.png"


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r"])
@pytest.mark.parametrize("before", [b"", b"\r\n", b"\xef\xbb\xbf", b"to be ignored\r\n"])
@pytest.mark.parametrize("after", [b"", b"\r\n", b"\r\nto be ignored"])
def test_lines_as_they_are_ended(client, right, line_end, before, after):
    head = b'Content-Disposition: form-data;\r\n  name="file"; filename="a.png"\r\n'
    head = (b"--b \r\n" + head + b"content-type:image/png\r\n\r\n").replace(b"\r\n", line_end)
    body = before + head + FILE + line_end + b"--b--" + after
    assert_same(client.post("/predict", data=body, content_type=MULTIPART), right)


@pytest.mark.parametrize(
    "content", [b"P5 2 2 255\n\r\n\r\n", b"P5 2 2 255\nab--b--", b"P5 2 2 255\n\n--c"]
)
def test_a_file_is_whole_whatever_is_in_it(client, content):
    response = client.post("/predict", data=form(part(content=content)), content_type=MULTIPART)
    expected = client.post("/predict", data=content)
    assert response.json == expected.json
    assert response.status_code == 200


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other",
     "application/json", "application/x-www-form-urlencoded", "text/plain", "image/png", None],
)  # fmt: skip
def test_the_boundary_is_that_of_the_body(client, right, content_type):
    body = form(part("file"), end=b"\r\n--b--")
    assert_same(client.post("/predict", data=body, content_type=content_type), right)


@pytest.mark.parametrize(
    "body",
    [form(part(), end=b""), form(part(), end=b"\r\n--b"), form(part(), end=b"\r\n--b\r\n"),
     form(part(content=FILE[:50]), end=b""), form(b"Content-Dispo", end=b""), b"--b\r\n",
     form(part(), end=b"--b--\r\n")],
)  # fmt: skip
def test_a_form_that_is_cut_short_says_so(client, body):
    response = client.post("/predict", data=body, content_type=MULTIPART)
    assert_refused(response, "bad-request", "cut short")


@pytest.mark.parametrize(
    ("parts", "kind", "words"),
    [
        (
            [part(head="", content=b"cat.png")],
            "no-picture",
            ["`image` is the text `cat.png`", "-F"],
        ),
        ([part("word", "", b"hello")], "no-picture", "`word` is no picture"),
        ([part("url", "", b"https://example.org/a.png")], "no-picture", "fetches nothing"),
        (
            [part("file", '; filename=""', b"")],
            "no-picture",
            "No file was chosen for the field `file`",
        ),
        ([], "no-picture", "form is empty"),
        ([b"nonsense\r\n\r\n"], "bad-request", "not well formed"),
        ([b"Content-Disposition: form-data"], "bad-request", "not well formed"),
        ([part(f"{n}") for n in range(9)], "too-many-pictures", "8 pictures"),
        ([part(f"{n}", "", b"x") for n in range(1001)], "request-too-large", "1,000"),
    ],
)
def test_why_a_form_is_refused(client, parts, kind, words):
    body = form(*parts) if parts else b"--b--\r\n"
    assert_refused(client.post("/predict", data=body, content_type=MULTIPART), kind, words)


@pytest.mark.parametrize(
    ("fields", "count"),
    [({"image": TEXT}, None), ({"photo": f"data:image/png;base64,{TEXT}", "id": "7"}, None),
     ({"images": [TEXT, TEXT]}, 2)],
)  # fmt: skip
def test_a_form_of_text(client, right, fields, count):
    assert_same(client.post("/predict", data=fields), right, count)


def test_a_form_of_text_whose_plus_signs_are_not_encoded(client, right):
    assert "+" in TEXT
    kind = "application/x-www-form-urlencoded"
    assert_same(client.post("/predict", data=f"image={TEXT}", content_type=kind), right)


@pytest.mark.parametrize(
    ("body", "kind"),
    [("a=1&b=2", "no-picture"), ("a=&" * 1001, "request-too-large"),
     ("a=" + "%41" * 500_001, "bad-request")],
)  # fmt: skip
def test_other_forms_of_text_are_refused(client, body, kind):
    kind_of_body = "application/x-www-form-urlencoded"
    assert_refused(client.post("/predict", data=body, content_type=kind_of_body), kind)


def test_a_boundary_that_is_everywhere_is_refused_before_it_is_looked_for(client):
    body = b"--b\r\n" + b"--b" * 600_000 + b"\r\n--b--\r\n"
    answer = client.post("/predict", data=body, content_type="multipart/form-data; boundary=b")
    assert_refused(answer, "bad-request", "more than 10,000 times")
