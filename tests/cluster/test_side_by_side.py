"""The trainings of a benchmark side by side, on a cluster of this machine."""

import pytest

from imagette import Recipe
from imagette.benchmark import time_to_accuracy as benchmark
from imagette.cluster.side_by_side import side_by_side


@pytest.mark.slow
def test_seeds_are_trained_side_by_side_and_only_once(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "find_tensorflow", lambda _: None)
    recipe = Recipe.load("sprint-80").change(
        name="tiny", model_options={"widths": [4]}, batch_size=200, epochs=1, progressive_share=0.0
    )
    recipe.save(tmp_path / "tiny.toml")
    said: list[str] = []

    def measure():
        return benchmark.time_to_accuracy(
            [tmp_path / "tiny.toml"], 2, out=tmp_path / "out", dataset="digits", say=said.append,
            train_all=lambda *what: side_by_side(*what, address=None, say=said.append),
        )  # fmt: skip

    (row,) = measure()
    assert (row["name"], row["runs"]) == ("tiny", 2)
    assert {"tiny, seed 0: trained", "tiny, seed 1: trained"} <= set(said)
    said.clear()
    assert measure() == [row]
    assert not any("trained" in line for line in said)
