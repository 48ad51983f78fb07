"""How many pictures a network computes at once."""

from imagette.images.batches import batches, default_batch_size


def test_the_larger_the_pictures_the_fewer_at_once():
    assert [default_batch_size(500, side, side) for side in (32, 64, 224)] == [500, 125, 10]
    assert default_batch_size(5, 224, 224) == 1


def test_batches_hold_each_picture_once():
    cut = [list(range(7))[batch] for batch in batches(7, 3)]
    assert cut == [[0, 1, 2], [3, 4, 5], [6]]
