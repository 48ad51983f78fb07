"""The trainings of a benchmark side by side, on a cluster whose machine comes with the work."""

import json
import os

import pytest
from support.two_nodes import TwoNodes

from imagette import ImagetteError, Recipe
from imagette.benchmark import time_to_accuracy as benchmark
from imagette.cluster import connection
from imagette.cluster.side_by_side import side_by_side


@pytest.fixture(scope="module")
def nodes():
    """A cluster of a head without any core."""
    nodes = TwoNodes(nodes=0, cores=2)
    yield nodes
    nodes.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_seeds_are_trained_side_by_side_and_only_once(nodes, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "find_tensorflow", lambda _: None)
    monkeypatch.setattr(connection, "_SECONDS", 1.0)
    recipe = Recipe.load("sprint-80").change(
        name="tiny", model_options={"widths": [4]}, batch_size=200, epochs=1, progressive_share=0.0
    )
    recipe.save(tmp_path / "tiny.toml")
    said: list[str] = []

    def measure(**how):
        return benchmark.time_to_accuracy(
            [tmp_path / "tiny.toml"], 2, out=tmp_path / "out", dataset="digits", say=said.append,
            **how,
        )  # fmt: skip

    def say(line):
        said.append(line)
        if "waiting for a machine" in line:  # as an autoscaler would
            nodes.add_node()

    def on_ray(*what):
        return side_by_side(*what, address=nodes.address, say=say)

    (row,) = measure(train_all=on_ray)
    assert (row["name"], row["runs"]) == ("tiny", 2)
    assert {"tiny, seed 0: trained", "tiny, seed 1: trained"} <= set(said)
    assert sum("waiting for a machine" in line for line in said) == 1
    assert "2 trainings side by side, 1 core each" in said
    said.clear()
    assert measure(train_all=on_ray) == [row]
    assert not any("trained" in line for line in said)
    # Seconds on other numbers of cores would not compare: later calls get as many, or are refused.
    machine = tmp_path / "out/machine.json"
    noted = json.loads(machine.read_text(encoding="utf-8"))
    assert noted["cores_each"] >= 1
    with pytest.raises(ImagetteError, match="ran side by side"):
        measure()
    del noted["cores_each"]
    machine.write_text(json.dumps(noted), encoding="utf-8")
    with pytest.raises(ImagetteError, match="one after another"):
        measure(train_all=on_ray)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_errors_of_tasks_and_of_ray_are_two_sentences(nodes):
    import ray

    def fail():
        return 1 / 0

    def end():
        os._exit(1)

    with connection.cluster(nodes.address):
        failing = ray.remote(num_cpus=0)(fail).remote()
        with pytest.raises(ImagetteError, match="failed: ZeroDivisionError: division by zero"):
            connection.result_of(failing)
        ending = ray.remote(num_cpus=0, max_retries=0)(end).remote()
        with pytest.raises(ImagetteError, match="The work on the Ray cluster failed: ") as error:
            connection.result_of(ending)
        assert "\n" not in error.value.problem
