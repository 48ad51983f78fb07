"""What Heroku is told of the app; `tests/packages` installs it and runs its command."""

import json
from pathlib import Path

from support.deployed import check_settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/heroku"
APP = json.loads((FOLDER / "app.json").read_bytes())
SETTINGS = {name: entry.get("value") for name, entry in APP["env"].items()}


def test_settings_are_those_that_there_are_and_no_key_is_given_away():
    check_settings(SETTINGS)
    keys = APP["env"]["IMAGETTE_API_KEYS"]
    assert keys == {"description": keys["description"], "generator": "secret"}


def test_app_json_has_the_shape_that_heroku_wants():
    assert APP["formation"].keys() == {"web"}
    for entry in APP["env"].values():
        assert entry.keys() <= {"description", "value", "generator", "required"}
        assert all(isinstance(value, str) for value in entry.values())
    version = (FOLDER / ".python-version").read_text(encoding="utf-8").strip()
    assert f"python:{version}-slim" in (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
