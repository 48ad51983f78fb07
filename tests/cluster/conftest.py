"""A cluster of two nodes that tests are connected to."""

from collections.abc import Iterator

import pytest
from support.two_nodes import TwoNodes

from imagette.cluster.connection import cluster


@pytest.fixture(scope="module")
def nodes() -> Iterator[TwoNodes]:
    """A head, and two nodes of one core each; the tests of a module share them."""
    nodes = TwoNodes()
    with cluster(nodes.address):
        yield nodes
    nodes.close()
