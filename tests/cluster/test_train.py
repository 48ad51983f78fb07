"""Features and sums on a real cluster of two nodes, one of which is killed on the way."""

from itertools import chain
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagette.features.backbone import Backbone, open_backbone
from imagette.features.compute import compute_features, gather
from imagette.heads.head import fit_head

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two hundred, of which one is no picture, one does not exist, and one has no file."""
    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    found: list[Any] = [folder / f"{number}.png" for number in range(200)]
    for path in found:
        Image.fromarray(random.integers(0, 255, (40, 40, 3), np.uint8)).save(path)
    found[20].write_bytes(b"no picture")
    found[40].unlink()
    found[60] = found[60].read_bytes  # as in a Parquet file
    return found


def test_features_are_the_same_wherever_they_are_computed(nodes, pictures, tmp_path, monkeypatch):
    from imagette.cluster.workers import ClusterWorkers

    backbone = open_backbone()
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path))
    expected = compute_features(pictures, backbone, "whole")
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path / "other"))

    def kill_after_the_first_block(count, blocks):
        blocks = iter(blocks)
        first = next(blocks)
        nodes.kill_node(1)
        return gather(count, chain([first], blocks))

    monkeypatch.setattr("imagette.cluster.features.gather", kill_after_the_first_block)
    features = ClusterWorkers(2).compute_features(pictures, backbone, "whole")
    nodes.nodes.append(nodes.add_node())
    assert features.unreadable == expected.unreadable
    assert list(expected.unreadable) == [20, 40]
    assert features.digests == expected.digests
    assert np.array_equal(features.rows, expected.rows)
    # The driver's cache knows them all.
    monkeypatch.setattr(Backbone, "compute", None)  # it would be called
    assert np.array_equal(compute_features(pictures, backbone, "whole").rows, expected.rows)


def test_a_head_is_the_same_wherever_its_sums_are_added(nodes):
    """Workers have one thread each, this process as many as there are cores.

    There are so many pictures that the sums of several parts are merged, and some of them are
    nearly the same.
    """
    from imagette.cluster.workers import ClusterWorkers

    random = np.random.default_rng(0)
    rows = random.random((40_000, 64)).astype(np.float16)
    rows[1000:1020] = rows[1000]
    labels = rows[:, :3].argmax(1).astype(np.int64)  # to be learned, so that weights are large
    expected, left_out = fit_head(rows, labels, 3)
    workers, calls = ClusterWorkers(2), 0

    def spread(function, *items):
        nonlocal calls
        for found in workers.spread(function, *items):
            calls += 1
            if calls == 4:  # one of the first parts of the sums
                nodes.kill_node(-1)
            yield found

    head, without = fit_head(rows, labels, 3, spread)
    assert np.allclose(head.kernel, expected.kernel, rtol=0, atol=1e-6)
    assert np.allclose(head.bias, expected.bias, rtol=0, atol=1e-6)
    assert head.temperature == pytest.approx(expected.temperature, abs=1e-6)
    assert np.allclose(without.probabilities, left_out.probabilities, atol=1e-6)
    assert len(without.groups) == len(left_out.groups)
