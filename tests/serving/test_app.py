"""The other addresses of the API, and its settings."""

import pytest

import imagette
from imagette import ImagetteError
from imagette.serving.app import create_app
from imagette.serving.settings import Settings


def test_index_names_every_endpoint(client):
    index = client.get("/").json
    assert index["version"] == imagette.__version__
    rules = {
        f"{method} {rule.rule}".replace("<", "{").replace(">", "}")
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert rules == {"GET /docs/{name}", *index["endpoints"]}


def test_model(client):
    model = client.get("/model").json
    assert model["class_names"][3] == "cat"
    assert model["class_names_fr"][3] == "chat"
    assert model["model"] == "mean-colour"
    assert model["input"] == {"height": 32, "width": 32, "channels": 3}
    assert model["limits"] == {
        "max_upload_bytes": 25_000_000, "max_pixels": 1_000_000, "max_jpeg_pixels": 4_000_000,
        "max_pictures": 8, "max_seconds": 30, "requests_per_minute": 0,
    }  # fmt: skip
    assert {"dataset", "accuracy", "accuracy_split", "parameters", "licence", "recipe"} <= set(
        model
    )


def test_settings_come_from_the_environment(monkeypatch, bundle_path):
    monkeypatch.setenv("IMAGETTE_MODEL", str(bundle_path))
    monkeypatch.setenv("IMAGETTE_MAX_UPLOAD_BYTES", "12345")
    monkeypatch.setenv("IMAGETTE_MAX_PIXELS", "")
    settings = Settings()
    assert [file.path for file in settings.model] == [bundle_path]
    assert settings.max_upload_bytes == 12345
    assert settings.max_pixels == 50_000_000
    assert create_app().test_client().get("/model").json["limits"]["max_upload_bytes"] == 12345


def test_settings_that_are_given_go_before_the_environment(monkeypatch):
    monkeypatch.setenv("IMAGETTE_MAX_PICTURES", "5")
    assert Settings(max_pictures=7).max_pictures == 7
    assert Settings(max_pictures=None).max_pictures == 5


@pytest.mark.parametrize("value", ["many", "0", "-3", "1.5"])
def test_unusable_setting(monkeypatch, value):
    monkeypatch.setenv("IMAGETTE_MAX_PIXELS", value)
    with pytest.raises(ImagetteError, match="IMAGETTE_MAX_PIXELS"):
        Settings()


def test_a_missing_model_is_told_when_the_application_is_made(tmp_path):
    with pytest.raises(ImagetteError, match=r"gone\.onnx"):
        create_app(Settings(model=tmp_path / "gone.onnx"))
