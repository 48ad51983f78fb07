"""Names as people write them, one and many."""

import pytest

from imagette.wording import listed, without_controls


@pytest.mark.parametrize(
    ("count", "language", "expected"),
    [
        (2, "en", "a0, a1"),
        (3, "fr", "a0, a1, a2"),
        (5, "en", "a0, a1, a2 and 2 more"),
        (4, "fr", "a0, a1, a2 et 1 autre"),
        (10, "fr", "a0, a1, a2 et 7 autres"),
    ],
)
def test_a_long_list_is_cut(count, language, expected):
    assert listed([f"a{number}" for number in range(count)], language, most=3) == expected


def test_a_terminal_is_given_no_control_characters():
    assert without_controls("a\x1b[2Jb\x9b\r\u2028") == "a\\x1b[2Jb\\x9b\\r\\u2028"
    assert without_controls("caf\u00e9 \U0001f408\tone\ntwo") == "caf\u00e9 \U0001f408\tone\ntwo"
