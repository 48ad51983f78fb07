"""Names of runs, which are names of folders."""

import pytest

import imagette


@pytest.mark.parametrize(
    "name",
    ["", " ", "a/b", "..", "/tmp/x", "a\\b", "a\nb", "a\x1b[2Jb", "a\u2028b", "a" * 300, "nul",
     "a.", " a"],
)  # fmt: skip
def test_names_that_are_none_on_some_system_are_refused(tmp_path, name):
    with pytest.raises(imagette.ImagetteError, match="cannot be the name"):
        imagette.train("digits", name=name, runs_dir=tmp_path)
