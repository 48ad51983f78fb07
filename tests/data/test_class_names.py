"""What classes are called, and how they are ordered."""

import pytest

from imagette.data.class_names import name_classes


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["10", "9", "-1", "2.5"], ("-1", "2.5", "9", "10")),
        (["class10", "class9"], ("class10", "class9")),
        ([10, 9, None], ("9", "10")),
        ([1.0, 0.0, float("nan")], ("0", "1")),
        ([0.5, 1.0], ("0.5", "1")),
        (["b ", " a", " ", ""], ("a", "b")),
    ],
)
def test_names_are_sorted_as_numbers_where_all_are(values, order):
    found = name_classes(values)
    assert (found.order, found.notes) == (order, ())


def test_given_names_keep_their_order():
    found = name_classes([1, -1], ["zebra", "ant "])
    assert (found.order, found.of) == (("zebra", "ant"), {0: "zebra", 1: "ant"})


def test_one_name_written_in_two_ways_is_one_class():
    found = name_classes(["cafe\u0301", "caf\u00e9", "tea"])
    assert found.order == ("caf\u00e9", "tea")
    assert found.of["cafe\u0301"] == found.of["caf\u00e9"] == "caf\u00e9"
    [note] = found.notes
    assert "one class" in note
    assert r"'cafe\u0301' and 'caf\xe9'" in note


@pytest.mark.parametrize(
    "twins",
    [
        ["Cat", "cat"],
        ["red_fox", "red fox"],
        ["Straße", "STRASSE"],
        ["cat", "cat (1)"],
        ["cat", "cat - Copy"],
    ],
)
def test_names_that_are_nearly_the_same_are_told(twins):
    found = name_classes([*twins, "dog", "-1", "1"])
    assert set(twins) < set(found.order)
    [note] = found.notes
    assert " = ".join(sorted(twins)) in note or " = ".join(twins) in note
    assert "-1" not in note
