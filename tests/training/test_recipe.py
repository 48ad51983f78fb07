"""Recipes: presets, files, settings, and what is refused."""

from typing import get_args

import pytest

from imagette import ImagetteError, Recipe
from imagette.training.augment import AUGMENTATIONS
from imagette.training.optimizers import OPTIMIZERS
from imagette.training.recipe import FIELDS, PRESETS, presets
from imagette.training.recipe_tables import (
    AugmentConfig,
    OptimizerConfig,
    ScheduleConfig,
    parse_settings,
)
from imagette.training.resume import earlier_recipe
from imagette.training.schedules import SCHEDULES


def test_the_classic_recipe_is_the_tutorials():
    recipe = Recipe.load("classic")
    assert (recipe.model, recipe.optimizer.name, recipe.batch_size) == ("classic-cnn", "adam", 64)
    assert (recipe.epochs, recipe.patience, recipe.validation_fraction) == (50, 5, 0.2)


def test_the_gpu_table_and_few_pictures_are_resolved():
    recipe = Recipe.load("classic").change(
        batch_size=100, epochs=2, min_steps=30, gpu={"batch_size": 500, "epochs": 3.0}
    )
    on_cpu = recipe.resolve("cpu", 950)
    # Ten batches of 95; two epochs of two passes over them have 40 steps.
    assert (on_cpu.batch_size, on_cpu.epochs, on_cpu.epoch_repeats) == (95, 2, 2)
    assert (on_cpu.gpu, on_cpu.min_steps) == ({}, 0)
    assert recipe.resolve("cpu", 50_000).epoch_repeats == 1
    on_gpu = recipe.resolve("cuda", 50_000)
    assert (on_gpu.batch_size, on_gpu.epochs, on_gpu.epoch_repeats) == (500, 3, 1)
    assert recipe.resolve("cuda", 400).epoch_repeats == 10
    assert on_cpu.resolve("cpu", 950) == on_cpu


def test_what_is_asked_for_holds_on_a_gpu_too_and_is_not_stretched():
    recipe = Recipe.load("sprint-90").change(epochs=10, batch_size=100)
    plan = recipe.resolve("cuda", 45_000)
    assert (plan.epochs, plan.batch_size, plan.progressive_share) == (10, 100, 0)
    assert recipe.resolve("cpu", 200).epoch_repeats == 1


def test_a_table_changes_by_field_on_a_gpu_too():
    recipe = Recipe.load("resnet18").change(augment={"cutmix_prob": 0.25}, gpu={"epochs": 9})
    on_cpu, on_gpu = (recipe.resolve(device, 45_000) for device in ("cpu", "cuda"))
    assert (on_cpu.augment.cutmix_prob, on_cpu.augment.cutout) == (0.25, 8)
    assert (on_gpu.augment.cutmix_prob, on_gpu.augment.no_aug_share) == (0.25, 0.1)
    assert (on_gpu.epochs, on_gpu.batch_size) == (9, 1000)


@pytest.mark.parametrize("name", [name for name in presets() if name.startswith("sprint")])
def test_sprints_are_not_stretched_on_cifar10(name):
    recipe = Recipe.load(name)
    plan = recipe.resolve("cpu", 45_000)
    assert plan.epoch_repeats == recipe.resolve("cuda", 45_000).epoch_repeats == 1
    assert (plan.epochs, plan.batch_size) == (recipe.epochs, recipe.batch_size)


