"""How parts are handed out to a cluster, and what is said of its errors, without a cluster."""

import pytest

pytest.importorskip("ray", reason="it needs imagette[ray]")
from ray.exceptions import ObjectLostError, RayTaskError

from imagette.cluster import picture_tasks
from imagette.cluster.picture_tasks import PictureTasks, to_hand_out, told_errors
from imagette.errors import ImagetteError


def test_a_lost_machine_leaves_more_parts_pending_than_are_handed_out():
    assert to_hand_out(cores=0, pending=0) == 8  # so that an autoscaler adds machines
    assert to_hand_out(cores=4, pending=10) == 6
    assert to_hand_out(cores=1, pending=24) == 0


def of_worker(cause: Exception) -> RayTaskError:
    told = f"Traceback (most recent call last):\n  File ...\n{type(cause).__name__}: {cause}\n"
    return RayTaskError("open_model", told, cause)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (
            of_worker(ModuleNotFoundError("No module named 'imagette'")),
            r"A worker .* cannot answer: ModuleNotFoundError: No module named 'imagette'\. Check"
            " that all machines have the same versions",
        ),
        (of_worker(ImagetteError("The model is newer.", "Update.")), r"^The model is newer\."),
        (ObjectLostError("00", None, ""), r"could not finish the work: .*`ray status`"),
    ],
)
def test_errors_of_ray_say_what_to_do(error, problem):
    with pytest.raises(ImagetteError, match=problem), told_errors():
        raise error


class FakeRay:
    """A cluster that has a free core only when it is waited for without a limit."""

    def __init__(self, loaded: Exception | None = None) -> None:
        self.loaded = loaded

    def wait(self, tasks, timeout=None):
        return ([], tasks) if timeout else (tasks[:1], tasks[1:])

    def get(self, tasks):
        if self.loaded:
            raise self.loaded

    def available_resources(self):
        return {"CPU": 0.0}


def tasks_on(monkeypatch, ray: FakeRay) -> PictureTasks:
    monkeypatch.setattr(picture_tasks, "ray", ray)
    tasks = PictureTasks.__new__(PictureTasks)
    tasks._loading = ["a task"]
    return tasks


def test_waiting_for_a_core_is_told_once(monkeypatch):
    told = []
    tasks_on(monkeypatch, FakeRay()).wait_for_a_worker(lambda: told.append("waiting"))
    assert told == ["waiting"]


def test_a_worker_that_cannot_load_the_model_ends_it(monkeypatch):
    tasks = tasks_on(monkeypatch, FakeRay(of_worker(AttributeError("no open_model"))))
    with pytest.raises(ImagetteError, match="the same versions of Imagette"):
        tasks.wait_for_a_worker(lambda: None)
