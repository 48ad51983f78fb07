"""Prediction on a real cluster of two nodes, whatever is killed meanwhile."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

pytest.importorskip("ray", reason="it needs imagette[ray]")
from PIL import Image
from pyarrow import parquet
from support.command_line import PROGRAM, imagette
from support.images import noise, written
from support.two_nodes import TwoNodes

from imagette.cluster.connection import cluster
from imagette.cluster.predict import ClusterPrediction
from imagette.errors import ImagetteError
from imagette.inference.batch import predict_files
from imagette.inference.classifier import Classifier

pytestmark = pytest.mark.slow

PICTURES = 1000


@pytest.fixture(scope="module")
def nodes():
    """A head, and two nodes of one core each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        two = TwoNodes()
        yield two
        two.close()


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Many small pictures, two of which cannot be read."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(PICTURES):
        colour = (number % 251, number // 251 * 20, 99)
        content = written(Image.new("RGB", (32, 32), colour), "PNG")
        (folder / f"{number:04}.png").write_bytes(content)
    (folder / "0007.png").write_bytes(b"no picture")
    (folder / "0990.png").write_bytes(b"")
    return folder


def assert_each_once(out: Path, photos: Path) -> None:
    """Hold that each picture is in the answers once, and nothing is left beside them."""
    answers = parquet.read_table(out)
    assert answers["path"].to_pylist() == [str(path) for path in sorted(photos.iterdir())]
    problems = {row["path"]: row for row in answers.to_pylist() if row["problem"]}
    assert {Path(path).name for path in problems} == {"0007.png", "0990.png"}
    assert all(row["label"] is None for row in problems.values())
    assert {path.name for path in out.parent.iterdir()} <= {out.name, ".imagette"}


def run(prediction: ClusterPrediction, address: str, during=lambda parts: None) -> None:
    """Predict to the end; `during` is called after each part."""
    with cluster(address) as cores:
        prediction.start_workers(cores)
        prediction.wait_for_a_worker(lambda: None)
        with prediction.opened():
            for parts, _ in enumerate(prediction.answers(), 1):
                during(parts)
            prediction.finish()


def started(*arguments: str | Path) -> subprocess.Popen:
    command = [*PROGRAM, "predict", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for_parts(folder: Path, least: int, program: subprocess.Popen) -> None:
    """Wait until so many parts are written."""
    while len(list(folder.glob("0*.parquet"))) < least:
        assert program.poll() is None, program.stderr.read()
        time.sleep(0.02)


def kill_a_worker(nodes: TwoNodes) -> bool:
    """SIGKILL one that is answering, wherever it is; False where none is."""
    for node in nodes.nodes:
        for info in node.all_processes.get("raylet", []):
            for one in psutil.Process(info.process.pid).children(recursive=True):
                if "ray::answer_part" in " ".join(one.cmdline()):
                    one.kill()
                    return True
    return False


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_the_answers_are_those_of_one_machine(nodes, photos, tmp_path, bundle_path, ending):
    few = tmp_path / "few"
    few.mkdir()
    for number in range(5, 9):
        shutil.copy(photos / f"{number:04}.png", few)
    (few / "large.png").write_bytes(noise(0, 200, 300))
    (few / "=cmd é.png").write_bytes(noise(1, 8, 8))
    out = tmp_path / f"answers.{ending}"
    classifier = Classifier(bundle_path)
    run(ClusterPrediction(classifier, [str(few)], out), nodes.address)

    done = imagette("predict", few, "--model", bundle_path, "--out", tmp_path / f"one.{ending}")
    assert done.returncode == 1  # one of them cannot be read
    one, other = (path.read_text() for path in (out, tmp_path / f"one.{ending}"))
    if ending == "csv":
        assert one == other
    for here, there in zip(one.splitlines(), other.splitlines(), strict=True):
        if ending == "jsonl":
            found, expected = json.loads(here), json.loads(there)
            probabilities = found.pop("probabilities", {})
            assert probabilities == pytest.approx(expected.pop("probabilities", {}), abs=1e-6)
            assert found == pytest.approx(expected, abs=1e-6)
    assert_finished(classifier, few, out)


def assert_finished(classifier: Classifier, pictures: Path, out: Path) -> None:
    """Hold that the file is told from one about other pictures or of another model."""
    assert ClusterPrediction(classifier, [str(pictures)], out).finished() == 1
    (pictures / "one-more.png").write_bytes(noise(2, 8, 8))
    with pytest.raises(ImagetteError, match="holds something else than this model's answers"):
        ClusterPrediction(classifier, [str(pictures)], out).finished()
    (pictures / "one-more.png").unlink()
    with pytest.raises(ImagetteError, match="holds something else than this model's answers"):
        ClusterPrediction(Classifier("cifar10"), [str(pictures)], out).finished()


def test_parquet_of_a_real_model(nodes, photos, tmp_path):
    few = tmp_path / "few"
    shutil.copytree(photos, few, ignore=lambda _, names: [n for n in names if n > "0300.png"])
    classifier = Classifier("cifar10-lite")
    out = tmp_path / "out/answers.parquet"
    run(ClusterPrediction(classifier, [str(few)], out), nodes.address)

    table = parquet.read_table(out)
    assert json.loads(table.schema.metadata[b"classes"]) == list(classifier.class_names)
    pictures = [(str(path), str(path)) for path in sorted(few.iterdir())]
    rows = [row for some in predict_files(classifier, pictures, 1) for row in some]
    for answer, row in zip(table.to_pylist(), rows, strict=True):
        assert (answer["path"], answer["label"]) == (row["file"], row.get("label"))
        if "error" in row:
            assert (answer["problem"], answer["remedy"]) == (row["error"], row["remedy"])
            continue
        assert answer["probabilities"] == pytest.approx([*row["probabilities"].values()], abs=1e-5)
        assert answer["confidence"] == pytest.approx(row["confidence"], abs=1e-5)
        assert answer["familiarity"] == pytest.approx(row["familiarity"], abs=1e-5)
        assert answer["known"] == row["known"]


def test_a_driver_that_is_killed_goes_on(nodes, photos, tmp_path):
    out = tmp_path / "answers.parquet"
    command = (photos, "--model", "cifar10-lite", "--out", out, "--ray-address", nodes.address)
    program = started(*command)
    wait_for_parts(tmp_path / "answers.parquet.parts", 3, program)
    program.kill()
    program.communicate()
    kept = len(list((tmp_path / "answers.parquet.parts").glob("0*.parquet")))

    again = imagette("predict", *command)
    assert again.returncode == 1, again.stderr
    assert "already answered; going on with the others." in again.stderr
    assert kept >= 3
    assert "Traceback" not in again.stderr
    assert_each_once(out, photos)
    finished = imagette("predict", *command)
    assert "already answered in" in finished.stderr
    assert "2 of them cannot be read." in finished.stderr
    assert finished.returncode == 1


def test_a_worker_and_then_a_node_that_are_killed_cost_nothing(nodes, photos, tmp_path):
    events = Counter()

    def during(parts: int) -> None:
        if parts > 1 and not events["worker"]:
            events["worker"] += kill_a_worker(nodes)
        elif events["worker"] and not events["node"]:
            nodes.kill_node(1)
            events["node"] += 1

    out = tmp_path / "answers.parquet"
    run(ClusterPrediction(Classifier("cifar10-lite"), [str(photos)], out), nodes.address, during)
    nodes.nodes[1] = nodes.add_node()
    assert events == {"worker": 1, "node": 1}
    assert_each_once(out, photos)


def test_a_part_that_kills_each_worker_ends_it(nodes, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("imagette.cluster.picture_tasks._RETRIES", 0)
    prediction = ClusterPrediction(Classifier("cifar10-lite"), [str(photos)], tmp_path / "a.csv")
    with pytest.raises(ImagetteError, match=r"the \d+ pictures from .*png on is killed"):
        run(prediction, nodes.address, lambda _: kill_a_worker(nodes))
    assert list(prediction.folder.glob("0*.parquet"))


def test_a_bucket_that_vanishes_and_comes_back(nodes, tmp_path, bundle_path, monkeypatch):
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    from pyarrow import fs

    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    where = "{}:{}".format(*running.get_host_and_port())
    system = fs.S3FileSystem(endpoint_override=where, scheme="http", allow_bucket_creation=True)

    monkeypatch.setattr("imagette.cluster.picture_list._FIRST", 16)
    # A bucket of its own: all servers of this process hold the same ones.
    system.create_dir("vanishing")
    # So many that most are not read yet when the server, half a second later, has stopped.
    for number in range(400):
        with system.open_output_stream(f"vanishing/{number:03}.png") as file:
            file.write(noise(number, 8, 8))

    out = tmp_path / "answers.parquet"
    source = f"s3://vanishing?scheme=http&endpoint_override={where}"
    make = lambda: ClusterPrediction(Classifier(bundle_path), [source], out)  # noqa: E731
    with pytest.raises(ImagetteError, match="s3://vanishing cannot be read"):
        run(make(), nodes.address, lambda parts: running.stop() if parts == 1 else None)
    parts = list((tmp_path / "answers.parquet.parts").glob("0*.parquet"))
    assert parts
    assert all(parquet.read_table(part).num_rows for part in parts)

    running = server.ThreadedMotoServer(*running.get_host_and_port(), verbose=False)
    running.start()  # what the other one held is kept in this process
    run(make(), nodes.address)
    running.stop()
    paths = parquet.read_table(out)["path"].to_pylist()
    assert paths == [f"s3://vanishing/{number:03}.png" for number in range(400)]


def is_all(parts: Path) -> bool:
    """Whether each part is written."""
    counts = json.loads((parts / "about.json").read_text())["counts"]
    return len(list(parts.glob("0*.parquet"))) == len(counts)


def test_a_full_disk(nodes, photos, tmp_path, bundle_path):
    """Full after the first part, then when all are written and to become one file."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may make a small disk")
    parts = disk / "answers.parquet.parts"
    try:
        make = lambda: ClusterPrediction(  # noqa: E731
            Classifier(bundle_path), [str(photos)], disk / "answers.parquet"
        )
        resize = lambda size: subprocess.run(  # noqa: E731
            ["mount", "-o", f"remount,size={size}", str(disk)], check=True
        )
        fill = lambda: resize(shutil.disk_usage(disk).used)  # noqa: E731
        no_space = r"could not be written: No space left .*Free"
        with pytest.raises(ImagetteError, match=no_space):
            run(make(), nodes.address, lambda _: fill())
        [first] = parts.glob("0*.parquet")
        assert parquet.read_table(first).num_rows

        resize("8m")
        with pytest.raises(ImagetteError, match=no_space):
            run(make(), nodes.address, lambda _: is_all(parts) and fill())
        assert is_all(parts)
        resize("8m")
        run(make(), nodes.address)
        assert_each_once(disk / "answers.parquet", photos)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_ctrl_c_on_a_cluster_of_its_own(photos, tmp_path):
    """It says how to go on, and leaves nothing running."""
    out = tmp_path / "answers.parquet"
    program = started(photos, "--model", "cifar10-lite", "--out", out, "--ray")
    wait_for_parts(tmp_path / "answers.parquet.parts", 1, program)
    family = psutil.Process(program.pid).children(recursive=True)
    assert any("raylet" in one.name() for one in family)
    program.send_signal(signal.SIGINT)
    said = program.communicate()[1]
    assert program.returncode == 130
    assert "their answers are kept. Go on with: imagette predict" in said
    assert len(re.sub(r".* left\n", "", said).strip().splitlines()) == 1  # beside the progress
    _, alive = psutil.wait_procs(family, 10)
    assert not alive


def test_other_pictures_another_model_and_what_is_there_are_refused(tmp_path, photos, bundle_path):
    out = tmp_path / "answers.parquet"
    prediction = lambda source, model: ClusterPrediction(  # noqa: E731
        Classifier(model), [str(source)], out
    )
    with (
        prediction(photos, bundle_path).opened(),
        pytest.raises(ImagetteError, match="Another program is answering"),
        prediction(photos, bundle_path).opened(),
    ):
        pass
    for model, source in ((bundle_path, tmp_path), ("cifar10-lite", photos)):
        with (
            pytest.raises(ImagetteError, match="other pictures, or of another model"),
            prediction(source, model).opened(),
        ):
            pass
    shutil.rmtree(tmp_path / "answers.parquet.parts")
    out.write_text("mine")
    with pytest.raises(ImagetteError, match="holds something else"):
        prediction(photos, bundle_path).finished()


def test_a_list_that_is_damaged_or_fails_leaves_what_is_there(tmp_path, photos, bundle_path):
    out = tmp_path / "answers.csv"
    opened = lambda source: ClusterPrediction(Classifier(bundle_path), [source], out).opened()  # noqa: E731
    with opened(str(photos)):
        pass
    parts = tmp_path / "answers.csv.parts"
    (parts / "000000.parquet").write_bytes(b"answers")
    (parts / "about.json").write_text("{")
    for source in (str(photos), "no/such/archive.zip"):
        with pytest.raises(ImagetteError, match="but no list of the pictures"), opened(source):
            pass
    assert (parts / "000000.parquet").exists()

    (parts / "000000.parquet").unlink()
    (parts / "mine.txt").write_text("mine")
    with pytest.raises(ImagetteError, match=r"archive\.zip cannot be read"), opened(source):
        pass
    assert {path.name for path in parts.iterdir()} == {"mine.txt", ".imagette"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([".", "--ray", "--explain", "why"], "On a Ray cluster there is no --explain."),
        (["--ray", "--camera", "--out", "a.csv"], "On a Ray cluster there is no --camera."),
        ([".", "--ray"], "On a Ray cluster the answers go to a file."),
        ([".", "--ray", "--out", "a.txt"], "Answers cannot be written to a.txt."),
        ([".", "--ray", "--out", "s3://b/a.csv"], "Answers go to a disk, and not to s3://b/a.csv"),
    ],
)
def test_options_that_go_only_without_a_cluster(options, problem, tmp_path):
    done = imagette("predict", *options, cwd=tmp_path)
    assert done.returncode == 1
    assert problem in done.stderr


def test_a_cluster_that_is_not_there(tmp_path, photos):
    out = tmp_path / "answers.parquet"
    done = imagette("predict", photos, "--out", out, "--ray-address", "127.0.0.1:9")
    assert done.returncode == 1
    assert "The Ray cluster 127.0.0.1:9 does not answer" in done.stderr
    assert not list(tmp_path.iterdir())
