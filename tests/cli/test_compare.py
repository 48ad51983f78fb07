"""`imagette compare`, as people type it."""

import json
import shutil

from support.command_line import imagette_here


def test_runs_measured_on_other_pictures_are_not_compared_without_a_word(tmp_path, digits_run):
    shutil.copytree(digits_run.folder, tmp_path / "other")
    command = ("compare", digits_run.folder, tmp_path / "other")
    same = imagette_here(*command, cwd=tmp_path)
    assert "digits" in same.stdout
    assert "same pictures" not in same.stderr
    metrics = json.loads((tmp_path / "other" / "metrics.json").read_bytes())
    changed = json.dumps(metrics | {"dataset": "letters"})
    (tmp_path / "other" / "metrics.json").write_text(changed, encoding="utf-8")
    other = imagette_here(*command, cwd=tmp_path)
    assert "letters" in other.stdout
    assert "not measured on the same pictures" in other.stderr
