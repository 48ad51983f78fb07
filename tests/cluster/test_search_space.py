"""The file that says what a search may try: what it may hold, and what is said of mistakes."""

import pytest

from imagette import ImagetteError, Recipe
from imagette.cluster.search_space import SearchSpace
from imagette.cluster.tune_folder import TuneInfo
from imagette.training.recipe_tables import to_tables

RECIPE = Recipe.load("sprint-90")


def read(folder, text):
    file = folder / "space.toml"
    file.write_text(text, encoding="utf-8")
    return SearchSpace.load(file, RECIPE)


def test_fields_take_what_the_file_gives_them(tmp_path):
    space = read(
        tmp_path,
        "batch_size = {choose = [256, 500]}\n"
        "model_options = {choose = [{widths = [8]}, {widths = [16]}]}\n"
        "progressive_share = {between = [0, 0.5]}\n"
        "augment.random_shift = {between = [0, 4]}\n"
        "optimizer.learning_rate = {log = [0.01, 1]}\n",
    )
    parameters = {
        "batch_size": 1, "model_options": 0, "progressive_share": 0.123456,
        "augment.random_shift": 3, "optimizer.learning_rate": 0.0987654,
    }  # fmt: skip
    recipe = RECIPE.change(**to_tables(space.values(parameters)))
    assert recipe.batch_size == 500
    assert recipe.model_options == {"widths": [8]}
    assert recipe.progressive_share == 0.1235
    assert recipe.augment.random_shift == 3
    assert recipe.optimizer.learning_rate == 0.09877
    assert recipe.optimizer.momentum == RECIPE.optimizer.momentum


def test_the_recipes_own_values_are_among_them_or_not(tmp_path):
    inside = read(
        tmp_path, "batch_size = {choose = [256, 500]}\nlabel_smoothing = {log = [0.1, 0.5]}"
    )
    assert inside.parameters(RECIPE) == {"batch_size": 1, "label_smoothing": 0.2}
    assert read(tmp_path, "batch_size = {choose = [256]}").parameters(RECIPE) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning_rate = {log = [0.1, 1]}", "there is no field `learning_rate`"),
        ("optimizer = {choose = ['sgd']}", "there is no field `optimizer.choose`"),
        ("seed = {choose = [1, 2]}", "`seed` is the same in all trials"),
        ("batch_size = 256", "`batch_size` has no values to try"),
        ("batch_size = {among = [1, 2]}", "`batch_size` has no values to try"),
        ("batch_size = {choose = []}", "`batch_size` has no values to try"),
        ("batch_size = {choose = [0]}", "`batch_size` = 0: input should be greater than or equal"),
        (
            "batch_size = {between = [1.5, 3]}",
            "`batch_size` = 1.5: input should be a valid integer",
        ),
        ("batch_size = {between = [3, 1]}", "`batch_size` has no lowest and highest value"),
        ("label_smoothing = {log = [0, 0.1]}", "`label_smoothing` has no lowest value above 0"),
        ("augment.flip = {between = [0, 1]}", "`augment.flip` is no number"),
        ("augment.flip = {choose = ['up']}", "`augment.flip` = 'up'"),
        ("batch_size = {", "is not valid TOML"),
        ("", "names no field to try values of"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(tmp_path, text, said):
    with pytest.raises(ImagetteError) as error:
        read(tmp_path, text)
    assert said in error.value.problem
    assert str(tmp_path / "space.toml") in error.value.problem
    assert error.value.remedy


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ImagetteError, match="cannot be read"):
        SearchSpace.load(tmp_path / "none.toml", RECIPE)


@pytest.mark.parametrize(("images", "passes"), [(45_000, 1), (300, 80)])
def test_no_batch_size_makes_more_passes_than_another(tmp_path, images, passes):
    """Unless the search itself tries how many."""
    space = read(tmp_path, "batch_size = {choose = [100, 500, 1000]}")
    info = TuneInfo("cifar10", RECIPE, space, tmp_path / "space.toml", 3, None)
    info.settle(tmp_path, "cpu", images)
    made = {
        info.base.change(batch_size=size).resolve("cpu", images).epoch_repeats
        for size in (100, 500, 1000)
    }
    assert made == {passes}

    space = read(tmp_path, "min_steps = {choose = [100, 400]}")
    info = TuneInfo("cifar10", RECIPE, space, tmp_path / "space.toml", 3, None)
    info.settle(tmp_path, "cpu", images)
    assert info.base == RECIPE
