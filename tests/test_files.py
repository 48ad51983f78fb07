"""Tables that people open in a spreadsheet."""

import csv
import io

import pytest

from imagette.files import csv_text


@pytest.mark.parametrize("first", "=+-@\t\r＝")
def test_no_name_is_a_formula_in_a_spreadsheet(first):
    name = f'{first}HYPERLINK("http://example.org")'
    # Where a spreadsheet takes semicolons to separate cells, as it does in French.
    later = f"a;{name}"
    text = csv_text([{"class": name, name: later, "score": "-0.5", "count": -3, "other": "a-b=c"}])
    head, row = csv.reader(io.StringIO(text, newline=""))
    assert head[1] == row[0] == "'" + name
    assert row[1] == f"a;'{name}"
    assert row[2:] == ["-0.5", "-3", "a-b=c"]
