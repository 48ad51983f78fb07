"""The repository as a whole: its folders, its experiments, and what GitHub reads."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.shown import TEXTS, read

ROOT = Path(__file__).parents[1]
EXPERIMENTS = ROOT / "experiments"
NOT_OF_SRC = {"browser", "deploy", "docs", "outside", "packages", "support"}


def test_each_folder_of_tests_is_one_of_the_package():
    tested = {file.parent.relative_to(ROOT / "tests") for file in ROOT.glob("tests/**/test_*.py")}
    package = ROOT / "src" / "imagette"
    assert not {
        folder
        for folder in tested
        if not {*folder.parts} & NOT_OF_SRC and not (package / folder).is_dir()
    }


def test_experiments_open_with_their_command_and_those_shown_exist():
    for file in EXPERIMENTS.glob("*.py"):
        opening = file.read_text(encoding="utf-8").split('"""')[1]
        assert f"python experiments/{file.name}" in opening, file
    for text in TEXTS:
        for name in re.findall(r"experiments/[\w/-]+(?:\.\w+)?", read(text)):
            assert (ROOT / name).exists(), f"{text}: {name}"


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-workflows", "workflows/*.yml"),
        ("github-issue-forms", "ISSUE_TEMPLATE/[!c]*.yml"),
        ("github-issue-config", "ISSUE_TEMPLATE/config.yml"),
    ],
)
def test_what_github_reads_is_valid(schema, files):
    found = sorted((ROOT / ".github").glob(files))
    assert found
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*check, *found], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
