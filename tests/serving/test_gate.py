"""What pictures pass before they are decoded."""

from threading import Lock

import pytest

from imagette.serving.gate import Gate
from imagette.serving.problems import RequestError

LARGE = 1_000_001


def test_one_large_picture_at_a_time_and_any_number_of_small_ones():
    gate = Gate(30, lock := Lock())
    with gate(LARGE):
        with gate(LARGE - 1):
            pass
        with pytest.raises(RequestError) as caught, Gate(0.01, lock)(LARGE):
            pass
        assert caught.value.kind == "out-of-time"
    with pytest.raises(ZeroDivisionError), gate(LARGE):
        raise ZeroDivisionError
    with gate(LARGE):  # it was left, whatever happened inside
        pass
