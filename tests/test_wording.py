"""Lists of names as people write them."""

import pytest

from imagette.wording import listed


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
