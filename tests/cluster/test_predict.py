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

PICTURES = 1500


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
    (folder / "1490.png").write_bytes(b"")
    return folder


def assert_each_once(out: Path, photos: Path) -> None:
    """Hold that each picture is in the answers once, and nothing is left beside them."""
    answers = parquet.read_table(out)
    assert answers["path"].to_pylist() == [str(path) for path in sorted(photos.iterdir())]
    problems = {row["path"]: row for row in answers.to_pylist() if row["problem"]}
    assert {Path(path).name for path in problems} == {"0007.png", "1490.png"}
    assert all(row["label"] is None for row in problems.values())
    assert {path.name for path in out.parent.iterdir()} <= {out.name, ".imagette"}


def run(prediction: ClusterPrediction, address: str, during=lambda parts: None) -> None:
    """Predict to the end; `during` is called after each part."""
    with prediction.opened():
        for parts, _ in enumerate(prediction.answers(address), 1):
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


def kill_a_worker(nodes: TwoNodes) -> None:
    """SIGKILL one that is answering, wherever it is."""
    for node in nodes.nodes:
        for info in node.all_processes.get("raylet", []):
            for one in psutil.Process(info.process.pid).children(recursive=True):
                if "MapBatches" in " ".join(one.cmdline()):
                    one.kill()
                    return


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_the_answers_are_those_of_one_machine(nodes, photos, tmp_path, bundle_path, ending):
    few = tmp_path / "few"
    few.mkdir()
    for number in range(5, 9):
        shutil.copy(photos / f"{number:04}.png", few)
    (few / "large.png").write_bytes(noise(0, 200, 300))
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
    assert "already answered in" in imagette("predict", *command).stderr


def test_a_worker_and_then_a_node_that_are_killed_cost_nothing(nodes, photos, tmp_path):
    events = Counter()

    def during(parts: int) -> None:
        if parts == 2:
            kill_a_worker(nodes)
            events["worker"] += 1
        if parts == 5:
            nodes.kill_node(1)
            events["node"] += 1

    out = tmp_path / "answers.parquet"
    run(ClusterPrediction(Classifier("cifar10-lite"), [str(photos)], out), nodes.address, during)
    nodes.nodes[1] = nodes.add_node()
    assert events == {"worker": 1, "node": 1}
    assert_each_once(out, photos)


def test_a_bucket_that_vanishes_and_comes_back(nodes, tmp_path, bundle_path):
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    from pyarrow import fs

    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    where = "{}:{}".format(*running.get_host_and_port())
    system = fs.S3FileSystem(endpoint_override=where, scheme="http", allow_bucket_creation=True)

    system.create_dir("photos")
    for number in range(300):
        with system.open_output_stream(f"photos/{number:03}.png") as file:
            file.write(noise(number, 8, 8))

    out = tmp_path / "answers.parquet"
    source = f"s3://photos?scheme=http&endpoint_override={where}"
    make = lambda: ClusterPrediction(Classifier(bundle_path), [source], out)  # noqa: E731
    with pytest.raises(ImagetteError, match="s3://photos cannot be read"):
        run(make(), nodes.address, lambda parts: running.stop() if parts == 1 else None)
    parts = list((tmp_path / "answers.parquet.parts").glob("0*.parquet"))
    assert parts
    assert all(parquet.read_table(part).num_rows for part in parts)

    running = server.ThreadedMotoServer(*running.get_host_and_port(), verbose=False)
    running.start()  # what the other one held is kept in this process
    run(make(), nodes.address)
    running.stop()
    paths = parquet.read_table(out)["path"].to_pylist()
    assert paths == [f"s3://photos/{number:03}.png" for number in range(300)]


def test_a_full_disk(nodes, photos, tmp_path, bundle_path):
    """Too small for the parts, then for the file made of them."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may make a small disk")
    parts = disk / "answers.parquet.parts"
    try:
        make = lambda: ClusterPrediction(  # noqa: E731
            Classifier(bundle_path), [str(photos)], disk / "answers.parquet"
        )
        for size in ("240k", "8m"):
            with pytest.raises(ImagetteError, match=r"could not be written: No space left .*Free"):
                run(make(), nodes.address)
            written_ones = list(parts.glob("0*.parquet"))
            assert written_ones
            assert all(parquet.read_table(part).num_rows for part in written_ones)
            subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)
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
    first = ClusterPrediction(Classifier(bundle_path), [str(photos)], out)
    with first.opened(), pytest.raises(ImagetteError, match="Another program is answering"):
        run(ClusterPrediction(Classifier(bundle_path), [str(photos)], out), "none")
    for model, source in ((bundle_path, tmp_path), ("cifar10-lite", photos)):
        with pytest.raises(ImagetteError, match="other pictures, or of another model"):
            run(ClusterPrediction(Classifier(model), [str(source)], out), "none")
    shutil.rmtree(tmp_path / "answers.parquet.parts")
    out.write_text("mine")
    with pytest.raises(ImagetteError, match="is there already"):
        run(ClusterPrediction(Classifier(bundle_path), [str(photos)], out), "none")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([".", "--ray", "--explain", "why"], "On a Ray cluster there is no --explain."),
        (["--ray", "--camera", "--out", "a.csv"], "On a Ray cluster there is no --camera."),
        ([".", "--ray"], "On a Ray cluster the answers go to a file."),
        ([".", "--ray", "--out", "a.txt"], "Answers cannot be written to a.txt."),
    ],
)
def test_options_that_go_only_without_a_cluster(options, problem, tmp_path):
    done = imagette("predict", *options, cwd=tmp_path)
    assert done.returncode == 1
    assert problem in done.stderr


def test_a_cluster_that_is_not_there(tmp_path, photos, bundle_path):
    out = tmp_path / "answers.parquet"
    with pytest.raises(ImagetteError, match="does not answer"):
        run(ClusterPrediction(Classifier(bundle_path), [str(photos)], out), "127.0.0.1:9")


def test_cluster_is_closed(nodes):
    with cluster(nodes.address) as cores:
        assert cores == 2
