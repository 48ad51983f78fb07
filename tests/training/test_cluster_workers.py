"""What the workers of a cluster do, without a cluster."""

import pickle
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import ray
import torch
from support.command_line import imagette_here

from imagette import ImagetteError, Recipe, build_model
from imagette.cluster import epochs, features, workers
from imagette.cluster.workers import ClusterWorkers
from imagette.data import Split
from imagette.training.checkpoint import from_bytes, save_checkpoint, to_bytes
from imagette.training.state import State

RECIPE = Recipe.load("classic").change(epochs=3)


def fake_machines(monkeypatch, *resources: dict[str, float]) -> None:
    nodes = [{"Alive": True, "Resources": each} for each in resources]
    monkeypatch.setattr(ray, "nodes", lambda: [*nodes, {"Alive": False, "Resources": {"GPU": 8}}])


def test_a_restarted_worker_sends_the_state_that_it_loaded(monkeypatch, tmp_path):
    """It may be that of the last epoch, which was kept and not sent before the worker was lost."""
    save_checkpoint(tmp_path, State(epoch=3, best_epoch=3, weights=[torch.ones(2)]))
    checkpoint = ray.train.Checkpoint.from_directory(tmp_path)
    rank = SimpleNamespace(get_world_rank=lambda: 0)
    monkeypatch.setattr(ray.train, "get_context", lambda: rank)
    monkeypatch.setattr(ray.train, "get_checkpoint", lambda: checkpoint)
    monkeypatch.setattr(ray, "get", lambda reference: reference)
    model = build_model(RECIPE.model, **RECIPE.model_options)
    none = Split(np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, np.int64))
    work = epochs.Work.of(model, none, none, RECIPE, State(epoch=2), None)
    sent: list[bytes] = []
    epochs._learn({"work": work, "messages": SimpleNamespace(put=sent.append)})
    (state,) = map(from_bytes, map(pickle.loads, sent))
    assert state.epoch == 3
    assert torch.equal(state.weights[0], torch.ones(2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_state_from_a_gpu_is_read_on_a_cpu():
    moments = {"state": {0: {"exp_avg": torch.ones(3, device="cuda")}}}
    state = from_bytes(to_bytes(State(epoch=1, optimizers=[moments])))
    assert state.optimizers[0]["state"][0]["exp_avg"].device.type == "cpu"


@pytest.mark.parametrize(
    ("count", "device", "scaled"),
    [(None, "cuda", (1, 2)), (2, "cuda", (1, 2)), (3, "cpu", (1, 3))],
)
def test_the_workers_gpus_decide_how_epochs_are_learned(monkeypatch, count, device, scaled):
    """Not the driver's machine; and no GPU is used where there are too few for all workers."""
    fake_machines(monkeypatch, {"CPU": 8.0}, {"CPU": 8.0, "GPU": 2.0})
    assert ClusterWorkers(16, count).device_type == device
    scaling = epochs._scaling(count)
    assert (scaling.num_workers, scaling.use_gpu) == (scaled, device == "cuda")


def test_without_gpus_each_machine_has_a_worker(monkeypatch):
    fake_machines(monkeypatch, {"node": 1.0}, {"CPU": 4.0}, {"CPU": 4.0})
    assert ClusterWorkers(8).device_type == "cpu"
    scaling = epochs._scaling(None)
    assert scaling.num_workers == (1, 2)
    assert scaling.resources_per_worker == {"CPU": 4}


def test_the_driver_holds_few_contents_at_once(monkeypatch):
    """Contents that are large go in small blocks, a part of the blocks at a time."""
    monkeypatch.setattr(features, "_MOST_BYTES", 1000)
    read: list[int] = []

    def content(number: int) -> bytes:
        read.append(number)
        return bytes(200)

    sources: list[Any] = [lambda number=number: content(number) for number in range(20)]
    sources[7] = Path("picture.png")
    parts = features._make_parts(features._make_blocks(sources, 4))
    first = next(parts)
    assert len(read) < 10
    blocks = [block for part in [first, *parts] for block in part]
    found = [pickle.loads(one) for block in blocks for one in block["sources"][0].as_py()]
    starts = [block["start"][0].as_py() for block in blocks]
    counts = [len(block["sources"][0]) for block in blocks]
    assert starts == [sum(counts[:place]) for place in range(len(counts))]
    assert len(found) == 20
    assert found[7] == Path("picture.png").absolute()
    assert found[8]() == bytes(200)


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ray.exceptions.WorkerCrashedError(), "The cluster could not fit the last layer: "),
        (ray.exceptions.RayTaskError("f", "Traceback", ImagetteError("Wrong.", "Mend it.")),
         "Wrong. Mend it."),
    ],
)  # fmt: skip
def test_what_ray_raises_is_told_in_a_sentence(monkeypatch, raised, told):
    def get(_):
        raise raised

    monkeypatch.setattr(ray, "get", get)
    with pytest.raises(ImagetteError) as error:
        workers._get(None)
    assert str(error.value).startswith(told)


def test_workers_are_those_of_a_cluster(tmp_path):
    answer = imagette_here("train", "digits", "--workers", "2", cwd=tmp_path)
    assert answer.returncode == 1
    assert "Add --ray, or --ray-address ADDRESS." in answer.stderr
    assert not [*tmp_path.iterdir()]


def test_ray_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    answer = imagette_here("train", "digits", "--ray", cwd=tmp_path)
    assert answer.returncode == 1
    assert "Ray is not installed." in answer.stderr
    assert "pip install 'imagette[ray]'" in answer.stderr
    assert not [*tmp_path.iterdir()]