@pytest.mark.parametrize("name", presets())
def test_every_preset_opens_with_its_command(name):
    first = (PRESETS / f"{name}.toml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(f"# imagette train --recipe {name}")
    assert Recipe.load(name).name == name


def test_saved_recipes_load_as_they_were(tmp_path):
    recipe = Recipe.load("classic").change(
        name='été "1"', optimizer={"learning_rate": 1e-5}, seed=7, gpu={"augment": {"cutout": 4}}
    )
    recipe.save(tmp_path / "recipe.toml")
    assert Recipe.load(tmp_path / "recipe.toml") == recipe


def test_a_bundle_is_told_the_names_of_other_runs_alone():
    recipe = Recipe.load("lite").change(init_from="/home/me/runs/first")
    told = recipe.to_metadata()
    assert (told["init_from"], told["distillation"]["teacher"]) == ("first", "cifar10-sprint-large")
    assert told["optimizer"] == recipe.optimizer.model_dump()
    assert Recipe.load("photos").to_metadata() == Recipe.load("photos").to_dict()


def test_what_a_recipe_may_name_is_in_the_registry():
    for config, registry in ((OptimizerConfig, OPTIMIZERS), (ScheduleConfig, SCHEDULES)):
        assert get_args(config.model_fields["name"].annotation) == tuple(registry)
    assert [*AUGMENTATIONS, "no_aug_share"] == list(AugmentConfig.model_fields)


def test_settings_change_any_field():
    settings = ["epochs=3", "patience = 0", "optimizer.name=sgd", "optimizer.momentum=0.8"]
    recipe = Recipe.load("classic").change(**parse_settings(settings))
    assert (recipe.epochs, recipe.patience, recipe.optimizer.name) == (3, 0, "sgd")
    assert (recipe.optimizer.momentum, recipe.optimizer.learning_rate) == (0.8, 0.001)


def test_a_wrong_field_is_told_the_right_ones():
    with pytest.raises(ImagetteError) as told:
        Recipe.load("classic").change(colour="red")
    assert {"optimizer.name", "augment.cutmix_prob", "epochs"} <= set(FIELDS)
    assert ", ".join(FIELDS) in told.value.remedy


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs", "not a setting"),
        ("=3", "not a setting"),
        ("epochs=", "not a setting"),
        ("epoch=3", "no field `epoch`"),
        ("epochs=0", "epochs = 0 learns a last layer alone, which needs model"),
        ("epochs=-1", "`epochs` = -1"),
        ("epochs=many", "`epochs` = 'many'"),
        ("optimizer.learning_rate=nan", "`optimizer.learning_rate`"),
        ("optimizer.rate=1", "no field `optimizer.rate`"),
        ("learning_rate=1", "no field `learning_rate`"),
        ("optimizer=sgd", "`optimizer` is a table, so set a field of it, such as `optimizer.name`"),
        ("distillation=x", "such as `distillation.teacher`"),
        ("validation_fraction=1", "`validation_fraction`"),
        ("optimizer.name=magic", "`optimizer.name` = 'magic'"),
        ("schedule.name=magic", "`schedule.name` = 'magic'"),
        ("seed=-1", "`seed`"),
        ("progressive_share=0.5", "progressive_share needs progressive_size"),
        ("pretrained_share=0.2", "pretrained_share needs init_from"),
        ("inference_size=20", "inference_size is 0 or at least 32"),
        ("augment.flip=sideways", "`augment.flip`"),
        ("gpu={batch=3}", "no field `batch`"),
        ("gpu={batch_size=0}", "`batch_size` = 0"),
        ("gpu.seed=1", "cannot change `seed`"),
        ("gpu.distillation.teacher=x", "cannot change `distillation.teacher`"),
        ("gpu.augment.cutmix=1", "no field `augment.cutmix`"),
        ("gpu=3", "`gpu` = 3"),
        ("augment.random_shift=500", "`augment.random_shift` = 500"),
        ("augment.trivial_augment=1", "`augment.trivial_augment` = 1"),
        ("model_options={widths=['a']}", "model_options"),
    ],
)
def test_wrong_settings_are_named(setting, message):
    with pytest.raises(ImagetteError, match=message):
        Recipe.load("classic").change(**parse_settings([setting]))


def test_settings_that_contradict_each_other_are_refused():
    settings = ["optimizer=adam", "optimizer.learning_rate=0.001"]
    for given in (settings, settings[::-1]):
        with pytest.raises(ImagetteError, match="set as a whole"):
            parse_settings(given)


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(ImagetteError, match="no recipe nowhere"):
        Recipe.load("nowhere")
    file = tmp_path / "mine.toml"
    for content, message in (
        (b"epochs = = 3", "not valid TOML"),
        (b'name = "mine"', "`model` is missing"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
    ):
        file.write_bytes(content)
        with pytest.raises(ImagetteError, match=message):
            Recipe.load(file)


def test_smaller_pictures_are_not_larger():
    with pytest.raises(ImagetteError, match="larger than image_size, which is 32"):
        Recipe.load("best").change(image_size=32)


def test_a_recipe_in_closed_form_refuses_what_it_does_not_use():
    photos = Recipe.load("photos")
    with pytest.raises(ImagetteError, match="nothing for `batch_size` to change"):
        photos.change(batch_size=8)
    assert photos.change(seed=3, augment={"flip": "none"}).seed == 3
    with pytest.raises(ImagetteError, match=r"nothing for `augment\.flip` to change"):
        photos.change(augment={"flip": "random"})
    with pytest.raises(ImagetteError, match="variants of efficientnet-lite are 0, 1 and 2"):
        photos.change(model_options={"variant": 3})
    with pytest.raises(ImagetteError, match="there is no field `colour`"):
        photos.change(colour="red")


def test_what_a_run_began_with_is_told_field_by_field(tmp_path):
    recipe = Recipe.load("classic")
    recipe.save(tmp_path / "recipe.toml")
    with pytest.raises(ImagetteError) as told:
        earlier_recipe(tmp_path, recipe.change(optimizer={"learning_rate": 0.2}))
    assert told.value.problem.endswith("settings: optimizer.learning_rate = 0.001, not 0.2.")


def test_without_epochs_no_other_field_of_learning_by_steps_is_taken():
    assert Recipe.load("finetune").change(epochs=0).closed_form
    with pytest.raises(ImagetteError, match=r"leaves nothing for `optimizer\.learning_rate`"):
        Recipe.load("finetune").change(epochs=0, optimizer={"learning_rate": 0.1})
